#include "control/records/recorder.h"

#include "control/session/attachment.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace {
EventStoreOptions store_options(const RecorderOptions& o) {
  EventStoreOptions s;
  s.directory = o.directory;
  s.most_bytes = o.settings.events_bytes;
  s.keep_s = o.settings.events_keep_s;
  s.reserve_bytes = o.settings.reserve_bytes;
  return s;
}
}  // namespace

Recorder::Recorder(RecorderOptions options, SharedDatabase& records)
    : options_(std::move(options)),
      records_(records),
      events_(store_options(options_)),
      incidents_(records),
      sink_(&events_, &incidents_, &tickets_) {
  configure(options_.settings);
  thread_ = std::thread([this] { run(); });
}

Recorder::~Recorder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  thread_.join();
}

void Recorder::configure(const RecordsSettings& s) {
  events_.set_retention(s.events_bytes, s.events_keep_s, s.reserve_bytes);
  incidents_.set_keep(s.records_keep_s);
  records_.set_most_bytes(s.records_bytes);
}

void Recorder::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, std::chrono::seconds(1), [this] { return stop_; })) {
    lock.unlock();
    if (clock_.look() && options_.clock_jumped) options_.clock_jumped(clock_.state().last_jump_ms);
    if (options_.attachment) performance_.sample(options_.attachment(), options_.zones(), monotonic_ns());
    lock.lock();
  }
}

}  // namespace sekisho::control
