// IP defragmentation: holds the pieces of a datagram, judges it whole, sends the originals on.
//
// Sources: RFC 791, RFC 8200 4.5, RFC 5722 (overlaps), RFC 1858/7112 (tiny first fragments).
// Invariants: a held piece is in exactly one datagram; the pieces of a datagram are sorted by offset and
// disjoint; memory is fixed at construction. Thread: one worker.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/packet/packet.h"
#include "dataplane/packet/reassemble.h"
#include "dataplane/packet/topology.h"

namespace sekisho::packet {

inline constexpr std::uint32_t kMaxPieces = 128;  // of one datagram

// Takes back the pieces that the defragmenter gives up, so that each is counted and its buffer freed.
class FragmentRelease {
 public:
  // `piece` is as it came in; piece.buffer == buffer.
  virtual void release(void* buffer, DropReason reason, const Packet& piece) noexcept = 0;

 protected:
  ~FragmentRelease() = default;
};

class Defragmenter {
 public:
  struct Limits {
    std::uint32_t pieces = 1024;            // held in all; 1..65534 (abi::Settings::max_fragments)
    std::uint32_t datagrams = 512;          // at a time, those remembered as bad included; 1..65534
    std::uint32_t pieces_per_source = 256;  // a share: sources meet in 1024 seeded buckets
    std::uint64_t timeout_ns =
        30'000'000'000ull;  // from the first piece (abi::Settings::fragment_timeout_ms)
  };
  struct Gauges {
    std::uint32_t pieces;
    std::uint32_t datagrams;
  };

  // Allocates all it will ever use (about 4.3 MB for whole datagrams, and the slabs).
  Defragmenter(const Limits& limits, std::uint64_t seed, FragmentRelease& release);
  ~Defragmenter();  // gives up what it holds with DropReason::shutdown
  Defragmenter(const Defragmenter&) = delete;
  Defragmenter& operator=(const Defragmenter&) = delete;

  // Takes every live PacketKind::fragment out of the burst.
  //   held      Burst::hold; the piece's buffer is the defragmenter's now.
  //   complete  the slot of the completing piece becomes the whole datagram: parsed like any packet, flags
  //   has
  //             kTrain, train names the pieces, buffer is nullptr, data points to scratch that is valid until
  //             the next call of process. If the parser refuses it, the slot is dropped and still has a
  //             train.
  //   dropped   this piece alone (its buffer stays the caller's, as for any drop). The pieces that were held
  //             for a datagram that is now condemned go through FragmentRelease.
  // REQUIRES: every train of the burst before was finished.
  void process(Burst& burst, const Topology& topology, std::uint64_t now_ns) noexcept;

  // After judgement: the originals in offset order, bytes unmodified. The visitor takes over piece.buffer:
  // it sends it (from piece.data, piece.length; forward::to_egress works on it) or frees it.
  // visit(Packet& piece). Then call finish.
  template <typename Visit>
  void for_each_piece(std::uint16_t train, Visit&& visit) {
    for (std::uint16_t i = datagrams_[train].first; i != kNil; i = pieces_[i].next) visit(pieces_[i].packet);
  }
  // Forgets the train. The buffers are the visitor's.
  void finish(std::uint16_t train) noexcept;

  // Gives up at most `budget` datagrams that are older than the timeout (fragment_timeout).
  // Call between bursts.
  void expire(std::uint64_t now_ns, std::uint32_t budget = 8) noexcept;

  // Gives up everything with `reason`.
  void clear(DropReason reason) noexcept;

  Gauges gauges() const { return {pieces_held_, datagrams_held_}; }

 private:
  static constexpr std::uint16_t kNil = 0xffff;
  static constexpr std::uint32_t kUnknownEnd = 0xffffffffu;
  static constexpr std::uint32_t kShares = 1024;

  struct Piece {
    Packet packet;
    std::uint16_t offset = 0;  // in the datagram's payload, bytes
    std::uint16_t length = 0;
    std::uint16_t next = kNil;
    bool last = false;  // more-fragments flag clear
  };
  // What makes two pieces of one datagram.
  struct Id {
    std::uint8_t source[16];
    std::uint8_t destination[16];
    std::uint32_t id;
    std::uint16_t in;
    std::uint16_t outer_vlan;
    std::uint16_t inner_vlan;
    std::uint8_t protocol;  // IPv4 only
    std::uint8_t ip_version;
    friend bool operator==(const Id&, const Id&) = default;
  };
  static_assert(std::has_unique_object_representations_v<Id>);
  enum class State : std::uint8_t { free, collecting, condemned, complete };
  struct Datagram {
    Id id{};
    std::uint64_t since_ns = 0;
    std::uint32_t end = kUnknownEnd;  // of the payload, once the last piece is here
    std::uint32_t received = 0;       // bytes
    std::uint32_t bucket = 0;
    std::uint16_t share = 0;
    std::uint16_t count = 0;
    std::uint16_t first = kNil, tail = kNil;   // pieces
    std::uint16_t chain = kNil;                // hash chain; free list
    std::uint16_t older = kNil, newer = kNil;  // by since_ns
    State state = State::free;
  };

  void take(Burst& burst, std::uint32_t slot, const Topology& topology, std::uint64_t now_ns) noexcept;
  DropReason insert(Datagram& datagram, const Packet& packet, const FragmentHeader& fragment) noexcept;
  static DropReason impossible(const FragmentHeader& fragment) noexcept;
  static bool same_piece(const Piece& piece, const Packet& packet, const FragmentHeader& fragment) noexcept;
  bool fits(const Datagram& datagram) const noexcept;
  std::uint32_t reassemble(const Datagram& datagram, std::uint8_t* out) const noexcept;
  std::uint16_t find(const Id& id, std::uint64_t hash) const noexcept;
  std::uint16_t open(const Id& id, std::uint64_t hash, std::uint16_t share, std::uint64_t now_ns) noexcept;
  void unlink(std::uint16_t d) noexcept;  // off hash chain and time list
  void to_free_list(std::uint16_t d) noexcept;
  void free_pieces(Datagram& datagram) noexcept;
  void give_up_pieces(Datagram& datagram, DropReason reason) noexcept;
  void give_up(std::uint16_t d, DropReason reason) noexcept;
  void condemn(std::uint16_t d, DropReason reason) noexcept;
  std::uint8_t* scratch(std::uint32_t slot) { return scratch_.get() + std::size_t{slot} * kScratch + 64; }

  static constexpr std::size_t kScratch = 65536 + 128;  // headroom of 64 for tags

  Limits limits_;
  std::uint64_t seed_;
  FragmentRelease& release_;
  std::vector<Piece> pieces_;
  std::vector<Datagram> datagrams_;
  std::vector<std::uint16_t> buckets_;  // power of two
  std::vector<std::uint32_t> shares_;   // pieces held (a condemned datagram: 1)
  std::unique_ptr<std::uint8_t[]> scratch_;
  std::uint16_t free_piece_ = kNil, free_datagram_ = kNil;
  std::uint16_t oldest_ = kNil, newest_ = kNil;
  std::uint32_t pieces_held_ = 0, datagrams_held_ = 0;
  bool duplicate_ = false;  // insert's second answer
};

}  // namespace sekisho::packet
