// Parser and defragmenter against arbitrary frames. Input: a byte for port and flags, two for the length,
// then the frame; again and again. The frames share a defragmenter, so that an input can build datagrams.
//
// Checked: offsets lie inside the frame; a packet is live, held or dropped with a reason; no buffer is given
// back twice or lost; egress and crafted answers stay inside their buffers and are read back as sound.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <set>

#include "dataplane/forward/vlan.h"
#include "dataplane/packet/craft.h"
#include "dataplane/packet/fragments.h"
#include "dataplane/packet/parse.h"
#include "tests/packet/site.h"

namespace sekisho {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Buffers final : packet::FragmentRelease {
  void release(void* buffer, DropReason reason, const Packet&) noexcept override {
    require(reason != DropReason::none);
    require(owned.erase(buffer) == 1);
  }
  std::set<void*> owned;  // by the defragmenter
};

void check_offsets(const Packet& p, const FlowKey& key) {
  require(p.l3 >= 14 && p.l3 <= 22 && p.l3 <= p.length);
  require(p.in != kNoInterface && p.out != kNoInterface && p.wire != kNoWire);
  require(key.wire == p.wire.raw);
  if (p.kind == PacketKind::other || p.ip_version == 0) return;
  require(p.l4 >= p.l3 + 20 && p.l4 <= p.payload);
  require(p.payload + p.payload_length <= p.length);
  require(key.ip_version == p.ip_version);
  require(std::memcmp(key.low, key.high, 16) <= 0);
}

// Our answers are sound packets.
void check_crafted(const Packet& p, const packet::Topology& topology) {
  test::Bytes out(packet::kMaxCrafted);
  for (const bool reset : {true, false}) {
    const std::uint32_t n = reset ? packet::craft_tcp_reset(p, out) : packet::craft_prohibited(p, out);
    if (n == 0) continue;
    test::TestBurst answer;
    answer.add(test::Bytes(out.begin(), out.begin() + n), p.port.raw);
    packet::parse(answer.burst, topology);
    // The quoted packet may be one that no parser takes as quoted (a later header), all else is sound.
    const DropReason reason = answer.burst.packet[0].reason;
    require(answer.live(0) || reason == DropReason::icmp_error_malformed);
  }
}

void check_egress(const Packet& p, const packet::Topology& topology) {
  // A copy with exactly the headroom that is asked for.
  test::Bytes block(forward::kHeadroom + p.length);
  std::copy(p.data, p.data + p.length, block.begin() + forward::kHeadroom);
  Packet copy = p;
  copy.data = block.data() + forward::kHeadroom;
  if (!forward::to_egress(copy, topology)) return;
  require(copy.data >= block.data() && copy.data + copy.length == block.data() + block.size());
  require(copy.l3 <= copy.length);
}

}  // namespace
}  // namespace sekisho

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekisho;
  static const packet::Topology topology = test::Site().topology();
  Buffers buffers;
  {
    static Buffers* current = nullptr;
    // One defragmenter for all inputs: its 4 MB are made once.
    struct Forward final : packet::FragmentRelease {
      void release(void* b, DropReason r, const Packet& p) noexcept override { current->release(b, r, p); }
    };
    static Forward forward_to;
    static auto* defragmenter = new packet::Defragmenter(
        {.pieces = 40, .datagrams = 4, .pieces_per_source = 30, .timeout_ns = 16}, 1, forward_to);
    current = &buffers;

    test::TestBurst burst;
    std::uint64_t now = 0;
    std::size_t at = 0;
    while (at + 3 <= size && now < 200) {
      const std::uint8_t control = data[at];
      const std::size_t length = std::min<std::size_t>(data[at + 1] << 8 | data[at + 2], size - at - 3);
      const test::Bytes frame(data + at + 3, data + at + 3 + length);
      at += 3 + length;
      burst.next();
      const std::uint32_t i =
          burst.add(frame, control & 7, (control & 8) != 0 ? packet_flag::kChecksumTrusted : 0);
      Packet& p = burst.burst.packet[i];
      void* const handle = p.buffer;
      packet::parse(burst.burst, topology);
      const bool fragment = burst.live(i) && p.kind == PacketKind::fragment;
      if (fragment) {
        check_offsets(p, burst.burst.key[i]);
        buffers.owned.insert(handle);
      }
      defragmenter->process(burst.burst, topology, ++now);
      if (burst.live(i)) {
        require(p.reason == DropReason::none && p.verdict == Verdict::pass);
        require(p.kind != PacketKind::fragment && p.kind != PacketKind::unparsed);
        check_offsets(p, burst.burst.key[i]);
        check_crafted(p, topology);
        if (p.train == kNoTrain) check_egress(p, topology);
      } else if (p.verdict == Verdict::drop) {
        require(p.reason != DropReason::none);
        if (fragment && p.train == kNoTrain) buffers.owned.erase(handle);
      } else {
        require(p.verdict == Verdict::held);
      }
      if (p.train != kNoTrain) {
        defragmenter->for_each_piece(p.train, [&](Packet& piece) {
          check_egress(piece, topology);
          require(buffers.owned.erase(piece.buffer) == 1);
        });
        defragmenter->finish(p.train);
      }
      if ((control & 0x80) != 0) defragmenter->expire(now);
      require(defragmenter->gauges().pieces == buffers.owned.size());
    }
    defragmenter->clear(DropReason::shutdown);
  }
  require(buffers.owned.empty());
  return 0;
}
