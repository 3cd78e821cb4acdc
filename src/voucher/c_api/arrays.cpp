#include "voucher/c_api/arrays.h"

#include <algorithm>
#include <cstring>

#include "crypto/crl.h"
#include "voucher/signing.h"

namespace cahn::voucher::c_api {
namespace {

std::string of(std::string_view name, std::size_t index) {
  return std::string(name) + "[" + std::to_string(index) + "]";
}

// The elements of a list in order; a head that was never initialised has none.
Result<std::vector<const BinaryArrayList*>> elements(const BinaryArrayList* list, std::string_view name,
                                                     std::size_t max) {
  std::vector<const BinaryArrayList*> found;
  if (is_empty(list)) return found;
  for (const dl_list* link = list->list.next; link != &list->list; link = link->next) {
    if (link == nullptr || found.size() == max) {
      return fail(ApiError::bad_argument,
                  std::string(name) + " is not a list, or has more than " + std::to_string(max) + " elements");
    }
    found.push_back(dl_list_entry(const_cast<dl_list*>(link), BinaryArrayList, list));
  }
  return found;
}

Result<ByteView> octets_of_element(const BinaryArrayList& element, const std::string& name) {
  const BinaryArray array{element.arr, element.length};
  return needed(&array, name);
}

BinaryArrayList* new_element() { return static_cast<BinaryArrayList*>(std::calloc(1, sizeof(BinaryArrayList))); }

int push(BinaryArrayList* list, std::uint8_t* arr, std::size_t length, int flags) {
  return guarded_status([&]() -> Result<void> {
    if (list == nullptr || list->list.next == nullptr || list->list.prev == nullptr) {
      return fail(ApiError::missing_argument, "there is no list to push to");
    }
    if (arr == nullptr && length != 0) return fail(ApiError::bad_argument, "the array has a length but no octets");
    BinaryArrayList* const element = new_element();
    if (element == nullptr) throw std::bad_alloc();
    element->arr = arr;
    element->length = length;
    element->flags = flags;
    dl_list_add_tail(&list->list, &element->list);
    return {};
  });
}

void free_list(BinaryArrayList* list) {
  if (list == nullptr) return;
  dl_list* link = list->list.next;
  while (link != nullptr && link != &list->list) {
    BinaryArrayList* const element = dl_list_entry(link, BinaryArrayList, list);
    link = link->next;
    std::free(element->arr);
    std::free(element);
  }
  std::free(list->arr);
  std::free(list);
}

}  // namespace

std::optional<ByteView> octets_of(const BinaryArray* array) {
  if (array == nullptr || array->length == 0) return ByteView{};
  if (array->array == nullptr) return std::nullopt;
  return ByteView(array->array, array->length);
}

Result<ByteView> needed(const BinaryArray* array, std::string_view name) {
  const auto octets = octets_of(array);
  if (!octets) return fail(ApiError::bad_argument, std::string(name) + " has a length but no octets");
  if (octets->empty()) return fail(ApiError::missing_argument, std::string(name) + " is missing");
  return *octets;
}

Result<std::string_view> needed(const char* text, std::string_view name) {
  if (text == nullptr || *text == '\0') return fail(ApiError::missing_argument, std::string(name) + " is missing");
  return std::string_view(text);
}

Result<crypto::Certificate> certificate_from(const BinaryArray* array, std::string_view name) {
  CAHN_TRY(const ByteView der, needed(array, name));
  auto certificate = crypto::Certificate::from_der(der);
  if (!certificate) return fail(certificate.error(), name);
  return certificate;
}

Result<crypto::PrivateKeyPtr> key_from(const BinaryArray* array, std::string_view name) {
  CAHN_TRY(const ByteView der, needed(array, name));
  auto key = crypto::key_from_der(der);
  if (!key) return fail(key.error(), name);
  return key;
}

Result<std::vector<crypto::Certificate>> certificates_from(const BinaryArrayList* list, std::string_view name) {
  CAHN_TRY(const auto listed, elements(list, name, max_listed));
  std::vector<crypto::Certificate> certificates;
  for (const BinaryArrayList* element : listed) {
    const BinaryArray array{element->arr, element->length};
    CAHN_TRY(auto certificate, certificate_from(&array, of(name, certificates.size())));
    certificates.push_back(std::move(certificate));
  }
  return certificates;
}

bool is_empty(const BinaryArrayList* list) {
  return list == nullptr || list->list.next == nullptr || dl_list_empty(&list->list) != 0;
}

Result<crypto::TrustStore> store_from(const BinaryArrayList* list, std::string_view name) {
  CAHN_TRY(const auto listed, elements(list, name, max_store));
  std::vector<crypto::Certificate> anchors;
  std::vector<crypto::Crl> crls;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    CAHN_TRY(const ByteView der, octets_of_element(*listed[i], of(name, i)));
    if (listed[i]->flags == CRYPTO_CERTIFICATE_VALID) {
      auto anchor = crypto::Certificate::from_der(der);
      if (!anchor) return fail(anchor.error(), of(name, i));
      anchors.push_back(*std::move(anchor));
    } else if (listed[i]->flags == CRYPTO_CERTIFICATE_CRL) {
      auto crl = crypto::Crl::from_der(der);
      if (!crl) return fail(crl.error(), of(name, i));
      crls.push_back(*std::move(crl));
    } else {
      return fail(ApiError::bad_argument, of(name, i) + " has flags that are no CRYPTO_CERTIFICATE_TYPE");
    }
  }
  return crypto::TrustStore(std::move(anchors), std::move(crls));
}

BinaryArray to_array(ByteView octets) {
  if (octets.empty()) return {nullptr, 0};
  auto* const copy = static_cast<std::uint8_t*>(std::malloc(octets.size()));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, octets.data(), octets.size());
  return {copy, octets.size()};
}

BinaryArray* to_heap_array(ByteView octets) {
  const BinaryArray content = to_array(octets);
  auto* const array = static_cast<BinaryArray*>(std::malloc(sizeof(BinaryArray)));
  if (array == nullptr) {
    std::free(content.array);
    throw std::bad_alloc();
  }
  *array = content;
  return array;
}

ListPtr to_list(const std::vector<crypto::Certificate>& certificates) {
  ListPtr list(init_array_list());
  if (!list) throw std::bad_alloc();
  for (const auto& certificate : certificates) {
    const BinaryArray copy = to_array(certificate.der());
    if (push_array_list(list.get(), copy.array, copy.length, CRYPTO_CERTIFICATE_VALID) != 0) {
      std::free(copy.array);
      throw std::bad_alloc();
    }
  }
  return list;
}

}  // namespace cahn::voucher::c_api

using namespace cahn::voucher::c_api;
using cahn::fail;
using cahn::Result;

int copy_binary_array(BinaryArray* const dst, const BinaryArray* src) {
  return guarded_status([&]() -> Result<void> {
    if (dst == nullptr || src == nullptr) return fail(ApiError::missing_argument, "an array is NULL");
    if (dst == src) return {};
    const auto octets = octets_of(src);
    if (!octets) return fail(ApiError::bad_argument, "the array has a length but no octets");
    *dst = to_array(*octets);
    return {};
  });
}

int compare_binary_array(const BinaryArray* src, const BinaryArray* dst) {
  return guarded(-1, [&]() -> Result<int> {
    if (dst == nullptr || src == nullptr) return fail(ApiError::missing_argument, "an array is NULL");
    const auto a = octets_of(src);
    const auto b = octets_of(dst);
    if (!a || !b) return fail(ApiError::bad_argument, "an array has a length but no octets");
    return std::equal(a->begin(), a->end(), b->begin(), b->end()) ? 1 : 0;
  });
}

void free_binary_array_content(BinaryArray* arr) {
  if (arr == nullptr) return;
  std::free(arr->array);
  *arr = {nullptr, 0};
}

void free_binary_array(BinaryArray* arr) {
  free_binary_array_content(arr);
  std::free(arr);
}

BinaryArrayList* init_array_list(void) {
  BinaryArrayList* const list = new_element();
  if (list == nullptr) {
    remember("there is no memory left");
    return nullptr;
  }
  dl_list_init(&list->list);
  return list;
}

void free_array_list(BinaryArrayList* arr_list) { free_list(arr_list); }
void free_buffer_list(BinaryArrayList* arr_list) { free_list(arr_list); }

int push_array_list(BinaryArrayList* arr_list, uint8_t* const arr, const size_t length, const int flags) {
  return push(arr_list, arr, length, flags);
}
int push_buffer_list(BinaryArrayList* arr_list, uint8_t* const arr, const size_t length, const int flags) {
  return push(arr_list, arr, length, flags);
}
