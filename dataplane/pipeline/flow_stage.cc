#include "dataplane/pipeline/flow_stage.h"

#include <cstring>

#include "dataplane/admit/admit.h"
#include "dataplane/base/bytes.h"
#include "dataplane/flow/track.h"
#include "dataplane/packet/craft.h"
#include "dataplane/packet/key.h"
#include "dataplane/pipeline/flow_reset.h"
#include "dataplane/pipeline/inspect_stage.h"

namespace sekisho::pipeline {
namespace {

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kIcmp6 = 58;

bool is_icmp(std::uint8_t protocol) {
  return protocol == kIcmp || protocol == kIcmp6;
}

void set_addresses(policy::Query& q, std::uint8_t version, const std::uint8_t* source,
                   const std::uint8_t* destination) {
  q.ip_version = version;
  if (version == 4) {
    q.source4 = load_be32(source);
    q.destination4 = load_be32(destination);
  } else {
    q.source6 = policy::address6(source);
    q.destination6 = policy::address6(destination);
  }
}

// As the packet's sender opens it.
policy::Query query_of(const Packet& p, const FlowKey& key) {
  policy::Query q;
  q.from = p.from;
  q.to = p.to;
  q.protocol = p.protocol;
  set_addresses(q, p.ip_version, p.source_is_low ? key.low : key.high, p.source_is_low ? key.high : key.low);
  if (is_icmp(p.protocol)) {
    q.destination_port = static_cast<std::uint16_t>(p.source_port << 8 | (p.destination_port & 0xff));
  } else {
    q.source_port = p.source_port;
    q.destination_port = p.destination_port;
  }
  return q;
}

// The same question as the flow's initiator asked it, from a packet of either direction. An answered ICMP
// query other than echo cannot be told from its key; it is asked again as echo, the commonest.
policy::Query query_of(const flow::Flow& f, const Packet& p, const FlowKey& key) {
  if (f.from_initiator(p)) return query_of(p, key);
  policy::Query q;
  q.from = p.to;
  q.to = p.from;
  q.protocol = p.protocol;
  set_addresses(q, p.ip_version, p.source_is_low ? key.high : key.low, p.source_is_low ? key.low : key.high);
  if (is_icmp(p.protocol)) {
    q.destination_port = p.protocol == kIcmp ? 8 << 8 : 128 << 8;
  } else {
    q.source_port = p.destination_port;
    q.destination_port = p.source_port;
  }
  return q;
}

}  // namespace

void FlowStage::process(Burst& burst) noexcept {
  std::uint64_t flows = 0;
  for_live(burst.live, [&](std::uint32_t i) {
    if (burst.packet[i].kind != PacketKind::ip) return;
    flows |= 1ull << i;
    table_.prefetch_bucket(burst.packet[i].hash);
  });
  for_live(flows, [&](std::uint32_t i) { table_.prefetch_entry(burst.packet[i].hash); });
  ahead_ = 0;
  if (opened_ > 1) [[unlikely]]  // by the burst before: flows that begin come in crowds
    decide_ahead(burst, flows);
  opened_ = 0;
  for_live(flows, [&](std::uint32_t i) {
    if (burst.packet[i].flags & packet_flag::kIcmpError) [[unlikely]]
      icmp_error(burst, i);
    else
      one(burst, i);
  });
}

void FlowStage::decide_ahead(const Burst& burst, std::uint64_t flows) noexcept {
  std::uint32_t count = 0;
  for_live(flows, [&](std::uint32_t i) {
    if ((burst.packet[i].flags & packet_flag::kIcmpError) != 0 || table_.may_know(burst.packet[i].hash))
      return;
    ahead_at_[i] = static_cast<std::uint8_t>(count);
    ahead_query_[count++] = query_of(burst.packet[i], burst.key[i]);
    ahead_ |= 1ull << i;
  });
  policy::decide(c_.snapshot->view, {ahead_query_, count}, ahead_decision_, c_.schedules,
                 [this](std::uint16_t access) { return c_.words.access_open(access, c_.now_ns); });
}

void FlowStage::one(Burst& burst, std::uint32_t slot) noexcept {
  Packet& p = burst.packet[slot];
  const FlowKey& key = burst.key[slot];
  const std::uint32_t index = table_.find_live(
      key, p.hash, c_.now_ms, [&](std::uint32_t i) { ended(i, flow::natural_end(table_.flow(i).state)); });
  if (index == kNoFlow) return open(burst, slot);

  flow::Flow& f = table_.flow(index);
  if (f.state == flow::State::condemned) [[unlikely]] {
    f.last_seen_ms = c_.now_ms;  // the tombstone outlives whoever goes on sending
    return burst.drop(slot, DropReason::flow_condemned);
  }
  if ((f.generation != c_.epoch || (f.flags & (flag::kAccess | flag::kLearned)) != 0) &&
      !still_allowed(burst, slot, index))
    return;

  const bool from_initiator = f.from_initiator(p);
  const abi::LinkRecord* link = c_.snapshot->topology.link(p.link);
  const flow::TrackOptions options{.midstream =
                                       (link != nullptr && link->midstream != 0) || c_.options.passive};
  const flow::TrackResult r = flow::track(f, p, from_initiator, options);
  switch (r.outcome) {
    case flow::Outcome::pass:
      break;
    case flow::Outcome::drop:
      if (c_.options.passive) break;
      return burst.drop(slot, r.reason);
    case flow::Outcome::reuse:
      end(index, flow::natural_end(f.state));
      return open(burst, slot);
  }
  f.touch(from_initiator, p.length, c_.now_ms);
  if (r.state_changed) table_.settle(index, c_.timeouts);
  p.flow = index;
  if (from_initiator) p.flags |= packet_flag::kFromInitiator;
}

std::uint32_t FlowStage::inside(Packet& p, const FlowKey& key, std::uint32_t outer) noexcept {
  std::uint32_t index = table_.find_live(
      key, p.hash, c_.now_ms, [&](std::uint32_t i) { ended(i, flow::natural_end(table_.flow(i).state)); });
  const flow::TrackOptions options{.midstream = true, .allow_syn_data = true};
  if (index != kNoFlow) {
    flow::Flow& f = table_.flow(index);
    const bool from_initiator = f.from_initiator(p);
    if (f.state != flow::State::condemned) {
      const flow::TrackResult r = flow::track(f, p, from_initiator, options);
      if (r.outcome == flow::Outcome::reuse) {
        end(index, flow::natural_end(f.state));
        index = kNoFlow;
      } else {
        f.touch(from_initiator, p.length, c_.now_ms);
        if (r.state_changed) table_.settle(index, c_.timeouts);
        f.generation = c_.epoch;
        p.flow = index;
        if (from_initiator) p.flags |= packet_flag::kFromInitiator;
        return index;
      }
    } else {
      f.last_seen_ms = c_.now_ms;
      p.flow = index;
      return index;
    }
  }
  const auto inserted =
      table_.insert(key, p.hash, c_.now_ms, [&](std::uint32_t i) { ended(i, abi::FlowEnd::timeout); });
  if (inserted.index == kNoFlow) return kNoFlow;
  flow::Flow& f = table_.flow(inserted.index);
  const flow::Flow& carrier = table_.flow(outer);
  flow::Origin& origin = table_.origin(inserted.index);
  const std::uint64_t flow_id = origin.flow_id;
  const std::uint32_t hash = origin.hash;
  f.flags = p.source_is_low ? flow::flow_flag::kInitiatorLow : 0;
  if (flow::track(f, p, true, options).outcome != flow::Outcome::pass) {
    flow::restore(f);
    f.flags |= flow::flow_flag::kLearnt;
  }
  f.generation = c_.epoch;
  f.rule = carrier.rule;
  f.link = carrier.link;
  f.action = carrier.action;
  f.flags |= carrier.flags & flag::kLogged;
  origin = table_.origin(outer);
  origin.flow_id = flow_id;
  origin.hash = hash;
  origin.start_ns = c_.now_ns;
  origin.source_token = 0;
  origin.idle_timeout_s = 0;
  f.touch(true, p.length, c_.now_ms);
  table_.settle(inserted.index, c_.timeouts);
  abi::LinkCounters& counters = c_.counters.link[f.link];
  add(counters.flows_started);
  add(counters.flows_live);
  add(c_.counters.flows_live);
  add(c_.counters.flows_created);
  p.flow = inserted.index;
  p.flags |= packet_flag::kFromInitiator | packet_flag::kNewFlow;
  return inserted.index;
}

void FlowStage::icmp_error(Burst& burst, std::uint32_t slot) noexcept {
  Packet& p = burst.packet[slot];
  const std::uint32_t index = table_.find_live(burst.key[slot], p.hash, c_.now_ms, [&](std::uint32_t i) {
    ended(i, flow::natural_end(table_.flow(i).state));
  });
  if (index == kNoFlow) {
    if (c_.options.passive) return;
    return burst.drop(slot, DropReason::icmp_unrelated);
  }
  flow::Flow& f = table_.flow(index);
  if (f.state == flow::State::condemned) return burst.drop(slot, DropReason::flow_condemned);
  // A flow that a new snapshot has not judged yet lets no error through; its next packet settles it.
  if (f.generation != c_.epoch) return burst.drop(slot, DropReason::icmp_unrelated);
  const DropReason reason = flow::check_icmp_error(f, p, !f.from_initiator(p));
  if (reason != DropReason::none && !c_.options.passive) return burst.drop(slot, reason);
  p.flow = index;
}

policy::Decision FlowStage::decide(const policy::Query& query) const noexcept {
  return policy::decide(c_.snapshot->view, query, c_.schedules,
                        [this](std::uint16_t access) { return c_.words.access_open(access, c_.now_ns); });
}

bool FlowStage::access_over(const flow::Flow& f) const noexcept {
  if ((f.flags & flag::kAccess) == 0 || f.generation != c_.epoch) return false;
  const std::uint16_t access =
      f.rule < c_.snapshot->view.rules.size() ? c_.snapshot->view.rules[f.rule].access : abi::kNone16;
  return access == abi::kNone16 || !c_.words.access_open(access, c_.now_ns);
}

bool FlowStage::still_allowed(Burst& burst, std::uint32_t slot, std::uint32_t index) noexcept {
  flow::Flow& f = table_.flow(index);
  if (f.generation != c_.epoch) return judge_again(burst, slot, index);
  if (access_over(f)) {
    end(index, abi::FlowEnd::access_closed);
    burst.drop(slot, DropReason::access_closed);
    return false;
  }
  if ((f.flags & flag::kLearned) && !c_.learning(f.link)) return judge_again(burst, slot, index);
  return true;
}

bool FlowStage::judge_again(Burst& burst, std::uint32_t slot, std::uint32_t index) noexcept {
  flow::Flow& f = table_.flow(index);
  flow::Origin& origin = table_.origin(index);
  const Packet& p = burst.packet[slot];
  const policy::Decision d = decide(query_of(f, p, burst.key[slot]));
  const bool learned = d.action != abi::Action::accept && c_.learning(p.link);
  if (d.action != abi::Action::accept && !learned) {
    end(index, d.closed_access != abi::kNone16 ? abi::FlowEnd::access_closed : abi::FlowEnd::policy_changed);
    refuse(burst, slot, d);
    return false;
  }
  f.generation = c_.epoch;
  f.rule = d.rule;
  if (f.link != p.link) {
    sub(c_.counters.link[f.link].flows_live);
    add(c_.counters.link[p.link].flows_live);
    f.link = p.link;
  }
  f.flags &= static_cast<std::uint16_t>(~(flag::kAccess | flag::kLearned | flag::kLogged));
  if (d.access != abi::kNone16) f.flags |= flag::kAccess;
  if (learned) f.flags |= flag::kLearned;
  if (d.log) f.flags |= flag::kLogged;
  origin.idle_timeout_s = d.idle_timeout_s;
  table_.settle(index, c_.timeouts);
  return true;
}

void FlowStage::open(Burst& burst, std::uint32_t slot) noexcept {
  Packet& p = burst.packet[slot];
  const FlowKey& key = burst.key[slot];
  ++opened_;
  const policy::Decision d =
      (ahead_ >> slot & 1) != 0 ? ahead_decision_[ahead_at_[slot]] : decide(query_of(p, key));
  if (d.rule != abi::kNoRule) add(c_.counters.rule_hits[d.rule]);
  const bool learned = d.action != abi::Action::accept && c_.learning(p.link);
  if (d.action != abi::Action::accept && !learned) return refuse(burst, slot, d);

  const abi::LinkRecord* link = c_.snapshot->topology.link(p.link);
  const flow::TrackOptions options{.midstream =
                                       (link != nullptr && link->midstream != 0) || c_.options.passive};
  flow::Flow opening{};
  opening.key = key;
  opening.flags = p.source_is_low ? flow::flow_flag::kInitiatorLow : 0;
  const flow::TrackResult r = flow::track(opening, p, true, options);
  if (r.outcome != flow::Outcome::pass) {
    if (!c_.options.passive)
      return burst.drop(slot, r.reason == DropReason::none ? DropReason::tcp_state : r.reason);
    flow::restore(opening);
    opening.flags |= flow::flow_flag::kLearnt;
  }

  const abi::Settings& settings = *c_.snapshot->view.settings;
  const auto acquired = c_.limits.acquire(
      p.source_is_low ? key.low : key.high, p.ip_version, p.from, p.to,
      {.per_source = settings.max_flows_per_source, .per_pair = settings.max_flows_per_pair});
  if (acquired.refusal != DropReason::none) return burst.drop(slot, acquired.refusal);
  const auto inserted =
      table_.insert(key, p.hash, c_.now_ms, [&](std::uint32_t i) { ended(i, abi::FlowEnd::timeout); });
  if (inserted.index == kNoFlow) {
    c_.limits.release(acquired.source_token, p.from, p.to);
    return burst.drop(slot, inserted.refusal);
  }

  flow::Flow& f = table_.flow(inserted.index);
  flow::Origin& origin = table_.origin(inserted.index);
  f.state = opening.state;
  f.flags = opening.flags;
  std::memcpy(f.side, opening.side, sizeof f.side);
  f.pending_isn = opening.pending_isn;
  f.action = static_cast<std::uint8_t>(d.action);
  f.generation = c_.epoch;
  f.rule = d.rule;
  f.link = p.link;
  if (d.access != abi::kNone16) f.flags |= flag::kAccess;
  if (learned) f.flags |= flag::kLearned;
  if (d.log) f.flags |= flag::kLogged;
  origin.start_ns = c_.now_ns;
  std::memcpy(origin.destination_mac, p.data, 6);
  std::memcpy(origin.source_mac, p.data + 6, 6);
  origin.outer_vlan = p.outer_vlan;
  origin.inner_vlan = p.inner_vlan;
  origin.in_interface = p.in.raw;
  origin.from_zone = p.from.raw;
  origin.to_zone = p.to.raw;
  origin.idle_timeout_s = d.idle_timeout_s;
  origin.source_token = acquired.source_token;
  f.touch(true, p.length, c_.now_ms);
  table_.settle(inserted.index, c_.timeouts);
  p.flow = inserted.index;
  p.flags |= packet_flag::kFromInitiator | packet_flag::kNewFlow;

  abi::LinkCounters& counters = c_.counters.link[p.link];
  add(counters.flows_started);
  add(counters.flows_live);
  add(c_.counters.flows_live);
  add(c_.counters.flows_created);
  if (learned) c_.push(flow_event(c_, f, origin, abi::EventKind::would_drop));
  if (d.log) c_.push(flow_event(c_, f, origin, abi::EventKind::flow_start));
}

void FlowStage::refuse(Burst& burst, std::uint32_t slot, const policy::Decision& d) noexcept {
  if (d.action == abi::Action::reject) {
    reply(burst.packet[slot]);
    return burst.drop(slot, DropReason::policy_reject, Verdict::reject);
  }
  if (d.rule != abi::kNoRule) return burst.drop(slot, DropReason::policy_rule);
  burst.drop(slot, d.closed_access != abi::kNone16 ? DropReason::access_closed : DropReason::policy_default);
}

void FlowStage::reply(const Packet& p) noexcept {
  if (!c_.replies.take(c_.now_ns)) return;
  const BufferPool::Buffer buffer = c_.buffers.allocate(packet::kMaxCrafted);
  if (buffer.handle == nullptr) return;
  const std::span<std::uint8_t> out(buffer.data, buffer.capacity);
  const std::uint32_t length =
      p.protocol == kTcp ? packet::craft_tcp_reset(p, out) : packet::craft_prohibited(p, out);
  if (length == 0 || !admit::link_passes(p, {}, c_.words)) return c_.buffers.release(buffer.handle);
  c_.output.transmit(p.port, buffer.handle, buffer.data, length);
}

void FlowStage::reject(const Packet& p, std::uint32_t index, bool source, bool destination) noexcept {
  if (p.protocol != kTcp) {
    if (source) reply(p);
    return;
  }
  const flow::Flow& f = table_.flow(index);
  const bool from_initiator = (p.flags & packet_flag::kFromInitiator) != 0;
  for (const bool to_initiator : {true, false}) {
    const bool to_sender = to_initiator == from_initiator;
    if (!(to_sender ? source : destination) || !c_.replies.take(c_.now_ns) ||
        !admit::link_passes(f.link, f.key, c_.words))
      continue;
    reset_flow(c_, f, table_.origin(index), to_initiator);
  }
}

void FlowStage::ended(std::uint32_t index, abi::FlowEnd why) noexcept {
  if (inspect != nullptr) inspect->ended(index);
  const flow::Flow& f = table_.flow(index);
  const flow::Origin& origin = table_.origin(index);
  abi::Event e = flow_event(c_, f, origin, abi::EventKind::flow_end);
  e.end = why;
  e.verdict = f.state == flow::State::condemned ? Verdict::drop : Verdict::pass;
  c_.push(e);
  c_.limits.release(origin.source_token, ZoneId(origin.from_zone), ZoneId(origin.to_zone));
  abi::LinkCounters& counters = c_.counters.link[f.link];
  add(counters.flows_ended);
  if (why == abi::FlowEnd::link_cut) add(counters.flows_ended_by_cut);
  sub(counters.flows_live);
  sub(c_.counters.flows_live);
}

void FlowStage::end(std::uint32_t index, abi::FlowEnd why) noexcept {
  ended(index, why);
  table_.erase(index);
}

bool FlowStage::restore(const abi::FlowRecord& r) noexcept {
  if (c_.snapshot == nullptr || r.in_interface >= c_.snapshot->topology.interface_count() ||
      (r.ip_version != 4 && r.ip_version != 6) || is_icmp(r.protocol))
    return false;
  const packet::Interface& in = c_.snapshot->topology.interface(InterfaceId(r.in_interface));
  if (in.wire == kNoWire || in.zone.raw != r.from_zone || in.peer_zone.raw != r.to_zone ||
      !(c_.words.open(in.link) ||
        (c_.words.partial(in.link) && (c_.words.is_protected(r.ip_version, r.source) ||
                                       c_.words.is_protected(r.ip_version, r.destination)))))
    return false;
  policy::Query q;
  q.from = in.zone;
  q.to = in.peer_zone;
  q.protocol = r.protocol;
  set_addresses(q, r.ip_version, r.source, r.destination);
  q.source_port = r.source_port;
  q.destination_port = r.destination_port;
  const policy::Decision d = decide(q);
  if (d.action != abi::Action::accept) return false;

  FlowKey key{};
  const int order = std::memcmp(r.source, r.destination, 16);
  const bool source_low = order < 0 || (order == 0 && r.source_port <= r.destination_port);
  std::memcpy(source_low ? key.low : key.high, r.source, 16);
  std::memcpy(source_low ? key.high : key.low, r.destination, 16);
  key.low_port = source_low ? r.source_port : r.destination_port;
  key.high_port = source_low ? r.destination_port : r.source_port;
  key.wire = in.wire.raw;
  key.vlan = in.untagged() ? r.outer_vlan : 0;
  key.protocol = r.protocol;
  key.ip_version = r.ip_version;
  const std::uint32_t hash = packet::hash_key(key, c_.snapshot->topology.seed());
  if (table_.find(key, hash) != kNoFlow) return false;
  const auto acquired = c_.limits.acquire(r.source, r.ip_version, q.from, q.to, {});
  const auto inserted =
      table_.insert(key, hash, c_.now_ms, [&](std::uint32_t i) { ended(i, abi::FlowEnd::timeout); });
  if (inserted.index == kNoFlow) {
    c_.limits.release(acquired.source_token, q.from, q.to);
    return false;
  }
  flow::Flow& f = table_.flow(inserted.index);
  flow::Origin& origin = table_.origin(inserted.index);
  f.flags = source_low ? flow::flow_flag::kInitiatorLow : 0;
  flow::restore(f);
  f.generation = c_.epoch;
  f.rule = d.rule;
  f.link = in.link;
  if (d.access != abi::kNone16) f.flags |= flag::kAccess;
  if (d.log) f.flags |= flag::kLogged;
  origin.start_ns = c_.now_ns;
  std::memcpy(origin.source_mac, r.source_mac, 6);
  std::memcpy(origin.destination_mac, r.destination_mac, 6);
  origin.outer_vlan = r.outer_vlan;
  origin.inner_vlan = r.inner_vlan;
  origin.in_interface = r.in_interface;
  origin.from_zone = in.zone.raw;
  origin.to_zone = in.peer_zone.raw;
  origin.idle_timeout_s = d.idle_timeout_s;
  origin.source_token = acquired.source_token;
  table_.settle(inserted.index, c_.timeouts);
  abi::LinkCounters& counters = c_.counters.link[f.link];
  add(counters.flows_started);
  add(counters.flows_live);
  add(c_.counters.flows_live);
  return true;
}

}  // namespace sekisho::pipeline
