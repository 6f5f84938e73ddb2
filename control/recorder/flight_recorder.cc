#include "control/recorder/flight_recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "control/events/eve.h"
#include "control/events/names.h"
#include "control/session/attachment.h"
#include "control/session/shared_load.h"
#include "dataplane/abi/event.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace {

constexpr std::size_t kQueue = 256;
constexpr std::uint64_t kMinute = 60 * kSecond;

std::uint64_t key_of(const abi::Event& e) {
  if (e.flow_id != 0) return e.flow_id;
  std::uint64_t h = 1469598103934665603ull;
  for (const std::uint8_t b : e.source) h = (h ^ b) * 1099511628211ull;
  for (const std::uint8_t b : e.destination) h = (h ^ b) * 1099511628211ull;
  return h | 1ull << 63;
}

}  // namespace

// What belongs to a capture, in memory, no more than it may hold: the oldest go.
class FlightRecorder::Collector {
 public:
  explicit Collector(std::uint64_t most) : most_(most) {}

  void collect(const Attachment& attachment, const PacketMatch& match, std::uint64_t since_ns,
               const NamesOf& names) {
    names_ = &names;
    const abi::RecorderRegion* region = attachment.recorder();
    workers_.assign(attachment.workers(), {});
    for (std::uint32_t w = 0; w < attachment.workers(); ++w) {
      // The ring's place follows from sizes that were checked, not from what the header says by now.
      const auto* base = reinterpret_cast<const std::uint8_t*>(region) +
                         abi::RecorderRegion::bytes(w, attachment.recorder_ring_bytes());
      const auto& ring = *reinterpret_cast<const abi::RecorderRing*>(base);
      const RingCopyCount n = copy_ring(ring, attachment.recorder_ring_bytes(), since_ns,
                                        [&](const RecordedPacket& p) { return take(w, p, match); });
      overwritten += n.overwritten;
      damaged += n.damaged;
    }
  }

  // All of them by time; those of one worker stay in their order.
  std::vector<KeptPacket> take_all() {
    std::vector<KeptPacket> all;
    for (auto& w : workers_) std::move(w.begin(), w.end(), std::back_inserter(all));
    workers_.clear();
    sort_by_time(all);
    return all;
  }
  bool empty() const {
    return std::all_of(workers_.begin(), workers_.end(), [](const auto& w) { return w.empty(); });
  }
  std::uint64_t left_out = 0, overwritten = 0, damaged = 0;

 private:
  static std::uint64_t size_of(const KeptPacket& i) { return i.frame.size() + 96; }

  bool take(std::uint32_t worker, const RecordedPacket& p, const PacketMatch& match) {
    if (!match.takes(p, match.links ? now_called(p, match.generation) : p.header.link)) return true;
    auto& mine = workers_[worker];
    mine.push_back(
        {p.header, p.generation, std::string(reinterpret_cast<const char*>(p.frame), p.header.captured)});
    bytes_ += size_of(mine.back());
    while (bytes_ > most_) {
      auto oldest = workers_.end();
      for (auto w = workers_.begin(); w != workers_.end(); ++w)
        if (!w->empty() &&
            (oldest == workers_.end() || w->front().header.time_ns < oldest->front().header.time_ns))
          oldest = w;
      bytes_ -= size_of(oldest->front());
      oldest->pop_front();
      ++left_out;
    }
    return true;
  }

  // The record's link in the numbering of `generation`; links of another snapshot are known by their names.
  std::uint16_t now_called(const RecordedPacket& p, std::uint64_t generation) {
    if (p.generation == generation || p.header.link >= SEKISHO_MAX_LINKS) return p.header.link;
    auto [it, fresh] = renumbered_.try_emplace(p.generation);
    if (fresh) {
      const auto then = (*names_)(p.generation), now = (*names_)(0);
      it->second.assign(SEKISHO_MAX_LINKS, UINT16_MAX);
      if (then && now)
        for (std::uint16_t a = 0; a < SEKISHO_MAX_LINKS; ++a)
          for (std::uint16_t b = 0; !then->link(a).empty() && b < SEKISHO_MAX_LINKS; ++b)
            if (now->link(b) == then->link(a)) it->second[a] = b;
    }
    return it->second[p.header.link];
  }

  const std::uint64_t most_;
  std::uint64_t bytes_ = 0;
  std::vector<std::deque<KeptPacket>> workers_;
  const NamesOf* names_ = nullptr;
  std::map<std::uint64_t, std::vector<std::uint16_t>> renumbered_;
};

FlightRecorder::FlightRecorder(FlightRecorderOptions options)
    : options_([](FlightRecorderOptions o) {
        if (!o.now_ns) o.now_ns = monotonic_ns;
        if (!o.now_wall_ns) o.now_wall_ns = wall_ns;
        return o;
      }(std::move(options))),
      store_(options_.store) {
  thread_ = std::thread([this] { run(); });
}

FlightRecorder::~FlightRecorder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::string FlightRecorder::start() {
  std::string why = store_.open();
  const std::lock_guard lock(mutex_);
  cannot_ = why;
  return why;
}

void FlightRecorder::use(const RecorderSettings& settings) {
  {
    const std::lock_guard lock(mutex_);
    settings_ = settings;
  }
  store_.set_bounds(settings.captures, std::uint64_t{settings.storage_mb} << 20);
}

// REQUIRES: mutex_ is held.
bool FlightRecorder::within_limits(const abi::Event& event, std::uint64_t now) {
  while (!last_minute_.empty() && now - last_minute_.front() >= kMinute) last_minute_.pop_front();
  std::erase_if(last_of_flow_, [&](const auto& it) { return now - it.second >= kMinute; });
  const std::uint64_t key = key_of(event);
  if (last_of_flow_.contains(key) || last_minute_.size() >= settings_.per_minute) return false;
  last_of_flow_[key] = now;
  last_minute_.push_back(now);
  return true;
}

void FlightRecorder::alert(const abi::Event& e, std::uint32_t sid, std::string text, std::string ticket) {
  const std::uint64_t now = options_.now_ns();
  CaptureRequest r;
  {
    const std::lock_guard lock(mutex_);
    if (e.priority == 0 || e.priority > settings_.alert_priority) return;
    if (!within_limits(e, now)) {
      ++limited_;
      return;
    }
  }
  r.info.kind = "alert";
  r.info.why = text;
  r.info.who = "sekishod";
  r.info.flow_id = e.flow_id;
  r.info.sid = sid;
  r.info.ticket = std::move(ticket);
  r.asked_ns = e.time_ns;
  r.match.flow_id = e.flow_id;
  FlowEnds flow;
  flow.ends.version = e.ip_version;
  flow.ends.protocol = e.protocol;
  std::copy(std::begin(e.source), std::end(e.source), flow.ends.source.begin());
  std::copy(std::begin(e.destination), std::end(e.destination), flow.ends.destination.begin());
  if (e.protocol != 1 && e.protocol != 58) {
    flow.ends.source_port = e.source_port;
    flow.ends.destination_port = e.destination_port;
  }
  if (e.ip_version != 0) r.match.flow = flow;
  std::string from, to;
  append_address(from, e.ip_version, e.source);
  append_address(to, e.ip_version, e.destination);
  r.info.subject = fmt::format("flow {} {}:{} {}:{}", e.flow_id, from, e.source_port, to, e.destination_port);
  r.comment = std::move(text);
  r.comment_ns = e.time_ns;
  r.instead_link = true;
  r.match.links = one_link(LinkIndex(e.link));
  r.match.generation = e.snapshot_generation;
  enqueue(std::move(r), now + options_.settle_ns);
}

void FlightRecorder::cut(const Receipt& receipt) {
  if (receipt.kind != CommandKind::cut || receipt.outcome == Outcome::refused || receipt.changed.none())
    return;
  {
    const std::lock_guard lock(mutex_);
    if (!settings_.on_cut) return;
  }
  CaptureRequest r;
  r.info.kind = "cut";
  r.info.who = receipt.who.name;
  r.info.why = fmt::format("receipt {}: {}", receipt.id, receipt.reason);
  r.info.receipt = receipt.id;
  r.asked_ns = receipt.command_ns;
  for (const LinkReceipt& l : receipt.links)
    if (l.changed) r.info.subject += fmt::format("{}link {}", r.info.subject.empty() ? "" : ", ", l.name);
  if (r.info.subject.empty()) r.info.subject = fmt::format("{} links", receipt.changed.count());
  r.match.links = receipt.changed;
  if (const auto names = options_.names(0)) r.match.generation = names->generation();
  enqueue(std::move(r), 0);
}

void FlightRecorder::enqueue(CaptureRequest request, std::uint64_t due_ns) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueue) {
      ++lost_;
      return;
    }
    if (!request.info.receipt.empty()) cuts_.push_back(request.info.receipt);
    queue_.push_back({std::move(request), due_ns});
  }
  wake_.notify_all();
}

void FlightRecorder::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const std::uint64_t now = options_.now_ns();
    auto due = std::find_if(queue_.begin(), queue_.end(),
                            [&](const Waiting& w) { return stop_ || w.due_ns <= now; });
    if (due == queue_.end()) {
      if (stop_) return;
      wake_.wait_for(lock, std::chrono::milliseconds(queue_.empty() ? 1000 : 20));
      continue;
    }
    CaptureRequest request = std::move(due->request);
    queue_.erase(due);
    lock.unlock();
    const std::string receipt = request.info.receipt;
    std::string error;
    capture(std::move(request), error);
    lock.lock();
    if (!receipt.empty()) {
      std::erase(cuts_, receipt);
      made_.notify_all();
    }
  }
}

bool FlightRecorder::wait_cut(const std::string& receipt, std::uint64_t longest_ns) {
  std::unique_lock lock(mutex_);
  return made_.wait_for(lock, std::chrono::nanoseconds(longest_ns),
                        [&] { return std::find(cuts_.begin(), cuts_.end(), receipt) == cuts_.end(); });
}

std::string FlightRecorder::capture_link(LinkIndex link, std::uint64_t seconds, const std::string& comment) {
  CaptureRequest r;
  r.info.kind = "evidence";
  r.info.who = "sekishod";
  r.info.why = comment;
  const auto names = options_.names(0);
  if (names) r.info.subject = fmt::format("link {}", names->link(link.raw));
  r.match.links = one_link(link);
  if (names) r.match.generation = names->generation();
  r.seconds = seconds;
  std::string error;
  return capture(std::move(r), error);
}

std::string FlightRecorder::capture(CaptureRequest request, std::string& error) {
  if (request.asked_ns == 0) request.asked_ns = options_.now_ns();
  const std::string id = make(request, error);
  if (options_.made) options_.made(request, error);
  return id;
}

std::string FlightRecorder::make(CaptureRequest& request, std::string& error) {
  const std::lock_guard one(making_);
  RecorderSettings settings;
  {
    const std::lock_guard lock(mutex_);
    settings = settings_;
    error = cannot_;
  }
  const auto attachment = options_.attachment();
  if (error.empty() && (!attachment || attachment->recorder() == nullptr))
    error = attachment ? "the flight recorder is off (recorder.memory_mb = 0)" : "no dataplane has run yet";
  if (error.empty()) {
    Collector collected(std::uint64_t{settings.capture_mb} << 20);
    const std::uint64_t now = options_.now_ns();
    const std::uint64_t seconds = request.seconds != 0 ? request.seconds : settings.seconds;
    const std::uint64_t since = now > seconds * kSecond ? now - seconds * kSecond : 0;
    PacketMatch match = request.match;
    if (request.instead_link) match.links.reset();
    collected.collect(*attachment, match, since, options_.names);
    if (collected.empty() && request.instead_link) {
      match = request.match;
      match.flow_id = 0;
      match.flow.reset();
      request.info.subject += " (not in the rings; its link instead)";
      collected.collect(*attachment, match, since, options_.names);
    }
    error = write(request, collected);
  }
  const std::lock_guard lock(mutex_);
  if (error.empty()) {
    ++captures_;
    return request.info.id;
  }
  ++failed_;
  error_ = error;
  return {};
}

std::string FlightRecorder::write(CaptureRequest& request, Collector& collected) {
  CaptureInfo& info = request.info;
  const std::uint64_t wall = options_.now_wall_ns();
  const std::uint64_t offset = wall - options_.now_ns();
  const std::vector<KeptPacket> items = collected.take_all();
  info.wall_ns = wall;
  info.packets = items.size();
  info.left_out = collected.left_out;
  info.overwritten = collected.overwritten;
  if (!items.empty()) {
    info.first_ns = items.front().header.time_ns + offset;
    info.last_ns = items.back().header.time_ns + offset;
  }
  // The packet that the alert is about: the flow's last one at that time.
  std::size_t about = items.size();
  if (!request.comment.empty())
    for (std::size_t i = 0; i < items.size() && items[i].header.time_ns <= request.comment_ns; ++i)
      if (request.match.flow_id == 0 || items[i].header.flow_id == request.match.flow_id ||
          about == items.size())
        about = i;

  std::string comment = fmt::format("{}: {}\nasked for by {}; {}; {} packets", info.kind, info.why, info.who,
                                    info.subject.empty() ? "everything" : info.subject, items.size());
  if (info.left_out != 0) comment += fmt::format("; {} older ones left out (capture_mb)", info.left_out);
  if (info.overwritten != 0)
    comment += fmt::format("; {} blocks were overwritten while they were read", info.overwritten);
  if (collected.damaged != 0) comment += fmt::format("; {} blocks could not be read", collected.damaged);
  const std::string out = capture_pcapng(items, options_.names, offset,
                                         {.section = comment,
                                          .application = options_.application,
                                          .about = about,
                                          .about_comment = request.comment});
  return store_.add(info, out);
}

FlightRecorderStatus FlightRecorder::status() const {
  FlightRecorderStatus s;
  if (const auto attachment = options_.attachment(); attachment && attachment->recorder() != nullptr) {
    s.on = true;
    s.ring_bytes = attachment->recorder_ring_bytes();
    for (std::uint32_t w = 0; w < attachment->workers(); ++w) {
      const auto* base = reinterpret_cast<const std::uint8_t*>(attachment->recorder()) +
                         abi::RecorderRegion::bytes(w, s.ring_bytes);
      s.packets += load_relaxed(reinterpret_cast<const abi::RecorderRing*>(base)->packets);
    }
  }
  s.removed = store_.removed();
  const std::lock_guard lock(mutex_);
  s.captures = captures_;
  s.failed = failed_;
  s.limited = limited_;
  s.lost = lost_;
  s.error = cannot_.empty() ? error_ : cannot_;
  return s;
}

}  // namespace sekisho::control
