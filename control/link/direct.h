// `sekisho cut --direct`: a cut without sekishod, as root. And what the thread that cuts prepares beforehand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/audit/audit.h"
#include "control/link/link_set.h"
#include "control/link/words_file.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

struct DirectPlaces {
  WordsPlace words;
  std::string latch_directory = "/var/lib/sekisho/latch";
  std::string note_directory = "/var/lib/sekisho/direct";
  std::uint64_t lock_timeout_ns = 500 * kMillisecond;
};

struct DirectCut {
  bool stored = false;   // in every words value that exists
  bool locked = false;   // false: somebody held the lock; stored nevertheless, see WordsWriter
  bool latched = false;  // survives a reboot
  bool noted = false;    // sekishod will put it into the audit
  std::uint64_t command_ns = 0, stored_ns = 0;
  std::uint64_t generation = 0;
  std::string note_path;
  LinkSet changed;                    // links that were open before
  std::vector<std::string> where;     // words that were stored
  std::vector<std::string> problems;  // each thing that could not be done, and what follows from it
};
// Cuts `links` in the array and in the file, whichever exist; the latch and the note if they can be written.
// Only ever closes. Does not wait for workers: the caller may look at the region, or at the far side.
DirectCut cut_direct(const DirectPlaces& places, const LinkSet& links, const Who& who,
                     const std::string& reason);

struct DirectNote {
  std::string path;
  Who who;
  std::string reason;
  std::uint64_t wall_ns = 0;
  LinkSet links, changed;
};
// The notes that are there, oldest first (at most 256, each at most 64 KiB; what is no note is reported).
std::vector<DirectNote> read_direct_notes(const std::string& directory, std::vector<std::string>& reports);

struct CutThread {
  bool memory_locked = false, stack_ready = false, fifo = false;
  int nice = 0;                      // where SCHED_FIFO was not allowed
  std::vector<std::string> missing;  // what could not be had, and why
};
// For the calling thread: mlockall, a prefaulted stack, SCHED_FIFO (else the best nice value).
CutThread prepare_cut_thread();

}  // namespace sekisho::control
