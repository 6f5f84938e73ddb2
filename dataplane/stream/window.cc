#include <cstring>

#include "dataplane/stream/half.h"

namespace sekisho::stream {

namespace {

constexpr std::uint32_t kFirstBlock = 1024;

void move_to(StreamPool& pool, Half& h, std::uint32_t keep, Block block, unsigned order) {
  std::uint8_t* to = pool.data(block);
  if (keep != 0) std::memmove(to, pool.data(h.block) + h.end - keep, keep);
  if (h.block != kNoBlock && h.block != block) pool.release(h.block, h.order);
  h.start = kept_end(h) - keep;
  h.block = block;
  h.order = static_cast<std::uint8_t>(order);
  h.begin = 0;
  h.end = keep;
}

// Keeps the last `keep` bytes in a block with space for `extra` more: this one, or a larger one.
bool fit(StreamPool& pool, Half& h, std::uint32_t keep, std::uint32_t extra, std::uint32_t most) {
  const std::uint32_t need = keep + extra;
  // Sliding costs `keep` bytes each time, so a block holds about twice what is kept.
  const std::uint64_t slack = pool.tight() ? need / 8 : need;
  const std::uint32_t want = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(need + slack, std::min(kFirstBlock, most), std::max(most, need)));
  const std::uint32_t now = capacity(h);
  if (want <= now) {
    move_to(pool, h, keep, h.block, h.order);
    return true;
  }
  for (const std::uint32_t size : {want, need}) {
    const unsigned order = order_for(size);
    if (block_bytes(order) <= now) break;
    const Block block = pool.allocate(order);
    if (block == kNoBlock) continue;
    move_to(pool, h, keep, block, order);
    return true;
  }
  if (need > now) return false;
  move_to(pool, h, keep, h.block, h.order);
  return true;
}

}  // namespace

std::int64_t first_needed(const Half& h, const Options& o) {
  std::int64_t first = std::max(h.acked, h.start);
  if (o.async) first = std::max(first, kept_end(h) - static_cast<std::int64_t>(o.async_keep));
  return std::min(first, kept_end(h));
}

Room make_room(StreamPool& pool, Half& h, std::uint32_t extra, const Options& o, StreamEventMask& events) {
  if (static_cast<std::uint64_t>(h.end) + extra <= capacity(h)) return Room::ok;
  const std::uint32_t most = std::min(o.max_window, kLargestBlock);
  if (extra > most) return Room::window_full;
  auto needed = static_cast<std::uint32_t>(kept_end(h) - first_needed(h, o));
  if (needed + extra > most) {
    if (o.strict) return Room::window_full;
    needed = most - extra;
  }
  const std::uint32_t wish = std::min(h.kept(), std::max(o.look_back, needed));
  const std::uint32_t keep = std::min(wish, most - extra);
  const std::uint32_t block_most = std::min<std::uint64_t>(std::uint64_t{most} * 2, kLargestBlock);
  if (fit(pool, h, keep, extra, block_most)) return Room::ok;
  if (needed == keep || !fit(pool, h, needed, extra, block_most)) return Room::no_memory;
  events |= bit(StreamEvent::look_back_clamped);
  return Room::ok;
}

void free_window(StreamPool& pool, Half& h) {
  if (h.block != kNoBlock) pool.release(h.block, h.order);
  h.start = kept_end(h);
  h.block = kNoBlock;
  h.begin = h.end = 0;
}

bool same_as_kept(const StreamPool& pool, const Half& h, std::int64_t offset, Bytes bytes,
                  std::int64_t from) {
  const std::int64_t first = std::max({offset, from, h.start});
  const std::int64_t last = std::min(offset + static_cast<std::int64_t>(bytes.size()), kept_end(h));
  if (first >= last) return true;
  return std::memcmp(bytes.data() + (first - offset), pool.data(h.block) + h.begin + (first - h.start),
                     static_cast<std::size_t>(last - first)) == 0;
}

bool show(StreamPool& pool, const Half& h, std::uint32_t fresh, const Options& o, Delivery& out) {
  if (fresh == 0) return true;
  const std::uint32_t size = fresh + std::min(o.look_back, h.kept() - fresh);
  const std::uint8_t* first = pool.data(h.block) + h.end - size;
  out.data = {first, size};
  out.fresh = fresh;
  out.offset = static_cast<std::uint64_t>(kept_end(h) - size);
  if (h.marks == kNoBlock) return true;

  const auto& marks = *reinterpret_cast<const Marks*>(pool.data(h.marks));
  const std::int64_t start = kept_end(h) - size;
  const std::int64_t fresh_start = kept_end(h) - fresh;
  std::int64_t cut[std::size(marks.at)];
  std::size_t cuts = 0;
  for (std::int64_t i = 0; i < marks.count; ++i)
    if (marks.at[i] >= start && marks.at[i] < kept_end(h)) cut[cuts++] = marks.at[i];
  if (cuts == 0) return true;
  std::sort(cut, cut + cuts);
  const unsigned order = order_for(size);
  const Block block = pool.allocate(order);
  if (block == kNoBlock) return false;
  pool.loan = {block, order};
  std::uint8_t* to = pool.data(block);
  std::uint32_t length = 0;
  std::int64_t at = start;
  for (std::size_t i = 0; i <= cuts; ++i) {
    const std::int64_t until = i < cuts ? cut[i] : kept_end(h);
    std::memcpy(to + length, first + (at - start), static_cast<std::size_t>(until - at));
    length += static_cast<std::uint32_t>(until - at);
    if (i < cuts && cut[i] >= fresh_start) --out.fresh;
    at = until + 1;
  }
  out.data = {to, length};
  return true;
}

}  // namespace sekisho::stream
