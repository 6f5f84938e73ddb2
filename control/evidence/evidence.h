// Evidence of cuts: for each receipt one signed archive, made by a thread of its own after the receipt.
// A cut never waits for it: note() only takes the receipt down. Where an archive cannot be made, the reason
// is told (`failed`) and kept; the oldest archives are removed when the quota is reached.
//
// Thread: any; providers are called by the worker's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/evidence/signed_archive.h"
#include "control/link/receipt.h"

namespace sekisho::control {

struct EvidenceEntry {
  std::string id;  // the receipt's
  std::uint64_t bytes = 0;
  std::uint64_t wall_ns = 0;  // when it was made
};

struct EvidenceOptions {
  std::string directory;               // archives and the key
  std::uint64_t quota = 1ull << 30;    // bytes of all archives
  std::uint64_t most_bytes = 1 << 28;  // of one
  std::size_t most_waiting = 64;
  std::uint64_t settle_ns = 2'000'000'000;  // after the cut: the ends of its flows come as events
  // After an archive: its id and why there is none (empty: there is one); what was removed for the quota.
  std::function<void(const Receipt&, const std::string& failure)> done;
  std::function<void(const std::string& id)> removed;
};

class EvidenceStore {
 public:
  // Adds what it knows of the time around a cut. May take seconds; must not throw.
  using Provider = std::function<void(const Receipt&, EvidenceWriter&)>;

  explicit EvidenceStore(EvidenceOptions options);
  ~EvidenceStore();
  // What is under way is finished, what waits is made without settling; nothing is made after.
  void finish();

  // Archives are made from now on; the public key is there. Empty, or why none can be signed.
  std::string open();
  // Before the first note().
  void add_provider(Provider provider);
  // From the next archive on; what all of them are too much by goes at once.
  void set_bounds(std::uint64_t of_one, std::uint64_t of_all, std::uint64_t settle_ns);

  // Of a cut that changed something, or a quarantine. Never waits; false: `most_waiting` wait already.
  bool note(const Receipt& receipt) noexcept;

  std::vector<EvidenceEntry> list() const;  // newest first
  // The archive's path; nothing: no such id.
  std::optional<std::string> path(const std::string& id) const;
  std::array<std::uint8_t, 32> public_key() const;
  std::string last_failure() const;  // with its id; empty: the last archive was made
  std::size_t waiting() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sekisho::control
