// What is written is read back by libpcap, and its blocks and options by hand.
#include "control/recorder/pcapng.h"

#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "tests/recorder/ring_fixture.h"

namespace sekisho::control {
namespace {

struct Read {
  std::vector<std::pair<std::uint64_t, std::string>> packets;
  std::string error;
};

Read read_back(const std::string& bytes) {
  Read out;
  FILE* file = fmemopen(const_cast<char*>(bytes.data()), bytes.size(), "rb");
  char why[PCAP_ERRBUF_SIZE] = "";
  pcap_t* pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
  if (pcap == nullptr) {
    out.error = why;
    fclose(file);
    return out;
  }
  EXPECT_EQ(pcap_datalink(pcap), DLT_EN10MB);
  pcap_pkthdr* h;
  const u_char* data;
  int r;
  while ((r = pcap_next_ex(pcap, &h, &data)) == 1)
    out.packets.emplace_back(
        static_cast<std::uint64_t>(h->ts.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(h->ts.tv_usec),
        std::string(reinterpret_cast<const char*>(data), h->caplen));
  if (r != PCAP_ERROR_BREAK) out.error = pcap_geterr(pcap);
  pcap_close(pcap);
  return out;
}

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
  const Read read = read_back(out);
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
  EXPECT_EQ(read_back(out).error, "");
  const std::uint32_t option = word(out, 24);
  EXPECT_EQ(option & 0xffff, 1u);
  EXPECT_LE(option >> 16, 8192u);
  EXPECT_EQ((option >> 16) % 3, 0u);
}

}  // namespace
}  // namespace sekisho::control
