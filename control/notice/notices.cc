#include "control/notice/notices.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "control/notice/spool.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {

constexpr const char* kVia[] = {"smtp", "webhook", "syslog"};
constexpr std::chrono::seconds kTestWait{35};

// One receiver: its queue and the thread that empties it.
class Receiver {
 public:
  Receiver(NoticeReceiver config, const NoticesOptions& options, Delivery& delivery)
      : config_(std::move(config)),
        options_(options),
        delivery_(delivery),
        spool_(options.spool_directory + "/" + config_.name, options.most_queued),
        thread_([this] { run(); }) {}
  ~Receiver() { finish(); }
  // The queue is free for a successor when it returns, whoever still holds this.
  void finish() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    tested_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  const NoticeReceiver& config() const { return config_; }

  void push(const Letter& letter) {
    const std::lock_guard lock(mutex_);
    if (!spool_.push(letter)) ++lost_;
    wake_.notify_all();
  }

  std::string test(Letter letter) {
    std::unique_lock lock(mutex_);
    if (test_) return "another test is under way";
    test_ = std::move(letter);
    test_result_.reset();
    wake_.notify_all();
    const bool done =
        tested_.wait_for(lock, kTestWait, [this] { return test_result_.has_value() || stop_.load(); });
    test_.reset();
    if (!done || !test_result_) return "no answer in time";
    return *test_result_;
  }

  ReceiverState state() const {
    const std::lock_guard lock(mutex_);
    ReceiverState s;
    s.name = config_.name;
    s.via = kVia[static_cast<int>(config_.via)];
    s.queued = spool_.size();
    s.delivered = delivered_;
    s.lost = lost_;
    s.last_ok_wall_ns = last_ok_wall_ns_;
    s.last_failure_wall_ns = last_failure_wall_ns_;
    s.last_error = last_error_;
    s.disk = spool_.problem();
    return s;
  }

 private:
  void note(const std::string& error) {
    last_error_ = error;
    (error.empty() ? last_ok_wall_ns_ : last_failure_wall_ns_) = wall_ns();
    if (error.empty()) ++delivered_;
  }

  void run() {
    std::uint64_t pause = options_.first_retry_ns, not_before = 0;
    std::unique_lock lock(mutex_);
    while (!stop_) {
      if (test_ && !test_result_) {
        const Letter letter = *test_;
        lock.unlock();
        std::string error = delivery_.deliver(config_, letter, stop_);
        lock.lock();
        note(error);
        test_result_ = std::move(error);
        tested_.notify_all();
        if (test_result_->empty()) not_before = 0;  // it is back: do not wait longer
        continue;
      }
      const std::uint64_t now = options_.now_ns();
      if (spool_.size() == 0) {
        wake_.wait(lock);
        continue;
      }
      if (now < not_before) {
        options_.pause(wake_, lock, not_before - now);
        continue;
      }
      const std::optional<Letter> letter = spool_.front();
      if (!letter) continue;
      lock.unlock();
      const std::string error = delivery_.deliver(config_, *letter, stop_);
      lock.lock();
      if (!error.empty() && stop_) break;
      note(error);
      if (error.empty()) {
        spool_.pop();
        pause = options_.first_retry_ns;
        not_before = 0;
      } else {
        not_before = options_.now_ns() + pause;
        pause = std::min(pause * 2, options_.longest_retry_ns);
      }
    }
  }

  const NoticeReceiver config_;
  const NoticesOptions& options_;
  Delivery& delivery_;
  mutable std::mutex mutex_;  // guards what follows; not held while a letter is on its way
  std::condition_variable wake_, tested_;
  Spool spool_;
  std::optional<Letter> test_;
  std::optional<std::string> test_result_;
  std::uint64_t delivered_ = 0, lost_ = 0, last_ok_wall_ns_ = 0, last_failure_wall_ns_ = 0;
  std::string last_error_;
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses all of the above
};

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return *name ? name : "localhost";
}

}  // namespace

struct Notices::State {
  NoticesOptions options;
  std::unique_ptr<Delivery> delivery;
  const std::string host = host_name();
  std::string session;       // of this process, so that ids never repeat
  std::uint64_t serial = 0;  // the writer's own

  mutable std::mutex inbox_mutex;  // never held over a disk: raise() takes it
  std::condition_variable wake;
  std::deque<Notice> inbox;
  std::optional<std::pair<std::string, std::vector<NoticeReceiver>>> next;
  std::uint64_t lost = 0;
  bool configured = false;  // what is raised before waits: nobody is known yet
  bool stop = false;

  mutable std::mutex receivers_mutex;
  std::string site;
  std::vector<std::shared_ptr<Receiver>> receivers;
  std::thread writer;

  Letter letter_of(Notice notice) {
    Letter letter;
    make_sound(notice);
    letter.notice = std::move(notice);
    letter.id = fmt::format("{}-{}", session, ++serial);
    letter.host = host;
    if (options.audit_head) std::tie(letter.audit_sequence, letter.audit_hash) = options.audit_head();
    return letter;
  }

  // A receiver that is gone or changed ends before its successor opens the same queue.
  void take_configuration(std::string name, std::vector<NoticeReceiver> wanted) {
    std::vector<std::shared_ptr<Receiver>> old;
    {
      const std::lock_guard lock(receivers_mutex);
      old.swap(receivers);
      site = std::move(name);
    }
    for (const auto& r : old) r->finish();
    std::vector<std::shared_ptr<Receiver>> fresh;
    for (NoticeReceiver& r : wanted)
      fresh.push_back(std::make_shared<Receiver>(std::move(r), options, *delivery));
    const std::lock_guard lock(receivers_mutex);
    receivers = std::move(fresh);
  }

  void run() {
    std::unique_lock lock(inbox_mutex);
    for (;;) {
      wake.wait(lock, [this] { return stop || next || (configured && !inbox.empty()); });
      if (next) {
        auto [name, wanted] = std::move(*next);
        next.reset();
        lock.unlock();
        take_configuration(std::move(name), std::move(wanted));
        lock.lock();
        configured = true;
        continue;
      }
      if (inbox.empty() || !configured) return;  // stop
      Notice notice = std::move(inbox.front());
      inbox.pop_front();
      lock.unlock();
      Letter letter = letter_of(std::move(notice));
      {
        const std::lock_guard guard(receivers_mutex);
        letter.site = site;
        for (const auto& r : receivers)
          if (wants(r->config(), letter.notice)) r->push(letter);
      }
      lock.lock();
    }
  }
};

Notices::Notices(NoticesOptions options) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.options = std::move(options);
  s.delivery = s.options.delivery ? std::move(s.options.delivery) : make_network_delivery();
  if (!s.options.now_ns) s.options.now_ns = monotonic_ns;
  if (!s.options.pause)
    s.options.pause = [](std::condition_variable& wake, std::unique_lock<std::mutex>& lock,
                         std::uint64_t ns) { wake.wait_for(lock, std::chrono::nanoseconds(ns)); };
  std::random_device random;
  s.session = fmt::format("{:08x}{:08x}", random(), random());
  s.writer = std::thread([&s] { s.run(); });
}

Notices::~Notices() {
  {
    const std::lock_guard lock(state_->inbox_mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  state_->writer.join();
  state_->receivers.clear();
}

void Notices::configure(std::string site, std::vector<NoticeReceiver> receivers) {
  const std::lock_guard lock(state_->inbox_mutex);
  state_->next.emplace(std::move(site), std::move(receivers));
  state_->wake.notify_all();
}

bool Notices::raise(Notice notice) noexcept {
  try {
    if (notice.wall_ns == 0) notice.wall_ns = wall_ns();
    const std::lock_guard lock(state_->inbox_mutex);
    if (state_->inbox.size() >= state_->options.most_inbox) {
      ++state_->lost;
      return false;
    }
    state_->inbox.push_back(std::move(notice));
    state_->wake.notify_all();
    return true;
  } catch (...) {  // no memory
    return false;
  }
}

std::string Notices::test(const std::string& name, const std::string& who) {
  std::shared_ptr<Receiver> receiver;
  std::string site;
  {
    const std::lock_guard lock(state_->receivers_mutex);
    site = state_->site;
    for (const auto& r : state_->receivers)
      if (r->config().name == name) receiver = r;
  }
  if (!receiver) return "no [[notice]] is named '" + name + "'";
  Notice notice;
  notice.kind = "test";
  notice.wall_ns = wall_ns();
  notice.title_en = "Test notice of " + site;
  notice.title_ja = site + " からの通知テスト";
  notice.text_en = "Sent by " + who + " to see whether notices arrive. Nothing has happened.";
  notice.text_ja = who + " による到達確認です。異常は発生していません。";
  Letter letter;
  make_sound(notice);
  letter.notice = std::move(notice);
  letter.site = site;
  letter.host = state_->host;
  letter.id = fmt::format("{}-test-{}", state_->session, wall_ns());
  if (state_->options.audit_head)
    std::tie(letter.audit_sequence, letter.audit_hash) = state_->options.audit_head();
  return receiver->test(std::move(letter));
}

std::vector<ReceiverState> Notices::states() const {
  const std::lock_guard lock(state_->receivers_mutex);
  std::vector<ReceiverState> out;
  for (const auto& r : state_->receivers) out.push_back(r->state());
  return out;
}

std::uint64_t Notices::lost() const {
  const std::lock_guard lock(state_->inbox_mutex);
  return state_->lost;
}

}  // namespace sekisho::control
