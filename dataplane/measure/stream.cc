#include "dataplane/measure/stream.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "dataplane/measure/stamp.h"

namespace sekisho::measure {

std::uint32_t smallest_frame(const StreamSpec& spec) {
  const std::uint32_t headers =
      14 + (spec.vlan != 0 ? 4 : 0) + (spec.ip == 4 ? 20 : 40) + (spec.protocol == 17 ? 8 : 20);
  return std::max<std::uint32_t>(64, headers + kStampBytes + 4);
}

StreamSpec read_stream(Words& words) {
  StreamSpec s;
  if (words.text("size", "64") == "imix") {
    s.size = 0;
  } else {
    s.size = static_cast<std::uint32_t>(words.count("size", 64, 64, kMaxFrame));
  }
  s.ip = static_cast<std::uint8_t>(words.count("ip", 4, 4, 6));
  if (s.ip == 5) throw Refused("ip=5: expected 4 or 6");
  s.vlan = static_cast<std::uint16_t>(words.count("vlan", 0, 0, 4094));
  s.flows = static_cast<std::uint32_t>(words.count("flows", 10000, 1, kMaxFlows));
  s.zipf = words.number("zipf", 0, 0, 4);
  s.port = static_cast<std::uint16_t>(words.count("port", 5000, 1, 65535));
  const std::string protocol = words.text("protocol", "udp");
  if (protocol != "udp" && protocol != "tcp") throw Refused("protocol: expected udp or tcp");
  s.protocol = protocol == "udp" ? 17 : 6;
  if (s.size != 0 && s.size < smallest_frame(s)) {
    throw Refused(std::string("size=")
                      .append(std::to_string(s.size))
                      .append(": headers and stamp need ")
                      .append(std::to_string(smallest_frame(s))));
  }
  return s;
}

std::vector<std::uint32_t> size_cycle(const StreamSpec& spec) {
  if (spec.size != 0) return {spec.size};
  std::vector<std::uint32_t> cycle = {64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 64, 594};
  for (std::uint32_t& size : cycle) size = std::max(size, smallest_frame(spec));
  return cycle;
}

double mean_size(const std::vector<std::uint32_t>& cycle) {
  return std::accumulate(cycle.begin(), cycle.end(), 0.0) / static_cast<double>(cycle.size());
}

// H(x) = (x^(1-s) - 1) / (1 - s), or log(x) for s = 1; written with expm1 and log1p so that s near 1 is
// exact.
double Zipf::integral(double x) const {
  const double l = std::log(x), t = (1 - s_) * l;
  return std::abs(t) < 1e-8 ? l * (1 + t / 2) : std::expm1(t) / (1 - s_);
}
double Zipf::weight(double x) const {
  return std::exp(-s_ * std::log(x));
}
double Zipf::inverse(double x) const {
  const double t = std::max(x * (1 - s_), -1.0);
  return std::exp(std::abs(t) < 1e-8 ? x * (1 - t / 2) : std::log1p(t) / (1 - s_));
}
Zipf::Zipf(std::uint64_t n, double s) : n_(static_cast<double>(n)), s_(s) {
  h_x1_ = integral(1.5) - 1;
  h_n_ = integral(n_ + 0.5);
  threshold_ = 2 - inverse(integral(2.5) - weight(2));
}

std::vector<std::uint32_t> flow_order(const StreamSpec& spec, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint32_t> all(spec.flows);
  std::iota(all.begin(), all.end(), 0u);
  std::shuffle(all.begin(), all.end(), random);
  if (spec.zipf == 0 || spec.flows == 1) return all;
  Zipf zipf(spec.flows, spec.zipf);
  std::vector<std::uint32_t> order(std::max<std::size_t>(spec.flows, 1u << 20));
  for (std::uint32_t& flow : order) flow = all[zipf(random)];
  return order;
}

}  // namespace sekisho::measure
