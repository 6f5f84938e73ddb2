// Definite-length BER/DER (X.690) as SNMP and Kerberos use it: one element after the other, nothing is
// copied.
#pragma once

#include <algorithm>

#include "dataplane/app/transaction.h"

namespace sekisho::app {

struct BerElement {
  std::uint8_t tag = 0;  // one byte: numbers below 31
  Bytes content;
};

class Ber {
 public:
  explicit Ber(Bytes bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  Bytes rest() const { return rest_; }
  // False: the end, or no element that lies within the bytes.
  bool next(BerElement& out) {
    if (rest_.size() < 2 || (rest_[0] & 0x1f) == 0x1f) return false;
    std::size_t size = rest_[1], head = 2;
    if (size >= 0x80) {
      const std::size_t n = size & 0x7f;
      if (n == 0 || n > 4 || rest_.size() < 2 + n) return false;
      size = 0;
      for (std::size_t i = 0; i < n; ++i) size = size << 8 | rest_[2 + i];
      head += n;
    }
    if (size > rest_.size() - head) return false;
    out = {rest_[0], rest_.subspan(head, size)};
    rest_ = rest_.subspan(head + size);
    return true;
  }
  bool next(std::uint8_t tag, Bytes& content) {
    Ber copy = *this;
    BerElement e;
    if (!copy.next(e) || e.tag != tag) return false;
    content = e.content;
    *this = copy;
    return true;
  }

 private:
  Bytes rest_;
};

// Two's complement; false: empty or more than 8 bytes.
inline bool ber_integer(Bytes content, std::int64_t& value) {
  if (content.empty() || content.size() > 8) return false;
  std::uint64_t v = (content[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (const std::uint8_t b : content) v = v << 8 | b;
  value = static_cast<std::int64_t>(v);
  return true;
}

// An object identifier as text ("1.3.6.1"). Its length; 0: malformed or too long for `room`.
std::size_t ber_oid_text(Bytes content, char* to, std::size_t room);

}  // namespace sekisho::app
