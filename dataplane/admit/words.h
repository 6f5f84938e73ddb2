// The words as a worker reads them. Anything unreadable or unknown reads as cut, closed.
//
// Thread: any; single loads only, no locks. Writers are elsewhere (abi/words.h says who). Read generation()
// (acquire) at the top of a burst before the words; what is read after obeys that generation.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/abi/snapshot.h"
#include "dataplane/abi/words.h"
#include "dataplane/base/quarantine_key.h"

namespace sekisho::admit {

// The hosts that a partial cut leaves alone: of the snapshot in use. Empty: a partial cut is a full one.
struct ProtectedHosts {
  std::span<const abi::Interval4> v4;  // sorted, disjoint
  std::span<const abi::Interval6> v6;
};

class Words {
 public:
  // Without words: everything cut. words may be null; it must outlive this.
  explicit Words(const sekisho_words* words = nullptr);

  // Magic, version and size are those of this build.
  bool valid() const {
    return load_shared(words_->magic) == SEKISHO_WORDS_MAGIC &&
           load_shared(words_->version) == SEKISHO_ABI_VERSION &&
           load_shared(words_->size) == sizeof(sekisho_words);
  }
  std::uint64_t generation() const { return load_shared(words_->generation, std::memory_order_acquire); }
  std::uint64_t access_generation() const {
    return load_shared(words_->access_generation, std::memory_order_acquire);
  }
  std::uint64_t quarantine_generation() const {
    return load_shared(words_->quarantine_generation, std::memory_order_acquire);
  }

  bool open(std::uint32_t link) const {
    return link < SEKISHO_MAX_LINKS && load_shared(words_->link[link]) == SEKISHO_WORD_OPEN && valid();
  }
  // Not open, but only partly cut: packets pass one end of which is protected.
  bool partial(std::uint32_t link) const {
    return link < SEKISHO_MAX_LINKS && sekisho_word_is_partial(load_shared(words_->link[link])) != 0 &&
           valid();
  }
  // Of this worker's snapshot, whose memory must live until the next call. Called by the worker alone.
  void protect(const ProtectedHosts& hosts) { protected_ = hosts; }
  // ip_version 4 or 6; address in network order, 4 or 16 bytes.
  bool is_protected(std::uint8_t ip_version, const std::uint8_t* address) const;

  // now_ns: CLOCK_MONOTONIC.
  bool access_open(std::uint32_t index, std::uint64_t now_ns) const;

  bool any_quarantine() const { return load_shared(words_->quarantine_count) != 0; }
  // An entry counts while now_ns < until_ns (UINT64_MAX: always).
  bool quarantined(const QuarantineKey& key, std::uint64_t now_ns) const;

 private:
  const sekisho_words* words_;
  ProtectedHosts protected_;
};

}  // namespace sekisho::admit
