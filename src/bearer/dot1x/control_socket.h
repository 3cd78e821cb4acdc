// A conversation with hostapd or wpa_supplicant over their control interface: AF_UNIX datagrams, one command a
// datagram, one reply to each; after ATTACH also events, which start with '<' and a level ("<3>AP-STA-CONNECTED 02:…").
//
// The socket is connected, so that no other process of this machine can speak in hostapd's name.
//
// Threads: one thread at a time; calls block at most for the patience given.

#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bearer/bearer.h"
#include "bearer/dot1x/file_descriptor.h"

namespace cahn::bearer::dot1x {

class ControlSocket {
 public:
  static constexpr std::chrono::milliseconds default_patience{1000};

  // `peer` is the socket of the daemon; ours is made in `own_directory` (private, at most 80 octets) under a fresh
  // name. Errors: unavailable.
  static Result<ControlSocket> connect(const std::filesystem::path& peer, const std::filesystem::path& own_directory);
  ControlSocket(ControlSocket&&) noexcept = default;
  ControlSocket& operator=(ControlSocket&&) noexcept;
  ~ControlSocket();

  Result<void> send(std::string_view command);
  // The next datagram, reply or event; nullopt when none came in time. Errors: unavailable (the daemon is gone).
  Result<std::optional<std::string>> receive(std::chrono::milliseconds patience);
  // Sends and waits for the reply; events in between are lost, so use a socket that has not been attached.
  // Errors: unavailable.
  Result<std::string> ask(std::string_view command, std::chrono::milliseconds patience = default_patience);
  int descriptor() const { return socket_.get(); }

 private:
  ControlSocket(FileDescriptor socket, std::filesystem::path own) : socket_(std::move(socket)), own_(std::move(own)) {}
  FileDescriptor socket_;
  std::filesystem::path own_;
};

}  // namespace cahn::bearer::dot1x
