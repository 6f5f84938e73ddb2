#include "dataplane/pipeline/recorder.h"

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

// Registered and usual ports of DICOM (104, 2761, 2762, 4242, 11112) and HL7 over MLLP (2575).
bool clinical_port(std::uint16_t port) {
  switch (port) {
    case 104:
    case 2575:
    case 2761:
    case 2762:
    case 4242:
    case 11112:
      return true;
    default:
      return false;
  }
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
  if (snapshot == nullptr) return;
  generation_ = snapshot->view.generation();
  for (const abi::LinkRecord& link : snapshot->view.links)
    links_[link.index] = static_cast<abi::RecordPayload>(link.record_payload);
}

// What the reader may find torn from here on; before the bytes change.
void Recorder::claim(std::uint64_t end) noexcept {
  std::atomic_ref<std::uint64_t>(ring_->claimed).store(end, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
}

void Recorder::pad() noexcept {
  const std::uint64_t left = abi::kRecorderBlock - position_ % abi::kRecorderBlock;
  claim(position_ + left);
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
  claim(position_ + sizeof(abi::RecorderBlock));
  const abi::RecorderBlock block{position_, generation_, now_ns, 0};
  std::memcpy(at(position_), &block, sizeof block);
  position_ += sizeof block;
  block_generation_ = generation_;
}

abi::RecordHeader* Recorder::write(const Packet& p, std::uint32_t captured, std::uint64_t flow_id,
                                   std::uint8_t flags, std::uint64_t now_ns) noexcept {
  const auto size =
      static_cast<std::uint32_t>((sizeof(abi::RecordHeader) + captured + abi::kRecorderAlign - 1) &
                                 ~std::uint32_t{abi::kRecorderAlign - 1});
  const std::uint64_t used = position_ % abi::kRecorderBlock;
  if (used == 0) {
    begin_block(now_ns);
  } else if (used + size > abi::kRecorderBlock || block_generation_ != generation_) [[unlikely]] {
    pad();
    begin_block(now_ns);
  }
  claim(position_ + size);
  std::uint8_t* const to = at(position_);
  abi::RecordHeader h;
  h.bytes = size;
  h.captured = static_cast<std::uint16_t>(captured);
  h.kind = abi::RecordKind::packet;
  h.verdict = static_cast<std::uint8_t>(p.verdict);
  h.time_ns = now_ns;
  h.flow_id = flow_id;
  h.length = p.length;
  h.reason = static_cast<std::uint8_t>(p.reason);
  h.flags = static_cast<std::uint8_t>(
      flags | ((p.flags & packet_flag::kFromInitiator) != 0 ? abi::record_flag::kFromInitiator : 0));
  h.from_zone = p.from.raw;
  h.to_zone = p.to.raw;
  h.in_interface = p.in.raw;
  h.out_interface = p.out.raw;
  h.link = p.in != kNoInterface ? p.link : abi::kNone16;
  h.port = p.port.raw;
  h.signature = 0xffffffffu;
  h.reserved = 0;
  std::memcpy(to, &h, sizeof h);
  std::memcpy(to + sizeof h, p.data, captured);
  position_ += size;
  if (position_ - lap_ == bytes_) lap_ = position_;
  ++packets_;
  return reinterpret_cast<abi::RecordHeader*>(to);
}

// f: the packet's flow, or null.
std::uint32_t Recorder::kept(const Packet& p, flow::Flow* f, std::uint8_t& flags) const {
  const abi::RecordPayload wanted = choice(p);
  if (wanted == abi::RecordPayload::all) return std::min(p.length, abi::kMaxSnap);
  const std::uint32_t most = std::min(p.length, snap_);
  const std::uint32_t bare = headers(p);
  if (wanted == abi::RecordPayload::none || p.kind == PacketKind::unparsed || p.payload <= p.l3 ||
      (p.flags & packet_flag::kIcmpError) != 0) {
    return std::min(bare, most);
  }
  if (packet::may_carry(p)) return std::min(bare + kTunnelled, most);
  if (p.payload_length == 0 || (p.protocol != 6 && p.protocol != 17)) return most;
  bool clinical = clinical_port(p.source_port) || clinical_port(p.destination_port) ||
                  (f != nullptr && (f->flags & flag::kClinical) != 0);
  if (!clinical && looks_clinical(p.data + p.payload, std::min(p.payload_length, p.length - p.payload))) {
    clinical = true;
    if (f != nullptr) f->flags |= flag::kClinical;
  }
  if (!clinical) return most;
  flags |= abi::record_flag::kWithheld;
  return std::min(bare, most);
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
    for (std::uint32_t i = 0; i < burst.size; ++i) {
      const Packet& seen = burst.packet[i];
      Packet p;
      p.data = seen.data;
      p.length = seen.length;
      p.port = seen.port;
      p.verdict = seen.verdict;
      p.reason = seen.reason;
      write(p, unparsed_headers(p.data, p.length), 0, 0, now_ns);
    }
    return;
  }
  // Origins are cold: nobody else reads them for a packet.
  for (std::uint32_t i = 0; i < burst.size; ++i)
    if (burst.packet[i].flow != kNoFlow) __builtin_prefetch(&table.origin(burst.packet[i].flow));
  for (std::uint32_t i = 0; i < burst.size; ++i) {
    const Packet& p = burst.packet[i];
    slot_[i] = nullptr;
    if (p.verdict == Verdict::held || (p.flags & packet_flag::kTrain) != 0) continue;
    const std::uint64_t flow_id = flow_of(p, burst.key[i], table);
    std::uint8_t flags = 0;
    const std::uint32_t captured =
        kept(p, p.flow != kNoFlow && flow_id != 0 ? &table.flow(p.flow) : nullptr, flags);
    abi::RecordHeader* const h = write(p, captured, flow_id, flags, now_ns);
    if (p.reason == DropReason::signature && inspect != nullptr) [[unlikely]]
      h->signature = inspect->dropped_by(i);
    slot_[i] = h;
  }
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
  abi::RecordHeader* const h = write(piece, captured, flow_id, abi::record_flag::kPiece, now_ns);
  h->verdict = static_cast<std::uint8_t>(reason == DropReason::none ? Verdict::pass : Verdict::drop);
  h->reason = static_cast<std::uint8_t>(reason);
}

void Recorder::publish() noexcept {
  std::atomic_ref<std::uint64_t>(ring_->packets).store(packets_, std::memory_order_relaxed);
  std::atomic_ref<std::uint64_t>(ring_->written).store(position_, std::memory_order_release);
}

}  // namespace sekisho::pipeline
