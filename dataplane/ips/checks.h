// Conditions of a signature besides its groups: of the packet, the application, the addresses.
// Source: Suricata user guide, "Header Keywords" and the protocols' chapters.
#pragma once

#include "dataplane/app/transaction.h"
#include "dataplane/ips/evaluator_context.h"
#include "dataplane/ips/set_view.h"

namespace sekisho::ips {

// Whether an address (4 or 16 bytes by ip_version; nullptr: none) is in a set; set kNone32: always.
bool address_in(const SetView& set, std::uint32_t address_set, std::uint8_t ip_version,
                const std::uint8_t* address);
bool port_in(const SetView& set, std::uint32_t port_set, std::uint16_t port);

// Any CheckKind that is not state (negated included). tx may be nullptr.
bool check_holds(const SetView& set, const abi::CheckRecord& check, const PacketContext& context,
                 const app::Transaction* tx);
constexpr bool is_state(abi::CheckKind kind) {
  return kind >= abi::CheckKind::flowbits && kind <= abi::CheckKind::hostbits;
}
// Whether later data of the same transaction may make a check hold that does not now.
bool check_may_change(abi::CheckKind kind);

// Header buffers (ipv4.hdr … ip.dst) of the packet; not present where there is none.
View header_view(const PacketContext& context, abi::Buffer buffer);

}  // namespace sekisho::ips
