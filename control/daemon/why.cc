#include "control/daemon/why.h"

#include <nlohmann/json.hpp>
#include <set>

#include "control/model/values.h"
#include "control/policy/explain.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr const char* kActions[] = {"accept", "drop", "reject"};

std::string rule_at(const Model& model, const Rule& rule) {
  return rule.at.file < model.files.size() ? model.files[rule.at.file] + ":" + std::to_string(rule.at.line)
                                           : std::string();
}

// Zones in which a host was seen as an end of a live flow.
std::set<std::uint16_t> zones_of(const Address& host, const std::vector<abi::FlowRecord>& flows) {
  std::set<std::uint16_t> zones;
  for (const abi::FlowRecord& f : flows) {
    if (address_of(f.ip_version, f.source) == host) zones.insert(f.from_zone);
    if (address_of(f.ip_version, f.destination) == host) zones.insert(f.to_zone);
  }
  return zones;
}

bool quarantined(const LinkControlStatus& links, const Address& host) {
  const std::string text = to_string(host);
  for (const QuarantinedHost& h : links.quarantine)
    if (to_string(h.key) == text) return true;
  return false;
}

bool access_open(const sekisho_words* words, std::uint16_t access, std::uint64_t now_ns) {
  if (words == nullptr || access >= SEKISHO_MAX_ACCESS) return false;
  const volatile sekisho_access_word& word = words->access[access];
  return word.state == SEKISHO_WORD_OPEN && now_ns < word.deadline_ns;
}

bool is_protected(const Site& site, const Address& address) {
  const Asset* asset = site.assets ? site.assets->find(address) : nullptr;
  return asset != nullptr && asset->is_protected;
}

}  // namespace

json why(const Site& site, const LinkControlStatus& links, const WhyQuestion& question,
         const std::vector<abi::FlowRecord>& flows, std::uint64_t now_wall_s, std::uint64_t now_mono_ns,
         const sekisho_words* words) {
  const Model& model = site.model;
  const auto from = question.from.empty() ? std::nullopt : site.find_zone(question.from);
  const auto to = question.to.empty() ? std::nullopt : site.find_zone(question.to);
  std::set<std::uint16_t> sources = from ? std::set<std::uint16_t>{*from} : zones_of(question.source, flows);
  std::set<std::uint16_t> destinations =
      to ? std::set<std::uint16_t>{*to} : zones_of(question.destination, flows);
  const bool seen = !sources.empty() && !destinations.empty();
  for (std::uint16_t z = 0; z < model.zones.size(); ++z) {
    if (sources.empty() || (!from && !seen)) sources.insert(z);
    if (destinations.empty() || (!to && !seen)) destinations.insert(z);
  }

  json answers = json::array();
  for (const std::uint16_t a : sources) {
    for (const std::uint16_t b : destinations) {
      if (!wired(model, a, b)) continue;
      PolicyQuestion q;
      q.from = a;
      q.to = b;
      q.source = question.source;
      q.destination = question.destination;
      q.protocol = question.protocol;
      q.source_port = question.protocol == 1 || question.protocol == 58 ? 0 : question.source_port;
      q.destination_port = question.destination_port;
      const Explanation e = explain(model, q, now_wall_s, [&](std::uint16_t access) {
        return access_open(words, access, now_mono_ns);
      });
      const std::uint32_t index = sekisho_link_index(a, b);
      const Link* link = site.find_link(static_cast<std::uint16_t>(index));
      const bool partial = links.partial.test(index);
      const bool cut =
          links.cut.test(index) &&
          !(partial && (is_protected(site, question.source) || is_protected(site, question.destination)));
      const bool isolated = quarantined(links, question.source) || quarantined(links, question.destination);
      const bool learning =
          link != nullptr && link->mode == abi::LinkMode::learn && now_wall_s < link->learn_until_wall_s;

      json one = {{"from", site.zone_name(a)},
                  {"to", site.zone_name(b)},
                  {"link", site.link_name(static_cast<std::uint16_t>(index))},
                  {"link_cut", cut},
                  {"link_partial", partial},
                  {"quarantined", isolated},
                  {"policy", kActions[static_cast<std::size_t>(e.action)]}};
      if (e.rule == Explanation::kDefault) {
        one["rule"] = "default deny";
      } else {
        one["rule"] = model.rules[e.rule].name;
        one["rule_at"] = rule_at(model, model.rules[e.rule]);
      }
      json passed = json::array();
      for (const PassedOver& p : e.passed_over)
        passed.push_back(
            {{"rule", model.rules[p.rule].name},
             {"rule_at", rule_at(model, model.rules[p.rule])},
             {"why", p.schedule_inactive ? "outside its schedule" : "its vendor access is closed"}});
      one["passed_over"] = passed;
      std::string verdict, decided;
      if (cut) {
        verdict = "drop";
        decided = "link_cut";
      } else if (isolated) {
        verdict = "drop";
        decided = "quarantined";
      } else if (e.action == abi::Action::accept) {
        verdict = "pass";
        decided = "policy_rule";
      } else if (learning) {
        verdict = "pass";
        decided =
            "learn mode (policy would " + std::string(kActions[static_cast<std::size_t>(e.action)]) + ")";
      } else {
        verdict = kActions[static_cast<std::size_t>(e.action)];
        decided = e.rule == Explanation::kDefault ? "policy_default" : "policy_rule";
      }
      one["verdict"] = verdict;
      one["decided_by"] = decided;
      answers.push_back(std::move(one));
    }
  }
  return {{"source", to_string(question.source)},
          {"destination", to_string(question.destination)},
          {"zones_seen", seen || (from && to)},
          {"answers", answers}};
}

}  // namespace sekisho::control
