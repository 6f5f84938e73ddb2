#include "control/daemon/views.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>
#include <tuple>

#include "control/events/eve.h"
#include "control/model/values.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

// The dataplane's own table of states is not control's to include; the order is part of
// abi::FlowRecord::state.
constexpr const char* kStates[] = {"none",       "syn_sent",  "syn_received", "established", "fin_wait",
                                   "closing",    "time_wait", "closed",       "udp_single",  "udp_stream",
                                   "icmp_query", "other",     "condemned"};

std::string state_name(std::uint8_t state) {
  return state < std::size(kStates) ? kStates[state] : std::to_string(state);
}

json host(const Site& site, std::uint8_t version, const std::uint8_t* bytes) {
  const Address a = address_of(version, bytes);
  json out = {{"address", to_string(a)}};
  if (const std::string name = site.asset_name(a); !name.empty()) out["name"] = name;
  if (const Asset* asset = site.assets ? site.assets->find(a) : nullptr; asset != nullptr) {
    if (!asset->ward.empty()) out["ward"] = asset->ward;
    if (!asset->phone.empty()) out["phone"] = asset->phone;
    if (asset->is_protected) out["protected"] = true;
  }
  return out;
}

constexpr const char* kIpsModes[] = {"off", "detect", "prevent"};

std::uint16_t link_of(const abi::FlowRecord& f) {
  return static_cast<std::uint16_t>(sekisho_link_index(f.from_zone, f.to_zone));
}

}  // namespace

std::optional<std::uint8_t> protocol_number(const std::string& text) {
  static const std::map<std::string, std::uint8_t> names = {
      {"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"icmpv6", 58}, {"sctp", 132}};
  if (const auto it = names.find(text); it != names.end()) return it->second;
  unsigned value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value > 255 || text.empty())
    return std::nullopt;
  return static_cast<std::uint8_t>(value);
}

std::string service_name(const Site& site, std::uint8_t protocol, std::uint16_t port) {
  for (const auto& [name, services] : site.model.services)
    for (const Service& s : services)
      if (s.protocol == protocol && s.destination_low == port && s.destination_high == port) return name;
  std::string proto = protocol_name(protocol);
  std::transform(proto.begin(), proto.end(), proto.begin(), [](unsigned char c) { return std::tolower(c); });
  return proto + "/" + std::to_string(port);
}

json flow_view(const Site& site, const abi::FlowRecord& f, std::uint64_t now) {
  json out = {{"id", f.flow_id},
              {"link", site.link_name(link_of(f))},
              {"from", site.zone_name(f.from_zone)},
              {"to", site.zone_name(f.to_zone)},
              {"source", host(site, f.ip_version, f.source)},
              {"destination", host(site, f.ip_version, f.destination)},
              {"protocol", protocol_name(f.protocol)},
              {"source_port", f.source_port},
              {"destination_port", f.destination_port},
              {"service", service_name(site, f.protocol, f.destination_port)},
              {"state", state_name(f.state)},
              {"age_s", now > f.start_ns ? (now - f.start_ns) / 1'000'000'000u : 0},
              {"silent_s", now > f.last_ns ? (now - f.last_ns) / 1'000'000'000u : 0},
              {"packets_to_destination", f.packets_to_destination},
              {"packets_to_source", f.packets_to_source},
              {"bytes_to_destination", f.bytes_to_destination},
              {"bytes_to_source", f.bytes_to_source}};
  if (f.rule < site.model.rules.size()) {
    const Rule& rule = site.model.rules[f.rule];
    out["rule"] = rule.name;
    out["rule_at"] = rule.at.file < site.model.files.size()
                         ? site.model.files[rule.at.file] + ":" + std::to_string(rule.at.line)
                         : std::string();
  }
  if (f.restored != 0) out["restored"] = true;
  return out;
}

json impact_view(const Site& site, const LinkSet& links, const std::vector<abi::FlowRecord>& flows) {
  struct Sum {
    std::uint64_t flows = 0, bytes = 0;
    const abi::FlowRecord* sample = nullptr;
  };
  using Key = std::tuple<std::uint8_t, std::uint8_t, std::string, std::string, std::uint8_t, std::uint16_t>;
  std::map<Key, Sum> sums;
  std::uint64_t total = 0, bytes = 0, protected_flows = 0;
  for (const abi::FlowRecord& f : flows) {
    if (!links.test(link_of(f))) continue;
    ++total;
    const std::uint64_t b = f.bytes_to_destination + f.bytes_to_source;
    bytes += b;
    const std::size_t n = f.ip_version == 6 ? 16 : 4;
    Sum& s =
        sums[{f.from_zone, f.to_zone, std::string(reinterpret_cast<const char*>(f.source), n),
              std::string(reinterpret_cast<const char*>(f.destination), n), f.protocol, f.destination_port}];
    ++s.flows;
    s.bytes += b;
    s.sample = &f;
  }
  std::vector<const Sum*> order;
  for (const auto& [key, sum] : sums) order.push_back(&sum);
  std::stable_sort(order.begin(), order.end(),
                   [](const Sum* a, const Sum* b) { return a->flows > b->flows; });
  json rows = json::array();
  constexpr std::size_t kMostRows = 1000;
  for (const Sum* s : order) {
    const abi::FlowRecord& f = *s->sample;
    const json source = host(site, f.ip_version, f.source),
               destination = host(site, f.ip_version, f.destination);
    const bool is_protected = source.contains("protected") || destination.contains("protected");
    if (is_protected) protected_flows += s->flows;
    if (rows.size() >= kMostRows) continue;
    rows.push_back({{"link", site.link_name(link_of(f))},
                    {"from", site.zone_name(f.from_zone)},
                    {"to", site.zone_name(f.to_zone)},
                    {"source", source},
                    {"destination", destination},
                    {"service", service_name(site, f.protocol, f.destination_port)},
                    {"flows", s->flows},
                    {"bytes", s->bytes},
                    {"protected", is_protected}});
  }
  json names = json::array();
  for (const Link& l : site.model.links) {
    const std::uint32_t index = sekisho_link_index(l.zone_a, l.zone_b);
    if (links.test(index)) names.push_back({{"link", l.name}, {"clinical", l.clinical}});
  }
  return {{"links", names},        {"flows", total},   {"bytes", bytes}, {"protected_flows", protected_flows},
          {"groups", sums.size()}, {"would_end", rows}};
}

const char* link_state(const LinkControlStatus& status, std::uint16_t link) {
  return status.partial.test(link) ? "partial" : status.cut.test(link) ? "cut" : "open";
}

json status_view(const Site& site, const LinkControlStatus& status) {
  json links = json::array();
  for (const Link& l : site.model.links) {
    const auto index = static_cast<std::uint16_t>(sekisho_link_index(l.zone_a, l.zone_b));
    json one = {{"link", l.name},
                {"zones", {site.zone_name(l.zone_a), site.zone_name(l.zone_b)}},
                {"cut", status.cut.test(index)},
                {"state", link_state(status, index)},
                {"clinical", l.clinical},
                {"mode", l.mode == abi::LinkMode::learn ? "learn" : "enforce"},
                {"fail", l.fail == abi::FailMode::open ? "open" : "closed"},
                {"ips", kIpsModes[static_cast<std::size_t>(l.ips)]}};
    for (const LinkStatus& s : status.links) {
      if (s.link.raw != index || !s.cut) continue;
      one["by"] = s.by;
      one["reason"] = s.reason;
      one["receipt"] = s.receipt;
      one["since_wall_ns"] = s.since_wall_ns;
    }
    links.push_back(std::move(one));
  }
  json hosts = json::array();
  for (const QuarantinedHost& h : status.quarantine)
    hosts.push_back(
        {{"host", to_string(h.key)}, {"until_wall_ns", h.until_wall_ns == UINT64_MAX ? 0 : h.until_wall_ns}});
  return {{"links", links},
          {"quarantine", hosts},
          {"words",
           {{"kind", status.words_kind == WordsKind::bpf_array ? "bpf" : "file"},
            {"path", status.words_path},
            {"generation", status.generation}}},
          {"latch", {{"health", to_string(status.latch)}, {"current", status.latch_current}}},
          {"reports", status.reports},
          {"signatures", signatures_view(site)}};
}

json signatures_view(const Site& site) {
  if (!site.signatures) return nullptr;
  const SetSummary& s = site.set;
  json out = {{"hash", s.hash},       {"candidates", s.candidates},
              {"loaded", s.loaded},   {"rejected", s.rejected},
              {"partial", s.partial}, {"recent", s.recent},
              {"bytes", s.bytes},     {"compiled_in_ms", s.milliseconds}};
  if (!s.name.empty()) out["name"] = s.name;
  if (!s.version.empty()) out["version"] = s.version;
  if (s.acts_from_wall_s != 0) out["recent_act_from_wall_s"] = s.acts_from_wall_s;
  return out;
}

json drops_view(const Site& site, const std::vector<DropCount>& drops, const TopTalkers::Answer& talkers) {
  json rows = json::array(), top = json::array();
  for (const DropCount& d : drops) {
    const bool known = d.reason < abi::kDropReasons;
    rows.push_back({{"from", site.zone_name(d.from_zone)},
                    {"to", site.zone_name(d.to_zone)},
                    {"reason", abi::drop_name(static_cast<abi::DropReason>(d.reason))},
                    {"explanation", known ? abi::kDropTexts[d.reason].explanation
                                          : std::string_view("newer than this program")},
                    {"packets", d.packets}});
  }
  for (const Talker& t : talkers.talkers) {
    json row = {{"from", site.zone_name(t.key.from_zone)},
                {"to", site.zone_name(t.key.to_zone)},
                {"reason", abi::drop_name(static_cast<abi::DropReason>(t.key.drop_reason))},
                {"drops", t.drops}};
    if (t.key.ip_version != 0) row["source"] = host(site, t.key.ip_version, t.key.source.data());
    top.push_back(std::move(row));
  }
  return {{"drops", rows}, {"talkers", top}};
}

json rules_view(const Site& site, const std::vector<std::uint64_t>& hits) {
  json rows = json::array();
  for (std::size_t i = 0; i < site.model.rules.size(); ++i) {
    const Rule& r = site.model.rules[i];
    constexpr const char* kActions[] = {"accept", "drop", "reject"};
    rows.push_back({{"rule", r.name},
                    {"at", r.at.file < site.model.files.size()
                               ? site.model.files[r.at.file] + ":" + std::to_string(r.at.line)
                               : std::string()},
                    {"action", kActions[static_cast<std::size_t>(r.action)]},
                    {"hits", i < hits.size() ? hits[i] : 0}});
  }
  return rows;
}

FlowFilter parse_flow_filter(const std::string& text) {
  FlowFilter f;
  std::istringstream words(text);
  for (std::string word; words >> word && f.fault.empty();) {
    const std::size_t eq = word.find('=');
    const std::string key = word.substr(0, eq), value = eq == std::string::npos ? "" : word.substr(eq + 1);
    if (value.empty()) {
      f.fault = "'" + word + "': expected key=value";
    } else if (key == "host" || key == "source" || key == "destination") {
      const auto address = parse_address(value);
      if (!address)
        f.fault = "'" + word + "': " + address.what;
      else
        (key == "host" ? f.host : key == "source" ? f.source : f.destination) = *address;
    } else if (key == "zone") {
      f.zone = value;
    } else if (key == "link") {
      f.link = value;
    } else if (key == "state") {
      f.state = value;
    } else if (key == "proto") {
      if (const auto p = protocol_number(value))
        f.protocol = *p;
      else
        f.fault = "'" + word + "': not a protocol";
    } else if (key == "port") {
      unsigned port = 0;
      const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), port);
      if (ec != std::errc() || end != value.data() + value.size() || port > 65535)
        f.fault = "'" + word + "': not a port";
      else
        f.port = port;
    } else {
      f.fault = "'" + word + "': expected host, source, destination, zone, link, proto, port or state";
    }
  }
  return f;
}

bool matches(const FlowFilter& q, const Site& site, const abi::FlowRecord& f) {
  const Address source = address_of(f.ip_version, f.source),
                destination = address_of(f.ip_version, f.destination);
  if (q.host && *q.host != source && *q.host != destination) return false;
  if (q.source && *q.source != source) return false;
  if (q.destination && *q.destination != destination) return false;
  if (q.protocol && *q.protocol != f.protocol) return false;
  if (q.port && *q.port != f.destination_port && *q.port != f.source_port) return false;
  if (!q.zone.empty() && q.zone != site.zone_name(f.from_zone) && q.zone != site.zone_name(f.to_zone))
    return false;
  if (!q.link.empty() && q.link != site.link_name(link_of(f))) return false;
  return q.state.empty() || q.state == state_name(f.state);
}

json audit_view(const AuditVerdict& verdict) {
  json findings = json::array();
  for (const AuditFinding& f : verdict.findings)
    findings.push_back({{"kind", to_string(f.kind)}, {"line", f.line}, {"text", f.text}});
  return {{"intact", verdict.intact}, {"records", verdict.records}, {"last_sequence", verdict.last_sequence},
          {"findings", findings},     {"more", verdict.more},       {"notes", verdict.notes}};
}

}  // namespace sekisho::control
