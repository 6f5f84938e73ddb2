// When each signature first came into force at this site, and which were promoted: signatures that are new
// only detect for a while ([ips] new_signatures_detect_for). A text file in the state directory, written
// beside and renamed.
//
// A new revision is a new signature. Entries are kept when a set no longer has them, so that going one set
// back makes nothing new; beyond kMostEntries the oldest of those go. Not thread-safe.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "signatures/info.h"

namespace sekisho::control {

struct SignatureKey {
  std::uint32_t gid = 1, sid = 0, rev = 0;
  friend auto operator<=>(const SignatureKey&, const SignatureKey&) = default;
};

class Ledger {
 public:
  static constexpr std::size_t kMostEntries = 1'000'000;
  static constexpr std::size_t kMostBytes = 64u << 20;

  // A missing file is an empty ledger. False: `why` says what is damaged; the ledger is empty then.
  bool load(const std::string& path, std::string& why);
  // Empty, or why not.
  std::string save(const std::string& path) const;

  // Nanoseconds do not matter here: seconds of CLOCK_REALTIME. 0: it acts from now on.
  std::uint64_t acts_from(const SignatureKey& key, std::uint32_t detect_s, std::uint64_t now_wall_s) const;
  // Enters what is not known yet. True if something was.
  bool note(const signatures::SetInfo& set, std::uint64_t now_wall_s);
  void promote(const SignatureKey& key, std::uint64_t now_wall_s);
  bool promoted(const SignatureKey& key) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t first_wall_s = 0;
    bool promoted = false;
  };
  std::map<SignatureKey, Entry> entries_;
};

}  // namespace sekisho::control
