#include "crypto/csr.h"

#include <algorithm>

#include "crypto/access.h"
#include "crypto/asn1.h"

namespace cahn::crypto {
namespace {

bool push_extension(ExtensionStackPtr& stack, int nid, void* value) {
  STACK_OF(X509_EXTENSION)* raw = stack.release();
  const bool done = X509V3_add1_i2d(&raw, nid, value, 0, X509V3_ADD_DEFAULT) == 1;
  stack.reset(raw);
  return done;
}

Result<void> add_requested_extensions(X509_REQ* request, const CsrSpec& spec) {
  ExtensionStackPtr extensions;
  CAHN_TRY(const GeneralNamesPtr names, make_alternative_names(spec.dns_names, spec.uris));
  if (sk_GENERAL_NAME_num(names.get()) > 0 && !push_extension(extensions, NID_subject_alt_name, names.get())) {
    return openssl_failure(CryptoError::internal, "the alternative names");
  }
  if (spec.ask_for_ca) {
    const Handle<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> constraints(BASIC_CONSTRAINTS_new());
    constraints->ca = 0xff;
    if (!push_extension(extensions, NID_basic_constraints, constraints.get())) {
      return openssl_failure(CryptoError::internal, "the basic constraints");
    }
  }
  if (extensions && X509_REQ_add_extensions(request, extensions.get()) != 1) {
    return openssl_failure(CryptoError::internal, "the requested extensions");
  }
  return {};
}

// What one extension says; null when it is not asked for. `unreadable` is set when it is there twice or does not parse.
template <typename Ptr>
Ptr requested(const STACK_OF(X509_EXTENSION) * extensions, int nid, bool& unreadable) {
  int state = 0;
  Ptr value(static_cast<typename Ptr::pointer>(X509V3_get_d2i(extensions, nid, &state, nullptr)));
  // -1: not there. Else a null value means that it did not parse, or (-2) that there are two.
  if (!value && state != -1) unreadable = true;
  return value;
}

std::optional<std::string> text_of(const X509_ATTRIBUTE* attribute) {
  if (X509_ATTRIBUTE_count(attribute) != 1) return std::nullopt;
  const ASN1_TYPE* value = X509_ATTRIBUTE_get0_type(const_cast<X509_ATTRIBUTE*>(attribute), 0);
  const int type = ASN1_TYPE_get(value);
  if (type != V_ASN1_UTF8STRING && type != V_ASN1_PRINTABLESTRING && type != V_ASN1_T61STRING &&
      type != V_ASN1_BMPSTRING && type != V_ASN1_UNIVERSALSTRING && type != V_ASN1_IA5STRING) {
    return std::nullopt;
  }
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, value->value.asn1_string);
  if (size < 0) return std::nullopt;
  std::string text(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

const X509_ALGOR* key_algorithm(const X509_REQ& request) {
  X509_ALGOR* algorithm = nullptr;
  X509_PUBKEY_get0_param(nullptr, nullptr, nullptr, &algorithm,
                         X509_REQ_get_X509_PUBKEY(const_cast<X509_REQ*>(&request)));
  return algorithm;
}

}  // namespace

Result<Bytes> make_csr(const CsrSpec& spec, const PrivateKey& key) {
  const ErrorScope scope;
  const X509RequestPtr request(X509_REQ_new());
  CAHN_TRY(const X509NamePtr subject, to_x509_name(spec.subject));
  if (!request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_subject_name(request.get(), subject.get()) != 1 ||
      !PublicKeyAccess::set(X509_REQ_get_X509_PUBKEY(request.get()), key.public_key())) {
    return openssl_failure(CryptoError::internal, "building the certificate request");
  }
  CAHN_CHECK(add_requested_extensions(request.get(), spec));
  if (spec.challenge_password &&
      X509_REQ_add1_attr_by_NID(request.get(), NID_pkcs9_challengePassword, MBSTRING_UTF8,
                                reinterpret_cast<const unsigned char*>(spec.challenge_password->data()),
                                static_cast<int>(spec.challenge_password->size())) != 1) {
    return openssl_failure(CryptoError::malformed, "the challenge password");
  }
  if (X509_REQ_sign(request.get(), key.handle(), digest_for(key.public_key())) <= 0) {
    return signing_failure(key, "signing the certificate request");
  }
  return encode<i2d_X509_REQ>(request.get());
}

Result<Csr> Csr::from_der(ByteView der) {
  const ErrorScope scope;
  if (der.size() > max_octets) return fail(CryptoError::malformed, "a certificate request of more than 64 KiB");
  const X509RequestPtr request = decode_exactly<d2i_X509_REQ, i2d_X509_REQ, X509RequestPtr>(der);
  if (!request) return openssl_failure(CryptoError::malformed, "not a certificate request in DER");
  EVP_PKEY* const pkey = X509_REQ_get0_pubkey(request.get());
  if (pkey != nullptr) EVP_PKEY_up_ref(pkey);
  CAHN_TRY(PublicKey key,
           PublicKeyAccess::make(encode<i2d_X509_PUBKEY>(X509_REQ_get_X509_PUBKEY(request.get())), PkeyPtr(pkey)));
  if (!is_strong_signature(X509_REQ_get_signature_nid(request.get()))) {
    return fail(CryptoError::unsupported, "a certificate request signed with an algorithm that we do not take");
  }
  if (X509_REQ_verify(request.get(), key.handle()) != 1) {
    return fail(CryptoError::bad_signature, "the certificate request is not signed by the key in it");
  }
  Csr csr(to_bytes(der), std::move(key));
  CAHN_TRY(csr.subject_, to_name(X509_REQ_get_subject_name(request.get())));
  const ExtensionStackPtr extensions(X509_REQ_get_extensions(request.get()));
  if (extensions) CAHN_CHECK(csr.read_extensions(extensions.get()));
  csr.note_objects(*request);
  const int at = X509_REQ_get_attr_by_NID(request.get(), NID_pkcs9_challengePassword, -1);
  if (at >= 0) csr.challenge_password_ = text_of(X509_REQ_get_attr(request.get(), at));
  return csr;
}

Result<void> Csr::read_extensions(const stack_st_X509_EXTENSION* extensions) {
  bool unreadable = false;
  const auto constraints =
      requested<Handle<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>>(extensions, NID_basic_constraints, unreadable);
  const auto key_usage =
      requested<Handle<ASN1_BIT_STRING, ASN1_BIT_STRING_free>>(extensions, NID_key_usage, unreadable);
  const auto usages = requested<ExtendedKeyUsagePtr>(extensions, NID_ext_key_usage, unreadable);
  const auto names = requested<GeneralNamesPtr>(extensions, NID_subject_alt_name, unreadable);
  const auto alternative = read_alternative_names(names.get());
  if (unreadable || !alternative) {
    return fail(CryptoError::malformed, "a certificate request with an unreadable or repeated extension");
  }
  requests_ca_ = constraints && constraints->ca != 0;
  requests_certificate_signing_ = key_usage && (ASN1_BIT_STRING_get_bit(key_usage.get(), 5) != 0 ||
                                                ASN1_BIT_STRING_get_bit(key_usage.get(), 6) != 0);
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    extended_key_usage_.push_back(dotted(sk_ASN1_OBJECT_value(usages.get(), i)));
  }
  for (int i = 0; i < sk_X509_EXTENSION_num(extensions); ++i) {
    objects_.push_back(dotted(X509_EXTENSION_get_object(sk_X509_EXTENSION_value(extensions, i))));
  }
  dns_names_ = alternative->dns_names;
  uris_ = alternative->uris;
  return {};
}

void Csr::note_subject(const X509_name_st* subject) {
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    objects_.push_back(dotted(X509_NAME_ENTRY_get_object(X509_NAME_get_entry(subject, i))));
  }
}

void Csr::note_objects(const X509_req_st& request) {
  note_subject(X509_REQ_get_subject_name(&request));
  for (int i = 0; i < X509_REQ_get_attr_count(&request); ++i) {
    objects_.push_back(dotted(X509_ATTRIBUTE_get0_object(X509_REQ_get_attr(&request, i))));
  }
  const X509_ALGOR* algorithm = nullptr;
  X509_REQ_get0_signature(&request, nullptr, &algorithm);
  for (const X509_ALGOR* each : {algorithm, key_algorithm(request)}) {
    const ASN1_OBJECT* type = nullptr;
    int parameter_type = 0;
    const void* parameter = nullptr;
    X509_ALGOR_get0(&type, &parameter_type, &parameter, each);
    objects_.push_back(dotted(type));
    if (parameter_type == V_ASN1_OBJECT) objects_.push_back(dotted(static_cast<const ASN1_OBJECT*>(parameter)));
  }
}

bool Csr::mentions(std::string_view oid) const {
  return std::find(objects_.begin(), objects_.end(), oid) != objects_.end();
}

std::optional<std::string> Csr::subject_serial_number() const { return find_attribute(subject_, "serialNumber"); }

}  // namespace cahn::crypto
