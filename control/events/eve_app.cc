// The parts of an EVE line that signatures and application parsers give: "alert", "http", "tls", "dns", ...
#include <fmt/format.h>
#include <sodium.h>

#include <map>

#include "control/events/eve.h"
#include "control/events/names.h"
#include "dataplane/abi/app_event.h"
#include "dataplane/abi/inspect.h"
#include "dataplane/abi/stream_event.h"
#include "signatures/info.h"

namespace sekisho::control {
namespace {

void quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  append_json_escaped(out, text);
  out.push_back('"');
}

bool is_number(std::string_view text) {
  if (text.empty() || text.size() > 15 || (text.size() > 1 && text[0] == '0')) return false;
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

void value(std::string& out, std::string_view key, std::string_view text) {
  // Fields that readers of EVE expect as numbers.
  static constexpr std::string_view kNumbers[] = {"status",  "length", "id",   "size",
                                                  "call_id", "opnum",  "tx_id"};
  for (const std::string_view number : kNumbers)
    if (key == number && is_number(text)) {
      out.append(text);
      return;
    }
  quoted(out, text);
}

void object(std::string& out, const std::vector<std::pair<std::string_view, std::string_view>>& fields) {
  out.push_back('{');
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) out.push_back(',');
    quoted(out, fields[i].first);
    out.push_back(':');
    value(out, fields[i].first, fields[i].second);
  }
  out.push_back('}');
}

std::string base64(std::string_view bytes) {
  std::string out(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  out.resize(out.find('\0') == std::string::npos ? out.size() : out.find('\0'));
  return out;
}

void alert_object(std::string& out, const abi::Event& e, const Names& names) {
  const signatures::SignatureInfo* s =
      e.snapshot_generation == names.generation() ? names.signature(e.rule) : nullptr;
  const bool blocked = (e.detail & abi::event_detail::kBlocked) != 0;
  out.append(",\"alert\":{\"action\":").append(blocked ? "\"blocked\"" : "\"allowed\"");
  if (s == nullptr) {
    out.append(",\"signature_index\":").append(std::to_string(e.rule)).append("}");
    return;
  }
  out.append(",\"gid\":").append(std::to_string(s->gid));
  out.append(",\"signature_id\":").append(std::to_string(s->sid));
  out.append(",\"rev\":").append(std::to_string(s->rev));
  out.append(",\"signature\":");
  quoted(out, s->msg);
  out.append(",\"category\":");
  quoted(out, names.category(s->classtype));
  out.append(",\"severity\":").append(std::to_string(s->priority));
  if ((e.detail & abi::event_detail::kClosedLink) != 0) out.append(",\"would_block\":true");
  if (!s->target.empty()) {
    const bool source = s->target == "src_ip";
    const auto side = [&](const char* key, bool from_source) {
      out.append(",\"").append(key).append("\":{\"ip\":\"");
      append_address(out, e.ip_version, from_source ? e.source : e.destination);
      out.append("\"}");
    };
    side("source", !source);
    side("target", source);
  }
  std::map<std::string_view, std::vector<std::string_view>> metadata;
  for (const auto& [key, text] : s->metadata) metadata[key].push_back(text);
  if (!metadata.empty()) {
    out.append(",\"metadata\":{");
    bool first = true;
    for (const auto& [key, values] : metadata) {
      if (!first) out.push_back(',');
      first = false;
      quoted(out, key);
      out.append(":[");
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) out.push_back(',');
        quoted(out, values[i]);
      }
      out.push_back(']');
    }
    out.push_back('}');
  }
  out.push_back('}');
}

}  // namespace

std::string app_event_type(const abi::Event& e, const EventFields& fields) {
  if (!fields.empty() && fields[0].first == "_type") return fields[0].second;
  const auto app = static_cast<std::size_t>(e.app_protocol);
  return app < std::size(abi::kAppProtocolNames) ? abi::kAppProtocolNames[app] : "app";
}

// After the common part of the line.
void append_app_parts(std::string& out, const abi::Event& e, const EventFields& fields, const Names& names) {
  const auto app = static_cast<std::size_t>(e.app_protocol);
  if (app != 0 && app < std::size(abi::kAppProtocolNames)) {
    std::string name = abi::kAppProtocolNames[app];
    if (name == "ftp_data") name = "ftp-data";
    out.append(",\"app_proto\":");
    quoted(out, name);
  }
  if (e.kind == abi::EventKind::drop) return alert_object(out, e, names);
  if (e.transaction != UINT32_MAX) out.append(",\"tx_id\":").append(std::to_string(e.transaction));
  if (e.kind == abi::EventKind::app_event) {
    const bool stream = (e.detail & abi::event_detail::kStream) != 0;
    std::string_view event = "unknown";
    if (stream && e.rule < abi::kStreamEvents) event = abi::kStreamEventTexts[e.rule].name;
    if (!stream && e.rule < std::size(abi::kAppEventNames)) event = abi::kAppEventNames[e.rule];
    out.append(",\"anomaly\":{\"type\":").append(stream ? "\"stream\"" : "\"applayer\"");
    out.append(",\"event\":");
    quoted(out, event);
    out.push_back('}');
    return;
  }
  if (e.kind == abi::EventKind::alert) {
    out.append(",\"direction\":");
    out.append((e.detail & abi::event_detail::kToClient) != 0 ? "\"to_client\"" : "\"to_server\"");
    alert_object(out, e, names);
    // "http.url" → {"http": {"url": …}}
    std::map<std::string_view, std::vector<std::pair<std::string_view, std::string_view>>> objects;
    for (const auto& [key, text] : fields) {
      if (key == "payload") {
        out.append(",\"payload\":");
        quoted(out, base64(text));
        std::string printable;
        for (const char c : text)
          printable.push_back(
              static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f ? c : '.');
        out.append(",\"payload_printable\":");
        quoted(out, printable);
        continue;
      }
      const std::size_t dot = key.find('.');
      if (dot == std::string::npos) continue;
      auto& list = objects[std::string_view(key).substr(0, dot)];
      const std::string_view name = std::string_view(key).substr(dot + 1);
      bool there = false;
      for (const auto& field : list) there = there || field.first == name;
      if (!there) list.emplace_back(name, text);
    }
    for (const auto& [name, list] : objects) {
      out.push_back(',');
      quoted(out, name);
      out.push_back(':');
      object(out, list);
    }
    return;
  }
  if (e.kind != abi::EventKind::app_log) return;
  std::vector<std::pair<std::string_view, std::string_view>> list;
  for (const auto& [key, text] : fields)
    if (key != "_type") list.emplace_back(key, text);
  out.push_back(',');
  quoted(out, app_event_type(e, fields));
  out.push_back(':');
  object(out, list);
}

}  // namespace sekisho::control
