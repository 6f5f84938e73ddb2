#include "control/people/secret.h"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace sekisho::control {

std::string new_token() {
  std::array<unsigned char, 32> bytes;
  randombytes_buf(bytes.data(), bytes.size());
  std::array<char, sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_URLSAFE_NO_PADDING)> text;
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(),
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  return text.data();
}

std::string token_hash(std::string_view token) {
  std::array<unsigned char, 32> hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(token.data()),
                     token.size(), nullptr, 0);
  std::array<char, 65> text;
  sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  return text.data();
}

bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string password_fault(std::string_view password, std::string_view person) {
  if (password.size() < kLeastPassword) return "shorter than 12 characters";
  if (password.size() > kMostPassword) return "longer than 256 bytes";
  if (person.size() >= 4 && password.find(person) != std::string_view::npos) return "holds the person's name";
  std::array<bool, 256> seen{};
  for (const char c : password) seen[static_cast<unsigned char>(c)] = true;
  if (std::count(seen.begin(), seen.end(), true) < 6) return "has fewer than 6 different characters";
  return {};
}

class Hasher::Turn {
 public:
  explicit Turn(Hasher& hasher) : hasher_(hasher), lock_(hasher.one_, std::defer_lock) {
    admitted = hasher_.inside_.fetch_add(1) <= kWaiting;
    if (admitted) lock_.lock();
  }
  ~Turn() { hasher_.inside_.fetch_sub(1); }
  bool admitted = false;

 private:
  Hasher& hasher_;
  std::unique_lock<std::mutex> lock_;
};

Hasher::Hasher(Cost cost)
    : operations_(cost == Cost::least ? crypto_pwhash_OPSLIMIT_MIN : crypto_pwhash_OPSLIMIT_INTERACTIVE),
      memory_(cost == Cost::least ? crypto_pwhash_MEMLIMIT_MIN : crypto_pwhash_MEMLIMIT_INTERACTIVE) {
  if (sodium_init() < 0) return;
  nobody_ = hash(new_token()).value_or("");
}

std::optional<std::string> Hasher::hash(const std::string& password) {
  const Turn turn(*this);
  std::array<char, crypto_pwhash_STRBYTES> out{};
  if (!turn.admitted || crypto_pwhash_str_alg(out.data(), password.data(), password.size(), operations_,
                                              memory_, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return std::nullopt;
  return out.data();
}

std::optional<bool> Hasher::verify(const std::string& kept, const std::string& password) {
  const Turn turn(*this);
  if (!turn.admitted) return std::nullopt;
  const bool usable = !kept.empty() && kept.size() < crypto_pwhash_STRBYTES;
  const std::string& against = usable ? kept : nobody_;
  const bool right = crypto_pwhash_str_verify(against.c_str(), password.data(), password.size()) == 0;
  return usable && right;
}

}  // namespace sekisho::control
