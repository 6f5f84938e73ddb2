#include "dataplane/packet/fragments.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/base/hash.h"
#include "dataplane/packet/parse.h"

namespace sekisho::packet {

namespace {

std::uint32_t bounded(std::uint32_t value) {
  return std::clamp<std::uint32_t>(value, 1, 0xfffe);
}

}  // namespace

Defragmenter::Defragmenter(const Limits& limits, std::uint64_t seed, FragmentRelease& release)
    : limits_(limits),
      seed_(seed),
      release_(release),
      pieces_(bounded(limits.pieces)),
      datagrams_(bounded(limits.datagrams)),
      buckets_(std::bit_ceil(2 * datagrams_.size()), kNil),
      shares_(kShares, 0),
      scratch_(std::make_unique<std::uint8_t[]>(kBurst * kScratch)) {
  for (std::size_t i = pieces_.size(); i-- > 0;) {
    pieces_[i].next = free_piece_;
    free_piece_ = static_cast<std::uint16_t>(i);
  }
  for (std::size_t i = datagrams_.size(); i-- > 0;) {
    datagrams_[i].chain = free_datagram_;
    free_datagram_ = static_cast<std::uint16_t>(i);
  }
}

Defragmenter::~Defragmenter() {
  clear(DropReason::shutdown);
}

void Defragmenter::process(Burst& burst, const Topology& topology, std::uint64_t now_ns) noexcept {
  for_live(burst.live, [&](std::uint32_t i) {
    if (burst.packet[i].kind == PacketKind::fragment) take(burst, i, topology, now_ns);
  });
}

void Defragmenter::take(Burst& burst, std::uint32_t slot, const Topology& topology,
                        std::uint64_t now_ns) noexcept {
  Packet& p = burst.packet[slot];
  Id id{};
  const FragmentHeader fragment = read_fragment(p, id.source, id.destination);
  id.id = fragment.id;
  id.in = p.in.raw;
  id.outer_vlan = p.outer_vlan;
  id.inner_vlan = p.inner_vlan;
  id.protocol = p.ip_version == 4 ? p.protocol : 0;
  id.ip_version = p.ip_version;
  const std::uint64_t hash = hash64({reinterpret_cast<const std::uint8_t*>(&id), sizeof id}, seed_);
  const std::uint64_t source_hash = hash64({id.source, 16}, seed_ + 1);

  std::uint16_t d = find(id, hash);
  if (d == kNil) {
    const auto share = static_cast<std::uint16_t>(source_hash % kShares);
    if (shares_[share] >= limits_.pieces_per_source || free_datagram_ == kNil || free_piece_ == kNil)
      return burst.drop(slot, DropReason::fragment_memory);
    d = open(id, hash, share, now_ns);
  }
  Datagram& datagram = datagrams_[d];
  if (datagram.state == State::condemned) {
    const DropReason fault = impossible(fragment);
    return burst.drop(slot, fault != DropReason::none ? fault : DropReason::fragment_given_up);
  }

  const DropReason refusal = insert(datagram, p, fragment);
  if (refusal == DropReason::fragment_overlap && duplicate_) return burst.drop(slot, refusal);
  if (refusal != DropReason::none) {
    // A datagram that has no sound piece yet is not worth a memory: the next piece stands for itself.
    datagram.count == 0 ? give_up(d, refusal) : condemn(d, refusal);
    return burst.drop(slot, refusal);
  }
  burst.hold(slot);
  if (datagram.received != datagram.end) return;
  if (!fits(datagram)) return condemn(d, DropReason::fragment_too_large);

  // Whole: the slot of this last piece becomes the datagram.
  const std::uint32_t length = reassemble(datagram, scratch(slot));
  datagram.state = State::complete;
  unlink(d);
  p.data = scratch(slot);
  p.length = length;
  p.buffer = nullptr;
  p.train = d;
  p.flags |= packet_flag::kTrain;
  parse_one(burst, slot, topology);
}

// RFC 791, RFC 8200 4.5: all but the last are multiples of 8, and the whole stays within 65,535.
DropReason Defragmenter::impossible(const FragmentHeader& fragment) noexcept {
  if (fragment.length == 0 || (fragment.more && fragment.length % 8 != 0)) return DropReason::fragment_length;
  return fragment.offset + std::uint32_t{fragment.length} + fragment.header > 65535
             ? DropReason::fragment_too_large
             : DropReason::none;
}

// Puts the packet among the pieces. Not none: nothing was taken; duplicate_ says whether it is but a copy.
DropReason Defragmenter::insert(Datagram& datagram, const Packet& p,
                                const FragmentHeader& fragment) noexcept {
  duplicate_ = false;
  const std::uint32_t offset = fragment.offset, end = offset + fragment.length;
  if (const DropReason fault = impossible(fragment); fault != DropReason::none) return fault;
  if (offset == 0 && !first_fragment_sound(p)) return DropReason::fragment_tiny;

  // Most come in order: start from the tail when the piece lies behind it.
  std::uint16_t before = kNil, after = datagram.first;
  if (datagram.tail != kNil && pieces_[datagram.tail].offset < offset) {
    before = datagram.tail;
    after = kNil;
  }
  while (after != kNil && pieces_[after].offset < offset) {
    before = after;
    after = pieces_[after].next;
  }
  if (after != kNil && pieces_[after].offset == offset && same_piece(pieces_[after], p, fragment)) {
    duplicate_ = true;
    return DropReason::fragment_overlap;
  }
  if (before != kNil && pieces_[before].offset + std::uint32_t{pieces_[before].length} > offset)
    return DropReason::fragment_overlap;
  if (after != kNil && end > pieces_[after].offset) return DropReason::fragment_overlap;

  if (!fragment.more) {
    if (datagram.end != kUnknownEnd || after != kNil) return DropReason::fragment_length;
  } else if (datagram.end != kUnknownEnd && end >= datagram.end) {
    return DropReason::fragment_length;
  }
  if (datagram.count == kMaxPieces) return DropReason::fragment_pieces;
  if (free_piece_ == kNil || shares_[datagram.share] >= limits_.pieces_per_source)
    return DropReason::fragment_memory;

  const std::uint16_t i = free_piece_;
  Piece& piece = pieces_[i];
  free_piece_ = piece.next;
  piece.packet = p;
  piece.packet.verdict = Verdict::held;
  piece.offset = static_cast<std::uint16_t>(offset);
  piece.length = static_cast<std::uint16_t>(fragment.length);
  piece.last = !fragment.more;
  piece.next = after;
  (before == kNil ? datagram.first : pieces_[before].next) = i;
  if (after == kNil) datagram.tail = i;
  if (!fragment.more) datagram.end = end;
  datagram.received += fragment.length;
  ++datagram.count;
  ++shares_[datagram.share];
  ++pieces_held_;
  return DropReason::none;
}

bool Defragmenter::same_piece(const Piece& piece, const Packet& p, const FragmentHeader& fragment) noexcept {
  return piece.length == fragment.length && piece.last == !fragment.more &&
         std::memcmp(piece.packet.data + piece.packet.l4, p.data + p.l4, fragment.length) == 0;
}

// The first piece's header may be longer than those that the pieces were measured with.
bool Defragmenter::fits(const Datagram& datagram) const noexcept {
  std::uint8_t source[16], destination[16];
  return read_fragment(pieces_[datagram.first].packet, source, destination).header + datagram.end <= 65535;
}

std::uint32_t Defragmenter::reassemble(const Datagram& datagram, std::uint8_t* out) const noexcept {
  const Packet& first = pieces_[datagram.first].packet;
  std::uint32_t at = write_whole_header(first, datagram.end, out);
  for (std::uint16_t i = datagram.first; i != kNil; i = pieces_[i].next) {
    const Piece& piece = pieces_[i];
    std::memcpy(out + at, piece.packet.data + piece.packet.l4, piece.length);
    at += piece.length;
  }
  return at;
}

std::uint16_t Defragmenter::find(const Id& id, std::uint64_t hash) const noexcept {
  for (std::uint16_t d = buckets_[hash & (buckets_.size() - 1)]; d != kNil; d = datagrams_[d].chain) {
    if (datagrams_[d].id == id) return d;
  }
  return kNil;
}

std::uint16_t Defragmenter::open(const Id& id, std::uint64_t hash, std::uint16_t share,
                                 std::uint64_t now_ns) noexcept {
  const std::uint16_t d = free_datagram_;
  Datagram& datagram = datagrams_[d];
  free_datagram_ = datagram.chain;
  datagram = Datagram{};
  datagram.id = id;
  datagram.since_ns = now_ns;
  datagram.share = share;
  datagram.bucket = static_cast<std::uint32_t>(hash & (buckets_.size() - 1));
  datagram.state = State::collecting;
  datagram.chain = buckets_[datagram.bucket];
  buckets_[datagram.bucket] = d;
  datagram.older = newest_;
  (newest_ == kNil ? oldest_ : datagrams_[newest_].newer) = d;
  newest_ = d;
  ++datagrams_held_;
  return d;
}

void Defragmenter::unlink(std::uint16_t d) noexcept {
  Datagram& datagram = datagrams_[d];
  std::uint16_t* link = &buckets_[datagram.bucket];
  while (*link != d) link = &datagrams_[*link].chain;
  *link = datagram.chain;
  (datagram.older == kNil ? oldest_ : datagrams_[datagram.older].newer) = datagram.newer;
  (datagram.newer == kNil ? newest_ : datagrams_[datagram.newer].older) = datagram.older;
}

void Defragmenter::to_free_list(std::uint16_t d) noexcept {
  Datagram& datagram = datagrams_[d];
  datagram.state = State::free;
  datagram.chain = free_datagram_;
  free_datagram_ = d;
  --datagrams_held_;
}

// The pieces' slots; their buffers are somebody else's already.
void Defragmenter::free_pieces(Datagram& datagram) noexcept {
  for (std::uint16_t i = datagram.first; i != kNil;) {
    const std::uint16_t next = pieces_[i].next;
    pieces_[i].packet.buffer = nullptr;
    pieces_[i].next = free_piece_;
    free_piece_ = i;
    i = next;
  }
  shares_[datagram.share] -= datagram.count;
  pieces_held_ -= datagram.count;
  datagram.count = 0;
  datagram.first = datagram.tail = kNil;
}

void Defragmenter::give_up_pieces(Datagram& datagram, DropReason reason) noexcept {
  for (std::uint16_t i = datagram.first; i != kNil; i = pieces_[i].next) {
    Packet& piece = pieces_[i].packet;
    piece.verdict = Verdict::drop;
    piece.reason = reason;
    release_.release(piece.buffer, reason, piece);
  }
  free_pieces(datagram);
}

// What is held goes, and what comes later will not be taken, until the timeout.
void Defragmenter::condemn(std::uint16_t d, DropReason reason) noexcept {
  Datagram& datagram = datagrams_[d];
  give_up_pieces(datagram, reason);
  datagram.state = State::condemned;
  ++shares_[datagram.share];
}

void Defragmenter::finish(std::uint16_t train) noexcept {
  free_pieces(datagrams_[train]);
  to_free_list(train);
}

void Defragmenter::give_up(std::uint16_t d, DropReason reason) noexcept {
  Datagram& datagram = datagrams_[d];
  if (datagram.state == State::condemned) --shares_[datagram.share];
  give_up_pieces(datagram, reason);
  unlink(d);
  to_free_list(d);
}

void Defragmenter::expire(std::uint64_t now_ns, std::uint32_t budget) noexcept {
  while (budget-- > 0 && oldest_ != kNil && now_ns > datagrams_[oldest_].since_ns &&
         now_ns - datagrams_[oldest_].since_ns >= limits_.timeout_ns) {
    give_up(oldest_, DropReason::fragment_timeout);
  }
}

void Defragmenter::clear(DropReason reason) noexcept {
  while (oldest_ != kNil) give_up(oldest_, reason);
}

}  // namespace sekisho::packet
