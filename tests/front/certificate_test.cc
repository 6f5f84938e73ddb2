#include "control/front/certificate.h"

#include <gtest/gtest.h>

namespace sekisho::control {
namespace {

constexpr std::uint64_t kNow = 1'800'000'000;

TEST(Certificate, IsMadeWithItsKeyAndEndsWhenItSays) {
  std::string why;
  const auto a = make_certificate({"gateway", "192.0.2.1", "fd00::1"}, kNow, why);
  ASSERT_TRUE(a) << why;
  EXPECT_TRUE(pair_fits(*a));
  EXPECT_EQ(certificate_ends(a->certificate), kNow + 825ull * 86400);
  EXPECT_EQ(certificate_fingerprint(a->certificate).size(), 32u * 3 - 1);
  const auto b = make_certificate({"gateway"}, kNow, why);
  ASSERT_TRUE(b);
  EXPECT_FALSE(pair_fits({a->certificate, b->key}));
  EXPECT_NE(certificate_fingerprint(a->certificate), certificate_fingerprint(b->certificate));
}

TEST(Certificate, WhatIsNone) {
  std::string why;
  EXPECT_FALSE(make_certificate({}, kNow, why));
  for (const char* text : {"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    EXPECT_FALSE(certificate_ends(text));
    EXPECT_EQ(certificate_fingerprint(text), "");
    EXPECT_FALSE(pair_fits({text, text}));
  }
}

}  // namespace
}  // namespace sekisho::control
