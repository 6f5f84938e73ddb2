#include "control/access/vendor_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "control/events/alert_severity.h"
#include "control/events/names.h"
#include "control/model/values.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {

namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint64_t kQuiet = 60 * kSecond, kQuietOpen = 5 * kSecond;
// Where an intruder goes on to from a host that he holds: SSH, RPC, NetBIOS, SMB, RDP, WinRM.
constexpr std::uint16_t kLateralPorts[] = {22, 135, 139, 445, 3389, 5985, 5986};

// Policy's own refusals; not faults of a packet, cuts or quarantines.
bool refused_by_policy(const abi::Event& e) {
  switch (static_cast<abi::DropReason>(e.drop_reason)) {
    case abi::DropReason::policy_default:
    case abi::DropReason::policy_rule:
    case abi::DropReason::policy_reject:
    case abi::DropReason::access_closed:
      return true;
    default:
      return false;
  }
}

bool to_many(const abi::Event& e) {
  if (e.ip_version == 4) return e.destination[0] >= 224;  // multicast, and 255.255.255.255
  return e.destination[0] == 0xff;
}

std::array<std::uint8_t, 20> place_of(const abi::Event& e) {
  std::array<std::uint8_t, 20> out{};
  std::memcpy(out.data(), e.destination, e.ip_version == 4 ? 4 : 16);
  // Of ICMP the host alone counts.
  const std::uint16_t port = e.protocol == 1 || e.protocol == 58 ? 0 : e.destination_port;
  out[16] = static_cast<std::uint8_t>(port >> 8);
  out[17] = static_cast<std::uint8_t>(port & 0xff);
  out[18] = e.protocol;
  out[19] = e.ip_version;
  return out;
}

bool login_port(const Vendor& v, const abi::Event& e) {
  const auto& ports = v.suspend.brute_ports;
  return e.protocol == kTcp && std::find(ports.begin(), ports.end(), e.destination_port) != ports.end();
}

}  // namespace

void VendorWatch::say(State& s, Finding::Kind kind, const Vendor& v, const VendorSession* session,
                      const abi::Event& e, std::string en, std::string ja) {
  const std::uint64_t now_ns = e.time_ns;
  State::Quiet& quiet = s.quiet[static_cast<std::size_t>(kind)];
  const bool open = session != nullptr && session->open;
  Finding f;
  f.kind = kind;
  f.vendor = v.name;
  if (open) f.ticket = session->ticket;
  // What was said before a ticket opened, or of the one before it, keeps nothing from suspending this one.
  if ((now_ns < quiet.until && quiet.ticket == f.ticket) || found_.size() >= kMostFound) return;
  quiet = {f.ticket, now_ns + (open && !session->recovery ? kQuietOpen : kQuiet)};
  f.host = to_string(v.target);
  f.seen = e;
  if (e.kind != abi::EventKind::alert) {
    f.seen.kind = abi::EventKind::alert;
    f.seen.detail = 0;  // the source began it
  }
  f.text_en = std::move(en);
  f.text_ja = std::move(ja);
  if (open) reports_.finding(f.ticket, name_of(kind), f.text_en, now_ns);
  found_.push_back(std::move(f));
  wake_();
}

VendorWatch::State& VendorWatch::state_of(const Vendor& v, const VendorSession* session) {
  State& s = states_[v.name];
  if (session == nullptr || !session->open || session->ticket == s.ticket) return s;
  s.ticket = session->ticket;
  s.scan.clear();
  s.lateral.clear();
  s.short_flows.clear();
  s.starts.clear();
  s.last = {};
  return s;
}

void VendorWatch::event(const abi::Event& e, const EventFields& fields, const Names& names,
                        std::uint64_t wall_ns) {
  const auto sessions = sessions_();
  if (!sessions->model || sessions->model->vendors.empty()) return;
  const VendorSession* session = sessions->of(e);
  if (session != nullptr) {
    const Vendor& vendor = sessions->model->vendors[session->vendor];
    reports_.event(session->ticket, vendor, sessions->side(vendor, e), e, fields, names, wall_ns);
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < sessions->model->vendors.size(); ++i) {
    const Vendor& v = sessions->model->vendors[i];
    const Side side = sessions->side(v, e);
    if (side == Side::none) continue;
    const VendorSession* own = session != nullptr && session->vendor == i ? session : nullptr;
    State& s = state_of(v, own);
    if (own != nullptr && side == Side::from_vendor && e.kind == abi::EventKind::flow_end) s.last = e;
    if (e.kind == abi::EventKind::drop)
      dropped(s, v, side, own, e);
    else if (e.kind == abi::EventKind::alert)
      alert(s, v, own, e, names);
    else if (side == Side::from_vendor)
      flow(s, v, own, e);
  }
  if (e.kind == abi::EventKind::flow_end && session != nullptr) volume(*sessions, e.time_ns);
}

void VendorWatch::dropped(State& s, const Vendor& v, Side side, const VendorSession* session,
                          const abi::Event& e) {
  if (!refused_by_policy(e) || to_many(e)) return;
  if (side == Side::from_vendor && s.scan.add(place_of(e), e.time_ns, v.suspend.scan)) {
    const std::string from = to_string(event_address(e, true));
    say(s, Finding::Kind::scan, v, session, e,
        fmt::format("scan by {}: {} was refused at {} hosts or ports within {} s", v.name, from,
                    v.suspend.scan.count, v.suspend.scan.within_s),
        fmt::format("{} による探索: {} の通信が {} 秒以内に {} か所で破棄されました", v.name, from,
                    v.suspend.scan.within_s, v.suspend.scan.count));
  }
  const bool admin = std::find(std::begin(kLateralPorts), std::end(kLateralPorts), e.destination_port) !=
                     std::end(kLateralPorts);
  if (side == Side::from_target && admin && e.protocol == kTcp &&
      s.lateral.add(place_of(e), e.time_ns, v.suspend.lateral))
    say(s, Finding::Kind::lateral, v, session, e,
        fmt::format("{} ({}), the host that {} maintains, tries to reach others for remote control",
                    v.target_name, to_string(v.target), v.name),
        fmt::format("{} の保守対象 {} ({}) が他の機器への遠隔操作を試みています", v.name, v.target_name,
                    to_string(v.target)));
}

void VendorWatch::flow(State& s, const Vendor& v, const VendorSession* session, const abi::Event& e) {
  const RateLimit& limit = v.suspend.brute_force;
  if (limit.count == 0 || !login_port(v, e) || event_address(e, false) != v.target) return;
  bool fire = false;
  if (e.kind == abi::EventKind::flow_start) {
    // The attempt that begins now counts: with those before it, it is one too many.
    fire = s.short_flows.size(e.time_ns, limit) + 1 >= limit.count;
    if (!fire && s.starts.add(e.flow_id, e.time_ns, limit)) {
      hurry_ = true;
      wake_();
    }
  } else if (e.kind == abi::EventKind::flow_end) {
    const bool by_itself =
        e.end == abi::FlowEnd::tcp_fin || e.end == abi::FlowEnd::tcp_rst || e.end == abi::FlowEnd::timeout;
    if (by_itself && e.bytes_to_destination + e.bytes_to_source < v.suspend.brute_below &&
        std::find(s.counted.begin(), s.counted.end(), e.flow_id) == s.counted.end()) {
      s.counted[s.next_counted++ % s.counted.size()] = e.flow_id;
      fire = s.short_flows.add(e.flow_id, e.time_ns, limit);
    }
  }
  if (!fire) return;
  s.short_flows.clear();
  say(s, Finding::Kind::brute_force, v, session, e,
      fmt::format("brute force by {}: {} short connections to port {} of {} within {} s", v.name, limit.count,
                  e.destination_port, v.target_name, limit.within_s),
      fmt::format("{} による総当たり: {} のポート {} へ {} 秒以内に {} 回の短い接続", v.name, v.target_name,
                  e.destination_port, limit.within_s, limit.count));
}

void VendorWatch::alert(State& s, const Vendor& v, const VendorSession* session, const abi::Event& e,
                        const Names& names) {
  const signatures::SignatureInfo* info =
      e.snapshot_generation == names.generation() ? names.signature(e.rule) : nullptr;
  if (session == nullptr || v.suspend.severity == 0 || alert_severity(info, e) < v.suspend.severity) return;
  const std::string what = info != nullptr ? info->msg : fmt::format("signature {}", e.rule);
  say(s, Finding::Kind::alert, v, session, e, fmt::format("alert in the session of {}: {}", v.name, what),
      fmt::format("{} の作業中に検知: {}", v.name, what));
}

// REQUIRES: mutex_.
void VendorWatch::volume(const VendorSessions& sessions, std::uint64_t now_ns) {
  for (const VendorSession& session : sessions.list) {
    const Vendor& v = sessions.model->vendors[session.vendor];
    if (!session.open || v.suspend.volume == 0) continue;
    const std::uint64_t bytes = reports_.bytes_to_vendor(session.ticket);
    auto [said, fresh] = volume_said_.try_emplace(session.ticket, v.suspend.volume);
    if (bytes < said->second) continue;
    said->second = bytes + v.suspend.volume;
    State& s = states_[v.name];
    abi::Event last = s.last;
    last.time_ns = now_ns;
    say(s, Finding::Kind::volume, v, &session, last,
        fmt::format("{} bytes went to {} in one session; the limit is {}", bytes, v.name,
                    size_text(v.suspend.volume)),
        fmt::format("1 回の作業で {} バイトが {} へ送られました (上限 {})", bytes, v.name,
                    size_text(v.suspend.volume)));
  }
  std::erase_if(volume_said_, [&](const auto& one) {
    return std::none_of(sessions.list.begin(), sessions.list.end(),
                        [&](const VendorSession& s) { return s.ticket == one.first; });
  });
}

void VendorWatch::live(const std::vector<abi::FlowRecord>& flows, std::uint64_t now_ns) {
  const auto sessions = sessions_();
  if (!sessions->model) return;
  reports_.begin_live();
  const std::lock_guard lock(mutex_);
  for (const abi::FlowRecord& r : flows) {
    abi::Event e{};
    e.kind = abi::EventKind::flow_end;
    e.time_ns = now_ns;
    e.flow_id = r.flow_id;
    e.start_ns = r.start_ns;
    std::memcpy(e.source, r.source, 16);
    std::memcpy(e.destination, r.destination, 16);
    e.source_port = r.source_port;
    e.destination_port = r.destination_port;
    e.ip_version = r.ip_version;
    e.protocol = r.protocol;
    e.from_zone = r.from_zone;
    e.to_zone = r.to_zone;
    e.link = static_cast<std::uint16_t>(sekisho_link_index(r.from_zone, r.to_zone));
    e.bytes_to_destination = r.bytes_to_destination;
    e.bytes_to_source = r.bytes_to_source;
    const VendorSession* session = sessions->of(e);
    if (session == nullptr) continue;
    const Vendor& v = sessions->model->vendors[session->vendor];
    const Side side = sessions->side(v, e);
    reports_.live(session->ticket, side, e);
    // FlowRecord::state is flow::State: 4 fin_wait, 5 closing, 6 time_wait, 7 closed.
    e.end = r.state >= 4 && r.state <= 7 ? abi::FlowEnd::tcp_fin : abi::FlowEnd::none;
    if (side != Side::from_vendor) continue;
    State& s = state_of(v, session);
    s.last = e;
    flow(s, v, session, e);
  }
  volume(*sessions, now_ns);
}

std::vector<Finding> VendorWatch::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(found_, {});
}

bool VendorWatch::take_hurry() {
  const std::lock_guard lock(mutex_);
  return std::exchange(hurry_, false);
}

}  // namespace sekisho::control
