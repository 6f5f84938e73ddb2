#include "control/model/values.h"

#include <gtest/gtest.h>

#include "control/model/diagnostic.h"

namespace sekisho::control {
namespace {

TEST(Values, Durations) {
  EXPECT_EQ(*parse_duration("1s"), 1u);
  EXPECT_EQ(*parse_duration("2m"), 120u);
  EXPECT_EQ(*parse_duration("8h"), 28800u);
  EXPECT_EQ(*parse_duration("45d"), 45u * 86400);
  for (const char* bad :
       {"", "s", "8", "-1s", "+1s", "1.5h", " 1s", "1s ", "1H", "1w", "0h", "18446744073709551616s"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
  for (const std::uint32_t s : {1u, 59u, 60u, 90u, 3600u, 5400u, 86400u, 90061u}) {
    EXPECT_EQ(*parse_duration(duration_text(s)), s);
  }
}

TEST(Values, PrefixLengthOnlyOfPrefixes) {
  const auto length = [](const char* text) { return prefix_length(*parse_address_range(text)); };
  EXPECT_EQ(length("0.0.0.0/0"), 0u);
  EXPECT_EQ(length("10.0.0.0-10.0.0.255"), 24u);
  EXPECT_EQ(length("10.0.0.1"), 32u);
  EXPECT_EQ(length("2001:db8::/65"), 65u);
  EXPECT_FALSE(length("10.0.0.1-10.0.0.2"));
  EXPECT_FALSE(length("10.0.0.0-10.0.0.254"));
  EXPECT_FALSE(length("10.0.0.255-10.0.1.0"));
}

TEST(Values, AddressesThatLookOddAreRefused) {
  for (const char* bad : {"", "10.1", "0x0a.0.0.1", "10.0.0.1 ", "::ffff:1.2.3", "fe80::1%eth0", "1::2::3"}) {
    EXPECT_FALSE(parse_address(bad)) << bad;
  }
  EXPECT_FALSE(parse_address(std::string_view("10.0.0.1\0x", 10)));
  EXPECT_FALSE(parse_address(std::string(100, '1')));
}

TEST(Values, NearestName) {
  const std::vector<std::string> names = {"his", "device", "vendor", "tcp_opening"};
  EXPECT_EQ(nearest("hsi", names), "his");
  EXPECT_EQ(nearest("vender", names), "vendor");
  EXPECT_EQ(nearest("tcp_open", names), "tcp_opening");
  EXPECT_EQ(nearest("zzz", names), "");
  EXPECT_EQ(nearest("x", names), "");
  EXPECT_EQ(nearest(std::string(1000, 'a'), names), "");
}

TEST(Values, QuotedIsBoundedAndPrintable) {
  EXPECT_EQ(control::quoted("a\nb"), "\"a\\x0ab\"");
  std::string japanese = "x";
  for (int i = 0; i < 100; ++i) japanese += "遮";
  // 80 bytes would end inside of a character.
  EXPECT_EQ(control::quoted(japanese), "\"x" + japanese.substr(1, 26 * 3) + "…\"");
  EXPECT_EQ(toml_string("a\"\\\x01"), "\"a\\\"\\\\\\u0001\"");
}

TEST(Diagnostics, TextAndJson) {
  const std::vector<std::string> files = {"site.toml"};
  const Diagnostic error{Diagnostic::Severity::error, {0, 3, 7}, "bad \"x\"", "good"};
  const Diagnostic warning{Diagnostic::Severity::warning, {}, "odd\xff", ""};
  EXPECT_EQ(format(error, files), "site.toml:3:7: error: bad \"x\"; expected good");
  EXPECT_EQ(format(warning, {"s"}), "s: warning: odd\xff");
  EXPECT_EQ(to_json({error, warning}, files),
            "[{\"file\":\"site.toml\",\"line\":3,\"column\":7,\"severity\":\"error\",\"what\":\"bad "
            "\\\"x\\\"\",\"expected\":"
            "\"good\"},{\"file\":\"site.toml\",\"line\":0,\"column\":0,\"severity\":\"warning\",\"what\":"
            "\"odd\xef\xbf\xbd\","
            "\"expected\":\"\"}]");
  EXPECT_TRUE(has_errors({error}));
  EXPECT_FALSE(has_errors({warning}));
}

}  // namespace
}  // namespace sekisho::control
