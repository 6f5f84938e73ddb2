#include "control/model/reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace sekisho::control {

void Findings::add(Diagnostic diagnostic) {
  if (full()) {
    ++unsaid_;
    return;
  }
  list_.push_back(std::move(diagnostic));
}

void Findings::error(Position at, std::string what, std::string expected) {
  ++errors_;
  add({Diagnostic::Severity::error, at, std::move(what), std::move(expected)});
}

void Findings::warning(Position at, std::string what, std::string expected) {
  add({Diagnostic::Severity::warning, at, std::move(what), std::move(expected)});
}

std::vector<Diagnostic> Findings::take() {
  std::stable_sort(list_.begin(), list_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
  if (unsaid_ != 0) {
    const auto severity = failed() ? Diagnostic::Severity::error : Diagnostic::Severity::warning;
    list_.push_back({severity, {}, fmt::format("{} more findings are not shown", unsaid_), ""});
  }
  return std::move(list_);
}

TableReader::TableReader(const TomlNode& node, Findings& findings, std::string what)
    : node_(node), findings_(findings), what_(std::move(what)), usable_(node.kind == TomlNode::Kind::table) {
  if (!usable_) {
    findings_.error(node.at, fmt::format("{} is {}", what_, kind_text(node.kind)), "a table");
  }
}

Position TableReader::at(const char* key) const {
  const TomlEntry* entry = node_.find(key);
  return entry ? entry->value.at : node_.at;
}

const TomlNode* TableReader::get(const char* key, Need need) {
  known_.emplace_back(key);
  if (!usable_) return nullptr;
  const TomlEntry* entry = node_.find(key);
  if (!entry && need == kRequired) {
    findings_.error(node_.at, fmt::format("{} without \"{}\"", what_, key),
                    fmt::format("the key \"{}\"", key));
  }
  return entry ? &entry->value : nullptr;
}

std::optional<std::string> TableReader::text(const char* key, Need need) {
  const TomlNode* node = get(key, need);
  if (!node || !is_string(*node, findings_, fmt::format("a string for \"{}\"", key))) return std::nullopt;
  return node->string;
}

std::optional<std::int64_t> TableReader::integer(const char* key, std::int64_t low, std::int64_t high,
                                                 Need need) {
  const TomlNode* node = get(key, need);
  if (!node) return std::nullopt;
  const std::string expected = fmt::format("an integer from {} to {}", low, high);
  if (node->kind != TomlNode::Kind::integer) {
    findings_.error(node->at, fmt::format("\"{}\" is {}", key, kind_text(node->kind)), expected);
    return std::nullopt;
  }
  if (node->integer < low || node->integer > high) {
    findings_.error(node->at, fmt::format("\"{}\" is {}: out of range", key, node->integer), expected);
    return std::nullopt;
  }
  return node->integer;
}

bool TableReader::flag(const char* key, bool fallback) {
  const TomlNode* node = get(key);
  if (!node) return fallback;
  if (node->kind != TomlNode::Kind::boolean) {
    findings_.error(node->at, fmt::format("\"{}\" is {}", key, kind_text(node->kind)), "true or false");
    return fallback;
  }
  return node->boolean;
}

std::optional<std::uint32_t> TableReader::duration(const char* key) {
  const TomlNode* node = get(key);
  const std::string expected = "a duration such as \"30s\", \"2m\", \"8h\" or \"3d\"";
  if (!node || !is_string(*node, findings_, expected)) return std::nullopt;
  auto parsed = parse_duration(node->string);
  if (!parsed) findings_.error(node->at, parsed.what, parsed.expected);
  return parsed.value;
}

std::optional<std::size_t> TableReader::word(const char* key, const std::vector<std::string>& words,
                                             Need need) {
  const TomlNode* node = get(key, need);
  std::string expected;
  for (const std::string& w : words) {
    expected += (expected.empty() ? "" : w == words.back() ? " or " : ", ") + fmt::format("\"{}\"", w);
  }
  if (!node || !is_string(*node, findings_, expected)) return std::nullopt;
  const auto found = std::find(words.begin(), words.end(), node->string);
  if (found == words.end()) {
    findings_.error(node->at, fmt::format("\"{}\" is {}", key, quoted(node->string)), expected);
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - words.begin());
}

void TableReader::finish() {
  if (!usable_) return;
  for (const TomlEntry& entry : node_.table) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    std::string expected = "one of: ";
    for (std::size_t i = 0; i < known_.size(); ++i) expected += (i ? ", " : "") + known_[i];
    const std::string hint = did_you_mean(entry.key, known_, findings_);
    findings_.error(entry.key_at, fmt::format("unknown key {} in {}{}", quoted(entry.key), what_, hint),
                    expected);
  }
}

std::vector<std::string> KnownNames::list() const {
  std::vector<std::string> out;
  out.reserve(entries.size());
  for (const auto& [name, entry] : entries) out.push_back(name);
  return out;
}

std::string where(Position at) {
  return fmt::format("line {}", at.line);
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known,
                         const Findings& findings) {
  if (findings.full()) return "";  // nobody will read it, and it is the costly part
  const std::string near = nearest(name, known);
  return near.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", near);
}

bool is_string(const TomlNode& node, Findings& findings, const std::string& expected) {
  if (node.kind == TomlNode::Kind::string) return true;
  findings.error(node.at, fmt::format("this is {}", kind_text(node.kind)), expected);
  return false;
}

std::vector<const TomlNode*> one_or_more(const TomlNode& node, Findings& findings, const std::string& what) {
  std::vector<const TomlNode*> out;
  if (node.kind != TomlNode::Kind::array) return {&node};
  if (node.array.empty()) findings.error(node.at, "an empty list would match nothing", what);
  out.reserve(node.array.size());
  for (const TomlNode& item : node.array) out.push_back(&item);
  return out;
}

std::vector<const TomlNode*> tables(const TomlNode& root, const char* key, std::size_t most,
                                    Findings& findings) {
  std::vector<const TomlNode*> out;
  const TomlEntry* entry = root.find(key);
  if (!entry) return out;
  if (entry->value.kind != TomlNode::Kind::array) {
    findings.error(entry->key_at, fmt::format("\"{}\" is {}", key, kind_text(entry->value.kind)),
                   fmt::format("[[{}]] tables", key));
    return out;
  }
  for (const TomlNode& item : entry->value.array) {
    if (out.size() == most) {
      findings.error(item.at, fmt::format("more than {} [[{}]]", most, key), fmt::format("at most {}", most));
      break;
    }
    out.push_back(&item);
  }
  return out;
}

bool enter_name(KnownNames& names, const std::string& name, Position at, std::uint32_t index,
                const char* kind, std::size_t longest, Findings& findings) {
  if (const std::string fault = name_fault(name, longest); !fault.empty()) {
    findings.error(
        at, fault,
        fmt::format("at most {} letters, digits, '-', '_' or '.', a letter or digit first", longest));
    return false;
  }
  const auto [it, fresh] = names.entries.try_emplace(name, KnownNames::Entry{index, at});
  if (!fresh) {
    findings.error(at, fmt::format("the {} {} exists already ({})", kind, quoted(name), where(it->second.at)),
                   "a name of its own");
  }
  return fresh;
}

std::optional<std::uint32_t> resolve(const KnownNames& names, const TomlNode& node, const char* kind,
                                     Findings& findings) {
  if (!is_string(node, findings, fmt::format("the name of a {}", kind))) return std::nullopt;
  const auto found = names.entries.find(node.string);
  if (found != names.entries.end()) return found->second.index;
  const std::string hint = findings.full() ? "" : did_you_mean(node.string, names.list(), findings);
  findings.error(node.at, fmt::format("no {} is named {}{}", kind, quoted(node.string), hint),
                 fmt::format("the name of a declared {}", kind));
  return std::nullopt;
}

}  // namespace sekisho::control
