// The sections of a checked snapshot as typed spans. Made only by check_snapshot (snapshot_check.h): whoever
// holds a view may follow every index in it without asking again.
//
// Thread: immutable; any thread may read, as long as the mapping behind it lives.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/abi/snapshot.h"

namespace sekisho::policy {

struct SnapshotView {
  const abi::SnapshotHeader* header = nullptr;
  const abi::Settings* settings = nullptr;
  std::span<const abi::PortRecord> ports;
  std::span<const abi::InterfaceRecord> interfaces;
  std::span<const abi::ZoneRecord> zones;
  std::span<const abi::WireRecord> wires;
  std::span<const abi::LinkRecord> links;
  std::span<const std::uint16_t> ethertypes;
  std::span<const abi::RuleRecord> rules;
  std::span<const abi::PairRecord> pairs;  // from * zones.size() + to
  std::span<const abi::Interval4> intervals4;
  std::span<const abi::Interval6> intervals6;
  std::span<const abi::ServiceRecord> services;
  std::span<const abi::ScheduleRecord> schedules;
  std::span<const abi::TreeNode> nodes;
  std::span<const std::uint32_t> bounds4;
  std::span<const abi::Address6> bounds6;
  std::span<const std::uint32_t> bounds_service;
  std::span<const std::uint32_t> children;
  std::span<const std::uint32_t> leaf_rules;
  std::span<const std::uint8_t> signatures;  // one block, checked by ips/signature_set.h
  std::span<const std::uint8_t> ips_actions;
  std::span<const abi::IpsException> ips_exceptions;
  std::span<const abi::Interval4> protected4;
  std::span<const abi::Interval6> protected6;

  std::uint64_t generation() const { return header->generation; }
};

}  // namespace sekisho::policy
