#include "control/link/direct.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/link/latch.h"
#include "control/link/words_writer.h"

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxNotes = 256;
constexpr std::size_t kMaxNoteBytes = 65536;
constexpr const char* kNoteKey = "sekisho_direct_cut";

std::string bounded(const std::string& text) {
  return text.substr(0, 500);
}

nlohmann::json runs_of(const LinkSet& links) {
  nlohmann::json runs = nlohmann::json::array();
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (!links[i]) continue;
    const std::size_t first = i;
    while (i + 1 < links.size() && links[i + 1]) ++i;
    runs.push_back({first, i});
  }
  return runs;
}

LinkSet links_of(const nlohmann::json& runs) {
  LinkSet links;
  for (const auto& run : runs) {
    const auto first = run.at(0).get<std::size_t>(), last = run.at(1).get<std::size_t>();
    if (first > last || last >= links.size()) throw std::out_of_range("links");
    for (std::size_t i = first; i <= last; ++i) links.set(i);
  }
  return links;
}

bool write_note(const std::string& directory, const LinkSet& links, const Who& who, const std::string& reason,
                DirectCut& result) {
  const std::uint64_t wall = wall_ns();
  const nlohmann::json note{{kNoteKey, 1},
                            {"wall_ns", wall},
                            {"uid", who.uid},
                            {"name", bounded(who.name)},
                            {"from", bounded(who.from)},
                            {"reason", bounded(reason)},
                            {"links", runs_of(links)},
                            {"changed", runs_of(result.changed)}};
  const std::string text = note.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::error_code ignored;
  fs::create_directories(directory, ignored);
  result.note_path =
      directory + "/direct-" + std::to_string(wall) + "-" + std::to_string(::getpid()) + ".json";
  const std::string temporary = result.note_path + ".part";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool ok = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
            ::fsync(fd) == 0 && ::rename(temporary.c_str(), result.note_path.c_str()) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (ok) {
    const int parent = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = parent >= 0 && ::fsync(parent) == 0;
    if (parent >= 0) ::close(parent);
  } else {
    ::unlink(temporary.c_str());
  }
  if (!ok)
    result.problems.push_back("the note cannot be written (" + std::string(std::strerror(why)) +
                              "): this cut will be in the audit without your name");
  return ok;
}

void latch_cut(const DirectPlaces& places, const LinkSet& links, DirectCut& result) {
  if (sekishod_alive(places.words)) {
    result.problems.push_back(
        "sekishod is alive and owns the latch: it takes this cut over, or does so when it "
        "starts again");
    return;
  }
  Latch latch(places.latch_directory);
  LatchRead read = latch.read();
  if (read.health == LatchHealth::uninitialised) {
    result.problems.push_back("there is no latch in " + places.latch_directory);
    return;
  }
  for (const std::string& text : read.reports) result.problems.push_back(text);
  if (!result.stored) result.changed = links & ~(read.state.cut & ~read.state.partial);
  read.state.cut |= links;
  read.state.partial &= ~links;
  std::string error;
  result.latched = latch.write(read.state, error);
  if (!result.latched)
    result.problems.push_back("the latch cannot be written (" + error + "): only the note survives a reboot");
}

}  // namespace

DirectCut cut_direct(const DirectPlaces& places, const LinkSet& links, const Who& who,
                     const std::string& reason) {
  DirectCut result;
  result.command_ns = monotonic_ns();
  if (links.none()) {
    result.problems.push_back("no links were named");
    return result;
  }
  FileLock lock;
  std::string error;
  result.locked = lock.prepare(places.words.lock, error) && lock.lock(places.lock_timeout_ns);
  if (!result.locked)
    result.problems.push_back("the words lock is held by another process: the cut is stored without it");
  for (const auto which : {WordsFile::Which::bpf_only, WordsFile::Which::file_only}) {
    const auto file = WordsFile::open(places.words, which, error);
    if (file == nullptr) {
      // Absent is usual for one of the two; another version is not.
      if (::access((which == WordsFile::Which::bpf_only ? places.words.bpffs + "/sekisho_words"
                                                        : places.words.file)
                       .c_str(),
                   F_OK) == 0)
        result.problems.push_back("cannot use the words: " + error);
      continue;
    }
    WordsWriter writer(file->words());
    const LinkSet before = writer.read_cut() & ~writer.read_partial();
    result.generation = writer.cut(links);
    result.stored_ns = monotonic_ns();
    result.stored = true;
    result.changed |= links & ~before;
    result.where.push_back(file->path());
  }
  if (!result.stored)
    result.problems.push_back(
        "no words are there: neither a dataplane nor a guard reads any; nothing passes an "
        "af_xdp port, and what passes elsewhere must be unplugged");
  latch_cut(places, links, result);
  result.noted = write_note(places.note_directory, links, who, reason, result);
  return result;
}

std::vector<DirectNote> read_direct_notes(const std::string& directory, std::vector<std::string>& reports) {
  std::vector<DirectNote> notes;
  std::error_code failed;
  std::size_t looked = 0;
  for (fs::directory_iterator it(directory, failed), end; !failed && it != end; it.increment(failed)) {
    const std::string path = it->path(), name = it->path().filename();
    if (!name.starts_with("direct-") || !name.ends_with(".json")) continue;
    if (++looked > kMaxNotes) {
      reports.push_back("more than " + std::to_string(kMaxNotes) + " notes of direct cuts in " + directory);
      break;
    }
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    std::string text(kMaxNoteBytes, '\0');
    const ssize_t got = fd < 0 ? -1 : ::read(fd, text.data(), text.size());
    if (fd >= 0) ::close(fd);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    const auto json = nlohmann::json::parse(text, nullptr, false);
    DirectNote note;
    note.path = path;
    try {
      if (json.at(kNoteKey).get<int>() != 1) throw std::out_of_range("version");
      note.wall_ns = json.at("wall_ns").get<std::uint64_t>();
      note.who.uid = json.at("uid").get<std::uint32_t>();
      note.who.name = json.at("name").get<std::string>();
      note.who.from = json.at("from").get<std::string>();
      note.reason = json.at("reason").get<std::string>();
      note.links = links_of(json.at("links"));
      note.changed = links_of(json.at("changed")) & note.links;
    } catch (const std::exception&) {
      reports.push_back("no note of a direct cut, though named like one: " + path);
      continue;
    }
    notes.push_back(std::move(note));
  }
  std::sort(notes.begin(), notes.end(),
            [](const DirectNote& a, const DirectNote& b) { return a.wall_ns < b.wall_ns; });
  return notes;
}

}  // namespace sekisho::control
