// Any bytes as a file of signatures, as variables and as the configuration files beside it. Whatever is
// loaded must be whole: indices within their lists, positive sizes, sorted disjoint sets, and the same again
// when its own text is read once more.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "signatures/config_files.h"
#include "signatures/loader.h"
#include "signatures/partial.h"

namespace {

using namespace sekisho::signatures;

void require(bool truth) {
  if (!truth) std::abort();
}

void check(const Operand& o, const Signature& s) {
  require(o.variable < static_cast<std::int32_t>(s.variables.size()));
}

void check(const Match& m, const Signature& s) {
  if (const auto* c = std::get_if<Content>(&m)) {
    require(!c->bytes.empty() && c->bytes.size() <= 65535);
    require(!(c->relative() && (c->offset || c->depth)));
    require(std::size_t{c->chop_offset} + c->chop_length <= c->bytes.size());
    for (const auto* o : {&c->offset, &c->depth, &c->distance, &c->within})
      if (*o) check(**o, s);
  } else if (const auto* t = std::get_if<ByteTest>(&m)) {
    check(t->bytes, s), check(t->value, s), check(t->offset, s);
  } else if (const auto* j = std::get_if<ByteJump>(&m)) {
    check(j->bytes, s), check(j->offset, s), check(j->post_offset, s);
  } else if (const auto* e = std::get_if<ByteExtract>(&m)) {
    require(e->result >= 0 && e->result < static_cast<std::int32_t>(s.variables.size()));
  } else if (const auto* b = std::get_if<ByteMath>(&m)) {
    require(b->result >= 0 && b->result < static_cast<std::int32_t>(s.variables.size()));
    check(b->right, s);
  } else if (const auto* a = std::get_if<IsDataAt>(&m)) {
    check(a->count, s);
  }
}

void check(const Signature& s) {
  require(s.sid != 0 && s.directions != 0 && s.priority != 0);
  for (const Endpoint* e : {&s.source, &s.destination}) {
    require(e->addresses && e->ports);
    require(e->addresses->any == (e->addresses->v4.empty() && e->addresses->v6.empty()));
    for (std::size_t i = 0; i < e->addresses->v4.size(); ++i) {
      require(e->addresses->v4[i].low <= e->addresses->v4[i].high);
      if (i > 0) require(e->addresses->v4[i - 1].high < e->addresses->v4[i].low);
    }
    for (std::size_t i = 0; i < e->addresses->v6.size(); ++i) {
      require(e->addresses->v6[i].low <= e->addresses->v6[i].high);
      if (i > 0) require(e->addresses->v6[i - 1].high < e->addresses->v6[i].low);
    }
    require(e->ports->any == e->ports->ranges.empty());
  }
  for (const BufferGroup& g : s.groups) {
    require(!g.matches.empty());
    for (const Match& m : g.matches) check(m, s);
  }
  (void)partial_reason(s);
  Loader again{LoadOptions{}};
  again.add_text("again", s.text);
  const LoadResult second = std::move(again).finish();
  // The type of a data set may have been given by an earlier signature.
  if (second.signatures.empty())
    require(second.rejections.at(0).keyword == "dataset");
  else
    require(second.signatures[0].groups.size() == s.groups.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Loader loader{LoadOptions{}};
  loader.add_text("fuzz", text);
  const LoadResult result = std::move(loader).finish();
  require(result.signatures.size() + result.rejections.size() == result.candidates);
  for (const Rejection& r : result.rejections) require(!r.why.empty() && !format(r).empty());
  for (const Signature& s : result.signatures) check(s);
  std::vector<std::string> faults;
  (void)read_classifications(text, faults);
  (void)read_references(text, faults);
  Variables variables = default_variables();
  (void)read_thresholds(text, variables, faults);
  (void)read_variables_json(text, variables);
  return 0;
}
