// The door of the `brski` tool: what its ini file may say, and how precisely it is told when it may not.

#include "apps/brski/ini.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "base/file.h"

namespace cahn::apps::tool {
namespace {

// L1480-1532, as printed: the blank lines of the document's page breaks included.
constexpr std::string_view sample = R"([pledge]
createdOn = "1973-11-29T21:33:09Z"
serialNumber = "idev-serial12345"
nonce = "some-nonce-value-in-base64"
idevidKeyPath = "/absolute_path_to/idevid.key"
idevidCertPath = "/absolute_path_to/idevid.crt"
idevidCACertPath = "/absolute_path_to/idevid-ca.crt"
cmsSignKeyPath = "/absolute_path_to/pledge-cms.key"
cmsSignCertPath = "/absolute_path_to/pledge-cms.crt"
cmsAdditionalCertPath = ""
cmsVerifyCertPath = ""
cmsVerifyStorePath = ""

[registrar]
bindAddress = "https://registrar-address.com"
port = 12345
tlsKeyPath = ""



tlsCertPath = "/absolute_path_to/registrar-tls.crt"
tlsCACertPath = "/absolute_path_to/registrar-tls-ca.crt"
cmsSignKeyPath = ""
cmsSignCertPath = ""
cmsAdditionalCertPath = ""
cmsVerifyCertPath = ""
cmsVerifyStorePath = ""

[masa]
bindAddress = ""
port = 0
expiresOn = ""
ldevidCAKeyPath = ""
ldevidCACertPath = ""
tlsKeyPath = ""
tlsCertPath = ""
tlsCACertPath = ""
cmsSignKeyPath = ""
cmsSignCertPath = ""
cmsAdditionalCertPath = ""
cmsVerifyCertPath = ""
cmsVerifyStorePath = ""
)";

Ini parsed(std::string_view text) {
  const auto ini = parse_ini(text, "/etc/brski/config.ini");
  EXPECT_TRUE(ini) << ini.error().message;
  return ini ? *ini : Ini();
}

void expect_refused(std::string_view text, IniError code, const std::string& message) {
  const auto ini = parse_ini(text, "config.ini");
  ASSERT_FALSE(ini) << "accepted: " << text;
  EXPECT_EQ(ini.error().code, code) << ini.error().code.name();
  EXPECT_EQ(ini.error().message, message);
}

TEST(TheIni, OfTheDocumentReadsAsItMeans) {
  const Ini ini = parsed(sample);
  EXPECT_EQ(rfc3339(*ini.pledge.created_on), "1973-11-29T21:33:09Z");
  EXPECT_EQ(*ini.pledge.serial_number, "idev-serial12345");
  EXPECT_EQ(*ini.pledge.nonce, "some-nonce-value-in-base64");
  EXPECT_EQ(*ini.pledge.idevid_certificate, "/absolute_path_to/idevid.crt");
  EXPECT_EQ(ini.pledge.idevid_certificate.line, 6u);
  EXPECT_EQ(ini.registrar.bind_address->text, "registrar-address.com");
  EXPECT_EQ(*ini.registrar.port, 12345);
  EXPECT_FALSE(ini.registrar.tls_key) << "an empty string is a key that is not set";
  EXPECT_EQ(ini.registrar.tls_key.line, 17u) << "but its line is known";
  EXPECT_FALSE(ini.masa.port) << "port = 0 is how the document says: no port";
  EXPECT_FALSE(ini.masa.expires_on);
}

TEST(TheIni, KnowsTheKeysOfTheDocumentAndOneMore) {
  std::set<std::string> known, printed{"registrar.compat"};
  const Ini nothing;
  visit_settings(nothing, [&](const auto& setting) {
    EXPECT_TRUE(known.insert(std::string(setting.section) + "." + std::string(setting.key)).second);
    EXPECT_FALSE(setting.help.empty());
  });
  std::string section;
  for (std::size_t at = 0; at < sample.size();) {
    const auto end = sample.find('\n', at);
    const std::string line(sample.substr(at, end - at));
    at = end + 1;
    if (line.starts_with("[")) section = line.substr(1, line.size() - 2);
    if (line.find(" = ") != line.npos) printed.insert(section + "." + line.substr(0, line.find(" = ")));
  }
  EXPECT_EQ(known, printed);
}

TEST(TheIni, IsTheSameAfterItWasWrittenAndReadAgain) {
  const std::string text = to_text(parsed(sample));
  EXPECT_EQ(to_text(parsed(text)), text);
  EXPECT_NE(text.find("port = 12345\n"), text.npos);
  EXPECT_NE(text.find("expiresOn = \"\"\n"), text.npos);
}

TEST(TheIni, MayBeWrittenInEveryUsualManner) {
  const Ini ini = parsed(
      "\xef\xbb\xbf; comment\r\n# another\r\n\r\n  [ pledge ]  ; here\r\n\tserialNumber=bare value ; comment\r\n"
      "nonce = \"a;b#c d\" # comment\r\nidevidKeyPath = keys/idevid.key\r\n[registrar]\r\nport=\"443\"");
  EXPECT_EQ(*ini.pledge.serial_number, "bare value");
  EXPECT_EQ(*ini.pledge.nonce, "a;b#c d");
  EXPECT_EQ(*ini.pledge.idevid_key, "/etc/brski/keys/idevid.key") << "relative to the file";
  EXPECT_EQ(*ini.registrar.port, 443);
}

TEST(TheIni, MayNameKeysByUri) {
  const Ini ini = parsed("[masa]\ntlsKeyPath = \"pkcs11:token=masa;object=tls\"\ncmsSignKeyPath = tpm2:0x81000001\n");
  EXPECT_EQ(*ini.masa.tls_key, "pkcs11:token=masa;object=tls");
  EXPECT_EQ(*ini.masa.cms.sign_key, "tpm2:0x81000001");
}

TEST(TheIni, MayLeaveEverythingOut) {
  EXPECT_FALSE(parsed("").pledge.serial_number);
  EXPECT_FALSE(parsed("[masa]\n").masa.port);
  EXPECT_FALSE(parsed("[masa]\nexpiresOn =\n[pledge]").masa.expires_on);
}

TEST(TheIni, NamesTheNearestKeyAndSection) {
  expect_refused("[pledge]\nserialNumbr = \"1\"\n", IniError::unknown_key,
                 "config.ini:2: [pledge] 'serialNumbr' is not a key; did you mean 'serialNumber'?");
  expect_refused("[pledge]\n\nSerialNumber = \"1\"\n", IniError::unknown_key,
                 "config.ini:3: [pledge] 'SerialNumber' is not a key; did you mean 'serialNumber'?");
  expect_refused("[registrar]\nexpiresOn = \"\"\n", IniError::unknown_key,
                 "config.ini:2: [registrar] 'expiresOn' is not a key; it is one of [masa]");
  expect_refused("[registar]\n", IniError::unknown_section,
                 "config.ini:1: [registar] is not a section; did you mean 'registrar'?");
  expect_refused("[cas]\n", IniError::unknown_section, "config.ini:1: [cas] is not a section; did you mean 'masa'?");
  expect_refused("[pledge]\nwifi = \"1\"\n", IniError::unknown_key, "config.ini:2: [pledge] 'wifi' is not a key");
}

TEST(TheIni, SaysEverythingOnce) {
  expect_refused("[masa]\nport = 1\nport = 1\n", IniError::duplicate,
                 "config.ini:3: [masa] port: it stands in line 2 already");
  expect_refused("[masa]\nport = 0\nport = 1\n", IniError::duplicate,
                 "config.ini:3: [masa] port: it stands in line 2 already");
  expect_refused("[masa]\n[pledge]\n[masa]\n", IniError::duplicate, "config.ini:3: [masa] stands in line 1 already");
}

TEST(TheIni, RefusesDatesThatAreNone) {
  for (const std::string date : {"1973-13-29T21:33:09Z", "1973-02-30T21:33:09Z", "yesterday", "1973-11-29",
                                 "1973-11-29 21:33:09", "9999-12-31T23:59:59-12:00"}) {
    expect_refused(
        "[pledge]\ncreatedOn = \"" + date + "\"\n", IniError::bad_value,
        "config.ini:2: [pledge] createdOn: '" + date + "' is no date; write one as \"1973-11-29T21:33:09Z\"");
  }
  EXPECT_EQ(rfc3339(*parsed("[masa]\nexpiresOn = \"1973-11-29T22:33:09.5+01:00\"\n").masa.expires_on),
            "1973-11-29T21:33:09Z");
}

TEST(TheIni, RefusesPortsAndHostsThatAreNone) {
  for (const std::string port : {"65536", "-1", "0x10", "99999999999999999999", "12 34", "1.5"}) {
    expect_refused("[masa]\nport = " + port + "\n", IniError::bad_value,
                   "config.ini:2: [masa] port: '" + port + "' is no port from 0 to 65535");
  }
  expect_refused(
      "[masa]\nbindAddress = \"https://masa:9443\"\n", IniError::bad_value,
      "config.ini:2: [masa] bindAddress: 'https://masa:9443' has a port in it; the port is a key of its own");
  for (const std::string host : {"http://masa", "https://masa/path", "a b", "user@masa", "[masa]", "https://"}) {
    expect_refused(
        "[masa]\nbindAddress = \"" + host + "\"\n", IniError::bad_value,
        "config.ini:2: [masa] bindAddress: '" + host + "' is no host; write a name, an address or https://host");
  }
  for (const auto& [text, host] : {std::pair("::1", "::1"),
                                   {"[fe80::1%eth0]", "fe80::1%eth0"},
                                   {"https://[::1]", "::1"},
                                   {"https://masa.example/", "masa.example"},
                                   {"0.0.0.0", "0.0.0.0"}})
    EXPECT_EQ(parse_host(text)->text, host);
}

TEST(TheIni, SaysHowPeersSpeak) {
  EXPECT_EQ(*parsed("[registrar]\ncompat = \"field\"\n").registrar.compat, Dialect::field);
  EXPECT_EQ(*parsed("[registrar]\ncompat = strict\n").registrar.compat, Dialect::strict);
  EXPECT_FALSE(parsed("[registrar]\ncompat = \"\"\n").registrar.compat);
  expect_refused("[registrar]\ncompat = yes\n", IniError::bad_value,
                 "config.ini:2: [registrar] compat: 'yes' is neither strict nor field");
}

TEST(TheIni, RefusesLinesThatMeanNothing) {
  expect_refused("port = 1\n", IniError::bad_line, "config.ini:1: 'port' stands before the first [section]");
  expect_refused("[masa]\nport\n", IniError::bad_line,
                 "config.ini:2: 'port' is neither a [section], nor key = value, nor a ; comment");
  expect_refused("[masa\n", IniError::bad_line, "config.ini:1: '[masa' is no [section]");
  expect_refused("[masa] port = 1\n", IniError::bad_line, "config.ini:1: '[masa] port = 1' is no [section]");
  expect_refused("[masa]\n= 1\n", IniError::unknown_key, "config.ini:2: [masa] '' is not a key");
}

TEST(TheIni, RefusesQuotesThatDoNotClose) {
  expect_refused("[pledge]\nnonce = \"abc\n", IniError::bad_value,
                 "config.ini:2: [pledge] nonce: the quote is not closed");
  expect_refused("[pledge]\nnonce = \"abc\" def\n", IniError::bad_value,
                 "config.ini:2: [pledge] nonce: something stands behind the closing quote: 'def'");
  expect_refused("[pledge]\nnonce = ab\"c\"\n", IniError::bad_value,
                 "config.ini:2: [pledge] nonce: a quote inside a value without quotes");
  expect_refused("[pledge]\nnonce = 'abc'\n", IniError::bad_value,
                 "config.ini:2: [pledge] nonce: a quote inside a value without quotes");
}

TEST(TheIni, RefusesWhatIsNotText) {
  expect_refused("[pledge]\nnonce = \"a\x1b[2Jb\"\n", IniError::bad_text, "config.ini:2: it has a control character");
  expect_refused(std::string_view("[pledge]\nnonce = \"a\0b\"\n", 22), IniError::bad_text,
                 "config.ini:2: it has a control character");
  expect_refused("[pledge]\rnonce = \"a\"\n", IniError::bad_text, "config.ini:1: it has a control character");
  expect_refused("[pledge]\nnonce = \"\xc2\x9b\"\n", IniError::bad_text, "config.ini:2: it has a control character");
  for (const std::string bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"})
    expect_refused("[pledge]\nnonce = \"" + bad + "\"\n", IniError::bad_text, "config.ini:2: it is not UTF-8");
  EXPECT_EQ(*parsed("[pledge]\nserialNumber = \"grün-€-😀\"\n").pledge.serial_number, "grün-€-😀");
}

TEST(TheIni, IsBounded) {
  expect_refused(std::string(65537, '\n'), IniError::too_large, "config.ini: more than 64 KiB");
  expect_refused(";" + std::string(4096, 'x') + "\n", IniError::too_large,
                 "config.ini:1: a line of more than 4096 octets");
  expect_refused("[pledge]\nnonce = " + std::string(257, 'x') + "\n", IniError::bad_value,
                 "config.ini:2: [pledge] nonce: longer than 256 octets");
  EXPECT_TRUE(parse_ini(std::string(65536, '\n'), "config.ini"));
  EXPECT_EQ(parsed("[pledge]\nnonce = " + std::string(256, 'x')).pledge.nonce->size(), 256u);
}

TEST(TheIni, SaysWhichFileIsNotThere) {
  const auto ini = read_ini("/nowhere/config.ini");
  ASSERT_FALSE(ini);
  EXPECT_EQ(ini.error().code, IniError::unreadable);
  EXPECT_NE(ini.error().message.find("/nowhere/config.ini"), std::string::npos) << ini.error().message;
}

// docs/brski-tool.md has a table of every key; this holds it and the code together.
TEST(TheIni, IsDescribedInTheManual) {
  const auto content = read_file("docs/brski-tool.md");
  ASSERT_TRUE(content) << content.error().message;
  const std::string manual = to_string(*content);
  std::string expected;
  const Ini nothing;
  visit_settings(nothing, [&](const auto& setting) {
    expected += "| `[" + std::string(setting.section) + "]` | `" + std::string(setting.key) + "` | " +
                std::string(setting.help) + " |\n";
  });
  EXPECT_NE(manual.find(expected), manual.npos) << "the manual should have:\n" << expected;
}

}  // namespace
}  // namespace cahn::apps::tool
