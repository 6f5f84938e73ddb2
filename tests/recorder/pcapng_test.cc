// What is written is read back by libpcap, and its blocks and options by hand.
#include "control/recorder/pcapng.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "control/recorder/pcapng_join.h"
#include "tests/recorder/read_pcapng.h"
#include "tests/recorder/ring_fixture.h"

namespace sekisho::control {
namespace {

std::uint32_t word(const std::string& s, std::size_t at) {
  std::uint32_t v = 0;
  std::memcpy(&v, s.data() + at, sizeof v);
  return v;
}

TEST(Pcapng, LibpcapReadsItBack) {
  std::string out;
  PcapngWriter w(out);
  w.section("why", "sekisho 0.1.0");
  const auto a = w.interface("vendor0", "zone vendor", 16384);
  const auto b = w.interface("his0", "", 16384);
  EXPECT_EQ(a, 0u);
  EXPECT_EQ(b, 1u);
  std::vector<std::string> frames;
  for (std::size_t n = 0; n < 9; ++n)
    frames.push_back(test::tcp_frame("10.0.0.1", 1, "10.0.0.2", 2, std::string(n, 'x')));
  for (std::size_t n = 0; n < frames.size(); ++n)
    w.packet({.interface = n % 2 == 0 ? a : b,
              .wall_ns = 1'700'000'000'123'456'789ull + n,
              .frame = reinterpret_cast<const std::uint8_t*>(frames[n].data()),
              .captured = static_cast<std::uint32_t>(frames[n].size()),
              .length = static_cast<std::uint32_t>(frames[n].size() + 500),
              .comment = n == 3 ? "the alert" : ""});
  const test::PcapngRead read = test::read_pcapng(out);
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), frames.size());
  for (std::size_t n = 0; n < frames.size(); ++n) {
    EXPECT_EQ(read.packets[n].first, 1'700'000'000'123'456'789ull + n);
    EXPECT_EQ(read.packets[n].second, frames[n]);
  }
}

TEST(Pcapng, BlocksAreAlignedAndSayTheirLengthTwice) {
  std::string out;
  PcapngWriter w(out);
  w.section("c", "a");
  w.interface("n", "d", 1);
  const std::uint8_t frame[3] = {1, 2, 3};
  w.packet({.frame = frame, .captured = 3, .length = 3, .inbound = true, .comment = "four"});
  std::vector<std::uint32_t> types;
  std::size_t at = 0, comments = 0;
  while (at < out.size()) {
    const std::uint32_t bytes = word(out, at + 4);
    ASSERT_EQ(bytes % 4, 0u);
    ASSERT_LE(at + bytes, out.size());
    EXPECT_EQ(word(out, at + bytes - 4), bytes);
    types.push_back(word(out, at));
    if (types.back() == 6) {
      // options behind 20 bytes of fields and the padded frame: flags, then the comment
      std::size_t option = at + 8 + 20 + 4;
      EXPECT_EQ(word(out, option), 2u | 4u << 16);
      EXPECT_EQ(word(out, option + 4), 1u) << "inbound";
      EXPECT_EQ(word(out, option + 8), 1u | 4u << 16);
      EXPECT_EQ(out.substr(option + 12, 4), "four");
      ++comments;
    }
    at += bytes;
  }
  EXPECT_EQ(types, (std::vector<std::uint32_t>{0x0a0d0d0a, 1, 6}));
  EXPECT_EQ(comments, 1u);
}

TEST(Pcapng, ALongCommentIsCutAtACharactersEnd) {
  std::string text;
  while (text.size() < 9000) text += "検";
  std::string out;
  PcapngWriter w(out);
  w.section(text, "a");
  w.interface("n", "", 1);
  EXPECT_EQ(test::read_pcapng(out).error, "");
  const std::uint32_t option = word(out, 24);
  EXPECT_EQ(option & 0xffff, 1u);
  EXPECT_LE(option >> 16, 8192u);
  EXPECT_EQ((option >> 16) % 3, 0u);
}

TEST(PcapngJoin, OneSectionAndEachInterfaceOnce) {
  const auto part = [](const char* first, const char* second, const std::string& text) {
    std::string out;
    PcapngWriter w(out);
    w.section("part", "a");
    for (const char* name : {first, second}) {
      const auto i = w.interface(name, "zone z", 16384);
      const std::string frame = test::tcp_frame("10.0.0.1", 1, "10.0.0.2", 2, text + name);
      w.packet({.interface = i,
                .wall_ns = 1'700'000'000'000'000'000ull,
                .frame = reinterpret_cast<const std::uint8_t*>(frame.data()),
                .captured = static_cast<std::uint32_t>(frame.size()),
                .length = static_cast<std::uint32_t>(frame.size()),
                .comment = {}});
    }
    return out;
  };
  std::string out;
  PcapngJoin join(out, "all", "a");
  EXPECT_EQ(join.add(part("a", "b", "1")), "");
  EXPECT_EQ(join.add(part("b", "c", "2")), "");
  EXPECT_EQ(join.packets(), 4u);
  const test::PcapngRead read = test::read_pcapng(out);
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.packets.size(), 4u);
  for (std::size_t n = 0; n < 4; ++n)
    EXPECT_EQ(read.packets[n].second.substr(54), std::vector<std::string>({"1a", "1b", "2b", "2c"})[n]);
  std::vector<std::uint32_t> kinds, of;
  for (std::size_t at = 0; at < out.size(); at += word(out, at + 4)) {
    kinds.push_back(word(out, at));
    if (kinds.back() == 6) of.push_back(word(out, at + 8));
  }
  EXPECT_EQ(kinds, (std::vector<std::uint32_t>{0x0a0d0d0a, 1, 6, 1, 6, 6, 1, 6}));
  EXPECT_EQ(of, (std::vector<std::uint32_t>{0, 1, 1, 2}));
}

TEST(PcapngJoin, RefusesWhatIsNoCaptureOfOurs) {
  std::string good;
  PcapngWriter w(good);
  w.section("", "a");
  w.interface("a", "", 64);
  const auto refused = [](const std::string& bytes) {
    std::string out;
    return PcapngJoin(out, "", "a").add(bytes);
  };
  EXPECT_EQ(refused(good), "");
  EXPECT_NE(refused(""), "");
  EXPECT_NE(refused(good + good), "") << "two sections";
  for (std::size_t n = 1; n < good.size(); ++n) {
    const std::string why = refused(good.substr(0, n));
    EXPECT_EQ(why.empty(), n == word(good, 4)) << n << ": whole blocks or nothing";
  }
  std::string bad = good;
  bad[8] = 0;
  EXPECT_EQ(refused(bad), "not of this byte order");
  std::string packet = good;
  PcapngWriter(packet).packet({.interface = 1, .comment = {}});
  EXPECT_EQ(refused(packet), "a block that does not belong there") << "of an interface that is not there";
}

}  // namespace
}  // namespace sekisho::control
