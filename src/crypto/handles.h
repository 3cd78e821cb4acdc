// Owners of OpenSSL objects. Internal to this room.

#pragma once

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace cahn::crypto {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};

template <typename T, auto Free>
using Handle = std::unique_ptr<T, Deleter<Free>>;

using Asn1IntegerPtr = Handle<ASN1_INTEGER, ASN1_INTEGER_free>;
using Asn1ObjectPtr = Handle<ASN1_OBJECT, ASN1_OBJECT_free>;
using Asn1OctetStringPtr = Handle<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;
using Asn1TimePtr = Handle<ASN1_TIME, ASN1_TIME_free>;
using BioPtr = Handle<BIO, BIO_free_all>;
using CmsPtr = Handle<CMS_ContentInfo, CMS_ContentInfo_free>;
using CrlPtr = Handle<X509_CRL, X509_CRL_free>;
using EcGroupPtr = Handle<EC_GROUP, EC_GROUP_free>;
using EcPointPtr = Handle<EC_POINT, EC_POINT_free>;
using ExtendedKeyUsagePtr = Handle<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;
using ExtensionPtr = Handle<X509_EXTENSION, X509_EXTENSION_free>;
using GeneralNamesPtr = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using MdContextPtr = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using PkeyContextPtr = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using PkeyPtr = Handle<EVP_PKEY, EVP_PKEY_free>;
using Pkcs7Ptr = Handle<PKCS7, PKCS7_free>;
using SslContextPtr = Handle<SSL_CTX, SSL_CTX_free>;
using StoreContextPtr = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;
using StorePtr = Handle<X509_STORE, X509_STORE_free>;
using X509NamePtr = Handle<X509_NAME, X509_NAME_free>;
using X509Ptr = Handle<X509, X509_free>;
using X509RequestPtr = Handle<X509_REQ, X509_REQ_free>;

// A stack that only borrows its certificates.
struct X509BorrowedStackDeleter {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using X509BorrowedStackPtr = std::unique_ptr<STACK_OF(X509), X509BorrowedStackDeleter>;

struct ExtensionStackDeleter {
  void operator()(STACK_OF(X509_EXTENSION) * stack) const { sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free); }
};
using ExtensionStackPtr = std::unique_ptr<STACK_OF(X509_EXTENSION), ExtensionStackDeleter>;

// Leaves OpenSSL's error queue of this thread as it was found: a TLS connection on the same thread would read our
// failures as its own (SSL_get_error(3)).
class ErrorScope {
 public:
  ErrorScope() { ERR_set_mark(); }
  ~ErrorScope() { ERR_pop_to_mark(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
};

}  // namespace cahn::crypto
