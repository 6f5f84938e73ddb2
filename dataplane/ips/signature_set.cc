#include "dataplane/ips/signature_set.h"

#include <hs/hs.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>

#include "dataplane/base/hash.h"
#include "dataplane/ips/scanner.h"
#include "dataplane/ips/signature_set_check.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace sekisho::ips {
namespace {

const char* text_of(hs_error_t e) {
  switch (e) {
    case HS_NOMEM:
      return "no memory";
    case HS_DB_VERSION_ERROR:
      return "made by another version of Hyperscan";
    case HS_DB_PLATFORM_ERROR:
      return "made for another processor";
    case HS_DB_MODE_ERROR:
      return "made for another mode";
    default:
      return "damaged";
  }
}

bool make_codes(std::vector<pcre2_code*>& codes, std::span<const std::uint8_t> bytes) {
  // pcre2_serialize_decode wants the bytes aligned; sections are.
  const std::int32_t n = pcre2_serialize_get_number_of_codes(bytes.data());
  if (n < 0 || static_cast<std::size_t>(n) != codes.size()) return false;
  return pcre2_serialize_decode(codes.data(), n, bytes.data(), nullptr) == n;
}

}  // namespace

SignatureSet::~SignatureSet() {
  for (pcre2_code* c : codes_) pcre2_code_free(c);
  for (hs_database_t* d : databases_) hs_free_database(d);
}

bool SignatureSet::decode_patterns(std::span<const std::uint8_t> bytes, std::string& why) {
  const std::size_t n = view_.patterns.size();
  if (n == 0) return true;
  codes_.assign(n, nullptr);
  if (bytes.size() < 16 || !make_codes(codes_, bytes)) {
    codes_.clear();
    why = "the PCRE2 codes are of another version or damaged";
    return false;
  }
  for (pcre2_code* c : codes_) {
    if (pcre2_jit_compile(c, PCRE2_JIT_COMPLETE) != 0) ++interpreted_;
    std::size_t size = 0, jit = 0;
    pcre2_pattern_info(c, PCRE2_INFO_SIZE, &size);
    pcre2_pattern_info(c, PCRE2_INFO_JITSIZE, &jit);
    memory_.patterns += size;
    memory_.machine_code += jit;
  }
  return true;
}

bool SignatureSet::build_units(std::span<const abi::ScanGroupRecord> groups,
                               std::span<const abi::LiteralRecord> literals,
                               std::span<const abi::AnchoredRecord> anchored,
                               std::span<const std::uint8_t> databases, std::string& why) {
  literals_.reserve(literals.size());
  for (const abi::LiteralRecord& l : literals) {
    ScanLiteral s{l.first_posting, l.posting_count, abi::kNone32, 0, 1, 0};
    for (const abi::PostingRecord& p : postings_.subspan(l.first_posting, l.posting_count)) {
      s.low_end = std::min(s.low_end, p.low_end);
      s.high_end = std::max(s.high_end, p.high_end);
    }
    for (const abi::PostingRecord& p : postings_.subspan(l.first_posting, l.posting_count))
      if (p.low_end != s.low_end || p.high_end != s.high_end || p.in_packet != 0) s.uniform = 0;
    for (const abi::PostingRecord& p : postings_.subspan(l.first_posting, l.posting_count))
      if (p.in_packet != 0) s.packets = 1, s.low_end = 0, s.high_end = abi::kNone32;
    literals_.push_back(s);
  }
  std::vector<std::uint32_t> order(groups.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto place = [&](std::uint32_t i) { return std::tuple(groups[i].buffer, groups[i].direction); };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return place(a) < place(b); });
  for (const std::uint32_t i : order) {
    const abi::ScanGroupRecord& g = groups[i];
    ScanUnit u{};
    u.app = g.app;
    u.transport = g.transport;
    u.first_literal = g.first_literal;
    u.literal_count = g.literal_count;
    u.first_always = g.first_always;
    u.always_count = g.always_count;
    if (g.database_bytes != 0) {
      hs_database_t* d = nullptr;
      const hs_error_t e = hs_deserialize_database(
          reinterpret_cast<const char*>(databases.data() + g.database), g.database_bytes, &d);
      if (e != HS_SUCCESS) {
        why = "the Hyperscan database of ";
        why += abi::info(g.buffer).keyword;
        why += " is ";
        why += text_of(e);
        return false;
      }
      databases_.push_back(d);
      u.database = d;
      std::size_t size = 0;
      hs_database_size(d, &size);
      memory_.databases += size;
    }
    // Anchored literals: a class for each offset, length and case, with a table of twice their number.
    std::vector<abi::AnchoredRecord> sorted(anchored.begin() + g.first_anchored,
                                            anchored.begin() + g.first_anchored + g.anchored_count);
    const auto kind = [](const abi::AnchoredRecord& a) {
      return std::tuple(a.offset, a.size, a.nocase != 0);
    };
    std::stable_sort(sorted.begin(), sorted.end(), [&](auto& a, auto& b) { return kind(a) < kind(b); });
    u.first_class = static_cast<std::uint32_t>(classes_.size());
    for (std::size_t at = 0; at < sorted.size();) {
      std::size_t end = at;
      while (end < sorted.size() && kind(sorted[end]) == kind(sorted[at])) ++end;
      AnchorClass c{};
      c.offset = sorted[at].offset;
      c.size = static_cast<std::uint8_t>(sorted[at].size);
      c.nocase = sorted[at].nocase != 0;
      c.mask = anchor_mask(c.size);
      c.first_slot = static_cast<std::uint32_t>(slots_.size());
      c.slot_mask = static_cast<std::uint32_t>(std::bit_ceil(2 * (end - at)) - 1);
      slots_.resize(slots_.size() + c.slot_mask + 1);
      for (; at < end; ++at) {
        std::uint64_t key = 0;
        std::memcpy(&key, view_.bytes.data() + sorted[at].data, sorted[at].size);
        const std::uint8_t first = static_cast<std::uint8_t>(key);
        c.first[first >> 6] |= 1ull << (first & 63);
        if (c.nocase && first >= 'a' && first <= 'z')
          c.first[(first - 32) >> 6] |= 1ull << ((first - 32) & 63);
        std::uint32_t slot = anchor_hash(key) & c.slot_mask;
        while (slots_[c.first_slot + slot].posting_count != 0) slot = (slot + 1) & c.slot_mask;
        slots_[c.first_slot + slot] = {key, sorted[at].first_posting, sorted[at].posting_count};
      }
      classes_.push_back(c);
    }
    u.class_count = static_cast<std::uint32_t>(classes_.size()) - u.first_class;
    UnitSlice& s = by_buffer_[static_cast<unsigned>(g.buffer)][g.direction >> 1];
    if (s.count == 0) s.first = static_cast<std::uint32_t>(units_.size());
    ++s.count;
    units_.push_back(u);
  }
  return true;
}

std::unique_ptr<const SignatureSet> SignatureSet::load(std::span<const std::uint8_t> block,
                                                       std::string& why) {
  BlockTables t;
  if (!check_block(block, t, why)) return nullptr;
  std::unique_ptr<SignatureSet> set(new SignatureSet);
  set->header_ = t.header;
  set->view_ = t.view;
  set->postings_ = t.postings;
  set->packet_always_ = t.packet_always;
  if (!set->decode_patterns(t.pattern_codes, why)) return nullptr;
  if (!set->build_units(t.scan_groups, t.literals, t.anchored, t.databases, why)) return nullptr;
  set->view_.codes = set->codes_;
  set->headers_.reserve(t.view.signatures.size());
  for (const abi::SignatureRecord& s : t.view.signatures) set->headers_.push_back(make_header(set->view_, s));
  set->view_.headers = set->headers_;
  for (unsigned type = 0; type < std::size(set->always_); ++type) {
    std::vector<std::uint32_t> of_type;
    for (const std::uint32_t i : t.packet_always)
      if (static_cast<unsigned>(t.view.signatures[i].type) == type) of_type.push_back(i);
    set->always_[type].build(set->view_, of_type);
    set->memory_.index += set->always_[type].bytes();
  }
  const auto bytes = [](const auto& v) { return v.capacity() * sizeof(v[0]); };
  set->memory_.block = block.size();
  set->memory_.index += bytes(set->headers_) + bytes(set->codes_) + bytes(set->databases_) +
                        bytes(set->units_) + bytes(set->literals_) + bytes(set->classes_) +
                        bytes(set->slots_) + sizeof(SignatureSet);
  return set;
}

ScanScratch::~ScanScratch() {
  hs_free_scratch(hyperscan);
}

bool ScanScratch::grow(const SignatureSet& set) {
  for (const hs_database_t* d : set.databases())
    if (hs_alloc_scratch(d, &hyperscan) != HS_SUCCESS) return false;
  if (literal.size() < set.literal_count()) literal.resize(set.literal_count());
  if (cost.size() < set.view().signatures.size()) cost.resize(set.view().signatures.size());
  if (posting.size() < set.postings().size()) posting.resize(set.postings().size());
  return true;
}

std::uint64_t ScanScratch::bytes() const {
  std::size_t size = 0;
  if (hyperscan != nullptr) hs_scratch_size(hyperscan, &size);
  return size + literal.capacity() * sizeof(LiteralState) + posting.capacity() * sizeof(std::uint32_t);
}

std::uint32_t ScanScratch::next_serial() {
  if (++serial_ == 0) {  // once in 2^32 calls
    std::fill(literal.begin(), literal.end(), LiteralState{});
    std::fill(posting.begin(), posting.end(), 0u);
    serial_ = 1;
  }
  return serial_;
}

}  // namespace sekisho::ips
