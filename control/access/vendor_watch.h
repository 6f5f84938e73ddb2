// The detectors of vendor access: scan, brute force, alerts, volume, and the target turning on others. They
// see events as they are drained and the live flows once a second, and say what they found; what follows is
// the desk's business.
//
// Memory is bounded: per vendor at most RateLimit::count keys of each kind. Thread safety: event() by the
// drain's thread, live() by the poller, take() by anyone; one mutex, held briefly.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control/access/desk.h"
#include "control/access/session_report.h"
#include "control/access/sessions.h"
#include "control/events/event_groups.h"
#include "dataplane/abi/session.h"

namespace sekisho::control {

class Names;

// Distinct keys within a window. add: true when `limit.count` of them have been seen within `limit.within_s`;
// it then begins anew. Never holds more than limit.count keys.
template <typename Key>
class DistinctWindow {
 public:
  bool add(const Key& key, std::uint64_t now_ns, const RateLimit& limit) {
    if (limit.count == 0) return false;
    seen_[key] = now_ns;
    drop_old(now_ns, limit);
    if (seen_.size() < limit.count) return false;
    seen_.clear();
    return true;
  }
  std::size_t size(std::uint64_t now_ns, const RateLimit& limit) {
    drop_old(now_ns, limit);
    return seen_.size();
  }
  void clear() { seen_.clear(); }

 private:
  void drop_old(std::uint64_t now_ns, const RateLimit& limit) {
    const std::uint64_t window = limit.within_s * kSecond;
    std::erase_if(seen_, [&](const auto& one) { return one.second + window < now_ns; });
  }
  std::map<Key, std::uint64_t> seen_;
};

class VendorWatch {
 public:
  using SessionsNow = std::function<std::shared_ptr<const VendorSessions>()>;
  // `wake`: something was found, or the live flows should be looked at now. Must not block.
  VendorWatch(SessionsNow sessions, SessionReports& reports, std::function<void()> wake)
      : sessions_(std::move(sessions)), reports_(reports), wake_(std::move(wake)) {}

  // wall_ns: the event's time.
  void event(const abi::Event& event, const EventFields& fields, const Names& names, std::uint64_t wall_ns);
  // All live flows of the vendors' links, as of now.
  void live(const std::vector<abi::FlowRecord>& flows, std::uint64_t now_ns);
  std::vector<Finding> take();
  // Live flows are wanted before the next second. Reading resets it.
  bool take_hurry();

 private:
  using Place = std::array<std::uint8_t, 20>;  // address, port, protocol, IP version
  struct State {
    DistinctWindow<Place> scan, lateral;
    DistinctWindow<std::uint64_t> short_flows, starts;  // by flow id
    // Flows that have been counted as short: one lingers in the table, and its end is told long after it.
    std::array<std::uint64_t, 256> counted{};
    std::size_t next_counted = 0;
    // By Finding::Kind: what was said last is not said again for a while, of the same ticket (or of none).
    struct Quiet {
      std::string ticket;
      std::uint64_t until = 0;
    };
    std::array<Quiet, 5> quiet;
    std::string ticket;  // the last that was open
    abi::Event last{};   // flow from the vendor
  };
  // The vendor's counts. A new ticket's begin with it: attempts of the one before suspend nobody.
  State& state_of(const Vendor& v, const VendorSession* session);
  void dropped(State& s, const Vendor& v, Side side, const VendorSession* session, const abi::Event& e);
  void flow(State& s, const Vendor& v, const VendorSession* session, const abi::Event& e);
  void alert(State& s, const Vendor& v, const VendorSession* session, const abi::Event& e,
             const Names& names);
  void volume(const VendorSessions& sessions, std::uint64_t now_ns);
  void say(State& s, Finding::Kind kind, const Vendor& v, const VendorSession* session, const abi::Event& e,
           std::string en, std::string ja);

  const SessionsNow sessions_;
  SessionReports& reports_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::map<std::string, State> states_;               // by vendor; at most as many as were configured
  std::map<std::string, std::uint64_t> volume_said_;  // by ticket: the bytes at which it is said again
  std::vector<Finding> found_;                        // at most kMostFound
  bool hurry_ = false;
  static constexpr std::size_t kMostFound = 256;
};

}  // namespace sekisho::control
