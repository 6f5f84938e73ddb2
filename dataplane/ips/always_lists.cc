#include "dataplane/ips/always_lists.h"

#include <algorithm>

namespace sekisho::ips {
namespace {

constexpr unsigned kMostPorts = 32;

// The ports of a set when they are few; none: any, or many.
std::vector<std::uint16_t> few_ports(const SetView& set, std::uint32_t index) {
  std::vector<std::uint16_t> out;
  if (index == abi::kNone32) return out;
  const abi::PortSetRecord& record = set.port_sets[index];
  for (std::uint32_t i = 0; i < record.count; ++i) {
    const abi::PortInterval& interval = set.ports[record.first + i];
    if (static_cast<unsigned>(interval.high - interval.low) + out.size() >= kMostPorts) return {};
    for (unsigned p = interval.low; p <= interval.high; ++p) out.push_back(static_cast<std::uint16_t>(p));
  }
  return out;
}

bool asks_for_event(const SetView& set, const abi::SignatureRecord& s) {
  for (std::uint32_t i = 0; i < s.check_count; ++i)
    if (set.checks[s.first_check + i].kind == abi::CheckKind::app_event) return true;
  return false;
}

}  // namespace

AlwaysLists::AlwaysLists(const SignatureSet& loaded, std::span<const std::uint32_t> packet_always) {
  const SetView& set = loaded.view();
  for (const std::uint32_t index : packet_always) {
    const abi::SignatureRecord& s = set.signatures[index];
    switch (s.type) {
      case abi::SignatureType::decoder_event:
        decoder_.push_back(index);
        break;
      case abi::SignatureType::ip_only:
      case abi::SignatureType::like_ip_only:
        break;  // SignatureSet::always_of, by address
      case abi::SignatureType::protocol_detection:
        detection_.push_back(index);
        break;
      case abi::SignatureType::packet:
      case abi::SignatureType::packet_stream:
      case abi::SignatureType::stream:
        add_packet(set, index);
        break;
      case abi::SignatureType::app_layer:
      case abi::SignatureType::app_tx: {
        const bool tx = s.type == abi::SignatureType::app_tx;
        if (tx && asks_for_event(set, s)) app_events_.push_back(index);
        for (unsigned d = 0; d < 2; ++d) {
          if ((s.directions >> d & 1) == 0) continue;
          for (unsigned app = 0; app < kApps; ++app) {
            if (s.app != abi::AppProtocol::unknown && static_cast<unsigned>(s.app) != app) continue;
            (tx ? transaction_ : app_)[app][d].push_back(index);
          }
        }
        // dcerpc signatures hold inside SMB's named pipes too.
        if (s.app == abi::AppProtocol::dcerpc) {
          for (unsigned d = 0; d < 2; ++d)
            if ((s.directions >> d & 1) != 0)
              (tx ? transaction_ : app_)[static_cast<unsigned>(abi::AppProtocol::smb)][d].push_back(index);
        }
        break;
      }
    }
  }
  for (auto& transport : packet_)
    for (PacketList& list : transport) sort(list);
  unit_.resize(loaded.all_units().size());
  for (std::size_t i = 0; i < unit_.size(); ++i) {
    const ScanUnit& unit = loaded.all_units()[i];
    for (const abi::PostingRecord& p : loaded.postings().subspan(unit.first_always, unit.always_count))
      file(set, p.signature, unit_[i]);
    sort(unit_[i]);
  }
}

void AlwaysLists::sort(PacketList& list) {
  std::sort(list.by_destination.entries.begin(), list.by_destination.entries.end());
  std::sort(list.by_source.entries.begin(), list.by_source.entries.end());
}

// Under its ports where they are few.
void AlwaysLists::file(const SetView& set, std::uint32_t index, PacketList& list) {
  const abi::SignatureRecord& s = set.signatures[index];
  std::vector<std::uint16_t> destination, source;
  if ((s.flags & (abi::signature_flag::kBidirectional | abi::signature_flag::kTransactional)) == 0) {
    destination = few_ports(set, s.destination_ports);
    if (destination.empty()) source = few_ports(set, s.source_ports);
  }
  if (!destination.empty()) {
    for (const std::uint16_t port : destination) list.by_destination.entries.emplace_back(port, index);
  } else if (!source.empty()) {
    for (const std::uint16_t port : source) list.by_source.entries.emplace_back(port, index);
  } else {
    list.any.push_back(index);
  }
}

void AlwaysLists::add_packet(const SetView& set, std::uint32_t index) {
  const abi::SignatureRecord& s = set.signatures[index];
  for (unsigned transport = 0; transport < kTransports; ++transport) {
    if ((s.transports >> transport & 1) == 0) continue;
    for (unsigned d = 0; d < 2; ++d)
      if ((s.directions >> d & 1) != 0) file(set, index, packet_[transport][d]);
  }
}

}  // namespace sekisho::ips
