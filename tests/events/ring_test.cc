#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "control/events/ring_reader.h"

namespace sekisho {
namespace {

using control::RingReader;

std::size_t& raw_index(abi::EventRing& ring, std::size_t offset) {
  return *reinterpret_cast<std::size_t*>(reinterpret_cast<unsigned char*>(&ring) + offset);
}

// The reader's idea of the layout is the real queue's.
TEST(RingReader, ReadsWhatTheQueueHolds) {
  auto ring = std::make_unique<abi::EventRing>();
  RingReader reader(*ring);
  abi::Event out[300];
  EXPECT_EQ(reader.pop(out, 300), 0u);
  std::uint64_t pushed = 0, popped = 0;
  // several times around, so that wrapping is met
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 257; ++i) {
      abi::Event e{};
      e.flow_id = ++pushed;
      e.reserved = static_cast<std::uint8_t>(pushed);
      ASSERT_TRUE(ring->push(e));
    }
    while (const std::size_t n = reader.pop(out, 100)) {
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_EQ(out[i].flow_id, ++popped);
        ASSERT_EQ(out[i].reserved, static_cast<std::uint8_t>(popped));
      }
    }
  }
  EXPECT_EQ(pushed, popped);
  EXPECT_EQ(ring->read_available(), 0u) << "the writer sees the room";
}

TEST(RingReader, FullRingIsReadWhole) {
  auto ring = std::make_unique<abi::EventRing>();
  std::size_t pushed = 0;
  while (ring->push(abi::Event{})) ++pushed;
  EXPECT_EQ(pushed, abi::kEventRing);
  RingReader reader(*ring);
  std::vector<abi::Event> out(abi::kEventRing * 2);
  EXPECT_EQ(reader.pop(out.data(), out.size()), pushed);
  EXPECT_TRUE(ring->push(abi::Event{}));
}

TEST(RingReader, TakesUpWhereAnEarlierReaderStopped) {
  auto ring = std::make_unique<abi::EventRing>();
  abi::Event out[10];
  for (std::uint64_t i = 1; i <= 5; ++i) {
    abi::Event e{};
    e.flow_id = i;
    ring->push(e);
  }
  RingReader first(*ring);
  EXPECT_EQ(first.pop(out, 3), 3u);
  RingReader second(*ring);
  ASSERT_EQ(second.pop(out, 10), 2u);
  EXPECT_EQ(out[0].flow_id, 4u);
}

TEST(RingReader, ImpossibleIndicesGiveTheRingUp) {
  auto ring = std::make_unique<abi::EventRing>();
  abi::Event out[10];
  ring->push(abi::Event{});
  RingReader reader(*ring);
  raw_index(*ring, 0) = RingReader::kSlots;
  EXPECT_EQ(reader.pop(out, 10), 0u);
  EXPECT_TRUE(reader.corrupt());
  raw_index(*ring, 0) = 1;
  EXPECT_EQ(reader.pop(out, 10), 0u) << "given up for good";

  raw_index(*ring, RingReader::kReadIndexOffset) = SIZE_MAX;
  RingReader late(*ring);
  EXPECT_TRUE(late.corrupt());
  EXPECT_EQ(late.pop(out, 10), 0u);
}

TEST(RingReader, ConcurrentWriter) {
  auto ring = std::make_unique<abi::EventRing>();
  constexpr std::uint64_t kEvents = 200000;
  std::thread writer([&] {
    for (std::uint64_t i = 1; i <= kEvents;) {
      abi::Event e{};
      e.flow_id = e.time_ns = i;
      if (ring->push(e)) ++i;
    }
  });
  RingReader reader(*ring);
  std::uint64_t expected = 0;
  abi::Event out[64];
  bool right = true;
  while (expected < kEvents) {
    const std::size_t n = reader.pop(out, 64);
    for (std::size_t i = 0; i < n; ++i) {
      ++expected;
      right = right && out[i].flow_id == expected && out[i].time_ns == expected;
    }
  }
  writer.join();
  EXPECT_TRUE(right);
}

}  // namespace
}  // namespace sekisho
