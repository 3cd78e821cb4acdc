// What the wired 802.1X bearer must be told. Everything else (secrets, configuration files, ports on loopback) it makes
// itself.

#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cahn::bearer::dot1x {

// A TCP service that a station may reach before it has joined: the registrar or a join proxy (decision 61).
struct OnboardingService {
  std::string address;  // IPv4 or IPv6 literal, without a zone
  std::uint16_t port = 0;
};

struct Options {
  std::vector<std::string> ports;            // network interfaces of this router, one per wired port; at most 64
  std::filesystem::path run_directory;       // private to this process, at most 80 octets long; made 0700 if absent
  std::filesystem::path radius_certificate;  // PEM, leaf first; a subject name of its own (decision 34)
  std::filesystem::path radius_key;          // PEM, unencrypted, 0600
  std::filesystem::path domain_ca;           // PEM: the CA of the LDevIDs
  std::vector<OnboardingService> onboarding_services;

  std::uint16_t radius_port = 1812;  // FreeRADIUS, 127.0.0.1 only
  std::uint16_t das_port =
      3799;  // hostapd's RFC 5176 server of the first port; the next port of the list has the next number
  std::uint16_t authorise_port = 0;  // our endpoint for rlm_rest, 127.0.0.1 only; 0: any free one
  // How long the gate stays open without word from this process: a dead man's switch in the kernel. At least 3 s.
  std::chrono::seconds gate_lease{10};

  std::filesystem::path hostapd = "/usr/sbin/hostapd";
  std::filesystem::path freeradius = "/usr/sbin/freeradius";
  std::filesystem::path nft = "/usr/sbin/nft";
};

}  // namespace cahn::bearer::dot1x
