#include "dataplane/ips/evaluator.h"

#include <x86intrin.h>

#include "dataplane/base/count.h"
#include "dataplane/ips/checks.h"
#include "dataplane/ips/evaluator_chain.h"
#include "dataplane/ips/state.h"

namespace sekisho::ips {
namespace {

using abi::Buffer;
using abi::GroupRecord;
using abi::SignatureRecord;

View entry_view(const app::Side::Entry& e) {
  View v;
  v.bytes = {e.bytes, e.size};
  v.base = e.offset;
  v.complete = e.complete;
  v.present = true;
  return v;
}

// file.data of HTTP is the body of either side.
bool holds_buffer(const app::Side::Entry& e, Buffer wanted, bool has_file_data) {
  if (e.id == wanted) return true;
  return wanted == Buffer::file_data && !has_file_data &&
         (e.id == Buffer::http_response_body || e.id == Buffer::http_request_body);
}

// One group over its buffers.
class Group {
 public:
  Group(ChainContext& chain, const SignatureRecord& s, const GroupRecord& g, const GroupRecord* nested,
        const app::Transaction* tx, app::Direction side)
      : chain_(chain), s_(s), g_(g), nested_(nested), tx_(tx), side_(side) {}

  Outcome judge() {
    const bool there = visit();
    if (g_.absent == 0) return found_;
    // A buffer that is not there may still come while its side goes on.
    const bool closed = tx_ == nullptr || (tx_->finished >> app::index(side_) & 1) != 0;
    if (!there) return closed || !of_transaction() ? Outcome::match : Outcome::more;
    return g_.absent == 1 ? Outcome::no : found_;
  }

 private:
  bool of_transaction() const {
    const auto kind = abi::info(g_.buffer).kind;
    return kind == abi::BufferKind::whole || kind == abi::BufferKind::body;
  }
  // Judges the chain over each instance until one matches. Whether there was any.
  bool visit() {
    const PacketContext& p = chain_.packet;
    if (g_.buffer == Buffer::payload || g_.buffer == Buffer::stream) return payload();
    if (!of_transaction()) return one(header_view(p, g_.buffer));
    found_ = Outcome::more;
    if (tx_ == nullptr) return false;
    const app::Side& side = tx_->side[app::index(side_)];
    const bool has_file_data = g_.buffer != Buffer::file_data || side.find(Buffer::file_data) != nullptr;
    bool there = false;
    Outcome best = Outcome::no;
    for (const app::Side::Entry& e : side.entries()) {
      if (!holds_buffer(e, g_.buffer, has_file_data)) continue;
      there = true;
      found_ = Outcome::no;
      one(entry_view(e));
      if (found_ == Outcome::match) return true;
      if (found_ == Outcome::more) best = Outcome::more;
    }
    // Another instance may come.
    const bool closed = (tx_->finished >> app::index(side_) & 1) != 0;
    found_ = closed ? best : Outcome::more;
    if (!closed && best == Outcome::no && g_.absent == 0) chain_.scratch.impl().waits_for_entry = true;
    return there;
  }
  bool payload() {
    namespace sf = abi::signature_flag;
    const PacketContext& p = chain_.packet;
    bool in_packet = true, in_stream = false;
    if (g_.buffer == Buffer::stream) {
      in_packet = false;
      in_stream = true;
    } else if (p.transport == abi::kTransportTcp) {
      in_packet = (s_.flags & sf::kPayloadPacket) != 0;
      in_stream = (s_.flags & sf::kPayloadStream) != 0;
      if (!in_packet && !in_stream) {
        in_packet = s_.type == abi::SignatureType::packet || s_.type == abi::SignatureType::packet_stream ||
                    s_.mode == abi::SignatureMode::packet;
        in_stream = s_.type != abi::SignatureType::packet && s_.mode != abi::SignatureMode::packet;
      }
      if ((s_.flow & abi::flow_option::kOnlyStream) != 0) in_packet = false;
      if ((s_.flow & abi::flow_option::kNoStream) != 0) in_stream = false;
    }
    bool there = in_packet && one(p.payload);
    if (found_ != Outcome::match && in_stream) there |= one(p.stream);
    return there;
  }
  bool one(const View& plain) {
    if (!plain.present) return false;
    View view = plain;
    if (g_.transform_count != 0) {
      const auto t = chain_.scratch.impl().transforms.apply(chain_.set, g_, plain);
      if (!t) {
        ++chain_.scratch.counters.scratch_exceeded;
        return true;
      }
      view = *t;
    }
    found_ = run_chain(chain_, g_, view, nested_);
    return true;
  }

  ChainContext& chain_;
  const SignatureRecord& s_;
  const GroupRecord& g_;
  const GroupRecord* nested_;
  const app::Transaction* tx_;
  const app::Direction side_;
  Outcome found_ = Outcome::no;
};

// Gives each instance of a group's buffer, transformed, to `use`. False: one was refused.
template <typename Use>
bool for_each_value(const SetView& set, const SignatureRecord& s, const GroupRecord& g,
                    const PacketContext& context, const app::Transaction* tx, app::Direction side,
                    Scratch& scratch, Use&& use) {
  const auto one = [&](const View& plain) {
    if (!plain.present) return true;
    if (g.transform_count == 0) return use(plain.bytes);
    const auto view = scratch.impl().transforms.apply(set, g, plain);
    return view && use(view->bytes);
  };
  if (g.buffer == Buffer::base64_data) return false;
  const auto kind = abi::info(g.buffer).kind;
  if (kind == abi::BufferKind::stream || g.buffer == Buffer::payload) {
    const bool stream = g.buffer == Buffer::stream || s.type == abi::SignatureType::stream;
    return one(stream && context.stream.present ? context.stream : context.payload);
  }
  if (kind == abi::BufferKind::packet) return one(header_view(context, g.buffer));
  bool ok = true;
  if (tx == nullptr) return ok;
  const app::Side& of = tx->side[app::index(side)];
  const bool has_file_data = g.buffer != Buffer::file_data || of.find(Buffer::file_data) != nullptr;
  for (const app::Side::Entry& e : of.entries()) {
    if (holds_buffer(e, g.buffer, has_file_data)) ok = one(entry_view(e)) && ok;
  }
  return ok;
}

// dataset:set matches what is new to the set, dataset:unset what is in it.
bool datasets_agree(const SetView& set, const SignatureRecord& s, const PacketContext& context,
                    const app::Transaction* tx, app::Direction side, Scratch& scratch) {
  for (const abi::EffectRecord& e : set.effects.subspan(s.first_effect, s.effect_count)) {
    if (e.kind != abi::EffectKind::dataset || e.group >= s.group_count) continue;
    bool any = false;
    for_each_value(set, s, set.groups[s.first_group + e.group], context, tx, side, scratch, [&](Bytes value) {
      any |= in_dataset(set, e.id, value, scratch.hosts, context.now_ns / 1'000'000) == (e.op != 0);
      return true;
    });
    if (!any) return false;
  }
  return true;
}

bool decodes(const SetView& set, const GroupRecord& g) {
  for (const abi::MatchRecord& m : set.matches.subspan(g.first_match, g.match_count))
    if (m.kind == abi::MatchKind::base64_decode) return true;
  return false;
}

Outcome judge_signature(const SetView& set, const SignatureRecord& s, const PacketContext& context,
                        const app::Transaction* tx, app::Direction side, const FlowState& flow,
                        Scratch& scratch) {
  Outcome result = Outcome::match;
  for (const abi::CheckRecord& c : set.checks.subspan(s.first_check, s.check_count)) {
    const bool holds =
        is_state(c.kind) ? state_holds(set, c, context, tx, flow, scratch) : check_holds(set, c, context, tx);
    if (holds) continue;
    if (!check_may_change(c.kind)) return Outcome::no;
    result = Outcome::more;
  }
  if (s.group_count == 0) return result;
  // What fails for good is worth knowing even where a condition still waits; what is matched is not.
  if (result == Outcome::more) return result;
  scratch.impl().steps = 0;
  ChainContext chain{set, context, scratch};
  chain.variables = s.variable_count != 0;
  if (chain.variables) scratch.impl().variable.fill(0);
  if (tx != nullptr) chain.dce_little = !tx->facts.dce_big_endian[app::index(side)];
  const auto groups = set.groups.subspan(s.first_group, s.group_count);
  const bool answered = (s.flags & abi::signature_flag::kTransactional) != 0;
  const GroupRecord* decoded = nullptr;
  for (const GroupRecord& g : groups)
    if (g.buffer == Buffer::base64_data) decoded = &g;
  for (const GroupRecord& g : groups) {
    if (g.buffer == Buffer::base64_data) continue;  // judged with its decoder
    const GroupRecord* nested = decoded != nullptr && decodes(set, g) ? decoded : nullptr;
    const app::Direction of = !answered                        ? side
                              : g.directions == abi::kToServer ? app::Direction::to_server
                                                               : app::Direction::to_client;
    const Outcome o = Group(chain, s, g, nested, tx, of).judge();
    if (o == Outcome::no) return o;
    if (o == Outcome::more) result = o;
  }
  return result == Outcome::match && !datasets_agree(set, s, context, tx, side, scratch) ? Outcome::no
                                                                                         : result;
}

}  // namespace

Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
Scratch::~Scratch() = default;
std::uint32_t Scratch::awaited() const {
  return impl_->awaited;
}
bool Scratch::waits_for_entry() const {
  return impl_->waits_for_entry;
}
void Scratch::begin_packet() {
  impl_->transforms.clear();
}

Outcome judge(const SetView& set, std::uint32_t signature, const PacketContext& context,
              const app::Transaction* tx, app::Direction side, const FlowState& flow, Scratch& scratch) {
  const SignatureRecord& s = set.signatures[signature];
  scratch.impl().awaited = abi::kNone32;
  scratch.impl().waits_for_entry = false;
  if (scratch.cost == nullptr) return judge_signature(set, s, context, tx, side, flow, scratch);
  SignatureCounts& cost = scratch.cost[signature];
  add(cost.judged);
  const bool timed = ++scratch.impl().judged % SignatureCounts::kSampled == 0;
  const std::uint64_t start = timed ? __rdtsc() : 0;
  const Outcome o = judge_signature(set, s, context, tx, side, flow, scratch);
  if (timed) add(cost.ticks, (__rdtsc() - start) * SignatureCounts::kSampled);
  if (o == Outcome::match) add(cost.matches);
  return o;
}

bool apply_effects(const SetView& set, std::uint32_t signature, const PacketContext& context,
                   const app::Transaction* tx, app::Direction side, FlowState& flow, Scratch& scratch) {
  const SignatureRecord& s = set.signatures[signature];
  bool ok = true;
  for (const abi::EffectRecord& e : set.effects.subspan(s.first_effect, s.effect_count)) {
    bool done = true;
    if (e.kind == abi::EffectKind::dataset) {
      if (scratch.hosts == nullptr || e.group >= s.group_count) {
        done = false;
      } else {
        done = for_each_value(
            set, s, set.groups[s.first_group + e.group], context, tx, side, scratch, [&](Bytes value) {
              return change_dataset(set, e.id, value, e.op == 0, *scratch.hosts, context.now_ns / 1'000'000);
            });
      }
    } else if (e.kind == abi::EffectKind::tag) {
      if (e.argument == 0) {
        flow.tag_signature = signature + 1;
        flow.tag_unit = e.op;
        flow.tag_left = e.op == 2 ? context.now_ns + std::uint64_t{e.value} * 1'000'000'000 : e.value;
      }
    } else {
      done = change_state(e, context, tx, flow, scratch);
    }
    if (!done) {
      ++scratch.counters.state_refused;
      ok = false;
    }
  }
  return ok;
}

}  // namespace sekisho::ips
