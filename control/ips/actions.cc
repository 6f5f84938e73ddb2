#include "control/ips/actions.h"

#include <algorithm>
#include <map>

namespace sekisho::control {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool named(const std::vector<std::string>& values, std::string_view value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// True if some value of that metadata key is among `values`.
bool metadata(const signatures::SignatureInfo& s, std::string_view key,
              const std::vector<std::string>& values) {
  return std::any_of(s.metadata.begin(), s.metadata.end(),
                     [&](const auto& m) { return lower(m.first) == key && named(values, lower(m.second)); });
}

bool in_group(const IpsRule& rule, const signatures::SignatureInfo& s, std::string_view file) {
  for (const std::string& group : rule.groups) {
    const std::size_t equals = group.find('=');
    if (equals == group.npos
            ? group == file
            : metadata(s, std::string_view(group).substr(0, equals), {group.substr(equals + 1)}))
      return true;
  }
  return false;
}

}  // namespace

std::string base_name(std::string_view path) {
  std::string name = lower(path.substr(path.rfind('/') + 1));
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return name;
}

bool takes(const IpsRule& rule, const signatures::SignatureInfo& s, std::string_view file) {
  if (!rule.sids.empty() && !std::binary_search(rule.sids.begin(), rule.sids.end(), s.sid)) return false;
  if (s.action == "pass" && rule.sids.empty()) return false;
  return (rule.classtypes.empty() || named(rule.classtypes, lower(s.classtype))) &&
         (rule.severities.empty() || metadata(s, "signature_severity", rule.severities)) &&
         (rule.confidences.empty() || metadata(s, "confidence", rule.confidences)) &&
         (rule.groups.empty() || in_group(rule, s, file));
}

void build_actions(const Model& model, const signatures::SetInfo& set, const FileOf& file_of,
                   SignaturePart& out) {
  out.actions.clear();
  out.link_actions.assign(model.links.size(), UINT32_MAX);
  // Which blocks a signature fits does not depend on the link: found once.
  const std::size_t count = set.signatures.size();
  std::vector<std::vector<std::uint16_t>> fits(count);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t r = 0; r < model.ips.rules.size(); ++r)
      if (takes(model.ips.rules[r], set.signatures[i], file_of(i)))
        fits[i].push_back(static_cast<std::uint16_t>(r));
  std::map<std::vector<std::uint8_t>, std::uint32_t> known;
  for (std::size_t l = 0; l < model.links.size(); ++l) {
    if (model.links[l].ips == abi::IpsMode::off) continue;
    const auto index = static_cast<std::uint16_t>(l);
    std::vector<std::uint8_t> actions(count, static_cast<std::uint8_t>(abi::IpsAction::as_written));
    bool any = false;
    for (std::size_t i = 0; i < count; ++i) {
      for (const auto r : fits[i]) {
        const IpsRule& rule = model.ips.rules[r];
        if (!rule.links.empty() && std::find(rule.links.begin(), rule.links.end(), index) == rule.links.end())
          continue;
        actions[i] = static_cast<std::uint8_t>(rule.action);
        any = true;
        break;
      }
    }
    if (!any) continue;
    const auto [it, fresh] =
        known.try_emplace(std::move(actions), static_cast<std::uint32_t>(out.actions.size()));
    if (fresh) out.actions.insert(out.actions.end(), it->first.begin(), it->first.end());
    out.link_actions[l] = it->second;
  }
}

}  // namespace sekisho::control
