// [people] and [api]: who may log in, how long, and where sekisho-api listens.
#include <fmt/format.h>

#include <algorithm>

#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kMaxPath = 1024;

void read_span(TableReader& table, const char* key, std::uint32_t& field, std::uint32_t low,
               std::uint32_t high, Findings& findings) {
  const auto seconds = table.duration(key);
  if (!seconds) return;
  if (*seconds < low || *seconds > high)
    return findings.error(table.at(key), fmt::format("\"{}\" is {}", key, duration_text(*seconds)),
                          fmt::format("from \"{}\" to \"{}\"", duration_text(low), duration_text(high)));
  field = *seconds;
}

void read_count(TableReader& table, const char* key, std::uint32_t& field, std::int64_t low,
                std::int64_t high) {
  if (const auto value = table.integer(key, low, high)) field = static_cast<std::uint32_t>(*value);
}

PeopleSettings read_people_table(const TomlNode& node, Findings& findings) {
  constexpr std::uint32_t kMinute = 60, kHour = 3600, kDay = 86400;
  TableReader table(node, findings, "[people]");
  PeopleSettings out;
  out.at = node.at;
  read_count(table, "reopen_people", out.reopen_people, 1, 2);
  read_span(table, "request_expires", out.request_expires_s, kMinute, kDay, findings);
  read_span(table, "undo", out.undo_s, kMinute, kHour, findings);
  read_span(table, "session_idle", out.session_idle_s, kMinute, kDay, findings);
  read_span(table, "session_longest", out.session_longest_s, kMinute, 7 * kDay, findings);
  read_count(table, "lockout_failures", out.lockout_failures, 3, 20);
  read_count(table, "address_failures", out.address_failures, 3, 1000);
  read_span(table, "lockout", out.lockout_s, 10, kDay, findings);
  out.certificate_replaces_code = table.flag("certificate_replaces_code", false);
  table.finish();
  if (node.find("session_idle") == nullptr)
    out.session_idle_s = std::min(out.session_idle_s, out.session_longest_s);
  if (out.session_idle_s > out.session_longest_s)
    findings.error(table.at("session_idle"), "a session may be idle longer than it may last",
                   "\"session_idle\" at most \"session_longest\"");
  return out;
}

// "192.0.2.1:8443", "[2001:db8::1]:8443".
void read_listen(ApiSettings& out, TableReader& table, Findings& findings) {
  const std::string expected =
      "one management address and port, e.g. \"192.0.2.1:8443\" or \"[fd00::1]:8443\"";
  const auto text = table.text("listen", TableReader::kRequired);
  if (!text) return;
  const Position at = table.at("listen");
  const std::size_t colon = text->rfind(':');
  if (colon == std::string::npos || colon + 1 == text->size() || text->size() - colon > 6)
    return findings.error(at, "\"listen\" is " + quoted(*text), expected);
  unsigned long port = 0;
  for (const char c : text->substr(colon + 1)) {
    if (c < '0' || c > '9') return findings.error(at, "\"listen\" is " + quoted(*text), expected);
    port = port * 10 + static_cast<unsigned long>(c - '0');
  }
  std::string address = text->substr(0, colon);
  const bool bracket = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (bracket) address = address.substr(1, address.size() - 2);
  const auto parsed = parse_address(address);
  if (!parsed || port == 0 || port > 65535 || ((*parsed).version == 6) != bracket)
    return findings.error(at, "\"listen\" is " + quoted(*text), expected);
  bool any = true;
  for (const auto byte : (*parsed).bytes) any = any && byte == 0;
  if (any)
    return findings.error(at, "\"listen\" is every address of this machine",
                          "the one address of the management network");
  out.address = address;
  out.ipv6 = bracket;
  out.port = static_cast<std::uint16_t>(port);
}

void read_path(std::string& out, TableReader& table, const char* key, Findings& findings) {
  const auto text = table.text(key);
  if (!text) return;
  if (text->empty() || text->front() != '/' || text->size() > kMaxPath)
    return findings.error(table.at(key), fmt::format("\"{}\" is {}", key, quoted(*text)),
                          "the absolute path of a PEM file");
  out = *text;
}

ApiSettings read_api_table(const TomlNode& node, Findings& findings) {
  TableReader table(node, findings, "[api]");
  ApiSettings out;
  out.at = node.at;
  read_listen(out, table, findings);
  read_path(out.cert, table, "cert", findings);
  read_path(out.key, table, "key", findings);
  read_path(out.client_ca, table, "client_ca", findings);
  read_count(table, "connections", out.connections, 16, 20'000);
  read_count(table, "connections_per_address", out.connections_per_address, 4, 20'000);
  table.finish();
  if (out.cert.empty() != out.key.empty())
    findings.error(out.cert.empty() ? table.at("key") : table.at("cert"), "\"cert\" and \"key\" go together",
                   "both, or neither (then a self-signed pair is made)");
  return out;
}

}  // namespace

void read_people(Draft& draft, const TomlNode& root) {
  const TomlEntry* people = root.find("people");
  const TomlEntry* api = root.find("api");
  if (people != nullptr) draft.model.people = read_people_table(people->value, draft.findings);
  if (api == nullptr) return;
  draft.model.api = read_api_table(api->value, draft.findings);
  if (people == nullptr)
    draft.findings.error(api->key_at, "[api] without [people]", "[people]: who logs in, and how");
}

}  // namespace sekisho::control
