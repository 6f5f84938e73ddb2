// RFC 6093: the urgent pointer is read as every stack reads it, as the byte behind the urgent one.
#include "dataplane/stream/half.h"

namespace sekisho::stream {

namespace {
Marks& marks(const StreamPool& pool, const Half& h) {
  return *reinterpret_cast<Marks*>(pool.data(h.marks));
}
}  // namespace

bool is_marked(const StreamPool& pool, const Half& h, std::int64_t offset) {
  if (h.marks == kNoBlock) return false;
  const Marks& m = marks(pool, h);
  return std::find(m.at, m.at + m.count, offset) != m.at + m.count;
}

Mark mark_urgent(StreamPool& pool, Half& h, std::int64_t offset) {
  if (is_marked(pool, h, offset)) return Mark::known;
  if (h.marks == kNoBlock) {
    h.marks = pool.allocate(0);
    if (h.marks == kNoBlock) return Mark::no_memory;
    marks(pool, h).count = 0;
  }
  Marks& m = marks(pool, h);
  if (m.count == static_cast<std::int64_t>(std::size(m.at))) return Mark::full;
  m.at[m.count++] = offset;
  return Mark::ok;
}

void unmark_last(StreamPool& pool, Half& h) {
  if (--marks(pool, h).count == 0) free_marks(pool, h);
}

void prune_marks(StreamPool& pool, Half& h) {
  Marks& m = marks(pool, h);
  m.count = std::remove_if(m.at, m.at + m.count, [&](std::int64_t at) { return at < h.start; }) - m.at;
  if (m.count == 0) free_marks(pool, h);
}

void free_marks(StreamPool& pool, Half& h) {
  if (h.marks != kNoBlock) pool.release(h.marks, 0);
  h.marks = kNoBlock;
}

}  // namespace sekisho::stream
