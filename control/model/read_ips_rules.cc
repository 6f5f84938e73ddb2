// [[ips.action]] and [[ips.exception]]
#include <fmt/format.h>

#include <algorithm>

#include "control/model/read_config.h"
#include "control/model/read_ips.h"

namespace sekisho::control {
namespace {

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool plain(const std::string& text, std::size_t most) {
  return !text.empty() && text.size() <= most && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

void read_values(std::vector<std::string>& out, TableReader& table, const char* key, Findings& findings) {
  const TomlNode* node = table.get(key);
  if (!node) return;
  for (const PlacedText& text :
       read_texts(*node, kMaxIpsValues, fmt::format("names for \"{}\"", key), findings))
    out.push_back(lower(text.text));
}

void read_sids(std::vector<std::uint32_t>& out, const TomlNode& node, Findings& findings) {
  const std::string expected = "a sid from 1 to 4294967295, or a list";
  for (const TomlNode* item : one_or_more(node, findings, expected)) {
    if (item->kind != TomlNode::Kind::integer || item->integer < 1 || item->integer > 0xffffffff) {
      findings.error(item->at, "not a sid", expected);
    } else if (out.size() == kMaxIpsValues) {
      findings.error(item->at, "too many sids", fmt::format("at most {} in one block", kMaxIpsValues));
      break;
    } else {
      out.push_back(static_cast<std::uint32_t>(item->integer));
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

void read_links_of(IpsRule& rule, const TomlNode& node, Draft& draft) {
  if (node.kind == TomlNode::Kind::string && node.string == "all") return;
  for (const TomlNode* item : one_or_more(node, draft.findings, "links, or \"all\"")) {
    const auto index = resolve(draft.links, *item, "link", draft.findings);
    if (!index || *index >= draft.model.links.size()) continue;
    rule.links.push_back(static_cast<std::uint16_t>(*index));
    const Link& link = draft.model.links[*index];
    const bool acts = rule.action == abi::IpsAction::drop || rule.action == abi::IpsAction::reject;
    if (link.ips == abi::IpsMode::off)
      draft.findings.warning(item->at, fmt::format("link {} does not inspect", quoted(link.name)),
                             "ips = \"detect\" or \"prevent\" on it");
    else if (acts && link.ips == abi::IpsMode::detect)
      draft.findings.warning(item->at,
                             fmt::format("link {} only detects: nothing will be dropped", quoted(link.name)),
                             "ips = \"prevent\" on it");
  }
}

// Objects by name, literals, "any".
void read_hosts(std::vector<AddressRange>& out, const TomlNode& node, Draft& draft) {
  Findings& findings = draft.findings;
  if (node.kind == TomlNode::Kind::string && node.string == "any") return;
  for (const TomlNode* item : one_or_more(node, findings, "objects or addresses")) {
    if (!is_string(*item, findings, "the name of an address object, or an address")) continue;
    if (looks_like_address(item->string)) {
      const auto range = parse_address_range(item->string);
      if (range)
        out.push_back(*range);
      else
        findings.error(item->at, range.what, range.expected);
    } else {
      const std::string name = item->string.starts_with('@') ? item->string.substr(1) : item->string;
      const auto found = draft.model.addresses.find(name);
      if (found == draft.model.addresses.end()) {
        std::vector<std::string> names;
        for (const auto& [known, ranges] : draft.model.addresses) names.push_back(known);
        findings.error(
            item->at,
            fmt::format("no address object is named {}{}", quoted(name), did_you_mean(name, names, findings)),
            "the name of an object in [addresses], or an address");
      } else {
        out.insert(out.end(), found->second.begin(), found->second.end());
      }
    }
    if (out.size() > kMaxRanges)
      return findings.error(item->at, "too many addresses", fmt::format("at most {} ranges", kMaxRanges));
  }
}

}  // namespace

void read_ips_rules(Draft& draft, const TomlNode& ips) {
  Findings& findings = draft.findings;
  KnownNames names;
  for (const TomlNode* node : tables(ips, "action", kMaxIpsRules, findings)) {
    TableReader table(*node, findings, "[[ips.action]]");
    IpsRule rule;
    rule.at = node->at;
    const auto index = static_cast<std::uint32_t>(draft.model.ips.rules.size());
    const auto name = table.text("name");
    rule.name = name ? *name : fmt::format("action {}", index + 1);
    if (!plain(rule.name, 127))
      findings.error(table.at("name"), "bad name " + quoted(rule.name), "1 to 127 bytes on one line");
    else if (const auto [it, fresh] =
                 names.entries.try_emplace(rule.name, KnownNames::Entry{index, table.at("name")});
             !fresh)
      findings.error(
          table.at("name"),
          fmt::format("the action {} exists already ({})", quoted(rule.name), where(it->second.at)),
          "a name of its own");
    static constexpr abi::IpsAction kActions[] = {abi::IpsAction::off, abi::IpsAction::alert,
                                                  abi::IpsAction::drop, abi::IpsAction::reject};
    if (const auto word = table.word("action", {"off", "alert", "drop", "reject"}, TableReader::kRequired))
      rule.action = kActions[*word];
    const TomlNode* links = table.get("links");
    read_values(rule.classtypes, table, "classtype", findings);
    read_values(rule.severities, table, "severity", findings);
    read_values(rule.confidences, table, "confidence", findings);
    read_values(rule.groups, table, "group", findings);
    const TomlNode* sids = table.get("sid");
    if (sids) read_sids(rule.sids, *sids, findings);
    const bool any = table.get("classtype") || table.get("severity") || table.get("confidence") ||
                     table.get("group") || sids;
    if (!any)
      findings.error(node->at, "this block would take every signature",
                     "at least one of classtype, severity, confidence, sid, group");
    table.finish();
    if (links) read_links_of(rule, *links, draft);
    draft.model.ips.rules.push_back(std::move(rule));
  }
}

void read_ips_exceptions(Draft& draft, const TomlNode& ips) {
  Findings& findings = draft.findings;
  const auto now = static_cast<std::int64_t>(draft.now_wall_s);
  const std::string expected =
      fmt::format("a date (2026-12-24) or date and time at most {} days from now", kMaxExceptionDays);
  for (const TomlNode* node : tables(ips, "exception", kMaxIpsExceptions, findings)) {
    TableReader table(*node, findings, "[[ips.exception]]");
    IpsException exception;
    exception.at = node->at;
    const TomlNode* sid = table.get("sid", TableReader::kRequired);
    const bool every = sid && sid->kind == TomlNode::Kind::string && sid->string == "any";
    if (sid && !every) read_sids(exception.sids, *sid, findings);
    const TomlNode* hosts = table.get("addresses");
    if (hosts) read_hosts(exception.addresses, *hosts, draft);
    if (every && (!hosts || (hosts->kind == TomlNode::Kind::string && hosts->string == "any")))
      findings.error(node->at, "this exception would switch off every signature for every host",
                     "addresses, or a sid");
    if (const auto reason = table.text("reason", TableReader::kRequired)) {
      exception.reason = *reason;
      if (!plain(*reason, 500))
        findings.error(table.at("reason"), "bad reason " + quoted(*reason), "1 to 500 bytes on one line");
    }
    if (const TomlNode* until = table.get("until", TableReader::kRequired)) {
      if (const auto end = read_moment(*until, "until", expected, draft, findings)) {
        if (*end > now + std::int64_t{kMaxExceptionDays} * 86400)
          findings.error(until->at,
                         fmt::format("the exception would last {} days", (*end - now + 86399) / 86400),
                         expected);
        else if (*end <= now)
          // No error: a site must come up again after a restart that happens later than this day.
          findings.warning(until->at, "this exception has ended", "no such block, or a later date");
        exception.until_wall_s = static_cast<std::uint64_t>(std::max<std::int64_t>(*end, 1));
      }
    }
    table.finish();
    draft.model.ips.exceptions.push_back(std::move(exception));
  }
}

}  // namespace sekisho::control
