#include "control/model/toml_tree.h"

#include <toml++/toml.h>

#include <algorithm>
#include <chrono>

namespace sekisho::control {
namespace {

constexpr std::size_t kMaxDots = 8;
constexpr std::size_t kMaxBrackets = 16;

Position place(const toml::source_region& region) {
  return {0, region.begin.line, region.begin.column};
}

// Follows TOML's strings and comments just far enough to count dots of keys and open brackets outside of
// them. On text that is not TOML it may lose its way, but only behind the place where the parser stops.
class NestingCheck {
 public:
  explicit NestingCheck(std::string_view text) : text_(text) {}
  std::optional<Diagnostic> run() {
    for (at_ = 0; at_ < text_.size(); ++at_) {
      switch (text_[at_]) {
        case '#':
          while (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
          break;
        case '"':
        case '\'':
          skip_string(text_[at_]);
          break;
        case '.':
          if (++dots_ > kMaxDots) return finding("a key with more than 8 dots");
          break;
        case '[':
        case '{':
          dots_ = 0;
          if (++open_ > kMaxBrackets) return finding("arrays or tables nested more than 16 deep");
          break;
        case ']':
        case '}':
          if (open_ > 0) --open_;
          dots_ = 0;
          break;
        case '\n':
        case ',':
        case '=':
          dots_ = 0;
          break;
        default:
          break;
      }
    }
    return std::nullopt;
  }

 private:
  bool ahead(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
  // Leaves at_ on the string's last character.
  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multi = ahead(triple);
    at_ += multi ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      if (quote == '"' && text_[at_] == '\\') {
        ++at_;
      } else if (!multi && (text_[at_] == quote || text_[at_] == '\n')) {
        return;
      } else if (multi && ahead(triple)) {
        at_ += 2;
        while (at_ + 1 < text_.size() && text_[at_ + 1] == quote) ++at_;  // up to two quotes may end the text
        return;
      }
    }
  }
  Diagnostic finding(std::string what) const {
    const std::string_view before = text_.substr(0, at_);
    const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n') + 1);
    const std::size_t start = before.rfind('\n');
    const std::size_t column = start == std::string_view::npos ? at_ + 1 : at_ - start;
    return {Diagnostic::Severity::error, {0, line, static_cast<std::uint32_t>(column)}, std::move(what), ""};
  }
  std::string_view text_;
  std::size_t at_ = 0, dots_ = 0, open_ = 0;
};

std::int64_t day_seconds(const toml::date& d) {
  using namespace std::chrono;
  const sys_days days = year{d.year} / month{d.month} / day{d.day};
  return duration_cast<seconds>(days.time_since_epoch()).count();
}

TomlNode convert(const toml::node& node);

void convert_table(const toml::table& table, TomlNode& out) {
  out.kind = TomlNode::Kind::table;
  out.table.reserve(table.size());
  for (auto&& [key, value] : table) {
    out.table.push_back({std::string(key.str()), place(key.source()), convert(value)});
  }
  std::sort(out.table.begin(), out.table.end(), [](const TomlEntry& a, const TomlEntry& b) {
    return std::pair(a.key_at.line, a.key_at.column) < std::pair(b.key_at.line, b.key_at.column);
  });
}

TomlNode convert(const toml::node& node) {
  using Kind = TomlNode::Kind;
  TomlNode out;
  out.at = place(node.source());
  if (const auto* table = node.as_table()) {
    convert_table(*table, out);
  } else if (const auto* array = node.as_array()) {
    out.kind = Kind::array;
    out.array.reserve(array->size());
    for (const toml::node& item : *array) out.array.push_back(convert(item));
  } else if (const auto* text = node.as_string()) {
    out.kind = Kind::string;
    out.string = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.kind = Kind::integer;
    out.integer = integer->get();
  } else if (const auto* real = node.as_floating_point()) {
    out.kind = Kind::real;
    out.real = real->get();
  } else if (const auto* boolean = node.as_boolean()) {
    out.kind = Kind::boolean;
    out.boolean = boolean->get();
  } else if (const auto* date = node.as_date()) {
    out.kind = Kind::date;
    out.seconds = day_seconds(date->get());
  } else if (const auto* moment = node.as_date_time()) {
    const toml::date_time& value = moment->get();
    out.kind = Kind::date_time;
    out.seconds =
        day_seconds(value.date) + value.time.hour * 3600 + value.time.minute * 60 + value.time.second;
    out.has_offset = value.offset.has_value();
    if (value.offset) out.seconds -= value.offset->minutes * 60;
  } else {
    out.kind = Kind::time;
  }
  return out;
}

}  // namespace

const TomlEntry* TomlNode::find(std::string_view key) const {
  for (const TomlEntry& entry : table) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

std::string_view kind_text(TomlNode::Kind kind) {
  switch (kind) {
    case TomlNode::Kind::table:
      return "a table";
    case TomlNode::Kind::array:
      return "an array";
    case TomlNode::Kind::string:
      return "a string";
    case TomlNode::Kind::integer:
      return "an integer";
    case TomlNode::Kind::real:
      return "a floating-point number";
    case TomlNode::Kind::boolean:
      return "a boolean";
    case TomlNode::Kind::date:
      return "a date";
    case TomlNode::Kind::date_time:
      return "a date and time";
    case TomlNode::Kind::time:
      return "a time";
  }
  return "a value";
}

std::optional<TomlNode> parse_toml(std::string_view text, std::vector<Diagnostic>& diagnostics) {
  if (auto finding = NestingCheck(text).run()) {
    diagnostics.push_back(std::move(*finding));
    return std::nullopt;
  }
  try {
    const toml::table table = toml::parse(text);
    TomlNode root;
    convert_table(table, root);
    root.at = {0, 1, 1};
    return root;
  } catch (const toml::parse_error& error) {
    std::string what(error.description().substr(0, 300));
    diagnostics.push_back({Diagnostic::Severity::error, place(error.source()), "not TOML: " + what, ""});
    return std::nullopt;
  }
}

}  // namespace sekisho::control
