// Memory that the dataplane shares with the management process.
//
// Thread: the steward. What lies inside is said in abi/region.h and abi/words.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/abi/recorder.h"
#include "dataplane/abi/region.h"
#include "dataplane/abi/words.h"
#include "dataplane/io/descriptor.h"

namespace sekisho::io {

// The dataplane's own region: mapped for writing here, then sealed (F_SEAL_FUTURE_WRITE), so that everybody
// who gets the descriptor can only read.
class RegionMemory {
 public:
  // Throws std::system_error.
  RegionMemory(std::uint32_t workers, std::uint32_t ports);
  abi::Region& get() const { return *static_cast<abi::Region*>(mapping_.data()); }
  int fd() const { return fd_.get(); }

 private:
  Descriptor fd_;
  Mapping mapping_;
};

// The event rings, one per worker. Both sides write (a reader advances its index); the size is sealed.
class EventMemory {
 public:
  explicit EventMemory(std::uint32_t workers);
  abi::EventRing& ring(std::uint32_t worker) const { return get().ring[worker]; }
  int fd() const { return fd_.get(); }

 private:
  abi::EventRegion& get() const { return *static_cast<abi::EventRegion*>(mapping_.data()); }
  Descriptor fd_;
  Mapping mapping_;
};

// The flight recorder's rings, one per worker, sealed like the region. All pages are there from the start: a
// worker that records takes no page fault.
class RecorderMemory {
 public:
  // ring_bytes: of each worker; a multiple of kRecorderBlock. Throws std::system_error.
  RecorderMemory(std::uint32_t workers, std::uint64_t ring_bytes);
  abi::RecorderRing& ring(std::uint32_t worker) const { return *get().ring(worker); }
  abi::RecorderRegion& get() const { return *static_cast<abi::RecorderRegion*>(mapping_.data()); }
  int fd() const { return fd_.get(); }

 private:
  Descriptor fd_;
  Mapping mapping_;
};

// The words at one address for the life of the process. Before the first hello a page of zeros lies there,
// which reads as "everything is cut"; attach() puts the words in its place with MAP_FIXED (one step under the
// kernel's mapping lock), so that workers keep their pointer, also when a new management process brings other
// words. Mapped PROT_READ from a descriptor that cannot be written; the descriptor is not kept.
class WordsMemory {
 public:
  WordsMemory();
  const sekisho_words* get() const { return static_cast<const sekisho_words*>(mapping_.data()); }
  // A BPF_F_MMAPABLE array or a file. False: refused, with the reason; what was there stays.
  bool attach(const Descriptor& words, std::string& why);

 private:
  Mapping mapping_;
};

// A read-only view of a sealed memfd (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) of 1 to `limit` bytes.
std::optional<Mapping> map_sealed(const Descriptor& file, std::uint64_t limit, std::string& why);

}  // namespace sekisho::io
