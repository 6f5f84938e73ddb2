// Counting in the pipeline.
#pragma once

#include <cstdint>

#include "dataplane/base/count.h"

namespace sekisho::pipeline {

using sekisho::add;
using sekisho::publish;
using sekisho::set;
using sekisho::sub;

// So many a second, in bursts of at most a tenth of that. Times in ns; a clock that steps back grants
// nothing.
class TokenBucket {
 public:
  explicit TokenBucket(std::uint32_t per_second) : per_second_(per_second), tokens_(per_second / 10 + 1) {}
  bool take(std::uint64_t now_ns) {
    if (tokens_ == 0) refill(now_ns);
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }

 private:
  void refill(std::uint64_t now_ns) {
    if (now_ns <= last_ns_) return;
    const std::uint64_t bound = per_second_ / 10 + 1;
    const std::uint64_t passed = now_ns - last_ns_ > 1'000'000'000ull ? 1'000'000'000ull : now_ns - last_ns_;
    const std::uint64_t granted = passed * per_second_ / 1'000'000'000ull;
    if (granted == 0) return;
    tokens_ = granted < bound ? granted : bound;
    last_ns_ = now_ns;
  }
  std::uint64_t per_second_, tokens_, last_ns_ = 0;
};

}  // namespace sekisho::pipeline
