#include "signatures/builder.h"

#include "signatures/keywords.h"

namespace sekisho::signatures {

namespace {
constexpr std::size_t kMaxGroups = 64, kMaxMatches = 512, kMaxVariables = 32, kMaxTransforms = 16;
}

std::size_t Builder::group_of(Buffer buffer, const std::vector<Transform>& transforms, bool fresh) {
  if (!(fresh && multi_instance(buffer))) {
    for (std::size_t i = sig.groups.size(); i-- > 0;)
      if (sig.groups[i].buffer == buffer && sig.groups[i].transforms == transforms &&
          (side_ == 0 || sig.groups[i].side == side_))
        return i;
  }
  if (sig.groups.size() == kMaxGroups) refuse("more than {} buffers in one signature", kMaxGroups);
  sig.groups.push_back({buffer, transforms, {}, side_});
  return sig.groups.size() - 1;
}

std::uint8_t Builder::side_of(Buffer buffer, std::string_view keyword) const {
  if (!sig.transactional || buffer == Buffer::base64_data) return 0;
  const std::uint8_t side = abi::info(buffer).directions & (bidir != 0 ? bidir : abi::kBothWays);
  if (side == abi::kBothWays)
    refuse("{} stands in both directions: with => say bidir.toserver or bidir.toclient before it", keyword);
  // What stands on one side only needs no word, and takes none.
  return side != 0 ? side : abi::info(buffer).directions;
}

void Builder::select(Buffer buffer, std::string_view keyword, std::uint8_t side) {
  side_ = side != 0 && sig.transactional ? side : side_of(buffer, keyword);
  finish_buffer();
  if (buffer == Buffer::base64_data && !base64_decoded) refuse("{} needs a base64_decode before it", keyword);
  current_ = buffer;
  pending_.clear();
  group_ = kNone;
  fresh_ = true;
}

void Builder::select_payload() {
  select(Buffer::payload, "pkt_data");
  fresh_ = false;
}

void Builder::finish_buffer() {
  if (!pending_.empty() && group_ == kNone) refuse("a transform with no match behind it");
  if (group_ == kNone && fresh_) refuse("{} has no match behind it", buffer_keyword(current_));
}

void Builder::add_transform(Transform transform) {
  if (current_ == Buffer::payload) refuse("a transform needs a sticky buffer before it");
  // Behind a match it begins another group: the same buffer with one transform more.
  group_ = kNone;
  fresh_ = true;
  if (pending_.size() == kMaxTransforms) refuse("more than {} transforms", kMaxTransforms);
  pending_.push_back(std::move(transform));
}

namespace {
bool moves_cursor(const Match& m) {
  return !std::holds_alternative<BufferSize>(m) && !std::holds_alternative<Absent>(m) &&
         !std::holds_alternative<DataSet>(m);
}
}  // namespace

Match& Builder::add(Match match) {
  if (group_ == kNone || current_ == Buffer::payload) {
    group_ = group_of(current_, pending_, fresh_);
    fresh_ = false;
  }
  BufferGroup& g = sig.groups[group_];
  if (g.matches.size() == kMaxMatches) refuse("more than {} matches in one buffer", kMaxMatches);
  if (std::holds_alternative<Content>(match)) {
    last_group_ = group_;
    last_match_ = g.matches.size();
  }
  if (moves_cursor(match)) latest_group_ = group_;
  g.matches.push_back(std::move(match));
  return g.matches.back();
}

Match& Builder::add_after(Match match, bool relative) {
  if (sticky() || !relative || latest_group_ == kNone) return add(std::move(match));
  BufferGroup& g = sig.groups[latest_group_];
  if (g.matches.size() == kMaxMatches) refuse("more than {} matches in one buffer", kMaxMatches);
  g.matches.push_back(std::move(match));
  return g.matches.back();
}

Match& Builder::add_to(Buffer buffer, Match match) {
  const std::uint8_t selected = side_;
  side_ = side_of(buffer, buffer_keyword(buffer));
  const std::size_t at = group_of(buffer, {}, false);
  side_ = selected;
  BufferGroup& g = sig.groups[at];
  if (g.matches.size() == kMaxMatches) refuse("more than {} matches in one buffer", kMaxMatches);
  if (moves_cursor(match)) latest_group_ = at;
  g.matches.push_back(std::move(match));
  return g.matches.back();
}

Content& Builder::last_content(std::string_view keyword) {
  if (last_group_ == kNone) refuse("{} needs a content before it", keyword);
  return std::get<Content>(sig.groups[last_group_].matches[last_match_]);
}

void Builder::move_last_content(Buffer buffer, std::string_view keyword) {
  if (sticky()) refuse("{} while a sticky buffer is set: put pkt_data before the content", keyword);
  last_content(keyword);
  if (sig.groups[last_group_].buffer != Buffer::payload)
    refuse("{}: the content before it already stands in {}", keyword,
           buffer_keyword(sig.groups[last_group_].buffer));
  need_protocol(abi::info(buffer).protocol, keyword);
  auto& from = sig.groups[last_group_].matches;
  Match match = std::move(from[last_match_]);
  from.erase(from.begin() + static_cast<std::ptrdiff_t>(last_match_));
  side_ = side_of(buffer, keyword);
  latest_group_ = last_group_ = group_of(buffer, {}, false);
  side_ = 0;
  last_match_ = sig.groups[last_group_].matches.size();
  sig.groups[last_group_].matches.push_back(std::move(match));
}

void Builder::need_protocol(AppProtocol protocol, std::string_view keyword) {
  AppProtocol& now = sig.protocol.app;
  if (protocol == AppProtocol::unknown || now == protocol) return;
  if (now == AppProtocol::smb && protocol == AppProtocol::dcerpc) return;  // DCE/RPC in SMB pipes
  if (now == AppProtocol::http2 && protocol == AppProtocol::http) return;  // the same buffers
  if (now == AppProtocol::http && protocol == AppProtocol::http2) {        // any HTTP, then this one
    now = protocol;
    return;
  }
  if (now != AppProtocol::unknown)
    refuse("{} inspects {}, the signature is for {}", keyword, protocol_keyword(protocol),
           protocol_keyword(now));
  if ((sig.protocol.transports & protocol_transports(protocol)) == 0)
    refuse("{} inspects {}, which {} does not carry", keyword, protocol_keyword(protocol), sig.protocol.name);
  if (sig.protocol.mode == Protocol::Mode::packet || sig.protocol.mode == Protocol::Mode::any_packet)
    refuse("{} needs a stream, {} has packets alone", keyword, sig.protocol.name);
  now = protocol;
}

std::int32_t Builder::define_variable(std::string_view name) {
  name = trim(name);
  if (name.empty()) refuse("a variable without a name");
  if ((name[0] >= '0' && name[0] <= '9') || name[0] == '-')
    refuse("'{}' is not a name of a variable", shown(name));
  for (std::size_t i = 0; i < sig.variables.size(); ++i)
    if (sig.variables[i] == name) return static_cast<std::int32_t>(i);
  if (sig.variables.size() == kMaxVariables) refuse("more than {} byte variables", kMaxVariables);
  sig.variables.emplace_back(name);
  return static_cast<std::int32_t>(sig.variables.size() - 1);
}

Operand Builder::operand(std::string_view text, std::int64_t min, std::int64_t max,
                         std::string_view what) const {
  text = trim(text);
  if (text.empty()) refuse("{}: a number is missing", what);
  for (std::size_t i = 0; i < sig.variables.size(); ++i)
    if (sig.variables[i] == text) return {0, static_cast<std::int32_t>(i)};
  const char c = text.front();
  if (!(c >= '0' && c <= '9') && c != '-' && c != '+')
    refuse("{}: no byte_extract or byte_math before it sets '{}'", what, shown(text));
  return {need_signed(text, min, max, what), -1};
}

}  // namespace sekisho::signatures
