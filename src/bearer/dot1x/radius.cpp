#include "bearer/dot1x/radius.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include "bearer/dot1x/file_descriptor.h"

namespace cahn::bearer::dot1x {
namespace {

constexpr std::size_t header_size = 20;
constexpr std::size_t max_packet = 4096;
constexpr std::size_t authenticator_offset = 4;

// MD5 is what RADIUS is made of (RFC 2865 3, RFC 3579 3.2); these packets never leave loopback.
RadiusAuthenticator md5(std::initializer_list<ByteView> parts) {
  RadiusAuthenticator digest{};
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  bool done = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) == 1;
  for (const ByteView part : parts) done = done && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  unsigned size = 0;
  if (!done || EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1) {
    // Without MD5 (a FIPS provider) nothing can be signed: a random value makes every packet fail to verify.
    const Bytes noise = random_bytes(digest.size());
    std::ranges::copy(noise, digest.begin());
  }
  return digest;
}

RadiusAuthenticator hmac_md5(std::string_view key, ByteView message) {
  RadiusAuthenticator digest{};
  unsigned size = 0;
  if (HMAC(EVP_md5(), key.data(), static_cast<int>(key.size()), message.data(), message.size(), digest.data(), &size) ==
      nullptr) {
    const Bytes noise = random_bytes(digest.size());
    std::ranges::copy(noise, digest.begin());
  }
  return digest;
}

void put_attribute(Bytes& packet, RadiusAttribute type, ByteView value) {
  packet.push_back(static_cast<std::uint8_t>(type));
  packet.push_back(static_cast<std::uint8_t>(value.size() + 2));
  packet.insert(packet.end(), value.begin(), value.end());
}

void put_authenticator(Bytes& packet, std::size_t offset, const RadiusAuthenticator& value) {
  std::ranges::copy(value, packet.begin() + static_cast<std::ptrdiff_t>(offset));
}

// Where the value of the Message-Authenticator stands; nullopt when there is none. Fails on attributes that do not fit.
Result<std::optional<std::size_t>> read_attributes(ByteView packet, RadiusPacket& into) {
  std::optional<std::size_t> signature;
  for (std::size_t at = header_size; at < packet.size();) {
    if (packet.size() - at < 2 || packet[at + 1] < 2 || packet[at + 1] > packet.size() - at)
      return fail(BearerError::refused, "a RADIUS attribute does not fit");
    const auto type = static_cast<RadiusAttribute>(packet[at]);
    const ByteView value = packet.subspan(at + 2, packet[at + 1] - 2U);
    if (type == RadiusAttribute::message_authenticator) {
      if (value.size() != 16 || signature) return fail(BearerError::refused, "a bad Message-Authenticator");
      signature = at + 2;
    } else {
      into.attributes.emplace_back(type, to_bytes(value));
    }
    at += packet[at + 1];
  }
  return signature;
}

std::optional<FileDescriptor> connected_to_loopback(std::uint16_t port) {
  FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(port);
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0)
    return std::nullopt;
  return socket;
}

// One datagram, or nullopt when none came until `until`.
std::optional<Bytes> receive(int socket, std::chrono::steady_clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  pollfd waiting{socket, POLLIN, 0};
  if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return std::nullopt;
  Bytes packet(max_packet);
  const ssize_t size = ::recv(socket, packet.data(), packet.size(), 0);
  packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return packet;  // empty: an ICMP error, i.e. nobody listens yet
}

}  // namespace

Bytes encode_radius_request(const RadiusPacket& packet, std::string_view secret) {
  Bytes octets(header_size);
  octets[0] = static_cast<std::uint8_t>(packet.code);
  octets[1] = packet.identifier;
  for (const auto& [type, value] : packet.attributes) put_attribute(octets, type, value);
  put_attribute(octets, RadiusAttribute::message_authenticator, Bytes(16));
  octets[2] = static_cast<std::uint8_t>(octets.size() >> 8);
  octets[3] = static_cast<std::uint8_t>(octets.size());

  const bool signed_as_a_whole = packet.code == RadiusCode::disconnect_request;
  if (!signed_as_a_whole) {
    const Bytes random = random_bytes(16);
    std::ranges::copy(random, octets.begin() + authenticator_offset);
  }
  // RFC 5176 2.3: the Message-Authenticator is computed with a Request Authenticator of zeros, which is computed after
  // it.
  put_authenticator(octets, octets.size() - 16, hmac_md5(secret, octets));
  if (signed_as_a_whole) put_authenticator(octets, authenticator_offset, md5({octets, as_bytes(secret)}));
  return octets;
}

Result<RadiusPacket> decode_radius_answer(ByteView answer, ByteView request, std::string_view secret) {
  if (answer.size() < header_size || answer.size() > max_packet || request.size() < header_size)
    return fail(BearerError::refused, "a RADIUS answer of impossible size");
  const std::size_t length = static_cast<std::size_t>(answer[2]) << 8 | answer[3];
  if (length < header_size || length > answer.size()) return fail(BearerError::refused, "a RADIUS answer cut short");
  answer = answer.first(length);  // RFC 2865 3: octets beyond the length are padding
  if (answer[1] != request[1]) return fail(BearerError::refused, "the answer to another RADIUS request");

  RadiusPacket packet{static_cast<RadiusCode>(answer[0]), answer[1], {}};
  CAHN_TRY(const auto signature, read_attributes(answer, packet));
  // RFC 2865 3: MD5(code + id + length + Request Authenticator + attributes + secret).
  const ByteView request_authenticator = request.subspan(authenticator_offset, 16);
  const RadiusAuthenticator expected =
      md5({answer.first(authenticator_offset), request_authenticator, answer.subspan(header_size), as_bytes(secret)});
  if (!equal_constant_time(expected, answer.subspan(authenticator_offset, 16)))
    return fail(BearerError::refused, "a RADIUS answer with a wrong authenticator");
  if (signature) {
    Bytes unsigned_answer = to_bytes(answer);
    std::ranges::copy(request_authenticator, unsigned_answer.begin() + authenticator_offset);
    std::fill_n(unsigned_answer.begin() + static_cast<std::ptrdiff_t>(*signature), 16, std::uint8_t{0});
    if (!equal_constant_time(hmac_md5(secret, unsigned_answer), answer.subspan(*signature, 16)))
      return fail(BearerError::refused, "a RADIUS answer with a wrong Message-Authenticator");
  }
  return packet;
}

Result<RadiusPacket> radius_exchange(std::uint16_t port, const RadiusPacket& packet, std::string_view secret,
                                     RadiusPatience patience) {
  const auto socket = connected_to_loopback(port);
  if (!socket) return fail(BearerError::unavailable, "no UDP socket");
  const Bytes request = encode_radius_request(packet, secret);
  for (int i = 0; i < patience.tries; ++i) {
    const auto until = std::chrono::steady_clock::now() + patience.each;
    // An error here is the ICMP answer to the try before: still worth waiting, the server may be starting.
    (void)!::send(socket->get(), request.data(), request.size(), MSG_NOSIGNAL);
    while (const auto datagram = receive(socket->get(), until)) {
      if (datagram->empty()) {
        std::this_thread::sleep_until(until);
        break;
      }
      if (auto answer = decode_radius_answer(*datagram, request, secret)) return answer;
    }
  }
  return fail(BearerError::unavailable, "no RADIUS answer from 127.0.0.1 port " + std::to_string(port));
}

Result<void> radius_disconnect(std::uint16_t das_port, std::string_view station, std::string_view secret,
                               const Clock& clock, RadiusPatience patience) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(clock.now().time_since_epoch()).count();
  const auto now = static_cast<std::uint32_t>(seconds);
  const Bytes timestamp = {static_cast<std::uint8_t>(now >> 24), static_cast<std::uint8_t>(now >> 16),
                           static_cast<std::uint8_t>(now >> 8), static_cast<std::uint8_t>(now)};
  std::string address(station);
  std::ranges::replace(address, ':', '-');  // RFC 3580 3.20
  const RadiusPacket request{
      RadiusCode::disconnect_request,
      random_bytes(1).front(),
      {{RadiusAttribute::calling_station_id, to_bytes(address)}, {RadiusAttribute::event_timestamp, timestamp}}};
  CAHN_TRY(const RadiusPacket answer, radius_exchange(das_port, request, secret, patience));
  if (answer.code == RadiusCode::disconnect_ack) return {};
  constexpr std::uint8_t session_context_not_found[] = {0, 0, 0x01, 0xf7};  // RFC 5176 3.5: 503
  for (const auto& [type, value] : answer.attributes)
    if (type == RadiusAttribute::error_cause && std::ranges::equal(value, session_context_not_found)) return {};
  return fail(BearerError::refused, "hostapd did not disconnect the station");
}

Result<void> radius_status(std::uint16_t port, std::string_view secret, RadiusPatience patience) {
  const RadiusPacket request{RadiusCode::status_server, random_bytes(1).front(), {}};
  CAHN_TRY(const RadiusPacket answer, radius_exchange(port, request, secret, patience));
  if (answer.code != RadiusCode::access_accept) return fail(BearerError::unavailable, "the RADIUS server is not well");
  return {};
}

}  // namespace cahn::bearer::dot1x
