// Inside of the configuration reader: findings, strict reading of one table, and the draft that its parts
// (read_*.cc) fill in order. Not for other rooms.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/model.h"
#include "control/model/toml_tree.h"
#include "control/model/values.h"

namespace sekisho::control {

// Collects up to `bound` findings; what comes after is only counted.
class Findings {
 public:
  explicit Findings(std::size_t bound) : bound_(bound) {}
  void error(Position at, std::string what, std::string expected = "");
  void warning(Position at, std::string what, std::string expected = "");
  bool failed() const { return errors_ > 0; }
  bool full() const { return list_.size() >= bound_; }
  // In the order of the file.
  std::vector<Diagnostic> take();

 private:
  void add(Diagnostic diagnostic);
  std::size_t bound_, errors_ = 0, unsaid_ = 0;
  std::vector<Diagnostic> list_;
};

// Reads a table key by key; finish() reports every key that nobody asked for. Each reader yields nothing when
// the key is absent or wrong; what is wrong has been reported.
class TableReader {
 public:
  enum class Need : bool { optional, required };
  static constexpr Need kOptional = Need::optional, kRequired = Need::required;

  // `what` names the table in messages: "[[port]]".
  TableReader(const TomlNode& node, Findings& findings, std::string what);

  const TomlNode* get(const char* key, Need need = kOptional);
  std::optional<std::string> text(const char* key, Need need = kOptional);
  std::optional<std::int64_t> integer(const char* key, std::int64_t low, std::int64_t high,
                                      Need need = kOptional);
  bool flag(const char* key, bool fallback);
  std::optional<std::uint32_t> duration(const char* key);
  // The index of one of `words`.
  std::optional<std::size_t> word(const char* key, const std::vector<std::string>& words,
                                  Need need = kOptional);
  Position at() const { return node_.at; }
  Position at(const char* key) const;
  void finish();

 private:
  const TomlNode& node_;
  Findings& findings_;
  std::string what_;
  std::vector<std::string> known_;
  bool usable_;
};

// KnownNames of one kind, with the index and the place of each.
struct KnownNames {
  struct Entry {
    std::uint32_t index;
    Position at;
  };
  std::map<std::string, Entry, std::less<>> entries;
  std::vector<std::string> list() const;
};

// A model being read.
struct Draft {
  explicit Draft(std::size_t bound) : findings(bound) {}
  Findings findings;
  Model model;
  std::uint64_t now_wall_s = 0;
  KnownNames ports, zones, interfaces, wires, links, schedules, accesses, vendors, rules;
  std::vector<bool> sound;  // by interface: its port and zone exist; wires take no others
  std::size_t rule_ranges = 0, rule_services = 0;  // of all rules, against kMaxTotalRanges
};

bool is_string(const TomlNode& node, Findings& findings, const std::string& expected);
// The elements of an array, or the one value that is not an array; an empty array is reported.
std::vector<const TomlNode*> one_or_more(const TomlNode& node, Findings& findings, const std::string& what);
// Elements of [[what]]; reports what is not an array of tables, and elements beyond `most`.
std::vector<const TomlNode*> tables(const TomlNode& root, const char* key, std::size_t most,
                                    Findings& findings);
// Enters a name: false (reported) if it is bad or taken.
bool enter_name(KnownNames& names, const std::string& name, Position at, std::uint32_t index,
                const char* kind, std::size_t longest, Findings& findings);
// Resolves a name; unknown ones are reported with the nearest known.
std::optional<std::uint32_t> resolve(const KnownNames& names, const TomlNode& node, const char* kind,
                                     Findings& findings);
std::string where(Position at);  // "line 12"
// " (did you mean "x"?)", or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known,
                         const Findings& findings);

// Parts, in the order in which they must run.
void read_gateway(Draft& draft, const TomlNode& root);
void read_ports(Draft& draft, const TomlNode& root);
void read_zones(Draft& draft, const TomlNode& root);
void read_interfaces(Draft& draft, const TomlNode& root);
void read_wires(Draft& draft, const TomlNode& root);
void read_links(Draft& draft, const TomlNode& root);
void check_links(Draft& draft);  // what links promise against what their wires can do
void read_addresses(Draft& draft, const TomlNode& root);
void read_services(Draft& draft, const TomlNode& root);
void read_schedules(Draft& draft, const TomlNode& root);
void read_vendor_accesses(Draft& draft, const TomlNode& root);
void read_vendors(Draft& draft, const TomlNode& root);  // and, after read_rules, their rules
void read_rules(Draft& draft, const TomlNode& root);
void add_vendor_rules(Draft& draft);
void read_ips(Draft& draft, const TomlNode& root);
void read_records(Draft& draft, const TomlNode& root);
void read_evidence(Draft& draft, const TomlNode& root);
void read_recorder(Draft& draft, const TomlNode& root);
void read_people(Draft& draft, const TomlNode& root);

// `inspect_depth` of a link: a size, 0 or "all" (0); in KiB.
std::optional<std::uint32_t> read_depth(const TomlNode& node, Findings& findings);
// The moment that a date (its 00:00 at the site) or a date and time names; what is neither is reported.
std::optional<std::int64_t> read_moment(const TomlNode& node, const char* key, const std::string& expected,
                                        const Draft& draft, Findings& findings);

// True if the text is meant as an address, not as a name.
bool looks_like_address(std::string_view text);
// Reads one service table into `out`.
void read_service_table(const TomlNode& node, Findings& findings, std::vector<Service>& out);

}  // namespace sekisho::control
