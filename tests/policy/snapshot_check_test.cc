// Untrusted snapshots: each kind of damage is refused by name, and what random damage gets through the check
// can be walked without harm (run under ASan and UBSan too).
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "tests/policy/loaded.h"
#include "tests/policy/site.h"

namespace sekisho::test {
namespace {

using abi::Section;

class Snapshot {
 public:
  explicit Snapshot(std::span<const std::uint8_t> from) : bytes_(from) {}
  std::span<std::uint8_t> bytes() { return bytes_.bytes(); }
  abi::SnapshotHeader& header() { return *reinterpret_cast<abi::SnapshotHeader*>(bytes().data()); }
  abi::SectionRecord& section(Section which) { return header().section[static_cast<std::uint32_t>(which)]; }
  template <typename Record>
  Record& at(Section which, std::size_t i = 0) {
    return *reinterpret_cast<Record*>(bytes().data() + section(which).offset + i * sizeof(Record));
  }
  std::size_t count(Section which) { return section(which).count; }
  void seal() { header().checksum = policy::snapshot_checksum(bytes()); }
  // The first inner node.
  abi::TreeNode& inner() {
    for (std::size_t i = 0;; ++i) {
      auto& node = at<abi::TreeNode>(Section::nodes, i);
      if (node.dimension != 0) return node;
    }
  }

 private:
  AlignedBytes bytes_;
};

const control::Model& model() {
  static const control::Model site_model = [] {
    std::mt19937_64 random(3);
    control::Model m = site(3);
    add_random_rules(m, 80, Taste::mixed, random);
    return without_unreachable(std::move(m));
  }();
  return site_model;
}

const std::vector<std::uint8_t>& good() {
  static const std::vector<std::uint8_t> bytes = control::compile(model(), 7).bytes;
  return bytes;
}

TEST(SnapshotCheck, WhatTheCompilerMakesPasses) {
  Snapshot s(good());
  const policy::SnapshotChecked checked = policy::check_snapshot(s.bytes());
  ASSERT_TRUE(checked) << checked.why;
  EXPECT_EQ(checked.why[0], '\0');
  EXPECT_EQ(checked.view->generation(), 7u);
  EXPECT_EQ(checked.view->rules.size(), model().rules.size());
  EXPECT_EQ(checked.view->zones.size(), 3u);
  EXPECT_STREQ(checked.view->zones[2].name, "z2");
  const auto hash = control::hash_config(model().text);
  EXPECT_EQ(0, std::memcmp(hash.data(), checked.view->header->config_hash, hash.size()));
}

struct Damage {
  const char* name;
  const char* why;  // a part of the refusal
  std::function<void(Snapshot&)> apply;
  bool reseal = true;
};

const std::vector<Damage>& damages() {
  static const std::vector<Damage> all = {
      {"magic", "magic", [](Snapshot& s) { s.header().magic ^= 1; }},
      {"version", "version", [](Snapshot& s) { ++s.header().version; }},
      {"size", "header says", [](Snapshot& s) { ++s.header().bytes; }},
      {"generation", "generation 0", [](Snapshot& s) { s.header().generation = 0; }},
      {"section_count", "sections", [](Snapshot& s) { --s.header().sections; }},
      {"checksum", "checksum", [](Snapshot& s) { s.bytes()[s.bytes().size() - 1] ^= 1; }, false},
      {"checksum_of_header", "checksum", [](Snapshot& s) { s.header().config_hash[0] ^= 1; }, false},
      {"section_offset", "not aligned", [](Snapshot& s) { s.section(Section::rules).offset += 4; }},
      {"section_outside", "leaves",
       [](Snapshot& s) { s.section(Section::rules).offset = s.header().bytes / 64 * 64 + 64; }},
      {"section_huge", "many", [](Snapshot& s) { s.section(Section::nodes).count = ~0ull; }},
      {"section_wraps", "leaves", [](Snapshot& s) { s.section(Section::nodes).count = 1u << 29; }},
      {"section_offset_wraps", "leaves", [](Snapshot& s) { s.section(Section::nodes).offset = ~63ull; }},
      {"sections_overlap", "overlaps",
       [](Snapshot& s) { s.section(Section::interfaces).offset = s.section(Section::ports).offset; }},
      {"record_size", "records of", [](Snapshot& s) { ++s.section(Section::links).record_bytes; }},
      {"no_settings", "no settings", [](Snapshot& s) { s.section(Section::settings).count = 0; }},
      {"no_zones", "no zones", [](Snapshot& s) { s.section(Section::zones).count = 0; }},
      {"pairs", "zone pairs", [](Snapshot& s) { --s.section(Section::pairs).count; }},
      {"workers_none", "workers", [](Snapshot& s) { s.at<abi::Settings>(Section::settings).workers = 0; }},
      {"workers_many", "workers", [](Snapshot& s) { s.at<abi::Settings>(Section::settings).workers = 33; }},
      {"flows", "flows", [](Snapshot& s) { s.at<abi::Settings>(Section::settings).max_flows = 1ull << 60; }},
      {"timeout", "timeout", [](Snapshot& s) { s.at<abi::Settings>(Section::settings).timeout_icmp = 0; }},
      {"core", "core", [](Snapshot& s) { s.at<abi::Settings>(Section::settings).cores[31] = 5000; }},
      {"fragments", "fragments",
       [](Snapshot& s) { s.at<abi::Settings>(Section::settings).max_fragments = 0; }},
      {"inspection_memory", "MB for inspection",
       [](Snapshot& s) { s.at<abi::Settings>(Section::settings).app_memory_mb = 1u << 30; }},
      {"utc", "UTC", [](Snapshot& s) { s.at<abi::Settings>(Section::settings).utc_offset_s = 1 << 30; }},
      {"zone_name", "name",
       [](Snapshot& s) { std::memset(s.at<abi::ZoneRecord>(Section::zones).name, 'x', 32); }},
      {"device_name", "name",
       [](Snapshot& s) { std::memset(s.at<abi::PortRecord>(Section::ports).device, 'x', 192); }},
      {"port_mode", "mode", [](Snapshot& s) { s.at<abi::PortRecord>(Section::ports).checksums = 9; }},
      {"interface_port", "port",
       [](Snapshot& s) { s.at<abi::InterfaceRecord>(Section::interfaces).port = 64; }},
      {"interface_zone", "zone",
       [](Snapshot& s) { s.at<abi::InterfaceRecord>(Section::interfaces).zone = 3; }},
      {"interface_vlan", "VLAN",
       [](Snapshot& s) { s.at<abi::InterfaceRecord>(Section::interfaces).outer_vlan = 4095; }},
      {"interface_twice", "same VLAN",
       [](Snapshot& s) { s.at<abi::InterfaceRecord>(Section::interfaces, 1).outer_vlan = 1; }},
      {"interface_wire", "wire",
       [](Snapshot& s) { s.at<abi::InterfaceRecord>(Section::interfaces).wire = 500; }},
      {"peer_outside", "peer",
       [](Snapshot& s) { s.at<abi::InterfaceRecord>(Section::interfaces).peer = 500; }},
      {"peer_self", "peer", [](Snapshot& s) { s.at<abi::InterfaceRecord>(Section::interfaces).peer = 0; }},
      {"peer_of_another", "peer",
       [](Snapshot& s) { s.at<abi::InterfaceRecord>(Section::interfaces).peer = 2; }},
      {"peer_without_wire", "without a wire",
       [](Snapshot& s) { s.at<abi::InterfaceRecord>(Section::interfaces).wire = abi::kNone16; }},
      {"wire_sides", "side", [](Snapshot& s) { s.at<abi::WireRecord>(Section::wires).side_b = 0; }},
      {"wire_link", "link", [](Snapshot& s) { s.at<abi::WireRecord>(Section::wires).link ^= 1; }},
      {"wire_ethertypes", "EtherTypes",
       [](Snapshot& s) { s.at<abi::WireRecord>(Section::wires).ethertype_first = ~0u; }},
      {"link_index", "index", [](Snapshot& s) { ++s.at<abi::LinkRecord>(Section::links).index; }},
      {"link_zone", "zones", [](Snapshot& s) { s.at<abi::LinkRecord>(Section::links).zone_a = 64; }},
      {"link_mode", "mode", [](Snapshot& s) { s.at<abi::LinkRecord>(Section::links).fail = 2; }},
      {"link_twice", "two links",
       [](Snapshot& s) {
         s.at<abi::LinkRecord>(Section::links, 1) = s.at<abi::LinkRecord>(Section::links, 0);
       }},
      {"schedule_name", "name",
       [](Snapshot& s) { std::memset(s.at<abi::ScheduleRecord>(Section::schedules).name, 'x', 32); }},
      {"rule_zone", "zone", [](Snapshot& s) { s.at<abi::RuleRecord>(Section::rules).from_zones |= 8; }},
      {"rule_action", "action", [](Snapshot& s) { s.at<abi::RuleRecord>(Section::rules).action = 3; }},
      {"rule_schedule", "schedule", [](Snapshot& s) { s.at<abi::RuleRecord>(Section::rules).schedule = 3; }},
      {"rule_access", "access", [](Snapshot& s) { s.at<abi::RuleRecord>(Section::rules).access = 256; }},
      {"rule_services", "services",
       [](Snapshot& s) { s.at<abi::RuleRecord>(Section::rules).service_count = ~0u; }},
      {"rule_source", "source",
       [](Snapshot& s) { s.at<abi::RuleRecord>(Section::rules).source.count4 = ~0u; }},
      {"rule_destination", "destination",
       [](Snapshot& s) { s.at<abi::RuleRecord>(Section::rules).destination.first6 = ~0u; }},
      {"rule_source_unsorted", "order",
       [](Snapshot& s) {
         auto& set = s.at<abi::RuleRecord>(Section::rules).source;
         set.first4 = 0;
         set.count4 = static_cast<std::uint32_t>(s.count(Section::intervals4));
       }},
      {"interval4", "ends before",
       [](Snapshot& s) {
         s.at<abi::Interval4>(Section::intervals4) = {9, 8};
       }},
      {"interval6", "ends before",
       [](Snapshot& s) {
         s.at<abi::Interval6>(Section::intervals6) = {{1, 0}, {0, 5}};
       }},
      {"service_range", "range",
       [](Snapshot& s) {
         s.at<abi::ServiceRecord>(Section::services).destination_low = 9;
         s.at<abi::ServiceRecord>(Section::services).destination_high = 8;
       }},
      {"tree_root", "tree outside",
       [](Snapshot& s) { s.at<abi::PairRecord>(Section::pairs).tree4[0] = 1u << 30; }},
      {"node_dimension", "dimension", [](Snapshot& s) { s.inner().dimension = 4; }},
      {"node_bounds_outside", "bounds", [](Snapshot& s) { s.inner().first = ~0u; }},
      {"node_children_outside", "children", [](Snapshot& s) { s.inner().first_child = ~0u; }},
      {"node_family", "bounds",
       [](Snapshot& s) {
         // An IPv4 walk sent into a node whose bounds are outside of IPv4's.
         s.inner().dimension = 1;
         s.inner().first = static_cast<std::uint32_t>(s.count(Section::bounds4) - s.inner().count + 1);
         s.at<abi::PairRecord>(Section::pairs).tree4[0] =
             static_cast<std::uint32_t>(&s.inner() - &s.at<abi::TreeNode>(Section::nodes));
       }},
      {"child_before_parent", "does not come after",
       [](Snapshot& s) { s.at<std::uint32_t>(Section::children, s.inner().first_child) = 0; }},
      {"child_outside", "does not come after",
       [](Snapshot& s) { s.at<std::uint32_t>(Section::children, s.inner().first_child) = 1u << 30; }},
      {"child_leaf_rule", "names rule",
       [](Snapshot& s) {
         s.at<std::uint32_t>(Section::children, s.inner().first_child) = abi::kChildIsLeaf | 5000;
       }},
      {"child_leaf_flag", "names rule",
       [](Snapshot& s) { s.at<std::uint32_t>(Section::children, s.inner().first_child) = 0xf8000000u; }},
      {"leaf_rule", "names rule", [](Snapshot& s) { s.at<std::uint32_t>(Section::leaf_rules) = 5000; }},
      {"leaf_order", "order",
       [](Snapshot& s) {
         for (std::size_t i = 0; i < s.count(Section::nodes); ++i) {
           const auto& node = s.at<abi::TreeNode>(Section::nodes, i);
           if (node.dimension != 0 || node.count < 2) continue;
           std::swap(s.at<std::uint32_t>(Section::leaf_rules, node.first),
                     s.at<std::uint32_t>(Section::leaf_rules, node.first + 1));
           return;
         }
       }},
      {"bounds_order", "bounds",
       [](Snapshot& s) {
         for (std::size_t i = 0; i < s.count(Section::nodes); ++i) {
           const auto& node = s.at<abi::TreeNode>(Section::nodes, i);
           if (node.dimension != 3 || node.count < 2) continue;
           std::swap(s.at<std::uint32_t>(Section::bounds_service, node.first),
                     s.at<std::uint32_t>(Section::bounds_service, node.first + 1));
           return;
         }
       }},
  };
  return all;
}

TEST(SnapshotCheck, EveryDamageIsRefusedByName) {
  for (const Damage& damage : damages()) {
    Snapshot s(good());
    damage.apply(s);
    if (damage.reseal) s.seal();
    const policy::SnapshotChecked checked = policy::check_snapshot(s.bytes());
    EXPECT_FALSE(checked) << damage.name;
    EXPECT_NE(std::string(checked.why).find(damage.why), std::string::npos)
        << damage.name << ": " << checked.why;
  }
}

TEST(SnapshotCheck, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < good().size(); size += size < 2048 ? 1 : 61) {
    Snapshot s{std::span<const std::uint8_t>(good()).first(size)};
    EXPECT_FALSE(policy::check_snapshot(s.bytes())) << size;
    if (size < sizeof(abi::SnapshotHeader)) continue;
    s.header().bytes = size;  // a liar
    s.seal();
    EXPECT_FALSE(policy::check_snapshot(s.bytes())) << size;
  }
  std::vector<std::uint8_t> longer = good();
  longer.push_back(0);
  EXPECT_FALSE(policy::check_snapshot(Snapshot(longer).bytes()));
}

// The snapshot with some sections replaced.
class Parts {
 public:
  explicit Parts(Snapshot from) : header_(from.header()) {
    for (std::uint32_t i = 0; i < abi::kSections; ++i) {
      const abi::SectionRecord& r = header_.section[i];
      const auto* start = from.bytes().data() + r.offset;
      content_.emplace_back(start, start + r.count * r.record_bytes);
    }
  }
  template <typename Record>
  void replace(Section which, const std::vector<Record>& records) {
    const auto* start = reinterpret_cast<const std::uint8_t*>(records.data());
    content_[static_cast<std::size_t>(which)].assign(start, start + records.size() * sizeof(Record));
  }
  Snapshot join() {
    std::vector<std::uint8_t> out(sizeof header_);
    for (std::uint32_t i = 0; i < abi::kSections; ++i) {
      out.resize((out.size() + 63) / 64 * 64);
      header_.section[i].offset = out.size();
      header_.section[i].count = content_[i].size() / header_.section[i].record_bytes;
      out.insert(out.end(), content_[i].begin(), content_[i].end());
    }
    header_.bytes = out.size();
    std::memcpy(out.data(), &header_, sizeof header_);
    Snapshot s(out);
    s.seal();
    return s;
  }

 private:
  abi::SnapshotHeader header_;
  std::vector<std::vector<std::uint8_t>> content_;
};

TEST(SnapshotCheck, ProtectedAddressesAreSortedAndApart) {
  const auto with4 = [](const std::vector<abi::Interval4>& v4) {
    Parts parts{Snapshot(control::compile(site(1), 1).bytes)};
    parts.replace(Section::protected4, v4);
    Snapshot s = parts.join();
    return static_cast<bool>(policy::check_snapshot(s.bytes()));
  };
  const auto with6 = [](const std::vector<abi::Interval6>& v6) {
    Parts parts{Snapshot(control::compile(site(1), 1).bytes)};
    parts.replace(Section::protected6, v6);
    Snapshot s = parts.join();
    return static_cast<bool>(policy::check_snapshot(s.bytes()));
  };
  EXPECT_TRUE(with4({{1, 1}, {3, 9}, {10, ~0u}}));
  EXPECT_FALSE(with4({{3, 9}, {1, 1}}));
  EXPECT_FALSE(with4({{3, 9}, {9, 12}}));
  EXPECT_FALSE(with4({{9, 3}}));
  EXPECT_TRUE(with6({{{1, 0}, {1, ~0ull}}, {{2, 0}, {2, 0}}}));
  EXPECT_FALSE(with6({{{1, 5}, {1, 4}}}));
  EXPECT_FALSE(with6({{{2, 0}, {2, 0}}, {{1, 0}, {1, 0}}}));
}

TEST(SnapshotCheck, ATreeDeeperThanTheBoundIsRefused) {
  for (const std::uint32_t inner : {policy::kMaxTreeDepth, policy::kMaxTreeDepth + 1}) {
    Parts parts{Snapshot(control::compile(site(1), 1).bytes)};
    std::vector<abi::TreeNode> nodes;
    std::vector<std::uint32_t> children;
    for (std::uint32_t i = 0; i < inner; ++i) {
      nodes.push_back({3, 1, 0, 2 * i});
      children.insert(children.end(), {i + 1, i + 1});
    }
    nodes.push_back({0, 0, 0, 0});
    abi::PairRecord pair;
    std::fill(std::begin(pair.tree4), std::end(pair.tree4), abi::kNoTree);
    std::fill(std::begin(pair.tree6), std::end(pair.tree6), abi::kNoTree);
    pair.tree4[0] = 0;
    parts.replace(Section::nodes, nodes);
    parts.replace(Section::children, children);
    parts.replace(Section::bounds_service, std::vector<std::uint32_t>{443});
    parts.replace(Section::pairs, std::vector<abi::PairRecord>{pair});
    Snapshot s = parts.join();
    const policy::SnapshotChecked checked = policy::check_snapshot(s.bytes());
    if (inner <= policy::kMaxTreeDepth) {
      EXPECT_TRUE(checked) << checked.why;
    } else {
      EXPECT_NE(std::string(checked.why).find("deeper"), std::string::npos) << checked.why;
    }
  }
}

void walk_everywhere(const policy::SnapshotView& view, std::mt19937_64& random) {
  for (int i = 0; i < 60; ++i) {
    policy::Query q;
    q.from = ZoneId{static_cast<std::uint8_t>(random() % 4)};
    q.to = ZoneId{static_cast<std::uint8_t>(random() % 4)};
    q.ip_version = random() % 2 == 0 ? 4 : 6;
    q.protocol = static_cast<std::uint8_t>(random());
    q.source_port = static_cast<std::uint16_t>(random());
    q.destination_port = static_cast<std::uint16_t>(random() % 64);
    q.source4 = static_cast<std::uint32_t>(random());
    q.destination4 = 0x0a140000u + static_cast<std::uint32_t>(random() % 4096);
    q.source6 = {random(), random()};
    q.destination6 = {0x20010db800000000ull, random() % 64};
    const policy::Decision d = policy::decide(view, q, random(), [&](std::uint16_t access) {
      EXPECT_LT(access, SEKISHO_MAX_ACCESS);
      return random() % 2 == 0;
    });
    EXPECT_TRUE(d.rule == abi::kNoRule || d.rule < view.rules.size());
  }
  policy::active_schedules(view, random());
}

TEST(SnapshotCheck, WhatRandomDamageGetsThroughCanBeWalked) {
  std::mt19937_64 random(11);
  std::size_t passed = 0;
  for (int round = 0; round < 8000; ++round) {
    Snapshot s(good());
    for (std::uint64_t n = 1 + random() % 3; n > 0; --n) {
      // Most damage where the trees are; words get small numbers, which pass more often.
      const Section first = random() % 4 == 0 ? Section::ports : Section::rules;
      const std::size_t begin = random() % 8 == 0 ? 0 : s.section(first).offset;
      const std::size_t at = begin + random() % (s.bytes().size() - begin);
      if (random() % 2 == 0) {
        s.bytes()[at] ^= static_cast<std::uint8_t>(1u << random() % 8);
      } else if (at / 4 * 4 + 4 <= s.bytes().size()) {
        const auto value = static_cast<std::uint32_t>(random() % 3 == 0 ? random() : random() % 100);
        std::memcpy(s.bytes().data() + at / 4 * 4, &value, 4);
      }
    }
    if (s.header().bytes != s.bytes().size()) continue;
    s.seal();
    const policy::SnapshotChecked checked = policy::check_snapshot(s.bytes());
    if (!checked) {
      EXPECT_NE(checked.why[0], '\0');
      continue;
    }
    ++passed;
    walk_everywhere(*checked.view, random);
  }
  EXPECT_GT(passed, 500u);
}

}  // namespace
}  // namespace sekisho::test
