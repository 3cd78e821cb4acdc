// Keeps the domain CA's word on LDevIDs equal to the decisions: on hold while a device is denied, released when it is
// permitted again (decisions 25, 51). What is revoked for good stays so.
//
// Threads: all on one strand, whose executor it is given.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "assurance/decision.h"
#include "net/async.h"
#include "pki/certificate_authority.h"
#include "pki/device_registry.h"

namespace cahn::assurance {

class CaReconciler : public std::enable_shared_from_this<CaReconciler> {
 public:
  CaReconciler(net::Executor strand, pki::DeviceRegistry& registry, pki::CertificateAuthority& ca)
      : strand_(std::move(strand)), registry_(registry), ca_(ca) {}

  // Begins to bring the LDevIDs of `device` in line with `answer`, unless they are. The last answer asked for wins.
  void want(const std::string& device, Answer answer);
  std::size_t under_way() const { return wanted_.size(); }

 private:
  net::awaitable<void> reconcile(std::string device);
  net::awaitable<bool> put_in_line(crypto::Certificate ldevid, Answer answer);

  const net::Executor strand_;
  pki::DeviceRegistry& registry_;
  pki::CertificateAuthority& ca_;
  struct Wish {
    Answer answer;
    bool fresh = true;  // not acted on yet
  };
  std::map<std::string, Wish> wanted_;  // devices under way
};

}  // namespace cahn::assurance
