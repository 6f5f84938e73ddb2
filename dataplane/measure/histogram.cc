#include "dataplane/measure/histogram.h"

#include <algorithm>
#include <cmath>

#include "dataplane/measure/json_line.h"

namespace sekisho::measure {

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < count_.size(); ++i) count_[i] += other.count_[i];
  total_ += other.total_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  std::fill(count_.begin(), count_.end(), 0);
  total_ = sum_ = max_ = 0;
  min_ = ~0ull;
}

std::uint64_t Histogram::low_of(std::size_t i) {
  if (i < (2u << kSubBits)) return i;
  const std::size_t shift = (i >> kSubBits) - 1;
  return (static_cast<std::uint64_t>(i) - (shift << kSubBits)) << shift;
}

std::uint64_t Histogram::high_of(std::size_t i) {
  return i < (2u << kSubBits) ? i : low_of(i) + (1ull << ((i >> kSubBits) - 1)) - 1;
}

std::uint64_t Histogram::percentile(double percent) const {
  if (total_ == 0) return 0;
  const double share = std::clamp(percent, 0.0, 100.0) / 100.0;
  const auto wanted =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < count_.size(); ++i) {
    seen += count_[i];
    if (seen >= wanted) return std::min(high_of(i), max_);
  }
  return max_;
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
  std::vector<Bucket> out;
  for (std::size_t i = 0; i < count_.size(); ++i) {
    if (count_[i] != 0) out.push_back({low_of(i), high_of(i), count_[i]});
  }
  return out;
}

std::string Histogram::json(bool with_buckets) const {
  JsonLine line;
  line.add("count", total_).add("min", min()).add("mean", mean());
  line.add("p50", percentile(50)).add("p90", percentile(90)).add("p99", percentile(99));
  line.add("p999", percentile(99.9)).add("p9999", percentile(99.99)).add("max", max_);
  if (with_buckets) {
    std::string list = "[";
    for (const Bucket& b : buckets()) {
      if (list.size() > 1) list += ',';
      list.append("[").append(std::to_string(b.high)).append(",").append(std::to_string(b.count)).append("]");
    }
    line.add_raw("buckets", list + "]");
  }
  return line.text();
}

}  // namespace sekisho::measure
