// A CA for fuzz targets: its key is made anew in each run, so that no input can hold its signature.

#pragma once

#include "crypto/certificate.h"
#include "crypto/key.h"

namespace cahn::fuzz {

struct Authority {
  crypto::PrivateKeyPtr key = *crypto::generate_key(crypto::KeyType::p256);
  crypto::Certificate certificate = make();

 private:
  crypto::Certificate make() const {
    crypto::CertificateSpec spec;
    spec.subject = {{"CN", "owner"}};
    spec.key = key->public_key();
    spec.not_after = crypto::no_expiration();
    spec.ca = true;
    return *crypto::issue_certificate(spec, *key);
  }
};

}  // namespace cahn::fuzz
