#include "signatures/compile.h"

#include <sodium.h>

#include <chrono>
#include <cstring>

#include "signatures/blob.h"
#include "signatures/compile_data.h"
#include "signatures/compile_order.h"
#include "signatures/compile_records.h"
#include "signatures/compile_scan.h"
#include "signatures/compile_tables.h"
#include "signatures/refusal.h"

namespace sekisho::signatures {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

const char* action_text(Action a) {
  switch (a) {
    case Action::pass:
      return "pass";
    case Action::drop:
      return "drop";
    case Action::reject:
      return "rejectsrc";
    case Action::reject_destination:
      return "rejectdst";
    case Action::reject_both:
      return "rejectboth";
    case Action::alert:
      return "alert";
  }
  return "alert";
}

SignatureInfo info_of(const Signature& s) {
  SignatureInfo i;
  i.sid = s.sid;
  i.gid = s.gid;
  i.rev = s.rev;
  i.priority = s.priority;
  i.action = action_text(s.action);
  i.msg = s.msg;
  i.classtype = s.classtype;
  i.target = s.target == Target::source ? "src_ip" : s.target == Target::destination ? "dest_ip" : "";
  i.app = s.protocol.name;
  i.references = s.references;
  i.metadata = s.metadata;
  return i;
}

// threshold.config upon the signatures' own: an entry for one signature replaces what it has; one for many
// stands only where there is none. The later of two equal ones wins.
template <class Entry, class F>
void for_signatures(Tables& t, const std::vector<Entry>& entries, F&& f) {
  for (int pass = 0; pass < 2; ++pass) {  // first what names many
    for (const Entry& e : entries) {
      const bool one = e.sid != 0;
      if (one != (pass == 1)) continue;
      for (abi::SignatureRecord& s : t.signatures)
        if ((!one || s.sid == e.sid) && (e.gid == 0 || s.gid == e.gid)) f(s, e, one);
    }
  }
}

abi::SignatureAction action_of(RateFilter::NewAction a) {
  switch (a) {
    case RateFilter::NewAction::drop:
      return abi::SignatureAction::drop;
    case RateFilter::NewAction::alert:
      return abi::SignatureAction::alert;
    case RateFilter::NewAction::pass:
      return abi::SignatureAction::pass;
    case RateFilter::NewAction::reject:
      return abi::SignatureAction::reject;
  }
  return abi::SignatureAction::alert;
}

void apply_thresholds(Tables& t, const std::vector<Signature>& signatures,
                      const std::vector<std::uint32_t>& kept, const Thresholds& thresholds) {
  const auto put = [&](const abi::ThresholdRecord& r) {
    t.thresholds.push_back(r);
    return static_cast<std::uint32_t>(t.thresholds.size() - 1);
  };
  for_signatures(t, thresholds.filters, [&](abi::SignatureRecord& s, const EventFilter& e, bool one) {
    const Signature& own = signatures[kept[static_cast<std::size_t>(&s - t.signatures.data())]];
    if (!one && (own.threshold || own.detection_filter)) return;
    s.threshold = put(threshold_record(e.threshold));
  });
  for_signatures(t, thresholds.rates, [&](abi::SignatureRecord& s, const RateFilter& e, bool) {
    abi::ThresholdRecord r{};
    r.type = abi::ThresholdType::rate_filter;
    r.track = static_cast<abi::ThresholdTrack>(e.track);
    r.new_action = static_cast<std::uint8_t>(action_of(e.action));
    r.count = e.count;
    r.seconds = e.seconds;
    r.timeout = e.timeout;
    r.addresses = abi::kNone32;
    s.rate_filter = put(r);
  });
}

void add_suppressions(Tables& t, Sets& sets, const std::vector<Suppression>& suppressions) {
  for (const Suppression& e : suppressions) {
    abi::SuppressionRecord r{};
    r.sid = e.sid;
    r.gid = e.gid;
    r.addresses = abi::kNone32;
    if (e.by != Suppression::By::all) r.addresses = sets.addresses(e.addresses);
    r.track = e.by == Suppression::By::source ? 0 : e.by == Suppression::By::destination ? 1 : 2;
    t.suppressions.push_back(r);
  }
}

// Of the tables without what the libraries made of them: the same set has the same hash on every machine.
SetHash hash_of(const Tables& t, const Patterns& patterns, const SetInfo& info, const std::string& salt) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  const auto add = [&](const void* p, std::uint64_t n) {
    crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(&n), sizeof n);
    crypto_hash_sha256_update(&state, static_cast<const unsigned char*>(p), n);
  };
  const auto table = [&](const auto& v) { add(v.data(), v.size() * sizeof(v[0])); };
  table(t.signatures);
  table(t.groups);
  table(t.matches);
  table(t.transforms);
  table(t.checks);
  table(t.effects);
  table(t.thresholds);
  table(t.address_sets);
  table(t.intervals4);
  table(t.intervals6);
  table(t.port_sets);
  table(t.ports);
  table(t.ranges);
  table(t.bytes);
  table(t.datasets);
  table(t.dataset_items);
  table(t.reputations);
  table(t.countries);
  table(t.suppressions);
  const std::vector<std::uint8_t> names = encode_info(info);
  table(names);
  for (const std::string& p : patterns.texts()) add(p.data(), p.size());
  add(salt.data(), salt.size());
  SetHash hash;
  crypto_hash_sha256_final(&state, hash.data());
  return hash;
}

}  // namespace

CompileResult compile(const std::vector<Signature>& signatures, const CompileOptions& options) {
  const auto begin = Clock::now();
  CompileResult result;
  if (signatures.size() > abi::kMaxSignatures) {
    result.failure =
        fmt::format("{} signatures: at most {} are taken", signatures.size(), abi::kMaxSignatures);
    return result;
  }
  Tables t;
  Sets sets(t);
  Data data(t, options);
  if (result.failure = data.load(); !result.failure.empty()) return result;
  RecordWriter records(t, sets, data);
  ScanWriter scan;
  std::vector<std::uint32_t> kept;  // index in the blob → place in the input
  for (const std::uint32_t i : evaluation_order(signatures, options.action_order)) {
    const Signature& s = signatures[i];
    std::vector<std::string> partial;
    const auto index = static_cast<std::uint32_t>(t.signatures.size());
    try {
      records.write(s, partial);
    } catch (const Refusal& r) {
      result.rejected.push_back({i, s.gid, s.sid, r.why});
      continue;
    }
    if (options.recent.contains({s.gid, s.sid})) t.signatures.back().flags |= abi::signature_flag::kRecent;
    scan.add(s, index);
    kept.push_back(i);
    for (std::string& why : partial) result.partial.push_back({i, s.gid, s.sid, std::move(why)});
    result.info.signatures.push_back(info_of(s));
  }
  apply_thresholds(t, signatures, kept, options.thresholds);
  add_suppressions(t, sets, options.thresholds.suppressions);
  result.info.hash = hash_of(t, records.patterns, result.info, options.salt);
  result.statistics.record_ms = since(begin);

  const auto patterns = Clock::now();
  if (result.failure = records.patterns.write(t); !result.failure.empty()) return result;
  result.statistics.patterns = static_cast<std::uint32_t>(t.patterns.size());
  result.statistics.pattern_bytes = t.pattern_codes.size();
  result.statistics.pattern_ms = since(patterns);
  if (result.failure = scan.write(t, options, result.statistics); !result.failure.empty()) return result;

  const BlobNumbers numbers{result.info.hash, records.flowbits.size(), records.flowints.size(),
                            records.xbits.size()};
  result.blob = make_blob(t, numbers, result.failure);
  result.statistics.total_ms = since(begin);
  return result;
}

}  // namespace sekisho::signatures
