// The C library's octets and lists as values of the house, and back.

#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/chain.h"
#include "voucher/binary_array.h"
#include "voucher/c_api/door.h"

namespace cahn::voucher::c_api {

// A message carries at most 20 certificates, its signer's among them.
inline constexpr std::size_t max_listed = 19;
inline constexpr std::size_t max_store = 1000;

struct ListDeleter {
  void operator()(BinaryArrayList* list) const { free_array_list(list); }
};
using ListPtr = std::unique_ptr<BinaryArrayList, ListDeleter>;

// NULL and empty arrays are empty; nullopt for one that has a length but no octets.
std::optional<ByteView> octets_of(const BinaryArray*);
// The octets of an argument that must be there; `name` is for the message.
Result<ByteView> needed(const BinaryArray*, std::string_view name);
Result<std::string_view> needed(const char* text, std::string_view name);
Result<crypto::Certificate> certificate_from(const BinaryArray*, std::string_view name);
Result<crypto::PrivateKeyPtr> key_from(const BinaryArray*, std::string_view name);
// NULL: none. At most max_listed.
Result<std::vector<crypto::Certificate>> certificates_from(const BinaryArrayList*, std::string_view name);
// Whether there is nothing in a list, or no list.
bool is_empty(const BinaryArrayList*);
// Anchors and CRLs, told apart by their flags. At most max_store.
Result<crypto::TrustStore> store_from(const BinaryArrayList*, std::string_view name);

// Copies on the heap, as the C program frees them. They throw bad_alloc.
BinaryArray to_array(ByteView);
BinaryArray* to_heap_array(ByteView);
ListPtr to_list(const std::vector<crypto::Certificate>&);

}  // namespace cahn::voucher::c_api
