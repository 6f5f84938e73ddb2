// TCP reassembly against a byte map (tests/stream/oracle.h), and any sequence of segments at all with any
// options: memory stays accounted and below its cap, and what is delivered is well-formed.
#include "dataplane/base/bytes.h"
#include "tests/stream/oracle.h"

namespace {

using namespace sekisho;
using namespace sekisho::stream;

std::uint8_t truth(std::size_t at) {
  return static_cast<std::uint8_t>(at * 167 >> 3);
}

void against_the_map(ByteCursor in) {
  const std::uint8_t how = in.u8();
  Options o;
  o.look_back = how & 1 ? 8 : 4096;
  o.overlap = how & 2 ? OverlapPolicy::first_wins : OverlapPolicy::drop;
  if (how & 4) {
    o.max_window = 4096;
    o.queue_bytes = 1024;
    o.queue_segments = 3;
  }
  StreamPool pool(how & 8 ? 2048 : 1u << 20);
  test::ByteMap map(pool, o, how & 16 ? 0xffffff80u : 5);
  while (in.remaining() >= 4 && !map.over()) {
    const std::uint8_t op = in.u8();
    const std::uint16_t size = in.u16();
    const std::uint8_t move = in.u8();
    switch (op & 7) {
      case 0:
        map.idle(size);
        break;
      case 1:
        map.acknowledge(map.acked() + move);
        break;
      case 2:
        map.acknowledge(map.next() + 1 + size);
        break;
      default: {
        std::size_t at = map.next();
        if ((op & 8) != 0) at += move * 5u;
        if ((op & 16) != 0) at = at > move ? at - move : 0;
        if (at > 100'000) break;
        std::vector<std::uint8_t> bytes(size % ((op & 32) != 0 ? 5000 : 40) + 1);
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = truth(at + i);
        if ((op & 192) == 192) bytes[move % bytes.size()] ^= 1;
        map.send(at, bytes);
      }
    }
  }
}

void check(const Delivery& d) {
  SEKISHO_REQUIRE(d.fresh <= d.data.size());
  unsigned sum = 0;
  for (const std::uint8_t b : d.data) sum += b;  // all of it may be read
  volatile unsigned keep = sum;
  (void)keep;
}

void any_segments(ByteCursor in) {
  const std::uint8_t a = in.u8(), b = in.u8();
  Options o = a & 1 ? Options::passive() : Options{};
  o.gap = a & 2 ? GapPolicy::skip : GapPolicy::drop;
  o.overlap = a & 4 ? OverlapPolicy::first_wins : OverlapPolicy::drop;
  o.syn_data = a & 8 ? SynDataPolicy::scan : SynDataPolicy::drop;
  o.midstream = (a & 16) != 0;
  o.async = (a & 32) != 0;
  o.urgent = static_cast<UrgentPolicy>((a >> 6) % 3);
  o.depth = b & 1 ? b * 16u : 0;
  o.look_back = b & 2 ? 16 : 4096;
  if (b & 4) {
    o.max_window = 2048;
    o.queue_bytes = 600;
    o.queue_segments = 4;
    o.async_keep = 100;
  }
  StreamPool pool(b & 8 ? 4096 : 1u << 20);
  TcpStream stream{};
  std::uint32_t at[2] = {0xfffff000u, 77};  // where each end is, roughly
  static std::uint8_t bytes[70000];
  while (in.remaining() >= 6) {
    const std::uint8_t how = in.u8();
    Segment s;
    s.flags = in.u8();
    const bool initiator = (how & 1) != 0;
    const auto step = static_cast<std::int8_t>(in.u8());
    const auto back = static_cast<std::int8_t>(in.u8());
    const std::uint16_t size = in.u16();
    std::uint32_t& own = at[initiator ? 0 : 1];
    s.seq = (how & 2) ? in.u32() : own + static_cast<std::uint32_t>(step);
    s.ack = (how & 4) ? in.u32() : at[initiator ? 1 : 0] + static_cast<std::uint32_t>(back);
    s.window = (how & 8) ? in.u16() : kWindowUnknown;
    s.urgent = (s.flags & tcp_flag::kUrg) != 0 ? in.u8() : 0;
    const std::size_t length = (how & 16) ? size : size % 64;
    for (std::size_t i = 0; i < length; ++i) bytes[i] = truth(s.seq + i);
    if ((how & 32) && length != 0) bytes[0] ^= 1;
    s.payload = {bytes, length};
    const TcpStream before = stream;
    const Result r = on_segment(pool, stream, initiator, s, o);
    SEKISHO_REQUIRE((r.action == Action::drop) == (r.reason != DropReason::none));
    SEKISHO_REQUIRE(!r.overload || r.action == Action::drop);
    check(r.delivery);
    if (r.action == Action::drop) {
      SEKISHO_REQUIRE(r.delivery.empty());
      for (int i = 0; i < 2; ++i) {
        SEKISHO_REQUIRE(stream.half[i].next == before.half[i].next);
        SEKISHO_REQUIRE(stream.half[i].acked == before.half[i].acked);
        SEKISHO_REQUIRE(stream.half[i].base == before.half[i].base);
      }
    } else if ((how & 2) == 0) {
      own = s.seq + static_cast<std::uint32_t>(length) + ((s.flags & tcp_flag::kSyn) ? 1 : 0);
    }
    if ((how & 64) == 0)
      for (const bool end : {true, false})
        for (bool more = r.ready[end ? 0 : 1]; more;) {
          const Drained d = drain(pool, stream, end, o);
          check(d.delivery);
          SEKISHO_REQUIRE(d.overload || !d.delivery.empty());
          more = d.more;
        }
    if ((how & 128) != 0) {
      if (step == 1) give_up(pool, stream, initiator);
      if (step == 2) trim_idle(pool, stream, size);
      if (step == 3) check(drain(pool, stream, initiator, o, true).delivery);
      if (step == 4) release(pool, stream);
    }
    const std::size_t lent = pool.loan.block != kNoBlock ? block_bytes(pool.loan.order) : 0;
    SEKISHO_REQUIRE(memory(pool, stream) + lent == pool.in_use());
    SEKISHO_REQUIRE(pool.in_use() <= pool.capacity());
    for (const Half& h : stream.half)
      SEKISHO_REQUIRE((h.flags & (half_flag::kDepth | half_flag::kBypassed)) != 0 ||
                      h.start + h.kept() == h.next);
  }
  release(pool, stream);
  SEKISHO_REQUIRE(pool.in_use() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  if (data[0] & 1)
    against_the_map(ByteCursor(rest));
  else
    any_segments(ByteCursor(rest));
  return 0;
}
