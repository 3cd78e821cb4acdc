// The discovery room on the command line, for tests in namespaces:
//
//   discovery_lab announce INSTANCE PORT [TXT…]      announces until its stdin closes
//   discovery_lab browse MILLISECONDS ENOUGH         prints one line for each: instance host address port txt,txt
//   discovery_lab grasp-write proxy|registrar ADDRESS PORT SESSION   prints the flood in hexadecimal
//   discovery_lab grasp-read dull|trusted SOURCE OBJECTIVE HEX       prints one line for each place: address port ms

#include <arpa/inet.h>

#include <cstdlib>
#include <iostream>

#include "discovery/dns_sd.h"
#include "discovery/grasp_rules.h"

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

grasp::Ipv6 ipv6(const std::string& text) {
  grasp::Ipv6 address{};
  if (::inet_pton(AF_INET6, text.c_str(), address.data()) != 1) std::exit(2);
  return address;
}

int write_grasp(const std::vector<std::string>& arguments) {
  const grasp::Ipv6 address = ipv6(arguments[1]);
  const auto port = static_cast<std::uint16_t>(std::atoi(arguments[2].c_str()));
  const grasp::Flood flood{
      .session_id = static_cast<std::uint32_t>(std::strtoul(arguments[3].c_str(), nullptr, 10)),
      .initiator = to_string(ByteView(address)),
      .ttl_ms = 180000,
      .objectives = {arguments[0] == "proxy" ? grasp::proxy_announcement(address, port)
                                             : grasp::registrar_announcement(address, port)}};
  std::cout << hex(grasp::write_flood(flood)) << std::endl;
  return 0;
}

int read_grasp(const std::vector<std::string>& arguments) {
  const auto octets = hex_decode(arguments[3]);
  if (!octets) return refuse(octets.error());
  const auto flood = grasp::read_flood(*octets);
  if (!flood) return refuse(flood.error());
  const auto instance = arguments[0] == "dull" ? grasp::Instance::dull : grasp::Instance::trusted;
  for (const auto& place : grasp::places_in(*flood, {ipv6(arguments[1]), "eth0"}, instance, arguments[2]))
    std::cout << place.service.address << " " << place.service.port << " " << place.lifetime.count() << std::endl;
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
  if (arguments.size() == 5 && arguments[0] == "grasp-write")
    return cahn::discovery::write_grasp({arguments.begin() + 1, arguments.end()});
  if (arguments.size() == 5 && arguments[0] == "grasp-read")
    return cahn::discovery::read_grasp({arguments.begin() + 1, arguments.end()});
  std::cerr << "see the head of main.cpp\n";
  return 2;
}
