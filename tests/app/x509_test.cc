#include "dataplane/app/x509.h"

#include <gtest/gtest.h>

#include "tests/app/certificate_bytes.h"
#include "tests/app/tls_bytes.h"

namespace sekisho::app {
namespace {

Blob der(unsigned tag, const Blob& content) {
  const std::size_t n = content.size();
  const Blob length = n < 0x80 ? be(n, 1) : n < 0x100 ? "\x81" + be(n, 1) : "\x82" + be(n, 2);
  return be(tag, 1) + length + content;
}
Blob attribute(const Blob& oid, unsigned tag, const Blob& value) {
  return der(0x31, der(0x30, der(6, oid) + der(tag, value)));
}
const Blob kCn = "\x55\x04\x03", kO = "\x55\x04\x0a";

struct Parts {
  Blob version = der(0xa0, der(2, "\x02"));
  Blob serial = der(2, "\x01");
  Blob algorithm = der(0x30, der(6, "\x2a"));
  Blob issuer = der(0x30, attribute(kCn, 0x13, "ca"));
  Blob validity = der(0x30, der(0x17, "491231235959Z") + der(0x18, "20500101000000Z"));
  Blob subject = der(0x30, attribute(kCn, 0x13, "me"));
  Blob key = der(0x30, der(0x30, der(6, "\x2a")) + der(3, "k"));
  Blob extensions;
  Blob all() const {
    const Blob tbs = version + serial + algorithm + issuer + validity + subject + key + extensions;
    return der(0x30, der(0x30, tbs) + algorithm + der(3, "s"));
  }
};

AppEvent parse(const Blob& bytes, Certificate* out = nullptr) {
  Certificate c;
  const AppEvent event = parse_certificate(view(bytes), c);
  if (out != nullptr) *out = c;
  return event;
}
std::string printed(const Blob& name, AppEvent* fault = nullptr) {
  std::array<std::uint8_t, kMaxPrintedName> out;
  AppEvent ignored = AppEvent::none;
  const std::size_t n = print_name(view(name), out, fault != nullptr ? fault : &ignored);
  return {reinterpret_cast<const char*>(out.data()), n};
}
std::string string_of(Bytes b) {
  return {b.begin(), b.end()};
}

TEST(X509, ACertificateOfOpenssl) {
  const Blob bytes = from_hex(kCertificateHex);
  Certificate c;
  ASSERT_EQ(parse(bytes, &c), AppEvent::none);
  EXPECT_EQ(
      printed(string_of(c.subject)),
      "C=US, ST=Some State, L=Town, O=Ex\xc3\xa4mple, Inc., OU=a + OU=b, CN=host.example, Email=x@example");
  EXPECT_EQ(c.subject.size(), c.issuer.size());
  std::array<std::uint8_t, 64> hex;
  EXPECT_EQ(string_of(Bytes(hex).first(hex_colons(c.serial, true, hex))), "00:AB:12:CD:34");
  const auto sha1 = sha1_colons(view(bytes));
  EXPECT_EQ(string_of(sha1), "4b:93:9c:be:7f:20:52:41:58:f0:dc:35:27:18:f9:2c:c2:88:b2:ac");
  EXPECT_STREQ(c.not_before.data(), "2026-11-23T13:42:02");
  EXPECT_STREQ(c.not_after.data(), "2036-11-20T13:42:02");
  EXPECT_FALSE(c.alternative_names.empty());
}

TEST(X509, Names) {
  EXPECT_EQ(printed(attribute(kCn, 0x13, Blob("a\0b", 3))), Blob("CN=a\0b", 6));
  EXPECT_EQ(printed(attribute(kO, 0x1e, Blob("\0A\x30\x42", 4))), "O=A\xe3\x81\x82");
  EXPECT_EQ(printed(attribute(kO, 0x1c, Blob("\0\1\xf6\0", 4))), "O=\xf0\x9f\x98\x80");
  EXPECT_EQ(printed(attribute(kO, 0x14, "\xe9")), "O=\xe9");
  EXPECT_EQ(printed(attribute("\x2a\x86\x48\x01", 0x16, "v")), "1.2.840.1=v");
  EXPECT_EQ(printed(attribute(kO, 0x04, "\x0f\xa0")), "O=0FA0");
  const Blob two =
      der(0x31, der(0x30, der(6, kO) + der(0x13, "x")) + der(0x30, der(6, kCn) + der(0x13, "y")));
  EXPECT_EQ(printed(two + attribute(kCn, 0x13, "z")), "O=x + CN=y, CN=z");
  EXPECT_EQ(printed(""), "");
}

TEST(X509, NamesThatAreNone) {
  AppEvent fault = AppEvent::none;
  EXPECT_EQ(printed(attribute(kO, 0x1e, "odd"), &fault), "O=");
  EXPECT_EQ(fault, AppEvent::tls_certificate_invalid_string);
  fault = AppEvent::none;
  printed(der(0x30, ""), &fault);
  EXPECT_EQ(fault, AppEvent::tls_certificate_invalid_x509name);
  fault = AppEvent::none;
  EXPECT_EQ(printed(attribute(kO, 0x13, Blob(9000, 'x')), &fault).size(), kMaxPrintedName);
}

TEST(X509, EachPartThatIsWrongHasItsEvent) {
  EXPECT_EQ(parse(Parts{}.all()), AppEvent::none);
  Parts p;
  p.version = "";  // version 1
  EXPECT_EQ(parse(p.all()), AppEvent::none);
  p = {};
  p.version = der(0xa0, der(2, "\x07"));
  EXPECT_EQ(parse(p.all()), AppEvent::tls_certificate_invalid_version);
  p = {};
  p.serial = der(4, "x");
  EXPECT_EQ(parse(p.all()), AppEvent::tls_certificate_invalid_serial);
  p = {};
  p.algorithm = der(2, "x");
  EXPECT_EQ(parse(p.all()), AppEvent::tls_certificate_invalid_algorithmidentifier);
  p = {};
  p.issuer = der(2, "x");
  EXPECT_EQ(parse(p.all()), AppEvent::tls_certificate_invalid_x509name);
  p = {};
  p.validity = der(0x30, der(0x17, "49x231235959Z") + der(0x18, "20500101000000Z"));
  EXPECT_EQ(parse(p.all()), AppEvent::tls_certificate_invalid_date);
  p = {};
  p.extensions = der(0xa3, der(0x30, der(0x30, der(2, "x"))));
  EXPECT_EQ(parse(p.all()), AppEvent::tls_certificate_invalid_extensions);
  EXPECT_EQ(parse(der(2, "x")), AppEvent::tls_certificate_invalid_der);
  EXPECT_EQ(parse(der(0x30, "")), AppEvent::tls_certificate_missing_element);
  EXPECT_EQ(parse(Blob("\x30\x80\0\0", 4)), AppEvent::tls_certificate_unknown_element);
  EXPECT_EQ(parse("\x30\x05"
                  "abc"),
            AppEvent::tls_certificate_invalid_length);
  EXPECT_EQ(parse(Blob("\x30\x06\x30\x84\xff\xff\xff\xfa", 8)), AppEvent::tls_invalid_certificate);
  EXPECT_EQ(parse(Blob("\x30\x05\x30\x84\xff\xff\xff", 7)), AppEvent::tls_certificate_invalid_length);
}

TEST(X509, DatesTurnTheCentury) {
  Certificate c;
  ASSERT_EQ(parse(Parts{}.all(), &c), AppEvent::none);
  EXPECT_STREQ(c.not_before.data(), "2049-12-31T23:59:59");
  EXPECT_STREQ(c.not_after.data(), "2050-01-01T00:00:00");
  Parts p;
  p.validity = der(0x30, der(0x17, "5001010000Z") + der(0x17, "991231235959Z"));
  ASSERT_EQ(parse(p.all(), &c), AppEvent::none);
  EXPECT_STREQ(c.not_before.data(), "1950-01-01T00:00:00");
  EXPECT_STREQ(c.not_after.data(), "1999-12-31T23:59:59");
}

TEST(X509, EveryTruncationAndEveryChangedByteIsSurvived) {
  const Blob good = from_hex(kCertificateHex);
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_NE(parse(Blob(good, 0, n)), AppEvent::none) << n;
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      Blob bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      Certificate c;
      if (parse(bad, &c) != AppEvent::none) continue;
      printed(string_of(c.subject));
      printed(string_of(c.issuer));
    }
}

}  // namespace
}  // namespace sekisho::app
