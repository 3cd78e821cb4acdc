// OpenSSL's view of a socket that Asio owns: reads and writes never wait and never raise SIGPIPE (OpenSSL's own socket
// BIO does, as it uses write(2)). Inside `net` only.

#pragma once

struct bio_st;

namespace cahn::net {

// A BIO over `socket`, which stays the caller's; null only when memory is out.
bio_st* make_socket_bio(int socket);

}  // namespace cahn::net
