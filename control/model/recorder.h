// What the configuration says about captures: [recorder]. What a link's packets are recorded with stands in
// Link::record_payload, the rings' memory in Settings. Plain data, part of a Model.
#pragma once

#include <cstdint>

namespace sekisho::control {

struct RecorderSettings {
  std::uint32_t seconds = 30;        // a capture goes back so far, as far as the rings reach
  std::uint8_t alert_priority = 1;   // alerts of this priority and above (1 is the highest); 0: none
  bool on_cut = true;                // a cut writes a capture
  std::uint32_t captures = 200;      // kept; the oldest go
  std::uint32_t storage_mb = 512;    // of all captures
  std::uint32_t capture_mb = 64;     // of one; the newest packets are kept
  std::uint32_t per_minute = 12;     // captures for alerts; people's and cuts' are not counted
  std::uint32_t session_mb = 256;    // of one vendor session's recording; it stops there
  std::uint32_t sessions_mb = 2048;  // of all of them; the oldest finished ones go
};

}  // namespace sekisho::control
