// The header's words; msg, sid, classtype, metadata, flow, …; and the dispatch of every option.
#include <array>

#include "signatures/builder.h"
#include "signatures/keywords.h"

namespace sekisho::signatures {

namespace {

// The version of the rule language that `requires: version` is compared with.
constexpr std::array<unsigned, 3> kLanguageVersion = {9, 0, 0};
constexpr std::size_t kMaxText = 4096, kMaxMetadata = 256;

std::string message(std::string_view value) {
  value = need_quoted(value, nullptr, "msg");
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    out += value[i];
  }
  if (out.size() > kMaxText) refuse("msg: {} bytes, at most {} are accepted", out.size(), kMaxText);
  return out;
}

void flow(Builder& b, std::string_view value) {
  FlowOptions& f = b.sig.flow;
  if (f.present) refuse("flow twice");
  f.present = true;
  const auto once = [](bool& slot, std::string_view what) {
    if (slot) refuse("flow: {} twice", what);
    slot = true;
  };
  const auto parts = split(value, ',');
  if (parts.empty()) refuse("flow: an option is needed");
  for (const auto part : parts) {
    const std::string o = lower(part);
    if (o == "to_server" || o == "from_client")
      once(f.to_server, o);
    else if (o == "to_client" || o == "from_server")
      once(f.to_client, o);
    else if (o == "established")
      once(f.established, o);
    else if (o == "not_established")
      once(f.not_established, o);
    else if (o == "stateless")
      once(f.stateless, o);
    else if (o == "only_stream")
      once(f.only_stream, o);
    else if (o == "no_stream")
      once(f.no_stream, o);
    else if (o == "only_frag")
      once(f.only_frag, o);
    else if (o == "no_frag")
      once(f.no_frag, o);
    else
      refuse("flow: unknown option '{}'", shown(part));
  }
  if (f.to_server && f.to_client) refuse("flow: to_server and to_client");
  if (f.established + f.not_established + f.stateless > 1)
    refuse("flow: only one of established, not_established and stateless");
  if (f.only_stream && f.no_stream) refuse("flow: only_stream and no_stream");
  if (f.only_frag && f.no_frag) refuse("flow: only_frag and no_frag");
}

void reference(Builder& b, std::string_view value) {
  value = unquote(value);
  const auto comma = value.find(',');
  if (comma == value.npos || trim(value.substr(0, comma)).empty())
    refuse("reference: system and id are needed");
  if (b.sig.references.size() == kMaxMetadata) refuse("more than {} references", kMaxMetadata);
  b.sig.references.emplace_back(lower(trim(value.substr(0, comma))),
                                std::string(trim(value.substr(comma + 1))));
}

void metadata(Builder& b, std::string_view value) {
  for (const auto part : split(value, ',')) {
    const auto space = part.find_first_of(" \t");
    if (b.sig.metadata.size() == kMaxMetadata) refuse("more than {} metadata entries", kMaxMetadata);
    b.sig.metadata.emplace_back(std::string(part.substr(0, space)),
                                space == part.npos ? std::string() : std::string(trim(part.substr(space))));
  }
}

std::array<unsigned, 3> version_number(std::string_view s) {
  std::array<unsigned, 3> v{};
  const auto parts = split(s, '.');
  if (parts.empty() || parts.size() > 3) refuse("requires: '{}' is no version", shown(s));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string_view part = parts[i];
    if (const auto dash = part.find('-'); dash != part.npos) part = part.substr(0, dash);
    v[i] = static_cast<unsigned>(need_unsigned(part, 65535, "requires version"));
  }
  return v;
}

// ">= 7.0.3 < 8 | >= 9.0.99"
bool version_fits(std::string_view expression) {
  for (const auto alternative : split(expression, '|')) {
    bool all = true;
    std::string_view rest = trim(alternative);
    if (rest.empty()) refuse("requires: an empty version");
    while (!rest.empty()) {
      std::size_t width = rest.starts_with(">=") || rest.starts_with("<=") ? 2
                          : rest[0] == '<' || rest[0] == '>'               ? 1
                                                                           : 0;
      if (width == 0) refuse("requires: '{}' is no comparison of versions", shown(rest));
      const std::string_view op = rest.substr(0, width);
      rest = trim(rest.substr(width));
      const std::size_t end = rest.find_first_of(" \t<>");
      const auto v = version_number(rest.substr(0, end));
      rest = end == rest.npos ? std::string_view() : trim(rest.substr(end));
      all = all && (op == ">="   ? kLanguageVersion >= v
                    : op == "<=" ? kLanguageVersion <= v
                    : op == ">"  ? kLanguageVersion > v
                                 : kLanguageVersion < v);
    }
    if (all) return true;
  }
  return false;
}

void requires_(std::string_view value) {
  const auto parts = split(value, ',');
  if (parts.empty()) refuse("requires: nothing is required");
  for (const auto part : parts) {
    const auto space = part.find_first_of(" \t<>");
    const std::string_view key = part.substr(0, space),
                           rest = space == part.npos ? std::string_view() : trim(part.substr(space));
    if (key == "version") {
      if (!version_fits(rest))
        refuse("requires: version {}, the language here is {}.{}.{}", shown(rest), kLanguageVersion[0],
               kLanguageVersion[1], kLanguageVersion[2]);
    } else if (key == "keyword") {
      if (!known_keyword(lower(rest))) refuse("requires: keyword {} is not supported", shown(rest));
    } else if (key == "feature") {
      refuse("requires: feature {} is not here", shown(rest));
    } else {
      refuse("requires: unknown requirement '{}'", shown(part));
    }
  }
}

void target(Builder& b, std::string_view value) {
  if (value != "src_ip" && value != "dest_ip")
    refuse("target: '{}' is neither src_ip nor dest_ip", shown(value));
  const Target t = value == "src_ip" ? Target::source : Target::destination;
  if (b.sig.target != Target::none && b.sig.target != t) refuse("target: src_ip and dest_ip");
  b.sig.target = t;
}

void once(bool& seen, std::string_view name) {
  if (seen) refuse("{} twice", name);
  seen = true;
}

}  // namespace

Action read_action(std::string_view word) {
  const std::string a = lower(word);
  if (a == "alert") return Action::alert;
  if (a == "pass") return Action::pass;
  if (a == "drop") return Action::drop;
  if (a == "reject" || a == "rejectsrc") return Action::reject;
  if (a == "rejectdst") return Action::reject_destination;
  if (a == "rejectboth") return Action::reject_both;
  refuse("action '{}' is unknown", shown(word));
}

Protocol read_protocol(std::string_view word) {
  Protocol p;
  p.name = lower(word);
  struct Entry {
    std::string_view name;
    std::uint8_t transports, versions;
    Protocol::Mode mode;
  };
  using Mode = Protocol::Mode;
  static constexpr Entry kEntries[] = {{"ip", kAnyTransport, kAnyIp, Mode::normal},
                                       {"ipv4", kAnyTransport, kIpv4, Mode::normal},
                                       {"ip4", kAnyTransport, kIpv4, Mode::normal},
                                       {"ipv6", kAnyTransport, kIpv6, Mode::normal},
                                       {"ip6", kAnyTransport, kIpv6, Mode::normal},
                                       {"tcp", kTcp, kAnyIp, Mode::normal},
                                       {"tcp-pkt", kTcp, kAnyIp, Mode::packet},
                                       {"tcp-stream", kTcp, kAnyIp, Mode::stream},
                                       {"tcp4", kTcp, kIpv4, Mode::normal},
                                       {"tcp6", kTcp, kIpv6, Mode::normal},
                                       {"udp", kUdp, kAnyIp, Mode::normal},
                                       {"udp4", kUdp, kIpv4, Mode::normal},
                                       {"udp6", kUdp, kIpv6, Mode::normal},
                                       {"sctp", kSctp, kAnyIp, Mode::normal},
                                       {"icmp", kIcmp4 | kIcmp6, kAnyIp, Mode::normal},
                                       {"icmpv4", kIcmp4, kIpv4, Mode::normal},
                                       {"icmpv6", kIcmp6, kIpv6, Mode::normal},
                                       {"igmp", kOtherTransport, kIpv4, Mode::normal},
                                       {"pkthdr", kAnyTransport, kAnyIp, Mode::any_packet}};
  for (const Entry& e : kEntries)
    if (p.name == e.name) {
      p.transports = e.transports;
      p.ip_versions = e.versions;
      p.mode = e.mode;
      return p;
    }
  const auto app = app_protocol(p.name);
  if (!app) refuse("protocol '{}' is not supported", shown(word));
  p.app = *app;
  p.transports = protocol_transports(*app);
  return p;
}

bool apply_meta(Builder& b, std::string_view name, std::string_view value) {
  Signature& s = b.sig;
  if (name == "msg") {
    if (!s.msg.empty()) refuse("msg twice");
    s.msg = message(value);
  } else if (name == "sid") {
    once(b.has_sid, name);
    s.sid = static_cast<std::uint32_t>(need_unsigned(unquote(value), 0xffffffff, name));
    if (s.sid == 0) refuse("sid 0");
  } else if (name == "gid") {
    once(b.has_gid, name);
    s.gid = static_cast<std::uint32_t>(need_unsigned(unquote(value), 0xffffffff, name));
  } else if (name == "rev") {
    once(b.has_rev, name);
    s.rev = static_cast<std::uint32_t>(need_unsigned(unquote(value), 0xffffffff, name));
  } else if (name == "priority") {
    once(b.has_priority, name);
    s.priority = static_cast<std::uint8_t>(need_unsigned(unquote(value), 255, name));
    if (s.priority == 0) refuse("priority 0");
  } else if (name == "classtype") {
    once(b.has_class, name);
    s.classtype = std::string(unquote(value));
    if (s.classtype.empty()) refuse("classtype: the name is missing");
  } else if (name == "reference") {
    reference(b, value);
  } else if (name == "metadata") {
    metadata(b, value);
  } else if (name == "flow") {
    flow(b, value);
  } else if (name == "target") {
    target(b, value);
  } else if (name == "requires") {
    requires_(value);
  } else if (name == "noalert") {
    if (!value.empty()) refuse("noalert takes no value");
    if (b.alert_keyword) refuse("noalert together with alert");
    s.noalert = true;
  } else if (name == "alert") {
    if (!value.empty()) refuse("alert takes no value");
    if (s.noalert) refuse("noalert together with alert");
    b.alert_keyword = true;
  } else if (name == "prefilter") {  // a hint for engines that prefilter on packet keywords
    if (!value.empty()) refuse("prefilter takes no value");
    if (b.seen.empty()) refuse("prefilter needs a keyword before it");
  } else {
    return false;
  }
  return true;
}

void apply_option(Builder& b, std::string_view name, std::string_view value, bool has_value) {
  if (has_value && value.empty()) refuse("{}: the value is missing behind ':'", shown(name));
  const std::string key = lower(name);
  const bool known = apply_content(b, key, value) || apply_buffer(b, key, value) ||
                     apply_meta(b, key, value) || apply_bytes(b, key, value) || apply_state(b, key, value) ||
                     apply_transform(b, key, value) || apply_packet(b, key, value) ||
                     apply_app(b, key, value) || apply_file(b, key, value) || apply_number(b, key, value) ||
                     apply_app_number(b, key, value);
  if (!known) {
    if (key == "service" || key == "soid" || key == "remark" || key == "alert_type")
      refuse("keyword '{}' is Snort syntax", shown(name));
    refuse("keyword '{}' is not supported", shown(name));
  }
  b.seen.push_back(key);
}

}  // namespace sekisho::signatures
