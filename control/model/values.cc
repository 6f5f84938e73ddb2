#include "control/model/values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace sekisho::control {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

constexpr std::array<std::pair<std::string_view, unsigned>, 3> kSizeUnits = {
    {{"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};

constexpr std::size_t kMaxCandidates = 5000;  // a hint is not worth more time

constexpr std::string_view kAddressExpected =
    "an IPv4 or IPv6 address, a prefix (10.0.0.0/8) or a range (10.0.0.5-10.0.0.9)";

unsigned bits(const Address& a) {
  return a.version == 4 ? 32 : 128;
}

// The address with all bits after `length` set to `ones`.
Address with_host_bits(Address a, unsigned length, bool ones) {
  for (unsigned i = length; i < bits(a); ++i) {
    const auto mask = static_cast<std::uint8_t>(0x80u >> (i % 8));
    if (ones) {
      a.bytes[i / 8] |= mask;
    } else {
      a.bytes[i / 8] &= static_cast<std::uint8_t>(~mask);
    }
  }
  return a;
}

template <typename T>
Parsed<T> refuse(std::string what, std::string expected) {
  return {std::nullopt, std::move(what), std::move(expected)};
}

Parsed<AddressRange> parse_prefix(std::string_view text, std::size_t slash) {
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return refuse<AddressRange>("bad prefix " + quoted(text), std::string(kAddressExpected));
  const auto length = number(text.substr(slash + 1));
  if (!length || *length > bits(*address)) {
    return refuse<AddressRange>("bad prefix length in " + quoted(text),
                                fmt::format("/0 to /{}", bits(*address)));
  }
  const auto n = static_cast<unsigned>(*length);
  const Address network = with_host_bits(*address, n, false);
  if (network != *address) {
    return refuse<AddressRange>("host bits are set in " + quoted(text),
                                fmt::format("\"{}/{}\" for the network, or \"{}\" for the one host",
                                            to_string(network), n, to_string(*address)));
  }
  return {AddressRange{network, with_host_bits(network, n, true)}, "", ""};
}

}  // namespace

Parsed<Address> parse_address(std::string_view text) {
  Address a;
  char buffer[INET6_ADDRSTRLEN + 1];
  if (text.size() < sizeof buffer && text.find('\0') == std::string_view::npos) {
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = 0;
    if (inet_pton(AF_INET, buffer, a.bytes.data()) == 1) return {a, "", ""};
    a.version = 6;
    if (inet_pton(AF_INET6, buffer, a.bytes.data()) == 1) return {a, "", ""};
  }
  return refuse<Address>("bad address " + quoted(text), "an IPv4 or IPv6 address");
}

Parsed<AddressRange> parse_address_range(std::string_view text) {
  if (const auto slash = text.find('/'); slash != text.npos) return parse_prefix(text, slash);
  if (const auto dash = text.find('-'); dash != text.npos) {
    const auto low = parse_address(text.substr(0, dash));
    const auto high = parse_address(text.substr(dash + 1));
    if (!low || !high)
      return refuse<AddressRange>("bad range " + quoted(text), std::string(kAddressExpected));
    if ((*low).version != (*high).version) {
      return refuse<AddressRange>("the range " + quoted(text) + " mixes IPv4 and IPv6", "two of one family");
    }
    if (*high < *low) {
      return refuse<AddressRange>("the range " + quoted(text) + " ends before it starts",
                                  fmt::format("\"{}-{}\"", to_string(*high), to_string(*low)));
    }
    return {AddressRange{*low, *high}, "", ""};
  }
  const auto host = parse_address(text);
  if (!host) return refuse<AddressRange>(host.what, std::string(kAddressExpected));
  return {AddressRange{*host, *host}, "", ""};
}

Parsed<std::uint32_t> parse_duration(std::string_view text) {
  const std::string expected = "a duration such as \"30s\", \"2m\", \"8h\" or \"3d\"";
  std::uint64_t unit = 0;
  if (!text.empty()) {
    const char last = text.back();
    unit = last == 's' ? 1 : last == 'm' ? 60 : last == 'h' ? 3600 : last == 'd' ? 86400 : 0;
  }
  const auto count = unit ? number(text.substr(0, text.size() - 1)) : std::nullopt;
  if (!count) return refuse<std::uint32_t>("bad duration " + quoted(text), expected);
  if (*count == 0) return refuse<std::uint32_t>("a duration of zero", expected);
  if (*count > 0xffffffffu / unit)
    return refuse<std::uint32_t>("the duration " + quoted(text) + " is too long", "");
  return {static_cast<std::uint32_t>(*count * unit), "", ""};
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  const std::string expected = "a size such as \"512KiB\", \"8MiB\" or \"2GiB\"";
  for (const auto& [unit, shift] : kSizeUnits) {
    if (!text.ends_with(unit)) continue;
    const auto count = number(text.substr(0, text.size() - unit.size()));
    if (!count) break;
    if (*count == 0) return refuse<std::uint64_t>("a size of zero", expected);
    if (*count >> (44 - shift) != 0)
      return refuse<std::uint64_t>("the size " + quoted(text) + " is too large", "");
    return {*count << shift, "", ""};
  }
  return refuse<std::uint64_t>("bad size " + quoted(text), expected);
}

std::string size_text(std::uint64_t bytes) {
  for (const auto& [unit, shift] : kSizeUnits)
    if (bytes >> shift != 0 && (bytes >> shift) << shift == bytes)
      return fmt::format("{}{}", bytes >> shift, unit);
  return fmt::format("{} bytes", bytes);
}

Parsed<std::uint32_t> parse_time_of_day(std::string_view text) {
  if (text.size() == 5 && text[2] == ':') {
    const auto hour = number(text.substr(0, 2));
    const auto minute = number(text.substr(3));
    if (hour && minute && *minute < 60 && *hour * 60 + *minute <= 24 * 60) {
      return {static_cast<std::uint32_t>(*hour * 60 + *minute), "", ""};
    }
  }
  return refuse<std::uint32_t>("bad time of day " + quoted(text), "\"HH:MM\" from \"00:00\" to \"24:00\"");
}

Parsed<std::int32_t> parse_utc_offset(std::string_view text) {
  if (text == "UTC") return {0, "", ""};
  if (text.size() == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':') {
    const auto hour = number(text.substr(1, 2));
    const auto minute = number(text.substr(4));
    if (hour && minute && *minute < 60 && *hour * 60 + *minute <= 14 * 60) {
      const auto seconds = static_cast<std::int32_t>(*hour * 3600 + *minute * 60);
      return {text[0] == '-' ? -seconds : seconds, "", ""};
    }
  }
  return refuse<std::int32_t>("bad time zone " + quoted(text),
                              "an offset from UTC such as \"+09:00\" (at most 14 hours), or \"UTC\"");
}

std::string to_string(const Address& address) {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(address.version == 4 ? AF_INET : AF_INET6, address.bytes.data(), buffer, sizeof buffer);
  return buffer;
}

std::optional<unsigned> prefix_length(const AddressRange& range) {
  const unsigned all = bits(range.low);
  unsigned n = 0;
  while (n < all && ((range.low.bytes[n / 8] ^ range.high.bytes[n / 8]) & (0x80u >> (n % 8))) == 0) ++n;
  if (with_host_bits(range.low, n, false) != range.low) return std::nullopt;
  if (with_host_bits(range.low, n, true) != range.high) return std::nullopt;
  return n;
}

std::string to_string(const AddressRange& range) {
  if (range.low == range.high) return to_string(range.low);
  if (const auto n = prefix_length(range)) return fmt::format("{}/{}", to_string(range.low), *n);
  return to_string(range.low) + "-" + to_string(range.high);
}

std::string duration_text(std::uint32_t seconds) {
  if (seconds != 0 && seconds % 86400 == 0) return fmt::format("{}d", seconds / 86400);
  if (seconds != 0 && seconds % 3600 == 0) return fmt::format("{}h", seconds / 3600);
  if (seconds != 0 && seconds % 60 == 0) return fmt::format("{}m", seconds / 60);
  return fmt::format("{}s", seconds);
}

std::string name_fault(std::string_view name, std::size_t longest) {
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty()) return "an empty name";
  if (name.size() > longest)
    return fmt::format("the name {} is longer than {} characters", quoted(name), longest);
  if (name == "any" || name == "all")
    return fmt::format("{} is a word of the language, not a name", quoted(name));
  const bool good = alnum(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
                      return alnum(c) || c == '-' || c == '_' || c == '.';
                    });
  return good ? "" : fmt::format("bad name {}", quoted(name));
}

std::string nearest(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > 64 || candidates.size() > kMaxCandidates) return "";
  std::string found;
  std::size_t best = 0;
  std::vector<std::size_t> row, above, two_above;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 64) continue;
    // Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, row by row.
    row.resize(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    above = two_above = row;
    for (std::size_t i = 1; i <= name.size(); ++i) {
      two_above.swap(above);
      above.swap(row);
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (name[i - 1] != candidate[j - 1])});
        if (i > 1 && j > 1 && name[i - 1] == candidate[j - 2] && name[i - 2] == candidate[j - 1]) {
          row[j] = std::min(row[j], two_above[j - 2] + 1);
        }
      }
    }
    const std::size_t longer = std::max(name.size(), candidate.size());
    const std::size_t distance = row.back();
    if (distance <= std::max<std::size_t>(1, longer / 3) && distance < longer &&
        (found.empty() || distance < best)) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string quoted(std::string_view text) {
  const bool cut = text.size() > 80;
  std::string out = "\"";
  for (const char c : text.substr(0, 80)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  // A multi-byte character cut in two would make the message no UTF-8.
  if (cut) {
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0u) == 0x80u) out.pop_back();
    if (!out.empty() && (static_cast<unsigned char>(out.back()) & 0x80u) != 0) out.pop_back();
    out += "…";
  }
  return out + "\"";
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace sekisho::control
