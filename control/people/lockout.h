// Counts failed logins and says who has to wait. Bounded memory. Thread safety: none, the owner locks.
//
// A person is counted by name, and apart from the addresses from which he has logged in before: who tries
// names from elsewhere cannot lock a person out of his own desk. An address (IPv6: its /64) is counted
// whatever names it tries. Names that do not exist are counted by address only, so the table of persons is
// as large as the list of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

namespace sekisho::control {

struct LockoutLimits {
  std::uint32_t person_failures = 5, address_failures = 30;
  std::uint64_t lock_s = 900;
};

class Lockout {
 public:
  static constexpr std::size_t kMaxAddresses = 4096;

  // Seconds until `key` may try again; 0: now.
  std::uint64_t wait_s(const std::string& person, const std::string& address, std::uint64_t now_s) const;
  // True if this failure locked the person or the address.
  bool failed(const std::string& person, bool known, const std::string& address, const LockoutLimits& limits,
              std::uint64_t now_s);
  void succeeded(const std::string& person, const std::string& address);
  void forget(const std::string& person);
  std::size_t addresses() const { return addresses_.size(); }

  // "2001:db8:1:2::/64" of an IPv6 address, else the text itself.
  static std::string network_of(const std::string& address);

 private:
  struct Count {
    std::uint32_t failures = 0;
    std::uint64_t since_s = 0, locked_until_s = 0;
  };
  struct OfPerson {
    Count strangers;
    std::map<std::string, Count> own;  // addresses of past logins, at most kOwn
  };
  static constexpr std::size_t kOwn = 8;
  static bool count(Count& count, std::uint32_t most, std::uint64_t lock_s, std::uint64_t now_s);
  void make_room(std::uint64_t now_s);

  std::unordered_map<std::string, OfPerson> persons_;
  std::unordered_map<std::string, Count> addresses_;
};

}  // namespace sekisho::control
