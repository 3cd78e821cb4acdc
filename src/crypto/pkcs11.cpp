// Keys in PKCS#11 tokens, by the module itself: no engine, no provider, and an error says what the token said.

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <charconv>
#include <mutex>

#include "crypto/asn1.h"
#include "crypto/ecdsa.h"
#include "crypto/token.h"

namespace cahn::crypto {
namespace {

// Without module-path: every module that p11-kit is told of, as one.
constexpr const char* all_modules = "libp11-kit.so.0";
constexpr std::size_t max_value = 8192;
constexpr unsigned long max_slots = 256;

std::unexpected<Error> unavailable(std::string why) { return fail(CryptoError::key_unavailable, std::move(why)); }

std::string meaning(CK_RV rv) {
  switch (rv) {
    case CKR_PIN_INCORRECT:
      return "the PIN is wrong";
    case CKR_PIN_LOCKED:
      return "the PIN is locked";
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_INVALID:
      return "the PIN cannot be one";
    case CKR_USER_NOT_LOGGED_IN:
      return "the token wants a PIN";
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
      return "the token is gone";
    case CKR_MECHANISM_INVALID:
      return "the token does not sign in this way";
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
      return "the token does not sign with this key";
    default: {
      char text[24];
      const auto end = std::to_chars(text, text + sizeof text, static_cast<unsigned long>(rv), 16).ptr;
      return "the token says CKR 0x" + std::string(text, end);
    }
  }
}

// A module is loaded and initialised once, and stays: others in this process may use it too.
Result<CK_FUNCTION_LIST*> load_module(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, CK_FUNCTION_LIST*> loaded;
  const std::lock_guard lock(mutex);
  if (const auto found = loaded.find(path); found != loaded.end()) return found->second;
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return unavailable("the PKCS#11 module " + path + " cannot be loaded");
  const auto list_of = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  if (list_of == nullptr || list_of(&functions) != CKR_OK || functions == nullptr) {
    return unavailable(path + " is no PKCS#11 module");
  }
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  const CK_RV rv = functions->C_Initialize(&arguments);
  if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    return unavailable("the PKCS#11 module " + path + " does not start: " + meaning(rv));
  }
  loaded.emplace(path, functions);
  return functions;
}

// A field of a token's description, which is padded with blanks.
bool matches(const std::optional<std::string>& wanted, const unsigned char* field, std::size_t size) {
  if (!wanted) return true;
  std::string_view value(reinterpret_cast<const char*>(field), size);
  while (value.ends_with(' ') || value.ends_with('\0')) value.remove_suffix(1);
  return value == *wanted;
}

// A session with the token that a URI names, and the key in it. Lives on one worker.
class Session {
 public:
  // Sets `pin_refused` when the token did not take the PIN: it counts tries, and locks.
  static Result<std::unique_ptr<Session>> open(CK_FUNCTION_LIST* functions, const TokenUri& uri, bool& pin_refused) {
    std::unique_ptr<Session> session(new Session(functions));
    CAHN_TRY(const CK_SLOT_ID slot, session->find_slot(uri));
    const CK_RV rv = functions->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session->session_);
    if (rv != CKR_OK) return unavailable("no session: " + meaning(rv));
    session->is_open_ = true;
    CAHN_TRY(auto pin, uri.read_pin());
    if (pin || session->has_pin_pad_) {
      const auto logged_in = session->log_in(CKU_USER, pin);
      pin_refused = !logged_in && !session->is_over_;
      if (!logged_in) return fail(logged_in.error());
    }
    CAHN_CHECK(session->find_private_key(uri, pin.has_value()));
    return session;
  }
  ~Session() {
    if (is_open_) functions_->C_CloseSession(session_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Result<PublicKey> public_key() const {
    CAHN_TRY(const Bytes type, value(key_, CKA_KEY_TYPE));
    CK_KEY_TYPE number = 0;
    if (type.size() != sizeof number) return unavailable("a key of no type");
    std::copy(type.begin(), type.end(), reinterpret_cast<std::uint8_t*>(&number));
    if (number == CKK_RSA) return rsa_key();
    if (number == CKK_EC) return ec_key();
    return fail(CryptoError::unsupported, "a key in a token is P-256, P-384 or RSA");
  }

  // The context-specific login is what a key asks for that wants its PIN every time.
  Result<Bytes> sign(CK_MECHANISM_TYPE type, ByteView data, const TokenUri& uri) const {
    CK_MECHANISM mechanism{type, nullptr, 0};
    CK_RV rv = functions_->C_SignInit(session_, &mechanism, key_);
    if (rv != CKR_OK) return failed(rv);
    if (always_authenticates_) {
      CAHN_TRY(const auto pin, uri.read_pin());
      CAHN_CHECK(log_in(CKU_CONTEXT_SPECIFIC, pin));
    }
    Bytes signature(max_value);
    CK_ULONG size = signature.size();
    rv = functions_->C_Sign(session_, const_cast<CK_BYTE*>(data.data()), data.size(), signature.data(), &size);
    if (rv != CKR_OK || size > signature.size()) return failed(rv);
    signature.resize(size);
    return signature;
  }

  // Whether the last failure was that the session had ended, so that another may do better.
  bool is_over() const { return is_over_; }

 private:
  explicit Session(CK_FUNCTION_LIST* functions) : functions_(functions) {}

  std::unexpected<Error> failed(CK_RV rv) const {
    is_over_ = rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED || rv == CKR_KEY_HANDLE_INVALID ||
               rv == CKR_OBJECT_HANDLE_INVALID || rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_DEVICE_REMOVED ||
               rv == CKR_TOKEN_NOT_PRESENT;
    return unavailable(meaning(rv));
  }

  // The one token that the URI fits. A PIN is for one token: tried on another it would use up that one's tries.
  Result<CK_SLOT_ID> find_slot(const TokenUri& uri) {
    CK_ULONG count = max_slots;
    std::vector<CK_SLOT_ID> slots(count);
    const CK_RV rv = functions_->C_GetSlotList(CK_TRUE, slots.data(), &count);
    if (rv != CKR_OK) return unavailable("no list of tokens: " + meaning(rv));
    slots.resize(std::min<CK_ULONG>(count, max_slots));
    std::vector<CK_SLOT_ID> fitting;
    for (const CK_SLOT_ID slot : slots) {
      CK_TOKEN_INFO info{};
      if (functions_->C_GetTokenInfo(slot, &info) != CKR_OK || !fits(uri, slot, info)) continue;
      fitting.push_back(slot);
      wants_pin_ = (info.flags & CKF_LOGIN_REQUIRED) != 0;
      has_pin_pad_ = (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
    }
    if (fitting.empty()) return unavailable("no such token is there");
    if (fitting.size() > 1) return unavailable("the URI fits " + std::to_string(fitting.size()) + " tokens");
    return fitting.front();
  }

  static bool fits(const TokenUri& uri, CK_SLOT_ID slot, const CK_TOKEN_INFO& info) {
    const auto slot_id = uri.find("slot-id");
    return (info.flags & CKF_TOKEN_INITIALIZED) != 0 && (!slot_id || *slot_id == std::to_string(slot)) &&
           matches(uri.find("token"), info.label, sizeof info.label) &&
           matches(uri.find("manufacturer"), info.manufacturerID, sizeof info.manufacturerID) &&
           matches(uri.find("model"), info.model, sizeof info.model) &&
           matches(uri.find("serial"), info.serialNumber, sizeof info.serialNumber);
  }

  Result<void> log_in(CK_USER_TYPE user, const std::optional<SecretText>& pin) const {
    auto* text = pin ? reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(pin->text.data())) : nullptr;
    const CK_RV rv = functions_->C_Login(session_, user, text, pin ? pin->text.size() : 0);
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) return {};
    return failed(rv);
  }

  Result<void> find_private_key(const TokenUri& uri, bool had_pin) {
    if (const auto type = uri.find("type"); type && *type != "private") {
      return unavailable("the URI names an object that is no private key");
    }
    CAHN_TRY(const auto found, find_objects(CKO_PRIVATE_KEY, uri.find("object"), uri.find("id")));
    if (found.empty()) {
      return unavailable(wants_pin_ && !had_pin ? "no such key is visible without a PIN: pin-source is missing"
                                                : "the token has no such key");
    }
    if (found.size() > 1) return unavailable("the URI fits several keys of the token");
    key_ = found.front();
    const auto always = value(key_, CKA_ALWAYS_AUTHENTICATE);
    always_authenticates_ = always && !always->empty() && always->front() != 0;
    return {};
  }

  // At most two: more than one is already one too many.
  Result<std::vector<CK_OBJECT_HANDLE>> find_objects(CK_OBJECT_CLASS kind, std::optional<std::string> label,
                                                     std::optional<std::string> id) const {
    std::vector<CK_ATTRIBUTE> wanted{{CKA_CLASS, &kind, sizeof kind}};
    if (label) wanted.push_back({CKA_LABEL, label->data(), label->size()});
    if (id) wanted.push_back({CKA_ID, id->data(), id->size()});
    CK_RV rv = functions_->C_FindObjectsInit(session_, wanted.data(), wanted.size());
    if (rv != CKR_OK) return failed(rv);
    std::vector<CK_OBJECT_HANDLE> found(2);
    CK_ULONG count = 0;
    rv = functions_->C_FindObjects(session_, found.data(), found.size(), &count);
    functions_->C_FindObjectsFinal(session_);
    if (rv != CKR_OK) return failed(rv);
    found.resize(std::min<CK_ULONG>(count, found.size()));
    return found;
  }

  Result<Bytes> value(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
    Bytes out(max_value);
    CK_ATTRIBUTE attribute{type, out.data(), out.size()};
    const CK_RV rv = functions_->C_GetAttributeValue(session_, object, &attribute, 1);
    if (rv != CKR_OK || attribute.ulValueLen > out.size()) return failed(rv);
    out.resize(attribute.ulValueLen);
    return out;
  }

  Result<PublicKey> rsa_key() const {
    const auto number = [](Bytes magnitude) {
      if (magnitude.empty() || magnitude.front() >= 0x80) magnitude.insert(magnitude.begin(), 0);
      return der_element(tag::integer, magnitude);
    };
    CAHN_TRY(const Bytes modulus, value(key_, CKA_MODULUS));
    CAHN_TRY(const Bytes exponent, value(key_, CKA_PUBLIC_EXPONENT));
    Bytes numbers = number(modulus);
    const Bytes second = number(exponent);
    numbers.insert(numbers.end(), second.begin(), second.end());
    Bytes bits = der_element(tag::sequence, numbers);
    bits.insert(bits.begin(), 0);
    Bytes info = *hex_decode("300d06092a864886f70d0101010500");  // rsaEncryption, NULL
    const Bytes key = der_element(tag::bit_string, bits);
    info.insert(info.end(), key.begin(), key.end());
    return PublicKey::from_spki(der_element(tag::sequence, info));
  }

  // The point is with the public key or the certificate of the same id.
  Result<PublicKey> ec_key() const {
    CAHN_TRY(const Bytes curve, value(key_, CKA_EC_PARAMS));
    const std::string oid = hex(curve);
    const bool is_p256 = oid == "06082a8648ce3d030107";
    if (!is_p256 && oid != "06052b81040022") return fail(CryptoError::unsupported, "the key's curve is not taken");
    CAHN_TRY(const Bytes id, value(key_, CKA_ID));
    CAHN_TRY(const auto publics, find_objects(CKO_PUBLIC_KEY, std::nullopt, to_string(id)));
    if (publics.empty()) return key_of_certificate(id);
    CAHN_TRY(const Bytes wrapped, value(publics.front(), CKA_EC_POINT));
    // An OCTET STRING by the standard; some tokens leave out its tag and length.
    DerReader reader(wrapped);
    const auto octets = reader.next(tag::octet_string);
    const ByteView point = octets && reader.at_end() ? octets->content : ByteView(wrapped);
    return PublicKey::from_ec_point(is_p256 ? KeyType::p256 : KeyType::p384, point);
  }

  Result<PublicKey> key_of_certificate(const Bytes& id) const {
    CAHN_TRY(const auto certificates, find_objects(CKO_CERTIFICATE, std::nullopt, to_string(id)));
    if (certificates.empty()) return unavailable("the token has no public key or certificate beside the private key");
    CAHN_TRY(const Bytes der, value(certificates.front(), CKA_VALUE));
    CAHN_TRY(const Certificate certificate, Certificate::from_der(der));
    return certificate.public_key();
  }

  CK_FUNCTION_LIST* functions_;
  CK_SESSION_HANDLE session_ = 0;
  CK_OBJECT_HANDLE key_ = 0;
  bool is_open_ = false, wants_pin_ = false, has_pin_pad_ = false, always_authenticates_ = false;
  mutable bool is_over_ = false;
};

// What jobs on the worker own.
struct Shared {
  CK_FUNCTION_LIST* functions;
  TokenUri uri;
  std::unique_ptr<Session> session;
  bool pin_refused = false;
};

// Opens the session if there is none, and returns the SubjectPublicKeyInfo of the key in it.
Result<Bytes> open_session(Shared& shared) {
  if (shared.pin_refused) return unavailable("the PIN was refused and is not tried again");
  CAHN_TRY(shared.session, Session::open(shared.functions, shared.uri, shared.pin_refused));
  CAHN_TRY(const PublicKey key, shared.session->public_key());
  return key.spki();
}

class Pkcs11Signer final : public TokenSigner {
 public:
  Pkcs11Signer(std::shared_ptr<Shared> shared, std::unique_ptr<Worker> worker, PublicKey key)
      : shared_(std::move(shared)), worker_(std::move(worker)), key_(std::move(key)) {}
  ~Pkcs11Signer() override {
    // The session ends on the thread on which it was.
    (void)worker_->run([shared = std::move(shared_)]() -> Result<Bytes> {
      shared->session.reset();
      return Bytes();
    });
  }

  const PublicKey& public_key() const override { return key_; }

  Result<Bytes> sign_digest(ByteView digest) const override {
    const std::size_t longest = key_.algorithm() == "p256" ? 32 : 48;  // FIPS 186-4 6.4: the leftmost bits
    CAHN_TRY(const Bytes raw, sign(CKM_ECDSA, digest.first(std::min(digest.size(), longest))));
    return ecdsa_der_from_raw(key_, raw);
  }
  Result<Bytes> sign_rsa(ByteView octets, Padding padding) const override {
    return sign(padding == Padding::pkcs1 ? CKM_RSA_PKCS : CKM_RSA_X_509, octets);
  }

 private:
  Result<Bytes> sign(CK_MECHANISM_TYPE mechanism, ByteView data) const {
    return worker_->run([shared = shared_, mechanism, data = to_bytes(data), spki = key_.spki()]() -> Result<Bytes> {
      Error last{CryptoError::key_unavailable, "the token was gone"};
      // Once more with a new session: tokens are taken out and put back, and modules close sessions.
      for (int i = 0; i < 2; ++i) {
        if (!shared->session) {
          CAHN_TRY(const Bytes found, open_session(*shared));
          if (found != spki) return unavailable("another key has taken its place");
        }
        auto signature = shared->session->sign(mechanism, data, shared->uri);
        if (signature) return signature;
        last = signature.error();
        const bool again = shared->session->is_over();
        shared->session.reset();
        if (!again) break;
      }
      return fail(last);
    });
  }

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Worker> worker_;
  PublicKey key_;
};

}  // namespace

Result<PrivateKeyPtr> open_pkcs11_key(std::string_view text) {
  CAHN_TRY(TokenUri uri, TokenUri::parse(text));
  const std::string name = uri.text;
  const auto shared = std::make_shared<Shared>(Shared{nullptr, std::move(uri), nullptr, false});
  auto worker = std::make_unique<Worker>();
  const auto spki = worker->run([shared]() -> Result<Bytes> {
    CAHN_TRY(shared->functions, load_module(shared->uri.find("module-path").value_or(all_modules)));
    return open_session(*shared);
  });
  if (!spki) return fail(spki.error(), name);
  CAHN_TRY(PublicKey key, PublicKey::from_spki(*spki));
  return make_token_key(std::make_shared<Pkcs11Signer>(shared, std::move(worker), std::move(key)), name);
}

}  // namespace cahn::crypto
