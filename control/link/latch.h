// The latch: which links are cut and who is quarantined, on disk, across every restart until reopened.
//
// Two preallocated slot files in one directory (latch.0, latch.1) and a marker (latch.initialised). A write
// goes to the older slot and is durable there first (the commit), then to the other, so that one damaged slot
// costs nothing. Read: the newest valid slot, by sequence; clocks decide nothing. Both damaged, or gone
// although the marker is there: everything is cut.
// Thread: one owner at a time (sekishod's LinkControl, or --direct; both hold the words lock).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "control/link/link_set.h"
#include "control/link/quarantine_key.h"

namespace sekisho::control {

struct LatchedHost {
  QuarantineKey key;
  std::uint64_t until_wall_ns = 0;  // CLOCK_REALTIME; UINT64_MAX: until released
  std::uint64_t until_mono_ns = 0;  // CLOCK_MONOTONIC of the boot that wrote it
};

struct LatchState {
  std::uint64_t sequence = 0;
  std::uint64_t wall_ns = 0;               // when written
  std::array<std::uint8_t, 16> boot_id{};  // of the boot that wrote it
  LinkSet cut;
  LinkSet partial;  // those of `cut` that are only partly cut; earlier versions read them as cut
  std::vector<LatchedHost> quarantine;  // at most SEKISHO_QUARANTINE_SLOTS
  std::vector<std::string> zones;       // names by number, at most 64; empty: not known yet
};

enum class LatchHealth : std::uint8_t {
  good,
  one_damaged,   // the other one holds
  all_damaged,   // everything reads as cut
  uninitialised  // never initialised: everything reads as cut until initialise()
};
const char* to_string(LatchHealth health);

struct LatchRead {
  LatchHealth health = LatchHealth::uninitialised;
  LatchState state;                  // all cut unless good or one_damaged
  std::vector<std::string> reports;  // what was wrong, for the log and the audit
};

class Latch {
 public:
  explicit Latch(std::string directory);
  ~Latch();
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;

  LatchRead read();
  // First start of a gateway: records "initialised, all open". Refused if a slot or the marker is there.
  bool initialise(std::string& error);
  // True if a marker or a slot file is there.
  bool ever_initialised() const;
  // Durable when true (`warning` tells if only one slot could be written). The sequence and the time are set
  // here. Preallocated slots need no space.
  bool write(LatchState& state, std::string& error, std::string* warning = nullptr);

 private:
  std::string directory_;
  std::array<std::uint64_t, 2> slot_sequence_{};  // 0: damaged or absent: written first
  bool read_ = false;
  std::vector<std::uint8_t> buffer_;
};

// The end of a latched quarantine on this boot's CLOCK_MONOTONIC: exact on the same boot, else by the wall
// clock. If the wall clock has gone back behind `state.wall_ns` it lasts as long as was left when it was
// written. 0: over. UINT64_MAX: until released.
std::uint64_t latched_until_mono(const LatchedHost& host, const LatchState& state,
                                 const std::array<std::uint8_t, 16>& boot_id, std::uint64_t now_wall_ns,
                                 std::uint64_t now_mono_ns);
std::array<std::uint8_t, 16> current_boot_id();

}  // namespace sekisho::control
