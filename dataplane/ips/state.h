// flowbits, flowint, xbits, hostbits, datasets: what signatures ask of state and do to it.
// Source: Suricata user guide, "Flow Keywords", "Xbits", "Datasets".
#pragma once

#include "dataplane/app/transaction.h"
#include "dataplane/ips/evaluator.h"

namespace sekisho::ips {

// One condition of CheckKind flowbits, flowint, xbits or hostbits (negated included).
bool state_holds(const SetView& set, const abi::CheckRecord& check, const PacketContext& context,
                 const app::Transaction* tx, const FlowState& flow, Scratch& scratch);

// One effect except tag and dataset. False: no room.
bool change_state(const abi::EffectRecord& effect, const PacketContext& context, const app::Transaction* tx,
                  FlowState& flow, Scratch& scratch);

// An item's key as stored in dataset_items.
void dataset_key(const abi::DatasetRecord& dataset, Bytes value, std::uint8_t (&key)[32]);
bool in_dataset(const SetView& set, std::uint32_t dataset, Bytes value, const HostState* hosts,
                std::uint64_t now_ms);
bool change_dataset(const SetView& set, std::uint32_t dataset, Bytes value, bool add, HostState& hosts,
                    std::uint64_t now_ms);

}  // namespace sekisho::ips
