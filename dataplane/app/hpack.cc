#include "dataplane/app/hpack.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace sekisho::app {
namespace {

// RFC 7541 Appendix A.
struct Static {
  std::string_view name, value;
};
constexpr Static kStatic[] = {{":authority", ""},
                              {":method", "GET"},
                              {":method", "POST"},
                              {":path", "/"},
                              {":path", "/index.html"},
                              {":scheme", "http"},
                              {":scheme", "https"},
                              {":status", "200"},
                              {":status", "204"},
                              {":status", "206"},
                              {":status", "304"},
                              {":status", "400"},
                              {":status", "404"},
                              {":status", "500"},
                              {"accept-charset", ""},
                              {"accept-encoding", "gzip, deflate"},
                              {"accept-language", ""},
                              {"accept-ranges", ""},
                              {"accept", ""},
                              {"access-control-allow-origin", ""},
                              {"age", ""},
                              {"allow", ""},
                              {"authorization", ""},
                              {"cache-control", ""},
                              {"content-disposition", ""},
                              {"content-encoding", ""},
                              {"content-language", ""},
                              {"content-length", ""},
                              {"content-location", ""},
                              {"content-range", ""},
                              {"content-type", ""},
                              {"cookie", ""},
                              {"date", ""},
                              {"etag", ""},
                              {"expect", ""},
                              {"expires", ""},
                              {"from", ""},
                              {"host", ""},
                              {"if-match", ""},
                              {"if-modified-since", ""},
                              {"if-none-match", ""},
                              {"if-range", ""},
                              {"if-unmodified-since", ""},
                              {"last-modified", ""},
                              {"link", ""},
                              {"location", ""},
                              {"max-forwards", ""},
                              {"proxy-authenticate", ""},
                              {"proxy-authorization", ""},
                              {"range", ""},
                              {"referer", ""},
                              {"refresh", ""},
                              {"retry-after", ""},
                              {"server", ""},
                              {"set-cookie", ""},
                              {"strict-transport-security", ""},
                              {"transfer-encoding", ""},
                              {"user-agent", ""},
                              {"vary", ""},
                              {"via", ""},
                              {"www-authenticate", ""}};
static_assert(std::size(kStatic) == 61);

// RFC 7541 Appendix B: lengths in bits of the codes of 0..255 and the end of string. The code is canonical.
constexpr std::uint8_t kBits[257] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,
    6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,  15, 5,  6,  5,  6,  5,  6,  6,
    6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28, 20, 22,
    20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23,
    22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22,
    23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22,
    25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30};
constexpr unsigned kMostBits = 30;

struct Codes {
  std::uint32_t first[kMostBits + 1] = {};  // code of the first symbol of this length
  std::uint16_t count[kMostBits + 1] = {}, at[kMostBits + 1] = {};
  std::uint16_t symbol[257] = {};
};
constexpr Codes make_codes() {
  Codes c;
  std::uint16_t n = 0;
  std::uint32_t code = 0;
  for (unsigned bits = 1; bits <= kMostBits; ++bits) {
    code <<= 1;
    c.first[bits] = code;
    c.at[bits] = n;
    for (unsigned s = 0; s < 257; ++s)
      if (kBits[s] == bits) {
        c.symbol[n++] = static_cast<std::uint16_t>(s);
        ++c.count[bits];
        ++code;
      }
  }
  return c;
}
constexpr Codes kCodes = make_codes();
static_assert(kCodes.first[5] == 0 && kCodes.symbol[256] == 256);

// RFC 7541 §5.1. False: truncated, or more than 32 bits.
bool integer(Bytes& in, unsigned prefix, std::uint64_t& value, bool& overflow) {
  if (in.empty()) return false;
  const std::uint8_t mask = static_cast<std::uint8_t>((1u << prefix) - 1);
  value = in[0] & mask;
  in = in.subspan(1);
  if (value != mask) return true;
  for (unsigned shift = 0;; shift += 7) {
    if (in.empty()) return false;
    const std::uint8_t b = in[0];
    in = in.subspan(1);
    if (shift > 28) {
      overflow = true;
      return false;
    }
    value += static_cast<std::uint64_t>(b & 0x7f) << shift;
    if (value > 0xffffffffu) {
      overflow = true;
      return false;
    }
    if ((b & 0x80) == 0) return true;
  }
}

// What blocks decode to, for one thread.
struct Scratch {
  std::uint8_t bytes[Hpack::kMaxDecoded];
  Hpack::Field fields[Hpack::kMaxFields];
  std::uint8_t one[2][Hpack::kMaxTable];  // a name and a value that are only for the table
};
Scratch& scratch() {
  static thread_local Scratch s;
  return s;
}

Bytes bytes_of(std::string_view s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

}  // namespace

std::ptrdiff_t huffman_decode(Bytes from, std::uint8_t* to, std::size_t room) {
  std::uint32_t code = 0;
  unsigned bits = 0;
  std::size_t n = 0;
  bool ones = true;  // of the unfinished code: padding
  for (const std::uint8_t byte : from) {
    for (int i = 7; i >= 0; --i) {
      const std::uint32_t bit = byte >> i & 1u;
      code = code << 1 | bit;
      ones = ones && bit != 0;
      if (++bits > kMostBits) return -1;
      const std::uint32_t past = code - kCodes.first[bits];
      if (past >= kCodes.count[bits]) continue;
      const std::uint16_t symbol = kCodes.symbol[kCodes.at[bits] + past];
      if (symbol == 256 || n == room) return -1;
      to[n++] = static_cast<std::uint8_t>(symbol);
      code = bits = 0;
      ones = true;
    }
  }
  return bits < 8 && ones ? static_cast<std::ptrdiff_t>(n) : -1;
}

bool Hpack::find(std::uint64_t index, Field& out) const {
  if (index == 0) return false;
  if (index <= std::size(kStatic)) {
    out = {bytes_of(kStatic[index - 1].name), bytes_of(kStatic[index - 1].value)};
    return true;
  }
  index -= std::size(kStatic) + 1;
  if (index >= count_) return false;
  const Entry& e = entries_[(newest_ + room_ - static_cast<std::uint32_t>(index)) % room_];
  out = {Bytes(e.data, e.name), Bytes(e.data + e.name, e.value)};
  return true;
}

void Hpack::shrink(std::uint32_t bytes, AppPool& pool) {
  while (bytes_ > bytes && count_ != 0) {
    Entry& e = entries_[(newest_ + room_ - (count_ - 1)) % room_];
    bytes_ -= e.name + e.value + 32;
    pool.free(e.data, e.name + e.value + 1u);
    --count_;
  }
}

// False: no memory.
bool Hpack::insert(Bytes name, Bytes value, AppPool& pool) {
  const std::size_t size = name.size() + value.size() + 32;
  if (size > limit_) {
    shrink(0, pool);
    return true;
  }
  auto* data = static_cast<std::uint8_t*>(pool.allocate(name.size() + value.size() + 1));
  if (data == nullptr) return false;
  // Before anything goes: the name may be an old entry's.
  if (!name.empty()) std::memcpy(data, name.data(), name.size());
  if (!value.empty()) std::memcpy(data + name.size(), value.data(), value.size());
  shrink(limit_ - static_cast<std::uint32_t>(size), pool);
  if (count_ == room_) {
    const std::uint32_t room = room_ == 0 ? 16 : room_ * 2;
    auto* entries = static_cast<Entry*>(pool.allocate(room * sizeof(Entry)));
    if (entries == nullptr) {
      pool.free(data, name.size() + value.size() + 1);
      return false;
    }
    for (std::uint32_t i = 0; i < count_; ++i)
      entries[i] = entries_[(newest_ + room_ - (count_ - 1) + i) % room_];
    if (entries_ != nullptr) pool.free(entries_, room_ * sizeof(Entry));
    entries_ = entries;
    room_ = room;
    newest_ = count_ == 0 ? room - 1 : count_ - 1;
  }
  newest_ = (newest_ + 1) % room_;
  entries_[newest_] = {data, static_cast<std::uint32_t>(name.size()),
                       static_cast<std::uint32_t>(value.size())};
  ++count_;
  bytes_ += static_cast<std::uint32_t>(size);
  return true;
}

bool Hpack::decode(Bytes in, Block& out, AppPool& pool) {
  Scratch& s = scratch();
  std::size_t used = 0, fields = 0;
  // A string: where it was decoded to (in the block's bytes, or in `spare` once that is full).
  const auto string = [&](std::uint8_t* spare, Bytes& text) {
    if (in.empty()) return false;
    const bool huffman = (in[0] & 0x80) != 0;
    std::uint64_t size = 0;
    if (!integer(in, 7, size, out.integer_overflow) || size > in.size()) return false;
    const Bytes raw = in.first(static_cast<std::size_t>(size));
    in = in.subspan(raw.size());
    std::uint8_t* to = s.bytes + used;
    std::size_t room = kMaxDecoded - used;
    // The shortest code has 5 bits.
    const std::size_t most = huffman ? raw.size() * 8 / 5 + 1 : raw.size();
    if (out.too_long || most > room) {
      out.too_long = true;
      to = spare;
      room = kMaxTable;
    }
    if (huffman) {
      const std::ptrdiff_t n = huffman_decode(raw, to, room);
      if (n < 0) return false;
      text = {to, static_cast<std::size_t>(n)};
    } else {
      if (raw.size() > room) return false;
      if (!raw.empty()) std::memcpy(to, raw.data(), raw.size());
      text = {to, raw.size()};
    }
    if (to != spare) used += text.size();
    return true;
  };
  // Bytes of the table may go with the next insertion: what is told is copied.
  const auto copy = [&](Bytes& text) {
    if (out.too_long || text.size() > kMaxDecoded - used) {
      out.too_long = true;
      return;
    }
    if (!text.empty()) std::memcpy(s.bytes + used, text.data(), text.size());
    text = {s.bytes + used, text.size()};
    used += text.size();
  };
  const auto tell = [&](const Field& f) {
    if (out.too_long) return;
    if (fields == kMaxFields)
      out.too_long = true;
    else
      s.fields[fields++] = f;
  };
  bool good = true;
  while (good && !in.empty()) {
    const std::uint8_t b = in[0];
    std::uint64_t index = 0;
    Field f;
    if ((b & 0x80) != 0) {
      good = integer(in, 7, index, out.integer_overflow) && find(index, f);
      if (!good) break;
      if (index > std::size(kStatic)) {
        copy(f.name);
        copy(f.value);
      }
      tell(f);
      continue;
    }
    if ((b & 0xe0) == 0x20) {
      std::uint64_t size = 0;
      good = integer(in, 5, size, out.integer_overflow);
      if (!good) break;
      out.updated = true;
      out.size_update = size;
      if (size > allowed_) {
        good = size <= kMaxTable;  // a limit that this side has not seen (midstream)
        if (!good) break;
      }
      limit_ = static_cast<std::uint32_t>(size);
      shrink(limit_, pool);
      continue;
    }
    const bool indexing = (b & 0xc0) == 0x40;
    good = integer(in, indexing ? 6 : 4, index, out.integer_overflow);
    if (!good) break;
    if (index != 0) {
      good = find(index, f);
      f.value = {};
    } else {
      good = string(s.one[0], f.name);
    }
    good = good && string(s.one[1], f.value);
    if (!good) break;
    if (index > std::size(kStatic)) copy(f.name);
    if (indexing && !insert(f.name, f.value, pool)) good = false;
    tell(f);
  }
  out.fields = {s.fields, fields};
  return good;
}

void Hpack::release(AppPool& pool) {
  shrink(0, pool);
  if (entries_ != nullptr) pool.free(entries_, room_ * sizeof(Entry));
  entries_ = nullptr;
  room_ = 0;
}

}  // namespace sekisho::app
