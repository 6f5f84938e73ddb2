// A histogram of non-negative integers in constant relative width: the layout of HdrHistogram (Gil Tene) with
// 128 steps an octave, so that a value is known to 0.8 % and below 256 exactly. Debian 12 has no C or C++
// library for it.
//
// Thread: one. Fixed memory; record() neither allocates nor branches on the number of buckets.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace sekisho::measure {

class Histogram {
 public:
  static constexpr unsigned kSubBits = 7;   // 128 steps an octave
  static constexpr unsigned kMaxBits = 44;  // larger values count as 2^44 - 1 (ns: 4.8 hours)

  Histogram() : count_((kMaxBits - kSubBits + 1) << kSubBits) {}

  void record(std::uint64_t value, std::uint64_t times = 1) {
    if (value >> kMaxBits != 0) value = (1ull << kMaxBits) - 1;
    count_[index(value)] += times;
    total_ += times;
    sum_ += value * times;
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
  }
  void merge(const Histogram& other);
  void clear();

  std::uint64_t total() const { return total_; }
  std::uint64_t min() const { return total_ == 0 ? 0 : min_; }
  std::uint64_t max() const { return max_; }
  double mean() const { return total_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(total_); }
  // The smallest recorded value (upper end of its bucket, never above max) that `percent` of all do not
  // exceed. 0 when empty.
  std::uint64_t percentile(double percent) const;

  struct Bucket {
    std::uint64_t low, high, count;  // low ≤ value ≤ high
  };
  std::vector<Bucket> buckets() const;  // those that are not empty

  // {"count": …, "min": …, "mean": …, "p50": …, "p90", "p99", "p999", "p9999", "max", "buckets": [[high,
  // count]…]}
  std::string json(bool with_buckets) const;

 private:
  static std::size_t index(std::uint64_t v) {
    const unsigned bits = static_cast<unsigned>(std::bit_width(v));
    if (bits <= kSubBits + 1) return static_cast<std::size_t>(v);
    const unsigned shift = bits - kSubBits - 1;
    return (static_cast<std::size_t>(shift) << kSubBits) + static_cast<std::size_t>(v >> shift);
  }
  static std::uint64_t low_of(std::size_t i);
  static std::uint64_t high_of(std::size_t i);

  std::vector<std::uint64_t> count_;
  std::uint64_t total_ = 0, sum_ = 0, min_ = ~0ull, max_ = 0;
};

}  // namespace sekisho::measure
