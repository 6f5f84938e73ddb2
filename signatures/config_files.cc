#include "signatures/config_files.h"

#include "signatures/builder.h"

namespace sekisho::signatures {

namespace {

constexpr std::size_t kMaxFaults = 1000, kMaxEntries = 65536;

// Calls `line(text)` for each logical line; what it throws becomes a fault.
template <typename Line>
void each_line(std::string_view text, std::vector<std::string>& faults, Line line) {
  std::uint32_t number = 0, first = 0;
  std::string joined;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == text.npos) end = text.size();
    std::string_view raw = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (joined.empty()) first = number;
    if (raw.ends_with('\r')) raw.remove_suffix(1);
    if (raw.ends_with('\\') && at < text.size()) {
      raw.remove_suffix(1);
      joined += raw;
      joined += ' ';
      continue;
    }
    joined += raw;
    const std::string_view whole = trim(joined);
    if (!whole.empty() && whole.front() != '#') {
      try {
        if (whole.size() > (1u << 20)) refuse("the line is too long");
        line(whole);
      } catch (const Refusal& r) {
        if (faults.size() < kMaxFaults) faults.push_back(fmt::format("line {}: {}", first, r.why));
      }
    }
    joined.clear();
  }
}

std::string_view after(std::string_view line, std::string_view word) {
  const auto w = words(line);
  if (w.size() < 2 || !equal_nocase(w[0], "config")) refuse("'{}' is not understood", shown(line));
  const auto colon = line.find(':');
  if (colon == line.npos || !equal_nocase(trim(line.substr(6, colon - 6)), word))
    refuse("'{}' is not understood", shown(line));
  return trim(line.substr(colon + 1));
}

struct Settings {  // "key value, key value, …" where a value may be a list in brackets
  std::vector<std::pair<std::string, std::string_view>> all;
  std::optional<std::string_view> take(std::string_view key) {
    for (auto it = all.begin(); it != all.end(); ++it)
      if (it->first == key) {
        const auto value = it->second;
        all.erase(it);
        return value;
      }
    return std::nullopt;
  }
};

Settings settings(std::string_view rest) {
  Settings s;
  int depth = 0;
  std::size_t start = 0;
  const auto add = [&](std::string_view part) {
    part = trim(part);
    const auto space = part.find_first_of(" \t");
    if (part.empty() || space == part.npos) refuse("'{}' is no setting", shown(part));
    s.all.emplace_back(lower(part.substr(0, space)), trim(part.substr(space)));
  };
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '[') ++depth;
    if (rest[i] == ']') --depth;
    if (rest[i] == ',' && depth == 0) {
      add(rest.substr(start, i - start));
      start = i + 1;
    }
  }
  if (depth != 0) refuse("unbalanced brackets");
  add(rest.substr(start));
  return s;
}

std::uint32_t number(Settings& s, std::string_view key) {
  const auto value = s.take(key);
  if (!value) refuse("{} is missing", key);
  return static_cast<std::uint32_t>(need_unsigned(*value, 0xffffffff, key));
}

void nothing_left(const Settings& s) {
  if (!s.all.empty()) refuse("'{}' is not known here", shown(s.all.front().first));
}

Track track_of(std::string_view word) {
  if (word == "by_src") return Track::by_source;
  if (word == "by_dst") return Track::by_destination;
  if (word == "by_both") return Track::by_both;
  if (word == "by_rule") return Track::by_rule;
  if (word == "by_flow") return Track::by_flow;
  refuse("track '{}' is unknown", shown(word));
}

Suppression suppression(Settings s, Expressions& expressions) {
  Suppression out;
  out.gid = number(s, "gen_id");
  out.sid = number(s, "sig_id");
  const auto track = s.take("track"), ip = s.take("ip");
  if (track.has_value() != ip.has_value()) refuse("track and ip belong together");
  if (track) {
    if (*track == "by_src")
      out.by = Suppression::By::source;
    else if (*track == "by_dst")
      out.by = Suppression::By::destination;
    else if (*track == "by_either")
      out.by = Suppression::By::either;
    else
      refuse("track '{}' is unknown", shown(*track));
    out.addresses = expressions.addresses(*ip);
  }
  nothing_left(s);
  return out;
}

RateFilter rate_filter(Settings s) {
  RateFilter out;
  out.gid = number(s, "gen_id");
  out.sid = number(s, "sig_id");
  const auto track = s.take("track"), action = s.take("new_action");
  if (!track) refuse("track is missing");
  if (!action) refuse("new_action is missing");
  out.track = track_of(*track);
  out.count = number(s, "count");
  out.seconds = number(s, "seconds");
  out.timeout = number(s, "timeout");
  if (out.count == 0 || out.seconds == 0) refuse("count and seconds must not be 0");
  if (*action == "drop")
    out.action = RateFilter::NewAction::drop;
  else if (*action == "pass")
    out.action = RateFilter::NewAction::pass;
  else if (*action == "reject")
    out.action = RateFilter::NewAction::reject;
  else if (*action != "alert")
    refuse("new_action '{}' is unknown", shown(*action));
  nothing_left(s);
  return out;
}

}  // namespace

Classifications read_classifications(std::string_view text, std::vector<std::string>& faults) {
  Classifications out;
  each_line(text, faults, [&](std::string_view line) {
    const auto parts = split(after(line, "classification"), ',');
    if (parts.size() != 3 || parts[0].empty()) refuse("a classification is 'name,description,priority'");
    Classification c;
    c.description = std::string(parts[1]);
    c.priority = static_cast<std::uint8_t>(need_unsigned(parts[2], 255, "priority"));
    if (c.priority == 0) refuse("priority 0");
    if (out.size() == kMaxEntries) refuse("more than {} classifications", kMaxEntries);
    if (!out.emplace(std::string(parts[0]), std::move(c)).second)
      refuse("classification {} twice", shown(parts[0]));
  });
  return out;
}

References read_references(std::string_view text, std::vector<std::string>& faults) {
  References out;
  each_line(text, faults, [&](std::string_view line) {
    const auto w = words(after(line, "reference"));
    if (w.size() != 2) refuse("a reference is 'system url'");
    if (out.size() == kMaxEntries) refuse("more than {} references", kMaxEntries);
    if (!out.emplace(lower(w[0]), std::string(w[1])).second) refuse("reference {} twice", shown(w[0]));
  });
  return out;
}

Thresholds read_thresholds(std::string_view text, const Variables& variables,
                           std::vector<std::string>& faults) {
  Thresholds out;
  Expressions expressions(variables);
  each_line(text, faults, [&](std::string_view line) {
    if (out.filters.size() + out.rates.size() + out.suppressions.size() == kMaxEntries)
      refuse("more than {} entries", kMaxEntries);
    const auto space = line.find_first_of(" \t");
    const std::string_view kind = line.substr(0, space),
                           rest = space == line.npos ? std::string_view() : line.substr(space);
    if (kind == "suppress") {
      out.suppressions.push_back(suppression(settings(rest), expressions));
    } else if (kind == "rate_filter") {
      out.rates.push_back(rate_filter(settings(rest)));
    } else if (kind == "threshold" || kind == "event_filter") {
      Settings s = settings(rest);
      EventFilter f;
      f.gid = number(s, "gen_id");
      f.sid = number(s, "sig_id");
      std::string left;
      for (const auto& [key, value] : s.all) {
        if (!left.empty()) left += ',';
        left += key;
        left += ' ';
        left += value;
      }
      f.threshold = read_threshold(left, false);
      out.filters.push_back(f);
    } else {
      refuse("'{}' is not understood", shown(kind));
    }
  });
  return out;
}

}  // namespace sekisho::signatures
