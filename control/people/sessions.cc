#include "control/people/sessions.h"

#include "control/people/secret.h"

namespace sekisho::control {

Sessions::Made Sessions::make(const std::string& person, const std::string& address, bool enrolling,
                              std::uint64_t now_s) {
  std::size_t own = 0;
  auto oldest = by_hash_.end(), oldest_own = by_hash_.end();
  for (auto it = by_hash_.begin(); it != by_hash_.end(); ++it) {
    if (oldest == by_hash_.end() || it->second.seen_s < oldest->second.seen_s) oldest = it;
    if (it->second.person != person) continue;
    ++own;
    if (oldest_own == by_hash_.end() || it->second.seen_s < oldest_own->second.seen_s) oldest_own = it;
  }
  if (own >= kMostOfPerson)
    by_hash_.erase(oldest_own);
  else if (by_hash_.size() >= kMost)
    by_hash_.erase(oldest);
  Made made{new_token(), new_token()};
  by_hash_[token_hash(made.id)] = {person, made.csrf, address, now_s, now_s, enrolling};
  return made;
}

const Session* Sessions::find(const std::string& id, std::uint64_t idle_s, std::uint64_t longest_s,
                              std::uint64_t now_s, bool touch) {
  const auto it = by_hash_.find(token_hash(id));
  if (it == by_hash_.end()) return nullptr;
  Session& s = it->second;
  if (now_s - s.seen_s >= idle_s || now_s - s.created_s >= longest_s) {
    by_hash_.erase(it);
    return nullptr;
  }
  if (touch) s.seen_s = now_s;
  return &s;
}

bool Sessions::end(const std::string& id) {
  return by_hash_.erase(token_hash(id)) > 0;
}

std::size_t Sessions::end_all_of(const std::string& person) {
  return std::erase_if(by_hash_, [&](const auto& entry) { return entry.second.person == person; });
}

}  // namespace sekisho::control
