#include "dataplane/io/steward.h"

#include <poll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "dataplane/base/clock.h"
#include "dataplane/io/guard_beat.h"
#include "dataplane/io/log.h"
#include "dataplane/io/sandbox.h"
#include "dataplane/policy/decide.h"
#include "dataplane/policy/snapshot_check.h"

namespace sekisho::io {

namespace {

constexpr int kTickMs = 100;
constexpr std::uint64_t kStatisticsEvery = 500 * kMillisecond;
constexpr std::uint64_t kPatience = 2 * kSecond;  // for one thing that a worker is asked for

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
    seed = monotonic_ns() * 0x9e3779b97f4a7c15ull ^ wall_ns();
  }
  return seed;
}

bool same(const auto& a, const auto& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

}  // namespace

const char* needs_restart(const policy::SnapshotView& running, const policy::SnapshotView& next) {
  const abi::Settings &a = *running.settings, &b = *next.settings;
  if (!same(running.ports, next.ports)) return "ports changed: restart the dataplane";
  if (a.workers != b.workers) return "workers changed: restart the dataplane";
  if (a.max_flows != b.max_flows || a.max_fragments != b.max_fragments) {
    return "max_flows or fragments changed: restart the dataplane";
  }
  if (a.app_memory_mb != b.app_memory_mb || a.stream_memory_mb != b.stream_memory_mb)
    return "memory for inspection changed: restart the dataplane";
  if (a.recorder_mb != b.recorder_mb || a.recorder_snap != b.recorder_snap)
    return "memory_mb or snap of the recorder changed: restart the dataplane";
  if (a.memory_mb != b.memory_mb || a.hugepages != b.hugepages)
    return "memory changed: restart the dataplane";
  if (a.steward_core != b.steward_core || !std::equal(a.cores, a.cores + a.workers, b.cores)) {
    return "cores changed: restart the dataplane";
  }
  return nullptr;
}

Steward::Steward(StewardOptions options)
    : options_(std::move(options)),
      seed_(random_seed()),
      port_locks_(options_.locks),
      server_(options_.socket, geteuid(), *this) {}

Steward::~Steward() = default;

int Steward::run() {
  while (!stopping_) {
    pollfd fds[4] = {{server_.listen_fd(), POLLIN, 0},
                     {server_.client_fd(), POLLIN, 0},
                     {options_.signals, POLLIN, 0},
                     {link_monitor_.fd(), POLLIN, 0}};
    poll(fds, 4, kTickMs);
    if (fds[0].revents != 0) server_.on_listen();
    if (fds[1].revents != 0 && server_.client_fd() == fds[1].fd) server_.on_client();
    if (fds[2].revents != 0) {
      signalfd_siginfo info;
      [[maybe_unused]] const ssize_t n = read(options_.signals, &info, sizeof info);
      stopping_ = true;
    }
    if (fds[3].revents != 0) link_monitor_.drain();
    tick();
    if (options_.notify != nullptr) options_.notify->alive();
  }
  shut_down();
  return status_;
}

void Steward::tick() {
  if (!current_) return;
  const std::uint64_t now = monotonic_ns();
  abi::Region& region = region_->get();
  std::atomic_ref<std::uint64_t>(region.steward_beat_ns).store(now, std::memory_order_relaxed);
  watch_links();
  if (now >= schedules_ns_ + kSecond) {
    schedules_ns_ = now;
    update_schedules(*current_);
  }
  if (now >= statistics_ns_ + kStatisticsEvery) {
    statistics_ns_ = now;
    report_refused_calls();
    for (std::size_t p = 0; p < ports_->all().size(); ++p) ports_->publish(p, region.port[p]);
  }
}

void Steward::report_refused_calls() {
  const RefusedCalls refused = refused_calls();
  if (refused.count == refused_calls_) return;
  log_line(LogLevel::warning, "%llu system calls refused, the last one %s",
           static_cast<unsigned long long>(refused.count - refused_calls_),
           system_call_name(refused.last).c_str());
  refused_calls_ = refused.count;
}

void Steward::watch_links() {
  bool up[SEKISHO_MAX_PORTS] = {};
  const std::size_t ports = ports_->all().size();
  for (std::size_t p = 0; p < ports; ++p) {
    up[p] = ports_->link_up(p);
    if (links_[p].exchange(up[p] ? 1 : 0, std::memory_order_relaxed) != (up[p] ? 1 : 0)) {
      log_line(LogLevel::info, "port %s is %s", ports_->all()[p].name.c_str(), up[p] ? "up" : "down");
    }
  }
  for (const auto [port, wanted] : mirror_.step({up, ports}, monotonic_ns())) {
    log_line(LogLevel::info, "port %s: taken %s with its wire's other side", ports_->all()[port].name.c_str(),
             wanted ? "up" : "down");
    if (!ports_->set_link(port, wanted)) {
      log_line(LogLevel::error, "port %s: its link state cannot be set", ports_->all()[port].name.c_str());
    }
  }
}

void Steward::update_schedules(Loaded& loaded) const {
  const std::uint64_t now = wall_ns() / kSecond;
  loaded.snapshot.active_schedules.store(policy::active_schedules(loaded.snapshot.view, now),
                                         std::memory_order_relaxed);
  loaded.snapshot.wall_s.store(now, std::memory_order_relaxed);
}

SessionHandler::Hello Steward::hello(const Descriptor& words) {
  Hello out;
  if (!words_.attach(words, out.refusal)) return out;
  for (const auto& worker : workers_) worker->wake();
  out.answer.pid = static_cast<std::uint32_t>(getpid());
  if (!current_) return out;
  const policy::SnapshotView& view = current_->snapshot.view;
  out.answer.workers = fabric_->workers();
  out.answer.ports = static_cast<std::uint32_t>(ports_->all().size());
  out.answer.snapshot_generation = view.generation();
  out.answer.started_mono_ns = region_->get().started_mono_ns;
  std::memcpy(out.answer.config_hash, view.header->config_hash, sizeof out.answer.config_hash);
  out.fds = {region_->fd(), events_->fd()};
  for (std::uint32_t w = 0; w < fabric_->workers(); ++w) out.fds.push_back(fabric_->place(w).wake.get());
  if (recorder_) out.fds.push_back(recorder_->fd());
  return out;
}

abi::LoadAnswer Steward::load(const Descriptor& snapshot) {
  abi::LoadAnswer answer{};
  const auto say = [&answer](abi::Status status, const std::string& text) {
    answer.status = static_cast<std::uint32_t>(status);
    std::snprintf(answer.text, sizeof answer.text, "%s", text.c_str());
    log_line(LogLevel::warning, "snapshot not taken: %s", text.c_str());
    return answer;
  };
  std::string why;
  auto bytes = map_sealed(snapshot, abi::kMaxSnapshotBytes, why);
  if (!bytes) return say(abi::Status::refused, why);
  const auto checked =
      policy::check_snapshot({static_cast<const std::uint8_t*>(bytes->data()), bytes->bytes()});
  if (!checked) return say(abi::Status::refused, checked.why);
  if (current_) {
    if (const char* reason = needs_restart(current_->snapshot.view, *checked.view)) {
      return say(abi::Status::refused, reason);
    }
  }
  try {
    auto next = std::make_unique<Loaded>(std::move(*bytes), *checked.view, seed_);
    answer.generation = next->snapshot.view.generation();
    if (!next->snapshot.load_signatures(next->snapshot.view.settings->workers, why))
      return say(abi::Status::refused, "signatures: " + why);
    if (!current_ && !set_up(next->snapshot.view, why)) {
      stopping_ = true;
      status_ = 1;
      return say(abi::Status::failed, why);
    }
    if (!publish(std::move(next), why)) return say(abi::Status::busy, why);
  } catch (const std::exception& e) {
    // Half set up is not a state to go on from.
    if (!current_) {
      stopping_ = true;
      status_ = 1;
    }
    return say(abi::Status::failed, e.what());
  }
  log_line(LogLevel::info, "snapshot %llu is in use", static_cast<unsigned long long>(answer.generation));
  return answer;
}

bool Steward::publish(std::unique_ptr<Loaded> next, std::string& why) {
  const auto all_use = [this](const Loaded& loaded) {
    return std::all_of(workers_.begin(), workers_.end(),
                       [&](const auto& w) { return w->in_use() == &loaded.snapshot; });
  };
  if (retiring_) {
    if (!all_use(*current_)) {
      why = "a worker still uses the snapshot before the last";
      return false;
    }
    retiring_.reset();
  }
  update_schedules(*next);
  std::vector<std::pair<std::uint16_t, std::uint16_t>> mirrored;
  const policy::SnapshotView& view = next->snapshot.view;
  for (const abi::WireRecord& wire : view.wires) {
    if (wire.mirror_link_state == 0) continue;
    mirrored.emplace_back(view.interfaces[wire.side_a].port, view.interfaces[wire.side_b].port);
  }
  mirror_.set_pairs(std::move(mirrored));

  retiring_ = std::move(current_);
  current_ = std::move(next);
  for (const auto& worker : workers_) worker->publish(&current_->snapshot);
  const std::uint64_t until = monotonic_ns() + kPatience;
  while (!all_use(*current_)) {
    if (monotonic_ns() > until) {
      why = "published, but a worker does not take it up";
      return false;
    }
    usleep(50);
  }
  retiring_.reset();
  std::atomic_ref<std::uint64_t>(region_->get().snapshot_generation)
      .store(current_->snapshot.view.generation(), std::memory_order_release);
  return true;
}

bool Steward::wait_for(const Mailbox& mailbox) const {
  const std::uint64_t until = monotonic_ns() + kPatience;
  while (mailbox.state.load(std::memory_order_acquire) != Mailbox::done) {
    if (monotonic_ns() > until) return false;
    usleep(20);
  }
  return true;
}

void Steward::flows(const abi::FlowsRequest& request, FlowsWriter& writer) {
  const auto end = [&writer](abi::Status status) {
    static const abi::FlowsPage kEmpty{};
    auto page = std::make_unique<abi::FlowsPage>(kEmpty);
    page->status = static_cast<std::uint32_t>(status);
    page->last = 1;
    writer.send(*page);
  };
  std::uint64_t left = request.limit == 0 ? ~0ull : request.limit;
  for (std::size_t w = 0; w < workers_.size() && left > 0; ++w) {
    Mailbox& mailbox = workers_[w]->mailbox();
    abi::FlowsPage& page = *pages_[w];
    if (mailbox.state.load(std::memory_order_acquire) == Mailbox::posted) return end(abi::Status::busy);
    mailbox.kind = Mailbox::Kind::dump;
    mailbox.filter = request;
    mailbox.cursor = {};
    mailbox.out = page.flow;
    while (!mailbox.cursor.done && left > 0) {
      mailbox.capacity = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, abi::kFlowsPerPage));
      mailbox.count = 0;
      workers_[w]->post();
      if (!wait_for(mailbox)) return end(abi::Status::failed);
      page.status = 0;
      page.count = mailbox.count;
      page.last = 0;
      page.worker = static_cast<std::uint32_t>(w);
      left -= mailbox.count;
      if (mailbox.count > 0 && !writer.send(page)) return;
    }
  }
  end(abi::Status::ok);
}

void Steward::costs(const abi::CostsRequest& request, abi::CostsAnswer& answer) {
  if (current_ == nullptr) return;
  const auto rows = current_->snapshot.costs(request.order, request.limit);
  answer.generation = current_->snapshot.view.generation();
  answer.count = static_cast<std::uint32_t>(rows.size());
  std::copy(rows.begin(), rows.end(), answer.cost);
}

// A reset is asked for in the words (SEKISHO_WORD_CUT_RESET), where a worker sees it together with the cut.
abi::PlainAnswer Steward::reset(std::span<const std::uint16_t> links) {
  const sekisho_words* words = words_.get();
  for (const std::uint16_t link : links) {
    const std::uint32_t word =
        std::atomic_ref<const std::uint32_t>(words->link[link]).load(std::memory_order_acquire);
    if (word != SEKISHO_WORD_CUT_RESET && word != SEKISHO_WORD_PARTIAL_RESET) {
      return plain_answer(abi::Status::refused,
                          "store the word CUTR or PARR for the link: workers reset what it cuts");
    }
  }
  for (const auto& worker : workers_) worker->wake();
  return plain_answer(abi::Status::ok, "workers are at it");
}

abi::RestoreAnswer Steward::restore(const Descriptor& records) {
  abi::RestoreAnswer answer{};
  const auto refused = [&answer](const std::string& why) {
    answer.status = static_cast<std::uint32_t>(abi::Status::refused);
    log_line(LogLevel::warning, "flows not taken up: %s", why.c_str());
    return answer;
  };
  if (workers_.empty()) return refused("no snapshot yet");
  struct stat status {};
  if (fstat(records.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0) return answer;
  std::string why;
  const std::uint64_t most = current_->snapshot.view.settings->max_flows * workers_.size();
  auto bytes = map_sealed(records, most * sizeof(abi::FlowRecord), why);
  if (!bytes) return refused(why);
  if (bytes->bytes() % sizeof(abi::FlowRecord) != 0) return refused("not a whole number of records");
  for (const auto& worker : workers_) {
    if (worker->mailbox().state.load(std::memory_order_acquire) == Mailbox::posted)
      return refused("a worker is busy");
  }
  const std::span<const abi::FlowRecord> all(static_cast<const abi::FlowRecord*>(bytes->data()),
                                             bytes->bytes() / sizeof(abi::FlowRecord));
  restoring_.clear();
  restoring_.push_back(std::move(*bytes));
  restoring_mine_.assign(workers_.size(), {});
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    if (all[i].ip_version != 4 && all[i].ip_version != 6) continue;
    restoring_mine_[steering_->needed() ? steering_->owner(all[i]) : 0].push_back(i);
  }
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    Mailbox& mailbox = workers_[w]->mailbox();
    mailbox.kind = Mailbox::Kind::restore;
    mailbox.records = all;
    mailbox.mine = restoring_mine_[w];
    mailbox.next = mailbox.taken = 0;
    workers_[w]->post();
  }
  for (const auto& worker : workers_) {
    if (!wait_for(worker->mailbox())) {
      answer.status = static_cast<std::uint32_t>(abi::Status::failed);
      continue;
    }
    answer.taken += worker->mailbox().taken;
  }
  answer.refused = static_cast<std::uint32_t>(all.size()) - answer.taken;
  return answer;
}

void Steward::shut_down() {
  if (workers_.empty()) return;
  for (const auto& worker : workers_) {
    worker->request_stop();
    worker->wake();
  }
  const std::uint64_t until = monotonic_ns() + kPatience;
  for (const auto& worker : workers_) {
    while (!worker->stopped() && monotonic_ns() < until) usleep(200);
    if (!worker->stopped()) {
      log_line(LogLevel::error, "a worker does not stop; ending the process");
      _exit(1);
    }
  }
  workers_.clear();
  tick();
  report_refused_calls();
  ports_.reset();
  log_line(LogLevel::info, "stopped");
}

}  // namespace sekisho::io
