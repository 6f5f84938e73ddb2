// Reading a ring while it is written, and rings that lie.
#include "control/recorder/ring_copy.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/recorder/ring_fixture.h"

namespace sekisho::control {
namespace {

using test::OwnRing;
using test::RingWriter;

constexpr std::uint64_t kBlock = abi::kRecorderBlock;

TEST(RingCopy, AnEmptyRingHasNothing) {
  OwnRing own(4 * kBlock);
  const auto n = copy_ring(own.ring(), own.bytes, 0, [](const RecordedPacket&) { return true; });
  EXPECT_EQ(n.records + n.overwritten + n.damaged + n.oldest_ns, 0u);
}

TEST(RingCopy, WrapsAndKeepsTheNewest) {
  OwnRing own(4 * kBlock);
  RingWriter writer(&own.ring(), own.bytes);
  std::uint64_t i = 0;
  while (writer.position() < 10 * kBlock + 1000) {
    ++i;
    writer.packet(i, std::string(100 + i % 999, 'x'));
  }
  std::uint64_t expected = 0, first = 0, bytes = 0;
  const auto n = copy_ring(own.ring(), own.bytes, 0, [&](const RecordedPacket& p) {
    if (expected == 0) first = expected = p.header.time_ns;
    EXPECT_EQ(p.header.time_ns, expected++);
    bytes += p.header.bytes;
    EXPECT_EQ(p.header.captured, 100 + p.header.time_ns % 999);
    return true;
  });
  EXPECT_EQ(expected, i + 1) << "the last one is there";
  EXPECT_EQ(n.records, i + 1 - first);
  EXPECT_EQ(n.oldest_ns, first);
  EXPECT_EQ(n.damaged, 0u);
  EXPECT_EQ(n.overwritten, 0u) << "nobody writes meanwhile";
  EXPECT_GT(bytes, 5 * kBlock / 2);
}

TEST(RingCopy, GivesOnlyWhatIsNotOlderAndStopsWhenAsked) {
  OwnRing own(4 * kBlock);
  RingWriter writer(&own.ring(), own.bytes);
  for (std::uint64_t i = 1; i <= 100; ++i) writer.packet(i, "frame");
  EXPECT_EQ(copy_ring(own.ring(), own.bytes, 91, [](const RecordedPacket&) { return true; }).records, 10u);
  EXPECT_EQ(copy_ring(own.ring(), own.bytes, 0, [](const RecordedPacket& p) { return p.header.time_ns < 5; })
                .records,
            5u);
}

// A ring that is written and wraps between the looks: each record once, in order, or its block is counted.
TEST(RingCopy, ComesBackForEachRecordOnce) {
  OwnRing own(4 * kBlock);
  RingWriter writer(&own.ring(), own.bytes);
  std::uint64_t i = 0, seen = 0, at = 0, overwritten = 0;
  bool lapped = false;
  const auto look = [&] {
    const auto n = copy_ring_from(own.ring(), own.bytes, at, ring_written(own.ring()), [&](const auto& p) {
      EXPECT_GT(p.header.time_ns, seen);
      if (!lapped) {
        EXPECT_EQ(p.header.time_ns, seen + 1);
      }
      seen = p.header.time_ns;
      return true;
    });
    EXPECT_EQ(n.damaged, 0u);
    overwritten += n.overwritten;
    at = n.next;
    EXPECT_EQ(at, writer.position());
    EXPECT_EQ(seen, i);
  };
  look();
  for (int round = 0; round < 200; ++round) {
    for (int k = 0; k < round % 7 * 30; ++k, ++i) writer.packet(i + 1, std::string(1 + i % 999, 'x'));
    look();
  }
  EXPECT_GT(at, 20 * kBlock);
  EXPECT_EQ(overwritten, 0u);
  const std::uint64_t behind = at / kBlock;
  while (writer.position() < (behind + 9) * kBlock + 500) writer.packet(++i, std::string(900, 'x'));
  lapped = true;
  look();
  EXPECT_EQ(overwritten, 6u) << "nine blocks later, of which the ring holds less than four";
}

TEST(RingCopy, GoesOnBehindTheRecordAtWhichItStopped) {
  OwnRing own(4 * kBlock);
  RingWriter writer(&own.ring(), own.bytes);
  for (std::uint64_t i = 1; i <= 100; ++i) writer.packet(i, "frame");
  std::uint64_t at = 0, seen = 0;
  for (int round = 0; round < 100; ++round)
    at = copy_ring_from(own.ring(), own.bytes, at, ring_written(own.ring()), [&](const RecordedPacket& p) {
           EXPECT_EQ(p.header.time_ns, ++seen);
           return false;
         }).next;
  EXPECT_EQ(seen, 100u);
  EXPECT_EQ(at, writer.position());
  const auto lies = copy_ring_from(own.ring(), own.bytes, at + 1, ring_written(own.ring()),
                                   [](const RecordedPacket&) { return true; });
  EXPECT_EQ(lies.records, 0u);
  EXPECT_EQ(lies.damaged, 1u) << "a ring that goes back";
}

// Whatever a reader is given while a writer laps it again and again is whole: every byte of a frame and its
// length follow from its time.
TEST(RingCopy, NeverGivesATornRecord) {
  OwnRing own(4 * kBlock);
  std::atomic<bool> stop{false};
  std::thread writing([&] {
    RingWriter writer(&own.ring(), own.bytes);
    for (std::uint64_t i = 1; !stop; ++i) {
      std::string frame(64 + i * 37 % 1400, static_cast<char>(i * 131));
      writer.packet(i, frame);
    }
  });
  std::uint64_t seen = 0, overwritten = 0, damaged = 0;
  // As long as it takes to see both: whole records, and blocks lost to the writer.
  for (int round = 0; round < 20000 && (seen < 20000 || overwritten < 20); ++round) {
    const auto n = copy_ring(own.ring(), own.bytes, 0, [&](const RecordedPacket& p) {
      const std::uint64_t i = p.header.time_ns;
      EXPECT_EQ(p.header.captured, 64 + i * 37 % 1400);
      for (std::uint32_t b = 0; b < p.header.captured; ++b)
        if (p.frame[b] != static_cast<std::uint8_t>(i * 131)) {
          ADD_FAILURE() << "torn at byte " << b << " of record " << i;
          return false;
        }
      ++seen;
      return true;
    });
    overwritten += n.overwritten;
    damaged += n.damaged;
    if (testing::Test::HasFailure()) break;
  }
  stop = true;
  writing.join();
  EXPECT_GE(seen, 20000u);
  EXPECT_EQ(damaged, 0u);
}

TEST(RingCopy, AClaimThatReachesABlockMakesItLost) {
  OwnRing own(4 * kBlock);
  RingWriter writer(&own.ring(), own.bytes);
  std::uint64_t i = 0, in_first = 0;
  while (writer.position() < 4 * kBlock - 2000) {
    ++i;
    writer.packet(i, std::string(1000, 'x'));
    if (writer.position() <= kBlock) in_first = i;
  }
  std::uint64_t first = 0;
  const auto oldest = [&](const RecordedPacket& p) {
    if (first == 0) first = p.header.time_ns;
    return true;
  };
  own.ring().claimed = 4 * kBlock;
  EXPECT_EQ(copy_ring(own.ring(), own.bytes, 0, oldest).records, i);
  EXPECT_EQ(first, 1u);
  first = 0;
  own.ring().claimed = 4 * kBlock + 16;  // the writer is about to overwrite the first block
  EXPECT_EQ(copy_ring(own.ring(), own.bytes, 0, oldest).records, i - in_first);
  EXPECT_EQ(first, in_first + 1);
  // It reaches the second block while the reader is at it: the visitor of its neighbour's last record claims.
  own.ring().claimed = 4 * kBlock;
  const auto n = copy_ring(own.ring(), own.bytes, 0, [&](const RecordedPacket& p) {
    if (p.header.time_ns == in_first) own.ring().claimed = 5 * kBlock + 16;
    return true;
  });
  EXPECT_EQ(n.overwritten, 1u);
  EXPECT_LT(n.records, i);
}

TEST(RingCopy, LyingLengthsEndABlockAndNothingElse) {
  struct Lie {
    const char* what;
    std::uint32_t bytes;
    std::uint16_t captured;
    std::uint32_t length;
    abi::RecordKind kind;
  };
  using abi::RecordKind;
  for (const Lie& lie :
       {Lie{"no bytes", 0, 0, 0, RecordKind::packet}, Lie{"too long", 70000, 20, 20, RecordKind::packet},
        Lie{"not aligned", 65, 10, 10, RecordKind::packet},
        Lie{"more captured than there is", 64, 60000, 60000, RecordKind::packet},
        Lie{"more captured than sent", 64, 16, 15, RecordKind::packet},
        Lie{"beyond the snap length", 16384 + 48 + 16, 16385, 16385, RecordKind::packet},
        Lie{"of no kind", 64, 16, 16, RecordKind::none}}) {
    OwnRing own(2 * kBlock);
    RingWriter writer(&own.ring(), own.bytes);
    writer.packet(1, "good");
    abi::RecordHeader h{};
    h.bytes = lie.bytes, h.captured = lie.captured, h.length = lie.length, h.kind = lie.kind;
    std::memcpy(writer.place(), &h, sizeof h);
    own.ring().claimed = own.ring().written = kBlock;
    const auto n = copy_ring(own.ring(), own.bytes, 0, [](const RecordedPacket&) { return true; });
    EXPECT_EQ(n.records, 1u) << lie.what;
    EXPECT_EQ(n.damaged, 1u) << lie.what;
  }
  OwnRing own(2 * kBlock);
  own.ring().written = own.ring().claimed = 12345678901234ull;  // positions that nothing was written at
  const auto n = copy_ring(own.ring(), own.bytes, 0, [](const RecordedPacket&) { return true; });
  EXPECT_EQ(n.records, 0u);
  EXPECT_GE(n.damaged, 1u);
}

}  // namespace
}  // namespace sekisho::control
