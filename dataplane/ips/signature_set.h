// A signature set ready for use: the compiled block (abi/signature.h) checked, its Hyperscan databases and
// PCRE2 codes made runnable, and the index that the scanner walks.
//
// Thread: the steward loads (allocates, compiles to machine code, takes up to seconds); after that a set is
// immutable and any number of workers read it. ScanScratch: one per worker, made by the steward before the
// set is published; then only that worker touches it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/ips/cost.h"
#include "dataplane/ips/set_view.h"
#include "dataplane/ips/signature_set_always.h"

struct hs_database;
struct hs_scratch;

namespace sekisho::ips {

// A literal's postings, with the range that holds all of them.
struct ScanLiteral {
  std::uint32_t first_posting, posting_count;
  std::uint32_t low_end, high_end;  // of all postings together
  std::uint16_t uniform;            // 1: each posting has this range
  std::uint16_t packets;            // 1: some posting is of packets: the range is none
};

// Anchored literals of one offset and length: a table by their bytes.
struct AnchorClass {
  std::uint64_t first[4];  // bit b: some literal begins with byte b (both cases, if nocase)
  std::uint64_t mask;      // of the bytes that count, in the order of memory
  std::uint32_t offset;
  std::uint8_t size, nocase;
  std::uint32_t first_slot, slot_mask;  // slots: first_slot + (hash & slot_mask), linear probing
};
struct AnchorSlot {
  std::uint64_t key;
  std::uint32_t first_posting, posting_count;  // count 0: empty
};

// One scan group (abi::ScanGroupRecord), runnable.
struct ScanUnit {
  const hs_database* database;  // nullptr: nothing to scan
  std::uint32_t first_literal, literal_count;
  std::uint32_t first_class, class_count;  // by ascending offset
  std::uint32_t first_always, always_count;
  abi::AppProtocol app;
  std::uint8_t transport;
  bool fits(abi::AppProtocol a, std::uint8_t t) const {
    return (app == abi::AppProtocol::unknown || app == a) && (transport == 0 || transport == t);
  }
};

struct SetMemory {  // bytes
  std::uint64_t block = 0, databases = 0, patterns = 0, machine_code = 0, index = 0;
  std::uint64_t total() const { return block + databases + patterns + machine_code + index; }
};

class SignatureSet {
 public:
  // `block` starts at a multiple of 64 and outlives the set. nullptr: refused, `why` says where and why.
  // Every index and slice is checked; a block that was damaged anywhere is refused or harmless.
  static std::unique_ptr<const SignatureSet> load(std::span<const std::uint8_t> block, std::string& why);
  ~SignatureSet();
  SignatureSet(const SignatureSet&) = delete;
  SignatureSet& operator=(const SignatureSet&) = delete;

  const SetView& view() const { return view_; }
  const abi::SignatureHeader& header() const { return *header_; }
  std::span<const std::uint32_t> packet_always() const { return packet_always_; }
  // The same by type, to be asked with a packet's addresses.
  const AddressIndex& always_of(abi::SignatureType type) const {
    return always_[static_cast<unsigned>(type)];
  }
  const SetMemory& memory() const { return memory_; }
  std::uint32_t patterns_without_machine_code() const { return interpreted_; }

  // --- for the scanner ---
  // direction: kToServer or kToClient.
  std::span<const ScanUnit> units(abi::Buffer buffer, std::uint8_t direction) const {
    const UnitSlice s = by_buffer_[static_cast<unsigned>(buffer)][direction >> 1];
    return {units_.data() + s.first, s.count};
  }
  std::span<const ScanUnit> all_units() const { return units_; }
  std::span<const abi::PostingRecord> postings() const { return postings_; }
  const ScanLiteral* literals() const { return literals_.data(); }
  std::size_t literal_count() const { return literals_.size(); }
  const AnchorClass* classes() const { return classes_.data(); }
  const AnchorSlot* slots() const { return slots_.data(); }
  std::span<hs_database* const> databases() const { return databases_; }

 private:
  struct UnitSlice {
    std::uint32_t first = 0, count = 0;
  };
  SignatureSet() = default;
  bool decode_patterns(std::span<const std::uint8_t> codes, std::string& why);
  bool build_units(std::span<const abi::ScanGroupRecord> groups, std::span<const abi::LiteralRecord> literals,
                   std::span<const abi::AnchoredRecord> anchored, std::span<const std::uint8_t> databases,
                   std::string& why);

  const abi::SignatureHeader* header_ = nullptr;
  SetView view_;
  std::vector<HeaderRecord> headers_;
  std::vector<pcre2_real_code_8*> codes_;
  std::vector<hs_database*> databases_;
  std::vector<ScanUnit> units_;
  UnitSlice by_buffer_[abi::kBufferCount][2];
  std::vector<ScanLiteral> literals_;
  std::vector<AnchorClass> classes_;
  std::vector<AnchorSlot> slots_;
  std::span<const abi::PostingRecord> postings_;
  std::span<const std::uint32_t> packet_always_;
  AddressIndex always_[static_cast<unsigned>(abi::SignatureType::app_tx) + 1];
  SetMemory memory_;
  std::uint32_t interpreted_ = 0;
};

// What one worker needs to scan with one set (or, after grow, with several).
class ScanScratch {
 public:
  ScanScratch() = default;
  ~ScanScratch();
  ScanScratch(const ScanScratch&) = delete;
  ScanScratch& operator=(const ScanScratch&) = delete;
  // Room for all of the set's databases besides what there was. False: no memory. The steward, while the
  // worker does not scan.
  bool grow(const SignatureSet& set);
  std::uint64_t bytes() const;

  // --- for the scanner ---
  struct LiteralState {
    std::uint32_t serial = 0;  // of the last scan call that saw it
    std::uint32_t walks = 0;   // how often its postings were walked in that call; kDone: all are reported
  };
  static constexpr std::uint32_t kDone = 0xffffffffu;
  std::uint32_t next_serial();

  hs_scratch* hyperscan = nullptr;
  std::vector<LiteralState> literal;
  std::vector<std::uint32_t> posting;  // serial of the last scan call that reported it

  // What signatures cost this worker since the set was loaded. Read by the steward at any time.
  std::vector<SignatureCounts> cost;

 private:
  std::uint32_t serial_ = 0;
};

}  // namespace sekisho::ips
