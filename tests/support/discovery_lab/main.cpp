// The discovery room on the command line, for tests in namespaces:
//
//   discovery_lab announce INSTANCE PORT [TXT…]      announces until its stdin closes
//   discovery_lab browse MILLISECONDS ENOUGH         prints one line for each: instance host address port txt,txt

#include <cstdlib>
#include <iostream>

#include "discovery/dns_sd.h"

namespace cahn::discovery {
namespace {

int refuse(const Error& error) {
  std::cout << "error " << error.code.name() << " " << error.message << std::endl;
  return 1;
}

int announce(const std::vector<std::string>& arguments) {
  const auto port = static_cast<std::uint16_t>(std::atoi(arguments[1].c_str()));
  const auto announcement =
      Announcement::start(arguments[0], registrar_service, port, {arguments.begin() + 2, arguments.end()});
  if (!announcement) return refuse(announcement.error());
  std::cout << "started" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  return 0;
}

int look(const std::vector<std::string>& arguments) {
  const auto found = browse(registrar_service, std::chrono::milliseconds(std::atoi(arguments[0].c_str())),
                            static_cast<std::size_t>(std::atoi(arguments[1].c_str())));
  if (!found) return refuse(found.error());
  for (const Service& service : *found) {
    std::cout << service.instance << "|" << service.host << "|" << service.address << "|" << service.port << "|";
    for (const std::string& entry : service.txt) std::cout << entry << ",";
    std::cout << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace cahn::discovery

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  if (arguments.size() >= 3 && arguments[0] == "announce")
    return cahn::discovery::announce({arguments.begin() + 1, arguments.end()});
  if (arguments.size() == 3 && arguments[0] == "browse")
    return cahn::discovery::look({arguments.begin() + 1, arguments.end()});
  std::cerr << "see the head of main.cpp\n";
  return 2;
}
