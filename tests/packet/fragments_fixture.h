// A defragmenter behind a parser, fed frame by frame.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "dataplane/packet/fragments.h"
#include "dataplane/packet/parse.h"
#include "tests/packet/fragmenting.h"
#include "tests/packet/site.h"

namespace sekisho::test {

using packet::Defragmenter;

inline constexpr auto kA = "10.0.0.1";
inline constexpr auto kB = "10.0.0.2";
inline constexpr auto kA6 = "2001:db8::1";
inline constexpr auto kB6 = "2001:db8::2";

inline Bytes datagram4(std::size_t payload = 100) {
  Bytes data(payload);
  for (std::size_t i = 0; i < payload; ++i) data[i] = static_cast<std::uint8_t>(i * 7);
  return eth().ip4(kA, kB).udp(1000, 53).payload(data).build();
}
inline Bytes datagram6(std::size_t payload = 100) {
  return eth().ip6(kA6, kB6).udp(1000, 53).payload(Bytes(payload, 0x66)).build();
}

// Counts what comes back, and that no buffer comes back twice.
struct Recorder final : packet::FragmentRelease {
  void release(void* buffer, DropReason reason, const Packet& piece) noexcept override {
    EXPECT_EQ(buffer, piece.buffer);
    EXPECT_EQ(piece.reason, reason);
    EXPECT_EQ(++returned[buffer], 1);
    ++count[reason];
  }
  std::map<void*, int> returned;
  std::map<DropReason, int> count;
};

class FragmentsTest : public testing::Test {
 protected:
  // One frame in a burst of its own.
  const Packet& send(const Bytes& frame, std::uint64_t now = 1, std::uint16_t port = 0) {
    burst_.next();
    const std::uint32_t i = burst_.add(frame, port);
    packet::parse(burst_.burst, topology_);
    defragmenter_.process(burst_.burst, topology_, now);
    return burst_.burst.packet[i];
  }
  bool whole() const { return burst_.burst.live == 1 && burst_.burst.packet[0].train != kNoTrain; }
  // Takes the train as the pipeline would, and gives the pieces' bytes.
  std::vector<Bytes> take_train(std::uint16_t train) {
    std::vector<Bytes> out;
    defragmenter_.for_each_piece(train, [&](Packet& p) {
      EXPECT_EQ(++recorder_.returned[p.buffer], 1);
      out.emplace_back(p.data, p.data + p.length);
    });
    defragmenter_.finish(train);
    return out;
  }
  void expect_dropped(const Packet& p, DropReason reason) {
    EXPECT_EQ(p.verdict, Verdict::drop);
    EXPECT_EQ(abi::drop_name(p.reason), abi::drop_name(reason));
  }
  void expect_empty() {
    EXPECT_EQ(defragmenter_.gauges().pieces, 0u);
    EXPECT_EQ(defragmenter_.gauges().datagrams, 0u);
  }

  const packet::Topology topology_ = Site().topology();
  Recorder recorder_;
  Defragmenter defragmenter_{
      {.pieces = 200, .datagrams = 8, .pieces_per_source = 150, .timeout_ns = 1000}, 1, recorder_};
  TestBurst burst_;
};

}  // namespace sekisho::test
