#include "apps/brski/artefact.h"

#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "brski/wire.h"

namespace cahn::apps::tool {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t max_artefact = std::size_t{1} << 20;
constexpr int max_nesting = 3;  // a request in a request; RFC 8995 has two

Result<Bytes> read_input(const std::string& file) {
  if (file != "-") return read_file(file, max_artefact);
  Bytes content;
  std::uint8_t buffer[4096];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, stdin)) {
    content.insert(content.end(), buffer, buffer + got);
    if (content.size() > max_artefact) return fail(FileError::too_large, "standard input: more than 1 MiB");
  }
  return content;
}

// What stands between the lines of dashes; all of it where there are none.
std::string_view without_armour(std::string_view text) {
  const auto begin = text.find("-----BEGIN ");
  if (begin == text.npos) return text;
  const auto body = text.find('\n', begin);
  const auto end = text.find("-----END ", begin);
  return body == text.npos || end == text.npos || body > end ? std::string_view() : text.substr(body, end - body);
}

std::string name_of(const crypto::Certificate& certificate) { return brski::printable(certificate.subject_text()); }

std::string validity_of(const crypto::Certificate& certificate) {
  return rfc3339(certificate.not_before()) + " to " + rfc3339(certificate.not_after());
}

std::string row(std::string_view name, const std::string& value) {
  std::string line(name);
  line.resize(std::max<std::size_t>(line.size() + 1, 28), ' ');
  return line + value + "\n";
}

std::string rows_of(std::string_view name, const crypto::Certificate& certificate) {
  return row(name, name_of(certificate)) + row("  issued by", brski::printable(certificate.issuer_text())) +
         row("  valid", validity_of(certificate)) + row("  SHA-256", hex(certificate.fingerprint()));
}

std::string_view word_for(voucher::Root root) { return root == voucher::Root::voucher ? "voucher" : "voucher-request"; }

std::string content_type_text(const OpenedArtefact& opened) {
  const bool anima = opened.content_type == crypto::oid_anima_json_voucher;
  return opened.content_type + (anima ? " (id-ct-animaJSONVoucher)" : " (id-data)");
}

std::string indented(const std::string& text) {
  std::string out = "    ";
  for (const char c : text) out += c == '\n' ? std::string("\n    ") : std::string(1, c);
  out.resize(out.size() - 4);
  return out;
}

Result<std::string> describe_nested(ByteView cms, int depth) {
  CAHN_TRY(const auto opened, open_artefact(cms));
  const auto& message = opened.message;
  std::string text = row(word_for(opened.root), "the signature holds; content type " + content_type_text(opened));
  if (!opened.why_not_strict.empty()) text += row("  read tolerantly", brski::printable(opened.why_not_strict));
  text += rows_of("signed by", message.signer);
  if (message.signing_time) text += row("  signing time", rfc3339(*message.signing_time));
  for (const crypto::Certificate& certificate : message.certificates) {
    if (certificate != message.signer) text += rows_of("carries", certificate);
  }
  if (message.voucher.pinned_domain_cert) text += rows_of("pinned-domain-cert", *message.voucher.pinned_domain_cert);
  if (message.voucher.proximity_registrar_cert)
    text += rows_of("proximity-registrar-cert", *message.voucher.proximity_registrar_cert);
  text += ordered_json::parse(opened.document).dump(2, ' ', /*ensure_ascii=*/true) + "\n";
  const auto& prior = message.voucher.prior_signed_voucher_request;
  if (!prior) return text;
  text += "prior-signed-voucher-request\n";
  if (depth >= max_nesting) return text + "    (not shown: too deep)\n";
  const auto inner = describe_nested(*prior, depth + 1);
  return text + indented(inner ? *inner : "unreadable: " + brski::printable(inner.error().message) + "\n");
}

ordered_json json_of(const crypto::Certificate& certificate) {
  ordered_json json = {{"subject", certificate.subject_text()},          {"issuer", certificate.issuer_text()},
                       {"notBefore", rfc3339(certificate.not_before())}, {"notAfter", rfc3339(certificate.not_after())},
                       {"sha256", hex(certificate.fingerprint())},       {"der", base64(certificate.der())}};
  if (const auto serial = certificate.subject_serial_number()) json["serialNumber"] = *serial;
  return json;
}

Result<ordered_json> json_nested(ByteView cms, int depth) {
  CAHN_TRY(const auto opened, open_artefact(cms));
  const auto& message = opened.message;
  ordered_json json = {{"root", word_for(opened.root)},
                       {"contentType", opened.content_type},
                       {"strict", opened.why_not_strict.empty()},
                       {"signer", json_of(message.signer)}};
  if (message.signing_time) json["signingTime"] = rfc3339(*message.signing_time);
  json["certificates"] = ordered_json::array();
  for (const crypto::Certificate& certificate : message.certificates)
    json["certificates"].push_back(json_of(certificate));
  json["document"] = ordered_json::parse(opened.document);
  const auto& prior = message.voucher.prior_signed_voucher_request;
  if (!prior || depth >= max_nesting) return json;
  auto inner = json_nested(*prior, depth + 1);
  json["prior"] = inner ? *std::move(inner) : ordered_json{{"unreadable", inner.error().message}};
  return json;
}

}  // namespace

Result<Bytes> read_artefact(const std::string& file) {
  CAHN_TRY(Bytes content, read_input(file));
  if (!content.empty() && content[0] == 0x30) return content;  // DER of a SEQUENCE
  auto der = base64_decode_lenient(without_armour(as_text(content)));
  if (!der || der->empty()) {
    return fail(voucher::VoucherError::not_cms,
                (file == "-" ? std::string("standard input") : file) + " is neither DER nor PEM nor base64");
  }
  return der;
}

Result<void> write_artefact(const std::string& out, ByteView content) {
  if (!out.empty() && out != "-") return write_file(out, content);
  if (::isatty(STDOUT_FILENO) != 0)
    return fail(FileError::not_writable, "this is binary and standard output is a terminal; say where with -o FILE");
  if (std::fwrite(content.data(), 1, content.size(), stdout) == content.size() && std::fflush(stdout) == 0) return {};
  return fail(FileError::not_writable, "standard output cannot be written");
}

Result<OpenedArtefact> open_artefact(ByteView cms) {
  CAHN_TRY(const auto message, crypto::SignedMessage::verify(cms));
  using enum voucher::Root;
  std::optional<Error> objection;
  for (const auto reading : {voucher::Reading::strict, voucher::Reading::tolerant}) {
    for (const auto root : {voucher::Root::voucher, voucher_request}) {
      auto opened = voucher::open(cms, root, reading);
      if (opened) {
        return OpenedArtefact{*std::move(opened), root, message.content_type(), to_string(message.content()),
                              objection && reading == voucher::Reading::tolerant ? objection->message : ""};
      }
      // That it is no voucher is of no interest when it is a request, and the other way round.
      if (!objection || objection->code == voucher::VoucherError::wrong_root) objection = opened.error();
    }
  }
  return std::unexpected(*objection);
}

Result<std::string> describe(ByteView cms) { return describe_nested(cms, 0); }

Result<std::string> describe_as_json(ByteView cms) {
  CAHN_TRY(const ordered_json json, json_nested(cms, 0));
  return json.dump(2, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace cahn::apps::tool
