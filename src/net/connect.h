// From an Endpoint to a Stream: name, TCP and TLS within one time. Inside `net` only.

#pragma once

#include <memory>

#include "net/http.h"
#include "net/stream.h"

namespace cahn::net {

// Addresses are tried in the resolver's order, each with its share of the time left. Runs on a strand of its own, which
// is the stream's executor. Errors: refused, unreachable, timeout, tls.
awaitable<Result<std::shared_ptr<Stream>>> connect(Endpoint endpoint, std::optional<crypto::TlsContext> tls,
                                                   std::chrono::milliseconds at_most);

// As connect, on the strand of the caller, which is the stream's executor then: for two streams of one strand.
awaitable<Result<std::shared_ptr<Stream>>> connect_here(Endpoint endpoint, std::optional<crypto::TlsContext> tls,
                                                        std::chrono::milliseconds at_most);

}  // namespace cahn::net
