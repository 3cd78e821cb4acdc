// The inside of the CMP server: what its halves share. Messages, paths and other operations are in cmp_server.cpp,
// certificates in cmp_enrol.cpp. Internal to this room.

#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pki/cmp_server.h"
#include "pki/cmp_transactions.h"

namespace cahn::pki::cmp {

using crypto::CmpBody;
using crypto::CmpFailure;
using crypto::CmpMessage;
using crypto::CmpStatus;
using crypto::CmpStatusInfo;
using Chain = std::vector<crypto::Certificate>;

struct Server {
  Server(Issuer& its_issuer, EnrolmentAuthority& its_authority, CmpOptions its_options, const Clock& its_clock)
      : issuer(its_issuer),
        authority(its_authority),
        options(std::move(its_options)),
        clock(its_clock),
        transactions(options.max_transactions, options.max_transactions_per_sender) {}

  Issuer& issuer;
  EnrolmentAuthority& authority;
  const CmpOptions options;
  const Clock& clock;
  CmpTransactions transactions;
};
using ServerPtr = std::shared_ptr<Server>;

struct Refusal {
  CmpFailure failure;
  std::string text;
};
template <typename T>
using Answered = std::expected<T, Refusal>;

inline std::unexpected<Refusal> refuse(CmpFailure failure, std::string text) {
  return std::unexpected(Refusal{failure, std::move(text)});
}

struct Reply {
  CmpBody body = CmpBody::error;
  Bytes content;
  bool implicit_confirm = false;
  Chain chain;  // of an issued certificate
};

inline CmpStatusInfo rejection(const Refusal& refusal) { return {CmpStatus::rejection, refusal.text, refusal.failure}; }

// One message on its way, and what its answer will need.
struct Exchange {
  CmpMessage message;
  Chain client;  // who signed it, and the certificates that came along; empty when it was not signed
  Bytes sender;  // fingerprint of the signer
  Bytes nonce;   // senderNonce of the answer
};
using ExchangePtr = std::shared_ptr<const Exchange>;

// What the CA or the authority said, as CMP says it. What is a fault of ours is logged, not told.
Refusal refusal_of(const Error&);

// By whom a message is signed: a registration authority that is believed?
bool is_registration_authority(const Server&, const Chain& client);

// ir, cr, p10cr and kur; certConf; pollReq; error.
net::awaitable<Answered<Reply>> request_certificate(ServerPtr, ExchangePtr);
net::awaitable<Answered<Reply>> confirm(ServerPtr, ExchangePtr);
net::awaitable<Answered<Reply>> poll(ServerPtr, ExchangePtr);
net::awaitable<Answered<Reply>> give_up(ServerPtr, ExchangePtr);
// Ends the transactions whose time is over, and revokes what was not confirmed.
net::awaitable<void> sweep(ServerPtr);

}  // namespace cahn::pki::cmp
