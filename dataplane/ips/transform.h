// Transforms of a buffer before it is inspected (Suricata user guide, "Transformations"), into a bounded
// arena that lives for one packet; the same list over the same bytes is done once. Thread: the worker that
// owns it.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "dataplane/ips/evaluator_context.h"
#include "dataplane/ips/set_view.h"

namespace sekisho::ips {

// What gunzip and zlib_deflate work in: zlib's state and its window.
inline constexpr std::size_t kInflateWork = 48 * 1024;

// One transform. Bytes written, or nullopt: `out` is too small. out and in do not overlap. work: for gunzip
// and zlib_deflate, kInflateWork bytes.
std::optional<std::size_t> transform(const abi::TransformRecord& t, Bytes keys, const View& in,
                                     std::span<std::uint8_t> out, std::span<std::uint8_t> work = {});

class TransformCache {
 public:
  static constexpr std::size_t kArena = 64 * 1024, kEntries = 64;
  TransformCache() : arena_(new std::uint8_t[kArena]), work_(new std::uint8_t[kInflateWork]) {}
  void clear() { used_ = count_ = next_ = 0; }
  // The transformed view; nullopt: no room. Valid until clear(). The result starts at 0 unless every
  // transform keeps lengths (then a moved window stays one).
  std::optional<View> apply(const SetView& set, const abi::GroupRecord& group, const View& in);

 private:
  struct Entry {
    const std::uint8_t* data;
    std::size_t size;
    std::uint64_t base;
    std::uint32_t first, count;
    bool complete;
    View result;
  };
  std::unique_ptr<std::uint8_t[]> arena_, work_;
  std::size_t used_ = 0, count_ = 0, next_ = 0;
  std::array<Entry, kEntries> entry_{};
};

}  // namespace sekisho::ips
