// What is known of the recording of one vendor session. Plain data.
#pragma once

#include <cstdint>
#include <string>

namespace sekisho::control {

struct SessionRecording {
  std::string ticket;
  std::uint64_t parts = 0, packets = 0;
  std::uint64_t bytes = 0, file_bytes = 0;  // of the parts' pcapng; as they lie on the disk
  std::uint64_t first_ns = 0, last_ns = 0;  // wall clock, of its packets; 0: it has none
  std::uint64_t overwritten = 0;            // blocks of the rings that nobody read in time: gaps
  std::uint64_t damaged = 0;                // blocks of the rings that contradicted themselves
  std::uint64_t restarts = 0;  // of the dataplane while nobody read: what its rings held last is not there
  std::uint64_t left_out = 0;  // packets that the disk did not take
  bool full = false;           // stopped at recorder.session_mb or sessions_mb
  bool finished = false;       // nothing will come to it any more
  std::string error;           // why nothing is recorded, or what last failed
};

}  // namespace sekisho::control
