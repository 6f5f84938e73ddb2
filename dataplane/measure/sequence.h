// What became of a numbered stream: lost, reordered, duplicated. Thread: one.
//
// Reordered: a packet whose number is less than one that has already arrived (RFC 4737, 3.3). Duplicate: a
// number that has been seen (RFC 5560). Both are told apart within the last kWindow numbers; what is older is
// counted as `stale`, since it cannot be known whether it was seen. Numbers are 32 bits on the wire and
// continued here.
#pragma once

#include <array>
#include <cstdint>

namespace sekisho::measure {

class Sequence {
 public:
  static constexpr std::uint64_t kWindow = 1u << 16;

  void arrived(std::uint32_t number) {
    // The continuation that is nearest to what is expected.
    const auto step = static_cast<std::int32_t>(number - static_cast<std::uint32_t>(next_));
    if (step >= 0) [[likely]] {
      const std::uint64_t at = next_ + static_cast<std::uint32_t>(step);
      if (step > 0) forget(next_, at);
      set(at);
      next_ = at + 1;
      ++unique_;
      return;
    }
    const auto back = static_cast<std::uint64_t>(-static_cast<std::int64_t>(step));
    if (back > next_ || back > kWindow) {
      ++stale_;
    } else if (seen(next_ - back)) {
      ++duplicates_;
    } else {
      set(next_ - back);
      ++unique_;
      ++reordered_;
      if (back > extent_) extent_ = back;
    }
  }

  std::uint64_t unique() const { return unique_; }
  std::uint64_t reordered() const { return reordered_; }
  std::uint64_t duplicates() const { return duplicates_; }
  std::uint64_t stale() const { return stale_; }
  std::uint64_t reorder_extent() const {
    return extent_;
  }  // the furthest that a packet came late, in packets
  // Of `sent` packets numbered from 0.
  std::uint64_t lost(std::uint64_t sent) const { return sent > unique_ ? sent - unique_ : 0; }

 private:
  static std::size_t word(std::uint64_t n) { return (n % kWindow) / 64; }
  bool seen(std::uint64_t n) const { return (seen_[word(n)] >> (n % 64) & 1) != 0; }
  void set(std::uint64_t n) { seen_[word(n)] |= 1ull << (n % 64); }
  void clear(std::uint64_t n) { seen_[word(n)] &= ~(1ull << (n % 64)); }
  // Numbers [from, to) were skipped; the place of `to` is about to be taken.
  void forget(std::uint64_t from, std::uint64_t to) {
    if (to - from >= kWindow) {
      seen_.fill(0);
      return;
    }
    for (; from < to; ++from) clear(from);
  }

  std::array<std::uint64_t, kWindow / 64> seen_{};
  std::uint64_t next_ = 0, unique_ = 0, reordered_ = 0, duplicates_ = 0, stale_ = 0, extent_ = 0;
};

}  // namespace sekisho::measure
