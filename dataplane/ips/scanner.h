// Finds the candidates among all signatures: literals of one buffer in one direction.
//
// A candidate is a signature that may match; a signature whose prefilter is in this buffer and that is not
// reported cannot match in what was scanned. Cost: one pass of Hyperscan over the new bytes and
// abi::kScanLookBack before them, one table look-up per class of anchored literals that the new bytes
// complete, and each posting reported at most once per call, however often its literal hits.
//
// Thread: the worker that owns the scratch. Allocates nothing, does not throw.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/ips/signature_set.h"

namespace sekisho::ips {

// A literal whose postings have different ranges is walked this often in one call; then the ranges are let go
// and all of its postings are reported.
inline constexpr std::uint32_t kMaxWalks = 32;
inline constexpr std::uint64_t kNoPacket = ~0ull;

// The first `size` bytes in memory of a word (little-endian machines).
inline std::uint64_t anchor_mask(unsigned size) {
  return size >= 8 ? ~0ull : (1ull << (8 * size)) - 1;
}
inline std::uint32_t anchor_hash(std::uint64_t key) {
  key *= 0x9e3779b97f4a7c15ull;
  return static_cast<std::uint32_t>(key >> 40);
}
// Each byte 'A'..'Z' made lower case.
inline std::uint64_t lower8(std::uint64_t v) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ull;
  const std::uint64_t seven = v & 0x7f * kOnes;
  const std::uint64_t above = seven + (0x7f - 'Z') * kOnes;         // top bit: > 'Z'
  const std::uint64_t from = seven + (0x80 - 'A') * kOnes;          // top bit: >= 'A'
  const std::uint64_t upper = (from & ~above & ~v) & 0x80 * kOnes;  // ASCII only
  return v | upper >> 2;
}

namespace detail {

using OnMatch = int (*)(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                        void* context);
// False: Hyperscan refused (a scratch that is in use or was not grown for this set); no byte causes it.
bool run_hyperscan(const hs_database* database, std::span<const std::uint8_t> bytes, hs_scratch* scratch,
                   OnMatch on_match, void* context) noexcept;

template <class Hit>
struct Pass {
  const ScanLiteral* literals;  // of the unit
  ScanScratch::LiteralState* states;
  std::uint32_t literal_count;
  std::uint32_t serial;
  const abi::PostingRecord* postings;
  std::uint32_t* stamps;
  std::uint64_t base;    // absolute offset of the first scanned byte
  std::uint64_t old;     // matches that end here or before are old
  std::uint64_t packet;  // where the packet's payload begins; kNoPacket: it is scanned apart
  Hit* hit;

  static int on_match(unsigned id, unsigned long long, unsigned long long to, unsigned,
                      void* context) noexcept {
    auto& p = *static_cast<Pass*>(context);
    const std::uint64_t end = p.base + to;
    if (end <= p.old || id >= p.literal_count) return 0;
    const ScanLiteral& l = p.literals[id];
    ScanScratch::LiteralState& state = p.states[id];
    if (state.serial == p.serial && state.walks == ScanScratch::kDone) return 0;
    if (end < l.low_end || (end > l.high_end && l.high_end != abi::kNone32)) return 0;
    if (state.serial != p.serial) state = {p.serial, 0};
    const bool all = l.uniform != 0 || ++state.walks > kMaxWalks;
    if (all) state.walks = ScanScratch::kDone;
    bool waiting = false;  // a posting whose range a later end may be in
    for (std::uint32_t i = l.first_posting; i < l.first_posting + l.posting_count; ++i) {
      const abi::PostingRecord& posting = p.postings[i];
      if (l.uniform == 0) {
        if (p.stamps[i] == p.serial) continue;
        std::uint64_t at = end;
        if (posting.in_packet != 0) {
          if (p.packet == kNoPacket) continue;
          at = end > p.packet ? end - p.packet : 0;
        }
        if (!all && at < posting.low_end) {
          waiting = true;
          continue;
        }
        if (!all && at > posting.high_end && posting.high_end != abi::kNone32) continue;
        p.stamps[i] = p.serial;
      }
      (*p.hit)(posting.signature, posting.group, end);
    }
    // Ends come in ascending order.
    if (!waiting) state.walks = ScanScratch::kDone;
    return 0;
  }
};

template <class Hit>
void anchors(const SignatureSet& set, const ScanUnit& unit, std::span<const std::uint8_t> bytes,
             std::uint64_t base, std::size_t new_from, Hit& hit) {
  const AnchorClass* c = set.classes() + unit.first_class;
  const AnchorClass* const end = c + unit.class_count;
  for (; c != end; ++c) {
    if (c->offset < base) continue;
    const std::uint64_t at = c->offset - base;
    if (at >= bytes.size()) break;  // by ascending offset
    const std::uint8_t first = bytes[at];
    if ((c->first[first >> 6] >> (first & 63) & 1) == 0) continue;
    if (at + c->size > bytes.size() || at + c->size <= new_from) continue;
    std::uint64_t key = 0;
    if (at + 8 <= bytes.size())
      std::memcpy(&key, bytes.data() + at, 8);
    else
      std::memcpy(&key, bytes.data() + at, c->size);
    key &= c->mask;
    if (c->nocase) key = lower8(key);
    const AnchorSlot* slots = set.slots() + c->first_slot;
    for (std::uint32_t s = anchor_hash(key) & c->slot_mask; slots[s].posting_count != 0;
         s = (s + 1) & c->slot_mask) {
      if (slots[s].key != key) continue;
      for (const abi::PostingRecord& p :
           set.postings().subspan(slots[s].first_posting, slots[s].posting_count))
        hit(p.signature, p.group, c->offset + c->size);
      break;
    }
  }
}

}  // namespace detail

// Calls hit(std::uint32_t signature, std::uint16_t group, std::uint64_t end) for each candidate: `end` is the
// offset behind the literal, from the start of the buffer. In no order; hit does not throw.
//
// bytes: a window of the buffer; its first byte is at offset `base` of the buffer, and bytes[new_from] is the
// first that no earlier call has seen. For a buffer that grows, `bytes` reaches back at least
// abi::kScanLookBack bytes before new_from, or to the buffer's start.
// False: the bytes were not scanned (see detail::run_hyperscan): treat them as uninspected.
// direction: kToServer or kToClient. transport: one bit of abi::kTransport…, for Buffer::payload.
// packet: of a stream, whose new bytes are just one packet's payload: where that begins (base + new_from).
// What is scanned in packets is reported too, except for literals at one offset: anchored() of the payload.
template <class Hit>
[[nodiscard]] bool scan(const SignatureSet& set, ScanScratch& scratch, abi::Buffer buffer,
                        std::uint8_t direction, abi::AppProtocol app, std::uint8_t transport,
                        std::span<const std::uint8_t> bytes, std::uint64_t base, std::size_t new_from,
                        Hit&& hit, std::uint64_t packet = kNoPacket) {
  if (new_from >= bytes.size()) return true;
  bool good = true;
  const std::size_t from = new_from > abi::kScanLookBack ? new_from - abi::kScanLookBack : 0;
  const std::uint32_t serial = scratch.next_serial();
  for (const ScanUnit& unit : set.units(buffer, direction)) {
    if (!unit.fits(app, transport)) continue;
    if (unit.class_count != 0) detail::anchors(set, unit, bytes, base, new_from, hit);
    if (unit.database == nullptr) continue;
    using H = std::remove_reference_t<Hit>;
    detail::Pass<H> pass{set.literals() + unit.first_literal,
                         scratch.literal.data() + unit.first_literal,
                         unit.literal_count,
                         serial,
                         set.postings().data(),
                         scratch.posting.data(),
                         base + from,
                         base + new_from,
                         packet,
                         &hit};
    good &= detail::run_hyperscan(unit.database, bytes.subspan(from), scratch.hyperscan,
                                  &detail::Pass<H>::on_match, &pass);
  }
  return good;
}

// Only the literals that stand at one offset: for bytes whose others were found by another scan.
template <class Hit>
void anchored(const SignatureSet& set, abi::Buffer buffer, std::uint8_t direction, abi::AppProtocol app,
              std::uint8_t transport, std::span<const std::uint8_t> bytes, Hit&& hit) {
  for (const ScanUnit& unit : set.units(buffer, direction))
    if (unit.class_count != 0 && unit.fits(app, transport)) detail::anchors(set, unit, bytes, 0, 0, hit);
}

// Calls hit(signature, group) for each signature that has no literal and is judged whenever this buffer comes
// (or grows).
template <class Hit>
void always(const SignatureSet& set, abi::Buffer buffer, std::uint8_t direction, abi::AppProtocol app,
            std::uint8_t transport, Hit&& hit) {
  for (const ScanUnit& unit : set.units(buffer, direction)) {
    if (!unit.fits(app, transport)) continue;
    for (const abi::PostingRecord& p : set.postings().subspan(unit.first_always, unit.always_count))
      hit(p.signature, p.group);
  }
}

}  // namespace sekisho::ips
