// The notation of L624-646, written and read:  {Trust(mailto:ann@example.org, did:key:z6Mk…)}[did:key:z6Mk…-]
// and its short form  Trust(mailto:ann@example.org, did:key:z6Mk…) : did:key:z6Mk…-
// `@` after a URI and `+` after a key are accepted and, with `marks`, written. The signer is optional on input.

#pragma once

#include "credential/credential.h"

namespace cahn::credential {

struct Expression {
  Statement statement;
  std::optional<std::string> signer;
};

std::string to_notation(const Expression&, bool marks = false);
Result<Expression> parse_notation(std::string_view);

}  // namespace cahn::credential
