#include "control/events/event_drain.h"

#include <array>
#include <chrono>

#include "control/events/eve.h"
#include "control/events/ring_reader.h"
#include "control/session/attachment.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace {
constexpr std::size_t kNamesKept = 4;
constexpr std::size_t kBatch = 256;
constexpr std::size_t kPassPerRing = 4096;  // so that one busy worker does not starve the others' rings
constexpr auto kNap = std::chrono::milliseconds(20);
constexpr auto kLearnSave = std::chrono::seconds(30);
}  // namespace

struct EventDrain::Work {
  explicit Work(EveFormatter::Zone zone) : formatter(zone) {}
  EveFormatter formatter;
  std::shared_ptr<const Attachment> attachment;
  std::vector<RingReader> rings;
  std::vector<bool> reported;
  std::vector<EventGroups> groups;  // one a ring
  std::array<abi::Event, kBatch> batch;
  std::string text;
  std::uint64_t lines = 0;
  std::int64_t offset_ns = 0;
  std::uint64_t offset_until_ns = 0;
  // The last names used, and of which version of names_.
  std::shared_ptr<const Names> names;
  std::uint64_t names_version = UINT64_MAX, names_for = 0;
};

EventDrain::EventDrain(EventDrainOptions options)
    : options_(std::move(options)),
      log_(options_.log),
      recent_(options_.recent),
      learned_(options_.learn_path),
      names_{std::make_shared<Names>(Model{}, 0)},
      work_(std::make_unique<Work>(options_.utc ? EveFormatter::Zone::utc : EveFormatter::Zone::local)) {
  learn_error_ = learned_.load();
  drainer_ = std::thread([this] { run(); });
  keeper_ = std::thread([this] { keep_learned(); });
}

EventDrain::~EventDrain() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  drainer_.join();
  keeper_.join();
  learned_.save();
}

void EventDrain::set_names(std::shared_ptr<const Names> names) {
  if (!names) return;
  learned_.set_zones(names->zone_names());
  const std::lock_guard lock(mutex_);
  std::erase_if(names_, [&](const auto& n) { return n->generation() == names->generation(); });
  names_.push_back(std::move(names));
  if (names_.size() > kNamesKept) names_.erase(names_.begin());
  ++names_version_;
}

std::shared_ptr<const Names> EventDrain::names(std::uint64_t generation) const {
  const std::lock_guard lock(mutex_);
  for (const auto& n : names_) {
    if (n->generation() == generation) return n;
  }
  return names_.back();
}

void EventDrain::add_sink(EventSink& sink) {
  const std::lock_guard lock(sinks_mutex_);
  sinks_.push_back(&sink);
}

void EventDrain::remove_sink(EventSink& sink) {
  const std::lock_guard lock(sinks_mutex_);
  std::erase(sinks_, &sink);
}

void EventDrain::set_ticket_of(std::function<std::string(const abi::Event&)> ticket_of) {
  const std::lock_guard lock(sinks_mutex_);
  ticket_of_ = std::move(ticket_of);
}

void EventDrain::attach(std::shared_ptr<const Attachment> attachment) {
  const std::lock_guard lock(mutex_);
  next_ = std::move(attachment);
  has_next_ = true;
}

EventDrainStatus EventDrain::status() const {
  EventDrainStatus s;
  s.events = events_.load(std::memory_order_relaxed);
  s.corrupt_rings = corrupt_.load(std::memory_order_relaxed);
  s.log = log_.status();
  const std::lock_guard lock(mutex_);
  s.learn_error = learn_error_;
  return s;
}

void EventDrain::keep_learned() {
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, kLearnSave, [this] { return stop_; })) {
    lock.unlock();
    std::string error = learned_.save();
    lock.lock();
    learn_error_ = std::move(error);
  }
}

void EventDrain::take_attachment() {
  Work& w = *work_;
  std::shared_ptr<const Attachment> next;
  {
    const std::lock_guard lock(mutex_);
    if (!has_next_) return;
    has_next_ = false;
    next = std::move(next_);
  }
  if (next == w.attachment) return;
  // What the old rings still hold; bounded, since a dataplane that lives on could write for ever.
  for (std::size_t left = w.rings.size() * abi::kEventRing; left > 0;) {
    const std::size_t n = drain_once();
    if (n == 0) break;
    left -= std::min(left, n);
  }
  w.rings.clear();
  w.attachment = std::move(next);
  if (w.attachment) {
    for (std::uint32_t i = 0; i < w.attachment->workers(); ++i) {
      w.rings.emplace_back(w.attachment->events().ring[i]);
    }
  }
  w.reported.assign(w.rings.size(), false);
  w.groups.assign(w.rings.size(), {});
}

void EventDrain::run() {
  for (;;) {
    bool stop;
    {
      const std::lock_guard lock(mutex_);
      stop = stop_;
    }
    take_attachment();
    const std::size_t n = drain_once();
    if (stop) return;
    if (n == 0) {
      std::unique_lock lock(mutex_);
      stopping_.wait_for(lock, kNap, [this] { return stop_; });
    }
  }
}

// Pops once around all rings; the number of events.
std::size_t EventDrain::drain_once() {
  const std::lock_guard sinks(sinks_mutex_);
  Work& w = *work_;
  const std::uint64_t now = monotonic_ns();
  if (now >= w.offset_until_ns) {
    w.offset_ns = static_cast<std::int64_t>(wall_ns() - now);
    w.offset_until_ns = now + kSecond;
    w.formatter.set_wall_offset(w.offset_ns);
  }
  std::size_t total = 0;
  for (std::size_t i = 0; i < w.rings.size(); ++i) {
    for (std::size_t taken = 0; taken < kPassPerRing;) {
      const std::size_t n = w.rings[i].pop(w.batch.data(), kBatch);
      if (n == 0) break;
      take(i, w.batch.data(), n);
      taken += n;
      total += n;
    }
    if (w.rings[i].corrupt() && !w.reported[i]) {
      w.reported[i] = true;
      corrupt_.fetch_add(1, std::memory_order_relaxed);
    }
    if (!w.text.empty()) {
      log_.write(std::move(w.text), w.lines);
      w.text = {};
      w.lines = 0;
    }
  }
  if (total > 0)
    for (EventSink* sink : sinks_) sink->pass_done();
  return total;
}

void EventDrain::take(std::size_t ring, const abi::Event* events, std::size_t count) {
  Work& w = *work_;
  events_.fetch_add(count, std::memory_order_relaxed);
  recent_.add(events, count);
  std::uint64_t version;
  {
    const std::lock_guard lock(mutex_);
    version = names_version_;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!w.groups[ring].add(events[i])) continue;
    const abi::Event& e = w.groups[ring].head();
    if (!w.names || w.names_version != version || w.names_for != e.snapshot_generation) {
      w.names = names(e.snapshot_generation);
      w.names_version = version;
      w.names_for = e.snapshot_generation;
    }
    if (e.kind == abi::EventKind::drop) talkers_.add(e, e.time_ns);
    if (e.kind == abi::EventKind::would_drop) {
      learned_.record(e, e.time_ns + static_cast<std::uint64_t>(w.offset_ns));
    }
    const std::size_t start = w.text.size();
    if (e.kind != abi::EventKind::flow_start || options_.log_flow_start) {
      w.formatter.append(w.text, e, *w.names, w.groups[ring].fields(),
                         ticket_of_ ? ticket_of_(e) : std::string());
      ++w.lines;
    }
    for (EventSink* sink : sinks_)
      sink->event(e, w.groups[ring].fields(), *w.names, e.time_ns + static_cast<std::uint64_t>(w.offset_ns),
                  std::string_view(w.text).substr(start));
  }
}

}  // namespace sekisho::control
