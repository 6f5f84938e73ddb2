// Who is logged in. In memory only: a restart of sekishod logs everybody out. Bounded. Thread safety: none,
// the owner locks; nothing here waits.
//
// A session is known by 256 random bits that only the person's browser has; kept is their hash. It is made at
// login, never before (nobody can be given one: no fixation), and ends by logging out, by idleness, by age,
// or when the person's password, roles or state change.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

namespace sekisho::control {

struct Session {
  std::string person;
  std::string csrf;                         // what a POST must carry, so that another site cannot send it
  std::string address;                      // where the login came from, for people to read
  std::uint64_t created_s = 0, seen_s = 0;  // monotonic
  bool enrolling = false;                   // has a password, has not yet confirmed the second factor
};

class Sessions {
 public:
  static constexpr std::size_t kMost = 4096, kMostOfPerson = 16;

  struct Made {
    std::string id, csrf;
  };
  // The person's oldest goes when he has kMostOfPerson; the oldest of all when there are kMost.
  Made make(const std::string& person, const std::string& address, bool enrolling, std::uint64_t now_s);
  // Null: none, or over (then it is gone). `touch`: the person did something.
  const Session* find(const std::string& id, std::uint64_t idle_s, std::uint64_t longest_s,
                      std::uint64_t now_s, bool touch);
  bool end(const std::string& id);
  std::size_t end_all_of(const std::string& person);
  std::size_t size() const { return by_hash_.size(); }

 private:
  std::unordered_map<std::string, Session> by_hash_;
};

}  // namespace sekisho::control
