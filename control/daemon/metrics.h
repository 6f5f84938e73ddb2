// GET /metrics: the text that Prometheus reads (exposition format 0.0.4). Names begin with sekisho_; counters
// end in _total. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sekisho::control {

class Daemon;

// Builds the text; each family once, its samples together.
class MetricsText {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;
  void family(std::string_view name, std::string_view type, std::string_view help);
  // REQUIRES: family(name, …) was the last one begun.
  void sample(std::string_view name, const Labels& labels, double value);
  void sample(std::string_view name, const Labels& labels, std::uint64_t value);
  // A family of one sample without labels.
  void one(std::string_view name, std::string_view type, std::string_view help, std::uint64_t value);
  const std::string& text() const { return out_; }

 private:
  void head(std::string_view name, const Labels& labels);
  std::string out_;
};

std::string metrics_text(Daemon& daemon);

}  // namespace sekisho::control
