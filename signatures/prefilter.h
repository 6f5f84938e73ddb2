// Which literal of a signature the scanner looks for. What is chosen is a necessary condition: whenever the
// signature's groups match, the literal stands in the chosen buffer within the range given.
//
// Choice: over all positive contents of all groups whose buffer can be scanned, the window of at most 8 bytes
// with the fewest expected hits (prefilter_rarity.cc). Pure functions: any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/abi/signature.h"
#include "signatures/ast.h"

namespace sekisho::signatures {

inline constexpr std::size_t kMaxLiteral = abi::kScanLookBack + 1;
inline constexpr std::size_t kMinScanned = 4;  // shorter ones hit everywhere and slow the whole group
inline constexpr std::uint32_t kMaxAnchorOffset = 1024;

struct Prefilter {
  enum class Kind : std::uint8_t {
    scanned,
    anchored,       // at exactly one offset: low_end == high_end
    always,         // whenever the buffer of `group` is there
    packet_always,  // no buffer at all
  };
  Kind kind = Kind::packet_always;
  std::uint16_t group = 0;
  std::string bytes;  // lower case when nocase
  bool nocase = false;
  std::uint32_t low_end = 0, high_end = abi::kNone32;  // where the literal may end
  double score = 0;                                    // -log2 of the expected hits in one buffer
};

Prefilter choose_prefilter(const Signature& s);

// --- parts, for tests ---

// What kind of bytes a buffer holds, for the model of frequencies.
enum class Alphabet : std::uint8_t { text, header, name, binary, token };
Alphabet alphabet(Buffer b);
// Bits of surprise of `bytes` at one place of such a buffer.
double rarity(std::string_view bytes, Alphabet a, bool nocase);
// log2 of the places in a usual buffer.
double places(Buffer b);

struct PcreLiteral {
  std::string bytes;
  bool nocase = false;
};
// The longest run of plain characters that every match of the pattern contains; nothing when in doubt.
std::optional<PcreLiteral> mandatory_run(const Pcre& p, std::size_t at_least);

}  // namespace sekisho::signatures
