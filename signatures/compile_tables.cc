#include "signatures/compile_tables.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "dataplane/base/bytes.h"
#include "signatures/refusal.h"

namespace sekisho::signatures {

std::uint32_t Tables::slice(std::string_view s) {
  const auto [it, fresh] = slices_.try_emplace(std::string(s), static_cast<std::uint32_t>(bytes.size()));
  if (fresh) bytes.insert(bytes.end(), s.begin(), s.end());
  return it->second;
}

namespace {
abi::Address6 address6(const std::array<std::uint8_t, 16>& a) {
  return {load_be64(a.data()), load_be64(a.data() + 8)};
}
}  // namespace

std::uint32_t Sets::addresses(const std::shared_ptr<const AddressSet>& set) {
  if (!set || set->any) return abi::kNone32;
  const auto [it, fresh] =
      addresses_.try_emplace(set.get(), static_cast<std::uint32_t>(t_.address_sets.size()));
  if (!fresh) return it->second;
  keep_.push_back(set);
  abi::AddressSet r{};
  r.first4 = static_cast<std::uint32_t>(t_.intervals4.size());
  r.count4 = static_cast<std::uint32_t>(set->v4.size());
  r.first6 = static_cast<std::uint32_t>(t_.intervals6.size());
  r.count6 = static_cast<std::uint32_t>(set->v6.size());
  for (const Range4& x : set->v4) t_.intervals4.push_back({x.low, x.high});
  for (const Range6& x : set->v6) t_.intervals6.push_back({address6(x.low), address6(x.high)});
  t_.address_sets.push_back(r);
  return it->second;
}

std::uint32_t Sets::ports(const std::shared_ptr<const PortSet>& set) {
  if (!set || set->any) return abi::kNone32;
  const auto [it, fresh] = ports_.try_emplace(set.get(), static_cast<std::uint32_t>(t_.port_sets.size()));
  if (!fresh) return it->second;
  keep_.push_back(set);
  t_.port_sets.push_back(
      {static_cast<std::uint32_t>(t_.ports.size()), static_cast<std::uint32_t>(set->ranges.size())});
  for (const PortRange& x : set->ranges) t_.ports.push_back({x.low, x.high});
  return it->second;
}

Patterns::~Patterns() {
  for (void* c : codes_) pcre2_code_free(static_cast<pcre2_code*>(c));
}

std::uint32_t Patterns::add(const Pcre& p) {
  std::uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
  if (p.caseless) options |= PCRE2_CASELESS;
  if (p.multiline) options |= PCRE2_MULTILINE;
  if (p.dotall) options |= PCRE2_DOTALL;
  if (p.extended) options |= PCRE2_EXTENDED;
  if (p.anchored) options |= PCRE2_ANCHORED;
  if (p.dollar_endonly) options |= PCRE2_DOLLAR_ENDONLY;
  if (p.ungreedy) options |= PCRE2_UNGREEDY;
  std::string key = fmt::format("{:x}:", options);
  key += p.pattern;
  if (const auto it = index_.find(key); it != index_.end()) return it->second;
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(p.pattern.data()), p.pattern.size(), options,
                                   &error, &at, nullptr);
  if (code == nullptr) {
    PCRE2_UCHAR text[160] = {};
    pcre2_get_error_message(error, text, sizeof text);
    refuse("pcre: {} at {}", reinterpret_cast<const char*>(text), at);
  }
  const auto index = static_cast<std::uint32_t>(codes_.size());
  codes_.push_back(code);
  caseless_.push_back(p.caseless);
  texts_.push_back(key);
  index_.emplace(std::move(key), index);
  return index;
}

std::string Patterns::write(Tables& t) const {
  if (codes_.empty()) return {};
  for (std::size_t i = 0; i < codes_.size(); ++i) {
    std::uint32_t captures = 0;
    pcre2_pattern_info(static_cast<const pcre2_code*>(codes_[i]), PCRE2_INFO_CAPTURECOUNT, &captures);
    t.patterns.push_back({caseless_[i] ? 1u : 0u, captures});
  }
  std::uint8_t* bytes = nullptr;
  PCRE2_SIZE size = 0;
  const auto n = pcre2_serialize_encode(
      const_cast<const pcre2_code**>(reinterpret_cast<pcre2_code* const*>(codes_.data())),
      static_cast<std::int32_t>(codes_.size()), &bytes, &size, nullptr);
  if (n < 0) return fmt::format("pcre2_serialize_encode: {}", n);
  t.pattern_codes.assign(bytes, bytes + size);
  pcre2_serialize_free(bytes);
  return {};
}

}  // namespace sekisho::signatures
