// Signatures that no literal brings up, sorted by what brings them up instead: a packet of their transport
// and port, the first packet of a flow, an application, an event.
//
// Immutable after construction. Built by the steward, read by workers.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/ips/set_view.h"
#include "dataplane/ips/signature_set.h"

namespace sekisho::ips {

class AlwaysLists {
 public:
  // packet_always: SignatureSection::packet_always. Throws std::bad_alloc.
  AlwaysLists(const SignatureSet& set, std::span<const std::uint32_t> packet_always);

  // As always() of the scanner for payload and stream, less those whose ports cannot fit.
  template <typename Visit>
  void for_bytes(const SignatureSet& set, abi::Buffer buffer, std::uint8_t direction, abi::AppProtocol app,
                 std::uint8_t transport, std::uint16_t source_port, std::uint16_t destination_port,
                 Visit&& visit) const {
    for (const ScanUnit& unit : set.units(buffer, direction)) {
      if (unit.always_count == 0 || !unit.fits(app, transport)) continue;
      const PacketList& list = unit_[static_cast<std::size_t>(&unit - set.all_units().data())];
      for (const std::uint32_t s : list.any) visit(s);
      list.by_destination.find(destination_port, visit);
      list.by_source.find(source_port, visit);
    }
  }

  // Of a packet: visit(signature) for each that its transport, direction and ports do not rule out.
  // transport: index of the bit of kTransport*; direction: 0 to the server, 1 to the client.
  template <typename Visit>
  void for_packet(unsigned transport, unsigned direction, std::uint16_t source_port,
                  std::uint16_t destination_port, Visit&& visit) const {
    const PacketList& list = packet_[transport][direction];
    for (const std::uint32_t s : list.any) visit(s);
    list.by_destination.find(destination_port, visit);
    list.by_source.find(source_port, visit);
  }
  std::span<const std::uint32_t> detection() const { return detection_; }
  std::span<const std::uint32_t> events() const { return decoder_; }  // decode and stream events
  std::span<const std::uint32_t> app(abi::AppProtocol app, unsigned direction) const {
    return app_[static_cast<unsigned>(app)][direction];
  }
  // Judged with each transaction of the application; those that ask for events also without one.
  std::span<const std::uint32_t> transaction(abi::AppProtocol app, unsigned direction) const {
    return transaction_[static_cast<unsigned>(app)][direction];
  }
  std::span<const std::uint32_t> app_events() const { return app_events_; }

 private:
  struct ByPort {
    std::vector<std::pair<std::uint16_t, std::uint32_t>> entries;  // sorted
    template <typename Visit>
    void find(std::uint16_t port, Visit&& visit) const {
      std::size_t low = 0, high = entries.size();
      while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (entries[middle].first < port)
          low = middle + 1;
        else
          high = middle;
      }
      for (; low < entries.size() && entries[low].first == port; ++low) visit(entries[low].second);
    }
  };
  struct PacketList {
    std::vector<std::uint32_t> any;
    ByPort by_destination, by_source;
  };
  static constexpr unsigned kTransports = 6;
  static constexpr auto kApps = static_cast<unsigned>(abi::AppProtocol::count);
  void add_packet(const SetView& set, std::uint32_t signature);
  static void file(const SetView& set, std::uint32_t signature, PacketList& list);
  static void sort(PacketList& list);

  PacketList packet_[kTransports][2];
  std::vector<PacketList> unit_;  // one for each of the set's units
  std::vector<std::uint32_t> detection_, decoder_, app_events_;
  std::vector<std::uint32_t> app_[kApps][2], transaction_[kApps][2];
};

}  // namespace sekisho::ips
