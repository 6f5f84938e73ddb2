#include <arpa/inet.h>

#include <bit>
#include <charconv>
#include <cstring>

#include "signatures/intervals.h"
#include "signatures/refusal.h"
#include "signatures/text.h"
#include "signatures/variables.h"

namespace sekisho::signatures {

namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxElements = 65536, kMaxExpanded = kMaxElements * 4;
constexpr Wide kMax4 = 0xffffffffu, kMax6 = ~static_cast<Wide>(0), kMaxPort = 65535;

struct Item {  // one element of an expression
  bool six = false;
  bool all = false;
  Interval interval{};
};

Wide wide(const std::uint8_t* bytes) {
  Wide v = 0;
  for (int i = 0; i < 16; ++i) v = v << 8 | bytes[i];
  return v;
}
std::array<std::uint8_t, 16> bytes_of(Wide v) {
  std::array<std::uint8_t, 16> out{};
  for (int i = 15; i >= 0; --i, v >>= 8) out[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(v);
  return out;
}

Item one_address(std::string_view text) {
  const std::string s(trim(text));
  Item item;
  in_addr a4;
  in6_addr a6;
  if (inet_pton(AF_INET, s.c_str(), &a4) == 1) {
    item.interval.low = item.interval.high = ntohl(a4.s_addr);
  } else if (inet_pton(AF_INET6, s.c_str(), &a6) == 1) {
    item.six = true;
    item.interval.low = item.interval.high = wide(a6.s6_addr);
  } else {
    refuse("'{}' is not an address", shown(s));
  }
  return item;
}

Item address_item(std::string_view s) {
  if (const auto slash = s.find('/'); slash != s.npos) {
    Item item = one_address(s.substr(0, slash));
    const std::string_view suffix = trim(s.substr(slash + 1));
    const unsigned bits = item.six ? 128 : 32;
    unsigned length = 0;
    if (suffix.find('.') != suffix.npos && !item.six) {
      const auto mask = static_cast<std::uint32_t>(one_address(suffix).interval.low);
      if ((~mask & (~mask + 1)) != 0) refuse("'{}' is not a netmask", shown(suffix));
      length = static_cast<unsigned>(std::popcount(mask));
    } else {
      const auto value = unsigned_number(suffix);
      if (!value || *value > bits || suffix.starts_with("0x"))
        refuse("'{}' is not a prefix length", shown(suffix));
      length = static_cast<unsigned>(*value);
    }
    const Wide all = item.six ? kMax6 : kMax4;
    const Wide host = length == bits ? 0 : length == 0 ? all : (static_cast<Wide>(1) << (bits - length)) - 1;
    item.interval.low &= all & ~host;
    item.interval.high = item.interval.low | host;
    return item;
  }
  if (const auto dash = s.find('-'); dash != s.npos) {
    Item item = one_address(s.substr(0, dash));
    const Item end = one_address(s.substr(dash + 1));
    if (item.six != end.six) refuse("'{}' joins IPv4 and IPv6", shown(s));
    if (end.interval.low < item.interval.low) refuse("the address range {} is reversed", shown(s));
    item.interval.high = end.interval.low;
    return item;
  }
  return one_address(s);
}

Wide one_port(std::string_view s) {
  s = trim(s);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (s.empty() || error != std::errc() || end != s.data() + s.size() || value > 65535)
    refuse("'{}' is not a port", shown(s));
  return value;
}

Item port_item(std::string_view s) {
  Item item;
  if (const auto colon = s.find(':'); colon != s.npos) {
    const auto from = trim(s.substr(0, colon)), to = trim(s.substr(colon + 1));
    if (from.empty() && to.empty()) refuse("':' alone is not a port range");
    item.interval.low = from.empty() ? 0 : one_port(from);
    item.interval.high = to.empty() ? kMaxPort : one_port(to);
    if (item.interval.high < item.interval.low) refuse("the port range {} is reversed", shown(s));
  } else {
    item.interval.low = item.interval.high = one_port(s);
  }
  return item;
}

// Flattens an expression: what is named plainly and what is named under an odd number of '!'.
class Flattener {
 public:
  Flattener(const std::map<std::string, std::string, std::less<>>& variables, bool ports)
      : variables_(variables), ports_(ports) {}

  void run(std::string_view text, bool negated, int depth) {
    if (depth > kMaxDepth)
      refuse("more than {} levels of lists and variables (does a variable name itself?)", kMaxDepth);
    text = trim(text);
    while (!text.empty() && text.front() == '!') {
      negated = !negated;
      text = trim(text.substr(1));
      if (!text.empty() && text.front() == '!') refuse("'!!' in '{}'", shown(text));
    }
    if (text.empty()) refuse("an empty element in a list of {}", ports_ ? "ports" : "addresses");
    if (text.front() == '[') return list(text, negated, depth);
    if (text.front() == '$') return variable(text.substr(1), negated, depth);
    if (text.find_first_of("[]") != text.npos) refuse("unbalanced brackets in '{}'", shown(text));
    if (++count_ > kMaxElements) refuse("more than {} elements in a list", kMaxElements);
    Item item;
    if (equal_nocase(text, "any")) {
      if (negated) refuse("'!any' matches nothing");
      item.all = true;
    } else {
      item = ports_ ? port_item(text) : address_item(text);
    }
    (negated ? minus : plus).push_back(item);
  }

  std::vector<Item> plus, minus;

 private:
  void list(std::string_view text, bool negated, int depth) {
    int level = 0;
    std::size_t start = 1, i = 0;
    for (; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '[') ++level;
      if (c == ']' && --level == 0) break;
      if (c == ',' && level == 1) {
        run(text.substr(start, i - start), negated, depth + 1);
        start = i + 1;
      }
    }
    if (level != 0 || i + 1 != text.size()) refuse("unbalanced brackets in '{}'", shown(text));
    run(text.substr(start, i - start), negated, depth + 1);
  }
  void variable(std::string_view name, bool negated, int depth) {
    const auto found = variables_.find(trim(name));
    if (found == variables_.end())
      refuse("variable ${} is not defined as {}", shown(name),
             ports_ ? "a port variable" : "an address variable");
    if (++expanded_ > kMaxExpanded) refuse("more than {} expanded variables", kMaxExpanded);
    run(found->second, negated, depth + 1);
  }

  const std::map<std::string, std::string, std::less<>>& variables_;
  bool ports_;
  std::size_t count_ = 0, expanded_ = 0;
};

Intervals pick(const std::vector<Item>& items, bool six, Wide max) {
  Intervals out;
  for (const Item& i : items) {
    if (i.all)
      out.push_back({0, max});
    else if (i.six == six)
      out.push_back(i.interval);
  }
  normalise(out);
  return out;
}

// Positive minus negative; nothing positive means everything.
Intervals settle(const Flattener& f, bool six, Wide max) {
  Intervals plus = pick(f.plus, six, max);
  if (f.plus.empty()) plus = {{0, max}};
  return subtract(plus, pick(f.minus, six, max));
}

bool full(const Intervals& i, Wide max) {
  return i.size() == 1 && i[0].low == 0 && i[0].high == max;
}

AddressSet address_set(const Flattener& f, std::string_view text) {
  const Intervals v4 = settle(f, false, kMax4), v6 = settle(f, true, kMax6);
  AddressSet set;
  if (v4.empty() && v6.empty()) refuse("'{}' leaves no address", shown(text));
  if (full(v4, kMax4) && full(v6, kMax6)) {
    set.any = true;
    return set;
  }
  for (const Interval& i : v4)
    set.v4.push_back({static_cast<std::uint32_t>(i.low), static_cast<std::uint32_t>(i.high)});
  for (const Interval& i : v6) set.v6.push_back({bytes_of(i.low), bytes_of(i.high)});
  return set;
}

}  // namespace

std::shared_ptr<const AddressSet> Expressions::addresses(std::string_view text) {
  auto& slot = address_cache_[std::string(text)];
  if (slot) return slot;
  Flattener f(variables_.addresses, false);
  f.run(text, false, 0);
  return slot = std::make_shared<const AddressSet>(address_set(f, text));
}

std::shared_ptr<const PortSet> Expressions::ports(std::string_view text) {
  auto& slot = port_cache_[std::string(text)];
  if (slot) return slot;
  Flattener f(variables_.ports, true);
  f.run(text, false, 0);
  const Intervals list = settle(f, false, kMaxPort);
  if (list.empty()) refuse("'{}' leaves no port", shown(text));
  PortSet set;
  if (full(list, kMaxPort))
    set.any = true;
  else
    for (const Interval& i : list)
      set.ranges.push_back({static_cast<std::uint16_t>(i.low), static_cast<std::uint16_t>(i.high)});
  return slot = std::make_shared<const PortSet>(std::move(set));
}

AddressSet read_address(std::string_view text) {
  static const std::map<std::string, std::string, std::less<>> none;
  Flattener f(none, false);
  f.run(text, false, 0);
  return address_set(f, text);
}

}  // namespace sekisho::signatures
