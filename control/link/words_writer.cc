#include "control/link/words_writer.h"

#include <atomic>
#include <cstring>

namespace sekisho::control {
namespace {

template <typename T>
void store(T& field, T value, std::memory_order order = std::memory_order_relaxed) noexcept {
  std::atomic_ref<T>(field).store(value, order);
}
template <typename T>
T load(T& field, std::memory_order order = std::memory_order_relaxed) noexcept {
  return std::atomic_ref<T>(field).load(order);
}
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free &&
              std::atomic_ref<std::uint32_t>::is_always_lock_free);

bool used(std::uint32_t kind) noexcept {
  return kind == SEKISHO_QUARANTINE_IPV4 || kind == SEKISHO_QUARANTINE_IPV6 || kind == SEKISHO_QUARANTINE_MAC;
}
std::uint32_t home(const QuarantineKey& key) noexcept {
  std::uint32_t w[4];
  std::memcpy(w, key.bytes.data(), sizeof w);
  return sekisho_quarantine_home(key.kind, w[0], w[1], w[2], w[3]);
}

}  // namespace

void WordsWriter::stamp(std::uint64_t boot) noexcept {
  store(w_->version, std::uint32_t{SEKISHO_ABI_VERSION});
  store(w_->size, static_cast<std::uint32_t>(sizeof(sekisho_words)));
  store(w_->boot, boot);
  store(w_->magic, std::uint64_t{SEKISHO_WORDS_MAGIC}, std::memory_order_release);
  publish();
}

bool WordsWriter::stamped() const noexcept {
  return load(w_->magic, std::memory_order_acquire) == SEKISHO_WORDS_MAGIC;
}

std::uint64_t WordsWriter::publish() noexcept {
  return std::atomic_ref<std::uint64_t>(w_->generation).fetch_add(1, std::memory_order_release) + 1;
}

std::uint64_t WordsWriter::cut(const LinkSet& links, bool reset) noexcept {
  const std::uint32_t word = reset ? SEKISHO_WORD_CUT_RESET : SEKISHO_WORD_CUT;
  for (std::size_t i = links._Find_first(); i < links.size(); i = links._Find_next(i))
    if (reset || load(w_->link[i]) != SEKISHO_WORD_CUT_RESET) store(w_->link[i], word);
  return publish();
}

std::uint64_t WordsWriter::cut_partly(const LinkSet& links, bool reset) noexcept {
  const std::uint32_t word = reset ? SEKISHO_WORD_PARTIAL_RESET : SEKISHO_WORD_PARTIAL;
  for (std::size_t i = links._Find_first(); i < links.size(); i = links._Find_next(i)) {
    const std::atomic_ref<std::uint32_t> at(w_->link[i]);
    std::uint32_t now = SEKISHO_WORD_OPEN;
    // A cut of somebody else in between wins.
    if (!at.compare_exchange_strong(now, word) && reset && now == SEKISHO_WORD_PARTIAL)
      at.compare_exchange_strong(now, word);
  }
  return publish();
}

std::uint64_t WordsWriter::set_partial(const LinkSet& links) noexcept {
  for (std::size_t i = links._Find_first(); i < links.size(); i = links._Find_next(i))
    if (sekisho_word_is_partial(load(w_->link[i])) == 0)
      store(w_->link[i], std::uint32_t{SEKISHO_WORD_PARTIAL});
  return publish();
}

std::uint64_t WordsWriter::open(const LinkSet& links) noexcept {
  for (std::size_t i = links._Find_first(); i < links.size(); i = links._Find_next(i))
    store(w_->link[i], std::uint32_t{SEKISHO_WORD_OPEN});
  return publish();
}

std::uint64_t WordsWriter::set_link(LinkIndex link, bool is_open) noexcept {
  return is_open ? open(one_link(link)) : cut(one_link(link));
}

bool WordsWriter::set_access(std::uint32_t index, bool is_open, std::uint64_t deadline_ns) noexcept {
  if (index >= SEKISHO_MAX_ACCESS) return false;
  sekisho_access_word& word = w_->access[index];
  // Closed while the deadline changes: a reader never sees the old state with the new deadline.
  store(word.state, std::uint32_t{0}, std::memory_order_release);
  store(word.deadline_ns, is_open ? deadline_ns : std::uint64_t{0}, std::memory_order_release);
  if (is_open) store(word.state, std::uint32_t{SEKISHO_WORD_OPEN}, std::memory_order_release);
  std::atomic_ref<std::uint64_t>(w_->access_generation).fetch_add(1, std::memory_order_release);
  publish();
  return true;
}

void WordsWriter::publish_quarantine() noexcept {
  std::uint32_t count = 0;
  for (auto& slot : w_->quarantine) count += used(load(slot.kind)) ? 1 : 0;
  store(w_->quarantine_count, count);
  std::atomic_ref<std::uint64_t>(w_->quarantine_generation).fetch_add(1, std::memory_order_release);
  publish();
}

QuarantineResult WordsWriter::quarantine(const QuarantineKey& key, std::uint64_t until_mono_ns) noexcept {
  if (!used(key.kind)) return QuarantineResult::bad_key;
  const std::uint32_t at = home(key);
  sekisho_quarantine_slot* free_slot = nullptr;
  for (std::uint32_t i = 0; i < SEKISHO_QUARANTINE_PROBES; ++i) {
    sekisho_quarantine_slot& slot = w_->quarantine[(at + i) & (SEKISHO_QUARANTINE_SLOTS - 1)];
    const std::uint32_t kind = load(slot.kind);
    if (kind == key.kind && std::memcmp(slot.key, key.bytes.data(), sizeof slot.key) == 0) {
      store(slot.until_ns, until_mono_ns, std::memory_order_release);
      publish_quarantine();
      return QuarantineResult::renewed;
    }
    if (free_slot == nullptr && !used(kind)) free_slot = &slot;
  }
  if (free_slot == nullptr) return QuarantineResult::full;
  std::memcpy(free_slot->key, key.bytes.data(), sizeof free_slot->key);
  store(free_slot->until_ns, until_mono_ns);
  store(free_slot->kind, key.kind, std::memory_order_release);  // last: the slot is whole when it counts
  publish_quarantine();
  return QuarantineResult::added;
}

QuarantineResult WordsWriter::release(const QuarantineKey& key) noexcept {
  if (!used(key.kind)) return QuarantineResult::bad_key;
  const std::uint32_t at = home(key);
  for (std::uint32_t i = 0; i < SEKISHO_QUARANTINE_PROBES; ++i) {
    sekisho_quarantine_slot& slot = w_->quarantine[(at + i) & (SEKISHO_QUARANTINE_SLOTS - 1)];
    if (load(slot.kind) != key.kind || std::memcmp(slot.key, key.bytes.data(), sizeof slot.key) != 0)
      continue;
    store(slot.kind, std::uint32_t{SEKISHO_QUARANTINE_GONE}, std::memory_order_release);
    publish_quarantine();
    return QuarantineResult::removed;
  }
  return QuarantineResult::not_there;
}

unsigned WordsWriter::expire(std::uint64_t now_mono_ns) noexcept {
  unsigned freed = 0;
  for (auto& slot : w_->quarantine) {
    if (!used(load(slot.kind)) || load(slot.until_ns) > now_mono_ns) continue;
    store(slot.kind, std::uint32_t{SEKISHO_QUARANTINE_GONE}, std::memory_order_release);
    ++freed;
  }
  if (freed > 0) publish_quarantine();
  return freed;
}

std::vector<QuarantinedHost> WordsWriter::read_quarantine() const {
  std::vector<QuarantinedHost> hosts;
  for (auto& slot : w_->quarantine) {
    const std::uint32_t kind = load(slot.kind, std::memory_order_acquire);
    if (!used(kind)) continue;
    QuarantinedHost host;
    host.key.kind = kind;
    std::memcpy(host.key.bytes.data(), slot.key, sizeof slot.key);
    host.until_ns = load(slot.until_ns);
    hosts.push_back(host);
  }
  return hosts;
}

std::uint64_t WordsWriter::generation() const noexcept {
  return load(w_->generation, std::memory_order_acquire);
}

LinkSet WordsWriter::read_cut() const noexcept {
  LinkSet cut;
  for (std::size_t i = 0; i < SEKISHO_MAX_LINKS; ++i) cut.set(i, load(w_->link[i]) != SEKISHO_WORD_OPEN);
  return cut;
}

LinkSet WordsWriter::read_partial() const noexcept {
  LinkSet partial;
  for (std::size_t i = 0; i < SEKISHO_MAX_LINKS; ++i)
    partial.set(i, sekisho_word_is_partial(load(w_->link[i])) != 0);
  return partial;
}

LinkSet WordsWriter::read_said_cut() const noexcept {
  LinkSet cut;
  for (std::size_t i = 0; i < SEKISHO_MAX_LINKS; ++i) {
    const std::uint32_t word = load(w_->link[i]);
    cut.set(i,
            word == SEKISHO_WORD_CUT || word == SEKISHO_WORD_CUT_RESET || sekisho_word_is_partial(word) != 0);
  }
  return cut;
}

}  // namespace sekisho::control
