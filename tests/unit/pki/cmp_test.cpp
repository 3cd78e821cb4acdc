// The CMP server: whole transactions, and the ways a message can be wrong (RFC 9483 3.5).

#include <algorithm>
#include <cstdio>

#include "tests/unit/pki/cmp_support.h"

namespace cahn::pki {
namespace {

using crypto::CmpBody;
using crypto::CmpFailure;
using crypto::CmpStatus;
using test::value_of;

class Cmp : public test::CmpTest {};

TEST_F(Cmp, IssuesAndConfirms) {
  const auto request = ir(device("SN-1"));
  const auto answer = exchange(request, "/initialization");
  ASSERT_EQ(answer.body(), CmpBody::ip);
  const auto read = value_of(crypto::read_cmp_answer(answer));
  ASSERT_TRUE(read.certificate.has_value());
  EXPECT_EQ(read.status.status, CmpStatus::granted_with_mods) << "the subject got the network's name";
  EXPECT_EQ(read.certificate->subject_serial_number(), "SN-1");
  EXPECT_EQ(read.ca_certificates, ca_->ca_certificates()) << "RFC 9733: in caPubs";
  EXPECT_EQ(authority_.recorded(), test::Chain{*read.certificate});
  const auto confirmation = value_of(crypto::cmp_confirmation(*read.certificate, read.id, {}));
  const auto last = exchange(next(request, answer, CmpBody::cert_conf, confirmation), "/initialization");
  EXPECT_EQ(last.body(), CmpBody::pki_conf);
  EXPECT_EQ(ca_->revocation(read.certificate->serial_hex()), std::nullopt);
}

TEST_F(Cmp, LeavesOutCaPubsWhereTheyAreNotWanted) {
  cmp_.ca_certificates_in_ip = false;
  restart_cmp();
  EXPECT_TRUE(value_of(crypto::read_cmp_answer(exchange(ir(device("SN-1"))))).ca_certificates.empty());
}

TEST_F(Cmp, GrantsImplicitConfirmationWhereItMay) {
  auto request = ir(device("SN-1"));
  request.header.implicit_confirm = true;
  const auto answer = exchange(request);
  EXPECT_TRUE(answer.header().implicit_confirm);
  refuses(next(request, answer, CmpBody::cert_conf,
               value_of(crypto::cmp_confirmation(*value_of(crypto::read_cmp_answer(answer)).certificate, 0, {}))),
          CmpFailure::bad_request, "no such transaction");
  cmp_.grant_implicit_confirm = false;
  restart_cmp();
  EXPECT_FALSE(exchange(request).header().implicit_confirm);
}

TEST_F(Cmp, RevokesWhatTheClientRejects) {
  const auto request = ir(device("SN-1"));
  const auto answer = exchange(request);
  const auto certificate = *value_of(crypto::read_cmp_answer(answer)).certificate;
  const auto no = value_of(crypto::cmp_confirmation(certificate, 0, {CmpStatus::rejection, "not mine", {}}));
  EXPECT_EQ(exchange(next(request, answer, CmpBody::cert_conf, no)).body(), CmpBody::pki_conf);
  EXPECT_EQ(ca_->revocation(certificate.serial_hex()), crypto::RevocationReason::cessation);
}

TEST_F(Cmp, RevokesWhatIsConfirmedWithAnotherCertificatesHash) {
  const auto request = ir(device("SN-1"));
  const auto answer = exchange(request);
  const auto certificate = *value_of(crypto::read_cmp_answer(answer)).certificate;
  refuses(next(request, answer, CmpBody::cert_conf, value_of(crypto::cmp_confirmation(ca_->certificate(), 0, {}))),
          CmpFailure::bad_cert_id, "certHash");
  EXPECT_TRUE(ca_->revocation(certificate.serial_hex()).has_value());
}

TEST_F(Cmp, RevokesWhatIsNotConfirmedInTime) {
  const auto certificate = *value_of(crypto::read_cmp_answer(exchange(ir(device("SN-1"))))).certificate;
  still_serves_cmp();
  EXPECT_EQ(ca_->revocation(certificate.serial_hex()), std::nullopt);
  clock_.advance(cmp_.confirm_wait);
  still_serves_cmp();
  EXPECT_TRUE(ca_->revocation(certificate.serial_hex()).has_value());
}

TEST_F(Cmp, PollsUntilTheCaHasDecided) {  // RFC 9483 4.4
  issuer_->hesitations = 2;
  const auto request = ir(device("SN-1"));
  auto answer = exchange(request);
  auto read = value_of(crypto::read_cmp_answer(answer));
  EXPECT_EQ(read.status.status, CmpStatus::waiting);
  EXPECT_FALSE(read.certificate.has_value());
  auto asked = next(request, answer, CmpBody::poll_req, crypto::cmp_poll(0));
  answer = exchange(asked);
  ASSERT_EQ(answer.body(), CmpBody::poll_rep);
  EXPECT_EQ(value_of(crypto::read_cmp_poll_answer(answer)).check_after, cmp_.check_after.count());
  asked = next(asked, answer, CmpBody::poll_req, crypto::cmp_poll(0));
  answer = exchange(asked);
  ASSERT_EQ(answer.body(), CmpBody::ip);
  read = value_of(crypto::read_cmp_answer(answer));
  ASSERT_TRUE(read.certificate.has_value());
  const auto yes = value_of(crypto::cmp_confirmation(*read.certificate, 0, {}));
  EXPECT_EQ(exchange(next(asked, answer, CmpBody::cert_conf, yes)).body(), CmpBody::pki_conf);
}

TEST_F(Cmp, PollsWhilePolicyIsUndecided) {
  authority_.refusal = Error{PkiError::undecided, "waiting for the owner"};
  const auto request = ir(device("SN-1"));
  const auto answer = exchange(request);
  EXPECT_EQ(value_of(crypto::read_cmp_answer(answer)).status.status, CmpStatus::waiting);
  authority_.refusal = Error{PkiError::not_authorized, "the owner says no"};
  const auto status = refusal_in(exchange(next(request, answer, CmpBody::poll_req, crypto::cmp_poll(0))));
  EXPECT_EQ(status.failure, CmpFailure::not_authorized);
  EXPECT_EQ(status.text, "the owner says no");
}

TEST_F(Cmp, RefusesPollsThatBelongToNothing) {
  refuses(message(device("SN-1"), CmpBody::poll_req, crypto::cmp_poll(0)), CmpFailure::bad_request,
          "no such transaction");
  issuer_->hesitations = 1;
  const auto request = ir(device("SN-1"));
  const auto answer = exchange(request);
  refuses(next(request, answer, CmpBody::poll_req, crypto::cmp_poll(5)), CmpFailure::bad_request, "certReqId");
  auto replayed = next(request, answer, CmpBody::poll_req, crypto::cmp_poll(0));
  replayed.header.recipient_nonce = random_bytes(16);
  refuses(replayed, CmpFailure::bad_recipient_nonce, "recipNonce");
  auto stolen = next(request, answer, CmpBody::poll_req, crypto::cmp_poll(0));
  stolen.who = device("SN-2");
  refuses(stolen, CmpFailure::bad_message_check, "who began");
  EXPECT_EQ(exchange(next(request, answer, CmpBody::poll_req, crypto::cmp_poll(0))).body(), CmpBody::ip)
      << "the right one goes on";
}

TEST_F(Cmp, RefusesATransactionIdInUse) {
  const auto request = ir(device("SN-1"));
  exchange(request);
  refuses(request, CmpFailure::transaction_id_in_use, "in use");
}

TEST_F(Cmp, KeepsNoMoreTransactionsThanItMay) {
  cmp_.max_transactions = 3;
  cmp_.max_transactions_per_sender = 2;
  restart_cmp();
  const auto greedy = device("SN-1");
  exchange(ir(greedy));
  exchange(ir(greedy));
  refuses(ir(greedy), CmpFailure::system_unavailable, "too many");
  exchange(ir(device("SN-2")));
  refuses(ir(device("SN-3")), CmpFailure::system_unavailable, "too many");
  clock_.advance(cmp_.confirm_wait);
  exchange(ir(device("SN-3")));
}

TEST_F(Cmp, RenewsAMembersCertificateForANewKey) {
  const auto old = member();
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  const auto content = value_of(crypto::cmp_request(old.chain.front().subject(), *key, {}, {}));
  const auto answer = exchange(message(old, CmpBody::kur, content), "/keyupdate");
  ASSERT_EQ(answer.body(), CmpBody::kup);
  const auto renewed = value_of(crypto::read_cmp_answer(answer));
  ASSERT_TRUE(renewed.certificate.has_value());
  EXPECT_EQ(renewed.status.status, CmpStatus::accepted);
  EXPECT_EQ(renewed.certificate->subject(), old.chain.front().subject());
  EXPECT_EQ(authority_.renewals, 1);
}

TEST_F(Cmp, RefusesAKeyUpdateByAStrangerOrForTheSameKey) {
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  refuses(message(device("SN-1"), CmpBody::kur, request_for(key)), CmpFailure::bad_message_check,
          "the certificate to be updated");
  const auto old = member();
  refuses(message(old, CmpBody::kur, request_for(old.key)), CmpFailure::bad_cert_template, "fresh");
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(Cmp, TakesPkcs10ByDevicesAndByMembers) {
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  const auto csr = value_of(crypto::make_csr({.subject = {{"serialNumber", "SN-1"}}}, *key));
  for (const auto* path : {"/pkcs10", "/p10", ""}) {
    const auto answer = exchange(message(device("SN-1"), CmpBody::p10cr, csr), path);
    ASSERT_EQ(answer.body(), CmpBody::cp);
    EXPECT_EQ(value_of(crypto::read_cmp_answer(answer)).id, -1);
  }
  EXPECT_EQ(authority_.renewals, 0);
  exchange(message(member(), CmpBody::p10cr, csr));
  EXPECT_EQ(authority_.renewals, 1);
}

TEST_F(Cmp, RevokesForWhoeverHoldsTheCertificate) {
  const auto who = member();
  const auto& certificate = who.chain.front();
  const auto answer =
      exchange(message(who, CmpBody::rr, crypto::cmp_revocation(certificate, crypto::RevocationReason::key_compromise)),
               "/revocation");
  EXPECT_EQ(answer.body(), CmpBody::rp);
  EXPECT_EQ(ca_->revocation(certificate.serial_hex()), crypto::RevocationReason::key_compromise);
}

TEST_F(Cmp, RevokesForNobodyElseAndPutsNobodyOnHold) {
  const auto victim = issue_ldevid("SN-2");
  const auto answer =
      exchange(message(member(), CmpBody::rr, crypto::cmp_revocation(victim, crypto::RevocationReason::cessation)));
  EXPECT_EQ(answer.body(), CmpBody::rp);
  EXPECT_EQ(ca_->revocation(victim.serial_hex()), std::nullopt);
  const auto who = member();
  refuses(
      message(who, CmpBody::rr, crypto::cmp_revocation(who.chain.front(), crypto::RevocationReason::certificate_hold)),
      CmpFailure::bad_request, "reason");
  const auto idevid = device("SN-1");
  refuses(
      message(idevid, CmpBody::rr, crypto::cmp_revocation(idevid.chain.front(), crypto::RevocationReason::cessation)),
      CmpFailure::bad_cert_id, "not one of this CA");
}

TEST_F(Cmp, HoldsAndReleasesForARegistrationAuthorityItKnows) {
  const auto ra = registration_authority();
  cmp_.registration_authorities = crypto::TrustStore({ca_->certificate()});
  cmp_.release = [this](std::string serial) { return ca_->release(serial); };
  cmp_.is_known_authority = [&](const crypto::Certificate& who) { return who == ra.chain.front(); };
  restart_cmp();
  const auto ldevid = issue_ldevid("SN-2");
  const auto order = [&](const crypto::TlsIdentity& who, std::optional<crypto::RevocationReason> reason) {
    return exchange(
        message(who, CmpBody::rr,
                value_of(crypto::cmp_revocation(ca_->certificate().subject(), ldevid.serial_hex(), reason))),
        "/revocation");
  };
  const auto hold = crypto::RevocationReason::certificate_hold;
  EXPECT_EQ(value_of(crypto::read_cmp_revocation_answer(order(ra, hold))).status, crypto::CmpStatus::accepted);
  EXPECT_EQ(ca_->revocation(ldevid.serial_hex()), hold);
  const auto stranger = registration_authority();  // of the same CA, with cmcRA, and not on the list
  EXPECT_EQ(refusal_in(order(stranger, std::nullopt)).failure, CmpFailure::bad_request);
  EXPECT_EQ(ca_->revocation(ldevid.serial_hex()), hold);
  EXPECT_EQ(value_of(crypto::read_cmp_revocation_answer(order(ra, std::nullopt))).status, crypto::CmpStatus::accepted);
  EXPECT_EQ(ca_->revocation(ldevid.serial_hex()), std::nullopt);
  order(ra, crypto::RevocationReason::key_compromise);
  const auto for_good = value_of(crypto::read_cmp_revocation_answer(order(ra, std::nullopt)));
  EXPECT_EQ(for_good.status, crypto::CmpStatus::rejection) << "what is revoked for good is not released";
  EXPECT_EQ(ca_->revocation(ldevid.serial_hex()), crypto::RevocationReason::key_compromise);
}

TEST_F(Cmp, TakesMessagesOnlyFromConnectionsThatMay) {
  cmp_.may_connect = [](const net::Session& session) { return !session.peer_chain.empty(); };
  restart_cmp();
  EXPECT_EQ(post_cmp(ir(device("SN-1")).der()).status, 403);
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(Cmp, TellsCaCertificatesAndTemplateToAnybody) {
  auto* ca = ca_.get();
  const std::string uri = "file:" + (folder_ / "ca-2.key").string();
  const auto before = exchange(
      message(device("SN-1"), CmpBody::genm, value_of(crypto::cmp_question(crypto::oid_cmp_root_certificate))));
  EXPECT_EQ(before.content(), value_of(crypto::cmp_general_answer(crypto::oid_cmp_root_update, {})));
  const auto old = ca_->certificate();
  ASSERT_TRUE((await<Result<void>>([ca, uri] { return ca->roll_over(uri); })).has_value());
  const auto ask = [&](std::string_view oid, const std::string& path) {
    auto out = message(device("SN-1"), CmpBody::genm, value_of(crypto::cmp_question(oid)));
    const auto response = post_cmp(out.der(), path);
    return value_of(crypto::CmpMessage::from_der(response.body)).content();
  };
  auto all = ca_->ca_certificates();
  for (const auto& each : ca_->rollover_certificates()) all.push_back(each);
  EXPECT_EQ(ask(crypto::oid_cmp_ca_certificates, "/getcacerts"),
            value_of(crypto::cmp_general_answer(crypto::oid_cmp_ca_certificates, crypto::cmp_ca_certificates(all))));
  const auto bridge = ca_->rollover_certificates();
  EXPECT_EQ(ask(crypto::oid_cmp_root_certificate, "/getrootupdate"),
            value_of(crypto::cmp_general_answer(crypto::oid_cmp_root_update,
                                                crypto::cmp_root_update(ca_->certificate(), bridge[2], bridge[1]))));
  const Bytes form = ask(crypto::oid_cmp_request_template, "/getcertreqtemplate");
  EXPECT_NE(hex(form).find("0603550405"), std::string::npos) << "serialNumber";
  EXPECT_EQ(old.subject(), ca_->certificate().subject());
}

TEST_F(Cmp, RefusesQuestionsItHasNoAnswerTo) {
  refuses(message(device("SN-1"), CmpBody::genm, value_of(crypto::cmp_question("1.2.3.4"))), CmpFailure::bad_request,
          "1.2.3.4");
}

TEST_F(Cmp, RefusesAMessageThatWasTamperedWith) {
  const auto good = ir(device("SN-1"));
  Bytes tampered = good.der();
  const auto at = std::search(tampered.begin(), tampered.end(), good.content.end() - 8, good.content.end());
  ASSERT_NE(at, tampered.end());
  at[7] ^= 1;
  refuses(tampered, CmpFailure::bad_message_check, "signature does not hold");
  EXPECT_EQ(authority_.asked, 0);
  still_serves_cmp();
}

// Messages that our own writer would not make.
class CmpByHand : public Cmp {
 protected:
  struct Parts {
    crypto::TlsIdentity who;
    crypto::Name sender;
    std::string key_id, transaction_id = hex(random_bytes(16)), nonce = hex(random_bytes(16));
    std::string algorithm = "300a06082a8648ce3d040302";  // ecdsa-with-SHA256
    std::string version = "020102";
    bool is_protected = true, has_certificates = true;
  };
  Parts parts_of(const crypto::TlsIdentity& who) { return {.who = who, .sender = who.chain.front().subject()}; }

  static std::string element(const std::string& tag, const std::string& content) {
    const std::size_t size = content.size() / 2;
    char length[16];
    std::snprintf(length, sizeof length, size < 128 ? "%02zx" : size < 256 ? "81%02zx" : "82%04zx", size);
    return tag + length + content;
  }
  Bytes assemble(const Parts& parts) {
    const auto optional = [](const std::string& tag, const std::string& octets) {
      return octets.empty() ? "" : element(tag, element("04", octets));
    };
    const std::string header = element("30", parts.version + hex(value_of(crypto::general_name(parts.sender))) +
                                                 hex(value_of(crypto::general_name(ca_->certificate().subject()))) +
                                                 element("a1", parts.algorithm) + optional("a2", parts.key_id) +
                                                 optional("a4", parts.transaction_id) + optional("a5", parts.nonce));
    const std::string body = element("a0", hex(request_for(value_of(crypto::generate_key(crypto::KeyType::p256)))));
    const Bytes to_sign = value_of(hex_decode(element("30", header + body)));
    std::string message = header + body;
    if (parts.is_protected) {
      message += element("a0", element("03", "00" + hex(value_of(parts.who.key->sign(to_sign)))));
    }
    if (parts.has_certificates) message += element("a1", element("30", hex(parts.who.chain.front().der())));
    return value_of(hex_decode(element("30", message)));
  }
};

TEST_F(CmpByHand, TakesWhatIsRight) { EXPECT_EQ(exchange(assemble(parts_of(device("SN-1")))).body(), CmpBody::ip); }

TEST_F(CmpByHand, RefusesMissingOrShortIds) {
  auto parts = parts_of(device("SN-1"));
  for (const auto* id : {"", "0011223344556677"}) {
    parts.transaction_id = id;
    refuses(assemble(parts), CmpFailure::bad_data_format, "transactionID");
  }
  parts.transaction_id = hex(random_bytes(16));
  for (const auto* nonce : {"", "0011223344556677"}) {
    parts.nonce = nonce;
    refuses(assemble(parts), CmpFailure::bad_sender_nonce, "senderNonce");
  }
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(CmpByHand, RefusesAnUnprotectedRequest) {
  auto parts = parts_of(device("SN-1"));
  parts.is_protected = false;
  refuses(assemble(parts), CmpFailure::bad_message_check, "not protected");
}

TEST_F(CmpByHand, RefusesARequestWithoutTheSignersCertificate) {
  auto parts = parts_of(device("SN-1"));
  parts.has_certificates = false;
  refuses(assemble(parts), CmpFailure::bad_message_check, "missing in extraCerts");
}

TEST_F(CmpByHand, RefusesASenderThatIsNotTheSigner) {
  auto parts = parts_of(device("SN-1"));
  parts.sender = {{"serialNumber", "SN-2"}};
  refuses(assemble(parts), CmpFailure::bad_message_check, "sender is not the subject");
  parts = parts_of(device("SN-1"));
  parts.key_id = hex(random_bytes(20));
  refuses(assemble(parts), CmpFailure::bad_message_check, "senderKID");
}

TEST_F(CmpByHand, RefusesASignatureByAnotherKeyThanTheCertificates) {
  auto parts = parts_of(device("SN-1"));
  parts.who.key = value_of(crypto::generate_key(crypto::KeyType::p256));
  refuses(assemble(parts), CmpFailure::bad_message_check, "signature does not hold");
}

TEST_F(CmpByHand, RefusesPasswordsAndWeakAlgorithms) {
  auto parts = parts_of(device("SN-1"));
  parts.algorithm = "300b06092a864886f67d07420d";  // PasswordBasedMac
  refuses(assemble(parts), CmpFailure::wrong_integrity, "shared secret");
  parts.algorithm = "300906072a8648ce3d0401";  // ecdsa-with-SHA1
  refuses(assemble(parts), CmpFailure::bad_alg, "signature algorithm");
  parts.algorithm = "300d06092a864886f70d01010b0500";  // an RSA signature by an EC key
  refuses(assemble(parts), CmpFailure::bad_message_check, "another kind");
}

TEST_F(CmpByHand, TakesVersion3AndRefusesVersion1) {
  auto parts = parts_of(device("SN-1"));
  parts.version = "020103";
  EXPECT_EQ(exchange(assemble(parts)).header().version, 3);
  parts.version = "020101";
  EXPECT_EQ(post_cmp(assemble(parts)).status, 400);
}

TEST_F(Cmp, RefusesAProofOfPossessionByAnotherKey) {
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  Bytes content = request_for(key);
  content[content.size() - 1] ^= 1;
  refuses(message(device("SN-1"), CmpBody::ir, content), CmpFailure::bad_pop, "proof of possession");
  const auto word = value_of(crypto::cmp_ra_request({{"serialNumber", "SN-1"}}, key->public_key(), {}, {}));
  refuses(message(device("SN-1"), CmpBody::ir, word), CmpFailure::bad_pop, "raVerified");
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(Cmp, RefusesTheKeyOfTheIdevidItself) {  // decision 9
  const auto who = device("SN-1");
  refuses(message(who, CmpBody::ir, request_for(who.key)), CmpFailure::bad_cert_template, "fresh");
}

TEST_F(Cmp, RefusesMoreThanWasGranted) {
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  refuses(message(device("SN-1"), CmpBody::ir, request_for(key, "SN-2")), CmpFailure::bad_cert_template,
          "another subject");
  const auto names = value_of(crypto::cmp_request({{"serialNumber", "SN-1"}}, *key, {"registrar.example.org"}, {}));
  refuses(message(device("SN-1"), CmpBody::ir, names), CmpFailure::bad_cert_template, "alternative name");
  EXPECT_TRUE(authority_.recorded().empty());
}

TEST_F(Cmp, PassesOnWhyTheAuthorityRefuses) {
  authority_.refusal = Error{PkiError::not_authorized, "no voucher was issued for this device"};
  refuses(ir(device("SN-1")), CmpFailure::not_authorized, "no voucher");
}

TEST_F(Cmp, WithholdsACertificateThatCouldNotBeRecordedAndTellsNoDetails) {
  authority_.cannot_record = true;
  const auto status = refusal_in(exchange(ir(device("SN-1"))));
  EXPECT_EQ(status.failure, CmpFailure::system_unavailable);
  EXPECT_EQ(status.text.find("secret"), std::string::npos);
}

TEST_F(Cmp, RefusesBodiesThatAreNoRequest) {
  const auto who = device("SN-1");
  refuses(message(who, CmpBody::nested, Bytes{0x30, 0x00}), CmpFailure::bad_request, "nested");
  refuses(message(who, CmpBody::ip, Bytes{0x30, 0x00}), CmpFailure::bad_request, "ip is nothing a client sends");
  refuses(message(who, CmpBody::ir, Bytes{0x30, 0x00}), CmpFailure::bad_data_format, "nothing in it");
  Bytes two = request_for(value_of(crypto::generate_key(crypto::KeyType::p256)));
  // The SEQUENCE's content twice: two CertReqMsgs.
  const Bytes one(two.begin() + (two[1] == 0x82 ? 4 : two[1] == 0x81 ? 3 : 2), two.end());
  two = {0x30, 0x82, static_cast<std::uint8_t>(2 * one.size() >> 8), static_cast<std::uint8_t>(2 * one.size())};
  two.insert(two.end(), one.begin(), one.end());
  two.insert(two.end(), one.begin(), one.end());
  refuses(message(who, CmpBody::ir, two), CmpFailure::bad_data_format, "more than one");
  still_serves_cmp();
}

TEST_F(Cmp, ServesItsPathsAndNoOthers) {
  const auto request = ir(device("SN-1"));
  EXPECT_EQ(post_cmp(request.der(), "/nonsense").status, 404);
  EXPECT_EQ(post_cmp(request.der(), "/p/lab").status, 404);
  EXPECT_EQ(post_cmp(request.der(), "/p/lab/initialization").status, 404);
  EXPECT_EQ(post_cmp(request.der(), "", "application/octet-stream").status, 415);
  EXPECT_EQ(send(std::nullopt, {.path = "/.well-known/cmp/initialization"}).status, 405);
  const auto status = value_of(crypto::read_cmp_error(exchange(request, "/certification")));
  EXPECT_NE(status.text.find("this path is for cr, not ir"), std::string::npos) << status.text;
  cmp_.name = "lab";
  restart_cmp();
  EXPECT_EQ(exchange(ir(device("SN-1")), "/p/lab/initialization").body(), CmpBody::ip);
  EXPECT_EQ(exchange(ir(device("SN-1")), "/p/lab").body(), CmpBody::ip);
}

TEST_F(Cmp, CallsWhatIsNoMessageABadRequest) {
  const Bytes good = ir(device("SN-1")).der();
  Bytes cut(good.begin(), good.end() - 4);
  Bytes longer = good;
  longer.push_back(0);
  for (const Bytes& body : {Bytes(), Bytes(40'000, 0x30), random_bytes(4000), cut, longer, Bytes{0x30, 0x80, 0, 0},
                            ca_->certificate().der()}) {
    EXPECT_EQ(post_cmp(body).status, 400);
  }
  still_serves_cmp();
}

TEST_F(Cmp, BelievesARegistrationAuthorityAndNobodyElse) {
  cmp_.registration_authorities = crypto::TrustStore({ca_->certificate()});
  restart_cmp();
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  const auto word = value_of(crypto::cmp_ra_request({{"serialNumber", "SN-5"}, {"CN", "home"}}, key->public_key(), {},
                                                    {"urn:cahn:network:home"}));
  const auto read = value_of(crypto::read_cmp_answer(exchange(message(registration_authority(), CmpBody::cr, word))));
  ASSERT_TRUE(read.certificate.has_value()) << read.status.text;
  EXPECT_EQ(read.certificate->public_key(), key->public_key());
  EXPECT_EQ(read.certificate->uris(), std::vector<std::string>{"urn:cahn:network:home"});
  EXPECT_EQ(authority_.asked, 0);
  refuses(message(member(), CmpBody::cr, word), CmpFailure::bad_pop, "raVerified");
}

}  // namespace
}  // namespace cahn::pki
