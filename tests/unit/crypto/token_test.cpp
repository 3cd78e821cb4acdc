// Keys in tokens, with a token that is none: a key in memory behind the same seam. Real tokens are in
// tests/interop/test_tokens.py.

#include "crypto/token.h"

#include <gtest/gtest.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "crypto/cms.h"
#include "crypto/crl.h"
#include "crypto/csr.h"
#include "crypto/jws.h"
#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;
using test::Pki;
using test::refusal;

// A token with one key; can be taken out, and counts what it signed.
class FakeToken final : public TokenSigner {
 public:
  explicit FakeToken(PrivateKeyPtr key, std::optional<PublicKey> shown = {})
      : key_(std::move(key)), shown_(shown.value_or(key_->public_key())) {}
  const PublicKey& public_key() const override { return shown_; }

  Result<Bytes> sign_digest(ByteView digest) const override { return sign(digest, std::nullopt); }
  Result<Bytes> sign_rsa(ByteView octets, Padding padding) const override {
    return sign(octets, padding == Padding::pkcs1 ? RSA_PKCS1_PADDING : RSA_NO_PADDING);
  }

  std::atomic<bool> gone = false;
  mutable std::atomic<int> signatures = 0;

 private:
  Result<Bytes> sign(ByteView octets, std::optional<int> padding) const {
    if (gone) return fail(CryptoError::key_unavailable, "the token is gone");
    ++signatures;
    const PkeyContextPtr context(EVP_PKEY_CTX_new(key_->handle(), nullptr));
    Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_->handle())));
    std::size_t size = signature.size();
    // The private operation of RSA without padding is what OpenSSL calls decryption.
    const bool raw = padding == RSA_NO_PADDING;
    const bool done =
        raw ? EVP_PKEY_decrypt_init(context.get()) == 1 &&
                  EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) == 1 &&
                  EVP_PKEY_decrypt(context.get(), signature.data(), &size, octets.data(), octets.size()) == 1
            : EVP_PKEY_sign_init(context.get()) == 1 &&
                  (!padding || EVP_PKEY_CTX_set_rsa_padding(context.get(), *padding) == 1) &&
                  EVP_PKEY_sign(context.get(), signature.data(), &size, octets.data(), octets.size()) == 1;
    if (!done) return fail(CryptoError::internal, "the fake token does not sign");
    signature.resize(size);
    return signature;
  }

  PrivateKeyPtr key_;
  PublicKey shown_;
};

class KeysInTokens : public testing::TestWithParam<KeyType> {
 protected:
  const PrivateKeyPtr inside_ = must(generate_key(GetParam()));
  const std::shared_ptr<FakeToken> token_ = std::make_shared<FakeToken>(inside_);
  const PrivateKeyPtr key_ = must(make_token_key(token_, "pkcs11:object=x"));
  Certificate self_signed() const {
    return must(issue_certificate({.subject = {{"CN", "token"}},
                                   .key = key_->public_key(),
                                   .not_before = Pki::now() - std::chrono::days(1),
                                   .not_after = Pki::now() + std::chrono::days(1),
                                   .ca = true},
                                  *key_));
  }
};
INSTANTIATE_TEST_SUITE_P(Types, KeysInTokens, testing::Values(KeyType::p256, KeyType::p384, KeyType::rsa2048));

TEST_P(KeysInTokens, SignAsOneInAFileDoes) {
  EXPECT_EQ(key_->public_key(), inside_->public_key());
  EXPECT_EQ(key_->uri(), "pkcs11:object=x");
  EXPECT_TRUE(key_->public_key().verify(as_bytes("x"), must(key_->sign(as_bytes("x")))));
  EXPECT_EQ(refusal(key_to_pem(*key_)).code, CryptoError::key_unavailable);
}

TEST_P(KeysInTokens, SignCertificatesRequestsListsAndMessages) {
  const Certificate certificate = self_signed();
  EXPECT_TRUE(certificate.signed_by(inside_->public_key()));
  EXPECT_EQ(must(Csr::from_der(must(make_csr({.subject = {{"CN", "device"}}}, *key_)))).public_key(),
            inside_->public_key());
  const Bytes cms = must(cms_sign(as_bytes("content"), oid_id_data, certificate, *key_));
  EXPECT_EQ(must(SignedMessage::verify(cms)).signer(), certificate);
  const Crl crl = must(Crl::from_der(
      must(make_crl({.number = 1, .this_update = Pki::now(), .next_update = Pki::now() + std::chrono::days(1)},
                    certificate, *key_))));
  EXPECT_TRUE(crl.signed_by(inside_->public_key()));
  EXPECT_GE(token_->signatures, 5);
}

TEST_P(KeysInTokens, SignJwsWithEveryAlgorithmOfTheirs) {
  std::vector<JwsAlgorithm> algorithms{jws_algorithm_of(key_->public_key())};
  if (GetParam() == KeyType::rsa2048) algorithms.push_back(JwsAlgorithm::ps256);
  for (const auto algorithm : algorithms) {
    const Bytes signature = must(jws_sign(algorithm, "a.b", *key_));
    EXPECT_TRUE(jws_verify(algorithm, "a.b", signature, inside_->public_key())) << to_text(algorithm);
  }
}

// A client and a server that talk through memory, both with this key, in this version of TLS.
bool shake_hands(const TlsContext& client_context, const TlsContext& server_context, int version) {
  const Handle<SSL, SSL_free> client(SSL_new(client_context.handle())), server(SSL_new(server_context.handle()));
  SSL_set_max_proto_version(client.get(), version);
  BIO* a = nullptr;
  BIO* b = nullptr;
  BIO_new_bio_pair(&a, 1 << 17, &b, 1 << 17);
  SSL_set_bio(client.get(), a, a);
  SSL_set_bio(server.get(), b, b);
  SSL_set_connect_state(client.get());
  SSL_set_accept_state(server.get());
  for (int i = 0; i < 20; ++i) {
    const bool client_done = SSL_do_handshake(client.get()) == 1;
    const bool server_done = SSL_do_handshake(server.get()) == 1;
    if (client_done && server_done)
      return SSL_version(client.get()) == version && !must(peer_chain(server.get())).empty();
  }
  return false;
}

TEST_P(KeysInTokens, StandAsKeysOfTlsOnBothSides) {
  const TlsIdentity identity{{self_signed()}, key_};
  const auto client = must(TlsContext::client({.identity = identity, .check = PeerCheck::provisional}));
  const auto server = must(TlsContext::server({.identity = identity, .check = PeerCheck::provisional}));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const int before = token_->signatures;
    EXPECT_TRUE(shake_hands(client, server, version));
    EXPECT_EQ(token_->signatures - before, 2);
  }
  token_->gone = true;
  EXPECT_FALSE(shake_hands(client, server, TLS1_3_VERSION));
  ERR_clear_error();
}

TEST_P(KeysInTokens, SayWhatIsWrongWithTheToken) {
  const Certificate certificate = self_signed();
  token_->gone = true;
  const auto expect_said = [](const auto& result) {
    const Error error = refusal(result);
    EXPECT_NE(error.message.find("the token is gone"), std::string::npos) << error.message;
    EXPECT_EQ(error.code, CryptoError::key_unavailable);
  };
  expect_said(key_->sign(as_bytes("x")));
  expect_said(cms_sign(as_bytes("content"), oid_id_data, certificate, *key_));
  expect_said(make_csr({.subject = {{"CN", "device"}}}, *key_));
  expect_said(issue_certificate(
      {.subject = {{"CN", "x"}}, .key = key_->public_key(), .not_before = Pki::now(), .not_after = Pki::now()}, *key_));
  token_->gone = false;
  EXPECT_TRUE(key_->sign(as_bytes("x"))) << "back again";
}

TEST_P(KeysInTokens, AreRefusedWhenTheTokenSignsWithAnotherKeyOrNotAtAll) {
  const auto other = must(generate_key(GetParam()));
  const auto mixed = std::make_shared<FakeToken>(inside_, other->public_key());
  EXPECT_EQ(refusal(make_token_key(mixed, "tpm2:x")).message, "tpm2:x: the token signs with another key than it shows");
  token_->gone = true;
  EXPECT_EQ(refusal(make_token_key(token_, "tpm2:x")).message, "tpm2:x: the token is gone");
}

TEST_P(KeysInTokens, MayBeUsedByManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> held = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        const std::string message = std::to_string(10 * t + i);
        const auto signature = key_->sign(as_bytes(message));
        held += signature && key_->public_key().verify(as_bytes(message), *signature);
        held += make_csr({.subject = {{"CN", message}}}, *key_).has_value();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(held, 40);
}

TEST(KeysOfEd25519, AreNotTakenFromTokens) {
  const auto token = std::make_shared<FakeToken>(must(generate_key(KeyType::ed25519)));
  EXPECT_EQ(refusal(make_token_key(token, "pkcs11:x")).code, CryptoError::unsupported);
}

class TokenUris : public testing::Test {
 protected:
  static void expect_refused(std::string_view uri, std::string_view message) {
    const Error error = refusal(TokenUri::parse(uri));
    EXPECT_EQ(error.code, CryptoError::key_unavailable);
    EXPECT_EQ(error.message, message);
  }
};

TEST_F(TokenUris, AreThoseOfRfc7512) {
  const auto uri =
      must(TokenUri::parse("pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;object=my-key;id=%69%00%3b;type=private"
                           "?pin-source=file:/etc/token%20pin&module-path=/usr/lib/x.so"));
  EXPECT_EQ(uri.find("token"), "The Software PKCS#11 Softtoken");
  EXPECT_EQ(uri.find("object"), "my-key");
  EXPECT_EQ(uri.find("id"), std::string("i\0;", 3));
  EXPECT_EQ(uri.find("pin-source"), "file:/etc/token pin");
  EXPECT_EQ(uri.find("module-path"), "/usr/lib/x.so");
  EXPECT_EQ(uri.find("serial"), std::nullopt);
  EXPECT_TRUE(TokenUri::parse("pkcs11:"));
}

TEST_F(TokenUris, NameKeysOfATpmToo) {
  const auto uri = must(TokenUri::parse("tpm2:handle=0x81010010?pin-source=/etc/pin"));
  EXPECT_EQ(uri.find("handle"), "0x81010010");
  EXPECT_EQ(uri.find("pin-source"), "/etc/pin");
}

TEST_F(TokenUris, AreRefusedWithWhatWeDoNotKnow) {
  expect_refused("pkcs11:tokn=x", "a key URI has no attribute \"tokn\"");
  expect_refused("pkcs11:token", "a key URI has no attribute \"token\"");
  expect_refused("pkcs11:handle=1", "a key URI has no attribute \"handle\"");
  expect_refused("pkcs11:object=x?object=y", "a key URI has no attribute \"object\"");
  expect_refused("pkcs11:object=x;object=y", "a key URI with object twice");
  expect_refused("pkcs11:object=%zz", "a key URI with a bad % escape in object");
  expect_refused("file:/x", "a key URI that is neither pkcs11: nor tpm2:");
  expect_refused("pkcs11:object=" + std::string(5000, 'x'), "a key URI of more than 4096 octets");
}

// A URI stands in configurations, process lists and logs.
TEST_F(TokenUris, HoldNoPin) {
  expect_refused("pkcs11:object=x?pin-value=1234", "a PIN has no place in a URI; use pin-source=file:/…");
  expect_refused("tpm2:handle=0x81010010?pin-value=1234", "a PIN has no place in a URI; use pin-source=file:/…");
}

class Pins : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "cahn-pin-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void put(std::string_view text, std::filesystem::perms mode) const {
    std::ofstream(folder_ / "pin") << text;
    std::filesystem::permissions(folder_ / "pin", mode);
  }
  Result<std::optional<SecretText>> read() const {
    return must(TokenUri::parse("pkcs11:?pin-source=file:" + (folder_ / "pin").string())).read_pin();
  }
  static constexpr auto owner = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;
  std::filesystem::path folder_;
};

TEST_F(Pins, AreReadFromAFileOfTheOwnersOnly) {
  put("1234\n", owner);
  EXPECT_EQ(must(read())->text, "1234");
  put("1234\n", owner | std::filesystem::perms::group_read);
  EXPECT_NE(refusal(read()).message.find("its mode must be 0600"), std::string::npos);
  std::filesystem::remove(folder_ / "pin");
  EXPECT_EQ(refusal(read()).code, CryptoError::key_unavailable);
  EXPECT_FALSE(must(must(TokenUri::parse("pkcs11:")).read_pin()).has_value());
}

TEST_F(Pins, AreOneLineThatIsNotEmpty) {
  for (const std::string& text : {std::string(), std::string("\n"), std::string(257, '1')}) {
    put(text, owner);
    const Error error = refusal(read());
    EXPECT_NE(error.message.find("not one line with a PIN"), std::string::npos);
  }
  EXPECT_FALSE(must(TokenUri::parse("pkcs11:?pin-source=%7cprogram")).read_pin()) << "RFC 7512 allows a program";
}

TEST(Tokens, ThatAreNotThereAreUnavailable) {
  const std::pair<const char*, const char*> cases[] = {
      {"pkcs11:object=x?module-path=/nowhere/module.so", "the PKCS#11 module /nowhere/module.so cannot be loaded"},
      {"pkcs11:object=x?module-path=libcrypto.so.3", "libcrypto.so.3 is no PKCS#11 module"},
      {"pkcs11:object=x?module-path=/nowhere/module.so&pin-source=/nowhere",
       "the PKCS#11 module /nowhere/module.so cannot be loaded"},
      {"tpm2:", "names no persistent key, as handle=0x81010010 does"},
      {"tpm2:handle=0x40000001", "names no persistent key, as handle=0x81010010 does"},
      {"tpm2:handle=0x81x10010", "names no persistent key, as handle=0x81010010 does"}};
  for (const auto& [uri, message] : cases) {
    const Error error = refusal(open_key(uri));
    EXPECT_EQ(error.code, CryptoError::key_unavailable) << uri;
    EXPECT_EQ(error.message, std::string(uri) + ": " + message);
  }
}

TEST(Workers, DoOneJobAfterTheOtherOnOneThread) {
  Worker worker;
  std::atomic<int> inside = 0, together = 0;
  std::vector<std::thread> threads;
  std::thread::id id;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const auto result = worker.run([&]() -> Result<Bytes> {
          together += ++inside > 1;
          if (id == std::thread::id()) id = std::this_thread::get_id();
          together += id != std::this_thread::get_id();
          --inside;
          return Bytes{1};
        });
        EXPECT_EQ(must(result), Bytes{1});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(together, 0);
  EXPECT_NE(id, std::this_thread::get_id());
  EXPECT_EQ(refusal(worker.run([]() -> Result<Bytes> { return fail(CryptoError::internal, "no"); })).message, "no");
}

TEST(Workers, EndWhatAJobOwnsOnTheirThread) {
  struct Witness {
    std::thread::id& where;
    ~Witness() { where = std::this_thread::get_id(); }
  };
  std::thread::id ended;
  Worker worker;
  (void)worker.run([witness = std::make_shared<Witness>(ended)]() -> Result<Bytes> { return Bytes(); });
  EXPECT_NE(ended, std::thread::id());
  EXPECT_NE(ended, std::this_thread::get_id());
}

}  // namespace
}  // namespace cahn::crypto
