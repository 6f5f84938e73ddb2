// Passwords and random tokens. Thread safety: pure functions; hashing is bounded by a Hasher.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace sekisho::control {

// 256 random bits as 43 characters of base64url.
std::string new_token();
// What is kept of a token: BLAKE2b-256, hexadecimal. Tokens are random, so no salt and no slow hash.
std::string token_hash(std::string_view token);
// In constant time.
bool same_text(std::string_view a, std::string_view b);

inline constexpr std::size_t kLeastPassword = 12, kMostPassword = 256;  // bytes
// Empty: good enough; else why not.
std::string password_fault(std::string_view password, std::string_view person);

// argon2id (RFC 9106, by libsodium), one at a time: each takes 64 MiB and tens of milliseconds. A caller
// waits for at most kWaiting others, else gets nothing: so logins can neither fill the memory nor hold all
// threads that serve the API. Never called by the thread that cuts, nor under a lock that the check of a
// session takes.
class Hasher {
 public:
  enum class Cost : bool { interactive, least };  // least: for tests
  explicit Hasher(Cost cost = Cost::interactive);
  std::optional<std::string> hash(const std::string& password);
  // nullopt: too many are waiting. An empty or unusable `kept` takes as long and is false.
  std::optional<bool> verify(const std::string& kept, const std::string& password);

 private:
  static constexpr int kWaiting = 3;
  class Turn;
  unsigned long long operations_;
  std::size_t memory_;
  std::string nobody_;  // a hash that no password has
  std::mutex one_;
  std::atomic<int> inside_{0};
};

}  // namespace sekisho::control
