#include "control/daemon/finding_alert.h"

#include <fmt/format.h>

#include "control/events/eve.h"
#include "control/events/names.h"

namespace sekisho::control {

namespace {

struct Technique {
  const char *id, *name, *tactic;
};

// What the alert in the session shows is told by its own signature.
Technique technique_of(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::scan:
      return {"T1046", "Network_Service_Discovery", "Discovery"};
    case Finding::Kind::brute_force:
      return {"T1110", "Brute_Force", "Credential_Access"};
    case Finding::Kind::volume:
      return {"T1048", "Exfiltration_Over_Alternative_Protocol", "Exfiltration"};
    case Finding::Kind::lateral:
      return {"T1021", "Remote_Services", "Lateral_Movement"};
    case Finding::Kind::alert:
      break;
  }
  return {nullptr, nullptr, nullptr};
}

void text(std::string& out, std::string_view key, std::string_view escaped) {
  if (!escaped.empty()) out.append(key).append(1, '"').append(escaped).append(1, '"');
}

void append_ends(std::string& out, const abi::Event& e) {
  if (e.ip_version != 4 && e.ip_version != 6) return;
  const bool icmp = e.protocol == 1 || e.protocol == 58;
  out += ",\"src_ip\":\"";
  append_address(out, e.ip_version, e.source);
  out += '"';
  if (!icmp) out += fmt::format(",\"src_port\":{}", e.source_port);
  out += ",\"dest_ip\":\"";
  append_address(out, e.ip_version, e.destination);
  out += '"';
  if (!icmp) out += fmt::format(",\"dest_port\":{}", e.destination_port);
  text(out, ",\"proto\":", protocol_name(e.protocol));
}

}  // namespace

signatures::SignatureInfo signature_of(const Finding& f) {
  signatures::SignatureInfo s;
  s.gid = kFindingGid;
  s.sid = static_cast<std::uint32_t>(f.kind) + 1;
  s.rev = 1;
  s.priority = 1;
  s.action = "alert";
  s.msg = f.text_en;
  s.classtype = "vendor-access";
  const Technique t = technique_of(f.kind);
  if (t.id != nullptr)
    s.metadata = {
        {"mitre_technique_id", t.id}, {"mitre_technique_name", t.name}, {"mitre_tactic_name", t.tactic}};
  return s;
}

std::string line_of(const Finding& f, const Names& names, std::uint64_t wall_ns) {
  const abi::Event& e = f.seen;
  const signatures::SignatureInfo s = signature_of(f);
  std::string out = "{\"timestamp\":\"";
  EveFormatter().append_time(out, wall_ns);
  out += '"';
  if (e.flow_id != 0) out += fmt::format(",\"flow_id\":{}", e.flow_id);
  out += ",\"event_type\":\"alert\"";
  append_ends(out, e);
  out += fmt::format(R"(,"alert":{{"action":"allowed","gid":{},"signature_id":{},"rev":{},"signature":")",
                     s.gid, s.sid, s.rev);
  append_json_escaped(out, s.msg);
  out += fmt::format(R"(","category":"Vendor access","severity":{})", s.priority);
  if (!s.metadata.empty()) {
    out += ",\"metadata\":{";
    for (std::size_t i = 0; i < s.metadata.size(); ++i)
      out += fmt::format(R"({}"{}":["{}"])", i == 0 ? "" : ",", s.metadata[i].first, s.metadata[i].second);
    out += '}';
  }
  out += '}';
  text(out, ",\"ticket\":", f.ticket);
  out += R"(,"sekisho":{"detector":"vendor.)";
  out += name_of(f.kind);
  out += "\",\"vendor\":\"";
  append_json_escaped(out, f.vendor);
  out += '"';
  if (e.ip_version == 4 || e.ip_version == 6) {
    text(out, ",\"link\":", names.link(e.link));
    text(out, ",\"from_zone\":", names.zone(e.from_zone));
    text(out, ",\"to_zone\":", names.zone(e.to_zone));
    text(out, ",\"src_asset\":", names.asset(e.ip_version, e.source));
    text(out, ",\"dest_asset\":", names.asset(e.ip_version, e.destination));
  }
  out += "}}\n";
  return out;
}

}  // namespace sekisho::control
