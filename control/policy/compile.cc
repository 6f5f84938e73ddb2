#include "control/policy/compile.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "control/policy/check_model.h"
#include "control/policy/classifier.h"
#include "control/policy/normal.h"
#include "control/policy/shadow.h"
#include "dataplane/abi/words.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/hash.h"

namespace sekisho::control {

namespace {

template <std::size_t N>
void put_name(char (&to)[N], const std::string& from) {
  std::memcpy(to, from.data(), std::min(from.size(), N - 1));
}

// Puts sections behind each other, each on a multiple of 64.
class SnapshotWriter {
 public:
  SnapshotWriter() : bytes_(sizeof(abi::SnapshotHeader)) {}

  template <typename Record>
  void section(abi::Section which, const std::vector<Record>& records) {
    bytes_.resize((bytes_.size() + 63) / 64 * 64);
    abi::SectionRecord& s = header_.section[static_cast<std::uint32_t>(which)];
    s.offset = bytes_.size();
    s.count = records.size();
    s.record_bytes = sizeof(Record);
    if (records.empty()) return;
    bytes_.resize(bytes_.size() + records.size() * sizeof(Record));
    std::memcpy(bytes_.data() + s.offset, records.data(), records.size() * sizeof(Record));
  }

  std::vector<std::uint8_t> finish(std::uint64_t generation,
                                   const std::array<std::uint8_t, 32>& config_hash) {
    header_.magic = abi::kSnapshotMagic;
    header_.version = SEKISHO_ABI_VERSION;
    header_.sections = abi::kSections;
    header_.bytes = bytes_.size();
    header_.generation = generation;
    std::memcpy(header_.config_hash, config_hash.data(), config_hash.size());
    const std::span<const std::uint8_t> head(reinterpret_cast<const std::uint8_t*>(&header_), sizeof header_);
    const std::span<const std::uint8_t> all(bytes_);
    header_.checksum = hash64(all.subspan(sizeof header_), hash64(head));
    std::memcpy(bytes_.data(), &header_, sizeof header_);
    return std::move(bytes_);
  }

 private:
  abi::SnapshotHeader header_{};
  std::vector<std::uint8_t> bytes_;
};

void write_tables(const Model& model, const SignaturePart* signatures, SnapshotWriter& out) {
  std::vector<abi::PortRecord> ports;
  for (const Port& p : model.ports) {
    abi::PortRecord& record = ports.emplace_back();
    put_name(record.name, p.name);
    put_name(record.device, p.device);
    put_name(record.kernel_interface, p.kernel_interface);
    record.checksums = static_cast<std::uint8_t>(p.checksums);
    record.kernel_owned = p.kernel_interface.empty() ? 0 : 1;
    record.mtu = p.mtu;
  }
  std::vector<abi::InterfaceRecord> interfaces;
  for (const Interface& i : model.interfaces) {
    abi::InterfaceRecord& record = interfaces.emplace_back();
    put_name(record.name, i.name);
    record.port = i.port;
    record.zone = i.zone;
    record.outer_vlan = i.outer_vlan;
    record.inner_vlan = i.inner_vlan;
    record.wire = record.peer = abi::kNone16;
  }
  std::vector<abi::ZoneRecord> zones;
  for (const Zone& z : model.zones) put_name(zones.emplace_back().name, z.name);
  std::vector<abi::WireRecord> wires;
  std::vector<std::uint16_t> ethertypes;
  for (const Wire& w : model.wires) {
    const auto number = static_cast<std::uint16_t>(wires.size());
    abi::WireRecord& record = wires.emplace_back();
    put_name(record.name, w.name);
    record.side_a = w.side_a;
    record.side_b = w.side_b;
    abi::InterfaceRecord& a = interfaces[w.side_a];
    abi::InterfaceRecord& b = interfaces[w.side_b];
    record.link = static_cast<std::uint16_t>(sekisho_link_index(a.zone, b.zone));
    record.pass_arp = w.arp;
    record.pass_llc = w.llc;
    record.mirror_link_state = w.mirror_link_state;
    record.pass_all_ethertypes = w.any_ethertype;
    record.ethertype_first = static_cast<std::uint32_t>(ethertypes.size());
    record.ethertype_count = static_cast<std::uint32_t>(w.ethertypes.size());
    ethertypes.insert(ethertypes.end(), w.ethertypes.begin(), w.ethertypes.end());
    a.wire = b.wire = number;
    a.peer = w.side_b;
    b.peer = w.side_a;
  }
  std::vector<abi::LinkRecord> links;
  for (const Link& l : model.links) {
    abi::LinkRecord& record = links.emplace_back();
    put_name(record.name, l.name);
    record.index = static_cast<std::uint16_t>(sekisho_link_index(l.zone_a, l.zone_b));
    record.zone_a = static_cast<std::uint8_t>(l.zone_a);
    record.zone_b = static_cast<std::uint8_t>(l.zone_b);
    record.clinical = l.clinical;
    record.midstream = l.midstream;
    record.mode = static_cast<std::uint8_t>(l.mode);
    record.fail = static_cast<std::uint8_t>(l.fail);
    record.overload = static_cast<std::uint8_t>(l.overload);
    record.learn_until_wall_s = l.learn_until_wall_s;
    record.ips = static_cast<std::uint8_t>(l.ips);
    record.record_payload = static_cast<std::uint8_t>(l.record_payload);
    record.inspect_depth_kb = l.inspect_depth_kb;
    const std::size_t index = links.size() - 1;
    record.ips_actions = signatures != nullptr && index < signatures->link_actions.size()
                             ? signatures->link_actions[index]
                             : UINT32_MAX;
  }
  out.section(abi::Section::ports, ports);
  out.section(abi::Section::interfaces, interfaces);
  out.section(abi::Section::zones, zones);
  out.section(abi::Section::wires, wires);
  out.section(abi::Section::links, links);
  out.section(abi::Section::ethertypes, ethertypes);
}

struct Slice {
  std::uint32_t first, count;
};

// Each set's intervals and services are written once, where the first rule that uses them puts them.
void write_policy(const Model& model, const NormalPolicy& policy, const SignaturePart* signatures,
                  std::vector<abi::IpsException>& exceptions, SnapshotWriter& out) {
  std::vector<abi::AddressSet> sets;
  std::vector<abi::Interval4> intervals4;
  std::vector<abi::Interval6> intervals6;
  for (const AddressIntervals& set : policy.addresses) {
    sets.push_back({static_cast<std::uint32_t>(intervals4.size()), static_cast<std::uint32_t>(set.v4.size()),
                    static_cast<std::uint32_t>(intervals6.size()), static_cast<std::uint32_t>(set.v6.size()),
                    set.any ? 1u : 0u});
    intervals4.insert(intervals4.end(), set.v4.begin(), set.v4.end());
    intervals6.insert(intervals6.end(), set.v6.begin(), set.v6.end());
  }
  if (signatures != nullptr) {
    for (const SignaturePart::Exception& x : signatures->exceptions) {
      abi::IpsException& record = exceptions.emplace_back();
      record.sid = x.sid;
      record.gid = x.gid;
      record.until_wall_s = x.until_wall_s;
      record.addresses = {static_cast<std::uint32_t>(intervals4.size()), 0,
                          static_cast<std::uint32_t>(intervals6.size()), 0, x.addresses.empty() ? 1u : 0u};
      for (const AddressRange& range : x.addresses) {
        if (range.low.version == 4) {
          intervals4.push_back({load_be32(range.low.bytes.data()), load_be32(range.high.bytes.data())});
          ++record.addresses.count4;
        } else {
          const auto wide = [](const Address& a) {
            return abi::Address6{load_be64(a.bytes.data()), load_be64(a.bytes.data() + 8)};
          };
          intervals6.push_back({wide(range.low), wide(range.high)});
          ++record.addresses.count6;
        }
      }
    }
  }
  std::vector<Slice> service_slices;
  std::vector<abi::ServiceRecord> services;
  for (const ServiceSet& set : policy.services) {
    service_slices.push_back(
        {static_cast<std::uint32_t>(services.size()), static_cast<std::uint32_t>(set.services.size())});
    services.insert(services.end(), set.services.begin(), set.services.end());
  }
  std::vector<abi::RuleRecord> rules;
  for (std::size_t i = 0; i < model.rules.size(); ++i) {
    const Rule& said = model.rules[i];
    const NormalRule& rule = policy.rules[i];
    abi::RuleRecord& record = rules.emplace_back();
    record.source = sets[rule.source];
    record.destination = sets[rule.destination];
    record.service_first = service_slices[rule.services].first;
    record.service_count = service_slices[rule.services].count;
    record.from_zones = said.from_zones;
    record.to_zones = said.to_zones;
    record.schedule = rule.schedule;
    record.access = rule.access;
    record.action = static_cast<std::uint8_t>(said.action);
    record.log = said.log;
    record.file = said.at.file;
    record.line = said.at.line;
  }
  std::vector<abi::ScheduleRecord> schedules;
  for (const Schedule& s : model.schedules) {
    abi::ScheduleRecord& record = schedules.emplace_back();
    put_name(record.name, s.name);
    std::copy(s.minute.begin(), s.minute.end(), record.minute);
  }
  const ClassifierTables tables = build_classifier(policy);
  out.section(abi::Section::rules, rules);
  out.section(abi::Section::pairs, tables.pairs);
  out.section(abi::Section::intervals4, intervals4);
  out.section(abi::Section::intervals6, intervals6);
  out.section(abi::Section::services, services);
  out.section(abi::Section::schedules, schedules);
  out.section(abi::Section::nodes, tables.nodes);
  out.section(abi::Section::bounds4, tables.bounds4);
  out.section(abi::Section::bounds6, tables.bounds6);
  out.section(abi::Section::bounds_service, tables.bounds_service);
  out.section(abi::Section::children, tables.children);
  out.section(abi::Section::leaf_rules, tables.leaf_rules);
}

}  // namespace

std::array<std::uint8_t, 32> hash_config(const std::string& text) {
  std::array<std::uint8_t, 32> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  return hash;
}

CompileResult compile(const Model& model, std::uint64_t generation, const SignaturePart* signatures,
                      const ProtectedAddresses& care) {
  CompileResult result;
  result.diagnostics = check_model(model);
  if (generation == 0)
    result.diagnostics.push_back({Diagnostic::Severity::error, {}, "generation 0", "above 0"});
  if (!result.diagnostics.empty()) return result;
  const NormalPolicy policy = normalise(model);
  result.diagnostics = find_unreachable(model, policy);
  if (!result.diagnostics.empty()) return result;
  SnapshotWriter out;
  write_tables(model, signatures, out);
  std::vector<abi::IpsException> exceptions;
  write_policy(model, policy, signatures, exceptions, out);
  out.section(abi::Section::settings, std::vector<abi::Settings>{model.settings});
  static const SignaturePart kNone;
  const SignaturePart& part = signatures != nullptr ? *signatures : kNone;
  out.section(abi::Section::signatures, part.block);
  out.section(abi::Section::ips_actions, part.actions);
  out.section(abi::Section::ips_exceptions, exceptions);
  out.section(abi::Section::protected4, care.v4);
  out.section(abi::Section::protected6, care.v6);
  std::vector<std::uint8_t> bytes = out.finish(generation, hash_config(model.text));
  if (bytes.size() > abi::kMaxSnapshotBytes) {
    result.diagnostics.push_back({Diagnostic::Severity::error,
                                  {},
                                  "the compiled policy takes " + std::to_string(bytes.size()) + " bytes",
                                  "at most " + std::to_string(abi::kMaxSnapshotBytes)});
    return result;
  }
  result.bytes = std::move(bytes);
  return result;
}

}  // namespace sekisho::control
