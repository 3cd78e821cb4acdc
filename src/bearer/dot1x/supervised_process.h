// A neighbour program that runs as long as this process does: started again when it ends (with a pause that doubles up
// to 5 s) or answers no more, stopped with us, and killed by the kernel if we are killed.

#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace cahn::bearer::dot1x {

struct Program {
  std::string name;                    // for logs
  std::vector<std::string> arguments;  // the first is the absolute path of the executable
  std::filesystem::path output;        // stdout and stderr go here, anew at every start; 0600
  // Whether it answers: asked every 2 s on the watching thread, and waited for. Thrice in a row no, and it is killed
  // and started again. Empty: nobody asks.
  std::function<bool()> answers{};
};

class SupervisedProcess {
 public:
  // `on_exit` is called on the watching thread each time the program ends without having been asked to.
  static std::unique_ptr<SupervisedProcess> start(Program, std::function<void()> on_exit);
  // SIGTERM, after `patience` SIGKILL; returns when the program is gone.
  ~SupervisedProcess();
  SupervisedProcess(const SupervisedProcess&) = delete;
  SupervisedProcess& operator=(const SupervisedProcess&) = delete;

 private:
  struct Impl;
  explicit SupervisedProcess(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

// Runs a program to its end, at most 10 s. Errors: unavailable, with the first lines it printed.
Result<void> run_to_end(const Program&);

}  // namespace cahn::bearer::dot1x
