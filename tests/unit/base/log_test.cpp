#include "base/log.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace cahn::log {
namespace {

class Logs : public testing::Test {
 protected:
  ~Logs() override { configure({}); }

  template <typename F>
  static std::string written_by(F f) {
    testing::internal::CaptureStderr();
    f();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(Logs, AreOneLineOfTextWithIdAndFields) {
  configure({.role = "masa"});
  const auto line =
      written_by([] { info("MASA-1", "issued a voucher", {{"serial", "42-AB"}, {"why", "it was asked"}}); });
  EXPECT_NE(line.find(" info    masa [MASA-1] issued a voucher serial=42-AB why=\"it was asked\"\n"), std::string::npos)
      << line;
}

TEST_F(Logs, HostileTextCannotForgeALineOrAField) {
  const std::string hostile = "x\nforged [MASA-1] line serial=\"1\" \x1b[2J \xc2\x9b \xe2\x80\xae \xff\\";
  const auto line = written_by([&] { info("A-1", "refused", {{"name", hostile}}); });
  EXPECT_EQ(std::ranges::count(line, '\n'), 1) << line;
  EXPECT_NE(line.find(R"(name="x\nforged [MASA-1] line serial=\"1\" \u001b[2J \u009b \u202e \ufffd\\")"),
            std::string::npos)
      << line;
}

TEST_F(Logs, HostileTextInTheMessageIsEscapedToo) {
  const auto line = written_by([] { info("A-1", "no such file: a\r\nb"); });
  EXPECT_NE(line.find(R"(a\r\nb)"), std::string::npos);
}

TEST_F(Logs, AreOneJsonObjectALineWhenAsked) {
  configure({.level = Level::debug, .json = true, .role = "registrar"});
  const auto line = written_by([] { warning("R-2", "said \"no\"", {{"device", "a\tb"}, {"n", "1"}}); });
  EXPECT_TRUE(line.starts_with(R"({"ts":"2)")) << line;
  EXPECT_TRUE(line.ends_with(
      R"("level":"warning","role":"registrar","id":"R-2","message":"said \"no\"","fields":{"device":"a\tb","n":"1"}})"
      "\n"))
      << line;
}

TEST_F(Logs, KeepWellFormedTextOfAnyLanguage) {
  configure({.json = true});
  const auto line = written_by([] { info("R-2", "m", {{"name", "Zoë 東京 😀"}}); });
  EXPECT_NE(line.find("Zoë 東京 😀"), std::string::npos) << line;
}

TEST_F(Logs, AreSilentBelowTheirLevel) {
  configure({.level = Level::warning});
  EXPECT_EQ(written_by([] { info("A-1", "quiet"); }), "");
  EXPECT_FALSE(enabled(Level::info));
  EXPECT_TRUE(enabled(Level::error));
}

}  // namespace
}  // namespace cahn::log
