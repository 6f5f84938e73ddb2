#include "control/model/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "control/model/render.h"
#include "control/model/values.h"

namespace sekisho::control {
namespace {

std::string yes_no(bool value) {
  return value ? "yes" : "no";
}
std::vector<std::string> one(std::string value) {
  return {std::move(value)};
}
std::vector<std::string> one(bool value) {
  return {yes_no(value)};
}
template <typename T>
std::vector<std::string> number(T value) {
  return {fmt::format("{}", value)};
}

std::vector<std::string> ranges(const std::vector<AddressRange>& list) {
  std::vector<std::string> out;
  for (const AddressRange& r : list) out.push_back(to_string(r));
  return out;
}
std::vector<std::string> services(const std::vector<Service>& list) {
  std::vector<std::string> out;
  for (const Service& s : list) out.push_back(render_service(s));
  return out;
}
template <typename T>
std::vector<std::string> or_any(std::vector<T> list) {
  return list.empty() ? std::vector<std::string>{"any"} : list;
}

std::vector<std::string> zone_names(std::uint64_t set, const Model& model) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < model.zones.size(); ++i) {
    if (set >> i & 1) out.push_back(model.zones[i].name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Windows of the week: "mon 08:00-18:00"; one that crosses midnight is two.
std::vector<std::string> windows(const Schedule& schedule) {
  static constexpr const char* kDays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  const auto open = [&](unsigned minute) { return (schedule.minute[minute / 64] >> (minute % 64) & 1) != 0; };
  std::vector<std::string> out;
  for (unsigned day = 0; day < 7; ++day) {
    for (unsigned m = 0; m < 1440;) {
      unsigned end = m;
      while (end < 1440 && open(day * 1440 + end)) ++end;
      if (end > m) {
        out.push_back(
            fmt::format("{} {:02}:{:02}-{:02}:{:02}", kDays[day], m / 60, m % 60, end / 60, end % 60));
      }
      m = end + 1;
    }
  }
  return out;
}

std::vector<Described> settings(const Model& model) {
  const abi::Settings& s = model.settings;
  std::vector<Described> out;
  const auto add = [&](const char* name, std::string value) {
    out.push_back({name, {{"", one(std::move(value))}}, {}});
  };
  const auto add_number = [&](const char* name, std::uint64_t value) { add(name, fmt::format("{}", value)); };
  const auto add_time = [&](const char* name, std::uint32_t value) { add(name, duration_text(value)); };
  add("gateway.name", model.name);
  add_number("gateway.workers", s.workers);
  add("gateway.idle", s.idle == static_cast<std::uint8_t>(abi::IdleMode::poll) ? "poll" : "adaptive");
  add("gateway.hugepages", yes_no(s.hugepages != 0));
  add_number("gateway.memory_mb", s.memory_mb);
  add_number("gateway.max_flows", s.max_flows);
  add_number("gateway.steward_core", s.steward_core);
  std::string cores;
  for (std::uint32_t i = 0; i < s.workers; ++i) cores += fmt::format("{}{}", i ? ", " : "", s.cores[i]);
  add("gateway.cores", cores);
  const std::int32_t minutes = s.utc_offset_s / 60;
  add("gateway.timezone",
      fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', std::abs(minutes) / 60, std::abs(minutes) % 60));
  add_number("limits.flows_per_source", s.max_flows_per_source);
  add_number("limits.flows_per_zone_pair", s.max_flows_per_pair);
  add_number("limits.fragments", s.max_fragments);
  add_time("limits.fragment_timeout", s.fragment_timeout_ms / 1000);
  add_time("timeouts.tcp_opening", s.timeout_tcp_opening);
  add_time("timeouts.tcp_established", s.timeout_tcp_established);
  add_time("timeouts.tcp_closing", s.timeout_tcp_closing);
  add_time("timeouts.tcp_closed", s.timeout_tcp_closed);
  add_time("timeouts.udp_single", s.timeout_udp_single);
  add_time("timeouts.udp_stream", s.timeout_udp_stream);
  add_time("timeouts.icmp", s.timeout_icmp);
  add_time("timeouts.other", s.timeout_other);
  add_time("timeouts.condemned", s.timeout_condemned);
  const auto add_list = [&](const char* name, std::vector<std::string> values) {
    out.push_back({name, {{"", values.empty() ? one(std::string("-")) : std::move(values)}}, {}});
  };
  const Ips& ips = model.ips;
  std::vector<std::string> files;
  for (const Ips::File& f : ips.files) files.push_back(f.path);
  add_list("ips.files", files);
  add_list("ips.trusted_keys", ips.trusted_keys);
  add("ips.classification", ips.classification.path.empty() ? "-" : ips.classification.path);
  add("ips.threshold", ips.threshold.path.empty() ? "-" : ips.threshold.path);
  add_list("ips.action_order", ips.action_order);
  add("ips.new_signatures_detect_for", ips.new_detect_s == 0 ? "0" : duration_text(ips.new_detect_s));
  add("ips.app_memory", size_text(std::uint64_t{ips.app_memory_mb} << 20));
  add("ips.stream_memory", size_text(std::uint64_t{ips.stream_memory_mb} << 20));
  const RecordsSettings& records = model.records;
  add("records.events_size", size_text(records.events_bytes));
  add("records.events_keep", duration_text(static_cast<std::uint32_t>(records.events_keep_s)));
  add("records.records_size", size_text(records.records_bytes));
  add("records.records_keep", duration_text(static_cast<std::uint32_t>(records.records_keep_s)));
  add("records.disk_reserve", size_text(records.reserve_bytes));
  const EvidenceSettings& evidence = model.evidence;
  add("evidence.archive_size", size_text(evidence.archive_bytes));
  add("evidence.total_size", size_text(evidence.total_bytes));
  add("evidence.delay", duration_text(evidence.delay_s));
  const RecorderSettings& r = model.recorder;
  add("recorder.memory_mb", fmt::format("{}", s.recorder_mb));
  add("recorder.snap", fmt::format("{}", s.recorder_snap));
  add("recorder.seconds", duration_text(r.seconds));
  add("recorder.alert_priority", fmt::format("{}", r.alert_priority));
  add("recorder.on_cut", r.on_cut ? "true" : "false");
  add("recorder.captures", fmt::format("{}", r.captures));
  add("recorder.storage_mb", fmt::format("{}", r.storage_mb));
  add("recorder.capture_mb", fmt::format("{}", r.capture_mb));
  add("recorder.per_minute", fmt::format("{}", r.per_minute));
  return out;
}

Described interface_of(const Interface& i, const Model& model) {
  std::string vlan = i.outer_vlan == 0 ? "none" : fmt::format("{}", i.outer_vlan);
  if (i.inner_vlan != 0) vlan += fmt::format(", {}", i.inner_vlan);
  return {
      i.name,
      {{"port", one(model.ports[i.port].name)}, {"zone", one(model.zones[i.zone].name)}, {"vlan", one(vlan)}},
      i.at};
}

Described wire_of(const Wire& w, const Model& model) {
  std::vector<std::string> types;
  for (const auto type : w.ethertypes) types.push_back(fmt::format("{:#06x}", type));
  if (w.any_ethertype) types = {"any"};
  return {w.name,
          {{"sides", {model.interfaces[w.side_a].name, model.interfaces[w.side_b].name}},
           {"arp", one(w.arp)},
           {"llc", one(w.llc)},
           {"ethertypes", types},
           {"mirror_link_state", one(w.mirror_link_state)}},
          w.at};
}

Described link_of(const Link& l, const Model& model) {
  static constexpr const char* kModes[] = {"off", "detect", "prevent"};
  static constexpr const char* kPayloads[] = {"head", "none", "all"};
  const bool learn = l.mode == abi::LinkMode::learn;
  return {
      l.name,
      {{"zones", {model.zones[l.zone_a].name, model.zones[l.zone_b].name}},
       {"clinical", one(l.clinical)},
       {"midstream", one(l.midstream)},
       {"mode", one(std::string(learn ? "learn" : "enforce"))},
       {"until", one(learn ? fmt::format("{} (Unix time)", l.learn_until_wall_s) : "-")},
       {"fail", one(std::string(l.fail == abi::FailMode::open ? "open" : "closed"))},
       {"overload", one(std::string(l.overload == abi::OverloadAction::pass ? "pass" : "drop"))},
       {"ips", one(std::string(kModes[static_cast<std::size_t>(l.ips)]))},
       {"record_payload", one(std::string(kPayloads[static_cast<std::size_t>(l.record_payload)]))},
       {"inspect_depth", one(l.inspect_depth_kb == 0 ? std::string("all")
                                                     : size_text(std::uint64_t{l.inspect_depth_kb} << 10))}},
      l.at};
}

std::vector<std::string> sid_texts(const std::vector<std::uint32_t>& sids) {
  std::vector<std::string> out;
  for (const auto sid : sids) out.push_back(fmt::format("{}", sid));
  return or_any(std::move(out));
}

Described ips_rule_of(const IpsRule& r, const Model& model) {
  static constexpr const char* kActions[] = {"as written", "off", "alert", "drop", "reject"};
  std::vector<std::string> links;
  for (const auto index : r.links) links.push_back(model.links[index].name);
  std::sort(links.begin(), links.end());
  return {r.name,
          {{"action", one(std::string(kActions[static_cast<std::size_t>(r.action)]))},
           {"links", links.empty() ? one(std::string("all")) : links},
           {"classtype", or_any(r.classtypes)},
           {"severity", or_any(r.severities)},
           {"confidence", or_any(r.confidences)},
           {"group", or_any(r.groups)},
           {"sid", sid_texts(r.sids)}},
          r.at};
}

// An exception has no name of its own: what it excepts is its name.
std::vector<Described> ips_exceptions_of(const Model& model) {
  std::vector<Described> out;
  for (const IpsException& e : model.ips.exceptions) {
    std::string name = "sid";
    for (std::size_t i = 0; i < e.sids.size() && i < 8; ++i) name += fmt::format(" {}", e.sids[i]);
    if (e.sids.empty()) name += " any";
    if (e.sids.size() > 8) name += fmt::format(" … ({})", e.sids.size());
    const auto taken = std::count_if(out.begin(), out.end(), [&](const Described& d) {
      return d.name == name || d.name.starts_with(name + " #");
    });
    if (taken != 0) name += fmt::format(" #{}", taken + 1);
    out.push_back({name,
                   {{"sid", sid_texts(e.sids)},
                    {"addresses", or_any(ranges(e.addresses))},
                    {"until", one(fmt::format("{} (Unix time)", e.until_wall_s))},
                    {"reason", one(e.reason)}},
                   e.at});
  }
  return out;
}

Described rule_of(const Rule& r, const Model& model) {
  static constexpr const char* kActions[] = {"accept", "drop", "reject"};
  return {r.name,
          {{"from", zone_names(r.from_zones, model)},
           {"to", zone_names(r.to_zones, model)},
           {"source", or_any(ranges(r.source))},
           {"destination", or_any(ranges(r.destination))},
           {"service", or_any(services(r.services))},
           {"action", one(std::string(kActions[static_cast<std::size_t>(r.action)]))},
           {"log", one(r.log)},
           {"schedule", one(r.schedule ? model.schedules[*r.schedule].name : "always")},
           {"access", one(r.access ? model.accesses[*r.access] : "-")}},
          r.at};
}

std::string rate(const RateLimit& r) {
  return r.count == 0 ? "never" : fmt::format("{} in {}", r.count, duration_text(r.within_s));
}

Described vendor_of(const Vendor& v, const Model& model) {
  static constexpr const char* kSeverities[] = {"never", "informational", "minor", "major", "critical"};
  std::vector<std::string> names, roles = v.approver_roles, ports;
  for (const VendorService& s : v.services) names.push_back(s.name);
  for (const std::string& person : v.approver_people) roles.push_back(fmt::format("person {}", person));
  for (const std::uint16_t port : v.suspend.brute_ports) ports.push_back(fmt::format("{}", port));
  return {
      v.name,
      {{"company", one(v.company)},
       {"from", zone_names(v.from_zones, model)},
       {"to", one(model.zones[v.to_zone].name)},
       {"source", ranges(v.source)},
       {"target", one(to_string(v.target))},
       {"services", names},
       {"longest", one(duration_text(v.longest_s))},
       {"approvers", roles},
       {"suspend.scan", one(rate(v.suspend.scan))},
       {"suspend.brute_force", one(rate(v.suspend.brute_force))},
       {"suspend.brute_force.below", one(size_text(v.suspend.brute_below))},
       {"suspend.brute_force.ports", ports},
       {"suspend.severity", one(std::string(kSeverities[v.suspend.severity]))},
       {"suspend.volume", one(v.suspend.volume == 0 ? std::string("never") : size_text(v.suspend.volume))},
       {"suspend.lateral", one(rate(v.suspend.lateral))},
       {"report_within", one(duration_text(v.report_within_s))},
       {"record", one(v.record)}},
      v.at};
}

template <typename List, typename Each>
std::vector<Described> each(const List& list, Each one_of) {
  std::vector<Described> out;
  for (const auto& item : list) out.push_back(one_of(item));
  return out;
}

}  // namespace

std::vector<DescribedKind> describe(const Model& model) {
  static constexpr const char* kZoneKinds[] = {"normal", "vendor", "internet"};
  std::vector<DescribedKind> out;
  out.push_back({"setting", settings(model)});
  out.push_back({"port", each(model.ports, [](const Port& p) {
                   const bool trust = p.checksums == abi::ChecksumPolicy::trust;
                   return Described{p.name,
                                    {{"device", one(p.device)},
                                     {"checksums", one(std::string(trust ? "trust" : "verify"))},
                                     {"mtu", p.mtu == 0 ? one(std::string("the device's")) : number(p.mtu)}},
                                    p.at};
                 })});
  out.push_back({"zone", each(model.zones, [](const Zone& z) {
                   return Described{z.name, {{"kind", {kZoneKinds[static_cast<std::size_t>(z.kind)]}}}, z.at};
                 })});
  out.push_back(
      {"interface", each(model.interfaces, [&](const Interface& i) { return interface_of(i, model); })});
  out.push_back({"wire", each(model.wires, [&](const Wire& w) { return wire_of(w, model); })});
  out.push_back({"link", each(model.links, [&](const Link& l) { return link_of(l, model); })});
  out.push_back({"address", each(model.addresses, [](const auto& o) {
                   return Described{o.first, {{"", ranges(o.second)}}, {}};
                 })});
  out.push_back({"service", each(model.services, [](const auto& o) {
                   return Described{o.first, {{"", services(o.second)}}, {}};
                 })});
  out.push_back({"schedule", each(model.schedules, [](const Schedule& s) {
                   return Described{s.name, {{"", windows(s)}}, s.at};
                 })});
  out.push_back({"vendor access", each(model.access_details, [](const VendorAccess& a) {
                   return Described{
                       a.name,
                       {{"description", one(a.description)}, {"longest", one(duration_text(a.longest_s))}},
                       a.at};
                 })});
  out.push_back({"vendor", each(model.vendors, [&](const Vendor& v) { return vendor_of(v, model); })});
  out.push_back({"signature variable", each(model.ips.variables, [](const IpsVariable& v) {
                   return Described{v.name, {{"", one(v.value)}}, v.at};
                 })});
  out.push_back(
      {"signature action", each(model.ips.rules, [&](const IpsRule& r) { return ips_rule_of(r, model); })});
  out.push_back({"signature exception", ips_exceptions_of(model)});
  out.push_back({"rule", each(model.rules, [&](const Rule& r) { return rule_of(r, model); })});
  return out;
}

}  // namespace sekisho::control
