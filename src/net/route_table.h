// A Router made ready for matching. Inside `net` only.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace cahn::net {

class RouteTable {
 public:
  struct Match {
    const Handler* handler = nullptr;  // lives as long as the table
    std::size_t max_body = 0;
    std::map<std::string, std::string> parameters;
    std::string allow;  // without handler: the methods this path does have; empty when the path is unknown
  };

  explicit RouteTable(const Router& router);
  Match find(std::string_view method, std::string_view path) const;

 private:
  std::vector<std::shared_ptr<const Router::Route>> routes_;
};

}  // namespace cahn::net
