#include "crypto/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::Identity;
using test::must;
using test::pki;
using test::Pki;

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

// A client and a server that talk through memory.
struct Conversation {
  SslPtr client, server;

  Conversation(const TlsContext& client_context, const TlsContext& server_context, const char* host = "localhost")
      : client(SSL_new(client_context.handle())), server(SSL_new(server_context.handle())) {
    BIO* a = nullptr;
    BIO* b = nullptr;
    BIO_new_bio_pair(&a, 1 << 17, &b, 1 << 17);
    SSL_set_bio(client.get(), a, a);
    SSL_set_bio(server.get(), b, b);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    if (client_context.checks_names()) SSL_set1_host(client.get(), host);
  }

  bool shake_hands() {
    for (int i = 0; i < 20; ++i) {
      const int c = SSL_do_handshake(client.get());
      const int s = SSL_do_handshake(server.get());
      if (c == 1 && s == 1) return speaks();
      const auto failed = [](SSL* ssl, int result) {
        const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, result);
        return error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL;
      };
      if (failed(client.get(), c) || failed(server.get(), s)) return false;
    }
    return false;
  }

  // In TLS 1.3 a client learns only by reading that the server refused its certificate.
  bool speaks() {
    char octet = 0;
    return SSL_write(server.get(), "x", 1) == 1 && SSL_read(client.get(), &octet, 1) == 1 && octet == 'x';
  }
};

TlsContext server(PeerCheck check, bool required = false, TrustStore anchors = {}) {
  return must(TlsContext::server({.identity = pki().registrar().tls(),
                                  .check = check,
                                  .client_certificate_required = required,
                                  .anchors = anchors}));
}
TlsContext client(PeerCheck check, std::optional<Identity> identity = {}, TrustStore anchors = pki().domain_anchors()) {
  TlsClientOptions options{.check = check, .anchors = std::move(anchors)};
  if (identity) options.identity = identity->tls();
  return must(TlsContext::client(options));
}

TEST(Tls, ProvisionalClientAndServerMeetWithoutKnowingEachOther) {
  const auto device = pki().device("42");
  Conversation talk(client(PeerCheck::provisional, device, {}), server(PeerCheck::provisional));
  ASSERT_TRUE(talk.shake_hands());
  EXPECT_EQ(must(peer_chain(talk.client.get())), pki().registrar().chain);
  EXPECT_EQ(must(peer_chain(talk.server.get())), device.chain);
}

TEST(Tls, ServerSeesNoChainOfAClientWithoutOne) {
  Conversation talk(client(PeerCheck::provisional), server(PeerCheck::provisional));
  ASSERT_TRUE(talk.shake_hands());
  EXPECT_TRUE(must(peer_chain(talk.server.get())).empty());
}

TEST(Tls, ServerThatDoesNotAskSeesNoCertificate) {
  Conversation talk(client(PeerCheck::provisional, pki().device("42")), server(PeerCheck::none));
  ASSERT_TRUE(talk.shake_hands());
  EXPECT_TRUE(must(peer_chain(talk.server.get())).empty());
}

TEST(Tls, ClientWithAnchorsAcceptsTheServerTheyLeadTo) {
  Conversation talk(client(PeerCheck::anchors), server(PeerCheck::none));
  EXPECT_TRUE(talk.shake_hands());
}

TEST(Tls, ClientWithOtherAnchorsRefusesTheServer) {
  Conversation talk(client(PeerCheck::anchors, {}, pki().masa_anchors()), server(PeerCheck::none));
  EXPECT_FALSE(talk.shake_hands());
}

TEST(Tls, ClientWithoutAnyAnchorRefusesEveryServer) {
  Conversation talk(client(PeerCheck::anchors, {}, {}), server(PeerCheck::none));
  EXPECT_FALSE(talk.shake_hands());
}

TEST(Tls, ClientWithAnchorsRefusesAServerOfAnotherName) {
  Conversation talk(client(PeerCheck::anchors), server(PeerCheck::none), "elsewhere.example");
  EXPECT_FALSE(talk.shake_hands());
}

TEST(Tls, ServerWithAnchorsTakesADeviceWithoutAnyKeyUsage) {
  Conversation talk(client(PeerCheck::anchors, pki().device("42")),
                    server(PeerCheck::anchors, true, pki().manufacturer_anchors()));
  EXPECT_TRUE(talk.shake_hands());
}

// RFC 8995 2.3: whatever usages a device's certificate names, it is its identity.
TEST(Tls, ServerWithAnchorsTakesADeviceWithOtherKeyUsages) {
  const auto odd = Pki::issue(
      {.subject = {{"CN", "odd"}}, .key_usage = KeyUsage::digital_signature, .extended_key_usage = {"codeSigning"}},
      &pki().manufacturer());
  Conversation talk(client(PeerCheck::anchors, odd), server(PeerCheck::anchors, true, pki().manufacturer_anchors()));
  EXPECT_TRUE(talk.shake_hands());
}

TEST(Tls, ServerWithAnchorsRefusesTheDeviceOfAnotherMaker) {
  const Pki stranger;
  Conversation talk(client(PeerCheck::anchors, stranger.device("42")),
                    server(PeerCheck::anchors, true, pki().manufacturer_anchors()));
  EXPECT_FALSE(talk.shake_hands());
}

TEST(Tls, ServerThatRequiresACertificateRefusesAClientWithoutOne) {
  Conversation talk(client(PeerCheck::anchors), server(PeerCheck::anchors, true, pki().manufacturer_anchors()));
  EXPECT_FALSE(talk.shake_hands());
}

TEST(Tls, ServerWithAnchorsRefusesARevokedDevice) {
  const auto device = pki().device("43");
  const auto& maker = pki().manufacturer();
  // The handshake uses the machine's clock.
  const Time now = system_clock().now();
  const CrlSpec list{.this_update = now - std::chrono::hours(1),
                     .next_update = now + std::chrono::hours(1),
                     .entries = {{device.certificate.serial_hex(), now, RevocationReason::certificate_hold}}};
  const Crl crl = must(Crl::from_der(must(make_crl(list, maker.certificate, *maker.key))));
  const TrustStore anchors({maker.certificate}, {crl});
  Conversation cut(client(PeerCheck::anchors, device), server(PeerCheck::anchors, true, anchors));
  EXPECT_FALSE(cut.shake_hands());
  Conversation other(client(PeerCheck::anchors, pki().device("44")), server(PeerCheck::anchors, true, anchors));
  EXPECT_TRUE(other.shake_hands());
}

// Moves what `from` has to say over to `to`, with `hidden` replaced by `shown` (of the same size).
void relay(BIO* from, BIO* to, const Bytes& hidden, const Bytes& shown) {
  Bytes flight(1 << 16);
  const int size = BIO_read(from, flight.data(), static_cast<int>(flight.size()));
  if (size <= 0) return;
  flight.resize(static_cast<std::size_t>(size));
  const auto at = std::search(flight.begin(), flight.end(), hidden.begin(), hidden.end());
  if (at != flight.end()) std::copy(shown.begin(), shown.end(), at);
  BIO_write(to, flight.data(), size);
}

// Whether a provisional client ends the handshake with a server whose certificate is exchanged on the way.
bool accepts_exchanged_certificate(const Identity& actual, const crypto::Certificate& shown) {
  const auto server_side = must(TlsContext::server({.identity = {{actual.certificate}, actual.key}}));
  const auto client_side = client(PeerCheck::provisional);
  const SslPtr c(SSL_new(client_side.handle()));
  const SslPtr s(SSL_new(server_side.handle()));
  for (SSL* ssl : {c.get(), s.get()}) SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_max_proto_version(c.get(), TLS1_2_VERSION);  // where certificates travel in the clear
  SSL_set_connect_state(c.get());
  SSL_set_accept_state(s.get());
  SSL_do_handshake(c.get());
  relay(SSL_get_wbio(c.get()), SSL_get_rbio(s.get()), {}, {});
  SSL_do_handshake(s.get());
  relay(SSL_get_wbio(s.get()), SSL_get_rbio(c.get()), actual.certificate.der(), shown.der());
  SSL_do_handshake(c.get());
  // It answers with its key exchange only if the signature of the server's parameters held.
  return SSL_get_state(c.get()) == TLS_ST_CR_SESSION_TICKET || SSL_get_state(c.get()) == TLS_ST_CR_CHANGE ||
         SSL_get_state(c.get()) == TLS_ST_CW_FINISHED;
}

// Provisional does not mean unproven: the peer must hold the key of the certificate it shows.
TEST(Tls, ProvisionalClientRefusesAServerWithoutTheKeyOfItsCertificate) {
  const Identity honest = Pki::issue({.subject = {{"CN", "registrar"}}});
  Identity thief = Pki::issue({.subject = {{"CN", "registrar"}}});
  while (thief.certificate.der().size() != honest.certificate.der().size()) {
    thief = Pki::issue({.subject = {{"CN", "registrar"}}});
  }
  EXPECT_TRUE(accepts_exchanged_certificate(thief, thief.certificate));
  EXPECT_FALSE(accepts_exchanged_certificate(thief, honest.certificate));
}

TEST(Tls, SpeaksTls12And13ButNothingOlder) {
  for (const auto& [version, works] :
       {std::pair{TLS1_3_VERSION, true}, {TLS1_2_VERSION, true}, {TLS1_1_VERSION, false}}) {
    Conversation talk(client(PeerCheck::anchors), server(PeerCheck::provisional));
    SSL_set_min_proto_version(talk.client.get(), version);
    SSL_set_max_proto_version(talk.client.get(), version);
    SSL_set_security_level(talk.client.get(), 0);
    EXPECT_EQ(talk.shake_hands(), works) << std::hex << version;
  }
}

TEST(Tls, IsSetUpForNothingOlderThan12) {
  EXPECT_EQ(SSL_CTX_get_min_proto_version(client(PeerCheck::anchors).handle()), TLS1_2_VERSION);
  EXPECT_EQ(SSL_CTX_get_min_proto_version(server(PeerCheck::provisional).handle()), TLS1_2_VERSION);
}

TEST(Tls, Refuses12WithoutForwardSecrecyOrAead) {
  for (const char* suite : {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA"}) {
    Conversation talk(client(PeerCheck::anchors), server(PeerCheck::provisional));
    SSL_set_max_proto_version(talk.client.get(), TLS1_2_VERSION);
    ASSERT_EQ(SSL_set_cipher_list(talk.client.get(), suite), 1);
    EXPECT_FALSE(talk.shake_hands()) << suite;
  }
}

TEST(Tls, HandsOutNoSessionToResume) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Conversation talk(client(PeerCheck::anchors), server(PeerCheck::provisional));
    SSL_set_max_proto_version(talk.client.get(), version);
    ASSERT_TRUE(talk.shake_hands());
    SSL_SESSION* session = SSL_get0_session(talk.client.get());
    EXPECT_FALSE(SSL_SESSION_has_ticket(session));
    EXPECT_FALSE(SSL_SESSION_is_resumable(session));
  }
}

TEST(Tls, RefusesToRenegotiate) {
  Conversation talk(client(PeerCheck::anchors), server(PeerCheck::provisional));
  SSL_set_max_proto_version(talk.client.get(), TLS1_2_VERSION);
  ASSERT_TRUE(talk.shake_hands());
  EXPECT_NE(SSL_renegotiate(talk.client.get()), 1);
  EXPECT_NE(SSL_renegotiate(talk.server.get()), 1);
}

TEST(Tls, ShowsWhatTheServerItselfShows) {
  EXPECT_EQ(server(PeerCheck::none).own_leaf(), pki().registrar().certificate);
  EXPECT_TRUE(client(PeerCheck::anchors).checks_names());
  EXPECT_FALSE(client(PeerCheck::provisional).checks_names());
}

TEST(Tls, IsNotSetUpWithAKeyOfAnotherCertificate) {
  const auto made = TlsContext::server({.identity = {pki().registrar().chain, pki().masa().key}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, CryptoError::wrong_key);
  EXPECT_FALSE(TlsContext::server({.identity = {}}));
}

TEST(Tls, HasNoClientThatLooksAtNothing) { EXPECT_FALSE(TlsContext::client({.check = PeerCheck::none})); }

class TlsWithEveryKeyType : public testing::TestWithParam<KeyType> {};
INSTANTIATE_TEST_SUITE_P(Keys, TlsWithEveryKeyType,
                         testing::Values(KeyType::p256, KeyType::p384, KeyType::ed25519, KeyType::rsa2048));

TEST_P(TlsWithEveryKeyType, MeetsItsPeerInBothVersions) {
  const Pki made({.keys = GetParam()});
  const auto server_side = must(TlsContext::server({.identity = made.registrar().tls()}));
  const auto client_side =
      must(TlsContext::client({.identity = made.device("42").tls(), .anchors = made.domain_anchors()}));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Conversation talk(client_side, server_side);
    SSL_set_max_proto_version(talk.client.get(), version);
    EXPECT_TRUE(talk.shake_hands());
  }
}

// --- the server's certificate status ------------------------------------------------------------------------------

TEST(AStapledStatus, ComesWithTheHandshakeForWhoAsks) {
  for (const bool tls12 : {false, true}) {
    int asked = 0;
    const TlsContext stapling =
        must(TlsContext::server({.identity = pki().registrar().tls(), .anchors = {}, .status = [&] {
                                   ++asked;
                                   return Bytes{1, 2, 3};
                                 }}));
    const auto client = [&](bool ask) {
      return must(
          TlsContext::client({.check = PeerCheck::provisional, .anchors = {}, .ask_status = ask, .tls12_only = tls12}));
    };
    Conversation asking(client(true), stapling), silent(client(false), stapling);
    ASSERT_TRUE(asking.shake_hands());
    EXPECT_EQ(stapled_status(asking.client.get()), (Bytes{1, 2, 3}));
    ASSERT_TRUE(silent.shake_hands());
    EXPECT_TRUE(stapled_status(silent.client.get()).empty());
    EXPECT_EQ(asked, 1);
  }
}

TEST(AStapledStatus, IsLeftOutWhereThereIsNone) {
  const auto asking = must(TlsContext::client({.check = PeerCheck::provisional, .anchors = {}, .ask_status = true}));
  const auto empty =
      must(TlsContext::server({.identity = pki().registrar().tls(), .anchors = {}, .status = [] { return Bytes(); }}));
  for (const TlsContext& without : {server(PeerCheck::provisional), empty}) {
    Conversation talk(asking, without);
    ASSERT_TRUE(talk.shake_hands());
    EXPECT_TRUE(stapled_status(talk.client.get()).empty());
  }
}

TEST(AStapledStatus, OutlivesTheContextThatGaveIt) {
  auto stapling = std::make_unique<TlsContext>(must(TlsContext::server(
      {.identity = pki().registrar().tls(), .anchors = {}, .status = [text = std::make_shared<Bytes>(3, 7)] {
         return *text;
       }})));
  Conversation talk(must(TlsContext::client({.check = PeerCheck::provisional, .anchors = {}, .ask_status = true})),
                    *stapling);
  stapling.reset();
  ASSERT_TRUE(talk.shake_hands());
  EXPECT_EQ(stapled_status(talk.client.get()), Bytes(3, 7));
}

}  // namespace
}  // namespace cahn::crypto
