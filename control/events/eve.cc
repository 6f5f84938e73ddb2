#include "control/events/eve.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <time.h>

#include <cstring>

#include "control/events/names.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace {

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58, kSctp = 132;

template <typename T>
void number(std::string& out, std::string_view key, T value) {
  const fmt::format_int text(value);
  out.append(key).append(text.data(), text.size());
}
void string(std::string& out, std::string_view key, std::string_view escaped) {
  out.append(key).push_back('"');
  out.append(escaped).push_back('"');
}
// Left out where there is nothing to say.
void known(std::string& out, std::string_view key, std::string_view escaped) {
  if (!escaped.empty()) string(out, key, escaped);
}
void hex2(std::string& out, std::uint8_t byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out.push_back(kDigits[byte >> 4]);
  out.push_back(kDigits[byte & 15]);
}

std::string_view verdict_name(abi::Verdict verdict) {
  constexpr std::string_view kNames[] = {"pass", "drop", "reject", "bypass", "held"};
  const auto i = static_cast<std::size_t>(verdict);
  return i < std::size(kNames) ? kNames[i] : std::string_view("unknown");
}

std::string_view known_protocol(std::uint8_t protocol) {
  switch (protocol) {
    case kIcmp:
      return "ICMP";
    case kTcp:
      return "TCP";
    case kUdp:
      return "UDP";
    case kIcmp6:
      return "IPv6-ICMP";
    case kSctp:
      return "SCTP";
    case 2:
      return "IGMP";
    case 4:
      return "IPIP";
    case 41:
      return "IPv6";
    case 47:
      return "GRE";
    case 50:
      return "ESP";
    case 51:
      return "AH";
    default:
      return {};
  }
}

// Length of the valid UTF-8 sequence at the start of `s` (RFC 3629), 0 if there is none.
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char b = byte(0);
  std::size_t n = 0;
  if (b >= 0xc2 && b <= 0xdf) n = 2;
  if (b >= 0xe0 && b <= 0xef) n = 3;
  if (b >= 0xf0 && b <= 0xf4) n = 4;
  if (n == 0 || s.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (b == 0xe0 && byte(1) < 0xa0) || (b == 0xf0 && byte(1) < 0x90);
  const bool surrogate = b == 0xed && byte(1) > 0x9f;
  const bool beyond = b == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : n;
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      if (c == '"' || c == '\\') {
        out.push_back('\\');
        out.push_back(static_cast<char>(c));
      } else if (c == '\n') {
        out.append("\\n");
      } else if (c == '\t') {
        out.append("\\t");
      } else if (c == '\r') {
        out.append("\\r");
      } else if (c < 0x20 || c == 0x7f) {
        out.append("\\u00");
        hex2(out, c);
      } else {
        out.push_back(static_cast<char>(c));
      }
      ++i;
      continue;
    }
    const std::size_t n = utf8_length(text.substr(i));
    if (n == 0) {
      out.append("\xef\xbf\xbd");  // U+FFFD
      ++i;
    } else {
      out.append(text.substr(i, n));
      i += n;
    }
  }
}

void append_address(std::string& out, std::uint8_t version, const std::uint8_t* address) {
  if (version == 4) {
    for (int i = 0; i < 4; ++i) {
      if (i > 0) out.push_back('.');
      const fmt::format_int text(static_cast<unsigned>(address[i]));
      out.append(text.data(), text.size());
    }
  } else if (version == 6) {
    char text[INET6_ADDRSTRLEN];
    if (inet_ntop(AF_INET6, address, text, sizeof text) != nullptr) out.append(text);
  }
}

std::string_view event_type_name(abi::EventKind kind) {
  switch (kind) {
    case abi::EventKind::flow_start:
      return "flow_start";
    case abi::EventKind::flow_end:
      return "flow";
    case abi::EventKind::drop:
      return "drop";
    case abi::EventKind::verdict:
      return "verdict";
    case abi::EventKind::anomaly:
      return "anomaly";
    case abi::EventKind::would_drop:
      return "would_drop";
    case abi::EventKind::alert:
      return "alert";
    case abi::EventKind::app_log:
      return "app";
    case abi::EventKind::app_event:
      return "anomaly";
    case abi::EventKind::text:
    case abi::EventKind::none:
      break;
  }
  return "unknown";
}

std::string protocol_name(std::uint8_t protocol) {
  const std::string_view name = known_protocol(protocol);
  return name.empty() ? std::to_string(protocol) : std::string(name);
}

void EveFormatter::append_time(std::string& out, std::uint64_t event_ns) {
  const std::uint64_t wall = event_ns + static_cast<std::uint64_t>(offset_ns_);
  const auto second = static_cast<std::int64_t>(wall / kSecond);
  if (second != second_) {
    second_ = second;
    const time_t t = second;
    tm parts{};
    const tm* done = zone_ == Zone::utc ? gmtime_r(&t, &parts) : localtime_r(&t, &parts);
    if (done == nullptr || parts.tm_year > 9999 - 1900 ||
        strftime(date_, sizeof date_, "%Y-%m-%dT%H:%M:%S", &parts) == 0 ||
        strftime(offset_, sizeof offset_, "%z", &parts) == 0) {
      std::memcpy(date_, "1970-01-01T00:00:00", sizeof date_);
      std::memcpy(offset_, "+0000", sizeof offset_);
    }
  }
  out.append(date_);
  // microseconds, six digits
  char micro[8] = ".000000";
  auto us = static_cast<std::uint32_t>(wall % kSecond / 1000);
  for (int i = 6; i >= 1; --i, us /= 10) micro[i] = static_cast<char>('0' + us % 10);
  out.append(micro, 7).append(offset_);
}

void EveFormatter::append(std::string& out, const abi::Event& e, const Names& names,
                          const EventFields& fields, std::string_view ticket) {
  const bool ip = e.ip_version == 4 || e.ip_version == 6;
  const bool icmp = ip && (e.protocol == kIcmp || e.protocol == kIcmp6);
  const bool flow = e.kind == abi::EventKind::flow_start || e.kind == abi::EventKind::flow_end;
  out.append("{\"timestamp\":\"");
  append_time(out, e.time_ns);
  out.push_back('"');
  if (e.flow_id != 0) number(out, ",\"flow_id\":", e.flow_id);
  known(out, ",\"in_iface\":", names.interface(e.in_interface));
  const bool app = e.kind == abi::EventKind::app_log;
  string(out, ",\"event_type\":", app ? app_event_type(e, fields) : std::string(event_type_name(e.kind)));
  if (e.packet_number != 0) number(out, ",\"pcap_cnt\":", e.packet_number);
  if (e.outer_vlan != 0 || e.inner_vlan != 0) {
    number(out, ",\"vlan\":[", e.outer_vlan);
    if (e.inner_vlan != 0) number(out, ",", e.inner_vlan);
    out.push_back(']');
  }
  if (ip) {
    out.append(",\"src_ip\":\"");
    append_address(out, e.ip_version, e.source);
    out.push_back('"');
    if (!icmp) number(out, ",\"src_port\":", e.source_port);
    out.append(",\"dest_ip\":\"");
    append_address(out, e.ip_version, e.destination);
    out.push_back('"');
    if (!icmp) number(out, ",\"dest_port\":", e.destination_port);
    const std::string_view protocol = known_protocol(e.protocol);
    if (protocol.empty()) {
      number(out, ",\"proto\":\"", e.protocol);
      out.push_back('"');
    } else {
      string(out, ",\"proto\":", protocol);
    }
    if (icmp) {
      number(out, ",\"icmp_type\":", e.source_port);
      number(out, ",\"icmp_code\":", e.destination_port);
    }
  } else if (e.ethertype != 0) {
    number(out, ",\"ether_type\":", e.ethertype);
  }
  out.append(",\"ether\":{\"src_mac\":\"");
  for (int i = 0; i < 6; ++i) {
    if (i > 0) out.push_back(':');
    hex2(out, e.source_mac[i]);
  }
  out.append("\"}");

  if (flow) {
    number(out, ",\"flow\":{\"pkts_toserver\":", e.packets_to_destination);
    number(out, ",\"pkts_toclient\":", e.packets_to_source);
    number(out, ",\"bytes_toserver\":", e.bytes_to_destination);
    number(out, ",\"bytes_toclient\":", e.bytes_to_source);
    out.append(",\"start\":\"");
    append_time(out, e.start_ns);
    out.push_back('"');
    const bool closed = e.end == abi::FlowEnd::tcp_fin || e.end == abi::FlowEnd::tcp_rst;
    const bool answered = e.packets_to_source != 0 && e.packets_to_destination != 0;
    if (e.kind == abi::EventKind::flow_end) {
      out.append(",\"end\":\"");
      append_time(out, e.time_ns);
      out.push_back('"');
      number(out, ",\"age\":", e.time_ns > e.start_ns ? (e.time_ns - e.start_ns) / kSecond : 0);
      const auto end = static_cast<std::size_t>(e.end);
      string(out, ",\"reason\":", end < std::size(abi::kFlowEndNames) ? abi::kFlowEndNames[end] : "unknown");
    }
    string(out, ",\"state\":", closed ? "closed" : answered ? "established" : "new");
    out.push_back('}');
    if (e.protocol == kTcp) {
      out.append(",\"tcp\":{\"tcp_flags\":\"");
      hex2(out, e.tcp_flags_to_destination | e.tcp_flags_to_source);
      out.append("\",\"tcp_flags_ts\":\"");
      hex2(out, e.tcp_flags_to_destination);
      out.append("\",\"tcp_flags_tc\":\"");
      hex2(out, e.tcp_flags_to_source);
      out.append("\"}");
    }
  }
  if (e.kind == abi::EventKind::alert || app || e.kind == abi::EventKind::app_event)
    append_app_parts(out, e, fields, names);
  const bool dropped = e.drop_reason != 0;
  const auto reason = static_cast<abi::DropReason>(e.drop_reason);
  if (e.kind == abi::EventKind::drop) {
    string(out, ",\"drop\":{\"reason\":", abi::drop_name(reason));
    out.push_back('}');
    if (reason == abi::DropReason::signature) append_app_parts(out, e, fields, names);
  }

  known(out, ",\"ticket\":", ticket);
  string(out, ",\"sekisho\":{\"verdict\":", verdict_name(e.verdict));
  known(out, ",\"link\":", names.link(e.link));
  known(out, ",\"from_zone\":", names.zone(e.from_zone));
  known(out, ",\"to_zone\":", names.zone(e.to_zone));
  known(out, ",\"wire\":", names.wire(e.wire));
  known(out, ",\"out_iface\":", names.interface(e.out_interface));
  const bool by_policy = e.kind != abi::EventKind::alert && e.kind != abi::EventKind::app_event &&
                         reason != abi::DropReason::signature;
  if (by_policy && e.rule != UINT32_MAX && e.snapshot_generation == names.generation()) {
    known(out, ",\"rule\":", names.rule(e.rule));
    known(out, ",\"rule_at\":", names.rule_at(e.rule));
  }
  if (dropped) {
    string(out, ",\"reason\":", abi::drop_name(reason));
    if (e.drop_reason < abi::kDropReasons) {
      string(out, ",\"explanation\":", abi::kDropTexts[e.drop_reason].explanation);
    }
  }
  if (ip) {
    known(out, ",\"src_asset\":", names.asset(e.ip_version, e.source));
    known(out, ",\"dest_asset\":", names.asset(e.ip_version, e.destination));
  }
  number(out, ",\"worker\":", e.worker);
  number(out, ",\"generation\":", e.snapshot_generation);
  out.append("}}\n");
}

}  // namespace sekisho::control
