// [addresses]: objects and groups of objects, expanded to ranges.
#include <fmt/format.h>

#include "control/model/read_config.h"
#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kNameLength = 63;
constexpr unsigned kMaxGroupDepth = 16;

// Expands objects depth first; each once.
class Expander {
 public:
  Expander(Draft& draft, const TomlNode& table) : draft_(draft), findings_(draft.findings) {
    for (const TomlEntry& entry : table.table) {
      if (object_name_good(entry)) objects_.emplace(entry.key, Object{&entry});
    }
    for (const auto& [name, object] : objects_) names_.push_back(name);
  }

  void run() {
    for (auto& [name, object] : objects_) {
      if (object.state == State::fresh) expand(name, object, 1);
    }
    for (auto& [name, object] : objects_) draft_.model.addresses.emplace(name, std::move(object.ranges));
  }

 private:
  enum class State : std::uint8_t { fresh, open, done };
  struct Object {
    const TomlEntry* entry;
    State state = State::fresh;
    unsigned depth = 0;  // of groups below, itself included
    std::vector<AddressRange> ranges{};
  };

  bool object_name_good(const TomlEntry& entry) {
    KnownNames none;
    if (!enter_name(none, entry.key, entry.key_at, 0, "address object", kNameLength, findings_)) return false;
    if (!looks_like_address(entry.key)) return true;
    findings_.error(entry.key_at,
                    fmt::format("the address object {} would read as an address", quoted(entry.key)),
                    "a name that starts with a letter");
    return false;
  }

  void expand(const std::string& name, Object& object, unsigned level) {
    object.state = State::open;
    path_.push_back(name);
    object.depth = 1;
    for (const TomlNode* item : one_or_more(object.entry->value, findings_, "addresses or \"@group\"")) {
      if (!is_string(*item, findings_, "an address or \"@group\"")) continue;
      if (item->string.starts_with('@')) {
        member(object, *item, level);
      } else {
        literal(object, *item);
      }
      if (object.ranges.size() > kMaxRanges || total_ > kMaxTotalRanges) {
        findings_.error(item->at, fmt::format("the address object {} is too large", quoted(name)),
                        fmt::format("at most {} ranges, and {} in all objects", kMaxRanges, kMaxTotalRanges));
        object.ranges.clear();
        break;
      }
    }
    path_.pop_back();
    object.state = State::done;
  }

  void literal(Object& object, const TomlNode& item) {
    auto range = parse_address_range(item.string);
    if (range) {
      object.ranges.push_back(*range);
      ++total_;
    } else if (objects_.count(item.string) != 0) {
      findings_.error(item.at, fmt::format("{} is an object, not an address", quoted(item.string)),
                      fmt::format("\"@{}\"", item.string));
    } else {
      findings_.error(item.at, range.what, range.expected + " or \"@group\"");
    }
  }

  void member(Object& object, const TomlNode& item, unsigned level) {
    const std::string name = item.string.substr(1);
    const auto found = objects_.find(name);
    if (found == objects_.end()) {
      const std::string hint = did_you_mean(name, names_, findings_);
      findings_.error(item.at, fmt::format("no address object is named {}{}", quoted(name), hint),
                      "\"@\" and the name of an object in [addresses]");
      return;
    }
    Object& other = found->second;
    if (other.state == State::open) {
      findings_.error(item.at, "the group holds itself: " + cycle(name), "groups without a cycle");
      return;
    }
    if (other.state == State::fresh && level <= kMaxGroupDepth) expand(name, other, level + 1);
    if (other.state == State::fresh || other.depth + 1 > kMaxGroupDepth) {
      findings_.error(item.at, fmt::format("groups nested more than {} deep", kMaxGroupDepth),
                      "flatter groups");
      return;
    }
    object.depth = std::max(object.depth, other.depth + 1);
    object.ranges.insert(object.ranges.end(), other.ranges.begin(), other.ranges.end());
    total_ += other.ranges.size();
  }

  // "a → b → a"
  std::string cycle(const std::string& name) const {
    std::string out;
    bool inside = false;
    for (const std::string& step : path_) {
      inside = inside || step == name;
      if (inside) out += step + " → ";
    }
    return out + name;
  }

  Draft& draft_;
  Findings& findings_;
  std::map<std::string, Object> objects_;
  std::vector<std::string> names_, path_;
  std::size_t total_ = 0;
};

}  // namespace

bool looks_like_address(std::string_view text) {
  return text.find_first_of(":/") != text.npos || (!text.empty() && text[0] >= '0' && text[0] <= '9');
}

void read_addresses(Draft& draft, const TomlNode& root) {
  const TomlEntry* entry = root.find("addresses");
  if (!entry) return;
  if (entry->value.kind != TomlNode::Kind::table) {
    draft.findings.error(entry->key_at, fmt::format("\"addresses\" is {}", kind_text(entry->value.kind)),
                         "[addresses]");
    return;
  }
  Expander(draft, entry->value).run();
}

}  // namespace sekisho::control
