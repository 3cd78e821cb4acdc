// Vouchers and voucher-requests as files: read in every form in which they are handed around, and told to people and to
// programs.

#pragma once

#include <string>

#include "voucher/signed_voucher.h"

namespace cahn::apps::tool {

// A file of at most 1 MiB, or with "-" standard input: DER, PEM (any label) or base64 of it. Errors: FileError,
// VoucherError::not_cms.
Result<Bytes> read_artefact(const std::string& file);
// To `out`, or with "" or "-" to standard output (not to a terminal).
Result<void> write_artefact(const std::string& out, ByteView content);

struct OpenedArtefact {
  voucher::SignedVoucher message;
  voucher::Root root;
  std::string content_type;    // dotted OID
  std::string document;        // the signed JSON
  std::string why_not_strict;  // what a strict reader objects to; empty: nothing
};
// Whose signature holds; whoever that is. Errors: VoucherError.
Result<OpenedArtefact> open_artefact(ByteView cms);

// Many lines for a person. What is signed is shown escaped, so that it cannot play tricks on a terminal.
Result<std::string> describe(ByteView cms);
// One JSON object: root, contentType, signer, signingTime, certificates, document, and prior, the same of a prior
// request.
Result<std::string> describe_as_json(ByteView cms);

}  // namespace cahn::apps::tool
