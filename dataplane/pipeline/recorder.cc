#include "dataplane/pipeline/recorder.h"

#include <tmmintrin.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "dataplane/base/bytes.h"
#include "dataplane/packet/tunnel.h"
#include "dataplane/pipeline/context.h"
#include "dataplane/pipeline/inspect_stage.h"

namespace sekisho::pipeline {
namespace {

constexpr std::uint32_t kEthernet = 14;
// Of a packet inside a tunnel: its IP header, not what that carries.
constexpr std::uint32_t kTunnelled = 40;

// Registered and usual ports of DICOM (104, 2761, 2762, 4242, 11112) and HL7 over MLLP (2575). Asked of every
// packet: without a branch.
bool clinical_ports(const Packet& p) {
  const __m128i known = _mm_setr_epi16(104, 2575, 2761, 2762, 4242, 11112, 104, 104);
  const auto is = [&](std::uint16_t port) {
    return _mm_cmpeq_epi16(known, _mm_set1_epi16(static_cast<short>(port)));
  };
  return _mm_movemask_epi8(_mm_or_si128(is(p.source_port), is(p.destination_port))) != 0;
}

// No first byte of a segment that looks_clinical() would say yes to is another one.
bool may_look_clinical(std::uint8_t first) {
  return static_cast<std::uint8_t>(first - 1) < 7 || first == 0x0b || first == 'M';
}

bool is_vlan(std::uint16_t type) {
  return type == 0x8100 || type == 0x88a8;
}

// The headers of a frame that the parser refused or has not seen: no further than the ports.
std::uint32_t unparsed_headers(const std::uint8_t* data, std::uint32_t length) {
  std::uint32_t at = kEthernet;
  if (length < at) return length;
  std::uint16_t type = load_be16(data + 12);
  for (unsigned tags = 0; tags < 2 && is_vlan(type) && length >= at + 4; ++tags, at += 4)
    type = load_be16(data + at + 2);
  if (type == 0x0800 && length > at) return std::min(length, at + (data[at] & 0xf) * 4u + 8);
  if (type == 0x86dd) return std::min(length, at + 48);
  return std::min(length, at + 28);  // as much as ARP
}

std::uint32_t headers(const Packet& p) {
  if (p.kind == PacketKind::unparsed || p.l3 == 0) return unparsed_headers(p.data, p.length);
  if (p.kind == PacketKind::arp || p.kind == PacketKind::other) return std::min(p.length, p.l3 + 46u);
  if (p.payload <= p.l3) return unparsed_headers(p.data, p.length);
  std::uint32_t end = p.payload;
  if ((p.flags & packet_flag::kIcmpError) != 0) end += p.ip_version == 4 ? 28 : 48;  // the quoted headers
  if (p.kind == PacketKind::fragment && p.ip_version == 4 && (load_be16(p.data + p.l3 + 6) & 0x1fff) == 0)
    end += 8;  // the ports
  return std::min(p.length, end);
}

// The last `left` (1 to 15) of `size` bytes, zeros behind them. Read as one vector and shifted, where there
// is enough before them: bytes that are put together in memory wait for their own stores.
__m128i last_bytes(const std::uint8_t* data, std::uint32_t size, std::uint32_t left) {
  alignas(32) static constexpr std::uint8_t kShift[32] = {
      0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
      0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
  if (size >= 16) {
    const auto vector = [](const std::uint8_t* at) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    };
    return _mm_shuffle_epi8(vector(data + size - 16), vector(kShift + 16 - left));
  }
  alignas(16) std::uint8_t tail[16] = {};
  std::memcpy(tail, data + size - left, left);
  return _mm_load_si128(reinterpret_cast<const __m128i*>(tail));
}

}  // namespace

bool looks_clinical(const std::uint8_t* b, std::uint32_t n) noexcept {
  if (n == 0) return false;
  if (b[0] == 0x0b) return n < 4 || std::memcmp(b + 1, "MSH", 3) == 0;
  if (b[0] == 'M') return n >= 4 && std::memcmp(b, "MSH", 3) == 0;
  if (b[0] == 0 || b[0] > 7 || n < 6 || b[1] != 0) return false;
  const std::uint32_t length = load_be32(b + 2);
  switch (b[0]) {
    case 1:  // A-ASSOCIATE-RQ, -AC: the version follows
    case 2:
      return length >= 68 && (n < 8 || (b[6] == 0 && (b[7] & 1) != 0));
    case 4:  // P-DATA-TF: a PDV no longer than the PDU, of an odd presentation context
      if (length < 6) return false;
      if (n < 11) return true;
      return load_be32(b + 6) + 4 <= length && (b[10] & 1) != 0;
    default:  // A-ASSOCIATE-RJ, A-RELEASE-RQ, -RP, A-ABORT
      return length == 4;
  }
}

Recorder::Recorder(abi::RecorderRing* ring, std::uint64_t ring_bytes, std::uint32_t snap)
    : ring_(ring),
      data_(ring != nullptr ? abi::recorder_data(ring) : nullptr),
      bytes_(ring_bytes),
      snap_(std::clamp(snap, abi::kMinSnap, abi::kMaxSnap)) {
  links_.fill(abi::RecordPayload::none);
}

void Recorder::use(const Snapshot* snapshot) noexcept {
  links_.fill(abi::RecordPayload::none);
  generation_ = 0;
  all_ = false;
  if (snapshot == nullptr) return;
  generation_ = snapshot->view.generation();
  for (const abi::LinkRecord& link : snapshot->view.links)
    links_[link.index] = static_cast<abi::RecordPayload>(link.record_payload);
  all_ = std::find(links_.begin(), links_.end(), abi::RecordPayload::all) != links_.end();
}

// What the reader may find torn from here on. The bytes are written past the caches, which is not ordered by
// itself: the fences are here and in publish(), once a burst.
void Recorder::claim(std::uint32_t records, std::uint64_t frame_bytes) noexcept {
  constexpr std::uint64_t kEach = sizeof(abi::RecordHeader) + abi::kRecorderAlign;
  // At the end of each block a record's room may stay free, and the next begins with its head; under another
  // snapshot all of the present block may.
  const std::uint64_t most = records * kEach + frame_bytes;
  const std::uint64_t blocks = most / (abi::kRecorderBlock / 2) + 2;
  const std::uint64_t end =
      position_ + most + blocks * (sizeof(abi::RecorderBlock) + sizeof(abi::RecordHeader) + abi::kMaxSnap) +
      (block_generation_ != generation_ ? abi::kRecorderBlock : 0);
  if (end > claimed_) {
    claimed_ = end;
    std::atomic_ref<std::uint64_t>(ring_->claimed).store(end, std::memory_order_relaxed);
  }
  _mm_sfence();
}

void Recorder::pad() noexcept {
  const std::uint64_t left = abi::kRecorderBlock - position_ % abi::kRecorderBlock;
  if (left >= sizeof(abi::RecordHeader)) {
    abi::RecordHeader h{};
    h.bytes = static_cast<std::uint32_t>(left);
    h.kind = abi::RecordKind::padding;
    std::memcpy(at(position_), &h, sizeof h);
  }
  position_ += left;
  if (position_ - lap_ == bytes_) lap_ = position_;
}

void Recorder::begin_block(std::uint64_t now_ns) noexcept {
  const abi::RecorderBlock block{position_, generation_, now_ns, 0};
  std::memcpy(at(position_), &block, sizeof block);
  position_ += sizeof block;
  block_generation_ = generation_;
}

inline Recorder::Place Recorder::here() noexcept {
  const std::uint64_t used = position_ % abi::kRecorderBlock;
  const bool fresh = used == 0 || block_generation_ != generation_;
  return {at(position_), fresh ? 0 : abi::kRecorderBlock - used};
}

inline void Recorder::done(const Place& place) noexcept {
  position_ = lap_ + static_cast<std::uint64_t>(place.at - data_);
  if (position_ - lap_ == bytes_) lap_ = position_;
}

Recorder::Place Recorder::next_block(const Place& place, std::uint64_t now_ns) noexcept {
  done(place);
  if (position_ % abi::kRecorderBlock != 0) pad();
  begin_block(now_ns);
  return {at(position_), abi::kRecorderBlock - sizeof(abi::RecorderBlock)};
}

// The ring is written once and read almost never: through the caches it would push out the flows and the
// frames that the next burst needs. Everything is aligned to 16 bytes (kRecorderAlign).
inline abi::RecordHeader* Recorder::write(Place& place, const Packet& p, const Record& r) noexcept {
  const auto size =
      static_cast<std::uint32_t>((sizeof(abi::RecordHeader) + r.captured + abi::kRecorderAlign - 1) &
                                 ~std::uint32_t{abi::kRecorderAlign - 1});
  if (size > place.room) [[unlikely]]
    place = next_block(place, r.now_ns);
  std::uint8_t* const to = place.at;
  place.at += size;
  place.room -= size;
  static_assert(packet_flag::kFromInitiator == abi::record_flag::kFromInitiator);
  const std::uint8_t flags = r.flags | (p.flags & packet_flag::kFromInitiator);
  const std::uint16_t link = p.in != kNoInterface ? p.link : abi::kNone16;
  // The fields of RecordHeader in words of 8 bytes; offsets are asserted in abi/recorder.h.
  const auto u64 = [](auto value) { return static_cast<std::uint64_t>(value); };
  const std::uint64_t word[6] = {
      u64(size) | u64(r.captured) << 32 | u64(abi::RecordKind::packet) << 48 | u64(r.verdict) << 56,
      r.now_ns,
      r.flow_id,
      u64(p.length) | u64(r.reason) << 32 | u64(flags) << 40 | u64(p.from.raw) << 48 | u64(p.to.raw) << 56,
      u64(p.in.raw) | u64(p.out.raw) << 16 | u64(link) << 32 | u64(p.port.raw) << 48,
      u64(r.signature)};
  auto* out = reinterpret_cast<__m128i*>(to);
  const auto pair = [](std::uint64_t low, std::uint64_t high) {
    return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
  };
  _mm_stream_si128(out++, pair(word[0], word[1]));
  _mm_stream_si128(out++, pair(word[2], word[3]));
  _mm_stream_si128(out++, pair(word[4], word[5]));
  const std::uint8_t* from = p.data;
  std::uint32_t left = r.captured;
  for (; left >= 16; left -= 16, from += 16)
    _mm_stream_si128(out++, _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  if (left != 0) _mm_stream_si128(out, last_bytes(p.data, r.captured, left));
  return reinterpret_cast<abi::RecordHeader*>(to);
}

void Recorder::write_one(const Packet& p, const Record& r) noexcept {
  Place place = here();
  write(place, p, r);
  done(place);
  ++packets_;
}

std::uint32_t Recorder::kept_otherwise(const Packet& p, abi::RecordPayload wanted) const {
  if (wanted == abi::RecordPayload::all) return std::min(p.length, abi::kMaxSnap);
  const std::uint32_t bare = headers(p), most = std::min(p.length, snap_);
  if (wanted == abi::RecordPayload::none || p.kind == PacketKind::unparsed || p.payload <= p.l3 ||
      (p.flags & packet_flag::kIcmpError) != 0) {
    return std::min(bare, most);
  }
  return std::min(bare + kTunnelled, most);
}

// f: the packet's flow, or null.
inline std::uint32_t Recorder::kept(const Packet& p, flow::Flow* f, std::uint8_t& flags) const {
  const abi::RecordPayload wanted = choice(p);
  if (wanted != abi::RecordPayload::head || p.kind == PacketKind::unparsed || p.payload <= p.l3 ||
      (p.flags & packet_flag::kIcmpError) != 0 || packet::may_carry(p)) [[unlikely]] {
    return kept_otherwise(p, wanted);
  }
  const std::uint32_t most = std::min(p.length, snap_);
  if (p.payload_length == 0 || (p.protocol != 6 && p.protocol != 17)) return most;
  bool clinical = clinical_ports(p) || (f != nullptr && (f->flags & flag::kClinical) != 0);
  if (!clinical && p.payload < p.length && may_look_clinical(p.data[p.payload]) &&
      looks_clinical(p.data + p.payload, std::min(p.payload_length, p.length - p.payload))) {
    clinical = true;
    if (f != nullptr) f->flags |= flag::kClinical;
  }
  if (!clinical) [[likely]]
    return most;
  flags |= abi::record_flag::kWithheld;
  return std::min(headers(p), most);
}

std::uint64_t Recorder::flow_of(const Packet& p, const FlowKey& key,
                                const flow::FlowTable& table) const noexcept {
  // A packet that came later in the burst may have taken the entry.
  if (p.flow != kNoFlow) return table.flow(p.flow).key == key ? table.origin(p.flow).flow_id : 0;
  if (p.kind != PacketKind::ip || p.verdict == Verdict::pass) return 0;
  const std::uint32_t i = table.find(key, p.hash);
  return i == kNoFlow ? 0 : table.origin(i).flow_id;
}

void Recorder::burst(const Burst& burst, flow::FlowTable& table, const InspectStage* inspect,
                     std::uint64_t now_ns, bool parsed) noexcept {
  if (!parsed) [[unlikely]] {
    claim(burst.size, burst.size * 128ull);
    for (std::uint32_t i = 0; i < burst.size; ++i) {
      const Packet& seen = burst.packet[i];
      Packet p;
      p.data = seen.data;
      p.length = seen.length;
      p.port = seen.port;
      write_one(p, {unparsed_headers(p.data, p.length), 0, now_ns, 0, seen.verdict, seen.reason});
    }
    return;
  }
  // Origins are cold: nobody else reads them for a packet.
  std::uint64_t bytes = 0;
  std::uint16_t flags = 0;
  const std::uint32_t most = all_ ? abi::kMaxSnap : snap_;
  for (std::uint32_t i = 0; i < burst.size; ++i) {
    const Packet& p = burst.packet[i];
    if (p.flow != kNoFlow) __builtin_prefetch(&table.origin(p.flow));
    bytes += std::min(p.length, most);
    flags |= p.flags;
  }
  claim(burst.size, bytes);
  // Only a packet that makes a flow may take the entry of another one's.
  const bool moved = (flags & packet_flag::kNewFlow) != 0;
  Place place = here();
  for (std::uint32_t i = 0; i < burst.size; ++i) {
    const Packet& p = burst.packet[i];
    slot_[i] = nullptr;
    if (p.verdict == Verdict::held || (p.flags & packet_flag::kTrain) != 0) continue;
    const bool known = p.flow != kNoFlow && !moved;
    Record r{0,         known ? table.origin(p.flow).flow_id : flow_of(p, burst.key[i], table),
             now_ns,    0,
             p.verdict, p.reason};
    r.captured = kept(p, p.flow != kNoFlow && r.flow_id != 0 ? &table.flow(p.flow) : nullptr, r.flags);
    if (p.reason == DropReason::signature && inspect != nullptr) [[unlikely]]
      r.signature = inspect->dropped_by(i);
    slot_[i] = write(place, p, r);
    ++packets_;
  }
  done(place);
}

void Recorder::dropped(std::uint32_t slot, DropReason reason) noexcept {
  if (slot_[slot] == nullptr) return;
  slot_[slot]->verdict = static_cast<std::uint8_t>(Verdict::drop);
  slot_[slot]->reason = static_cast<std::uint8_t>(reason);
}

void Recorder::piece(const Packet& piece, DropReason reason, std::uint64_t flow_id,
                     std::uint64_t now_ns) noexcept {
  const std::uint32_t captured = choice(piece) == abi::RecordPayload::all
                                     ? std::min(piece.length, abi::kMaxSnap)
                                     : std::min(headers(piece), snap_);
  claim(1, captured);
  write_one(piece, {captured, flow_id, now_ns, abi::record_flag::kPiece,
                    reason == DropReason::none ? Verdict::pass : Verdict::drop, reason});
}

void Recorder::publish() noexcept {
  _mm_sfence();
  std::atomic_ref<std::uint64_t>(ring_->packets).store(packets_, std::memory_order_relaxed);
  std::atomic_ref<std::uint64_t>(ring_->written).store(position_, std::memory_order_release);
}

}  // namespace sekisho::pipeline
