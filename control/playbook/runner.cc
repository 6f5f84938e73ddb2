#include "control/playbook/runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "control/model/read_text.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMostRunBytes = 4u << 20;

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& one : list) out += (out.empty() ? "" : ", ") + one;
  return out;
}

// A run that is under way.
struct Active {
  PlaybookRun run;  // State::mutex
  std::uint64_t began_ns = 0;
  bool go = false, stop = false;  // asked for; State::mutex
  Who go_by;
  bool ended = false;  // its thread is about to end
  // Of a drill: what had passed when each cut would have been, by step.
  std::map<std::size_t, std::pair<LinkSet, std::vector<WouldDrop>>> baseline;  // its thread's own
  std::thread thread;
};

}  // namespace

struct PlaybookRunner::State {
  RunnerOptions options;
  PlaybookHands hands;
  mutable std::mutex mutex;
  std::condition_variable changed;  // go, stop, closing
  std::map<std::string, std::shared_ptr<Active>> active;
  std::map<std::string, PlaybookRun> over;
  unsigned counter = 0;
  bool closing = false;
  std::string problem;

  // The keeper writes, audits and tells, so that no step waits for it.
  struct Task {
    std::optional<PlaybookRun> save;
    Who who;
    std::string action, details;
    std::optional<Notice> notice;
  };
  mutable std::mutex task_mutex;
  std::condition_variable task_there;
  std::deque<Task> tasks;
  bool tasks_end = false;
  std::thread keeper;

  void enqueue(Task task) {
    const std::lock_guard lock(task_mutex);
    tasks.push_back(std::move(task));
    task_there.notify_all();
  }

  std::string path(const std::string& id) const { return options.directory + "/" + id + ".json"; }

  void write(const PlaybookRun& run) {
    const std::string text = run_to_json(run).dump(1, ' ', false, json::error_handler_t::replace) + "\n";
    const std::string part = path(run.id) + ".part";
    const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    std::string why;
    if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fsync(fd) != 0 || ::rename(part.c_str(), path(run.id).c_str()) != 0) {
      why = part + ": " + std::strerror(errno);
      ::unlink(part.c_str());
    }
    if (fd >= 0) ::close(fd);
    const std::lock_guard lock(mutex);
    problem = why;
  }

  void keep() {
    std::unique_lock lock(task_mutex);
    for (;;) {
      task_there.wait(lock, [this] { return tasks_end || !tasks.empty(); });
      if (tasks.empty()) return;
      const Task task = std::move(tasks.front());
      tasks.pop_front();
      lock.unlock();
      if (task.notice && hands.notices) hands.notices->raise(*task.notice);
      if (task.save) write(*task.save);
      if (!task.action.empty()) hands.audit(task.who, task.action, task.details);
      lock.lock();
    }
  }

  // REQUIRES: mutex. Forgets the oldest.
  void trim() {
    while (over.size() > options.runs_kept) {
      ::unlink(path(over.begin()->first).c_str());
      over.erase(over.begin());
    }
  }

  void load() {
    std::error_code failed;
    fs::create_directories(options.directory, failed);
    ::chmod(options.directory.c_str(), 0700);
    for (fs::directory_iterator it(options.directory, failed), end; !failed && it != end;
         it.increment(failed)) {
      if (it->path().extension() != ".json") continue;
      const auto text = read_text(it->path(), kMostRunBytes);
      const json parsed = text ? json::parse(*text, nullptr, false) : json();
      auto run = parsed.is_object() ? run_from_json(parsed) : std::nullopt;
      if (!run || it->path().stem() != run->id) continue;
      if (!is_over(run->state)) {
        run->note = fmt::format("sekishod ended at step {} of {}; nothing was continued", run->at + 1,
                                run->steps.size());
        run->state = RunState::interrupted;
        Task task;
        task.save = *run;
        task.who = {0, "sekishod", "internal"};
        task.action = "playbook.interrupted";
        task.details =
            json{{"run", run->id}, {"playbook", run->name}, {"step", run->at + 1}, {"drill", run->drill}}
                .dump();
        task.notice =
            notice(*run, "interrupted", NoticeSeverity::high,
                   fmt::format("stopped at step {} by a restart; nothing was continued", run->at + 1),
                   fmt::format("再起動により手順{}で停止(自動再開なし)", run->at + 1));
        enqueue(std::move(task));
      }
      over.emplace(run->id, std::move(*run));
    }
    trim();
  }

  static Notice notice(const PlaybookRun& run, const char* what, NoticeSeverity severity,
                       const std::string& en, const std::string& ja) {
    Notice n;
    n.kind = fmt::format("playbook.{}", what);
    n.severity = severity;
    n.title_en = fmt::format("Playbook {}: {}", run.title_en, en);
    n.title_ja = fmt::format("緊急対応手順「{}」: {}", run.title_ja, ja);
    n.fields = {{"run", run.id}, {"playbook", run.name}, {"who", run.who.name}};
    if (!run.reason.empty()) n.fields.emplace_back("reason", run.reason);
    n.drill = run.drill;
    return n;
  }

  // REQUIRES: mutex.
  void save(const Active& a, const std::string& action = {}, json details = json::object(),
            std::optional<Notice> told = {}, const Who* who = nullptr) {
    Task task;
    task.save = a.run;
    task.who = who ? *who : a.run.who;
    task.action = action;
    details["run"] = a.run.id;
    details["playbook"] = a.run.name;
    if (a.run.drill) details["drill"] = true;
    task.details = details.dump(-1, ' ', false, json::error_handler_t::replace);
    task.notice = std::move(told);
    enqueue(std::move(task));
  }

  // REQUIRES: mutex is held by `lock`. True: go on with the next step.
  bool wait_for_person(Active& a, std::unique_lock<std::mutex>& lock, StepRecord& step) {
    a.run.state = RunState::paused;
    save(a, "playbook.pause", {{"step", a.run.at + 1}},
         notice(a.run, "pause", NoticeSeverity::high,
                fmt::format("waits at step {}: {}", a.run.at + 1, step.step.text_en),
                fmt::format("手順{}で待機: {}", a.run.at + 1,
                            step.step.text_ja.empty() ? step.step.text_en : step.step.text_ja)));
    a.go = false;
    changed.wait(lock, [&] { return a.go || a.stop || closing; });
    if (!a.go || a.stop) return false;
    step.by = a.go_by.name;
    return true;
  }

  // REQUIRES: mutex is not held.
  void count_drill(Active& a) {
    if (!a.run.drill || !hands.count) return;
    for (const auto& [index, was] : a.baseline) {
      const std::vector<WouldDrop> now = hands.count(was.first);
      const std::lock_guard lock(mutex);
      std::vector<WouldDrop>& out = a.run.steps[index].would_drop;
      out.clear();
      for (const WouldDrop& then : was.second) {
        const auto it =
            std::find_if(now.begin(), now.end(), [&](const WouldDrop& d) { return d.link == then.link; });
        WouldDrop d{then.link, then.flows_ended, 0, 0, 0};
        // A dataplane that restarted meanwhile counts from zero again.
        if (it != now.end() && it->packets >= then.packets && it->flows_refused >= then.flows_refused) {
          d.flows_refused = it->flows_refused - then.flows_refused;
          d.packets = it->packets - then.packets;
          d.bytes = it->bytes - std::min(it->bytes, then.bytes);
        }
        out.push_back(std::move(d));
      }
    }
  }

  // Empty: done. REQUIRES: mutex is not held.
  std::string cut_step(Active& a, std::size_t index, const PlaybookStep& step) {
    LinkSet links;
    for (const std::string& target : step.targets) {
      const auto found = hands.find(target);
      if (!found) return fmt::format("no_such_target: '{}' is not in the configuration in force", target);
      links |= *found;
    }
    if (a.run.drill) {
      const std::uint64_t began = monotonic_ns();
      std::vector<WouldDrop> was = hands.count ? hands.count(links) : std::vector<WouldDrop>();
      a.baseline[index] = {links, std::move(was)};
      const std::lock_guard lock(mutex);
      StepRecord& record = a.run.steps[index];
      record.outcome = "DRILL";
      record.stored_after_ns = monotonic_ns() - began;
      for (const WouldDrop& d : a.baseline[index].second)
        record.would_drop.push_back({d.link, d.flows_ended, 0, 0, 0});
      // As the receipt of a cut in earnest is told.
      Notice n;
      n.kind = "cut";
      n.severity = NoticeSeverity::critical;
      n.title_en = (step.partial ? "Partial cut: " : "Cut: ") + joined(step.targets);
      n.title_ja = (step.partial ? "部分遮断: " : "遮断: ") + joined(step.targets);
      n.text_en = "Nothing was cut.";
      n.text_ja = "実際の遮断は行われていません。";
      n.fields = {{"run", a.run.id}, {"who", a.run.who.name}};
      n.drill = true;
      save(a, "drill.cut", {{"step", index + 1}, {"targets", step.targets}}, std::move(n));
      return {};
    }
    const std::string reason = fmt::format("playbook {} step {}{}{}", a.run.name, index + 1,
                                           a.run.reason.empty() ? "" : ": ", a.run.reason);
    const Receipt receipt = hands.cut(links, a.run.who, reason, step.reset, step.partial);
    const std::lock_guard lock(mutex);
    StepRecord& record = a.run.steps[index];
    record.receipt = receipt.id;
    record.outcome = to_string(receipt.outcome);
    record.refusal = receipt.refusal;
    if (receipt.stored_ns != 0) record.stored_after_ns = receipt.stored_ns - receipt.command_ns;
    if (receipt.confirmed_ns != 0) record.confirmed_after_ns = receipt.confirmed_ns - receipt.command_ns;
    // An unconfirmed cut is stored: the next one must not wait for the cable of this one.
    return receipt.outcome == Outcome::refused ? "refused: " + receipt.refusal : std::string();
  }

  void run(const std::shared_ptr<Active>& one) {
    Active& a = *one;
    std::string failure;
    std::unique_lock lock(mutex);
    while (a.run.at < a.run.steps.size() && !a.stop && !closing && failure.empty()) {
      const std::size_t index = a.run.at;
      StepRecord& step = a.run.steps[index];
      step.begun = true;
      step.began_wall_ns = wall_ns();
      const std::uint64_t began = monotonic_ns();
      bool done = true;
      switch (step.step.kind) {
        case PlaybookStep::Kind::cut: {
          const PlaybookStep what = step.step;
          lock.unlock();
          failure = cut_step(a, index, what);
          lock.lock();
          done = failure.empty();
          break;
        }
        case PlaybookStep::Kind::pause:
          done = wait_for_person(a, lock, step);
          break;
        case PlaybookStep::Kind::wait:
          a.run.state = RunState::waiting;
          save(a);
          done = !changed.wait_for(lock, std::chrono::seconds(step.step.wait_s),
                                   [&] { return a.stop || closing; });
          break;
      }
      step.took_ns = monotonic_ns() - began;
      step.done = done;
      if (!failure.empty()) step.refusal = failure;
      if (!done) break;
      a.run.state = RunState::running;
      ++a.run.at;
      save(a);
    }
    if (closing && !a.stop && failure.empty() && a.run.at < a.run.steps.size()) {
      a.ended = true;  // on disk it is unfinished: the next start calls it interrupted
      return;
    }
    lock.unlock();
    count_drill(a);
    lock.lock();
    PlaybookRun& run = a.run;
    run.ended_wall_ns = wall_ns();
    run.took_ns = monotonic_ns() - a.began_ns;
    run.state = !failure.empty()             ? RunState::failed
                : run.at == run.steps.size() ? RunState::finished
                                             : RunState::stopped;
    if (!failure.empty()) run.note = failure;
    const std::string step = std::to_string(run.at + 1);
    if (run.state == RunState::finished)
      save(a, "playbook.finished", {}, notice(run, "finished", NoticeSeverity::info, "finished", "完了"));
    else if (run.state == RunState::stopped)
      save(a, "playbook.stopped", {{"step", run.at + 1}, {"by", run.ended_by}},
           notice(run, "stopped", NoticeSeverity::high, "stopped at step " + step + " by " + run.ended_by,
                  "手順" + step + "で中止: " + run.ended_by));
    else
      save(a, "playbook.failed", {{"step", run.at + 1}, {"why", failure}},
           notice(run, "failed", NoticeSeverity::critical, "FAILED at step " + step + ": " + failure,
                  "手順" + step + "で失敗: " + failure));
    over[run.id] = run;
    trim();
    a.ended = true;
  }

  // REQUIRES: mutex is held by `lock`. Takes the threads that have ended away.
  void reap(std::unique_lock<std::mutex>& lock) {
    std::vector<std::shared_ptr<Active>> ended;
    for (auto it = active.begin(); it != active.end();) {
      if (!it->second->ended) {
        ++it;
        continue;
      }
      ended.push_back(std::move(it->second));
      it = active.erase(it);
    }
    lock.unlock();
    for (const auto& one : ended) one->thread.join();
    lock.lock();
  }
};

PlaybookRunner::PlaybookRunner(RunnerOptions options, PlaybookHands hands)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.options = std::move(options);
  s.hands = std::move(hands);
  s.load();
  s.keeper = std::thread([&s] { s.keep(); });
}

PlaybookRunner::~PlaybookRunner() {
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    s.closing = true;
    s.changed.notify_all();
  }
  for (const auto& [id, one] : s.active)
    if (one->thread.joinable()) one->thread.join();
  {
    const std::lock_guard lock(s.task_mutex);
    s.tasks_end = true;
    s.task_there.notify_all();
  }
  s.keeper.join();
}

RunAnswer PlaybookRunner::start(const Playbook& playbook, const Who& who, const std::string& reason,
                                bool drill) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  s.reap(lock);
  for (const auto& [id, one] : s.active)
    if (one->run.name == playbook.name && one->run.drill == drill && !one->ended)
      return {fmt::format("already_running: {} by {}, at step {}; continue or stop that one", id,
                          one->run.who.name, one->run.at + 1),
              one->run};
  if (s.active.size() >= s.options.most_running)
    return {fmt::format("too_many: {} runs are under way", s.active.size()), {}};
  auto a = std::make_shared<Active>();
  PlaybookRun& run = a->run;
  run.began_wall_ns = wall_ns();
  const auto seconds = static_cast<time_t>(run.began_wall_ns / kSecond);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char day[32];
  strftime(day, sizeof day, "%Y%m%dT%H%M%SZ", &parts);
  do run.id = fmt::format("{}-p{:04}", day, ++s.counter % 10000);
  while (s.over.count(run.id) != 0 || s.active.count(run.id) != 0);
  run.name = playbook.name;
  run.title_en = playbook.title_en;
  run.title_ja = playbook.title_ja;
  run.drill = drill;
  run.who = who;
  run.reason = reason;
  run.reopen = playbook.reopen;
  for (const PlaybookStep& step : playbook.steps) run.steps.push_back({.step = step});
  a->began_ns = monotonic_ns();
  s.active.emplace(run.id, a);
  s.save(*a, "playbook.start", {{"reason", reason}},
         State::notice(run, "start", drill ? NoticeSeverity::info : NoticeSeverity::critical,
                       "started by " + who.name, "開始: " + who.name));
  a->thread = std::thread([&s, a] { s.run(a); });
  return {{}, run};
}

RunAnswer PlaybookRunner::go_on(const std::string& id, const Who& who) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const auto it = s.active.find(id);
  if (it == s.active.end() || it->second->ended) {
    const auto over = s.over.find(id);
    if (over == s.over.end()) return {"no_such_run: '" + id + "'", {}};
    return {fmt::format("over: the run is {}; start it anew", to_string(over->second.state)), over->second};
  }
  Active& a = *it->second;
  if (a.run.state != RunState::paused || a.go)
    return {"not_paused: the run does not wait for anybody", a.run};
  a.go = true;
  a.go_by = who;
  s.save(a, "playbook.continue", {{"step", a.run.at + 1}}, {}, &who);
  s.changed.notify_all();
  return {{}, a.run};
}

RunAnswer PlaybookRunner::stop(const std::string& id, const Who& who, const std::string& reason) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const auto it = s.active.find(id);
  if (it == s.active.end() || it->second->ended) {
    const auto over = s.over.find(id);
    if (over == s.over.end()) return {"no_such_run: '" + id + "'", {}};
    return {fmt::format("over: the run is {} already", to_string(over->second.state)), over->second};
  }
  Active& a = *it->second;
  if (a.stop) return {"stopping: " + a.run.ended_by + " has stopped it", a.run};
  a.stop = true;
  a.run.ended_by = who.name;
  a.run.note = reason;
  s.save(a, "playbook.stop", {{"step", a.run.at + 1}, {"reason", reason}}, {}, &who);
  s.changed.notify_all();
  return {{}, a.run};
}

std::vector<PlaybookRun> PlaybookRunner::runs() const {
  const std::lock_guard lock(state_->mutex);
  std::map<std::string, PlaybookRun> all = state_->over;
  for (const auto& [id, one] : state_->active) all[id] = one->run;
  std::vector<PlaybookRun> out;
  for (auto it = all.rbegin(); it != all.rend(); ++it) out.push_back(std::move(it->second));
  return out;
}

std::optional<PlaybookRun> PlaybookRunner::run(const std::string& id) const {
  const std::lock_guard lock(state_->mutex);
  if (const auto it = state_->active.find(id); it != state_->active.end()) return it->second->run;
  if (const auto it = state_->over.find(id); it != state_->over.end()) return it->second;
  return std::nullopt;
}

std::string PlaybookRunner::disk_problem() const {
  const std::lock_guard lock(state_->mutex);
  return state_->problem;
}

Playbook drill_of(const std::string& target, std::uint32_t for_s) {
  Playbook book;
  book.name = "drill:" + target;
  book.title_en = "drill of " + target;
  book.title_ja = target + " の遮断訓練";
  PlaybookStep cut, wait;
  cut.targets = {target};
  wait.kind = PlaybookStep::Kind::wait;
  wait.wait_s = for_s;
  book.steps = {cut, wait};
  return book;
}

}  // namespace sekisho::control
