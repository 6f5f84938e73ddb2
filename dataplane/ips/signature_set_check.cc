#include "dataplane/ips/signature_set_check.h"

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "dataplane/abi/app_event.h"
#include "dataplane/abi/decode_event.h"
#include "dataplane/abi/stream_event.h"
#include "dataplane/base/hash.h"

namespace sekisho::ips {
namespace {

using abi::kNone32;
using abi::kNoVariable;

template <class E>
bool known(E value, E last) {
  return static_cast<unsigned>(value) <= static_cast<unsigned>(last);
}

// Walks the tables in order. Slices of one kind stand one behind the other, as the compiler writes them: so
// the walk is linear, and no record is shared or left out.
class Checker {
 public:
  Checker(BlockTables& t, std::string& why) : t_(t), v_(t.view), why_(why) {}

  bool all() { return sets() && thresholds() && transforms() && signatures() && data() && scan(); }

 private:
  bool bad(const char* what, std::size_t index) {
    why_ = what;
    why_ += " (record ";
    why_ += std::to_string(index);
    why_ += ')';
    return false;
  }
  static bool slice(std::uint64_t first, std::uint64_t count, std::size_t size) {
    return first <= size && count <= size - first;
  }
  bool address(std::uint32_t i) const { return i == kNone32 || i < v_.address_sets.size(); }
  bool port(std::uint32_t i) const { return i == kNone32 || i < v_.port_sets.size(); }
  bool threshold(std::uint32_t i) const { return i == kNone32 || i < v_.thresholds.size(); }

  bool sets() {
    for (std::size_t i = 0; i < v_.address_sets.size(); ++i) {
      const abi::AddressSet& s = v_.address_sets[i];
      if (!slice(s.first4, s.count4, v_.intervals4.size()) ||
          !slice(s.first6, s.count6, v_.intervals6.size()))
        return bad("address set: intervals", i);
    }
    for (std::size_t i = 0; i < v_.port_sets.size(); ++i)
      if (!slice(v_.port_sets[i].first, v_.port_sets[i].count, v_.ports.size()))
        return bad("port set: intervals", i);
    for (std::size_t i = 0; i < v_.suppressions.size(); ++i)
      if (!address(v_.suppressions[i].addresses) || v_.suppressions[i].track > 2)
        return bad("suppression", i);
    return true;
  }

  bool thresholds() {
    for (std::size_t i = 0; i < v_.thresholds.size(); ++i) {
      const abi::ThresholdRecord& r = v_.thresholds[i];
      if (!known(r.type, abi::ThresholdType::rate_filter) || !known(r.track, abi::ThresholdTrack::by_flow) ||
          r.new_action > static_cast<unsigned>(abi::SignatureAction::alert) || !address(r.addresses))
        return bad("threshold", i);
    }
    return true;
  }

  bool transforms() {
    for (std::size_t i = 0; i < v_.transforms.size(); ++i) {
      const abi::TransformRecord& r = v_.transforms[i];
      const bool inflates =
          r.kind == abi::TransformKind::gunzip || r.kind == abi::TransformKind::zlib_deflate;
      if (!known(r.kind, abi::TransformKind::zlib_deflate) || r.mode > 2 ||
          !slice(r.key, r.key_bytes, v_.bytes.size()) ||
          (r.kind == abi::TransformKind::xor_key && (r.mode == 1 ? r.key_size == 0 : r.key_bytes == 0)) ||
          (inflates && (r.number == 0 || r.number > abi::kMaxInflated)))
        return bad("transform", i);
    }
    return true;
  }

  bool signatures() {
    std::uint64_t group = 0, check = 0, effect = 0;
    for (std::size_t i = 0; i < v_.signatures.size(); ++i) {
      const abi::SignatureRecord& s = v_.signatures[i];
      if (!known(s.action, abi::SignatureAction::alert) || !known(s.type, abi::SignatureType::app_tx) ||
          s.app >= abi::AppProtocol::count || !known(s.mode, abi::SignatureMode::any_packet) ||
          s.directions > abi::kBothWays)
        return bad("signature: unknown value", i);
      if (!address(s.source_addresses) || !address(s.destination_addresses) || !port(s.source_ports) ||
          !port(s.destination_ports) || !threshold(s.threshold) || !threshold(s.detection_filter) ||
          !threshold(s.rate_filter))
        return bad("signature: index", i);
      if (s.group_count > abi::kMaxGroups || s.variable_count > abi::kMaxVariables)
        return bad("signature: too many groups or variables", i);
      if (s.first_group != group || s.first_check != check || s.first_effect != effect)
        return bad("signature: slices do not follow each other", i);
      group += s.group_count;
      check += s.check_count;
      effect += s.effect_count;
      if (group > v_.groups.size() || check > v_.checks.size() || effect > v_.effects.size())
        return bad("signature: slice", i);
      for (std::uint32_t g = s.first_group; g < group; ++g)
        if (!this->group(g, s)) return false;
      for (std::uint32_t c = s.first_check; c < check; ++c)
        if (!this->check(v_.checks[c])) return bad("check", c);
      for (std::uint32_t e = s.first_effect; e < effect; ++e)
        if (!this->effect(v_.effects[e], s)) return bad("effect", e);
    }
    if (group != v_.groups.size() || check != v_.checks.size() || effect != v_.effects.size() ||
        match_ != v_.matches.size() || transform_ != v_.transforms.size())
      return bad("records that belong to no signature", v_.signatures.size());
    return true;
  }

  bool group(std::uint32_t index, const abi::SignatureRecord& s) {
    const abi::GroupRecord& g = v_.groups[index];
    if (g.buffer >= abi::Buffer::count && g.buffer != abi::Buffer::base64_data)
      return bad("group: buffer", index);
    if (g.directions > abi::kBothWays || g.absent > 2) return bad("group: unknown value", index);
    if (g.buffer == abi::Buffer::base64_data && g.transform_count != 0)
      return bad("group: transforms", index);
    if (g.first_match != match_ || g.first_transform != transform_) return bad("group: slices", index);
    match_ += g.match_count;
    transform_ += g.transform_count;
    if (match_ > v_.matches.size() || transform_ > v_.transforms.size()) return bad("group: slice", index);
    for (std::uint32_t m = g.first_match; m < match_; ++m)
      if (!match(v_.matches[m], s)) return bad("match", m);
    return true;
  }

  bool match(const abi::MatchRecord& m, const abi::SignatureRecord& s) const {
    for (const std::uint8_t variable : m.variable)
      if (variable != kNoVariable && variable >= s.variable_count) return false;
    if (m.result != kNoVariable && m.result >= s.variable_count) return false;
    if (m.base != 0 && m.base != 8 && m.base != 10 && m.base != 16) return false;
    const bool number = m.bytes <= (m.base == 0 ? 8 : 23);
    switch (m.kind) {
      case abi::MatchKind::content:
        return m.size > 0 && slice(m.data, m.size, v_.bytes.size());
      case abi::MatchKind::pcre:
        return m.data < v_.patterns.size();
      case abi::MatchKind::byte_test:
        return number && m.op <= static_cast<unsigned>(abi::ByteTestOp::bit_xor);
      case abi::MatchKind::byte_jump:
        return number;
      case abi::MatchKind::byte_extract:
        return number && m.result != kNoVariable && (m.align == 0 || m.align == 2 || m.align == 4);
      case abi::MatchKind::byte_math:
        return number && m.result != kNoVariable &&
               m.op <= static_cast<unsigned>(abi::ByteMathOp::shift_right);
      case abi::MatchKind::size:
        return m.op <= static_cast<unsigned>(abi::RangeOp::not_in);
      case abi::MatchKind::dataset:
        return m.data < v_.datasets.size() && m.op <= 1;
      case abi::MatchKind::isdataat:
      case abi::MatchKind::base64_decode:
        return true;
      case abi::MatchKind::asn1:
        return m.op <= 7;
    }
    return false;
  }

  bool ids(const abi::CheckRecord& c, std::uint64_t below) const {
    for (std::uint32_t i = 0; i < c.count; ++i) {
      const abi::Interval64& r = v_.ranges[c.first + i];
      if (r.low > r.high || r.high >= below) return false;
    }
    return true;
  }

  bool check(const abi::CheckRecord& c) {
    using K = abi::CheckKind;
    const abi::SignatureHeader& h = *t_.header;
    const bool range = c.op <= static_cast<unsigned>(abi::RangeOp::not_in);
    switch (c.kind) {
      case K::dsize:
      case K::ttl:
      case K::icmp_type:
      case K::icmp_code:
      case K::ip_protocol:
      case K::fragment_offset:
      case K::stream_size:
      case K::dns_opcode:
        return range && c.argument <= 3;
      case K::tcp_flags:
      case K::fragment_bits:
        return c.op <= 3;
      case K::icmp_id:
      case K::icmp_sequence:
      case K::ip_id:
      case K::ip_option:
      case K::tos:
      case K::tcp_sequence:
      case K::tcp_ack:
      case K::tcp_window:
      case K::same_ip:
      case K::ftp_bounce:
      case K::ssl_state:
        return true;
      case K::rpc:
        return c.argument <= 3;
      case K::decode_event:
        return c.low < abi::kDecodeEvents;
      case K::stream_event:
        return c.low < abi::kStreamEvents;
      case K::dce_interface:
        return range && c.argument <= 3 && slice(c.data, 16, v_.bytes.size());
      case K::dce_opnum:
      case K::tls_version:
        return ranges(c);
      case K::ftp_data_command:
        return c.low == 1 || c.low == 2;
      case K::app_event:
        return c.low < static_cast<unsigned>(abi::AppEvent::count);
      case K::app_protocol:
        return c.low < static_cast<unsigned>(abi::AppProtocol::count) && (c.argument & 0x7f) <= 5;
      case K::app_number:
        return range && (c.data & 0xffff) < static_cast<unsigned>(abi::AppNumber::count) && c.count <= 1 &&
               c.argument <= static_cast<unsigned>(abi::NumberMode::count) &&
               (c.argument != static_cast<unsigned>(abi::NumberMode::how_many) ||
                c.first >> 24 <= static_cast<unsigned>(abi::RangeOp::greater_equal));
      case K::reputation:
        return (range || c.op == 255) && c.argument <= 3;
      case K::geoip:
        return c.argument <= 3 && ranges(c);
      case K::flowbits:
        return c.op <= 1 && ranges(c) && ids(c, h.flowbit_count);
      case K::flowint:
        return c.op <= static_cast<unsigned>(abi::FlowIntOp::is_not_set) && c.low < h.flowint_count &&
               c.argument <= 1 && (c.argument == 0 || c.high < h.flowint_count);
      case K::xbits:
        return c.op <= 1 && c.low < h.xbit_count && c.argument <= 3;
      case K::hostbits:
        return c.op <= 1 && c.low < h.xbit_count && c.argument <= 2;
      case K::number:
        return range && c.argument < static_cast<unsigned>(abi::Quantity::count) &&
               (static_cast<abi::Quantity>(c.argument) != abi::Quantity::checksum ||
                c.data < static_cast<unsigned>(abi::Checksum::count));
    }
    return false;
  }
  // Each range is in one check, so that ids() stays linear.
  bool ranges(const abi::CheckRecord& c) {
    if (c.first != range_ || !slice(c.first, c.count, v_.ranges.size())) return false;
    range_ += c.count;
    return true;
  }

  bool effect(const abi::EffectRecord& e, const abi::SignatureRecord& s) const {
    using K = abi::EffectKind;
    const abi::SignatureHeader& h = *t_.header;
    switch (e.kind) {
      case K::flowbits:
        return e.op <= 2 && e.id < h.flowbit_count;
      case K::flowint:
        return e.op <= static_cast<unsigned>(abi::FlowIntOp::assign) && e.id < h.flowint_count &&
               (e.other == kNone32 || e.other < h.flowint_count);
      case K::xbits:
        return e.op <= 2 && e.id < h.xbit_count && e.argument <= 3;
      case K::hostbits:
        return e.op <= 2 && e.id < h.xbit_count && e.argument <= 2;
      case K::tag:
        return e.op <= 2 && e.argument <= 2;
      case K::dataset:
        return e.op <= 1 && e.id < v_.datasets.size() && e.group < s.group_count;
    }
    return false;
  }

  bool data() {
    for (std::size_t i = 0; i < v_.datasets.size(); ++i) {
      const abi::DatasetRecord& d = v_.datasets[i];
      if (d.type > 5 || std::memchr(d.name, 0, sizeof d.name) == nullptr || d.capacity > 1u << 20 ||
          !slice(d.first, d.count, v_.dataset_items.size()))
        return bad("data set", i);
    }
    return true;
  }

  bool postings(std::uint32_t first, std::uint32_t count) {
    if (first != posting_ || !slice(first, count, t_.postings.size())) return false;
    posting_ += count;
    for (const abi::PostingRecord& p : t_.postings.subspan(first, count))
      if (p.signature >= v_.signatures.size() || p.group >= v_.signatures[p.signature].group_count ||
          p.in_packet > 1)
        return false;
    return true;
  }

  bool scan() {
    std::uint64_t literal = 0, anchor = 0;
    for (std::size_t i = 0; i < t_.scan_groups.size(); ++i) {
      const abi::ScanGroupRecord& g = t_.scan_groups[i];
      if (g.buffer >= abi::Buffer::count ||
          (g.direction != abi::kToServer && g.direction != abi::kToClient) ||
          g.app >= abi::AppProtocol::count)
        return bad("scan group: unknown value", i);
      if (g.first_literal != literal || !slice(literal, g.literal_count, t_.literals.size()) ||
          g.first_anchored != anchor || !slice(anchor, g.anchored_count, t_.anchored.size()))
        return bad("scan group: slice", i);
      for (const abi::LiteralRecord& l : t_.literals.subspan(literal, g.literal_count))
        if (l.bytes == 0 || l.bytes > abi::kScanLookBack + 1 || !postings(l.first_posting, l.posting_count))
          return bad("scan group: literal", i);
      for (const abi::AnchoredRecord& a : t_.anchored.subspan(anchor, g.anchored_count))
        if (a.size == 0 || a.size > 8 || a.offset > 1u << 20 || !slice(a.data, a.size, v_.bytes.size()) ||
            a.posting_count == 0 || !postings(a.first_posting, a.posting_count))
          return bad("scan group: anchored literal", i);
      if (!postings(g.first_always, g.always_count)) return bad("scan group: always", i);
      if (g.database % 64 != 0 || !slice(g.database, g.database_bytes, t_.databases.size()) ||
          (g.database_bytes != 0) != (g.literal_count != 0))
        return bad("scan group: database", i);
      literal += g.literal_count;
      anchor += g.anchored_count;
    }
    if (literal != t_.literals.size() || anchor != t_.anchored.size() || posting_ != t_.postings.size())
      return bad("literals that belong to no scan group", t_.scan_groups.size());
    for (std::size_t i = 0; i < t_.packet_always.size(); ++i)
      if (t_.packet_always[i] >= v_.signatures.size() ||
          (i > 0 && t_.packet_always[i] <= t_.packet_always[i - 1]))
        return bad("packet_always", i);
    return true;
  }

  BlockTables& t_;
  const SetView& v_;
  std::string& why_;
  std::uint64_t match_ = 0, transform_ = 0, posting_ = 0, range_ = 0;
};

}  // namespace

bool check_block(std::span<const std::uint8_t> block, BlockTables& t, std::string& why) {
  if (reinterpret_cast<std::uintptr_t>(block.data()) % 64 != 0) return why = "not aligned", false;
  if (block.size() < sizeof(abi::SignatureHeader)) return why = "shorter than its header", false;
  const auto* h = reinterpret_cast<const abi::SignatureHeader*>(block.data());
  t.header = h;
  if (h->magic != abi::kSignatureMagic) return why = "no signature set", false;
  if (h->version != abi::kSignatureVersion || h->sections != abi::kSignatureSections)
    return why = "a signature set of another version", false;
  if (h->bytes != block.size()) return why = "another length than its header says", false;
  bool good = true;
  const auto table = [&](abi::SignatureSection which, auto& span) {
    using T = typename std::remove_reference_t<decltype(span)>::element_type;
    const abi::SectionRecord& r = h->section[static_cast<unsigned>(which)];
    if (r.record_bytes != sizeof(T) || r.offset % 64 != 0 || r.offset > block.size() ||
        r.count > (block.size() - r.offset) / sizeof(T) || r.count > kNone32) {
      good = false;
      return;
    }
    span = {reinterpret_cast<T*>(block.data() + r.offset), static_cast<std::size_t>(r.count)};
  };
  using S = abi::SignatureSection;
  SetView& v = t.view;
  table(S::signatures, v.signatures);
  table(S::groups, v.groups);
  table(S::matches, v.matches);
  table(S::transforms, v.transforms);
  table(S::checks, v.checks);
  table(S::effects, v.effects);
  table(S::thresholds, v.thresholds);
  table(S::address_sets, v.address_sets);
  table(S::intervals4, v.intervals4);
  table(S::intervals6, v.intervals6);
  table(S::port_sets, v.port_sets);
  table(S::ports, v.ports);
  table(S::ranges, v.ranges);
  table(S::bytes, v.bytes);
  table(S::patterns, v.patterns);
  table(S::pattern_codes, t.pattern_codes);
  table(S::scan_groups, t.scan_groups);
  table(S::literals, t.literals);
  table(S::anchored, t.anchored);
  table(S::postings, t.postings);
  table(S::databases, t.databases);
  table(S::packet_always, t.packet_always);
  table(S::datasets, v.datasets);
  table(S::dataset_items, v.dataset_items);
  table(S::reputations, v.reputations);
  table(S::countries, v.countries);
  table(S::suppressions, v.suppressions);
  if (!good) return why = "a table outside the block", false;
  if (v.signatures.size() > abi::kMaxSignatures) return why = "too many signatures", false;
  // PCRE2's and Hyperscan's own checks of their serialized forms do not find every damage.
  if (h->code_checksum != hash64(t.databases, hash64(t.pattern_codes))) return why = "damaged codes", false;
  return Checker(t, why).all();
}

}  // namespace sekisho::ips
