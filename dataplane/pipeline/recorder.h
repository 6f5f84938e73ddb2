// The flight recorder of one worker: a copy of what each packet looked like when it came in, and its verdict,
// into a ring that the management process may read (abi/recorder.h). Always on, bounded, never waits.
//
// What is kept of a packet is its link's choice (abi::RecordPayload). On links that keep the frame's head,
// what may be a patient's data is left out: the payload of DICOM and HL7, told by port or by their first
// bytes (PS3.8 9.3, HL7 v2 MLLP); from then on nothing of that flow's payload is kept.
// Thread: the worker. After construction nothing here allocates, locks or calls the kernel.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/abi/recorder.h"
#include "dataplane/flow/table.h"
#include "dataplane/pipeline/snapshot.h"

namespace sekisho::pipeline {

class InspectStage;

class Recorder {
 public:
  // ring: zeroed memory of this worker, with `ring_bytes` (a multiple of kRecorderBlock, at least two) of
  // data behind it; null: nothing is recorded. snap: bytes of a frame that links with `head` keep.
  Recorder(abi::RecorderRing* ring, std::uint64_t ring_bytes, std::uint32_t snap);

  bool on() const { return ring_ != nullptr; }
  void use(const Snapshot* snapshot) noexcept;

  // All packets of a judged burst in the order in which they came, but those that are held and the pieces of
  // trains. parsed: false before the first snapshot. REQUIRES: on(); bytes are as received.
  void burst(const Burst& burst, flow::FlowTable& table, const InspectStage* inspect, std::uint64_t now_ns,
             bool parsed) noexcept;
  // A packet of the last burst() was dropped after all.
  void dropped(std::uint32_t slot, DropReason reason) noexcept;

  // A fragment, as it came in. flow_id: of its datagram; 0: not known.
  void piece(const Packet& piece, DropReason reason, std::uint64_t flow_id, std::uint64_t now_ns) noexcept;
  std::uint64_t flow_of(const Packet& packet, const FlowKey& key,
                        const flow::FlowTable& table) const noexcept;

  // Makes what was written visible, at the end of a burst. Alerts of the burst may have been seen before.
  void publish() noexcept;

 private:
  abi::RecordPayload choice(const Packet& p) const {
    return p.in != kNoInterface && p.link < links_.size() ? links_[p.link] : abi::RecordPayload::none;
  }
  std::uint32_t kept(const Packet& p, flow::Flow* f, std::uint8_t& flags) const;
  std::uint32_t kept_otherwise(const Packet& p, abi::RecordPayload wanted) const;
  struct Record {
    std::uint32_t captured;
    std::uint64_t flow_id, now_ns;
    std::uint8_t flags;
    Verdict verdict;
    DropReason reason;
    std::uint32_t signature = 0xffffffffu;
  };
  // Where the next record goes, in registers while a burst is written.
  struct Place {
    std::uint8_t* at;
    std::uint64_t room;  // until the end of the block; 0: no block has begun
  };
  Place here() noexcept;
  void done(const Place& place) noexcept;
  Place next_block(const Place& place, std::uint64_t now_ns) noexcept;
  // REQUIRES: claimed.
  abi::RecordHeader* write(Place& place, const Packet& p, const Record& r) noexcept;
  void write_one(const Packet& p, const Record& r) noexcept;
  void pad() noexcept;
  void begin_block(std::uint64_t now_ns) noexcept;
  std::uint8_t* at(std::uint64_t position) { return data_ + (position - lap_); }
  // Before so many records with so many bytes of frames in all.
  void claim(std::uint32_t records, std::uint64_t frame_bytes) noexcept;

  abi::RecorderRing* ring_;
  std::uint8_t* data_ = nullptr;
  std::uint64_t bytes_, position_ = 0, lap_ = 0;  // lap_: position of data_[0] in this round
  std::uint64_t claimed_ = 0;
  std::uint64_t generation_ = 0, block_generation_ = 0, packets_ = 0;
  std::uint32_t snap_;
  bool all_ = false;  // some link keeps whole frames
  std::array<abi::RecordPayload, SEKISHO_MAX_LINKS> links_{};
  std::array<abi::RecordHeader*, kBurst> slot_{};
};

// Whether these first bytes of a segment can only be, or very probably are, DICOM's upper layer or HL7 v2.
bool looks_clinical(const std::uint8_t* payload, std::uint32_t length) noexcept;

}  // namespace sekisho::pipeline
