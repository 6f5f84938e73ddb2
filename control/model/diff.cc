#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "control/model/describe.h"
#include "control/model/render.h"
#include "control/model/values.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kShown = 8;

// All values if they are few; of a long list those that the other side lacks, and how many there are.
std::string joined(const std::vector<std::string>& values, const std::vector<std::string>* other) {
  std::vector<std::string> shown = values;
  std::string tail;
  if (values.size() > kShown) {
    tail = fmt::format("({} in all)", values.size());
    if (other) {
      const std::set<std::string> theirs(other->begin(), other->end());
      std::erase_if(shown, [&](const std::string& v) { return theirs.count(v) != 0; });
    }
    if (shown.size() > kShown) {
      tail = fmt::format("… ({} in all)", values.size());
      shown.resize(kShown);
    }
  }
  std::string out;
  for (const std::string& v : shown) out += (out.empty() ? "" : ", ") + v;
  if (!tail.empty()) out += (out.empty() ? "" : " ") + tail;
  return out;
}

void append(std::string& out, const std::string& field, const std::string& value) {
  if (!out.empty()) out += "; ";
  out += field.empty() ? value : field + " " + value;
}

std::string all_fields(const Described& object) {
  std::string out;
  for (const auto& [field, values] : object.fields) append(out, field, joined(values, nullptr));
  return out;
}

// Of two sequences of the same names, those outside of a longest common order (patience, O(n log n)).
std::set<std::string> moved(const std::vector<Described>& a, const std::vector<Described>& b) {
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < a.size(); ++i) place.emplace(a[i].name, i);
  std::vector<std::pair<std::size_t, std::string>> sequence;
  for (const Described& object : b) {
    const auto found = place.find(object.name);
    if (found != place.end()) sequence.emplace_back(found->second, object.name);
  }
  constexpr auto kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> ends, before(sequence.size(), kNone);
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    const auto at =
        std::lower_bound(ends.begin(), ends.end(), sequence[i].first,
                         [&](std::size_t e, std::size_t value) { return sequence[e].first < value; });
    if (at != ends.begin()) before[i] = *std::prev(at);
    if (at == ends.end())
      ends.push_back(i);
    else
      *at = i;
  }
  std::set<std::string> out;
  for (const auto& [i, name] : sequence) out.insert(name);
  for (std::size_t i = ends.empty() ? kNone : ends.back(); i != kNone; i = before[i])
    out.erase(sequence[i].second);
  return out;
}

void compare(const Described& a, const Described& b, const std::string& kind, ModelDiff& out) {
  ModelChange change{ModelChange::Kind::changed, kind, b.name, "", "", b.at};
  bool differs = false;
  for (std::size_t i = 0; i < a.fields.size(); ++i) {
    const auto& [field, before] = a.fields[i];
    const auto& after = b.fields[i].second;
    if (before == after) continue;
    differs = true;
    append(change.before, field, joined(before, &after));
    append(change.after, field, joined(after, &before));
  }
  if (differs) out.changes.push_back(std::move(change));
}

void compare_kind(const DescribedKind& a, const DescribedKind& b, ModelDiff& out) {
  std::map<std::string, std::size_t> in_a, in_b;
  for (std::size_t i = 0; i < a.objects.size(); ++i) in_a.emplace(a.objects[i].name, i);
  for (std::size_t i = 0; i < b.objects.size(); ++i) in_b.emplace(b.objects[i].name, i);
  for (const Described& object : a.objects) {
    if (in_b.count(object.name) == 0) {
      out.changes.push_back(
          {ModelChange::Kind::removed, a.kind, object.name, all_fields(object), "", object.at});
    }
  }
  for (const Described& object : b.objects) {
    const auto found = in_a.find(object.name);
    if (found == in_a.end()) {
      out.changes.push_back(
          {ModelChange::Kind::added, a.kind, object.name, "", all_fields(object), object.at});
    } else {
      compare(a.objects[found->second], object, a.kind, out);
    }
  }
  if (a.kind != "rule" && a.kind != "signature action") return;  // their order decides
  for (const std::string& name : moved(a.objects, b.objects)) {
    out.changes.push_back({ModelChange::Kind::moved, a.kind, name, fmt::format("place {}", in_a[name] + 1),
                           fmt::format("place {}", in_b[name] + 1), b.objects[in_b[name]].at});
  }
}

}  // namespace

ModelDiff diff(const Model& a, const Model& b) {
  ModelDiff out;
  const auto before = describe(a), after = describe(b);
  for (std::size_t i = 0; i < before.size(); ++i) compare_kind(before[i], after[i], out);
  return out;
}

std::vector<std::string> ModelDiff::lines() const {
  std::vector<std::string> out;
  for (const ModelChange& c : changes) {
    const std::string subject = fmt::format("{} {}", c.kind, quoted(c.name));
    switch (c.change) {
      case ModelChange::Kind::added:
        out.push_back(fmt::format("+ {}: {}", subject, c.after));
        break;
      case ModelChange::Kind::removed:
        out.push_back(fmt::format("- {}: {}", subject, c.before));
        break;
      case ModelChange::Kind::changed:
        out.push_back(fmt::format("~ {}: {} → {}", subject, c.before, c.after));
        break;
      case ModelChange::Kind::moved:
        out.push_back(fmt::format("^ {}: moved from {} to {}", subject, c.before, c.after));
        break;
    }
  }
  return out;
}

}  // namespace sekisho::control
