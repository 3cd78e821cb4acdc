#include "assurance/owners.h"

#include <algorithm>

namespace cahn::assurance {
namespace {

net::awaitable<Result<void>> ask_claims(cascade::ClaimNode& node, Ownership claimed) {
  const auto trusted = [&] {
    const auto people = node.snapshot()->people_trusting(claimed.key());
    return std::ranges::find(people, claimed.person()) != people.end();
  };
  if (trusted()) co_return Result<void>();
  // Idempotent: a credential that was retracted or deleted is not revived by coming again (decision 43).
  Bytes credential = to_bytes(claimed.text());
  const auto receipt = co_await node.submit(std::move(credential));
  if (!receipt) co_return fail(AssuranceError::unavailable, "the claim node: " + receipt.error().message);
  co_await node.folded(receipt->position);
  if (trusted()) co_return Result<void>();
  co_return fail(AssuranceError::not_an_owner, claimed.person() + " is not an owner whose word is in force here");
}

net::awaitable<Result<void>> ask_both(OwnerCheck first, OwnerCheck second, Ownership claimed) {
  Ownership copy = claimed;
  auto answer = co_await first(std::move(copy));
  if (!answer) answer = co_await second(std::move(claimed));
  co_return answer;
}

}  // namespace

// Coroutines of their own, since a lambda's captures would die with it.
OwnerCheck owners_of(cascade::ClaimNode& node) {
  return [&node](Ownership claimed) { return ask_claims(node, std::move(claimed)); };
}

OwnerCheck any_of(OwnerCheck first, OwnerCheck second) {
  return [first = std::move(first), second = std::move(second)](Ownership claimed) {
    return ask_both(first, second, std::move(claimed));
  };
}

}  // namespace cahn::assurance
