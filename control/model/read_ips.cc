// [ips]: files, variables, keys, bounds. Its blocks are read in read_ips_rules.cc.
#include "control/model/read_ips.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <set>

#include "control/model/read_config.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kLeastMemory = 16ull << 20, kMostMemory = 1ull << 40;

bool climbs(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == path.npos) break;
    path.remove_prefix(slash + 1);
  }
  return false;
}

std::optional<Ips::File> file_of(const PlacedText& text, Findings& findings) {
  const bool plain = std::none_of(text.text.begin(), text.text.end(),
                                  [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (text.text.size() > 1024 || !plain || climbs(text.text)) {
    findings.error(text.at, "bad file name " + quoted(text.text),
                   "an absolute path, or one inside of the current set, without \"..\"");
    return std::nullopt;
  }
  return Ips::File{text.text, text.at};
}

void read_file(Ips::File& out, const TomlNode* node, Findings& findings) {
  if (!node || !is_string(*node, findings, "the name of a file")) return;
  if (node->string.empty()) return findings.error(node->at, "an empty file name", "the name of a file");
  if (auto file = file_of({node->string, node->at}, findings)) out = std::move(*file);
}

void read_variables(Ips& ips, const TomlNode& node, Findings& findings) {
  const std::string expected = "NAME = \"10.0.0.0/8\" or a list";
  if (node.kind != TomlNode::Kind::table)
    return findings.error(node.at, fmt::format("\"variables\" is {}", kind_text(node.kind)), expected);
  for (const TomlEntry& entry : node.table) {
    if (ips.variables.size() == kMaxIpsVariables)
      return findings.error(entry.key_at, "too many variables", fmt::format("at most {}", kMaxIpsVariables));
    const bool good =
        !entry.key.empty() && entry.key.size() <= 64 &&
        std::all_of(entry.key.begin(), entry.key.end(), [](char c) {
          return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        });
    if (!good) {
      findings.error(entry.key_at, "bad variable name " + quoted(entry.key), "letters, digits and '_'");
      continue;
    }
    std::string value;
    if (entry.value.kind == TomlNode::Kind::array) {
      for (const PlacedText& part : read_texts(entry.value, kMaxIpsValues, expected, findings))
        value += (value.empty() ? "[" : ",") + part.text;
      value += "]";
    } else if (!is_string(entry.value, findings, expected)) {
      continue;
    } else {
      value = entry.value.string;
    }
    if (value.empty() || value.size() > kMaxIpsText) {
      findings.error(entry.value.at, fmt::format("the variable {} is empty or too long", quoted(entry.key)),
                     expected);
      continue;
    }
    ips.variables.push_back({entry.key, std::move(value), entry.value.at});
  }
}

void read_keys(Ips& ips, const TomlNode& node, Findings& findings) {
  const std::string expected = "base64 of an Ed25519 public key, as `sekisho signatures keygen` prints it";
  for (const PlacedText& key : read_texts(node, kMaxIpsKeys, expected, findings)) {
    unsigned char bytes[crypto_sign_PUBLICKEYBYTES];
    std::size_t length = 0;
    const char* end = nullptr;
    if (sodium_base642bin(bytes, sizeof bytes, key.text.data(), key.text.size(), nullptr, &length, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != key.text.data() + key.text.size() || length != sizeof bytes)
      findings.error(key.at, "not a public key", expected);
    else
      ips.trusted_keys.push_back(key.text);
  }
}

void read_order(Ips& ips, const TomlNode& node, Findings& findings) {
  const std::string expected = "pass, drop, reject and alert, each once";
  std::vector<std::string> order;
  for (const PlacedText& word : read_texts(node, 4, expected, findings)) {
    const bool known =
        word.text == "pass" || word.text == "drop" || word.text == "reject" || word.text == "alert";
    if (!known || std::find(order.begin(), order.end(), word.text) != order.end())
      return findings.error(word.at, quoted(word.text) + " in \"action_order\"", expected);
    order.push_back(word.text);
  }
  if (order.size() != 4) return findings.error(node.at, "\"action_order\" is not complete", expected);
  ips.action_order = std::move(order);
}

void read_memory(std::uint32_t& megabytes, TableReader& table, const char* key, Findings& findings) {
  const TomlNode* node = table.get(key);
  if (!node || !is_string(*node, findings, "a size such as \"256MiB\"")) return;
  const auto size = parse_size(node->string);
  if (!size) return findings.error(node->at, size.what, size.expected);
  if (*size < kLeastMemory || *size > kMostMemory || *size % (1u << 20) != 0)
    return findings.error(node->at, fmt::format("\"{}\" is {}", key, quoted(node->string)),
                          "whole MiB from \"16MiB\" to \"1024GiB\"");
  megabytes = static_cast<std::uint32_t>(*size >> 20);
}

}  // namespace

std::vector<PlacedText> read_texts(const TomlNode& node, std::size_t most, const std::string& expected,
                                   Findings& findings) {
  std::vector<PlacedText> out;
  for (const TomlNode* item : one_or_more(node, findings, expected)) {
    if (!is_string(*item, findings, expected)) continue;
    if (item->string.empty() || item->string.size() > kMaxIpsText) {
      findings.error(item->at, "an empty or overlong text", expected);
      continue;
    }
    if (out.size() == most) {
      findings.error(item->at, fmt::format("more than {} of them", most), fmt::format("at most {}", most));
      break;
    }
    out.push_back({item->string, item->at});
  }
  return out;
}

std::optional<std::uint32_t> read_depth(const TomlNode& node, Findings& findings) {
  const std::string expected = "a size such as \"512KiB\" or \"8MiB\", or \"all\"";
  if (node.kind == TomlNode::Kind::integer && node.integer == 0) return 0;
  if (!is_string(node, findings, expected)) return std::nullopt;
  if (node.string == "all") return 0;
  const auto size = parse_size(node.string);
  if (!size) {
    findings.error(node.at, size.what, expected);
    return std::nullopt;
  }
  if (*size >> 10 > 0xffffffffu) {
    findings.error(node.at, "the size " + quoted(node.string) + " is too large", "\"all\"");
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*size >> 10);
}

std::optional<std::int64_t> read_moment(const TomlNode& node, const char* key, const std::string& expected,
                                        const Draft& draft, Findings& findings) {
  if (node.kind != TomlNode::Kind::date && node.kind != TomlNode::Kind::date_time) {
    findings.error(node.at, fmt::format("\"{}\" is {}", key, kind_text(node.kind)), expected);
    return std::nullopt;
  }
  return node.has_offset ? node.seconds : node.seconds - draft.model.settings.utc_offset_s;
}

void read_ips(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  Ips& ips = draft.model.ips;
  const auto& links = draft.model.links;
  const auto inspects = [](const Link& l) { return l.ips != abi::IpsMode::off; };
  const auto first = std::find_if(links.begin(), links.end(), inspects);
  const TomlEntry* entry = root.find("ips");
  if (entry) {
    TableReader table(entry->value, findings, "[ips]");
    if (const TomlNode* files = table.get("files")) {
      std::set<std::string> seen;
      for (const PlacedText& text : read_texts(*files, kMaxIpsFiles, "names of signature files", findings)) {
        if (!seen.insert(text.text).second)
          findings.error(text.at, fmt::format("the file {} is named twice", quoted(text.text)),
                         "each file once");
        else if (auto file = file_of(text, findings))
          ips.files.push_back(std::move(*file));
      }
    }
    if (const TomlNode* keys = table.get("trusted_keys")) read_keys(ips, *keys, findings);
    if (const TomlNode* variables = table.get("variables")) read_variables(ips, *variables, findings);
    read_file(ips.classification, table.get("classification"), findings);
    read_file(ips.threshold, table.get("threshold"), findings);
    if (const TomlNode* order = table.get("action_order")) read_order(ips, *order, findings);
    if (const TomlNode* time = table.get("new_signatures_detect_for")) {
      constexpr std::uint32_t kLongest = 90 * 86400;
      const std::string expected = "a duration such as \"7d\" (at most \"90d\"), or 0";
      if (time->kind == TomlNode::Kind::integer && time->integer == 0) {
        ips.new_detect_s = 0;
      } else if (is_string(*time, findings, expected)) {
        const auto seconds =
            time->string == "0" ? Parsed<std::uint32_t>{0u, "", ""} : parse_duration(time->string);
        if (!seconds || *seconds > kLongest)
          findings.error(time->at, seconds ? "new signatures would only detect for too long" : seconds.what,
                         expected);
        else
          ips.new_detect_s = *seconds;
      }
    }
    read_memory(ips.app_memory_mb, table, "app_memory", findings);
    read_memory(ips.stream_memory_mb, table, "stream_memory", findings);
    table.get("action");
    table.get("exception");
    table.finish();
    if (entry->value.kind == TomlNode::Kind::table) {
      read_ips_rules(draft, entry->value);
      read_ips_exceptions(draft, entry->value);
    }
  }
  draft.model.settings.app_memory_mb = ips.app_memory_mb;
  draft.model.settings.stream_memory_mb = ips.stream_memory_mb;
  if (findings.failed()) return;
  if (first != links.end() && ips.files.empty())
    findings.warning(first->at,
                     fmt::format("link {} inspects, but there are no signatures", quoted(first->name)),
                     "[ips] with files");
  if (first == links.end() && !ips.files.empty())
    findings.warning(ips.files.front().at, "there are signatures, but no link inspects",
                     "ips = \"detect\" or \"prevent\" in a [[link]]");
}

}  // namespace sekisho::control
