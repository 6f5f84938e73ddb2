#include "dataplane/app/http_uri.h"

#include <algorithm>
#include <iterator>

namespace sekisho::app::http {
namespace {

#include "dataplane/app/http_best_fit.inc"

// Percent and %u sequences; returns the new size. `slashes`: separators are made one and compressed.
std::size_t decode_path_once(const std::uint8_t* from, std::size_t size, const HttpOptions& o,
                             std::uint8_t* to) {
  std::size_t w = 0;
  bool slash = false;
  for (std::size_t i = 0; i < size;) {
    std::uint8_t c = from[i];
    if (c == '%' && i + 2 < size) {
      int a = hex_value(from[i + 1]), b = hex_value(from[i + 2]);
      if (a >= 0 && b >= 0) {
        c = static_cast<std::uint8_t>(a * 16 + b);
        i += 3;
      } else if ((from[i + 1] == 'u' || from[i + 1] == 'U') && i + 5 < size) {
        const int v[4] = {hex_value(from[i + 2]), hex_value(from[i + 3]), hex_value(from[i + 4]),
                          hex_value(from[i + 5])};
        if (v[0] >= 0 && v[1] >= 0 && v[2] >= 0 && v[3] >= 0) {
          c = best_fit(static_cast<std::uint32_t>(((v[0] * 16 + v[1]) * 16 + v[2]) * 16 + v[3]));
          i += 6;
        } else {
          ++i;
        }
      } else {
        ++i;
      }
    } else {
      ++i;
    }
    if (c == '\\' && o.backslash_is_slash) c = '/';
    if (c == '/') {
      if (slash) continue;
      slash = true;
    } else {
      slash = false;
    }
    to[w++] = c;
  }
  return w;
}

// UTF-8 to one byte a character; what is not UTF-8 becomes '?'.
std::size_t decode_utf8(std::uint8_t* p, std::size_t size) {
  std::size_t first = 0;
  while (first < size && p[first] < 0x80) ++first;
  std::size_t w = first;
  for (std::size_t i = first; i < size;) {
    const std::uint8_t c = p[i];
    if (c < 0x80) {
      p[w++] = c;
      ++i;
      continue;
    }
    const unsigned more = c >= 0xc0 && c < 0xe0   ? 1
                          : c >= 0xe0 && c < 0xf0 ? 2
                          : c >= 0xf0 && c < 0xf8 ? 3
                                                  : 0;
    std::uint32_t code = more == 1 ? c & 0x1fu : more == 2 ? c & 0x0fu : c & 0x07u;
    unsigned got = 0;
    while (got < more && i + 1 + got < size && (p[i + 1 + got] & 0xc0) == 0x80) {
      code = code << 6 | (p[i + 1 + got] & 0x3fu);
      ++got;
    }
    if (more == 0 || got < more) {
      p[w++] = '?';
      ++i;
      continue;
    }
    p[w++] = code < 0x80 ? static_cast<std::uint8_t>(code) : best_fit(code);
    i += 1 + more;
  }
  return w;
}

// RFC 3986 §5.2.4, in place.
std::size_t remove_dots(std::uint8_t* p, std::size_t size) {
  std::size_t r = 0, w = 0;
  const auto at = [&](std::size_t i) { return i < size ? p[i] : 0; };
  const auto left = [&] { return size - r; };
  while (r < size) {
    if (left() >= 3 && at(r) == '.' && at(r + 1) == '.' && at(r + 2) == '/') {
      r += 3;
    } else if (left() >= 2 && at(r) == '.' && at(r + 1) == '/') {
      r += 2;
    } else if (left() >= 3 && at(r) == '/' && at(r + 1) == '.' && at(r + 2) == '/') {
      r += 2;
    } else if (left() == 2 && at(r) == '/' && at(r + 1) == '.') {
      r += 2;
    } else if ((left() >= 4 && at(r) == '/' && at(r + 1) == '.' && at(r + 2) == '.' && at(r + 3) == '/') ||
               (left() == 3 && at(r) == '/' && at(r + 1) == '.' && at(r + 2) == '.')) {
      r += 3;
      while (w > 0 && p[w - 1] != '/') --w;
      if (w > 0) --w;
    } else if ((left() == 1 && at(r) == '.') || (left() == 2 && at(r) == '.' && at(r + 1) == '.')) {
      r = size;
    } else {
      p[w++] = p[r++];
      while (r < size && p[r] != '/') p[w++] = p[r++];
    }
  }
  return w;
}

}  // namespace

std::uint8_t best_fit(std::uint32_t code) {
  if (code < 0x100) return static_cast<std::uint8_t>(code);
  const auto* it = std::lower_bound(std::begin(kBestFit), std::end(kBestFit), code,
                                    [](const BestFit& a, std::uint32_t c) { return a.code < c; });
  return it != std::end(kBestFit) && it->code == code ? it->byte : '?';
}

Uri split_uri(Bytes t, bool authority_only) {
  Uri u;
  Bytes authority;
  bool has_authority = false;
  if (authority_only) {
    authority = t;
    has_authority = true;
    t = {};
  } else if (!t.empty() && t[0] != '/') {
    // A scheme is what ends with a colon; without one the target is a path.
    const std::size_t colon = text_of(t).find(':');
    if (colon != std::string_view::npos && text_of(t).find_first_of("/?#") > colon) {
      u.scheme = t.first(colon);
      t = t.subspan(colon + 1);
      if (t.size() >= 2 && t[0] == '/' && t[1] == '/' && (t.size() == 2 || t[2] != '/')) {
        t = t.subspan(2);
        const std::size_t end = std::min(text_of(t).find_first_of("/?#"), t.size());
        authority = t.first(end);
        has_authority = true;
        t = t.subspan(end);
      }
    }
  }
  if (has_authority) {
    if (const std::size_t at = text_of(authority).rfind('@'); at != std::string_view::npos) {
      u.user = authority.first(at);
      authority = authority.subspan(at + 1);
    }
    const HostPort hp = split_host(authority);
    u.host = hp.host;
    u.port = hp.port;
  }
  const std::size_t end = std::min(text_of(t).find_first_of("?#"), t.size());
  u.path = t.first(end);
  u.has_path = !u.path.empty();
  t = t.subspan(end);
  if (!t.empty() && t[0] == '?') {
    t = t.subspan(1);
    const std::size_t hash = std::min(text_of(t).find('#'), t.size());
    u.query = t.first(hash);
    u.has_query = true;
    t = t.subspan(hash);
  }
  if (!t.empty()) {
    u.fragment = t.subspan(1);
    u.has_fragment = true;
  }
  return u;
}

std::size_t normalize_path(Bytes path, const HttpOptions& o, std::uint8_t* to) {
  std::size_t n = decode_path_once(path.data(), path.size(), o, to);
  if (o.double_decode_path) n = decode_path_once(to, n, o, to);
  n = decode_utf8(to, n);
  // What came of UTF-8 may be a separator too.
  n = remove_dots(to, n);
  return n;
}

std::size_t decode_query(Bytes query, std::uint8_t* to) {
  std::size_t w = 0;
  for (std::size_t i = 0; i < query.size();) {
    if (query[i] == '%' && i + 2 < query.size() && hex_value(query[i + 1]) >= 0 &&
        hex_value(query[i + 2]) >= 0) {
      to[w++] = static_cast<std::uint8_t>(hex_value(query[i + 1]) * 16 + hex_value(query[i + 2]));
      i += 3;
    } else {
      to[w++] = query[i++];
    }
  }
  return w;
}

bool double_encoded(Bytes b) {
  for (std::size_t i = 0; i + 2 < b.size(); ++i)
    if (b[i] == '%' && hex_value(b[i + 1]) >= 0 && hex_value(b[i + 2]) >= 0) return true;
  return false;
}

HostPort split_host(Bytes value) {
  HostPort r;
  value = trim(value);
  std::size_t colon = std::string_view::npos;
  if (!value.empty() && value[0] == '[') {
    const std::size_t close = text_of(value).find(']');
    if (close == std::string_view::npos) {
      r.valid = false;
      r.host = value;
      return r;
    }
    if (close + 1 < value.size()) {
      colon = close + 1;
      if (value[colon] != ':') r.valid = false;
    }
  } else {
    colon = text_of(value).find(':');
  }
  r.host = trim_end(value.first(std::min(colon, value.size())));
  if (colon != std::string_view::npos && value[colon] == ':') {
    r.port = trim(value.subspan(colon + 1));
    r.number = 0;
    for (const std::uint8_t c : r.port) {
      if (!is_digit(c) || r.number > 65535) {
        r.number = -2;
        break;
      }
      r.number = r.number * 10 + (c - '0');
    }
    if (r.port.empty() || r.number > 65535 || r.number == 0) r.number = -2;
  }
  if (r.host.empty()) r.valid = false;
  const bool ip6 = !r.host.empty() && r.host[0] == '[';
  for (const std::uint8_t c : r.host) {
    const bool good = is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_' ||
                      c == '.' || (ip6 && (c == '[' || c == ']' || c == ':' || c == '%'));
    if (!good) r.valid = false;
  }
  return r;
}

}  // namespace sekisho::app::http
