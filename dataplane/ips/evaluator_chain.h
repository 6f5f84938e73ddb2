// One chain of matches over one buffer: backtracking with an explicit, bounded stack.
//
// A match that fails is retried after the next occurrence of the last content or pcre that it depends on: a
// relative match depends on those since the last absolute one, an absolute match on none; where a signature
// has variables, on all before it. Steps are counted for a whole judgement (all its buffers).
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/ips/evaluator.h"
#include "dataplane/ips/pattern.h"
#include "dataplane/ips/transform.h"

namespace sekisho::ips {

inline constexpr std::size_t kMaxFrames = 256;  // contents and pcres of one chain that may be retried
inline constexpr std::size_t kBase64Bytes = 48 * 1024;

struct Frame {
  std::int64_t cursor;  // before the match
  std::int64_t resume;  // where its next occurrence may begin
  std::uint64_t furthest;
  std::uint32_t match;
  std::uint32_t base;
};

struct Scratch::Impl {
  PatternMatcher pattern;
  TransformCache transforms;
  std::array<std::uint64_t, abi::kMaxVariables> variable{};
  std::array<std::array<Frame, kMaxFrames>, 2> frames;
  std::unique_ptr<std::uint8_t[]> base64{new std::uint8_t[kBase64Bytes]};
  std::uint32_t steps = 0;
  std::uint32_t awaited = abi::kNone32;
  bool waits_for_entry = false;
  std::uint32_t judged = 0;
};

// What the matches of one signature share.
struct ChainContext {
  const SetView& set;
  const PacketContext& packet;
  Scratch& scratch;
  bool variables = false;  // the signature has some
  bool dce_little = true;  // the DCE/RPC header's byte order
};

// nested: the group of base64_data that follows base64_decode in this chain, or nullptr.
Outcome run_chain(ChainContext& context, const abi::GroupRecord& group, const View& view,
                  const abi::GroupRecord* nested);

}  // namespace sekisho::ips
