#include "control/recorder/session_recorder.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/recorder/ring_copy.h"
#include "control/session/attachment.h"
#include "control/session/shared_load.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace {

constexpr std::chrono::milliseconds kEvery{1000};
constexpr std::uint64_t kSettle =
    300 * kMillisecond;                              // a burst that was under way at the end is in the rings
constexpr std::uint64_t kLongestEnd = 30 * kSecond;  // for a dataplane or a disk that is not there
constexpr std::uint64_t kSaveEvery = 10 * kSecond;
constexpr std::uint64_t kOverhead = 96;  // of a packet in a pcapng, at most, but for what is said of a drop
constexpr std::uint64_t kSaidOfDrop = 160;
constexpr std::uint64_t kOfPart = 8192;  // section, interfaces, what is said of it

// The ring's place follows from sizes that were checked, not from what the header says by now.
const abi::RecorderRing& ring_of(const Attachment& attachment, std::uint32_t worker) {
  const auto* base = reinterpret_cast<const std::uint8_t*>(attachment.recorder()) +
                     abi::RecorderRegion::bytes(worker, attachment.recorder_ring_bytes());
  return *reinterpret_cast<const abi::RecorderRing*>(base);
}

}  // namespace

SessionRecorder::SessionRecorder(SessionRecorderOptions options)
    : options_([](SessionRecorderOptions o) {
        if (!o.now_ns) o.now_ns = monotonic_ns;
        if (!o.now_wall_ns) o.now_wall_ns = wall_ns;
        return o;
      }(std::move(options))),
      files_(options_.files) {}

SessionRecorder::~SessionRecorder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  poll();
  const std::lock_guard one(polling_);
  for (auto& [ticket, a] : active_) {
    flush(a, options_.now_ns());
    if (a.pending.empty()) save(a, options_.now_ns());
  }
}

std::string SessionRecorder::start() {
  {
    const std::lock_guard one(polling_);
    cannot_ = files_.open();
  }
  poll();
  const std::lock_guard one(polling_);
  return cannot_;
}

void SessionRecorder::run() {
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kEvery, [this] { return stop_; })) {
      lock.unlock();
      poll();
      lock.lock();
    }
  });
}

void SessionRecorder::use(const RecorderSettings& settings) {
  files_.set_bounds(std::uint64_t{settings.session_mb} << 20, std::uint64_t{settings.sessions_mb} << 20);
}

bool SessionRecorder::settled(const std::string& ticket) const {
  const auto known = files_.find(ticket);
  return known ? known->recording.finished : files_.gone(ticket);
}

std::optional<SessionRecording> SessionRecorder::find(const std::string& ticket) const {
  const auto known = files_.find(ticket);
  return known ? std::optional(known->recording) : std::nullopt;
}

std::optional<std::string> SessionRecorder::read(const std::string& ticket, std::string& error) const {
  return files_.read(ticket, options_.application, error);
}

void SessionRecorder::poll() {
  const std::lock_guard one(polling_);
  const std::uint64_t now = options_.now_ns();
  take_up(now);
  const auto attachment = options_.attachment();
  // The rings of a dataplane that has gone have an end, and it is read.
  if (held_ && held_ != attachment) look(*held_, now);
  held_ = attachment;
  if (attachment) look(*attachment, now);
  for (auto it = active_.begin(); it != active_.end();) {
    settle(it->second, now);
    it = it->second.recording.finished ? active_.erase(it) : std::next(it);
  }
}

void SessionRecorder::take_up(std::uint64_t now) {
  const auto wanted = options_.sessions();
  for (const SessionToRecord& w : wanted) {
    auto it = active_.find(w.ticket);
    if (it != active_.end()) {
      it->second.what = w;
      continue;
    }
    const auto known = files_.find(w.ticket);
    if (known ? known->recording.finished : files_.gone(w.ticket)) continue;
    if (!known && w.until_ns != UINT64_MAX && now > w.until_ns + kLongestEnd) continue;
    Active a;
    a.what = w;
    a.recording.ticket = w.ticket;
    if (known) {
      a.recording = known->recording;
      a.read = known->read;
    }
    a.overwritten_said = a.recording.overwritten;
    a.left_out_said = a.recording.left_out;
    if (!cannot_.empty()) a.recording.error = cannot_;
    Active& entered = active_[w.ticket] = std::move(a);
    if (cannot_.empty()) save(entered, now);
  }
  // What another process left of tickets that are over.
  for (const SessionRecording& r : files_.unfinished()) {
    if (active_.contains(r.ticket)) continue;
    Active a;
    a.what.ticket = r.ticket;
    a.what.until_ns = 0;
    a.recording = r;
    a.read = files_.find(r.ticket)->read;
    a.overwritten_said = r.overwritten;
    a.left_out_said = r.left_out;
    active_[r.ticket] = std::move(a);
  }
  for (auto& [ticket, a] : active_) {
    const bool there = std::any_of(wanted.begin(), wanted.end(),
                                   [&](const SessionToRecord& w) { return w.ticket == ticket; });
    if (!there) a.what.until_ns = std::min(a.what.until_ns, now);
    a.over = !there || (a.what.until_ns != UINT64_MAX && now >= a.what.until_ns + kSettle);
  }
}

// Where to begin to read: where the last look ended; of a session that has just begun, where the rings were
// before it began.
void SessionRecorder::place(Active& a, std::uint64_t run, std::uint32_t workers, std::uint64_t now) {
  if (!a.read.at.empty() && a.read.run == run && a.read.at.size() == workers) return;
  if (!a.read.at.empty() && !a.looked) ++a.recording.restarts;
  const bool fresh = a.read.at.empty();
  const bool marked = mark_.read.run == run && mark_.read.at.size() == workers && mark_.ns <= a.what.since_ns;
  a.read = {run, fresh && marked ? mark_.read.at : std::vector<std::uint64_t>(workers, 0)};
  a.unplaced = fresh && !marked && run < a.what.since_ns;
  a.moved = true;
  // One who comes back knows by it what was not read.
  if (a.pending.empty() && !a.unplaced) save(a, now);
}

void SessionRecorder::look(const Attachment& attachment, std::uint64_t now) {
  if (attachment.recorder() == nullptr) {
    for (auto& [ticket, a] : active_) {
      if (a.recording.error.empty()) a.changed = true;
      a.recording.error = "the flight recorder is off (recorder.memory_mb = 0)";
      a.looked = true;
    }
    return;
  }
  const std::uint64_t run = load_relaxed(attachment.region().started_mono_ns);
  const std::uint32_t workers = attachment.workers();
  // The end of all rings first: what a part has of one worker, it has of the others up to the same time.
  RingsRead ends{run, {}};
  for (std::uint32_t w = 0; w < workers; ++w) ends.at.push_back(ring_written(ring_of(attachment, w)));
  for (auto& [ticket, a] : active_) {
    if (a.recording.full || a.what.match.some.empty() || !cannot_.empty()) continue;
    place(a, run, workers, now);
    for (std::uint32_t w = 0; w < workers && !a.recording.full; ++w) {
      const std::uint64_t from = a.read.at[w];
      const RingCopyCount n = copy_ring_from(ring_of(attachment, w), attachment.recorder_ring_bytes(), from,
                                             ends.at[w], [&](const RecordedPacket& p) {
                                               a.read.at[w] = p.next;
                                               return take(a, p, now);
                                             });
      std::uint64_t lost = n.overwritten;
      if (from == 0 && n.first != 0)
        lost += !a.unplaced ? n.first / abi::kRecorderBlock : n.oldest_ns > a.what.since_ns ? 1 : 0;
      a.recording.overwritten += lost;
      a.recording.damaged += n.damaged;
      a.changed = a.changed || lost + n.damaged != 0;
      a.moved = a.moved || n.next != from;
      a.read.at[w] = n.next;
    }
    a.looked = true;
    a.unplaced = false;
  }
  mark_ = {now, std::move(ends)};
}

bool SessionRecorder::take(Active& a, const RecordedPacket& p, std::uint64_t now) {
  const abi::RecordHeader& h = p.header;
  if (h.time_ns < a.what.since_ns || h.time_ns >= a.what.until_ns ||
      !a.what.match.matches(ends_of(p.frame, h.captured)))
    return true;
  const std::uint64_t bytes = h.captured + kOverhead + (h.reason != 0 ? kSaidOfDrop : 0);
  if (a.recording.file_bytes + a.pending_bytes + bytes + kOfPart > files_.most_of_one()) {
    flush(a, now);
    a.recording.full = a.changed = a.moved = true;
    a.recording.error = "stopped: the bound of one recording (recorder.session_mb)";
    return false;
  }
  if (a.pending.empty()) a.pending_since_ns = now;
  a.pending.push_back({h, p.generation, std::string(reinterpret_cast<const char*>(p.frame), h.captured)});
  a.pending_bytes += bytes;
  if (a.pending_bytes >= kMostPending) flush(a, now);
  return !a.recording.full;
}

// Makes a part. Where the disk does not take it, it is tried again; what finds no room meanwhile is counted.
void SessionRecorder::flush(Active& a, std::uint64_t now) {
  if (a.pending.empty()) return;
  sort_by_time(a.pending);
  const std::uint64_t wall = options_.now_wall_ns(), offset = wall - now;
  CaptureInfo info;
  info.kind = "session";
  info.who = "sekishod";
  info.why = fmt::format("recording of {}", a.what.ticket);
  info.subject = a.what.subject;
  info.wall_ns = wall;
  info.packets = a.pending.size();
  info.first_ns = a.pending.front().header.time_ns + offset;
  info.last_ns = a.pending.back().header.time_ns + offset;
  info.overwritten = a.recording.overwritten - a.overwritten_said;
  info.left_out = a.recording.left_out - a.left_out_said;
  const std::string pcapng =
      capture_pcapng(a.pending, options_.names, offset,
                     {.section = info.why, .application = options_.application, .about_comment = {}});
  std::string error;
  const auto kept = files_.add(a.recording, a.read, std::move(info), pcapng, error);
  a.changed = true;
  if (kept == SessionFiles::Kept::yes) {
    a.recording.error.clear();
    a.overwritten_said = a.recording.overwritten;
    a.left_out_said = a.recording.left_out;
  } else {
    a.recording.error = kept == SessionFiles::Kept::full ? "stopped: " + error : error;
    if (kept == SessionFiles::Kept::failed && a.pending_bytes < kMostPending &&
        now < (a.what.until_ns == UINT64_MAX ? now + 1 : a.what.until_ns + kLongestEnd))
      return;
    a.recording.left_out += a.pending.size();
  }
  a.pending.clear();
  a.pending_bytes = 0;
}

void SessionRecorder::save(Active& a, std::uint64_t now) {
  a.saved_ns = now;
  a.moved = false;
  if (const std::string error = files_.save(a.recording, a.read); !error.empty()) {
    a.changed = a.changed || a.recording.error != error;
    a.recording.error = error;
  }
}

void SessionRecorder::settle(Active& a, std::uint64_t now) {
  if (a.over || a.recording.full || a.pending_bytes >= kPartBytes || now >= a.pending_since_ns + kPartNs)
    flush(a, now);
  // At its end: when its last packets have been read and kept, or nothing is left to wait for.
  const bool waited = a.what.until_ns != UINT64_MAX && now >= a.what.until_ns + kLongestEnd;
  if (a.over && ((a.pending.empty() &&
                  (a.looked || a.what.match.some.empty() || a.recording.full || !cannot_.empty())) ||
                 waited)) {
    if (!a.looked && !a.what.match.some.empty() && a.recording.error.empty())
      a.recording.error = "no dataplane was there to read";
    a.recording.finished = a.changed = true;
    save(a, now);
  } else if (cannot_.empty() && a.pending.empty() && a.moved &&
             (now >= a.saved_ns + kSaveEvery || (a.recording.full && a.changed))) {
    save(a, now);
  }
  if (!std::exchange(a.changed, false)) return;
  files_.tell(a.recording);
  if (options_.changed) options_.changed(a.recording);
}

}  // namespace sekisho::control
