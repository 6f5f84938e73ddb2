// Conditions on one number: CheckKind::number.
#pragma once

#include <optional>

#include "dataplane/ips/evaluator.h"

namespace sekisho::ips {

// Whether the number is in the check's range; nullopt: there is no such number (yet).
std::optional<bool> number_of(const abi::CheckRecord& check, const PacketContext& context,
                              const app::Transaction* tx);

// The whole message behind the IP header (RFC 2236, RFC 3376), padding excluded; empty: cut off.
Bytes igmp_message(const Packet& packet);

}  // namespace sekisho::ips
