// Stores into the words in the order that abi/words.h asks for: the words, then generation + 1 with release.
// No allocation, no system call, no exception: this is what runs between a command and its word.
// REQUIRES for every call: the words lock (FileLock on WordsPlace::lock). A cut alone may go on without it:
// it is single stores towards closed, and the generation is an atomic add.
#pragma once

#include <cstdint>
#include <vector>

#include "control/link/link_set.h"
#include "control/link/quarantine_key.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {

enum class QuarantineResult : std::uint8_t {
  added,
  renewed,  // was there; the end was set anew
  full,     // every slot within SEKISHO_QUARANTINE_PROBES of its home is taken: refused
  bad_key,  // unknown kind
  removed,
  not_there
};

class WordsWriter {
 public:
  explicit WordsWriter(sekisho_words* words) : w_(words) {}

  // Fills version, size and `boot` (hash of the boot id), then magic, last of all, with release.
  void stamp(std::uint64_t boot) noexcept;
  bool stamped() const noexcept;

  // Each returns the new generation.
  // `reset`: SEKISHO_WORD_CUT_RESET; a link that is cut so already stays so without it, too.
  std::uint64_t cut(const LinkSet& links, bool reset = false) noexcept;
  // Partly cut: only links that are open become so; what is cut stays cut, whoever stores at the same time.
  std::uint64_t cut_partly(const LinkSet& links, bool reset = false) noexcept;
  // Partly cut, whatever they were. REQUIRES: the words lock.
  std::uint64_t set_partial(const LinkSet& links) noexcept;
  std::uint64_t open(const LinkSet& links) noexcept;
  std::uint64_t set_link(LinkIndex link, bool is_open) noexcept;
  // deadline: CLOCK_MONOTONIC ns; ignored when closing. False: index out of range.
  bool set_access(std::uint32_t index, bool is_open, std::uint64_t deadline_ns) noexcept;

  QuarantineResult quarantine(const QuarantineKey& key, std::uint64_t until_mono_ns) noexcept;
  QuarantineResult release(const QuarantineKey& key) noexcept;
  // Frees the slots whose time is over; returns how many.
  unsigned expire(std::uint64_t now_mono_ns) noexcept;

  // Of the slots in use; until_wall_ns is not known here. Allocates.
  std::vector<QuarantinedHost> read_quarantine() const;

  std::uint64_t generation() const noexcept;
  // Everything that is not exactly `open`.
  LinkSet read_cut() const noexcept;
  // Of those, what is exactly `partial`, with or without reset.
  LinkSet read_partial() const noexcept;
  // Only what says cut or partial, with or without reset (for words that were never stamped, where zero says
  // nothing).
  LinkSet read_said_cut() const noexcept;

 private:
  std::uint64_t publish() noexcept;
  void publish_quarantine() noexcept;
  sekisho_words* w_;
};

}  // namespace sekisho::control
