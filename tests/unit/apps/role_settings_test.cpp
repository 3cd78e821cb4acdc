#include "apps/cahn/role_settings.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "base/file.h"

namespace cahn::apps {
namespace {

class ARolesSettings : public testing::Test {
 protected:
  ARolesSettings() {
    settings_.add("listen", listen_, "where");
    settings_.add("port", port_, "port");
    settings_.add("announce", announce_, "mDNS");
    settings_.add("manufacturer", manufacturers_, "anchors");
  }
  ~ARolesSettings() override { std::filesystem::remove(file_); }

  Result<void> load(const std::string& toml, std::vector<std::string> arguments = {}) {
    EXPECT_TRUE(write_file(file_, as_bytes(toml)));
    arguments.insert(arguments.begin(), {"--config", file_});
    std::reverse(arguments.begin(), arguments.end());
    command_.parse(arguments);
    return settings_.load();
  }

  std::string file_ = testing::TempDir() + "role_settings_" + std::to_string(getpid()) + ".toml";
  std::string listen_ = "::";
  std::uint16_t port_ = 8443;
  bool announce_ = true;
  std::vector<std::string> manufacturers_;
  CLI::App command_{"role"};
  RoleSettings settings_{command_, "registrar", "state"};
};

TEST_F(ARolesSettings, ComeFromTheFile) {
  ASSERT_TRUE(load("listen = \"10.0.0.1\"\nport = 9000\nannounce = false\nmanufacturer = [\"a.pem\", \"b.pem\"]\n"));
  EXPECT_EQ(listen_, "10.0.0.1");
  EXPECT_EQ(port_, 9000);
  EXPECT_FALSE(announce_);
  EXPECT_EQ(manufacturers_, (std::vector<std::string>{"a.pem", "b.pem"}));
}

TEST_F(ARolesSettings, LetTheCommandLineWinOverTheFile) {
  ASSERT_TRUE(load("port = 9000\nmanufacturer = [\"a.pem\"]\n",
                   {"--port", "9001", "--manufacturer", "c.pem", "--manufacturer", "d.pem"}));
  EXPECT_EQ(port_, 9001);
  EXPECT_EQ(manufacturers_, (std::vector<std::string>{"c.pem", "d.pem"}));
}

TEST_F(ARolesSettings, RefuseAnUnknownKeyAndNameTheNearest) {
  const auto loaded = load("lisen = \"::1\"\n");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, SettingsError::unknown_key);
  EXPECT_NE(loaded.error().message.find("did you mean `listen`?"), std::string::npos) << loaded.error().message;
  EXPECT_NE(loaded.error().message.find(":1:"), std::string::npos) << loaded.error().message;
}

TEST_F(ARolesSettings, RefuseAValueOfTheWrongType) {
  for (const char* toml :
       {"port = \"9000\"\n", "port = 65536\n", "port = -1\n", "announce = 1\n", "manufacturer = \"a\"\n"}) {
    const auto loaded = load(toml);
    ASSERT_FALSE(loaded) << toml;
    EXPECT_EQ(loaded.error().code, SettingsError::bad_value) << loaded.error().message;
  }
}

TEST_F(ARolesSettings, SayWhereTheFileIsNotToml) {
  const auto loaded = load("port = 1\nport = = 2\n");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, SettingsError::bad_toml);
  EXPECT_NE(loaded.error().message.find(":2:"), std::string::npos) << loaded.error().message;
}

TEST_F(ARolesSettings, NameAMissingSettingByFlagAndKey) {
  ASSERT_TRUE(load(""));
  const auto required = settings_.require("manufacturer", manufacturers_);
  ASSERT_FALSE(required);
  EXPECT_EQ(required.error().code, SettingsError::missing);
  EXPECT_NE(required.error().message.find("--manufacturer"), std::string::npos);
}

TEST(TheNearestWord, IsNoneWhenNothingIsNear) {
  EXPECT_EQ(nearest_word("prot", {"port", "listen"}), "port");
  EXPECT_EQ(nearest_word("zzzzzzzz", {"port", "listen"}), "");
}

}  // namespace
}  // namespace cahn::apps
