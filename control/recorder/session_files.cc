#include "control/recorder/session_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/recorder/pcapng_join.h"
#include "control/store/atomic_file.h"

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMostState = 1u << 20, kMostGone = 1024;

// A ticket's id, which becomes a directory's name: "T-20261123-01".
bool is_ticket(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

std::string state_text(const SessionRecording& r, const RingsRead& read) {
  return json{{"ticket", r.ticket},
              {"parts", r.parts},
              {"packets", r.packets},
              {"bytes", r.bytes},
              {"file_bytes", r.file_bytes},
              {"first_ns", r.first_ns},
              {"last_ns", r.last_ns},
              {"overwritten", r.overwritten},
              {"damaged", r.damaged},
              {"restarts", r.restarts},
              {"left_out", r.left_out},
              {"full", r.full},
              {"finished", r.finished},
              {"error", r.error},
              {"run", read.run},
              {"positions", read.at}}
      .dump(1, ' ', false, json::error_handler_t::replace);
}

std::optional<SessionFiles::Known> state_of(const std::string& text) {
  const json j = json::parse(text, nullptr, false);
  if (!j.is_object()) return std::nullopt;
  try {
    SessionFiles::Known k;
    SessionRecording& r = k.recording;
    r.ticket = j.at("ticket").get<std::string>();
    const auto number = [&](const char* key) { return j.at(key).get<std::uint64_t>(); };
    r.parts = number("parts"), r.packets = number("packets");
    r.bytes = number("bytes"), r.file_bytes = number("file_bytes");
    r.first_ns = number("first_ns"), r.last_ns = number("last_ns");
    r.overwritten = number("overwritten"), r.damaged = number("damaged");
    r.restarts = number("restarts"), r.left_out = number("left_out");
    r.full = j.at("full").get<bool>();
    r.finished = j.at("finished").get<bool>();
    r.error = j.at("error").get<std::string>();
    k.read.run = number("run");
    k.read.at = j.at("positions").get<std::vector<std::uint64_t>>();
    return k;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

void count(SessionRecording& r, const CaptureInfo& part, std::uint64_t file_bytes) {
  r.parts = part.part;
  r.packets += part.packets;
  r.bytes += part.bytes;
  r.file_bytes += file_bytes;
  if (r.first_ns == 0) r.first_ns = part.first_ns;
  r.last_ns = part.last_ns;
}

std::vector<CaptureStore::Entry> by_part(std::vector<CaptureStore::Entry> parts) {
  std::sort(parts.begin(), parts.end(),
            [](const auto& a, const auto& b) { return a.info.part < b.info.part; });
  return parts;
}

}  // namespace

SessionFiles::SessionFiles(SessionFilesOptions options) : options_(std::move(options)) {}

std::string SessionFiles::open() {
  // The key, and whether it can be used: before anything is recorded.
  CaptureStore here({.directory = options_.directory, .key = options_.key});
  if (std::string why = here.open(); !why.empty()) return why;
  std::error_code ec;
  for (const auto& it : fs::directory_iterator(options_.directory, ec))
    if (it.is_directory() && is_ticket(it.path().filename().string())) load(it.path().filename().string());
  return ec ? options_.directory + ": " + ec.message() : std::string();
}

void SessionFiles::load(const std::string& ticket) {
  Known k;
  if (const auto text = read_small_file(path(ticket) + "/session.json", kMostState))
    if (auto state = state_of(*text); state && state->recording.ticket == ticket) k = std::move(*state);
  k.recording.ticket = ticket;
  std::string error;
  CaptureStore* store = k.recording.finished ? nullptr : store_of(ticket, error);
  if (store != nullptr)
    for (const CaptureStore::Entry& e : by_part(store->list())) {
      if (e.info.ticket != ticket || e.info.part <= k.recording.parts) continue;
      count(k.recording, e.info, e.file_bytes);
      k.recording.overwritten += e.info.overwritten;
      k.recording.left_out += e.info.left_out;
      k.read = {e.info.run, e.info.positions};
    }
  const std::lock_guard lock(mutex_);
  known_[ticket] = std::move(k);
}

void SessionFiles::set_bounds(std::uint64_t one, std::uint64_t all) {
  const std::lock_guard lock(mutex_);
  most_of_one_ = one;
  most_of_all_ = all;
}

std::uint64_t SessionFiles::most_of_one() const {
  const std::lock_guard lock(mutex_);
  return most_of_one_;
}

std::optional<SessionFiles::Known> SessionFiles::find(const std::string& ticket) const {
  const std::lock_guard lock(mutex_);
  const auto it = known_.find(ticket);
  return it == known_.end() ? std::nullopt : std::optional(it->second);
}

std::vector<SessionRecording> SessionFiles::unfinished() const {
  const std::lock_guard lock(mutex_);
  std::vector<SessionRecording> out;
  for (const auto& [ticket, k] : known_)
    if (!k.recording.finished) out.push_back(k.recording);
  return out;
}

bool SessionFiles::gone(const std::string& ticket) const {
  const std::lock_guard lock(mutex_);
  return std::find(gone_.begin(), gone_.end(), ticket) != gone_.end();
}

CaptureStore* SessionFiles::store_of(const std::string& ticket, std::string& error) {
  auto& store = stores_[ticket];
  if (store) return store.get();
  auto fresh = std::make_unique<CaptureStore>(CaptureStoreOptions{path(ticket), options_.key});
  if (error = fresh->open(); !error.empty()) return nullptr;
  fresh->set_bounds(SIZE_MAX, UINT64_MAX);  // parts go with their recording only
  store = std::move(fresh);
  return store.get();
}

std::string SessionFiles::save(const SessionRecording& recording, const RingsRead& read) {
  const std::string& ticket = recording.ticket;
  if (!is_ticket(ticket)) return "no ticket is named so";
  {
    const std::lock_guard lock(mutex_);
    known_[ticket] = {recording, read};
  }
  std::string error;
  if (store_of(ticket, error) == nullptr) return error;
  if (recording.finished) stores_.erase(ticket);
  return write_atomically(path(ticket) + "/session.json", state_text(recording, read));
}

void SessionFiles::tell(const SessionRecording& recording) {
  const std::lock_guard lock(mutex_);
  if (const auto it = known_.find(recording.ticket); it != known_.end()) it->second.recording = recording;
}

// Finished ones go until the bytes fit: those of signed reports first, then the oldest.
bool SessionFiles::make_room(const std::string& ticket, std::uint64_t bytes) {
  for (;;) {
    std::vector<SessionRecording> finished;
    std::uint64_t total = bytes, most = 0;
    {
      const std::lock_guard lock(mutex_);
      most = most_of_all_;
      for (const auto& [id, k] : known_) {
        total += k.recording.file_bytes;
        if (id != ticket && k.recording.finished) finished.push_back(k.recording);
      }
    }
    if (total <= most) return true;
    if (finished.empty()) return false;
    auto victim = std::find_if(finished.begin(), finished.end(),
                               [&](const SessionRecording& r) { return options_.is_signed(r.ticket); });
    if (victim == finished.end()) victim = finished.begin();
    std::error_code ec;
    fs::remove_all(path(victim->ticket), ec);
    {
      const std::lock_guard lock(mutex_);
      known_.erase(victim->ticket);
      if (gone_.size() >= kMostGone) gone_.erase(gone_.begin());
      gone_.push_back(victim->ticket);
    }
    if (options_.removed) options_.removed(*victim);
  }
}

SessionFiles::Kept SessionFiles::add(SessionRecording& recording, const RingsRead& read, CaptureInfo info,
                                     std::string_view pcapng, std::string& error) {
  CaptureStore* store = store_of(recording.ticket, error);
  if (store == nullptr) return Kept::failed;
  info.ticket = recording.ticket;
  info.part = recording.parts + 1;
  info.run = read.run;
  info.positions = read.at;
  // What sealing adds, and what is said of the part.
  const std::uint64_t bytes = pcapng.size() + pcapng.size() / 1024 + 4096;
  if (recording.file_bytes + bytes > most_of_one() || !make_room(recording.ticket, bytes)) {
    recording.full = true;
    error = recording.file_bytes + bytes > most_of_one()
                ? "the bound of one recording (recorder.session_mb)"
                : "the bound of all recordings (recorder.sessions_mb)";
    return Kept::full;
  }
  if (error = store->add(info, pcapng); !error.empty()) return Kept::failed;
  const auto kept = store->find(info.id);
  count(recording, info, kept ? kept->file_bytes : bytes);
  const std::lock_guard lock(mutex_);
  known_[recording.ticket] = {recording, read};
  return Kept::yes;
}

std::optional<std::string> SessionFiles::read(const std::string& ticket, std::string_view application,
                                              std::string& error) const {
  const auto known = find(ticket);
  if (!known) {
    error = gone(ticket) ? "the recording went for others (recorder.sessions_mb)"
                         : fmt::format("there is no recording of {}", ticket);
    return std::nullopt;
  }
  const SessionRecording& r = known->recording;
  CaptureStore store({.directory = path(ticket), .key = options_.key});
  if (error = store.open(); !error.empty()) return std::nullopt;
  const auto parts = by_part(store.list());
  std::string out;
  PcapngJoin join(
      out,
      fmt::format("recording of the session of {}: {} packets in {} parts; {} blocks overwritten, {} "
                  "restarts of the dataplane unread, {} packets left out{}",
                  ticket, r.packets, r.parts, r.overwritten, r.restarts, r.left_out,
                  r.full ? "; stopped at its bound" : ""),
      application);
  std::uint64_t next = 1;
  for (const CaptureStore::Entry& e : parts) {
    if (!e.damage.empty()) {
      error = fmt::format("part {}: {}", e.info.id, e.damage);
      return std::nullopt;
    }
    if (e.info.ticket != ticket || e.info.part != next) {
      error = e.info.ticket != ticket ? fmt::format("part {}: it is of another recording", e.info.id)
                                      : fmt::format("part {} is missing", next);
      return std::nullopt;
    }
    std::string why;
    const auto pcapng = store.read(e.info.id, why);
    if (pcapng) why = join.add(*pcapng);
    if (!pcapng || !why.empty()) {
      error = fmt::format("part {} ({}): {}", next, e.info.id, why);
      return std::nullopt;
    }
    ++next;
  }
  if (next <= r.parts) {
    error = fmt::format("part {} is missing", next);
    return std::nullopt;
  }
  if (join.packets() == 0) {
    error = fmt::format("the recording of {} has no packets", ticket);
    return std::nullopt;
  }
  return out;
}

}  // namespace sekisho::control
