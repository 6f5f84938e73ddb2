// JA3 and JA3S: "version,ciphers,extensions,groups,formats" in decimal, joined by "-", without GREASE values,
// and its MD5; the server's is "version,cipher,extensions" (Salesforce, 2017).
#pragma once

#include <array>

#include "dataplane/app/tls_hello.h"

namespace sekisho::app {

// Hellos with more ciphers or more extensions have no fingerprint.
inline constexpr std::size_t kMaxFingerprintItems = 1024;

class FingerprintText {
 public:
  Bytes bytes() const { return {reinterpret_cast<const std::uint8_t*>(text_), size_}; }
  bool full() const { return full_; }
  void put(char c) {
    if (size_ < sizeof text_)
      text_[size_++] = c;
    else
      full_ = true;
  }
  void decimal(unsigned value);  // at most 65535
  void hex4(std::uint16_t value);

 private:
  std::size_t size_ = 0;
  bool full_ = false;
  char text_[kMaxFingerprintItems * 6 * 3 + 2048];
};

// False: no fingerprint.
bool ja3(const Hello& client, FingerprintText& out);
bool ja3s(const Hello& server, FingerprintText& out);

// Lower case hexadecimal.
std::array<std::uint8_t, 32> md5_hex(Bytes bytes);

}  // namespace sekisho::app
