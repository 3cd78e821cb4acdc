#include "bearer/dot1x/supervised_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "bearer/bearer.h"
#include "bearer/dot1x/file_descriptor.h"

namespace cahn::bearer::dot1x {
namespace {

using namespace std::chrono_literals;

constexpr auto first_pause = 100ms;
constexpr auto longest_pause = 5000ms;
constexpr auto stable_after = 10s;
constexpr auto stop_patience = 2000ms;
constexpr auto ask_every = 2000ms;
constexpr int silences_of_the_dead = 3;

// What must be ready before fork(): after it, in a process with threads, only async-signal-safe calls are allowed.
struct Prepared {
  std::vector<char*> arguments;
  FileDescriptor output;
  pid_t parent;
};

[[noreturn]] void become(const Prepared& prepared) {
  // Dies with the thread that started it, i.e. with us, however we end. The second test closes the gap before the
  // prctl.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != prepared.parent) ::_exit(127);
  ::setpgid(0, 0);  // a ^C at our terminal is ours to handle
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, 0);
  ::dup2(prepared.output.get(), 1);
  ::dup2(prepared.output.get(), 2);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  ::execv(prepared.arguments.front(), prepared.arguments.data());
  ::_exit(127);
}

Result<pid_t> start_program(const Program& program) {
  Prepared prepared;
  for (const std::string& argument : program.arguments)
    prepared.arguments.push_back(const_cast<char*>(argument.c_str()));
  prepared.arguments.push_back(nullptr);
  prepared.output =
      FileDescriptor(::open(program.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  prepared.parent = ::getpid();
  if (!prepared.output) return fail(BearerError::unavailable, program.output.native() + ": " + std::strerror(errno));
  const pid_t child = ::fork();
  if (child == 0) become(prepared);
  if (child < 0) return fail(BearerError::unavailable, std::string("fork: ") + std::strerror(errno));
  return child;
}

FileDescriptor handle_of(pid_t child) { return FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, child, 0U))); }

// True when `descriptor` became readable in time.
bool wait_for(int descriptor, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd waiting{descriptor, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max(left, 0ms).count()));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

void reap(pid_t child, int handle, std::chrono::milliseconds patience) {
  ::kill(child, SIGTERM);
  if (!wait_for(handle, patience)) ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

std::string first_lines(const std::filesystem::path& path) {
  const auto text = read_file(path, std::size_t{64} << 10);
  return text ? to_string(*text).substr(0, 400) : std::string();
}

}  // namespace

struct SupervisedProcess::Impl {
  Program program;
  std::function<void()> on_exit;
  FileDescriptor stop{::eventfd(0, EFD_CLOEXEC)};
  std::thread thread;

  // Waits for whichever comes first; kills what has ceased to answer.
  bool told_to_stop_before_the_end_of(pid_t child, int handle) {
    for (int silences = 0;;) {
      pollfd waiting[] = {{handle, POLLIN, 0}, {stop.get(), POLLIN, 0}};
      const int ready = ::poll(waiting, 2, program.answers ? static_cast<int>(ask_every.count()) : -1);
      if (ready < 0 && errno == EINTR) continue;
      if (ready != 0) return (waiting[1].revents & POLLIN) != 0;
      silences = program.answers() ? 0 : silences + 1;
      if (silences < silences_of_the_dead) continue;
      log::error("BEARER_PROCESS_SILENT", "a neighbour program answers no more and is killed",
                 {{"program", program.name}, {"output", program.output.native()}});
      ::kill(child, SIGKILL);
      silences = 0;
    }
  }

  // One run; true when we were told to stop.
  bool run_once() {
    const auto child = start_program(program);
    if (!child) {
      log::error("BEARER_PROCESS_NOT_STARTED", "a neighbour program could not be started",
                 {{"program", program.name}, {"reason", child.error().message}});
      return false;
    }
    const FileDescriptor handle = handle_of(*child);
    if (told_to_stop_before_the_end_of(*child, handle.get())) {
      reap(*child, handle.get(), stop_patience);
      return true;
    }
    int status = 0;
    ::waitpid(*child, &status, 0);
    log::warning("BEARER_PROCESS_ENDED", "a neighbour program ended and will be started again",
                 {{"program", program.name},
                  {"status", std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status))},
                  {"output", program.output.native()}});
    if (on_exit) on_exit();
    return false;
  }

  void watch() {
    for (auto pause = std::chrono::milliseconds(first_pause);;
         pause = std::min<std::chrono::milliseconds>(2 * pause, longest_pause)) {
      const auto started = std::chrono::steady_clock::now();
      if (run_once()) return;
      if (std::chrono::steady_clock::now() - started > stable_after) pause = first_pause;
      if (wait_for(stop.get(), pause)) return;
    }
  }
};

std::unique_ptr<SupervisedProcess> SupervisedProcess::start(Program program, std::function<void()> on_exit) {
  auto impl = std::make_unique<Impl>();
  impl->program = std::move(program);
  impl->on_exit = std::move(on_exit);
  // One thread for each: PR_SET_PDEATHSIG watches the thread that forked, not the process.
  impl->thread = std::thread([impl = impl.get()] { impl->watch(); });
  return std::unique_ptr<SupervisedProcess>(new SupervisedProcess(std::move(impl)));
}

SupervisedProcess::SupervisedProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SupervisedProcess::~SupervisedProcess() {
  ::eventfd_write(impl_->stop.get(), 1);
  impl_->thread.join();
}

Result<void> run_to_end(const Program& program) {
  CAHN_TRY(const pid_t child, start_program(program));
  const FileDescriptor handle = handle_of(child);
  if (!wait_for(handle.get(), 10s)) {
    reap(child, handle.get(), 0ms);
    return fail(BearerError::unavailable, program.name + " does not end");
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(BearerError::unavailable, program.name + " failed: " + first_lines(program.output));
}

}  // namespace cahn::bearer::dot1x
