#include "tests/ips/rule_set.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstring>
#include <stdexcept>

#include "signatures/compile.h"
#include "signatures/loader.h"

namespace sekisho::ips::testing {
namespace {

template <typename T>
std::span<const T> section(const std::vector<std::uint8_t>& blob, abi::SignatureSection which) {
  abi::SignatureHeader h;
  std::memcpy(&h, blob.data(), sizeof h);
  const abi::SectionRecord& r = h.section[static_cast<unsigned>(which)];
  return {reinterpret_cast<const T*>(blob.data() + r.offset), r.count};
}

}  // namespace

RuleSet::RuleSet(const std::string& text, const std::string& folder) {
  signatures::Loader loader{signatures::LoadOptions{}};
  loader.add_text("test.rules", text, folder);
  const signatures::LoadResult loaded = std::move(loader).finish();
  if (!loaded.rejections.empty()) throw std::runtime_error(signatures::format(loaded.rejections[0]));
  signatures::CompileOptions options;
  options.threads = 1;
  signatures::CompileResult r = signatures::compile(loaded.signatures, options);
  if (!r.ok()) throw std::runtime_error(r.failure);
  if (!r.rejected.empty()) throw std::runtime_error(r.rejected[0].why);
  blob_ = std::move(r.blob);
  using S = abi::SignatureSection;
  view_.signatures = section<abi::SignatureRecord>(blob_, S::signatures);
  view_.groups = section<abi::GroupRecord>(blob_, S::groups);
  view_.matches = section<abi::MatchRecord>(blob_, S::matches);
  view_.transforms = section<abi::TransformRecord>(blob_, S::transforms);
  view_.checks = section<abi::CheckRecord>(blob_, S::checks);
  view_.effects = section<abi::EffectRecord>(blob_, S::effects);
  view_.thresholds = section<abi::ThresholdRecord>(blob_, S::thresholds);
  view_.address_sets = section<abi::AddressSet>(blob_, S::address_sets);
  view_.intervals4 = section<abi::Interval4>(blob_, S::intervals4);
  view_.intervals6 = section<abi::Interval6>(blob_, S::intervals6);
  view_.port_sets = section<abi::PortSetRecord>(blob_, S::port_sets);
  view_.ports = section<abi::PortInterval>(blob_, S::ports);
  view_.ranges = section<abi::Interval64>(blob_, S::ranges);
  view_.bytes = section<std::uint8_t>(blob_, S::bytes);
  view_.patterns = section<abi::PatternRecord>(blob_, S::patterns);
  view_.datasets = section<abi::DatasetRecord>(blob_, S::datasets);
  view_.dataset_items = section<abi::DatasetItem>(blob_, S::dataset_items);
  view_.reputations = section<abi::ReputationRecord>(blob_, S::reputations);
  view_.countries = section<abi::CountryRecord>(blob_, S::countries);
  view_.suppressions = section<abi::SuppressionRecord>(blob_, S::suppressions);
  if (!view_.patterns.empty()) {
    codes_.resize(view_.patterns.size());
    const auto encoded = section<std::uint8_t>(blob_, S::pattern_codes);
    if (pcre2_serialize_decode(codes_.data(), static_cast<std::int32_t>(codes_.size()), encoded.data(),
                               nullptr) != static_cast<std::int32_t>(codes_.size()))
      throw std::runtime_error("patterns");
    for (pcre2_code* c : codes_) pcre2_jit_compile(c, PCRE2_JIT_COMPLETE);
  }
  view_.codes = codes_;
  for (const abi::SignatureRecord& s : view_.signatures) headers_.push_back(make_header(view_, s));
  view_.headers = headers_;
}

RuleSet::~RuleSet() {
  for (pcre2_code* c : codes_) pcre2_code_free(c);
}

std::uint32_t RuleSet::find(std::uint32_t sid) const {
  for (std::uint32_t i = 0; i < view_.signatures.size(); ++i) {
    if (view_.signatures[i].sid == sid) return i;
  }
  throw std::runtime_error("no such sid");
}

Scene::Scene() {
  context.source = source;
  context.destination = destination;
  context.source_port = 40000;
  context.destination_port = 80;
  context.ip_version = 4;
  context.protocol = 6;
  context.transport = abi::kTransportTcp;
  context.direction = abi::kToServer;
  context.flags = context_flag::kHasFlow | context_flag::kEstablished;
  context.now_ns = 1'000'000'000'000;
  context.flow_id = 7;
  scratch.hosts = &hosts;
  scratch.pool = &pool;
}

void Scene::payload(std::string_view s, bool complete) {
  const Bytes copy = bytes(kept.emplace_back(s));
  context.payload = View{copy, 0, 0, true, true};
  context.stream = View{copy, 0, 0, complete, true};
}

void Scene::udp() {
  context.transport = abi::kTransportUdp;
  context.protocol = 17;
}

Outcome Scene::judge(const RuleSet& set, std::uint32_t sid, bool with_tx, app::Direction side) {
  scratch.begin_packet();
  return ips::judge(set.view(), set.find(sid), context, with_tx ? &tx : nullptr, side, flow, scratch);
}

bool Scene::apply(const RuleSet& set, std::uint32_t sid, bool with_tx) {
  return apply_effects(set.view(), set.find(sid), context, with_tx ? &tx : nullptr, app::Direction::to_server,
                       flow, scratch);
}

}  // namespace sekisho::ips::testing
