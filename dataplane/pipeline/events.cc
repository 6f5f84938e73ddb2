#include <cstring>

#include "dataplane/pipeline/context.h"

namespace sekisho::pipeline {

abi::Event packet_event(const Context& context, const Packet& packet, const FlowKey& key,
                        abi::EventKind kind) {
  abi::Event e{};
  e.time_ns = context.now_ns;
  e.kind = kind;
  e.verdict = packet.verdict;
  e.drop_reason = static_cast<std::uint8_t>(packet.reason);
  e.ip_version = packet.ip_version;
  e.protocol = packet.protocol;
  e.from_zone = packet.from.raw;
  e.to_zone = packet.to.raw;
  e.in_interface = packet.in.raw;
  e.out_interface = packet.out.raw;
  e.wire = packet.wire.raw;
  e.link = packet.link;
  e.rule = abi::kNoRule;
  e.worker = context.options.worker;
  e.snapshot_generation = context.snapshot != nullptr ? context.snapshot->view.generation() : 0;
  e.packet_number = packet.number;
  e.outer_vlan = packet.outer_vlan;
  e.inner_vlan = packet.inner_vlan;
  e.ethertype = packet.ethertype;
  if (packet.ip_version != 0) {
    std::memcpy(e.source, packet.source_is_low ? key.low : key.high, 16);
    std::memcpy(e.destination, packet.source_is_low ? key.high : key.low, 16);
    e.source_port = packet.source_port;
    e.destination_port = packet.destination_port;
  }
  if (packet.length >= 14) std::memcpy(e.source_mac, packet.data + 6, 6);
  return e;
}

abi::Event flow_event(const Context& context, const flow::Flow& f, const flow::Origin& origin,
                      abi::EventKind kind) {
  abi::Event e{};
  const bool low = (f.flags & flow::flow_flag::kInitiatorLow) != 0;
  e.time_ns = context.now_ns;
  e.flow_id = origin.flow_id;
  e.kind = kind;
  std::memcpy(e.source, low ? f.key.low : f.key.high, 16);
  std::memcpy(e.destination, low ? f.key.high : f.key.low, 16);
  e.source_port = low ? f.key.low_port : f.key.high_port;
  e.destination_port = low ? f.key.high_port : f.key.low_port;
  e.ip_version = f.key.ip_version;
  e.protocol = f.key.protocol;
  e.from_zone = origin.from_zone;
  e.to_zone = origin.to_zone;
  e.in_interface = origin.in_interface;
  e.out_interface = 0xffff;
  if (context.snapshot != nullptr && origin.in_interface < context.snapshot->topology.interface_count())
    e.out_interface = context.snapshot->topology.interface(InterfaceId(origin.in_interface)).peer.raw;
  e.wire = f.key.wire;
  e.link = f.link;
  e.rule = f.rule;
  e.worker = context.options.worker;
  e.snapshot_generation = context.snapshot != nullptr ? context.snapshot->view.generation() : 0;
  e.start_ns = origin.start_ns;
  e.packets_to_destination = f.packets(false);
  e.packets_to_source = f.packets(true);
  e.bytes_to_destination = f.bytes[0];
  e.bytes_to_source = f.bytes[1];
  e.outer_vlan = origin.outer_vlan;
  e.inner_vlan = origin.inner_vlan;
  e.tcp_flags_to_destination = f.side[0].seen_tcp_flags;
  e.tcp_flags_to_source = f.side[1].seen_tcp_flags;
  std::memcpy(e.source_mac, origin.source_mac, 6);
  return e;
}

abi::FlowRecord record_of(const Context& context, const flow::Flow& f, const flow::Origin& origin) {
  abi::FlowRecord r{};
  const bool low = (f.flags & flow::flow_flag::kInitiatorLow) != 0;
  r.flow_id = origin.flow_id;
  std::memcpy(r.source, low ? f.key.low : f.key.high, 16);
  std::memcpy(r.destination, low ? f.key.high : f.key.low, 16);
  r.source_port = low ? f.key.low_port : f.key.high_port;
  r.destination_port = low ? f.key.high_port : f.key.low_port;
  r.ip_version = f.key.ip_version;
  r.protocol = f.key.protocol;
  r.from_zone = origin.from_zone;
  r.to_zone = origin.to_zone;
  r.state = static_cast<std::uint8_t>(f.state);
  r.action = f.action;
  r.established = flow::established(f.state) ? 1 : 0;
  r.restored = (f.flags & flow::flow_flag::kRestored) != 0 ? 1 : 0;
  r.wire = f.key.wire;
  r.in_interface = origin.in_interface;
  r.rule = f.rule;
  r.outer_vlan = origin.outer_vlan;
  r.inner_vlan = origin.inner_vlan;
  r.idle_timeout_s = origin.idle_timeout_s;
  r.start_ns = origin.start_ns;
  const std::uint32_t silent_ms = context.now_ms - f.last_seen_ms;
  r.last_ns =
      context.now_ns - std::uint64_t{static_cast<std::int32_t>(silent_ms) < 0 ? 0 : silent_ms} * 1'000'000u;
  r.packets_to_destination = f.packets(false);
  r.packets_to_source = f.packets(true);
  r.bytes_to_destination = f.bytes[0];
  r.bytes_to_source = f.bytes[1];
  std::memcpy(r.source_mac, origin.source_mac, 6);
  std::memcpy(r.destination_mac, origin.destination_mac, 6);
  return r;
}

}  // namespace sekisho::pipeline
