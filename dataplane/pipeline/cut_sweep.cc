#include "dataplane/pipeline/cut_sweep.h"

#include <cstring>

#include "dataplane/base/quarantine_key.h"
#include "dataplane/flow/track.h"
#include "dataplane/packet/craft.h"

namespace sekisho::pipeline {

bool CutSweep::step() noexcept {
  if (!running_) return false;
  const bool any_quarantine = c_.words.any_quarantine();
  const bool done = table_.scan(cursor_, kFlowsPerStep, [&](std::uint32_t i) {
    const flow::Flow& f = table_.flow(i);
    if (!c_.words.open(f.link)) {
      if (f.key.protocol == 6 && c_.options.words != nullptr &&
          load_shared(c_.options.words->link[f.link]) == SEKISHO_WORD_CUT_RESET)
        reset_both(f, table_.origin(i));
      flows_.end(i, abi::FlowEnd::link_cut);
    } else if (any_quarantine && quarantined(f)) {
      flows_.end(i, abi::FlowEnd::quarantined);
    }
  });
  if (!done) return true;
  running_ = false;
  add(c_.counters.cut_sweeps);
  publish(c_.counters.cut_sweep_generation, generation_);
  return false;
}

bool CutSweep::quarantined(const flow::Flow& f) const noexcept {
  for (const std::uint8_t* address : {f.key.low, f.key.high}) {
    const QuarantineKey key =
        f.key.ip_version == 4 ? QuarantineKey::ipv4(address) : QuarantineKey::ipv6(address);
    if (c_.words.quarantined(key, c_.now_ns)) return true;
  }
  return false;
}

void CutSweep::reset_both(const flow::Flow& f, const flow::Origin& origin) noexcept {
  if (f.state == flow::State::condemned || f.state == flow::State::closed ||
      f.state == flow::State::time_wait)
    return;
  reset(f, origin, true);
  reset(f, origin, false);
}

void CutSweep::reset(const flow::Flow& f, const flow::Origin& origin, bool to_initiator) noexcept {
  const flow::ResetNumbers numbers = flow::reset_numbers(f, to_initiator);
  const packet::Topology& topology = c_.snapshot->topology;
  if (!numbers.known || origin.in_interface >= topology.interface_count()) return;
  const packet::Interface& initiator_side = topology.interface(InterfaceId(origin.in_interface));
  if (initiator_side.peer.raw >= topology.interface_count()) return;
  const packet::Interface& out = to_initiator ? initiator_side : topology.interface(initiator_side.peer);
  const BufferPool::Buffer buffer = c_.buffers.allocate(packet::kMaxCrafted);
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
  if (length == 0) return c_.buffers.release(buffer.handle);
  add(c_.counters.link[f.link].resets_sent);
  c_.output.transmit(out.port, buffer.handle, buffer.data, length);
}

}  // namespace sekisho::pipeline
