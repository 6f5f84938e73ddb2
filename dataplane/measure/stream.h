// What is sent: streams, their flows, and the order in which the flows take turns.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "dataplane/measure/words.h"

namespace sekisho::measure {

inline constexpr std::uint32_t kMaxFlows = 1u << 22;
inline constexpr std::uint32_t kMaxFrame = 9018;  // with FCS

struct StreamSpec {
  std::uint32_t size = 64;  // bytes on the wire, FCS included; 0: IMIX
  std::uint8_t ip = 4;
  std::uint16_t vlan = 0;  // 0: untagged
  std::uint8_t protocol = 17;
  std::uint32_t flows = 10000;
  double zipf = 0;  // exponent; 0: all flows alike
  // Flows of several streams do not meet: each takes other ports.
  std::uint16_t port = 5000;
};

// The smallest frame that holds headers and stamp (64 B: IPv4 with at most one tag).
std::uint32_t smallest_frame(const StreamSpec& spec);

// size=64|…|imix ip=4|6 vlan= flows= zipf= protocol=udp|tcp. Throws Refused: out of bounds, or a size in
// which the stamp has no room.
StreamSpec read_stream(Words& words);

// The sizes of a stream in turn. IMIX: 7 × 64, 4 × 594, 1 × 1518 (the common "simple IMIX"; RFC 6985 names
// such a sequence), spread evenly. Frames smaller than smallest_frame() are made that long.
std::vector<std::uint32_t> size_cycle(const StreamSpec& spec);
double mean_size(const std::vector<std::uint32_t>& cycle);

// Zipf-distributed ranks 0..n-1, P(k) ~ 1 / (k+1)^s, by rejection-inversion (Hörmann and Derflinger,
// "Rejection-inversion to generate variates from monotone discrete distributions", 1996): O(1) a sample.
class Zipf {
 public:
  Zipf(std::uint64_t n, double s);
  template <typename Random>
  std::uint64_t operator()(Random& random) {
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    for (;;) {
      const double u = h_n_ + uniform(random) * (h_x1_ - h_n_);
      const double x = inverse(u);
      double k = static_cast<double>(static_cast<std::uint64_t>(x + 0.5));
      if (k < 1) k = 1;
      if (k > n_) k = n_;
      if (k - x <= threshold_ || u >= integral(k + 0.5) - weight(k)) return static_cast<std::uint64_t>(k) - 1;
    }
  }

 private:
  double weight(double x) const;
  double integral(double x) const;
  double inverse(double x) const;
  double n_, s_, h_x1_, h_n_, threshold_;
};

// Flow numbers in the order of sending, to be gone round: uniform: each flow once, shuffled; zipf: samples,
// at least 2^20, the ranks spread over the flows' numbers.
std::vector<std::uint32_t> flow_order(const StreamSpec& spec, std::uint64_t seed);

}  // namespace sekisho::measure
