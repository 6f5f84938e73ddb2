#include "dataplane/pipeline/flow_reset.h"

#include <cstring>

#include "dataplane/flow/track.h"
#include "dataplane/packet/craft.h"

namespace sekisho::pipeline {

void reset_flow(Context& c, const flow::Flow& f, const flow::Origin& origin, bool to_initiator) noexcept {
  const flow::ResetNumbers numbers = flow::reset_numbers(f, to_initiator);
  const packet::Topology& topology = c.snapshot->topology;
  if (!numbers.known || origin.in_interface >= topology.interface_count()) return;
  const packet::Interface& initiator_side = topology.interface(InterfaceId(origin.in_interface));
  if (initiator_side.peer.raw >= topology.interface_count()) return;
  const packet::Interface& out = to_initiator ? initiator_side : topology.interface(initiator_side.peer);
  const BufferPool::Buffer buffer = c.buffers.allocate(packet::kMaxCrafted);
  if (buffer.handle == nullptr) return;

  const bool low_is_source = ((f.flags & flow::flow_flag::kInitiatorLow) != 0) != to_initiator;
  packet::TcpReset r{};
  std::memcpy(r.source_mac, to_initiator ? origin.destination_mac : origin.source_mac, 6);
  std::memcpy(r.destination_mac, to_initiator ? origin.source_mac : origin.destination_mac, 6);
  std::memcpy(r.source, low_is_source ? f.key.low : f.key.high, 16);
  std::memcpy(r.destination, low_is_source ? f.key.high : f.key.low, 16);
  r.ip_version = f.key.ip_version;
  r.source_port = low_is_source ? f.key.low_port : f.key.high_port;
  r.destination_port = low_is_source ? f.key.high_port : f.key.low_port;
  r.sequence = numbers.sequence;
  r.acknowledgement = numbers.acknowledgement;
  r.with_ack = numbers.has_acknowledgement;
  // A trunk carries the tags that the flow came with; any other interface has its own.
  r.outer_vlan = out.untagged() && initiator_side.untagged() ? origin.outer_vlan : out.outer_vlan;
  r.inner_vlan = out.untagged() && initiator_side.untagged() ? origin.inner_vlan : out.inner_vlan;
  const std::uint32_t length = packet::craft_tcp_reset(r, {buffer.data, buffer.capacity});
  if (length == 0) return c.buffers.release(buffer.handle);
  add(c.counters.link[f.link].resets_sent);
  c.output.transmit(out.port, buffer.handle, buffer.data, length);
}

}  // namespace sekisho::pipeline
