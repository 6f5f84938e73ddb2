#include "signatures/compile_data.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "dataplane/base/bytes.h"
#include "signatures/compile_file.h"
#include "signatures/json_items.h"
#include "signatures/refusal.h"

namespace sekisho::signatures {
namespace {

std::string_view stripped(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}

// Calls f(line, number) for each line that is not empty and no comment; f returns why it is bad, or "".
template <class F>
std::string each_line(const std::string& path, F&& f) {
  std::vector<std::uint8_t> bytes;
  if (std::string why = read_file(path, kMaxDataFile, bytes); !why.empty()) return why;
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = stripped(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.empty() || line.front() == '#') continue;
    if (std::string why = f(line); !why.empty()) return fmt::format("{}:{}: {}", path, number, why);
  }
  return {};
}

std::vector<std::string_view> fields(std::string_view line) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t comma = line.find(',');
    parts.push_back(stripped(line.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    line.remove_prefix(comma + 1);
  }
}

template <class T>
std::optional<T> number(std::string_view s) {
  T v{};
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return v;
}

// 16 bytes; IPv4 as ::ffff:a.b.c.d.
std::optional<std::array<std::uint8_t, 16>> address(std::string_view s, bool* v4 = nullptr) {
  std::array<std::uint8_t, 16> a{};
  const std::string text(s);
  if (v4) *v4 = true;
  if (::inet_pton(AF_INET, text.c_str(), a.data() + 12) == 1) {
    a[10] = a[11] = 0xff;
    return a;
  }
  a = {};
  if (v4) *v4 = false;
  if (::inet_pton(AF_INET6, text.c_str(), a.data()) == 1) return a;
  return std::nullopt;
}

struct Span6 {
  abi::Address6 low, high;
};
// "address", "network/length" or, with two fields, "low" and "high".
std::optional<Span6> network(std::string_view s) {
  const std::size_t slash = s.find('/');
  bool v4 = false;
  auto low = address(s.substr(0, slash), &v4);
  if (!low) return std::nullopt;
  unsigned bits = 128;
  if (slash != std::string_view::npos) {
    const auto n = number<unsigned>(s.substr(slash + 1));
    if (!n || *n > (v4 ? 32u : 128u)) return std::nullopt;
    bits = *n + (v4 ? 96 : 0);
  }
  auto high = *low;
  for (unsigned i = bits; i < 128; ++i) {
    (*low)[i / 8] &= static_cast<std::uint8_t>(~(0x80u >> (i % 8)));
    high[i / 8] |= static_cast<std::uint8_t>(0x80u >> (i % 8));
  }
  const auto pack = [](const auto& a) { return abi::Address6{load_be64(a.data()), load_be64(a.data() + 8)}; };
  return Span6{pack(*low), pack(high)};
}

bool hex_bytes(std::string_view s, std::uint8_t* out, std::size_t n) {
  if (s.size() != 2 * n) return false;
  std::size_t length = 0;
  return sodium_hex2bin(out, n, s.data(), s.size(), nullptr, &length, nullptr) == 0 && length == n;
}

std::string item_of(DataSet::Type type, std::string_view line, abi::DatasetItem& item) {
  item = {};
  switch (type) {
    case DataSet::Type::string: {
      std::vector<std::uint8_t> raw(line.size() + 1);
      std::size_t length = 0;
      if (sodium_base642bin(raw.data(), raw.size(), line.data(), line.size(), nullptr, &length, nullptr,
                            sodium_base64_VARIANT_ORIGINAL) != 0)
        return "not base64";
      crypto_hash_sha256(item.key, raw.data(), length);
      return {};
    }
    case DataSet::Type::md5:
      return hex_bytes(line, item.key, 16) ? "" : "an MD5 digest is 32 hexadecimal digits";
    case DataSet::Type::sha256:
      return hex_bytes(line, item.key, 32) ? "" : "a SHA-256 digest is 64 hexadecimal digits";
    case DataSet::Type::sha1:
      return hex_bytes(line, item.key, 20) ? "" : "a SHA-1 digest is 40 hexadecimal digits";
    case DataSet::Type::ipv4:
    case DataSet::Type::ip: {
      bool v4 = false;
      const auto a = address(line, &v4);
      if (!a || (type == DataSet::Type::ipv4 && !v4)) return "not an address";
      std::memcpy(item.key, a->data(), a->size());
      return {};
    }
  }
  return "unknown type";
}

// An item as it is: strings are not in base64 in JSON.
std::string plain_item(DataSet::Type type, std::string_view text, abi::DatasetItem& item) {
  if (type != DataSet::Type::string) return item_of(type, text, item);
  item = {};
  crypto_hash_sha256(item.key, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return {};
}

bool leaves_folder(std::string_view path) {
  if (path.empty() || path.front() == '/') return true;
  while (true) {
    const std::size_t slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
}

bool less(const abi::DatasetItem& a, const abi::DatasetItem& b) {
  return std::memcmp(a.key, b.key, sizeof a.key) < 0;
}
bool same(const abi::DatasetItem& a, const abi::DatasetItem& b) {
  return std::memcmp(a.key, b.key, sizeof a.key) == 0;
}

}  // namespace

std::string Data::load() {
  if (sodium_init() < 0) return "libsodium does not start";
  if (std::string why = load_categories(); !why.empty()) return why;
  for (const std::string& f : options_.reputation_files)
    if (std::string why = load_reputation(f); !why.empty()) return why;
  std::stable_sort(t_.reputations.begin(), t_.reputations.end(), [](const auto& a, const auto& b) {
    return std::tie(a.category, a.low, a.high) < std::tie(b.category, b.low, b.high);
  });
  return load_countries();
}

std::string Data::load_categories() {
  if (options_.reputation_categories.empty()) return {};
  return each_line(options_.reputation_categories, [&](std::string_view line) -> std::string {
    const auto f = fields(line);
    const auto id = f.size() >= 2 ? number<std::uint32_t>(f[0]) : std::nullopt;
    if (!id || *id == 0 || *id > 60 || f[1].empty()) return "expected id (1 to 60), name, description";
    categories_[std::string(f[1])] = *id;
    return {};
  });
}

std::string Data::load_reputation(const std::string& path) {
  return each_line(path, [&](std::string_view line) -> std::string {
    const auto f = fields(line);
    if (f.size() != 3) return "expected address, category, score";
    const auto span = network(f[0]);
    const auto category = number<std::uint32_t>(f[1]), value = number<std::uint32_t>(f[2]);
    if (!span || !category || !value || *category == 0 || *category > 60 || *value > 127)
      return "expected address, category (1 to 60), score (0 to 127)";
    if (t_.reputations.size() == kMaxDataItems) return "too many entries";
    t_.reputations.push_back({span->low, span->high, *category, *value});
    return {};
  });
}

std::string Data::load_countries() {
  if (options_.country_file.empty()) return {};
  std::string why = each_line(options_.country_file, [&](std::string_view line) -> std::string {
    const auto f = fields(line);
    if (f.size() != 2 && f.size() != 3) return "expected network,CC or low,high,CC";
    auto low = network(f[0]);
    const auto high = f.size() == 3 ? network(f[1]) : low;
    const std::string_view cc = f.back();
    if (!low || !high || high->high < low->low || cc.size() != 2) return "expected network,CC or low,high,CC";
    if (t_.countries.size() == kMaxDataItems) return "too many entries";
    const auto upper = [](char c) { return static_cast<std::uint32_t>(c >= 'a' && c <= 'z' ? c - 32 : c); };
    t_.countries.push_back({low->low, high->high, upper(cc[0]) << 8 | upper(cc[1]), 0});
    return {};
  });
  if (!why.empty()) return why;
  std::sort(t_.countries.begin(), t_.countries.end(),
            [](const auto& a, const auto& b) { return a.low < b.low; });
  for (std::size_t i = 1; i < t_.countries.size(); ++i)
    if (t_.countries[i].low <= t_.countries[i - 1].high)
      return fmt::format("{}: two entries overlap", options_.country_file);
  return {};
}

std::uint32_t Data::category(const std::string& name) const {
  const auto it = categories_.find(name);
  if (it == categories_.end()) refuse("iprep: no category {} is configured", name);
  return it->second;
}

namespace {

// datarep makes a set of its own of each comparison: the reputations are in the file and never change.
std::string identity(const DataSet& d) {
  if (d.digest_list) return fmt::format("{} {}/{}", static_cast<int>(d.type), d.folder, d.load);
  if (!d.reputation) return d.name;
  return fmt::format("{} {} {} {}", d.name, static_cast<int>(d.reputation->op), d.reputation->low,
                     d.reputation->high);
}

}  // namespace

std::uint32_t Data::dataset(const DataSet& d) {
  const std::string id = identity(d);
  abi::DatasetRecord r{};
  if (d.name.empty() || d.name.size() >= sizeof r.name)
    refuse("dataset: a name has 1 to {} bytes", sizeof r.name - 1);
  const auto type = static_cast<std::uint32_t>(d.type);
  const bool grows = d.op == DataSet::Op::set;
  const std::uint64_t wanted = d.hash_size != 0 ? d.hash_size : 65536;
  const auto capacity = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, 1u << 20));
  if (const auto it = datasets_.find(id); it != datasets_.end()) {
    abi::DatasetRecord& known = t_.datasets[it->second];
    if (known.type != type) refuse("dataset {}: another signature gives it another type", d.name);
    if (!d.load.empty() && dataset_files_[id] != d.load)
      refuse("dataset {}: another signature gives it another file", d.name);
    if (grows) known.capacity = std::max(known.capacity, capacity);
    return it->second;
  }
  std::vector<abi::DatasetItem> items;
  if (!d.load.empty()) {
    if (leaves_folder(d.load))
      refuse("dataset {}: the file must be below the folder of the signatures", d.name);
    const std::string path = d.folder.empty() ? d.load : d.folder + "/" + d.load;
    const bool json = d.format != DataSet::Format::csv;
    const auto take = [&](std::string_view line) {
      if (items.size() + t_.dataset_items.size() >= kMaxDataItems) return std::string("too many items");
      abi::DatasetItem item;
      if (!json) {
        const std::size_t comma = line.find(',');
        if (d.reputation) {
          const auto value = comma == std::string_view::npos
                                 ? std::nullopt
                                 : number<std::uint32_t>(stripped(line.substr(comma + 1)));
          if (!value || *value > 65535) return std::string("expected value,reputation (0 to 65535)");
          if (!d.reputation->contains(*value)) return std::string();
        }
        line = stripped(line.substr(0, comma));  // a reputation is datarep's
        if (d.digest_list) line = line.substr(0, line.find_first_of(" \t"));
      }
      std::string bad = json ? plain_item(d.type, line, item) : item_of(d.type, line, item);
      if (bad.empty()) items.push_back(item);
      return bad;
    };
    std::string why;
    // A state that was never saved is empty.
    if (!(d.state && ::access(path.c_str(), F_OK) != 0 && errno == ENOENT)) {
      if (json) {
        std::vector<std::uint8_t> bytes;
        why = read_file(path, kMaxDataFile, bytes);
        if (why.empty())
          why = json_items({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                           {d.format == DataSet::Format::ndjson, d.value_key, d.array_key}, take);
      } else {
        why = each_line(path, take);
      }
    }
    if (!why.empty()) refuse("dataset {}: {}", d.name, why);
  }
  std::sort(items.begin(), items.end(), less);
  items.erase(std::unique(items.begin(), items.end(), same), items.end());
  std::memcpy(r.name, d.name.data(), d.name.size());
  r.type = type;
  r.capacity = grows ? capacity : 0;
  r.first = static_cast<std::uint32_t>(t_.dataset_items.size());
  r.count = static_cast<std::uint32_t>(items.size());
  t_.dataset_items.insert(t_.dataset_items.end(), items.begin(), items.end());
  const auto index = static_cast<std::uint32_t>(t_.datasets.size());
  t_.datasets.push_back(r);
  datasets_.emplace(id, index);
  dataset_files_.emplace(id, d.load);
  return index;
}

}  // namespace sekisho::signatures
