// Keywords of applications that are not buffers, sticky buffers, transforms, datasets, reputation.
#include <algorithm>

#include "dataplane/abi/signature.h"
#include "signatures/builder.h"
#include "signatures/keywords.h"

namespace sekisho::signatures {

namespace {

void add(Builder& b, AppCheck check) {
  b.sig.app_checks.push_back(std::move(check));
}

std::pair<std::string_view, std::vector<std::string_view>> head_and_rest(std::string_view value,
                                                                         char separator) {
  auto parts = split(value, separator);
  if (parts.empty()) return {};
  const std::string_view head = parts[0];
  parts.erase(parts.begin());
  return {head, std::move(parts)};
}

void dce_interface(Builder& b, std::string_view name, std::string_view value) {
  b.need_protocol(AppProtocol::dcerpc, name);
  DceInterface d;
  const auto [uuid, options] = head_and_rest(value, ',');
  std::size_t n = 0;
  bool high = true;
  if (uuid.size() != 36) refuse("{}: '{}' is no UUID", name, shown(uuid));
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    const char c = uuid[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') refuse("{}: '{}' is no UUID", name, shown(uuid));
      continue;
    }
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) refuse("{}: '{}' is no UUID", name, shown(uuid));
    if (high)
      d.uuid[n] = static_cast<std::uint8_t>(digit << 4);
    else
      d.uuid[n++] |= static_cast<std::uint8_t>(digit);
    high = !high;
  }
  for (const auto option : options) {
    if (option == "any_frag") {
      d.any_fragment = true;
    } else if (!option.empty() &&
               (option[0] == '<' || option[0] == '>' || option[0] == '=' || option[0] == '!')) {
      if (d.version) refuse("{}: version twice", name);
      d.version = need_range(option, 65535, name);
    } else {
      refuse("{}: unknown option '{}'", name, shown(option));
    }
  }
  add(b, d);
}

void dce_operation(Builder& b, std::string_view name, std::string_view value) {
  b.need_protocol(AppProtocol::dcerpc, name);
  DceOperation d;
  for (const auto part : split(value, ',')) {
    if (!part.empty() && (part[0] == '<' || part[0] == '>' || part[0] == '=' || part[0] == '!')) {
      const Range r = need_range(part, 65535, name);
      const auto n = static_cast<std::uint32_t>(r.low);
      if (r.op == Range::Op::greater || r.op == Range::Op::greater_equal)
        d.numbers.emplace_back(r.op == Range::Op::greater ? n + 1 : n, 65535);
      else if (r.op == Range::Op::less || r.op == Range::Op::less_equal)
        d.numbers.emplace_back(0, r.op == Range::Op::less ? n - 1 : n);
      else if (r.op == Range::Op::equal)
        d.numbers.emplace_back(n, n);
      else if (r.op == Range::Op::not_equal) {
        if (n > 0) d.numbers.emplace_back(0, n - 1);
        if (n < 65535) d.numbers.emplace_back(n + 1, 65535);
      } else
        refuse("{}: '{}' is no number or range", name, shown(part));
      continue;
    }
    const auto dash = part.find('-');
    const auto low = static_cast<std::uint32_t>(need_unsigned(part.substr(0, dash), 65535, name));
    const auto high = dash == part.npos
                          ? low
                          : static_cast<std::uint32_t>(need_unsigned(part.substr(dash + 1), 65535, name));
    if (high < low) refuse("{}: the range {} is reversed", name, shown(part));
    d.numbers.emplace_back(low, high);
  }
  if (d.numbers.empty()) refuse("{}: a number is needed", name);
  add(b, std::move(d));
}

void ssl_state(Builder& b, std::string_view value) {
  b.need_protocol(AppProtocol::tls, "ssl_state");
  SslState s;
  bool negated = false, plain = false;
  for (auto part : split(value, value.find('|') != value.npos ? '|' : ',')) {
    if (part.starts_with("!")) {
      negated = true;
      part = trim(part.substr(1));
    } else {
      plain = true;
    }
    if (part == "client_hello")
      s.mask |= SslState::kClientHello;
    else if (part == "server_hello")
      s.mask |= SslState::kServerHello;
    else if (part == "client_keyx")
      s.mask |= SslState::kClientKeyX;
    else if (part == "server_keyx")
      s.mask |= SslState::kServerKeyX;
    else if (part == "unknown")
      s.mask |= SslState::kUnknown;
    else
      refuse("ssl_state: '{}' is no state", shown(part));
  }
  if (s.mask == 0) refuse("ssl_state: a state is needed");
  if (negated && plain) refuse("ssl_state: negated and plain states together");
  s.negated = negated;
  add(b, s);
}

void ssl_version(Builder& b, std::string_view value) {
  b.need_protocol(AppProtocol::tls, "ssl_version");
  TlsVersion t;
  bool negated = false, plain = false;
  for (auto part : split(value, ',')) {
    if (part.starts_with("!")) {
      negated = true;
      part = trim(part.substr(1));
    } else {
      plain = true;
    }
    const std::string v = lower(part);
    std::uint16_t number = 0;
    if (v == "sslv2")
      number = 0x0002;
    else if (v == "sslv3")
      number = 0x0300;
    else if (v == "tls1.0")
      number = 0x0301;
    else if (v == "tls1.1")
      number = 0x0302;
    else if (v == "tls1.2")
      number = 0x0303;
    else if (v == "tls1.3")
      number = 0x0304;
    else
      refuse("ssl_version: '{}' is no version", shown(part));
    if (std::find(t.versions.begin(), t.versions.end(), number) != t.versions.end())
      refuse("ssl_version: {} twice", shown(part));
    t.versions.push_back(number);
  }
  if (t.versions.empty()) refuse("ssl_version: a version is needed");
  if (negated && plain) refuse("ssl_version: negated and plain versions together");
  t.negated = negated;
  add(b, std::move(t));
}

void tls_version(Builder& b, std::string_view value) {
  b.need_protocol(AppProtocol::tls, "tls.version");
  TlsVersion t;
  value = unquote(value);
  if (value == "1.0")
    t.versions = {0x0301};
  else if (value == "1.1")
    t.versions = {0x0302};
  else if (value == "1.2")
    t.versions = {0x0303};
  else if (value == "1.3")
    t.versions = {0x0304};
  else if (value.starts_with("0x"))
    t.versions = {static_cast<std::uint16_t>(need_unsigned(value, 65535, "tls.version"))};
  else
    refuse("tls.version: '{}' is no version", shown(value));
  add(b, std::move(t));
}

// tls.subject:"CN=x": a content of the certificate's subject. tls.fingerprint: of its fingerprint.
void tls_text(Builder& b, std::string_view value, Buffer buffer, std::string_view keyword) {
  b.need_protocol(AppProtocol::tls, keyword);
  Content c;
  c.bytes = decode_content(need_quoted(value, &c.negated, keyword), keyword);
  if (buffer == Buffer::tls_cert_fingerprint) c.bytes = lower(c.bytes);
  b.add_to(buffer, std::move(c));
}

void app_layer_event(Builder& b, std::string_view value) {
  AppLayerEvent e;
  e.name = lower(trim(value));
  const auto known = app_event(e.name);
  if (!known || e.name.empty()) refuse("app-layer-event: no parser raises '{}'", shown(value));
  e.event = *known;
  if (const auto dot = e.name.find('.'); dot != e.name.npos) {
    const auto protocol = app_protocol(e.name.substr(0, dot));
    if (protocol) b.need_protocol(*protocol, "app-layer-event");
  }
  add(b, std::move(e));
}

void app_layer_protocol(Builder& b, std::string_view value) {
  AppLayerProtocol a;
  const auto parts = split(value, ',');
  if (parts.empty() || parts.size() > 2) refuse("app-layer-protocol: '{}' is no protocol", shown(value));
  std::string_view name = parts[0];
  if (name.starts_with("!")) {
    a.negated = true;
    name = trim(name.substr(1));
  }
  const std::string key = lower(name);
  const auto known = app_protocol(key);
  if (!known) refuse("app-layer-protocol: '{}' is not recognised here", shown(name));
  a.protocol = *known;
  if (parts.size() == 2) {
    static constexpr std::pair<std::string_view, AppLayerProtocol::Mode> kModes[] = {
        {"direction", AppLayerProtocol::Mode::direction}, {"final", AppLayerProtocol::Mode::final_},
        {"original", AppLayerProtocol::Mode::original},   {"either", AppLayerProtocol::Mode::either},
        {"to_server", AppLayerProtocol::Mode::to_server}, {"toserver", AppLayerProtocol::Mode::to_server},
        {"to_client", AppLayerProtocol::Mode::to_client}, {"toclient", AppLayerProtocol::Mode::to_client}};
    bool found = false;
    for (const auto& [text, mode] : kModes)
      if (parts[1] == text) {
        a.mode = mode;
        found = true;
      }
    if (!found) refuse("app-layer-protocol: unknown option '{}'", shown(parts[1]));
  }
  if (b.sig.protocol.app != AppProtocol::unknown)
    refuse("app-layer-protocol: the signature is for {} already", protocol_keyword(b.sig.protocol.app));
  add(b, a);
}

void ftpdata_command(Builder& b, std::string_view value) {
  b.need_protocol(AppProtocol::ftp_data, "ftpdata_command");
  FtpDataCommand f;
  const std::string v = lower(trim(value));
  if (v == "stor")
    f.command = FtpDataCommand::Command::stor;
  else if (v != "retr")
    refuse("ftpdata_command: '{}' is neither retr nor stor", shown(value));
  add(b, f);
}

void reputation(Builder& b, std::string_view value) {
  IpReputation r;
  const auto parts = split(value, ',');
  if (parts.size() < 3 || parts.size() > 4) refuse("iprep: side, category, operator and value are needed");
  if (parts[0] == "any")
    r.side = IpReputation::Side::any;
  else if (parts[0] == "src")
    r.side = IpReputation::Side::source;
  else if (parts[0] == "dst")
    r.side = IpReputation::Side::destination;
  else if (parts[0] == "both")
    r.side = IpReputation::Side::both;
  else
    refuse("iprep: '{}' is no side", shown(parts[0]));
  r.category = std::string(parts[1]);
  if (r.category.empty() || r.category.size() > 64) refuse("iprep: '{}' is no category", shown(parts[1]));
  if (parts.size() == 3) {
    if (parts[2] != "isset" && parts[2] != "isnotset") refuse("iprep: '{}' is no operator", shown(parts[2]));
    r.presence_only = true;
    r.negated = parts[2] == "isnotset";
  } else {
    if (parts[2] != "<" && parts[2] != ">" && parts[2] != "=" && parts[2] != "<=" && parts[2] != ">=" &&
        parts[2] != "!=")
      refuse("iprep: '{}' is no operator", shown(parts[2]));
    r.range = need_range(fmt::format("{}{}", parts[2], parts[3]), 127, "iprep");
  }
  add(b, std::move(r));
}

void geoip(Builder& b, std::string_view value) {
  GeoIp g;
  auto parts = split(value, ',');
  if (!parts.empty() && (parts[0] == "src" || parts[0] == "dst" || parts[0] == "both" || parts[0] == "any")) {
    g.side = parts[0] == "src"   ? GeoIp::Side::source
             : parts[0] == "dst" ? GeoIp::Side::destination
             : parts[0] == "any" ? GeoIp::Side::any
                                 : GeoIp::Side::both;
    parts.erase(parts.begin());
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string_view code = parts[i];
    if (i == 0 && code.starts_with("!")) {
      g.negated = true;
      code = trim(code.substr(1));
    }
    std::string upper(code);
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    if (upper.size() != 2 || upper[0] < 'A' || upper[0] > 'Z' || upper[1] < 'A' || upper[1] > 'Z')
      refuse("geoip: '{}' is no country", shown(code));
    g.countries.push_back(std::move(upper));
  }
  if (g.countries.empty()) refuse("geoip: a country is needed");
  if (g.countries.size() > 64) refuse("geoip: more than 64 countries");
  add(b, std::move(g));
}

std::uint64_t size_with_unit(std::string_view s, std::string_view what) {
  std::uint64_t unit = 1;
  const std::string v = lower(s);
  std::string_view digits = v;
  for (const auto& [suffix, factor] :
       {std::pair<std::string_view, std::uint64_t>{"kb", 1u << 10}, {"mb", 1u << 20}, {"gb", 1u << 30}})
    if (digits.ends_with(suffix)) {
      unit = factor;
      digits.remove_suffix(2);
      break;
    }
  return need_unsigned(digits, 1ull << 32, what) * unit;
}

void dataset(Builder& b, std::string_view value) {
  if (!b.sticky()) refuse("dataset needs a sticky buffer before it");
  DataSet d;
  d.folder = b.folder;
  const auto parts = split(value, ',');
  if (parts.size() < 2) refuse("dataset: a command and a name are needed");
  if (parts[0] == "set")
    d.op = DataSet::Op::set;
  else if (parts[0] == "unset")
    d.op = DataSet::Op::unset;
  else if (parts[0] == "isset")
    d.op = DataSet::Op::is_set;
  else if (parts[0] == "isnotset")
    d.op = DataSet::Op::is_not_set;
  else
    refuse("dataset: '{}' is no command", shown(parts[0]));
  d.name = std::string(parts[1]);
  if (d.name.empty() || d.name.size() > 63 || d.name.find(' ') != d.name.npos)
    refuse("dataset: '{}' is no name", shown(parts[1]));
  bool type = false;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    if (parts[i] == "remove_key") continue;  // of the context
    const auto space = parts[i].find_first_of(" \t");
    if (space == std::string_view::npos) refuse("dataset: unknown option '{}'", shown(parts[i]));
    const std::string_view key = parts[i].substr(0, space), v = trim(parts[i].substr(space));
    if (key == "type") {
      static constexpr std::string_view kTypes[] = {"string", "md5", "sha256", "ipv4", "ip"};
      std::size_t t = 0;
      while (t < std::size(kTypes) && kTypes[t] != v) ++t;
      if (t == std::size(kTypes)) refuse("dataset: type '{}' is unknown", shown(v));
      d.type = static_cast<DataSet::Type>(t);
      type = true;
    } else if (key == "load") {
      d.load = std::string(v);
    } else if (key == "save") {
      d.save = std::string(v);
    } else if (key == "state") {
      d.load = d.save = std::string(v);
      d.state = true;
    } else if (key == "format") {
      static constexpr std::string_view kFormats[] = {"csv", "json", "ndjson"};
      std::size_t f = 0;
      while (f < std::size(kFormats) && kFormats[f] != v) ++f;
      if (f == std::size(kFormats)) refuse("dataset: format '{}' is unknown", shown(v));
      d.format = static_cast<DataSet::Format>(f);
    } else if (key == "value_key") {
      d.value_key = std::string(v);
    } else if (key == "array_key") {
      d.array_key = std::string(v);
    } else if (key == "context_key") {
      d.context_key = std::string(v);
    } else if (key == "match") {
      if (v != "subdomain") refuse("dataset: match '{}' is unknown", shown(v));
      d.subdomain = true;
    } else if (key == "memcap") {
      d.memory_cap = size_with_unit(v, "dataset memcap");
    } else if (key == "hashsize") {
      d.hash_size = need_unsigned(v, 1u << 24, "dataset hashsize");
    } else {
      refuse("dataset: unknown option '{}'", shown(parts[i]));
    }
  }
  const bool json = d.format != DataSet::Format::csv;
  if (json && d.value_key.empty()) refuse("dataset: JSON needs a value_key");
  if (!json && !(d.value_key + d.array_key + d.context_key).empty())
    refuse("dataset: a key without format json or ndjson");
  if (d.subdomain && (d.op == DataSet::Op::set || d.op == DataSet::Op::unset))
    refuse("dataset: match subdomain is for isset and isnotset");
  const auto known = b.dataset_types->find(d.name);
  if (!type) {
    if (known == b.dataset_types->end()) refuse("dataset: the type is missing");
    d.type = known->second;
  } else if (known == b.dataset_types->end()) {
    if (b.dataset_types->size() == 65536) refuse("more than 65536 data sets");
    b.dataset_types->emplace(d.name, d.type);
  } else if (known->second != d.type) {
    refuse("dataset: '{}' has another type elsewhere", shown(d.name));
  }
  if (d.subdomain && d.type != DataSet::Type::string) refuse("dataset: match subdomain is for type string");
  if (d.load.size() > 4096 || d.save.size() > 4096) refuse("dataset: a file name of more than 4096 bytes");
  b.add(std::move(d));
}

// datarep:name, operator, value, options: the value is in the list, with such a reputation.
void datarep(Builder& b, std::string_view value) {
  if (!b.sticky()) refuse("datarep needs a sticky buffer before it");
  DataSet d;
  d.folder = b.folder;
  const auto parts = split(value, ',');
  if (parts.size() < 3) refuse("datarep: name, operator and value are needed");
  d.name = std::string(parts[0]);
  if (d.name.empty() || d.name.size() > 63 || d.name.find(' ') != d.name.npos)
    refuse("datarep: '{}' is no name", shown(parts[0]));
  if (parts[1] != "<" && parts[1] != ">" && parts[1] != "==" && parts[1] != "=")
    refuse("datarep: '{}' is no operator", shown(parts[1]));
  d.reputation =
      need_range(fmt::format("{}{}", parts[1] == "==" ? "=" : parts[1], parts[2]), 65535, "datarep");
  bool type = false;
  for (std::size_t i = 3; i < parts.size(); ++i) {
    const auto w = words(parts[i]);
    if (w.size() != 2) refuse("datarep: unknown option '{}'", shown(parts[i]));
    if (w[0] == "type") {
      if (w[1] != "string" && w[1] != "md5" && w[1] != "sha256")
        refuse("datarep: type '{}' is unknown", shown(w[1]));
      d.type = w[1] == "string" ? DataSet::Type::string
               : w[1] == "md5"  ? DataSet::Type::md5
                                : DataSet::Type::sha256;
      type = true;
    } else if (w[0] == "load") {
      d.load = std::string(w[1]);
    } else if (w[0] == "memcap") {
      d.memory_cap = size_with_unit(w[1], "datarep memcap");
    } else if (w[0] == "hashsize") {
      d.hash_size = need_unsigned(w[1], 1u << 24, "datarep hashsize");
    } else {
      refuse("datarep: unknown option '{}'", shown(parts[i]));
    }
  }
  if (!type) refuse("datarep: the type is missing");
  if (d.load.empty()) refuse("datarep: a file to load is needed");
  if (d.load.size() > 4096) refuse("datarep: a file name of more than 4096 bytes");
  b.add(std::move(d));
}

void dns_opcode(Builder& b, std::string_view value) {
  b.need_protocol(AppProtocol::dns, "dns.opcode");
  add(b, DnsOpcode{need_range(value, 15, "dns.opcode")});
}

void from_base64(Builder& b, std::string_view value) {
  Transform t;
  t.kind = Transform::Kind::from_base64;
  for (const auto part : split(value, ',')) {
    const auto w = words(part);
    if (w.size() == 2 && w[0] == "offset") {
      t.number = static_cast<std::uint32_t>(need_unsigned(w[1], 65535, "from_base64 offset"));
    } else if (w.size() == 2 && w[0] == "bytes") {
      t.length = static_cast<std::uint32_t>(need_unsigned(w[1], 65535, "from_base64 bytes"));
      if (t.length == 0) refuse("from_base64: bytes 0");
    } else if (w.size() == 2 && w[0] == "mode") {
      const std::string mode = lower(w[1]);
      if (mode == "rfc4648")
        t.mode = Transform::Base64Mode::rfc4648;
      else if (mode == "rfc2045")
        t.mode = Transform::Base64Mode::rfc2045;
      else if (mode == "strict")
        t.mode = Transform::Base64Mode::strict;
      else
        refuse("from_base64: mode '{}' is unknown", shown(w[1]));
    } else {
      refuse("from_base64: unknown option '{}'", shown(part));
    }
  }
  b.add_transform(std::move(t));
}

void inflate_transform(Builder& b, std::string_view name, std::string_view value) {
  Transform t;
  t.kind = name == "gunzip" ? Transform::Kind::gunzip : Transform::Kind::zlib_deflate;
  t.number = 1024;
  if (!value.empty()) {
    const auto w = words(value);
    if (w.size() != 2 || w[0] != "max-size") refuse("{}: unknown option '{}'", name, shown(value));
    t.number = static_cast<std::uint32_t>(need_unsigned(w[1], abi::kMaxInflated, name));
    if (t.number == 0) refuse("{}: max-size 0", name);
  }
  b.add_transform(std::move(t));
}

void xor_transform(Builder& b, std::string_view value) {
  Transform t;
  t.kind = Transform::Kind::xor_key;
  std::string_view key;
  bool option = false;
  for (const auto part : split(unquote(value), ',')) {
    const auto w = words(part);
    if (w.size() == 2 && w[0] == "offset") {
      t.number = static_cast<std::uint32_t>(need_unsigned(w[1], 65535, "xor offset"));
      option = true;
    } else if (w.size() == 3 && w[0] == "extract" && t.key_size == 0) {
      t.key_size = static_cast<std::uint16_t>(need_unsigned(w[1], 255, "xor key size"));
      if (t.key_size == 0) refuse("xor: a key of 0 bytes");
      t.length = static_cast<std::uint32_t>(need_unsigned(w[2], 65535, "xor key offset"));
      option = true;
    } else if (key.empty()) {
      key = unquote(part);
    } else {
      refuse("xor: unknown option '{}'", shown(part));
    }
  }
  if (t.key_size != 0) {
    if (!key.empty()) refuse("xor: a key and extract");
    b.add_transform(std::move(t));
    return;
  }
  if (key.empty() && option) refuse("xor: neither a key nor extract");
  if (key.starts_with("0x")) key.remove_prefix(2);
  if (key.empty() || key.size() % 2 != 0 || key.size() > 510)
    refuse("xor: '{}' is no key in hexadecimal", shown(value));
  for (std::size_t i = 0; i < key.size(); i += 2) {
    const auto byte = unsigned_number(fmt::format("0x{}", key.substr(i, 2)));
    if (!byte) refuse("xor: '{}' is no key in hexadecimal", shown(value));
    t.key += static_cast<char>(*byte);
  }
  b.add_transform(std::move(t));
}

}  // namespace

bool apply_transform(Builder& b, std::string_view name, std::string_view value) {
  using Kind = Transform::Kind;
  static constexpr std::pair<std::string_view, Kind> kPlain[] = {
      {"dotprefix", Kind::dotprefix},
      {"strip_whitespace", Kind::strip_whitespace},
      {"to_lowercase", Kind::to_lowercase},
      {"compress_whitespace", Kind::compress_whitespace},
      {"to_uppercase", Kind::to_uppercase},
      {"to_md5", Kind::to_md5},
      {"to_sha1", Kind::to_sha1},
      {"to_sha256", Kind::to_sha256},
      {"url_decode", Kind::url_decode},
      {"header_lowercase", Kind::header_lowercase},
      {"strip_pseudo_headers", Kind::strip_pseudo_headers}};
  for (const auto& [text, kind] : kPlain) {
    if (name != text) continue;
    if (!value.empty()) refuse("{} takes no value", name);
    Transform t;
    t.kind = kind;
    b.add_transform(std::move(t));
    return true;
  }
  if (name == "from_base64") {
    from_base64(b, value);
    return true;
  }
  if (name == "gunzip" || name == "zlib_deflate") {
    inflate_transform(b, name, value);
    return true;
  }
  if (name == "xor") {
    xor_transform(b, value);
    return true;
  }
  return false;
}

// frame:TYPE of the signature's protocol, or frame:PROTOCOL.TYPE.
std::optional<Buffer> frame_buffer(const Builder& b, std::string_view value) {
  if (const auto whole = sticky_buffer(fmt::format("frame:{}", value))) return whole;
  return sticky_buffer(fmt::format("frame:{}.{}", protocol_keyword(b.sig.protocol.app), value));
}

bool apply_buffer(Builder& b, std::string_view name, std::string_view value) {
  if (name == "frame") {
    const auto frame = frame_buffer(b, trim(value));
    if (!frame) refuse("frame: no parser tells '{}'", shown(value));
    b.need_protocol(abi::info(*frame).protocol, name);
    b.select(*frame, name);
    return true;
  }
  if (name == "bidir.toserver" || name == "bidir.toclient") {
    if (!value.empty()) refuse("{} takes no value", name);
    if (!b.sig.transactional) refuse("{} belongs to signatures with =>", name);
    b.bidir = name == "bidir.toserver" ? abi::kToServer : abi::kToClient;
    return true;
  }
  if (name == "pkt_data") {
    if (!value.empty()) refuse("pkt_data takes no value");
    b.select_payload();
    return true;
  }
  if (const auto buffer = content_modifier(name)) {
    if (!value.empty()) refuse("{} takes no value", name);
    b.move_last_content(*buffer, name);
    return true;
  }
  const auto buffer = sticky_buffer(name);
  if (!buffer) return false;
  std::uint8_t side = 0;
  if (!value.empty()) {
    // Only these exist both ways and let a signature choose (user guide, "HTTP Keywords").
    if (*buffer != Buffer::http_connection && *buffer != Buffer::file_data && *buffer != Buffer::file_name)
      refuse("{} takes no value", name);
    side = value == "to_client" ? abi::kToClient : value == "to_server" ? abi::kToServer : std::uint8_t{0};
    if (side == 0) refuse("{}: unknown option '{}'", name, shown(value));
    if (!b.sig.transactional) b.sig.directions &= side;
    if (b.sig.directions == 0)
      refuse("{}: {} contradicts the direction of another buffer", name, shown(value));
  }
  if (*buffer != Buffer::base64_data) {
    if (*buffer == Buffer::dce_stub_data || abi::info(*buffer).protocol != AppProtocol::unknown)
      b.need_protocol(abi::info(*buffer).protocol, name);
    if (*buffer == Buffer::file_data || *buffer == Buffer::file_name) need_files(b, name);
  }
  b.select(*buffer, name, side);
  return true;
}

bool apply_app(Builder& b, std::string_view name, std::string_view value) {
  if (name == "dce_iface" || name == "dcerpc.iface")
    dce_interface(b, name, value);
  else if (name == "dce_opnum" || name == "dcerpc.opnum")
    dce_operation(b, name, value);
  else if (name == "ssl_state")
    ssl_state(b, value);
  else if (name == "ssl_version")
    ssl_version(b, value);
  else if (name == "tls.version")
    tls_version(b, value);
  else if (name == "tls.subject")
    tls_text(b, value, Buffer::tls_cert_subject, name);
  else if (name == "tls.issuerdn")
    tls_text(b, value, Buffer::tls_cert_issuer, name);
  else if (name == "tls.fingerprint")
    tls_text(b, value, Buffer::tls_cert_fingerprint, name);
  else if (name == "app-layer-event")
    app_layer_event(b, value);
  else if (name == "app-layer-protocol")
    app_layer_protocol(b, value);
  else if (name == "ftpdata_command")
    ftpdata_command(b, value);
  else if (name == "iprep")
    reputation(b, value);
  else if (name == "geoip")
    geoip(b, value);
  else if (name == "dataset")
    dataset(b, value);
  else if (name == "datarep")
    datarep(b, value);
  else if (name == "dns.opcode")
    dns_opcode(b, value);
  else
    return false;
  return true;
}

}  // namespace sekisho::signatures
