// classification.config, reference.config and threshold.config, in Suricata's syntax. Every reader takes the
// text, returns what it understood and one line of `faults` ("line N: why") for each line that it refused.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signatures/ast.h"
#include "signatures/variables.h"

namespace sekisho::signatures {

struct Classification {
  std::string description;
  std::uint8_t priority = 3;
};
using Classifications = std::map<std::string, Classification, std::less<>>;  // by short name
using References = std::map<std::string, std::string, std::less<>>;  // system, lower case → URL prefix

// The classes of the public rule sets, for sites that bring no file of their own.
const Classifications& default_classifications();
// config classification: trojan-activity,A Network Trojan was detected,1
Classifications read_classifications(std::string_view text, std::vector<std::string>& faults);
// config reference: cve http://cve.mitre.org/cgi-bin/cvename.cgi?name=
References read_references(std::string_view text, std::vector<std::string>& faults);

// threshold / event_filter: replaces the signature's own threshold.
struct EventFilter {
  std::uint32_t gid = 0, sid = 0;  // 0: all
  Threshold threshold;
};
// rate_filter: for `timeout` seconds after `count` matches in `seconds`, another action.
struct RateFilter {
  enum class NewAction : std::uint8_t { drop, alert, pass, reject };
  std::uint32_t gid = 0, sid = 0;
  Track track = Track::by_source;
  std::uint32_t count = 0, seconds = 0, timeout = 0;
  NewAction action = NewAction::alert;
};
// suppress: no alert at all, or none for these addresses.
struct Suppression {
  enum class By : std::uint8_t { all, source, destination, either };
  std::uint32_t gid = 0, sid = 0;
  By by = By::all;
  std::shared_ptr<const AddressSet> addresses;  // null for all
};
struct Thresholds {
  std::vector<EventFilter> filters;
  std::vector<RateFilter> rates;
  std::vector<Suppression> suppressions;
};
Thresholds read_thresholds(std::string_view text, const Variables& variables,
                           std::vector<std::string>& faults);

}  // namespace sekisho::signatures
