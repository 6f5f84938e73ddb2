// The words as a worker reads them. Anything unreadable or unknown reads as cut, closed.
//
// Thread: any; single loads only, no locks. Writers are elsewhere (abi/words.h says who). Read generation()
// (acquire) at the top of a burst before the words; what is read after obeys that generation.
#pragma once

#include <cstdint>

#include "dataplane/abi/words.h"
#include "dataplane/base/quarantine_key.h"

namespace sekisho::admit {

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
  // now_ns: CLOCK_MONOTONIC.
  bool access_open(std::uint32_t index, std::uint64_t now_ns) const;

  bool any_quarantine() const { return load_shared(words_->quarantine_count) != 0; }
  // An entry counts while now_ns < until_ns (UINT64_MAX: always).
  bool quarantined(const QuarantineKey& key, std::uint64_t now_ns) const;

 private:
  const sekisho_words* words_;
};

}  // namespace sekisho::admit
