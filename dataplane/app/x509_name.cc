#include <algorithm>
#include <string_view>

#include "dataplane/app/x509.h"

namespace sekisho::app {
namespace {

// Attribute types (RFC 4519, RFC 2985, CA/Browser Forum EV guidelines) by the content of their OID.
struct AttributeName {
  std::string_view oid, name;
};
using namespace std::string_view_literals;
constexpr AttributeName kNames[] = {
    {"\x55\x04\x03"sv, "CN"},
    {"\x55\x04\x06"sv, "C"},
    {"\x55\x04\x07"sv, "L"},
    {"\x55\x04\x08"sv, "ST"},
    {"\x55\x04\x0a"sv, "O"},
    {"\x55\x04\x0b"sv, "OU"},
    {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"sv, "Email"},
    {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"sv, "DC"},
    {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"sv, "UID"},
    {"\x55\x04\x04"sv, "surname"},
    {"\x55\x04\x05"sv, "serialNumber"},
    {"\x55\x04\x09"sv, "street"},
    {"\x55\x04\x0c"sv, "title"},
    {"\x55\x04\x0d"sv, "description"},
    {"\x55\x04\x0f"sv, "businessCategory"},
    {"\x55\x04\x11"sv, "postalCode"},
    {"\x55\x04\x29"sv, "name"},
    {"\x55\x04\x2a"sv, "givenName"},
    {"\x55\x04\x2b"sv, "initials"},
    {"\x55\x04\x2e"sv, "dnQualifier"},
    {"\x55\x04\x61"sv, "organizationIdentifier"},
    {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01"sv, "jurisdictionL"},
    {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02"sv, "jurisdictionST"},
    {"\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03"sv, "jurisdictionC"},
};

struct Writer {
  std::span<std::uint8_t, kMaxPrintedName> out;
  std::size_t n = 0;
  void byte(std::uint8_t c) {
    if (n < out.size()) out[n++] = c;
  }
  void text(std::string_view s) {
    for (const char c : s) byte(static_cast<std::uint8_t>(c));
  }
  void bytes(Bytes b) {
    const std::size_t take = std::min(b.size(), out.size() - n);
    std::copy_n(b.begin(), take, out.begin() + static_cast<std::ptrdiff_t>(n));
    n += take;
  }
  void decimal(std::uint64_t v) {
    char digits[20];
    unsigned d = 0;
    do digits[d++] = static_cast<char>('0' + v % 10);
    while ((v /= 10) != 0);
    while (d != 0) byte(static_cast<std::uint8_t>(digits[--d]));
  }
  void utf8(std::uint32_t c) {
    if (c < 0x80) {
      byte(static_cast<std::uint8_t>(c));
    } else if (c < 0x800) {
      byte(static_cast<std::uint8_t>(0xc0 | c >> 6));
      byte(static_cast<std::uint8_t>(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
      byte(static_cast<std::uint8_t>(0xe0 | c >> 12));
      byte(static_cast<std::uint8_t>(0x80 | (c >> 6 & 0x3f)));
      byte(static_cast<std::uint8_t>(0x80 | (c & 0x3f)));
    } else {
      byte(static_cast<std::uint8_t>(0xf0 | (c >> 18 & 7)));
      byte(static_cast<std::uint8_t>(0x80 | (c >> 12 & 0x3f)));
      byte(static_cast<std::uint8_t>(0x80 | (c >> 6 & 0x3f)));
      byte(static_cast<std::uint8_t>(0x80 | (c & 0x3f)));
    }
  }
};

void print_type(Bytes oid, Writer& w) {
  const std::string_view key(reinterpret_cast<const char*>(oid.data()), oid.size());
  for (const AttributeName& known : kNames)
    if (known.oid == key) return w.text(known.name);
  // Dotted: the first subidentifier holds two arcs (X.690 §8.19).
  std::uint64_t value = 0;
  bool first = true;
  for (const std::uint8_t c : oid) {
    value = value << 7 | (c & 0x7f);
    if ((c & 0x80) != 0) continue;
    if (first) {
      const std::uint64_t arc = std::min<std::uint64_t>(value / 40, 2);
      w.decimal(arc);
      value -= arc * 40;
    }
    w.byte('.');
    w.decimal(value);
    first = false;
    value = 0;
  }
}

// A string of characters of `width` octets, big-endian.
bool print_wide(Bytes s, unsigned width, Writer& w) {
  if (s.size() % width != 0) return false;
  for (std::size_t i = 0; i < s.size(); i += width) {
    std::uint32_t c = 0;
    for (unsigned k = 0; k < width; ++k) c = c << 8 | s[i + k];
    // UTF-16 pairs, though BMPString has none by definition.
    if (width == 2 && c >= 0xd800 && c < 0xdc00 && i + 4 <= s.size() && (s[i + 2] & 0xfc) == 0xdc) {
      c = 0x10000 + ((c & 0x3ff) << 10 | (s[i + 2] & 3u) << 8 | s[i + 3]);
      i += 2;
    }
    w.utf8(c);
  }
  return true;
}

bool print_value(const DerElement& e, Writer& w) {
  switch (e.tag) {
    case 0x0c:  // UTF8String
    case 0x12:  // NumericString
    case 0x13:  // PrintableString
    case 0x14:  // T61String
    case 0x15:  // VideotexString
    case 0x16:  // IA5String
    case 0x19:  // GraphicString
    case 0x1a:  // VisibleString
    case 0x1b:  // GeneralString
      w.bytes(e.content);
      return true;
    case 0x1c:
      return print_wide(e.content, 4, w);
    case 0x1e:
      return print_wide(e.content, 2, w);
    default:
      for (const std::uint8_t c : e.content) {
        w.byte(static_cast<std::uint8_t>("0123456789ABCDEF"[c >> 4]));
        w.byte(static_cast<std::uint8_t>("0123456789ABCDEF"[c & 15]));
      }
      return true;
  }
}

}  // namespace

std::size_t print_name(Bytes name, std::span<std::uint8_t, kMaxPrintedName> out, AppEvent* fault) {
  Writer w{out};
  constexpr AppEvent kBadName = AppEvent::tls_certificate_invalid_x509name;
  bool first_rdn = true;
  while (!name.empty()) {
    DerElement rdn;
    if (next_element(name, rdn) != DerFault::none || rdn.tag != 0x31) {
      *fault = kBadName;
      break;
    }
    bool first = true;
    while (!rdn.content.empty()) {
      DerElement attribute, type, value;
      if (next_element(rdn.content, attribute) != DerFault::none || attribute.tag != 0x30 ||
          next_element(attribute.content, type) != DerFault::none || type.tag != 0x06 ||
          next_element(attribute.content, value) != DerFault::none) {
        *fault = kBadName;
        return w.n;
      }
      if (first && !first_rdn) w.text(", ");
      if (!first) w.text(" + ");
      first = first_rdn = false;
      print_type(type.content, w);
      w.byte('=');
      if (!print_value(value, w)) *fault = AppEvent::tls_certificate_invalid_string;
    }
  }
  return w.n;
}

}  // namespace sekisho::app
