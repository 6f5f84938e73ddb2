// The header of a signature: the first and cheapest judgement.
#include "dataplane/ips/checks.h"
#include "dataplane/ips/evaluator.h"

namespace sekisho::ips {
namespace {

namespace fo = abi::flow_option;

bool app_fits(abi::AppProtocol wanted, abi::AppProtocol is) {
  using P = abi::AppProtocol;
  if (wanted == P::unknown || wanted == is) return true;
  // http: any version. dcerpc: over SMB too.
  return (wanted == P::http && is == P::http2) || (wanted == P::dcerpc && is == P::smb);
}

bool flow_fits(std::uint16_t f, const PacketContext& c) {
  if ((f & fo::kToServer) != 0 && c.direction != abi::kToServer) return false;
  if ((f & fo::kToClient) != 0 && c.direction != abi::kToClient) return false;
  const bool established = c.has(context_flag::kEstablished);
  if ((f & fo::kEstablished) != 0 && !established) return false;
  if ((f & fo::kNotEstablished) != 0 && established) return false;
  if ((f & (fo::kToServer | fo::kToClient | fo::kEstablished)) != 0 && !c.has(context_flag::kHasFlow))
    return false;
  const bool fragmented = c.has(context_flag::kFragmented);
  if ((f & fo::kOnlyFragment) != 0 && !fragmented) return false;
  return (f & fo::kNoFragment) == 0 || !fragmented;
}

bool port_fits(const SetView& set, std::uint32_t index, std::uint16_t low, std::uint16_t high,
               std::uint16_t port) {
  if (index == abi::kNone32) return true;
  if (low <= high) return port >= low && port <= high;
  return port_in(set, index, port);
}

bool endpoints_fit(const SetView& set, const HeaderRecord& h, const PacketContext& c, bool swapped) {
  const std::uint16_t from = swapped ? c.destination_port : c.source_port;
  const std::uint16_t to = swapped ? c.source_port : c.destination_port;
  if (!port_fits(set, h.destination_ports, h.destination_low, h.destination_high, to)) return false;
  if (!port_fits(set, h.source_ports, h.source_low, h.source_high, from)) return false;
  return address_in(set, h.source_addresses, c.ip_version, swapped ? c.destination : c.source) &&
         address_in(set, h.destination_addresses, c.ip_version, swapped ? c.source : c.destination);
}

}  // namespace

HeaderRecord make_header(const SetView& set, const abi::SignatureRecord& s) {
  HeaderRecord h{};
  h.transports = s.transports;
  h.ip_versions = s.ip_versions;
  h.directions = s.directions;
  h.app = s.app;
  h.flow = s.flow;
  h.mode = s.mode;
  h.source_addresses = s.source_addresses;
  h.destination_addresses = s.destination_addresses;
  h.source_ports = s.source_ports;
  h.destination_ports = s.destination_ports;
  const auto one = [&](std::uint32_t index, std::uint16_t& low, std::uint16_t& high) {
    low = 1;
    high = 0;
    if (index == abi::kNone32 || set.port_sets[index].count != 1) return;
    const abi::PortInterval& i = set.ports[set.port_sets[index].first];
    low = i.low;
    high = i.high;
  };
  one(h.source_ports, h.source_low, h.source_high);
  one(h.destination_ports, h.destination_low, h.destination_high);
  if ((s.flags & abi::signature_flag::kBidirectional) != 0) h.flags |= header_flag::kBidirectional;
  if ((s.flags & abi::signature_flag::kTransactional) != 0) h.flags |= header_flag::kAnswered;
  if ((h.source_addresses & h.destination_addresses & h.source_ports & h.destination_ports) != abi::kNone32)
    h.flags |= header_flag::kEndpoints;
  return h;
}

bool header_fits(const SetView& set, std::uint32_t signature, const PacketContext& c) {
  const HeaderRecord& h = set.headers[signature];
  if (c.has(context_flag::kDecodeFailed) && h.mode != abi::SignatureMode::any_packet &&
      set.signatures[signature].type != abi::SignatureType::decoder_event)
    return false;
  if (h.mode != abi::SignatureMode::any_packet && !c.has(context_flag::kDecodeFailed)) {
    if ((h.transports & c.transport) == 0) return false;
    // 0: not IP (ARP, other EtherTypes).
    const std::uint8_t version = c.ip_version == 4 ? 1 : c.ip_version == 6 ? 2 : 0;
    if ((h.ip_versions & version) == 0) return false;
  }
  if ((h.directions & c.direction) == 0 || !app_fits(h.app, c.app)) return false;
  if (h.flow != 0 && !flow_fits(h.flow, c)) return false;
  if ((h.flags & header_flag::kEndpoints) == 0) return true;
  if ((h.flags & header_flag::kAnswered) != 0) return endpoints_fit(set, h, c, true);
  return endpoints_fit(set, h, c, false) ||
         ((h.flags & header_flag::kBidirectional) != 0 && endpoints_fit(set, h, c, true));
}

}  // namespace sekisho::ips
