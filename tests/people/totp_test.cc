#include "control/people/totp.h"

#include <gtest/gtest.h>

#include <set>

namespace sekisho::control {
namespace {

TotpSecret rfc_secret() {
  const std::string text = "12345678901234567890";
  return {text.begin(), text.end()};
}

// RFC 6238, appendix B, SHA-1; the last six of its eight digits.
TEST(Totp, TheRfcsOwnValues) {
  const std::pair<std::uint64_t, const char*> values[] = {{59, "287082"},         {1111111109, "081804"},
                                                          {1111111111, "050471"}, {1234567890, "005924"},
                                                          {2000000000, "279037"}, {20000000000, "353130"}};
  for (const auto& [seconds, code] : values)
    EXPECT_EQ(totp_code(rfc_secret(), seconds / 30), code) << seconds;
}

TEST(Totp, OneStepBeforeAndAfterButNoFurther) {
  const TotpSecret s = rfc_secret();
  constexpr std::uint64_t kNow = 1'700'000'000, kStep = kNow / 30;
  for (const std::uint64_t step : {kStep - 1, kStep, kStep + 1})
    EXPECT_EQ(totp_step(s, totp_code(s, step), kNow, 0), step);
  for (const std::uint64_t step : {kStep - 2, kStep + 2})
    EXPECT_EQ(totp_step(s, totp_code(s, step), kNow, 0), std::nullopt);
}

TEST(Totp, ACodeWorksOnceAndNoEarlierOneAfterIt) {
  const TotpSecret s = rfc_secret();
  constexpr std::uint64_t kNow = 1'700'000'000, kStep = kNow / 30;
  EXPECT_EQ(totp_step(s, totp_code(s, kStep), kNow, kStep), std::nullopt);
  EXPECT_EQ(totp_step(s, totp_code(s, kStep - 1), kNow, kStep), std::nullopt);
  EXPECT_EQ(totp_step(s, totp_code(s, kStep + 1), kNow, kStep), kStep + 1);
}

TEST(Totp, WhatIsNoCode) {
  const TotpSecret s = rfc_secret();
  for (const char* text : {"", "12345", "1234567", "abcdef", "12 456"})
    EXPECT_EQ(totp_step(s, text, 1'700'000'000, 0), std::nullopt) << text;
  EXPECT_EQ(totp_step({}, totp_code({}, 1'700'000'000 / 30), 1'700'000'000, 0), std::nullopt) << "no secret";
}

// RFC 4648, section 10.
TEST(Base32, ReadsAndWrites) {
  const std::pair<const char*, const char*> values[] = {{"", ""},
                                                        {"f", "MY"},
                                                        {"fo", "MZXQ"},
                                                        {"foo", "MZXW6"},
                                                        {"foob", "MZXW6YQ"},
                                                        {"fooba", "MZXW6YTB"},
                                                        {"foobar", "MZXW6YTBOI"}};
  for (const auto& [plain, coded] : values) {
    const std::string text = plain;
    const TotpSecret bytes(text.begin(), text.end());
    EXPECT_EQ(base32(bytes), coded);
    EXPECT_EQ(from_base32(coded), bytes);
  }
  EXPECT_FALSE(from_base32("MZXW6YQ1"));
  EXPECT_FALSE(from_base32("mzxw"));
}

TEST(Totp, SecretsAreLongAndDifferAndTheUriIsSafe) {
  std::set<TotpSecret> seen;
  for (int i = 0; i < 100; ++i) seen.insert(new_totp_secret());
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_EQ(seen.begin()->size(), kTotpSecretBytes);
  EXPECT_EQ(otpauth_uri(rfc_secret(), "St. Luke's/1", "a.b"),
            "otpauth://totp/Sekisho%20St.%20Luke%27s%2F1:a.b?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
            "&issuer=Sekisho%20St.%20Luke%27s%2F1&algorithm=SHA1&digits=6&period=30");
}

}  // namespace
}  // namespace sekisho::control
