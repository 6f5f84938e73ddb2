// One audit record as a line, and the head file's line. Internal to the room.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/audit/audit.h"

namespace sekisho::control::audit_detail {

using Hash = std::array<std::uint8_t, 32>;
inline constexpr Hash kNoHash{};

std::string to_hex(const Hash& hash);
std::optional<Hash> from_hex(std::string_view text);
Hash blake2b(std::string_view bytes);

struct Record {
  std::uint64_t sequence = 0;
  Hash previous{}, hash{};
  Hash computed{};  // over the line as it stands
  std::string action;
  std::string details_json;
};

// The details as compact JSON with sorted keys. Nothing: `error` names why not.
std::optional<std::string> canonical_details(const std::string& json, std::string& error);
// At most kAuditMaxField bytes, cut at a character's end.
std::string bounded_field(std::string_view text);
bool valid_action(std::string_view action);

// A line without its newline. `details` is canonical.
std::string make_line(std::uint64_t sequence, std::uint64_t wall_ns, const AuditEntry& entry,
                      const std::string& details, const Hash& previous, Hash& hash);
// Nothing: not a record.
std::optional<Record> parse_line(std::string_view line);

// The head file: exactly kHeadBytes, written in place, with a checksum of its own.
inline constexpr std::size_t kHeadBytes = 256;
struct Head {
  std::uint64_t sequence = 0;
  Hash hash{};
};
std::string make_head(const Head& head);
std::optional<Head> parse_head(std::string_view bytes);
enum class HeadFile : std::uint8_t { good, absent, damaged };
HeadFile read_head(const std::string& path, Head& head);

inline constexpr const char* kNoteTorn = "audit.torn_line";
inline constexpr const char* kNoteTail = "audit.tail_missing";
inline constexpr const char* kNoteHead = "audit.head_repaired";

}  // namespace sekisho::control::audit_detail
