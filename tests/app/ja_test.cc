// JA3: vectors of the Salesforce README. JA4: the worked example of FoxIO's specification.
#include <gtest/gtest.h>

#include "dataplane/app/ja3.h"
#include "dataplane/app/ja4.h"
#include "tests/app/tls_bytes.h"

namespace sekisho::app {
namespace {

std::string text(Bytes b) {
  return {b.begin(), b.end()};
}
template <std::size_t N>
std::string text(const std::array<std::uint8_t, N>& a) {
  return {a.begin(), a.end()};
}
std::string ja4_of(const Blob& body) {
  Hello hello;
  EXPECT_TRUE(parse_client_hello(view(body), hello));
  std::array<std::uint8_t, kJa4Size> out;
  EXPECT_TRUE(ja4(hello, out));
  return text(out);
}

TEST(Ja3, ClientWithAndWithoutExtensions) {
  const Blob body = hello_body(769, words({47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4}),
                               sni("a") + extension(10, with_length(words({23, 24, 25}), 2)) +
                                   extension(11, with_length(be(0, 1), 1)));
  Hello hello;
  ASSERT_TRUE(parse_client_hello(view(body), hello));
  FingerprintText out;
  ASSERT_TRUE(ja3(hello, out));
  EXPECT_EQ(text(out.bytes()), "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
  EXPECT_EQ(text(md5_hex(out.bytes())), "ada70206e40642a3e4461f35503241d5");

  const Blob bare = hello_body(769, words({4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}), "");
  Hello second;
  ASSERT_TRUE(parse_client_hello(view(bare), second));
  FingerprintText other;
  ASSERT_TRUE(ja3(second, other));
  EXPECT_EQ(text(other.bytes()), "769,4-5-10-9-100-98-3-6-19-18-99,,,");
  EXPECT_EQ(text(md5_hex(other.bytes())), "de350869b8c85de67a350c8d186f11e6");
}

TEST(Ja3, GreaseIsLeftOut) {
  const Blob body = hello_body(771, words({0x0a0a, 0x1301, 0xfafa}),
                               extension(0x1a1a, "") + extension(10, with_length(words({0x2a2a, 29}), 2)));
  Hello hello;
  ASSERT_TRUE(parse_client_hello(view(body), hello));
  FingerprintText out;
  ASSERT_TRUE(ja3(hello, out));
  EXPECT_EQ(text(out.bytes()), "771,4865,10,29,");
}

TEST(Ja3, Server) {
  const Blob body = server_body(769, 47,
                                extension(65281, "x") + extension(0, "") + extension(11, "") +
                                    extension(35, "") + extension(5, "") + extension(16, ""));
  Hello hello;
  ASSERT_TRUE(parse_server_hello(view(body), hello));
  FingerprintText out;
  ASSERT_TRUE(ja3s(hello, out));
  EXPECT_EQ(text(out.bytes()), "769,47,65281-0-11-35-5-16");
  EXPECT_EQ(text(md5_hex(out.bytes())), "836ce314215654b5b1f85f97c73e506f");
}

TEST(Ja4, ExampleOfTheSpecification) {
  const Blob ciphers = words({0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
                              0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035});
  const Blob signatures = words({0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601});
  const Blob alpn = with_length(with_length("h2", 1) + with_length("http/1.1", 1), 2);
  const Blob extensions =
      extension(0x9a9a, "") + extension(0x001b, "") + sni("example.com") + extension(0x0033, "") +
      extension(0x0010, alpn) + extension(0x4469, "") + extension(0x0017, "") + extension(0x002d, "") +
      extension(0x000d, with_length(signatures, 2)) + extension(0x0005, "") + extension(0x0023, "") +
      extension(0x0012, "") + extension(0x002b, with_length(words({0x3a3a, 0x0304, 0x0303}), 1)) +
      extension(0xff01, "") + extension(0x000b, with_length(be(0, 1), 1)) +
      extension(0x000a, with_length(words({29}), 2)) + extension(0x0015, "");
  EXPECT_EQ(ja4_of(hello_body(0x0303, ciphers, extensions)), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

TEST(Ja4, NothingThere) {
  EXPECT_EQ(ja4_of(hello_body(0x0301, "", "")), "t10i000000_000000000000_000000000000");
}

TEST(Ja4, ApplicationProtocolThatIsNoText) {
  const Blob alpn = with_length(with_length("\xab", 1), 2);
  EXPECT_EQ(ja4_of(hello_body(0x0303, words({1}), extension(16, alpn))).substr(0, 10), "t12i0101ab");
  const Blob one = with_length(with_length("h", 1), 2);
  EXPECT_EQ(ja4_of(hello_body(0x0303, words({1}), extension(16, one))).substr(0, 10), "t12i0101hh");
}

TEST(Ja4, TooManyItemsHaveNoFingerprint) {
  Blob ciphers;
  for (unsigned i = 0; i <= kMaxFingerprintItems; ++i) ciphers += be(i, 2);
  const Blob body = hello_body(0x0303, ciphers, "");
  Hello hello;
  ASSERT_TRUE(parse_client_hello(view(body), hello));
  std::array<std::uint8_t, kJa4Size> out;
  EXPECT_FALSE(ja4(hello, out));
  FingerprintText string;
  EXPECT_FALSE(ja3(hello, string));
}

}  // namespace
}  // namespace sekisho::app
