// [[link]], and what links promise against what their wires can do.
#include <fmt/format.h>

#include <algorithm>

#include "control/model/read_config.h"
#include "control/model/reader.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kNameLength = 31;

std::uint32_t pair_index(const Model& model, const Wire& wire) {
  return sekisho_link_index(model.interfaces[wire.side_a].zone, model.interfaces[wire.side_b].zone);
}
std::uint32_t pair_index(const Link& link) {
  return sekisho_link_index(link.zone_a, link.zone_b);
}

// The vendor or internet zone that the link touches, or nullptr.
const Zone* outer_zone(const Model& model, const Link& link) {
  for (const auto z : {link.zone_a, link.zone_b}) {
    if (model.zones[z].kind != ZoneKind::normal) return &model.zones[z];
  }
  return nullptr;
}

const char* kind_name(const Zone& zone) {
  return zone.kind == ZoneKind::vendor ? "vendor" : "internet";
}

// A date ends learn mode at its 00:00, local time of the site.
void read_learn(Link& link, const TomlNode* mode, const TomlNode* until, Draft& draft) {
  Findings& findings = draft.findings;
  const bool learn = link.mode == abi::LinkMode::learn;
  if (learn && !until) {
    findings.error(mode->at, "learn mode without \"until\"",
                   fmt::format("until = a date at most {} days from now", kMaxLearnDays));
  }
  if (!until) return;
  const std::string expected =
      fmt::format("a date (2026-12-24) or date and time at most {} days from now", kMaxLearnDays);
  if (!learn) {
    findings.error(until->at, "\"until\" without learn mode", "mode = \"learn\" beside it");
    return;
  }
  const auto moment = read_moment(*until, "until", expected, draft, findings);
  if (!moment) return;
  const std::int64_t end = *moment;
  const auto now = static_cast<std::int64_t>(draft.now_wall_s);
  if (end > now + std::int64_t{kMaxLearnDays} * 86400) {
    findings.error(until->at, fmt::format("learn mode would last {} days", (end - now + 86399) / 86400),
                   expected);
  } else if (end <= now) {
    // No error: a site must come up again after a restart that happens later than this day.
    findings.warning(until->at, "learn mode has ended: this link enforces its rules", "mode = \"enforce\"");
  }
  link.learn_until_wall_s = static_cast<std::uint64_t>(std::max<std::int64_t>(end, 1));
}

bool read_zone_pair(Link& link, const TomlNode* node, Draft& draft) {
  if (!node) return false;
  if (node->kind != TomlNode::Kind::array || node->array.size() != 2) {
    draft.findings.error(node->at, "a link joins two zones", "[\"zone\", \"zone\"]");
    return false;
  }
  const auto a = resolve(draft.zones, node->array[0], "zone", draft.findings);
  const auto b = resolve(draft.zones, node->array[1], "zone", draft.findings);
  if (!a || !b) return false;
  link.zone_a = static_cast<std::uint16_t>(*a);
  link.zone_b = static_cast<std::uint16_t>(*b);
  for (const Link& other : draft.model.links) {
    if (pair_index(other) != pair_index(link)) continue;
    draft.findings.error(
        node->at, fmt::format("these zones are link {} already ({})", quoted(other.name), where(other.at)),
        "one [[link]] for two zones");
    return false;
  }
  return true;
}

// What is never declared on a link that touches an outer zone.
void check_outer(const Link& link, TableReader& table, Draft& draft) {
  const Zone* outer = outer_zone(draft.model, link);
  if (!outer) return;
  const std::string touched =
      fmt::format("a link that touches the {} zone {}", kind_name(*outer), quoted(outer->name));
  if (link.mode == abi::LinkMode::learn) {
    draft.findings.error(table.at("mode"), "learn mode on " + touched, "mode = \"enforce\"");
  }
  if (link.fail == abi::FailMode::open) {
    draft.findings.error(table.at("fail"), "fail open on " + touched, "fail = \"closed\"");
  }
  if (link.overload == abi::OverloadAction::pass) {
    draft.findings.error(table.at("overload"), "passing uninspected on " + touched, "overload = \"drop\"");
  }
}

void check_fail_open(const Link& link, Position at, Draft& draft) {
  const Model& model = draft.model;
  for (const Wire& wire : model.wires) {
    if (pair_index(model, wire) != pair_index(link)) continue;
    const Interface& a = model.interfaces[wire.side_a];
    const Interface& b = model.interfaces[wire.side_b];
    for (const Interface* side : {&a, &b}) {
      const Port& port = model.ports[side->port];
      if (!port.kernel_interface.empty()) continue;
      draft.findings.error(
          at,
          fmt::format("fail open on link {}, but the kernel does not own port {} of wire {}: when the "
                      "dataplane is gone nobody can pass its packets",
                      quoted(link.name), quoted(port.name), quoted(wire.name)),
          "a net_af_xdp port, or fail = \"closed\"");
    }
    if (a.outer_vlan != b.outer_vlan || a.inner_vlan != b.inner_vlan) {
      draft.findings.error(
          at,
          fmt::format("fail open on link {}, but the two sides of wire {} have different VLAN tags, "
                      "which only the dataplane can translate",
                      quoted(link.name), quoted(wire.name)),
          "the same tags on both sides, or fail = \"closed\"");
    }
  }
}

// A link for each pair of zones that a wire joins and nobody declared.
void add_undeclared(Draft& draft) {
  Model& model = draft.model;
  for (const Wire& wire : model.wires) {
    const auto index = pair_index(model, wire);
    if (std::any_of(model.links.begin(), model.links.end(),
                    [&](const Link& l) { return pair_index(l) == index; })) {
      continue;
    }
    Link link;
    link.zone_a = model.interfaces[wire.side_a].zone;
    link.zone_b = model.interfaces[wire.side_b].zone;
    link.name = model.zones[link.zone_a].name + "-" + model.zones[link.zone_b].name;
    link.at = wire.at;
    link.inspect_depth_kb = outer_zone(model, link) ? 0 : kInnerInspectDepthKb;
    if (link.name.size() > kNameLength || draft.links.entries.count(link.name) != 0) {
      draft.findings.error(wire.at,
                           fmt::format("the link of wire {} cannot be named {}: too long or taken",
                                       quoted(wire.name), quoted(link.name)),
                           "a declared [[link]] for its two zones");
      continue;
    }
    draft.links.entries.emplace(link.name,
                                KnownNames::Entry{static_cast<std::uint32_t>(model.links.size()), link.at});
    model.links.push_back(std::move(link));
  }
}

// Mirroring takes a whole port down: refused where that would take a clinical link with it.
void check_mirrors(Draft& draft) {
  const Model& model = draft.model;
  const auto clinical = [&](const Wire& wire) -> const Link* {
    for (const Link& link : model.links) {
      if (link.clinical && pair_index(link) == pair_index(model, wire)) return &link;
    }
    return nullptr;
  };
  for (const Wire& wire : model.wires) {
    if (!wire.mirror_link_state) continue;
    for (const Wire& other : model.wires) {
      const Link* link = clinical(other);
      if (!link) continue;
      const auto shares = [&](std::uint16_t mine) {
        const auto port = model.interfaces[mine].port;
        return port == model.interfaces[other.side_a].port || port == model.interfaces[other.side_b].port;
      };
      if (!shares(wire.side_a) && !shares(wire.side_b)) continue;
      draft.findings.error(
          wire.at,
          fmt::format("wire {} mirrors link state, which would take down a port of the clinical link {}",
                      quoted(wire.name), quoted(link->name)),
          "mirror_link_state = false");
    }
  }
}

}  // namespace

void read_links(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  for (const TomlNode* node : tables(root, "link", SEKISHO_MAX_LINKS, findings)) {
    TableReader table(*node, findings, "[[link]]");
    Link link;
    link.at = node->at;
    const auto name = table.text("name", TableReader::kRequired);
    if (name) link.name = *name;
    const bool zones = read_zone_pair(link, table.get("zones", TableReader::kRequired), draft);
    link.clinical = table.flag("clinical", false);
    link.midstream = table.flag("midstream", false);
    if (const auto word = table.word("fail", {"closed", "open"}))
      link.fail = static_cast<abi::FailMode>(*word);
    if (const auto word = table.word("overload", {"drop", "pass"})) {
      link.overload = static_cast<abi::OverloadAction>(*word);
    }
    const auto mode = table.word("mode", {"enforce", "learn"});
    if (mode) link.mode = static_cast<abi::LinkMode>(*mode);
    read_learn(link, table.get("mode"), table.get("until"), draft);
    if (const auto ips = table.word("ips", {"off", "detect", "prevent"}))
      link.ips = static_cast<abi::IpsMode>(*ips);
    // Images and results travel on clinical links, and not always as DICOM and HL7.
    if (link.clinical) link.record_payload = abi::RecordPayload::none;
    if (const auto payload = table.word("record_payload", {"head", "none", "all"}))
      link.record_payload = static_cast<abi::RecordPayload>(*payload);
    const TomlNode* depth_node = table.get("inspect_depth");
    const auto depth = depth_node ? read_depth(*depth_node, findings) : std::nullopt;
    table.finish();
    const auto index = static_cast<std::uint32_t>(draft.model.links.size());
    if (!name || !enter_name(draft.links, *name, table.at("name"), index, "link", kNameLength, findings))
      continue;
    if (!zones) continue;
    link.inspect_depth_kb = depth ? *depth : outer_zone(draft.model, link) ? 0 : kInnerInspectDepthKb;
    check_outer(link, table, draft);
    if (link.fail == abi::FailMode::open) check_fail_open(link, table.at("fail"), draft);
    draft.model.links.push_back(std::move(link));
  }
}

void check_links(Draft& draft) {
  const std::size_t declared = draft.model.links.size();
  for (std::size_t i = 0; i < declared && !draft.findings.failed(); ++i) {
    const Link& link = draft.model.links[i];
    const auto& wires = draft.model.wires;
    if (std::none_of(wires.begin(), wires.end(),
                     [&](const Wire& w) { return pair_index(draft.model, w) == pair_index(link); })) {
      draft.findings.warning(link.at, fmt::format("no wire joins the zones of link {}", quoted(link.name)));
    }
  }
  add_undeclared(draft);
  check_mirrors(draft);
}

}  // namespace sekisho::control
