// [schedules] and [[vendor_access]]
#include <fmt/format.h>

#include <algorithm>

#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kNameLength = 31;
constexpr std::uint32_t kDay = 24 * 60;
constexpr std::uint32_t kWeek = 7 * kDay;
constexpr std::uint32_t kLongestAccess = 7 * 86400;

const std::vector<std::string> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::optional<std::uint32_t> read_time(TableReader& table, const char* key, Findings& findings) {
  const auto text = table.text(key, TableReader::kRequired);
  if (!text) return std::nullopt;
  const auto time = parse_time_of_day(*text);
  if (!time) findings.error(table.at(key), time.what, time.expected);
  return time.value;
}

// A window that ends before it starts crosses midnight into the next day (Sunday's into Monday).
void read_window(Schedule& schedule, const TomlNode& node, Findings& findings) {
  TableReader table(node, findings, "a schedule");
  std::vector<std::size_t> days;
  if (const TomlNode* list = table.get("days")) {
    for (const TomlNode* item : one_or_more(*list, findings, "days of the week")) {
      const std::string expected = "\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\" or \"sun\"";
      if (!is_string(*item, findings, expected)) continue;
      const auto found = std::find(kDays.begin(), kDays.end(), item->string);
      if (found == kDays.end())
        findings.error(item->at, fmt::format("bad day {}", quoted(item->string)), expected);
      else
        days.push_back(static_cast<std::size_t>(found - kDays.begin()));
    }
  } else {
    days = {0, 1, 2, 3, 4, 5, 6};
  }
  const auto from = read_time(table, "from", findings);
  const auto to = read_time(table, "to", findings);
  table.finish();
  if (!from || !to) return;
  if (*from % kDay == *to % kDay && !(*from == 0 && *to == kDay)) {
    findings.error(table.at("to"), "the window starts and ends at the same time",
                   "\"00:00\" to \"24:00\" for the whole day");
    return;
  }
  const std::uint32_t length = *to > *from ? *to - *from : *to + kDay - *from;
  for (const std::size_t day : days) {
    for (std::uint32_t i = 0; i < length; ++i) {
      const std::uint32_t minute = (static_cast<std::uint32_t>(day) * kDay + *from + i) % kWeek;
      schedule.minute[minute / 64] |= std::uint64_t{1} << (minute % 64);
    }
  }
}

}  // namespace

void read_schedules(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  const TomlEntry* entry = root.find("schedules");
  if (!entry) return;
  if (entry->value.kind != TomlNode::Kind::table) {
    findings.error(entry->key_at, fmt::format("\"schedules\" is {}", kind_text(entry->value.kind)),
                   "[schedules]");
    return;
  }
  for (const TomlEntry& item : entry->value.table) {
    const auto index = static_cast<std::uint32_t>(draft.model.schedules.size());
    if (index == SEKISHO_MAX_SCHEDULES) {
      findings.error(item.key_at, fmt::format("more than {} schedules", SEKISHO_MAX_SCHEDULES),
                     fmt::format("at most {}", SEKISHO_MAX_SCHEDULES));
      return;
    }
    if (!enter_name(draft.schedules, item.key, item.key_at, index, "schedule", kNameLength, findings))
      continue;
    Schedule schedule;
    schedule.name = item.key;
    schedule.at = item.key_at;
    for (const TomlNode* window : one_or_more(item.value, findings, "windows { days, from, to }")) {
      read_window(schedule, *window, findings);
    }
    draft.model.schedules.push_back(std::move(schedule));
  }
}

void read_vendor_accesses(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  for (const TomlNode* node : tables(root, "vendor_access", SEKISHO_MAX_ACCESS, findings)) {
    TableReader table(*node, findings, "[[vendor_access]]");
    VendorAccess access;
    access.at = node->at;
    const auto name = table.text("name", TableReader::kRequired);
    if (const auto text = table.text("description")) {
      if (text->size() > 500)
        findings.error(table.at("description"), "the description is too long", "at most 500 bytes");
      access.description = text->substr(0, 500);
    }
    if (const auto longest = table.duration("longest")) {
      if (*longest > kLongestAccess)
        findings.error(table.at("longest"), "\"longest\" is too long", "at most \"7d\"");
      access.longest_s = *longest;
    }
    table.finish();
    const auto index = static_cast<std::uint32_t>(draft.model.accesses.size());
    if (!name ||
        !enter_name(draft.accesses, *name, table.at("name"), index, "vendor access", kNameLength, findings)) {
      continue;
    }
    access.name = *name;
    draft.model.accesses.push_back(*name);
    draft.model.access_details.push_back(std::move(access));
  }
}

}  // namespace sekisho::control
