#include "control/evidence/evidence.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kSuffix = ".tar";

bool is_id(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

}  // namespace

struct EvidenceStore::State {
  EvidenceOptions options;
  SigningKey key;
  std::vector<Provider> providers;
  mutable std::mutex mutex;  // guards what follows; never held over the disk
  std::condition_variable wake;
  std::deque<std::pair<Receipt, std::uint64_t>> waiting;  // and when it has settled
  std::uint64_t quota = 0, most_bytes = 0, settle_ns = 0;
  bool trim = false;  // the quota has changed
  std::string last_failure;
  bool opened = false;  // what is noted before waits
  bool busy = false, stop = false;
  std::thread worker;

  std::vector<EvidenceEntry> list() const {
    std::vector<EvidenceEntry> out;
    std::error_code failed;
    for (fs::directory_iterator it(options.directory, failed), end; !failed && it != end;
         it.increment(failed)) {
      const std::string name = it->path().filename();
      if (!name.ends_with(kSuffix) || !is_id(name.substr(0, name.size() - 4))) continue;
      struct stat info {};
      if (::stat(it->path().c_str(), &info) != 0) continue;
      out.push_back({name.substr(0, name.size() - 4), static_cast<std::uint64_t>(info.st_size),
                     static_cast<std::uint64_t>(info.st_mtim.tv_sec) * kSecond});
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id > b.id; });
    return out;
  }

  void keep_quota() {
    std::uint64_t most, sum = 0;
    {
      const std::lock_guard lock(mutex);
      most = quota;
    }
    bool newest = true;
    for (const EvidenceEntry& e : list()) {
      sum += e.bytes;
      if (sum <= most || newest) {  // the newest stays, whatever its size
        newest = false;
        continue;
      }
      if (::unlink((options.directory + "/" + e.id + kSuffix).c_str()) == 0 && options.removed)
        options.removed(e.id);
    }
  }

  std::string make(const Receipt& receipt, std::uint64_t most) {
    const std::string path = options.directory + "/" + receipt.id + kSuffix, part = path + ".part";
    if (!is_id(receipt.id)) return "the receipt has no id";
    ::unlink(part.c_str());
    EvidenceWriter writer(part, wall_ns(), most);
    writer.add("receipt.json",
               receipt_to_json(receipt).dump(1, ' ', false, json::error_handler_t::replace) + "\n");
    writer.add("receipt.txt",
               receipt_text(receipt, Language::english) + "\n" + receipt_text(receipt, Language::japanese));
    for (const Provider& provider : providers) provider(receipt, writer);
    const std::string failure = writer.finish({{"receipt", receipt.id},
                                               {"kind", to_string(receipt.kind)},
                                               {"who", receipt.who.name},
                                               {"from", receipt.who.from},
                                               {"why", receipt.reason},
                                               {"command_wall_ns", receipt.command_wall_ns},
                                               {"made_wall_ns", wall_ns()}},
                                              key);
    if (!failure.empty()) return failure;
    if (::rename(part.c_str(), path.c_str()) != 0) return path + ": cannot be renamed";
    return {};
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [this] { return stop || (opened && (trim || !waiting.empty())); });
      if (trim && opened) {
        trim = false;
        lock.unlock();
        keep_quota();
        lock.lock();
        continue;
      }
      if (waiting.empty() || !opened) return;
      const std::uint64_t now = monotonic_ns(), settled = waiting.front().second;
      if (now < settled && !stop) {
        wake.wait_for(lock, std::chrono::nanoseconds(settled - now));
        continue;
      }
      const Receipt receipt = std::move(waiting.front().first);
      waiting.pop_front();
      busy = true;
      const std::uint64_t most = most_bytes;
      lock.unlock();
      const std::string failure = make(receipt, most);
      if (failure.empty()) keep_quota();
      lock.lock();
      last_failure = failure.empty() ? std::string() : receipt.id + ": " + failure;
      busy = false;
      lock.unlock();
      if (options.done) options.done(receipt, failure);
      lock.lock();
    }
  }
};

EvidenceStore::EvidenceStore(EvidenceOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  state_->quota = state_->options.quota;
  state_->most_bytes = state_->options.most_bytes;
  state_->settle_ns = state_->options.settle_ns;
  State& s = *state_;
  s.worker = std::thread([&s] { s.run(); });
}

EvidenceStore::~EvidenceStore() {
  finish();
}

void EvidenceStore::finish() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  if (state_->worker.joinable()) state_->worker.join();
}

std::string EvidenceStore::open() {
  const std::string& directory = state_->options.directory;
  std::error_code failed;
  fs::create_directories(directory, failed);
  ::chmod(directory.c_str(), 0700);
  std::string error;
  if (failed) error = directory + ": " + failed.message();
  std::vector<std::string> left;
  for (fs::directory_iterator it(directory, failed), end; !failed && it != end; it.increment(failed))
    if (it->path().filename().string().ends_with(".tar.part")) left.push_back(it->path());
  for (const std::string& path : left) ::unlink(path.c_str());
  if (error.empty()) state_->key.open(directory, error);
  // Without a key each archive fails by name.
  const std::lock_guard lock(state_->mutex);
  state_->opened = true;
  state_->wake.notify_all();
  return error;
}

void EvidenceStore::add_provider(Provider provider) {
  state_->providers.push_back(std::move(provider));
}
void EvidenceStore::set_bounds(std::uint64_t of_one, std::uint64_t of_all, std::uint64_t settle_ns) {
  const std::lock_guard lock(state_->mutex);
  state_->trim = state_->trim || of_all < state_->quota;
  state_->quota = of_all;
  state_->most_bytes = of_one;
  state_->settle_ns = settle_ns;
  state_->wake.notify_all();
}

bool EvidenceStore::note(const Receipt& receipt) noexcept {
  try {
    const std::lock_guard lock(state_->mutex);
    if (state_->waiting.size() >= state_->options.most_waiting) {
      state_->last_failure = receipt.id + ": too many archives wait already";
      return false;
    }
    state_->waiting.emplace_back(receipt, monotonic_ns() + state_->settle_ns);
    state_->wake.notify_all();
    return true;
  } catch (...) {  // no memory
    return false;
  }
}

std::vector<EvidenceEntry> EvidenceStore::list() const {
  return state_->list();
}
std::optional<std::string> EvidenceStore::path(const std::string& id) const {
  const std::string path = state_->options.directory + "/" + id + kSuffix;
  if (!is_id(id) || ::access(path.c_str(), R_OK) != 0) return std::nullopt;
  return path;
}
std::array<std::uint8_t, 32> EvidenceStore::public_key() const {
  return state_->key.public_key();
}
std::string EvidenceStore::last_failure() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_failure;
}
std::size_t EvidenceStore::waiting() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waiting.size() + (state_->busy ? 1 : 0);
}

}  // namespace sekisho::control
