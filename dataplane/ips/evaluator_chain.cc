#include "dataplane/ips/evaluator_chain.h"

#include <algorithm>
#include <limits>

#include "dataplane/ips/base64.h"
#include "dataplane/ips/content.h"
#include "dataplane/ips/content_asn1.h"
#include "dataplane/ips/numbers.h"
#include "dataplane/ips/state.h"

namespace sekisho::ips {
namespace {

namespace mf = abi::match_flag;
using abi::MatchKind;
using abi::MatchRecord;

constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t kLimitSteps = 2'000;  // the price of a pattern that ran into its limit

class Chain {
 public:
  Chain(ChainContext& context, const abi::GroupRecord& group, const View& view,
        const abi::GroupRecord* nested, unsigned level)
      : c_(context),
        set_(context.set),
        work_(context.scratch.impl()),
        group_(group),
        matches_(context.set.matches.subspan(group.first_match, group.match_count)),
        view_(view),
        nested_(nested),
        level_(level),
        start_(static_cast<std::int64_t>(view.base)),
        end_(static_cast<std::int64_t>(view.end())) {}

  Outcome run();
  Outcome wait();

 private:
  enum class Step : std::uint8_t { ok, fail, stop };

  Step step(const MatchRecord& m, std::uint32_t index, std::int64_t resume);
  Step content(const MatchRecord& m, std::uint32_t index, std::int64_t resume);
  Step pcre(const MatchRecord& m, std::uint32_t index, std::int64_t resume);
  Step isdataat(const MatchRecord& m);
  Step byte_keyword(const MatchRecord& m);
  Step jump(const MatchRecord& m, const Number& n, std::int64_t at);
  Step size(const MatchRecord& m);
  Step base64(const MatchRecord& m);
  Step asn1(const MatchRecord& m);

  bool variable(const MatchRecord& m, unsigned which, std::uint64_t& value) const {
    const std::uint8_t v = m.variable[which];
    if (v >= abi::kMaxVariables) return false;
    value = work_.variable[v];
    return true;
  }
  std::int64_t number(const MatchRecord& m, unsigned which, std::int64_t plain) const {
    std::uint64_t v;
    return variable(m, which, v) ? to_signed(v) : plain;
  }
  bool charge(std::uint64_t steps) {
    work_.steps = static_cast<std::uint32_t>(std::min<std::uint64_t>(work_.steps + steps, kMaxSteps + 1));
    return work_.steps <= kMaxSteps;
  }
  bool push(std::uint32_t index, std::int64_t resume) {
    if (count_ == kMaxFrames) return false;
    work_.frames[level_][count_++] = {cursor_, resume, furthest_, index, base_};
    return true;
  }
  void beyond() { more_ |= !view_.complete; }
  bool last(std::uint32_t index) const { return index + 1 == matches_.size() && view_.min_end == 0; }

  // A content that may lie anywhere behind the cursor: what fails for one cursor fails for all farther on.
  static bool open_ended(const MatchRecord& m) {
    return m.kind == MatchKind::content && (m.flags & (mf::kHasDistance | mf::kRelative)) != 0 &&
           (m.flags & (mf::kNegated | mf::kHasWithin | mf::kEndsWith)) == 0;
  }
  // Such a content has failed. The frames of contents before it would only move the cursor on, down to the
  // last match whose end may also move back. REQUIRES: no variables, and no match was turned away before.
  void drop_contents(std::uint32_t failed) {
    std::uint32_t from = failed;
    while (from > 0 && !may_go_back(matches_[from - 1])) --from;
    while (count_ > base_ && work_.frames[level_][count_ - 1].match >= from) --count_;
  }
  static bool may_go_back(const MatchRecord& m) {
    switch (m.kind) {
      case MatchKind::pcre:
        return (m.flags & mf::kNegated) == 0;
      case MatchKind::byte_jump:
      case MatchKind::byte_extract:
      case MatchKind::byte_math:
        return true;
      default:
        return false;
    }
  }

  ChainContext& c_;
  const SetView& set_;
  Scratch::Impl& work_;
  const abi::GroupRecord& group_;
  const std::span<const MatchRecord> matches_;
  const View view_;
  const abi::GroupRecord* nested_;
  const unsigned level_;
  const std::int64_t start_, end_;  // of the visible bytes
  std::int64_t cursor_ = 0;
  std::uint64_t furthest_ = 0;  // end of the positive match that reaches farthest
  std::uint32_t count_ = 0;     // frames
  std::uint32_t base_ = 0;      // the cursor depends on frames from here on
  bool positive_ = false;       // some content or pcre was found
  bool more_ = false;
  std::uint32_t deepest_ = 0;
};

// The first match that no try got beyond. If it is a content, and the chain before it is contents that only
// look forward, then all places of those before it were tried with what is here: a match needs the content
// again, in new bytes.
Outcome Chain::wait() {
  if (!more_) return Outcome::no;
  if (level_ != 0 || c_.variables || c_.scratch.impl().awaited != abi::kNone32 ||
      deepest_ >= matches_.size() || group_.transform_count != 0)
    return Outcome::more;
  for (std::uint32_t i = 0; i <= deepest_; ++i) {
    const MatchRecord& m = matches_[i];
    if (m.kind != MatchKind::content || ((m.flags & mf::kHasDistance) != 0 && m.distance < 0))
      return Outcome::more;
  }
  const MatchRecord& m = matches_[deepest_];
  if ((m.flags & (mf::kNegated | mf::kEndsWith)) == 0)
    c_.scratch.impl().awaited = group_.first_match + deepest_;
  return Outcome::more;
}

Outcome Chain::run() {
  std::uint32_t i = 0;
  std::int64_t resume = -1;
  bool any_frame = c_.variables;
  const auto size = static_cast<std::uint32_t>(matches_.size());
  while (true) {
    Step s = Step::ok;
    if (i == size) {
      if (view_.min_end == 0 || !positive_ || furthest_ > view_.min_end) return Outcome::match;
      any_frame = true;
      s = Step::fail;
      deepest_ = size;
      beyond();
    } else {
      const MatchRecord& m = matches_[i];
      s = charge(1) ? step(m, i, resume) : Step::stop;
      if (s == Step::fail) deepest_ = std::max(deepest_, i);
      if (s == Step::ok) {
        ++i;
        resume = -1;
        continue;
      }
      if (s == Step::fail && !any_frame && (m.flags & mf::kRelative) == 0) return wait();
      if (s == Step::fail && !any_frame && open_ended(m)) drop_contents(i);
    }
    if (s == Step::stop) {
      ++c_.scratch.counters.budget_exceeded;
      return Outcome::no;
    }
    if (count_ == 0 || (!any_frame && count_ <= base_)) return wait();
    const Frame& f = work_.frames[level_][--count_];
    cursor_ = f.cursor;
    resume = f.resume;
    furthest_ = f.furthest;
    base_ = f.base;
    i = f.match;
  }
}

Chain::Step Chain::step(const MatchRecord& m, std::uint32_t index, std::int64_t resume) {
  switch (m.kind) {
    case MatchKind::content:
      return content(m, index, resume);
    case MatchKind::pcre:
      return pcre(m, index, resume);
    case MatchKind::isdataat:
      return isdataat(m);
    case MatchKind::byte_test:
    case MatchKind::byte_jump:
    case MatchKind::byte_extract:
    case MatchKind::byte_math:
      return byte_keyword(m);
    case MatchKind::size:
      return size(m);
    case MatchKind::base64_decode:
      return base64(m);
    case MatchKind::dataset: {
      const HostState* hosts = c_.scratch.hosts;
      const std::uint64_t now_ms = c_.packet.now_ns / 1'000'000;
      bool in = in_dataset(set_, m.data, view_.bytes, hosts, now_ms);
      // Of a name all that it is below: from each dot on.
      if (m.op != 0)
        for (std::size_t i = 1; !in && i < view_.bytes.size(); ++i) {
          if (view_.bytes[i] != '.') continue;
          if (!charge(8)) return Step::stop;
          in = in_dataset(set_, m.data, view_.bytes.subspan(i), hosts, now_ms);
        }
      if (!view_.complete) more_ = true;
      return in != ((m.flags & mf::kNegated) != 0) ? Step::ok : Step::fail;
    }
    case MatchKind::asn1:
      return asn1(m);
  }
  return Step::fail;
}

Chain::Step Chain::content(const MatchRecord& m, std::uint32_t index, std::int64_t resume) {
  const bool negated = (m.flags & mf::kNegated) != 0;
  const bool relative = (m.flags & (mf::kHasDistance | mf::kHasWithin | mf::kRelative)) != 0;
  const Bytes needle = set_.bytes.subspan(m.data, m.size);
  const auto length = static_cast<std::int64_t>(m.size);
  std::int64_t low = 0, high = kFar;
  if (relative) {
    std::int64_t distance = m.distance;
    // A variable is taken as 32 bits with a sign: byte_math can make a negative distance.
    if (std::uint64_t v; variable(m, 2, v))
      distance = static_cast<std::int32_t>(static_cast<std::uint32_t>(v));
    const std::int64_t from = add_clamped(cursor_, distance);
    if ((m.flags & mf::kHasWithin) != 0) high = add_clamped(from, number(m, 3, m.within));
    low = std::max<std::int64_t>(from, 0);
  } else {
    if ((m.flags & mf::kHasOffset) != 0) low = std::max<std::int64_t>(number(m, 0, m.offset), 0);
    if ((m.flags & mf::kHasDepth) != 0) high = add_clamped(low, number(m, 1, m.depth));
  }
  std::int64_t from = std::max(std::max(low, start_), resume);
  const std::int64_t to = std::min(high, end_);
  std::int64_t at = -1;
  if (to >= length && from <= to - length) {
    const bool nocase = (m.flags & mf::kNoCase) != 0;
    if ((m.flags & mf::kEndsWith) != 0) {
      from = std::max(from, end_ - length);
      if (high >= end_ && equal_bytes(view_.bytes.data() + (from - start_), needle.data(), m.size, nocase))
        at = from;
    } else {
      const auto window = static_cast<std::size_t>(to - from);
      const std::size_t p =
          find(view_.bytes.subspan(static_cast<std::size_t>(from - start_), window), needle, nocase);
      if (p != kNotFound) at = from + static_cast<std::int64_t>(p);
      if (!charge((p == kNotFound ? window : p) / 256)) return Step::stop;
    }
  }
  if (negated) return at < 0 ? Step::ok : Step::fail;
  if (high > end_) beyond();
  if (at < 0) return Step::fail;
  const std::uint32_t before = count_;
  if (!last(index) && (m.flags & mf::kEndsWith) == 0 && !push(index, at + 1)) return Step::stop;
  if (!relative) base_ = before;
  cursor_ = at + length;
  furthest_ = std::max(furthest_, static_cast<std::uint64_t>(cursor_));
  positive_ = true;
  return Step::ok;
}

Chain::Step Chain::pcre(const MatchRecord& m, std::uint32_t index, std::int64_t resume) {
  const bool negated = (m.flags & mf::kNegated) != 0;
  const bool relative = (m.flags & mf::kRelative) != 0;
  const pcre2_real_code_8* code = m.data < set_.codes.size() ? set_.codes[m.data] : nullptr;
  if (code == nullptr) return Step::fail;
  std::int64_t from = relative ? cursor_ : 0;
  std::size_t start = 0;
  PatternMatch r;
  if (from > end_) {
    beyond();
    return Step::fail;
  }
  // The subject's true beginning is out of sight: ^ and \A cannot match at the first visible byte.
  bool visible = true;
  if (from < start_) {
    from = start_;
    start = view_.bytes.empty() ? 0 : 1;
    visible = !view_.bytes.empty() && !PatternMatcher::anchored(code);
  }
  if (resume >= 0) start = std::max(start, static_cast<std::size_t>(resume - from));
  const Bytes subject = view_.bytes.subspan(static_cast<std::size_t>(from - start_));
  if (start > subject.size()) visible = false;
  if (visible) r = work_.pattern.match(code, subject, start);
  if (!charge(8 + subject.size() / 64)) return Step::stop;
  if (r.result == PatternMatch::Result::limit) {
    ++c_.scratch.counters.pcre_limit;
    return charge(kLimitSteps) ? Step::fail : Step::stop;
  }
  const bool found = r.result == PatternMatch::Result::yes;
  if (negated) return found ? Step::fail : Step::ok;
  beyond();
  if (!found) return Step::fail;
  const std::uint32_t before = count_;
  if (!last(index) && !push(index, from + static_cast<std::int64_t>(r.begin) + 1)) return Step::stop;
  if (!relative) base_ = before;
  cursor_ = from + static_cast<std::int64_t>(r.end);
  furthest_ = std::max(furthest_, static_cast<std::uint64_t>(cursor_));
  positive_ = true;
  return Step::ok;
}

Chain::Step Chain::isdataat(const MatchRecord& m) {
  const bool negated = (m.flags & mf::kNegated) != 0;
  const std::int64_t count = number(m, 1, m.offset);
  const bool there = (m.flags & mf::kRelative) != 0 ? add_clamped(cursor_, count) <= end_ : count < end_;
  if (!there && !negated) beyond();
  return there != negated ? Step::ok : Step::fail;
}

Chain::Step Chain::byte_keyword(const MatchRecord& m) {
  const bool relative = (m.flags & mf::kRelative) != 0;
  const std::int64_t offset = number(m, 1, m.offset);
  const std::int64_t at = add_clamped(relative ? cursor_ : 0, offset);
  std::uint64_t bytes = m.bytes;
  variable(m, 0, bytes);
  const bool little = (m.flags & mf::kDceEndian) != 0 ? c_.dce_little : m.little != 0;
  Number n = read_number(view_, at, bytes, little, m.base);
  if (n.read == Read::yes && relative && bytes != 0 && at >= end_) n.read = Read::beyond;
  if (n.read != Read::yes) {
    if (n.read == Read::beyond) beyond();
    return Step::fail;
  }
  if (m.kind == MatchKind::byte_jump) return jump(m, n, at);
  std::uint64_t right = static_cast<std::uint64_t>(m.value);
  variable(m, 2, right);
  const bool masked = (m.flags & mf::kHasBitmask) != 0;
  if (m.kind == MatchKind::byte_test) {
    const std::uint64_t left = masked ? apply_mask(n.value, m.bitmask) : n.value;
    const bool holds = compare(static_cast<abi::ByteTestOp>(m.op), left, right);
    return holds != ((m.flags & mf::kNegated) != 0) ? Step::ok : Step::fail;
  }
  std::uint64_t value = n.value;
  if (m.kind == MatchKind::byte_extract) {
    if (masked) value = apply_mask(value, m.bitmask);
    value *= m.multiplier;
    if (m.align != 0 && value % m.align != 0) value += m.align - value % m.align;
  } else {
    if (!calculate(static_cast<abi::ByteMathOp>(m.op), value, right)) return Step::fail;
    if (masked) value = apply_mask(value, m.bitmask);
  }
  if (m.result < abi::kMaxVariables) work_.variable[m.result] = value;
  if (!relative) base_ = count_;
  cursor_ = add_clamped(at, n.used);
  return Step::ok;
}

Chain::Step Chain::jump(const MatchRecord& m, const Number& n, std::int64_t at) {
  std::uint64_t v = (m.flags & mf::kHasBitmask) != 0 ? apply_mask(n.value, m.bitmask) : n.value;
  v *= m.multiplier;
  if ((m.flags & mf::kAlign) != 0 && v % 4 != 0) v += 4 - v % 4;
  std::uint64_t post = static_cast<std::uint64_t>(m.value);
  variable(m, 2, post);
  // Modulo 2^64: a negative post_offset goes back.
  v += post;
  std::uint64_t from = static_cast<std::uint64_t>(add_clamped(at, n.used));
  if ((m.flags & mf::kFromBeginning) != 0) from = 0;
  if ((m.flags & mf::kFromEnd) != 0) {
    from = static_cast<std::uint64_t>(end_);
    if (!view_.complete) more_ = true;
  }
  // Before the beginning is the beginning.
  const auto target = std::max<std::int64_t>(static_cast<std::int64_t>(from + v), 0);
  if (target >= end_) {
    beyond();
    return Step::fail;
  }
  if ((m.flags & mf::kRelative) == 0) base_ = count_;
  cursor_ = target;
  return Step::ok;
}

Chain::Step Chain::size(const MatchRecord& m) {
  const auto op = static_cast<abi::RangeOp>(m.op);
  const auto low = static_cast<std::uint64_t>(m.value), high = static_cast<std::uint64_t>(m.high);
  if (view_.complete) return in_range(op, view_.end(), low, high) ? Step::ok : Step::fail;
  // A size that can still grow is decided only where growth cannot change it.
  const bool grows = op == abi::RangeOp::greater || op == abi::RangeOp::greater_equal;
  if (grows && in_range(op, view_.end(), low, high)) return Step::ok;
  more_ = true;
  return Step::fail;
}

Chain::Step Chain::base64(const MatchRecord& m) {
  const std::int64_t at = add_clamped((m.flags & mf::kRelative) != 0 ? cursor_ : 0, m.offset);
  if (at >= end_) {
    beyond();
    return Step::fail;
  }
  if (at < start_) return Step::fail;
  Bytes from = view_.bytes.subspan(static_cast<std::size_t>(at - start_));
  if (m.size == 0 || m.size > from.size()) beyond();
  if (m.size != 0 && m.size < from.size()) from = from.first(m.size);
  if (level_ != 0) return Step::fail;
  if (!charge(from.size() / 64)) return Step::stop;
  const std::size_t n = decode_base64(from, Base64Mode::rfc4648, {work_.base64.get(), kBase64Bytes});
  if (n == 0) return Step::fail;
  if (nested_ == nullptr) return Step::ok;
  View decoded;
  decoded.bytes = {work_.base64.get(), n};
  decoded.present = true;
  const Outcome o = Chain(c_, *nested_, decoded, nullptr, level_ + 1).run();
  return o == Outcome::match ? Step::ok : work_.steps > kMaxSteps ? Step::stop : Step::fail;
}

Chain::Step Chain::asn1(const MatchRecord& m) {
  std::int64_t at = 0;
  if ((m.flags & mf::kHasOffset) != 0) at = m.offset;
  if ((m.flags & mf::kHasDistance) != 0) at = add_clamped(cursor_, m.distance);
  if (at < start_ || at >= end_) {
    if (at >= end_) beyond();
    return Step::fail;
  }
  const Bytes from = view_.bytes.subspan(static_cast<std::size_t>(at - start_));
  if (asn1_matches(from, m.op, static_cast<std::uint64_t>(m.value))) return Step::ok;
  beyond();
  return Step::fail;
}

}  // namespace

Outcome run_chain(ChainContext& context, const abi::GroupRecord& group, const View& view,
                  const abi::GroupRecord* nested) {
  return Chain(context, group, view, nested, 0).run();
}

}  // namespace sekisho::ips
