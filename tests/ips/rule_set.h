// Signatures as text → a SetView, and packets to judge them on.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/app/transaction.h"
#include "dataplane/ips/evaluator.h"
#include "dataplane/ips/thresholds.h"

namespace sekisho::ips::testing {

inline Bytes bytes(std::string_view s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

// A compiled set. The signatures stand in order of evaluation: find() by sid.
class RuleSet {
 public:
  // Lines of signatures. Throws std::runtime_error naming the first that is refused.
  // folder: of the lists that they load.
  explicit RuleSet(const std::string& text, const std::string& folder = {});
  ~RuleSet();
  RuleSet(const RuleSet&) = delete;
  const SetView& view() const { return view_; }
  std::uint32_t find(std::uint32_t sid) const;

 private:
  std::vector<std::uint8_t> blob_;
  std::vector<pcre2_real_code_8*> codes_;
  std::vector<HeaderRecord> headers_;
  SetView view_;
};

// A TCP packet of an established flow to the server, whose payload is also the whole stream.
struct Scene {
  Scene();
  std::uint8_t source[4] = {10, 0, 0, 1}, destination[4] = {192, 168, 0, 2};
  PacketContext context;
  app::AppPool pool{1u << 20};
  app::Transaction tx{pool, 0, abi::AppProtocol::http};
  HostState hosts{42, 1024, 1024, 1024};
  FlowState flow;
  Scratch scratch;

  // Keeps its own copy.
  void payload(std::string_view s, bool complete = true);
  void udp();
  void at(std::uint64_t ms) { context.now_ns = ms * 1'000'000; }
  Outcome judge(const RuleSet& set, std::uint32_t sid, bool with_tx = false,
                app::Direction side = app::Direction::to_server);
  bool apply(const RuleSet& set, std::uint32_t sid, bool with_tx = false);
  ThresholdVerdict count(const RuleSet& set, std::uint32_t sid) {
    return threshold(set.view(), set.find(sid), context, hosts).verdict;
  }
  bool fits(const RuleSet& set, std::uint32_t sid) { return header_fits(set.view(), set.find(sid), context); }
  std::deque<std::string> kept;
  ~Scene() { flow.release(&pool); }
};

}  // namespace sekisho::ips::testing
