// One slot of the latch: its bytes, and reading and writing them. Internal to the room.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "control/link/latch.h"

namespace sekisho::control::latch_slot {

// A sequence that no count of cuts reaches; beyond it a slot is damaged, whatever its checksum says.
inline constexpr std::uint64_t kMaxSequence = 1ull << 62;
extern const std::size_t kBytes;  // of a slot file

std::string reason(const std::string& what);  // what, and errno's text
bool sync_directory(const std::string& directory);

// Returns how many bytes of `buffer` (kBytes) are to be written: whole pages.
std::size_t encode(const LatchState& state, std::vector<std::uint8_t>& buffer);
// False: `why` it is damaged. Oddities of a valid slot go to `reports`.
bool decode(std::span<std::uint8_t> slot, LatchState& state, std::string& why,
            std::vector<std::string>& reports, const std::string& path);
std::vector<std::uint8_t> read(const std::string& path, std::string& why);
// In place, and durable when true. A slot that is absent or short is made whole first, so that later writes
// need no space.
bool write(const std::string& path, std::span<const std::uint8_t> bytes, std::string& error);

}  // namespace sekisho::control::latch_slot
