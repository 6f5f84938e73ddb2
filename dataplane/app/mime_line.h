// Lines of a text protocol, cut out of pieces of any size. A line that is whole in one piece is not copied.
// A line ends at LF; a CR before it is no part of it. At most `bound` bytes of a line are given.
// Thread: that of the pool. The owner calls release() before it goes.
#pragma once

#include "dataplane/app/kept.h"

namespace sekisho::app {

class LineReader {
 public:
  enum class Got : std::uint8_t {
    none,      // the input is used up
    too_long,  // said once, as soon as a line exceeds its bound; the line follows cut off
    line
  };
  // Takes bytes from `input`. `line` is valid until the next call and while the input is.
  Got next(AppPool& pool, Bytes& input, std::size_t bound, Bytes& line) {
    if (given_) {
      held_.clear();
      given_ = false;
    }
    if (input.empty()) return Got::none;
    const auto* lf = static_cast<const std::uint8_t*>(std::memchr(input.data(), '\n', input.size()));
    const std::size_t here = lf == nullptr ? input.size() : static_cast<std::size_t>(lf - input.data());
    if (held_.size() + here > bound && !over_) {
      over_ = true;
      return Got::too_long;
    }
    const std::size_t keep = std::min(here, bound - std::min(bound, held_.size()));
    if (lf != nullptr && held_.size() == 0) {
      line = input.first(keep);
    } else {
      held_.append(pool, input.first(keep), bound);
      line = held_.view();
      given_ = lf != nullptr;
    }
    input = input.subspan(std::min(here + 1, input.size()));
    if (lf == nullptr) return Got::none;
    over_ = false;
    if (!line.empty() && line.back() == '\r') line = line.first(line.size() - 1);
    return Got::line;
  }
  // Gives back memory between lines.
  void rest(AppPool& pool) {
    if (given_ || held_.size() == 0) release(pool);
  }
  void release(AppPool& pool) {
    held_.release(pool);
    given_ = false;
  }

 private:
  Kept held_;
  bool given_ = false, over_ = false;
};

}  // namespace sekisho::app
