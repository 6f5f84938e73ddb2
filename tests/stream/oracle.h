// Reassembly against a byte map: which bytes were seen first at each offset, and which of them are in order.
// Used by the property test and the fuzzer. A difference aborts.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "dataplane/packet/packet.h"
#include "dataplane/stream/stream.h"

namespace sekisho::stream::test {

#define SEKISHO_REQUIRE(holds)                                         \
  do {                                                                 \
    if (!(holds)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds); \
      std::abort();                                                    \
    }                                                                  \
  } while (0)

// One direction of a connection (the client's) as the strict rules want it.
class ByteMap {
 public:
  ByteMap(StreamPool& pool, const Options& options, std::uint32_t isn)
      : pool_(pool), options_(options), isn_(isn) {
    Segment s;
    s.seq = isn_;
    s.flags = tcp_flag::kSyn;
    SEKISHO_REQUIRE(on_segment(pool_, stream_, true, s, options_).action == Action::pass);
    s.seq = kServerIsn;
    s.ack = isn_ + 1;
    s.flags = tcp_flag::kSyn | tcp_flag::kAck;
    SEKISHO_REQUIRE(on_segment(pool_, stream_, false, s, options_).action == Action::pass);
  }
  ~ByteMap() { release(pool_, stream_); }
  ByteMap(const ByteMap&) = delete;
  ByteMap& operator=(const ByteMap&) = delete;

  std::size_t next() const { return next_; }
  std::size_t acked() const { return acked_; }
  bool over() const { return over_; }
  const TcpStream& stream() const { return stream_; }

  // The client sends these bytes at this offset.
  void send(std::size_t at, std::span<const std::uint8_t> bytes) {
    if (over_) return;
    const std::size_t end = at + bytes.size();
    if (known_.size() < end) known_.resize(end, -1);
    bool conflict = false;
    for (std::size_t i = std::max(at, acked_); i < end; ++i)
      conflict |= known_[i] >= 0 && known_[i] != bytes[i - at];
    const bool strict_conflict = conflict && options_.overlap == OverlapPolicy::drop;

    Segment s;
    s.seq = isn_ + 1 + static_cast<std::uint32_t>(at);
    s.ack = kServerIsn + 1;
    s.flags = tcp_flag::kAck;
    s.payload = bytes;
    const Result r = on_segment(pool_, stream_, true, s, options_);
    const bool probe = at + 1 == next_ && bytes.size() <= 1 && acked_ >= next_;
    SEKISHO_REQUIRE((r.reason == DropReason::stream_conflict) == strict_conflict);
    SEKISHO_REQUIRE((r.action == Action::drop) == (r.reason != DropReason::none));
    if (conflict && !probe) SEKISHO_REQUIRE(r.has(StreamEvent::overlap_different_data));
    if (r.action == Action::drop) {
      SEKISHO_REQUIRE(strict_conflict || r.overload);
      SEKISHO_REQUIRE(r.delivery.empty());
      // At the cap a part of an out-of-order segment may have stayed: the map cannot tell.
      if (r.reason == DropReason::stream_memory && at > next_) over_ = true;
      check_memory();
      return;
    }
    for (std::size_t i = at; i < end; ++i)
      if (known_[i] < 0) known_[i] = bytes[i - at];
    std::size_t reach = next_;
    while (reach < known_.size() && known_[reach] >= 0) ++reach;
    SEKISHO_REQUIRE(r.delivery.fresh == reach - next_);
    SEKISHO_REQUIRE(r.delivery.gap == 0);
    if (r.delivery.fresh != 0) {
      SEKISHO_REQUIRE(r.delivery.offset + r.delivery.data.size() == reach);
      SEKISHO_REQUIRE(r.delivery.data.size() - r.delivery.fresh <= options_.look_back);
    }
    for (std::size_t i = 0; i < r.delivery.data.size(); ++i)
      SEKISHO_REQUIRE(known_[static_cast<std::size_t>(r.delivery.offset) + i] == r.delivery.data[i]);
    next_ = reach;
    SEKISHO_REQUIRE(stream_.half[0].next == static_cast<std::int64_t>(next_));
    check_memory();
  }

  // The server has read up to here. Beyond what is in order it must be refused.
  void acknowledge(std::size_t upto) {
    if (over_) return;
    Segment s;
    s.seq = kServerIsn + 1;
    s.ack = isn_ + 1 + static_cast<std::uint32_t>(upto);
    s.flags = tcp_flag::kAck;
    const Result r = on_segment(pool_, stream_, false, s, options_);
    SEKISHO_REQUIRE((r.reason == DropReason::tcp_ack) == (upto > next_));
    if (upto <= next_) acked_ = std::max(acked_, upto);
    check_memory();
  }

  void idle(std::uint32_t keep) {
    trim_idle(pool_, stream_, keep);
    check_memory();
  }

 private:
  static constexpr std::uint32_t kServerIsn = 0xfffffff0u;

  void check_memory() const {
    SEKISHO_REQUIRE(memory(pool_, stream_) == pool_.in_use());
    SEKISHO_REQUIRE(pool_.in_use() <= pool_.capacity());
    const Half& h = stream_.half[0];
    SEKISHO_REQUIRE(h.start <= std::max(h.acked, std::int64_t{0}));  // all that is not acknowledged is kept
    SEKISHO_REQUIRE(h.start + h.kept() == h.next);
  }

  StreamPool& pool_;
  Options options_;
  TcpStream stream_{};
  std::uint32_t isn_;
  std::vector<std::int16_t> known_;  // first byte seen at each offset; -1: none
  std::size_t next_ = 0, acked_ = 0;
  bool over_ = false;
};

}  // namespace sekisho::stream::test
