// What comes from outside, cut at every length and with bits flipped: each function refuses it, and nothing leaks.

#include "tests/unit/voucher_c/c_library.h"

namespace cahn::voucher {
namespace {

// Everything about as long as the octets themselves: every cut for short ones, a sample for long ones.
template <typename Check>
void for_every_cut(const Bytes& octets, const Check& check) {
  const std::size_t step = octets.size() / 150 + 1;
  for (std::size_t size = 0; size < octets.size(); size += step) check(Argument(ByteView(octets).first(size)));
  Bytes longer = octets;
  longer.push_back(0);
  check(Argument(longer));
}

// One bit of every `step`th octet.
template <typename Check>
void for_every_flip(const Bytes& octets, const Check& check) {
  const std::size_t step = octets.size() / 150 + 1;
  for (std::size_t at = 0; at < octets.size(); at += step) {
    Bytes flipped = octets;
    flipped[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    check(Argument(flipped));
  }
}

class HostileOctets : public Exchange {
 protected:
  const ArrayPtr request_ = pledge_request();
  const ArrayPtr registrar_request_ = registrar_request(request_.get());
  const ArrayPtr voucher_ = masa_voucher(registrar_request_.get());
};

TEST_F(HostileOctets, InAPledgesRequestAreRefusedOrChangeNothing) {
  ASSERT_NE(registrar_request_, nullptr) << voucher_last_error();
  for_every_cut(octets_of(request_.get()), [&](const Argument& cms) { EXPECT_EQ(registrar_request(&cms), nullptr); });
  // Version numbers are not signed over either.
  for_every_flip(octets_of(request_.get()), [&](const Argument& cms) {
    const ArrayPtr request = registrar_request(&cms);
    if (request) EXPECT_EQ(read(request.get(), Root::voucher_request).voucher.nonce, base64(nonce_octets()));
  });
}

TEST_F(HostileOctets, InARegistrarsRequestAreRefusedOrChangeNothing) {
  ASSERT_NE(voucher_, nullptr) << voucher_last_error();
  for_every_cut(octets_of(registrar_request_.get()),
                [&](const Argument& cms) { EXPECT_EQ(masa_voucher(&cms), nullptr); });
  // The certificates beside the signer's are not signed over: a flip there may go unnoticed, and then changes nothing.
  for_every_flip(octets_of(registrar_request_.get()), [&](const Argument& cms) {
    const ArrayPtr voucher = masa_voucher(&cms);
    if (voucher) EXPECT_EQ(read(voucher.get(), Root::voucher).voucher.nonce, base64(nonce_octets()));
  });
}

TEST_F(HostileOctets, InAVoucherAreRefusedOrChangeNothing) {
  ASSERT_EQ(pledge_reads(voucher_.get()), 0) << voucher_last_error();
  for_every_cut(octets_of(voucher_.get()), [&](const Argument& cms) { EXPECT_EQ(pledge_reads(&cms), -1); });
  for_every_flip(octets_of(voucher_.get()), [&](const Argument& cms) {
    if (pledge_reads(&cms) == 0) EXPECT_EQ(pinned_, owner_.pin);
  });
}

TEST_F(HostileOctets, InAVerifiedMessageAreRefusedOrChangeNothing) {
  const ListPtr store = list_of({pki_.masa_ca().certificate});
  const auto verify = [&](const Argument& cms) {
    BinaryArrayList* out = nullptr;
    VoucherPtr voucher(verify_cms_voucher(&cms, nullptr, store.get(), &out));
    EXPECT_EQ(voucher != nullptr, out != nullptr);
    free_array_list(out);
    return voucher;
  };
  for_every_cut(octets_of(voucher_.get()), [&](const Argument& cms) { EXPECT_EQ(verify(cms), nullptr); });
  for_every_flip(octets_of(voucher_.get()), [&](const Argument& cms) {
    const VoucherPtr voucher = verify(cms);
    if (voucher) EXPECT_STREQ(*get_attr_str_voucher(voucher.get(), ATTR_SERIAL_NUMBER), serial);
  });
}

TEST_F(HostileOctets, InAKeyAreRefusedOrSignNothingElse) {
  const Argument cert(masa_.certificate);
  const VoucherPtr voucher(init_voucher());
  ASSERT_EQ(set_attr_str_voucher(voucher.get(), ATTR_SERIAL_NUMBER, serial), 0);
  const ListPtr store = list_of({masa_.certificate});
  for (const KeyForm form : {KeyForm::pkcs8, KeyForm::traditional}) {
    const auto sign = [&](const Argument& key) {
      return ArrayPtr(sign_cms_voucher(voucher.get(), &cert, &key, nullptr));
    };
    ASSERT_NE(sign(Argument(key_der(*masa_.key, form))), nullptr) << voucher_last_error();
    for_every_cut(key_der(*masa_.key, form), [&](const Argument& key) { EXPECT_EQ(sign(key), nullptr); });
    for_every_flip(key_der(*masa_.key, form), [&](const Argument& key) {
      const ArrayPtr cms = sign(key);
      if (cms) EXPECT_NE(VoucherPtr(verify_cms_voucher(cms.get(), nullptr, store.get(), nullptr)), nullptr);
    });
  }
}

TEST_F(HostileOctets, InAStoreAreRefused) {
  for_every_cut(pki_.masa_ca().certificate.der(), [&](const Argument& cut) {
    const ListPtr store = list_of({pki_.masa_ca().certificate});
    append(store.get(), cut.octets, CRYPTO_CERTIFICATE_VALID);
    EXPECT_EQ(verify_cms_voucher(voucher_.get(), nullptr, store.get(), nullptr), nullptr);
    EXPECT_EQ(verify_cms_voucher(voucher_.get(), store.get(), store.get(), nullptr), nullptr);
  });
}

TEST_F(HostileOctets, OfAnEndlessListEndTheCall) {
  const ListPtr store = list_of({pki_.masa_ca().certificate, pki_.masa().certificate});
  // The last element points to the first and not to the head.
  dl_list* const first = store->list.next;
  dl_list* const last = store->list.prev;
  last->next = first;
  EXPECT_EQ(verify_cms_voucher(voucher_.get(), nullptr, store.get(), nullptr), nullptr);
  EXPECT_EQ(verify_cms_voucher(voucher_.get(), store.get(), nullptr, nullptr), nullptr);
  last->next = nullptr;
  EXPECT_EQ(verify_cms_voucher(voucher_.get(), nullptr, store.get(), nullptr), nullptr);
  last->next = &store->list;
  EXPECT_NE(VoucherPtr(verify_cms_voucher(voucher_.get(), nullptr, store.get(), nullptr)), nullptr);
}

TEST_F(HostileOctets, InASubjectDoNotReachTheTerminal) {
  const Identity who = Pki::issue({.subject = {{"CN", "\x1b[31mred\xc2\x9b"}}}, &pki_.manufacturer());
  const Argument cert(who.certificate), key = key_of(who);
  const VoucherPtr voucher(init_voucher());
  ASSERT_EQ(set_attr_str_voucher(voucher.get(), ATTR_SERIAL_NUMBER, serial), 0);
  const ArrayPtr cms(sign_cms_voucher(voucher.get(), &cert, &key, nullptr));
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  EXPECT_EQ(verify_cms_voucher(cms.get(), nullptr, list_of({pki_.masa_ca().certificate}).get(), nullptr), nullptr);
  for (const char* c = voucher_last_error(); *c != '\0'; ++c) EXPECT_TRUE(*c >= 0x20 && *c < 0x7f);
}

}  // namespace
}  // namespace cahn::voucher
