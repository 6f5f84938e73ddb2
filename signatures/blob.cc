#include "signatures/blob.h"

#include <cstring>

#include "dataplane/base/hash.h"

namespace sekisho::signatures {

std::vector<std::uint8_t> make_blob(const Tables& t, const BlobNumbers& numbers, std::string& why) {
  abi::SignatureHeader h{};
  h.magic = abi::kSignatureMagic;
  h.version = abi::kSignatureVersion;
  h.sections = abi::kSignatureSections;
  std::memcpy(h.set_hash, numbers.hash.data(), sizeof h.set_hash);
  h.flowbit_count = numbers.flowbits;
  h.flowint_count = numbers.flowints;
  h.xbit_count = numbers.xbits;
  h.code_checksum = hash64(t.databases, hash64(t.pattern_codes));

  std::uint64_t at = sizeof h;
  const auto align = [](std::uint64_t v) { return (v + 63) & ~std::uint64_t{63}; };
  const auto place = [&](abi::SignatureSection which, const auto& v) {
    at = align(at);
    abi::SectionRecord& r = h.section[static_cast<unsigned>(which)];
    r.offset = at;
    r.count = v.size();
    r.record_bytes = sizeof(v[0]);
    at += v.size() * sizeof(v[0]);
  };
  const auto each = [&](auto&& f) {
    using S = abi::SignatureSection;
    f(S::signatures, t.signatures);
    f(S::groups, t.groups);
    f(S::matches, t.matches);
    f(S::transforms, t.transforms);
    f(S::checks, t.checks);
    f(S::effects, t.effects);
    f(S::thresholds, t.thresholds);
    f(S::address_sets, t.address_sets);
    f(S::intervals4, t.intervals4);
    f(S::intervals6, t.intervals6);
    f(S::port_sets, t.port_sets);
    f(S::ports, t.ports);
    f(S::ranges, t.ranges);
    f(S::bytes, t.bytes);
    f(S::patterns, t.patterns);
    f(S::pattern_codes, t.pattern_codes);
    f(S::scan_groups, t.scan_groups);
    f(S::literals, t.literals);
    f(S::anchored, t.anchored);
    f(S::postings, t.postings);
    f(S::databases, t.databases);
    f(S::packet_always, t.packet_always);
    f(S::datasets, t.datasets);
    f(S::dataset_items, t.dataset_items);
    f(S::reputations, t.reputations);
    f(S::countries, t.countries);
    f(S::suppressions, t.suppressions);
  };
  each(place);
  at = align(at);
  if (at > abi::kMaxSnapshotBytes) {
    why = "the signature set is larger than a snapshot may be";
    return {};
  }
  h.bytes = at;
  std::vector<std::uint8_t> blob(at);
  std::memcpy(blob.data(), &h, sizeof h);
  each([&](abi::SignatureSection which, const auto& v) {
    if (!v.empty())
      std::memcpy(blob.data() + h.section[static_cast<unsigned>(which)].offset, v.data(),
                  v.size() * sizeof(v[0]));
  });
  return blob;
}

}  // namespace sekisho::signatures
