#include "dataplane/ips/content_asn1.h"

#include <cstddef>

namespace sekisho::ips {
namespace {

struct Object {
  std::uint8_t number = 0;  // universal tag; 0xff: another class or a long tag
  bool constructed = false;
  bool indefinite = false;
  std::uint64_t length = 0;
  std::size_t header = 0;
};

bool read_header(std::span<const std::uint8_t> in, Object& o) {
  if (in.size() < 2) return false;
  std::size_t i = 0;
  const std::uint8_t tag = in[i++];
  o.constructed = (tag & 0x20) != 0;
  o.number = (tag & 0xc0) == 0 && (tag & 0x1f) != 0x1f ? tag & 0x1f : 0xff;
  if ((tag & 0x1f) == 0x1f) {
    do {
      if (i >= in.size() || i > 8) return false;
    } while ((in[i++] & 0x80) != 0);
  }
  if (i >= in.size()) return false;
  const std::uint8_t first = in[i++];
  if (first < 0x80) {
    o.length = first;
  } else if (first == 0x80) {
    o.indefinite = true;
  } else {
    unsigned n = first & 0x7f;
    if (n > in.size() - i) return false;
    for (; n != 0; --n) {
      o.length = o.length >> 56 != 0 ? UINT64_MAX : o.length << 8 | in[i];
      ++i;
    }
  }
  o.header = i;
  return true;
}

bool holds(const Object& o, std::span<const std::uint8_t> in, std::uint8_t checks, std::uint64_t oversize) {
  if ((checks & asn1_check::kOversizeLength) != 0 && o.length > oversize) return true;
  if (o.header >= in.size() || o.length == 0 || o.constructed) return false;
  const std::uint8_t first = in[o.header];
  if ((checks & asn1_check::kBitstringOverflow) != 0 && o.number == 3 && o.length <= UINT64_MAX / 8 &&
      (o.length - 1) * 8 < first)
    return true;
  return (checks & asn1_check::kDoubleOverflow) != 0 && o.number == 9 && (first & 0xc0) == 0 &&
         o.length > 256;
}

}  // namespace

bool asn1_matches(std::span<const std::uint8_t> bytes, std::uint8_t checks, std::uint64_t oversize) {
  // A constructed object is entered by going on behind its header: its parts follow in the same order.
  std::size_t at = 0;
  unsigned depth = 0;
  for (unsigned n = 0; n < kMaxAsn1Objects && at < bytes.size(); ++n) {
    const auto rest = bytes.subspan(at);
    Object o;
    if (!read_header(rest, o)) return false;
    if (holds(o, rest, checks, oversize)) return true;
    if (o.constructed || o.indefinite) {
      if (++depth > kMaxAsn1Depth) return false;
      at += o.header;
    } else {
      if (o.length > rest.size() - o.header) return false;
      at += o.header + static_cast<std::size_t>(o.length);
    }
  }
  return false;
}

}  // namespace sekisho::ips
