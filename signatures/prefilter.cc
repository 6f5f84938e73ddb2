#include "signatures/prefilter.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sekisho::signatures {
namespace {

constexpr std::int64_t kUnbounded = std::numeric_limits<std::int64_t>::max() / 4;
constexpr double kEnough = 30;         // bits beyond which rarer is no better
constexpr double kNamesOfHeaders = 6;  // bits: a window of http.header_names tells no more

// How what stands in the transformed buffer stands in the original one.
struct Kept {
  bool any = true;        // a literal can be looked for at all
  bool caseless = false;  // case was changed
  bool positions = true;  // offsets are the same but for `dots`
  bool no_space = false;  // only windows without white space
  unsigned dots = 0;      // bytes put before
};

Kept kept(const BufferGroup& g) {
  Kept k;
  for (const Transform& t : g.transforms) {
    switch (t.kind) {
      case Transform::Kind::dotprefix:
        ++k.dots;
        break;
      case Transform::Kind::to_lowercase:
      case Transform::Kind::to_uppercase:
      case Transform::Kind::header_lowercase:
        k.caseless = true;
        break;
      case Transform::Kind::compress_whitespace:
        k.no_space = true;
        k.positions = false;
        break;
      case Transform::Kind::strip_whitespace:
      case Transform::Kind::to_md5:
      case Transform::Kind::to_sha1:
      case Transform::Kind::to_sha256:
      case Transform::Kind::url_decode:
      case Transform::Kind::xor_key:
      case Transform::Kind::strip_pseudo_headers:
      case Transform::Kind::from_base64:
      case Transform::Kind::gunzip:
      case Transform::Kind::zlib_deflate:
        k.any = false;
        break;
    }
  }
  if (k.dots > 1) k.any = false;
  return k;
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Where a match may start, and where the cursor may be after it, in the transformed buffer.
struct Bounds {
  std::int64_t low = 0, high = kUnbounded;
};

Bounds start_of(const Content& c, const Bounds& cursor, const Bounds& size) {
  const auto length = static_cast<std::int64_t>(c.bytes.size());
  Bounds b;
  if (c.relative()) {
    const bool known = !c.distance || !c.distance->is_variable();
    const std::int64_t distance = c.distance && known ? c.distance->value : 0;
    b.low = known ? std::max<std::int64_t>(0, cursor.low + distance) : 0;
    if (c.within && !c.within->is_variable() && known && cursor.high < kUnbounded)
      b.high = cursor.high + std::max<std::int64_t>(distance, 0) + c.within->value - length;
  } else {
    const bool known = !c.offset || !c.offset->is_variable();
    const std::int64_t offset = c.offset && known ? std::max<std::int64_t>(0, c.offset->value) : 0;
    b.low = offset;
    if (c.depth && !c.depth->is_variable() && known) b.high = offset + c.depth->value - length;
    if (c.starts_with) b = {0, 0};
  }
  if (size.high < kUnbounded) {
    b.high = std::min(b.high, size.high - length);
    if (c.ends_with && size.low == size.high) b.low = std::max(b.low, size.high - length);
  }
  if (b.high < b.low) b = {0, kUnbounded};  // cannot match; the evaluator says so
  return b;
}

Bounds size_of(const BufferGroup& g) {
  Bounds b;
  for (const Match& m : g.matches) {
    const auto* s = std::get_if<BufferSize>(&m);
    if (s == nullptr || s->range.low > 1u << 20 || s->range.high > 1u << 20) continue;
    const auto low = static_cast<std::int64_t>(s->range.low), high = static_cast<std::int64_t>(s->range.high);
    switch (s->range.op) {
      case Range::Op::equal:
        b.low = std::max(b.low, low);
        b.high = std::min(b.high, low);
        break;
      case Range::Op::less:
      case Range::Op::less_equal:
        b.high = std::min(b.high, low);
        break;
      case Range::Op::in:
        b.high = std::min(b.high, high);
        break;
      case Range::Op::not_equal:
      case Range::Op::greater:
      case Range::Op::greater_equal:
      case Range::Op::not_in:
        break;
    }
  }
  return b;
}

std::string lower(std::string_view s) {
  std::string r(s);
  for (char& c : r)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return r;
}

class Chooser {
 public:
  explicit Chooser(const Signature& s) : s_(s) {}

  Prefilter choose() {
    for (std::size_t i = 0; i < s_.groups.size(); ++i)
      if (usable(s_.groups[i])) group(static_cast<std::uint16_t>(i));
    if (best_) return finished(*best_);
    for (std::size_t i = 0; i < s_.groups.size(); ++i)
      if (usable(s_.groups[i])) pcres(static_cast<std::uint16_t>(i));
    if (best_) return finished(*best_);
    return gate();
  }

 private:
  // Signatures of transactions are judged when a buffer of the transaction comes.
  bool usable(const BufferGroup& g) const {
    if (g.buffer == Buffer::base64_data) return false;
    for (const Match& m : g.matches)
      if (std::holds_alternative<Absent>(m)) return false;
    if (((g.side != 0 ? g.side : abi::info(g.buffer).directions) & s_.directions) == 0) return false;
    // Headers and addresses are not scanned.
    if (g.buffer != Buffer::payload && abi::info(g.buffer).kind == abi::BufferKind::packet) return false;
    return s_.type != Type::app_tx || !of_packet(g.buffer);
  }
  static bool of_packet(Buffer b) {
    const abi::BufferKind k = abi::info(b).kind;
    return k == abi::BufferKind::packet || k == abi::BufferKind::stream;
  }

  void consider(Prefilter p) {
    if (!best_ || p.score > best_->score) best_ = std::move(p);
  }

  // The best window of `bytes` whose first byte may stand in `start` (transformed buffer).
  void windows(std::uint16_t index, const BufferGroup& g, const Kept& k, std::string_view bytes, bool nocase,
               Bounds start, std::size_t at_least) {
    const Alphabet a = alphabet(g.buffer);
    nocase = nocase || k.caseless;
    if (!k.positions) start = {0, kUnbounded};
    const bool fixed = start.low == start.high && start.low <= kMaxAnchorOffset;
    std::size_t first = 0;
    if (k.dots == 1 && bytes.front() == '.' && start.low == 0)
      first = 1;  // this dot may be the one put before
    for (std::size_t i = first; i < bytes.size(); ++i) {
      const std::size_t length = std::min(kMaxLiteral, bytes.size() - i);
      if (i > first && length < kMaxLiteral) break;  // shorter tails are no better
      const std::string_view w = bytes.substr(i, length);
      if (k.no_space && std::any_of(w.begin(), w.end(), is_space)) {
        spaceless(index, g, w, nocase, a);
        continue;
      }
      if (!fixed && length < at_least) continue;
      Prefilter p;
      p.group = index;
      p.nocase = nocase &&
                 std::any_of(w.begin(), w.end(), [](char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; });
      p.bytes = p.nocase ? lower(w) : std::string(w);
      const std::int64_t end =
          static_cast<std::int64_t>(i + length) - static_cast<std::int64_t>(k.positions ? k.dots : 0);
      const auto l = static_cast<std::int64_t>(length);
      p.low_end = static_cast<std::uint32_t>(std::clamp<std::int64_t>(start.low + end, l, abi::kNone32 - 1));
      if (start.high < abi::kNone32 - 1 - end)
        p.high_end = static_cast<std::uint32_t>(std::max<std::int64_t>(start.high + end, l));
      double bits = rarity(w, a, p.nocase);
      // Clients send the same names in the same few orders: what looks long and rare is not.
      if (g.buffer == abi::Buffer::http_header_names) bits = std::min(bits, kNamesOfHeaders);
      if (fixed) {
        p.kind = Prefilter::Kind::anchored;
        p.high_end = p.low_end;
      } else {
        p.kind = Prefilter::Kind::scanned;
        double room = places(g.buffer);
        if (p.high_end != abi::kNone32)
          room = std::min(room, std::max(0.0, std::log2(static_cast<double>(p.high_end - p.low_end + 1))));
        // A range does not save the scanner's own work: it counts half.
        bits -= (room + places(g.buffer)) / 2;
        // Three bytes are better than nothing, and worse for the whole group than they look.
        if (length < kMinScanned) bits -= 6;
      }
      p.score = std::min(bits, kEnough) + bits / 64;
      consider(std::move(p));
      if (bits > kEnough) return;
    }
  }

  // Of a window with white space the longest part without.
  void spaceless(std::uint16_t index, const BufferGroup& g, std::string_view w, bool nocase, Alphabet a) {
    std::string_view longest;
    for (std::size_t i = 0; i < w.size();) {
      std::size_t n = i;
      while (n < w.size() && !is_space(w[n])) ++n;
      if (n - i > longest.size()) longest = w.substr(i, n - i);
      i = n + 1;
    }
    if (longest.size() < kMinScanned) return;
    Prefilter p;
    p.kind = Prefilter::Kind::scanned;
    p.group = index;
    p.nocase = nocase;
    p.bytes = nocase ? lower(longest) : std::string(longest);
    p.low_end = static_cast<std::uint32_t>(longest.size());
    p.score = std::min(rarity(longest, a, nocase) - places(g.buffer), kEnough);
    consider(std::move(p));
  }

  void group(std::uint16_t index) {
    const BufferGroup& g = s_.groups[index];
    const Kept k = kept(g);
    if (!k.any) return;
    const Bounds size = size_of(g);
    Bounds cursor{0, 0};
    for (const Match& m : g.matches) {
      if (const auto* c = std::get_if<Content>(&m)) {
        if (c->negated) continue;
        const Bounds start = start_of(*c, cursor, size);
        const auto length = static_cast<std::int64_t>(c->bytes.size());
        windows(index, g, k, c->bytes, c->nocase, start, kMinScanned - 1);
        cursor = {start.low + length, start.high < kUnbounded ? start.high + length : kUnbounded};
      } else if (std::holds_alternative<Pcre>(m) || std::holds_alternative<ByteJump>(m) ||
                 std::holds_alternative<ByteExtract>(m) || std::holds_alternative<ByteMath>(m) ||
                 std::holds_alternative<Asn1>(m) || std::holds_alternative<Base64Decode>(m) ||
                 std::holds_alternative<ByteTest>(m)) {
        cursor = {0, kUnbounded};
      }
    }
  }

  void pcres(std::uint16_t index) {
    const BufferGroup& g = s_.groups[index];
    const Kept k = kept(g);
    if (!k.any) return;
    for (const Match& m : g.matches)
      if (const auto* p = std::get_if<Pcre>(&m))
        if (const auto run = mandatory_run(*p, kMinScanned))
          windows(index, g, k, run->bytes, run->nocase, {}, kMinScanned);
  }

  // A literal that hits in nearly every buffer is no better than the buffer itself.
  Prefilter finished(Prefilter p) const {
    if (p.score > -4 || p.bytes.size() > kMinScanned) return p;
    p.kind = Prefilter::Kind::always;
    p.bytes.clear();
    p.low_end = 0;
    p.high_end = abi::kNone32;
    return p;
  }

  // No literal: the buffer that is seen least.
  Prefilter gate() const {
    Prefilter p;
    p.score = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < s_.groups.size(); ++i) {
      if (!usable(s_.groups[i])) continue;
      // Bodies and streams come in many pieces; a buffer that every message has comes once for each.
      const double score = -places(s_.groups[i].buffer);
      if (p.kind == Prefilter::Kind::always && score <= p.score) continue;
      p.kind = Prefilter::Kind::always;
      p.group = static_cast<std::uint16_t>(i);
      p.score = score;
    }
    return p;
  }

  const Signature& s_;
  std::optional<Prefilter> best_;
};

}  // namespace

Prefilter choose_prefilter(const Signature& s) {
  switch (s.type) {
    case Type::decoder_event:
    case Type::ip_only:
    case Type::like_ip_only:
    case Type::protocol_detection:
      return {};
    case Type::packet:
    case Type::packet_stream:
    case Type::stream:
    case Type::app_layer:
    case Type::app_tx:
      return Chooser(s).choose();
  }
  return {};
}

}  // namespace sekisho::signatures
