#include "control/ips/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <string_view>
#include <vector>

#include "signatures/compile_file.h"

namespace sekisho::control {
namespace {

constexpr std::string_view kHead = "sekisho first-seen 1\n";
constexpr std::string_view kEnd = "end\n";

std::string fault(const std::string& path, std::size_t line) {
  return fmt::format("{}: damaged in line {}", path, line);
}

}  // namespace

bool Ledger::load(const std::string& path, std::string& why) {
  entries_.clear();
  std::vector<std::uint8_t> bytes;
  if (why = signatures::read_file(path, kMostBytes, bytes); !why.empty()) {
    const bool missing = why.ends_with("No such file or directory");
    if (missing) why.clear();
    return missing;
  }
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  // The end mark tells a whole file from a part of one.
  if (!text.starts_with(kHead) || !text.ends_with(kEnd)) {
    why = fault(path, 1);
    return false;
  }
  text.remove_prefix(kHead.size());
  text.remove_suffix(kEnd.size());
  std::map<SignatureKey, Entry> entries;
  for (std::size_t line = 2; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    std::uint64_t number[5];
    const char *at = text.data(), *stop = text.data() + std::min(end, text.size());
    bool good = end != text.npos && entries.size() < kMostEntries;
    for (std::size_t i = 0; good && i < std::size(number); ++i) {
      const auto [next, error] = std::from_chars(at, stop, number[i]);
      good = error == std::errc() && (i == 4 ? next == stop : next != stop && *next == ' ');
      at = next + 1;
    }
    if (!good || number[0] > 0xffffffff || number[1] > 0xffffffff || number[2] > 0xffffffff ||
        number[4] > 1) {
      why = fault(path, line);
      return false;
    }
    entries[{static_cast<std::uint32_t>(number[0]), static_cast<std::uint32_t>(number[1]),
             static_cast<std::uint32_t>(number[2])}] = {number[3], number[4] == 1};
    text.remove_prefix(end + 1);
  }
  entries_ = std::move(entries);
  return true;
}

std::string Ledger::save(const std::string& path) const {
  std::string text(kHead);
  for (const auto& [key, entry] : entries_)
    fmt::format_to(std::back_inserter(text), "{} {} {} {} {}\n", key.gid, key.sid, key.rev,
                   entry.first_wall_s, entry.promoted ? 1 : 0);
  text += kEnd;
  return signatures::write_file(path, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::uint64_t Ledger::acts_from(const SignatureKey& key, std::uint32_t detect_s,
                                std::uint64_t now_wall_s) const {
  if (detect_s == 0) return 0;
  const auto found = entries_.find(key);
  if (found == entries_.end()) return now_wall_s + detect_s;
  // A clock that was set back since must not make it new for longer than it can be.
  const std::uint64_t first = std::min(found->second.first_wall_s, now_wall_s);
  return found->second.promoted || first + detect_s <= now_wall_s ? 0 : first + detect_s;
}

bool Ledger::note(const signatures::SetInfo& set, std::uint64_t now_wall_s) {
  bool changed = false;
  for (const auto& s : set.signatures)
    changed = entries_.try_emplace({s.gid, s.sid, s.rev}, Entry{now_wall_s, false}).second || changed;
  if (entries_.size() <= kMostEntries) return changed;
  std::set<SignatureKey> present;
  for (const auto& s : set.signatures) present.insert({s.gid, s.sid, s.rev});
  std::vector<std::pair<std::uint64_t, SignatureKey>> gone;
  for (const auto& [key, entry] : entries_)
    if (!present.contains(key)) gone.emplace_back(entry.first_wall_s, key);
  std::sort(gone.begin(), gone.end());
  const std::size_t excess = std::min(entries_.size() - kMostEntries, gone.size());
  for (std::size_t i = 0; i < excess; ++i) entries_.erase(gone[i].second);
  return true;
}

void Ledger::promote(const SignatureKey& key, std::uint64_t now_wall_s) {
  entries_.try_emplace(key, Entry{now_wall_s, true}).first->second.promoted = true;
}

bool Ledger::promoted(const SignatureKey& key) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && found->second.promoted;
}

}  // namespace sekisho::control
