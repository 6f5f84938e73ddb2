#include "dataplane/measure/stream.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "dataplane/base/bytes.h"
#include "dataplane/measure/frame_maker.h"
#include "dataplane/packet/checksum.h"

namespace sekisho::measure {
namespace {

TEST(Words, RefusesWhatIsNotAsked) {
  Words w("cost seconds=0.5 samples=3\n");
  EXPECT_EQ(w.name(), "cost");
  EXPECT_EQ(w.number("seconds", 1, 0, 10), 0.5);
  EXPECT_THROW(w.done(), Refused);
  EXPECT_EQ(w.count("samples", 1, 1, 10), 3u);
  EXPECT_NO_THROW(w.done());
  EXPECT_THROW(Words("a b"), Refused);
  EXPECT_THROW(Words("a b=1 b=2"), Refused);
  Words bad("x n=12z f=nan");
  EXPECT_THROW(bad.count("n", 0, 0, 100), Refused);
  EXPECT_THROW(bad.number("f", 0, 0, 100), Refused);
  Words high("x n=101");
  EXPECT_THROW(high.count("n", 0, 0, 100), Refused);
}

TEST(Stream, RefusesFramesWithoutRoomForTheStamp) {
  Words four("open size=64 vlan=5");
  EXPECT_EQ(read_stream(four).size, 64u);
  Words six("open size=64 ip=6");
  EXPECT_THROW(read_stream(six), Refused);
  Words least("open size=80 ip=6");
  EXPECT_EQ(smallest_frame(read_stream(least)), 80u);
}

TEST(Stream, ImixHasItsShares) {
  StreamSpec spec;
  spec.size = 0;
  const auto cycle = size_cycle(spec);
  std::map<std::uint32_t, int> count;
  for (const auto size : cycle) ++count[size];
  EXPECT_EQ(count, (std::map<std::uint32_t, int>{{64, 7}, {594, 4}, {1518, 1}}));
  EXPECT_NEAR(mean_size(cycle), (7 * 64 + 4 * 594 + 1518) / 12.0, 1e-9);
}

TEST(Stream, UniformOrderHasEachFlowOnce) {
  StreamSpec spec;
  spec.flows = 70000;
  const auto order = flow_order(spec, 1);
  EXPECT_EQ(std::set<std::uint32_t>(order.begin(), order.end()).size(), 70000u);
  EXPECT_EQ(order.size(), 70000u);
}

TEST(Zipf, SharesAreThoseOfTheLaw) {
  std::mt19937_64 random(2);
  for (const double s : {0.7, 1.0, 1.3}) {
    constexpr std::uint64_t kN = 1000;
    Zipf zipf(kN, s);
    std::vector<double> count(kN);
    constexpr int kSamples = 400000;
    for (int i = 0; i < kSamples; ++i) {
      const auto rank = zipf(random);
      ASSERT_LT(rank, kN);
      ++count[rank];
    }
    double all = 0;
    for (std::uint64_t k = 1; k <= kN; ++k) all += std::pow(static_cast<double>(k), -s);
    for (const std::uint64_t k : {1u, 2u, 5u, 20u}) {
      const double expected = kSamples * std::pow(static_cast<double>(k), -s) / all;
      EXPECT_NEAR(count[k - 1], expected, 6 * std::sqrt(expected)) << "s " << s << " rank " << k;
    }
  }
}

// Checksums that a receiver would accept, and the stamp where the reader looks.
void check_frame(const StreamSpec& spec, const std::uint8_t* f, std::uint32_t length) {
  std::uint32_t at = 14;
  if (spec.vlan != 0) {
    ASSERT_EQ(load_be16(f + 12), 0x8100);
    ASSERT_EQ(load_be16(f + 14), spec.vlan);
    at = 18;
  }
  std::uint32_t l4 = at + 40, l4_bytes = load_be16(f + at + 4);
  std::uint64_t sum = packet::sum_bytes(f + at + 8, 32);
  if (spec.ip == 4) {
    EXPECT_TRUE(packet::checksum_holds(packet::sum_bytes(f + at, 20)));
    l4 = at + 20;
    l4_bytes = load_be16(f + at + 2) - 20u;
    sum = packet::sum_bytes(f + at + 12, 8);
  }
  ASSERT_LE(l4 + l4_bytes, length);
  sum += packet::pseudo_tail(spec.protocol, l4_bytes) + packet::sum_bytes(f + l4, l4_bytes);
  EXPECT_TRUE(packet::checksum_holds(sum));
}

TEST(FrameMaker, FramesAreSoundInEveryForm) {
  std::vector<std::uint8_t> frame(kMaxFrame, 0xcc);
  for (const std::uint8_t ip : {4, 6}) {
    for (const std::uint16_t vlan : {0, 7}) {
      for (const std::uint8_t protocol : {6, 17}) {
        StreamSpec spec{0, ip, vlan, protocol, 1000, 0, 5000};
        FrameMaker maker(spec);
        for (const std::uint32_t size : {smallest_frame(spec), 128u, 777u, 778u, 1518u, 9000u, kMaxFrame}) {
          for (const bool from_b : {false, true}) {
            const Stamp in{static_cast<std::uint8_t>(3), 0xdeadbeef, 0x0123456789abcdefull};
            const std::uint32_t length = maker.write(frame.data(), 999, from_b, size, in);
            EXPECT_EQ(length, size - 4);
            check_frame(spec, frame.data(), length);
            Stamp out;
            ASSERT_TRUE(read_stamp(frame.data(), length, out));
            EXPECT_EQ(std::tuple(out.lane, out.sequence, out.time),
                      std::tuple(in.lane, in.sequence, in.time));
          }
        }
      }
    }
  }
}

TEST(FrameMaker, NoTwoFlowsShareATuple) {
  StreamSpec spec;
  spec.flows = 200000;
  FrameMaker maker(spec);
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> tuples;
  std::uint8_t f[64];
  for (std::uint32_t flow = 0; flow < spec.flows; ++flow) {
    maker.write(f, flow, false, 64, {});
    tuples.insert({load_be32(f + 26), load_be32(f + 30), load_be32(f + 34)});
  }
  EXPECT_EQ(tuples.size(), spec.flows);
}

TEST(Stamp, StrangersAreNotRead) {
  std::uint8_t frame[64] = {};
  Stamp out;
  EXPECT_FALSE(read_stamp(frame, 0, out));
  for (std::uint32_t n = 0; n < sizeof frame; ++n) EXPECT_FALSE(read_stamp(frame, n, out));
  StreamSpec spec;
  FrameMaker maker(spec);
  const std::uint32_t length = maker.write(frame, 1, false, 64, {});
  for (std::uint32_t n = 0; n < 56; ++n) EXPECT_FALSE(read_stamp(frame, n, out)) << n;
  EXPECT_TRUE(read_stamp(frame, length, out));
}

}  // namespace
}  // namespace sekisho::measure
