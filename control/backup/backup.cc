#include "control/backup/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include "control/link/latch.h"
#include "control/records/database.h"
#include "control/records/time_text.h"
#include "control/store/atomic_file.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace fs = std::filesystem;

namespace {

// Entry: length of its name (2), name, mode (4), size (8), bytes; a length of 0 ends the list. The first one
// is "made", whose bytes are the time.
constexpr std::size_t kMostName = 1024, kPiece = 1u << 20;
constexpr std::uint64_t kMostBytes = 64ull << 30, kMostFiles = 1'000'000;
// Left out of the state: large and kept elsewhere, made anew, or of no use later.
constexpr std::string_view kLeftOut[] = {"events",      "cache",      "restored", "clinical-flows",
                                         kBackupFolder, "setup-link", "captures"};
// Shown after a restore, not in force: what was cut, asked for or still to be sent on another day.
constexpr std::string_view kOnlyShown[] = {"latch",    "receipts",        "audit",  "direct",
                                           "evidence", "reopenings.json", "notices"};
// They name other files, which are written before they are: read first, what they name is in the backup.
constexpr std::string_view kPointers[] = {"config/current", "config/pending", "signatures/current",
                                          "signatures/in-force"};

bool among(std::string_view name, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

template <typename T>
void put_number(SealedWriter& out, T value) {
  std::uint8_t bytes[sizeof(T)];
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
  out.write(bytes);
}
template <typename T>
T number(SealedReader& in) {
  std::uint8_t bytes[sizeof(T)];
  in.read(bytes);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::uint64_t{bytes[i]} << (8 * i);
  return static_cast<T>(value);
}

void put_head(SealedWriter& out, const std::string& name, std::uint32_t mode, std::uint64_t size) {
  if (name.size() > kMostName) throw BackupError(name + ": its name is too long");
  put_number(out, static_cast<std::uint16_t>(name.size()));
  out.write({reinterpret_cast<const std::uint8_t*>(name.data()), name.size()});
  put_number(out, mode);
  put_number(out, size);
}

void put_file(SealedWriter& out, const std::string& path, const std::string& name, BackupSummary& summary) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat s {};
  if (fd.get() < 0 || fstat(fd.get(), &s) != 0) {
    if (errno == ENOENT) return;  // renamed meanwhile: its successor is another file
    throw BackupError(path + ": " + std::strerror(errno));
  }
  if (!S_ISREG(s.st_mode)) return;
  const auto size = static_cast<std::uint64_t>(s.st_size);
  put_head(out, name, (s.st_mode & 0777) | 0400, size);  // 0 stands for a link
  std::vector<std::uint8_t> piece(kPiece);
  for (std::uint64_t left = size; left > 0;) {
    const ssize_t n = read(fd.get(), piece.data(), std::min<std::uint64_t>(left, piece.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw BackupError(path + ": " + std::strerror(errno));
    if (n == 0) throw BackupError(path + ": it became shorter while it was read: try again");
    out.write({piece.data(), static_cast<std::size_t>(n)});
    left -= static_cast<std::uint64_t>(n);
  }
  ++summary.files;
  summary.bytes += size;
}

// Link targets of signature sets ("current" → "sets/…") are kept as files of mode 0 whose bytes are the
// target.
void put_link(SealedWriter& out, const fs::path& path, const std::string& name, BackupSummary& summary) {
  std::error_code error;
  const std::string target = fs::read_symlink(path, error);
  if (error) return;
  put_head(out, name, 0, target.size());
  out.write({reinterpret_cast<const std::uint8_t*>(target.data()), target.size()});
  ++summary.files;
}

// Without following the last link.
std::string inside_of(const fs::path& path, const std::string& root) {
  return path.lexically_relative(root);
}

void put_tree(SealedWriter& out, const std::string& root, const std::string& prefix, bool state,
              BackupSummary& summary) {
  std::error_code error;
  if (!fs::is_directory(root, error)) return;
  if (state)
    for (const std::string_view pointer : kPointers) {
      const fs::path path = fs::path(root) / pointer;
      if (fs::is_symlink(path, error))
        put_link(out, path, prefix + std::string(pointer), summary);
      else if (fs::is_regular_file(path, error))
        put_file(out, path, prefix + std::string(pointer), summary);
    }
  error.clear();
  std::vector<fs::path> paths;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string top = *fs::path(inside_of(it->path(), root)).begin();
    if (state && (among(top, kLeftOut) || top.starts_with("records.db"))) {
      if (it->is_directory()) it.disable_recursion_pending();
      continue;
    }
    paths.push_back(it->path());
  }
  if (error) throw BackupError(root + ": " + error.message());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    const std::string inside = inside_of(path, root);
    if (state && among(inside, kPointers)) continue;
    const std::string top = *fs::path(inside).begin();
    const std::string name = prefix + (state && among(top, kOnlyShown) ? "restored/" : "") + inside;
    if (fs::is_symlink(path, error))
      put_link(out, path, name, summary);
    else if (fs::is_regular_file(path, error))
      put_file(out, path, name, summary);
  }
}

// The copy that is not sealed lies in the state, never beside the backup: that may be a stick.
void put_records(SealedWriter& out, const BackupPlaces& places, BackupSummary& summary) {
  const std::string path = places.state + "/records.db", copy = path + ".copy";
  if (access(path.c_str(), F_OK) != 0) return;
  unlink(copy.c_str());
  try {
    std::string report;
    Database::open({.path = path, .check = false, .read_only = true}, report)->copy_to(copy);
  } catch (const DatabaseError& e) {
    unlink(copy.c_str());
    throw BackupError(e.what());
  }
  try {
    put_file(out, copy, "state/records.db", summary);
  } catch (...) {
    unlink(copy.c_str());
    throw;
  }
  unlink(copy.c_str());
}

// "state/…" or "site/…", relative, without steps up.
void check_name(const std::string& name) {
  const fs::path path(name);
  bool good = name.starts_with("state/") || name.starts_with("site/");
  good = good && name.find('\0') == name.npos && name.back() != '/';
  for (const fs::path& part : path) good = good && part != ".." && part != "." && !part.empty();
  if (!good) throw BackupError("an entry has a bad name");
}

void take_file(SealedReader& in, const std::string& path, std::uint32_t mode, std::uint64_t size) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (mode == 0) {
    if (size == 0 || size > kMostName) throw BackupError(path + ": a bad link");
    std::string target(size, '\0');
    in.read({reinterpret_cast<std::uint8_t*>(target.data()), target.size()});
    const fs::path to(target);
    for (const fs::path& part : to)
      if (to.is_absolute() || part == "..") throw BackupError(path + ": a link that leads out");
    if (symlink(target.c_str(), path.c_str()) != 0) throw BackupError(path + ": " + std::strerror(errno));
    return;
  }
  const Descriptor fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode & 0777));
  if (fd.get() < 0) throw BackupError(path + ": " + std::strerror(errno));
  fchmod(fd.get(), mode & 0777);
  std::vector<std::uint8_t> piece(kPiece);
  for (std::uint64_t left = size; left > 0;) {
    const std::size_t n = std::min<std::uint64_t>(left, piece.size());
    in.read({piece.data(), n});
    for (std::size_t done = 0; done < n;) {
      const ssize_t w = write(fd.get(), piece.data() + done, n - done);
      if (w < 0 && errno == EINTR) continue;
      if (w <= 0) throw BackupError(path + ": " + std::strerror(errno));
      done += static_cast<std::size_t>(w);
    }
    left -= n;
  }
  if (fsync(fd.get()) != 0) throw BackupError(path + ": " + std::strerror(errno));
}

bool holds_something(const std::string& folder) {
  std::error_code error;
  return fs::exists(folder, error) && (!fs::is_directory(folder, error) || !fs::is_empty(folder, error));
}

// What was cut since the backup nobody knows: all of it is. Who was isolated then still is, if it is not
// over.
void write_latch(const std::string& state) {
  const LatchRead old = Latch(state + "/restored/latch").read();
  LatchState now;
  now.cut = every_link();
  now.zones = old.state.zones;
  for (LatchedHost host : old.state.quarantine) {
    host.until_mono_ns = latched_until_mono(host, old.state, current_boot_id(), wall_ns(), monotonic_ns());
    if (host.until_mono_ns > monotonic_ns()) now.quarantine.push_back(host);
  }
  std::string error;
  if (!Latch(state + "/latch").write(now, error)) throw BackupError("the latch cannot be written: " + error);
}

void put_in_place(const std::string& staged, const std::string& place, std::int64_t now_s,
                  BackupSummary& summary) {
  std::error_code error;
  if (!fs::exists(staged, error)) return;
  if (holds_something(place)) {
    std::string aside = fmt::format("{}.before-restore-{}", place, now_s);
    for (int i = 2; fs::exists(aside, error); ++i)
      aside = fmt::format("{}.before-restore-{}-{}", place, now_s, i);
    fs::rename(place, aside, error);
    if (error) throw BackupError(place + ": cannot be moved aside: " + error.message());
    summary.aside.push_back(aside);
  } else {
    fs::remove(place, error);
  }
  fs::rename(staged, place, error);
  if (error) throw BackupError(staged + ": cannot be moved to " + place + ": " + error.message());
  sync_directory(fs::path(place).parent_path());
}

}  // namespace

BackupSummary create_backup(const BackupPlaces& places, const std::string& file, std::string_view passphrase,
                            const SealingCost& cost) {
  BackupSummary summary;
  summary.made = moment_text(static_cast<std::int64_t>(wall_ns() / kSecond));
  if (!holds_something(places.state)) throw BackupError(places.state + ": there is nothing to keep");
  std::error_code error;
  const fs::path target = fs::weakly_canonical(file, error);
  for (const std::string& place : {places.state, places.site}) {
    const fs::path inside = target.lexically_relative(fs::weakly_canonical(place, error));
    if (!inside.empty() && *inside.begin() != ".." && *inside.begin() != kBackupFolder)
      throw BackupError(file + ": it would be in " + place + ", which it is to keep");
  }
  const Descriptor one_at_a_time(open(places.state.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (flock(one_at_a_time.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) throw BackupBusy("another backup is being made");
    throw BackupError(places.state + ": " + std::strerror(errno));
  }
  SealedWriter out(file, passphrase, cost);
  put_head(out, "made", 0600, summary.made.size());
  out.write({reinterpret_cast<const std::uint8_t*>(summary.made.data()), summary.made.size()});
  put_records(out, places, summary);
  put_tree(out, places.state, "state/", true, summary);
  put_tree(out, places.site, "site/", false, summary);
  put_number(out, std::uint16_t{0});
  out.finish();
  return summary;
}

BackupSummary restore_backup(const BackupPlaces& places, const std::string& file, std::string_view passphrase,
                             bool force) {
  BackupSummary summary;
  for (const std::string& place : {places.state, places.site})
    if (holds_something(place) && !force)
      throw BackupError(place + " is not empty: --force moves what is there aside");
  SealedReader in(file, passphrase);
  const auto now = static_cast<std::int64_t>(wall_ns() / kSecond);
  // Beside their places, so that a rename puts them there.
  struct Staging {
    std::string state, site;
    mode_t mask = umask(077);  // folders are for root alone, as those that sekishod makes
    ~Staging() {
      umask(mask);
      std::error_code ignored;
      fs::remove_all(state, ignored);
      fs::remove_all(site, ignored);
    }
  } staging{places.state + ".restoring", places.site + ".restoring"};
  std::error_code error;
  fs::remove_all(staging.state, error);
  fs::remove_all(staging.site, error);
  for (bool first = true;; first = false) {
    const auto length = number<std::uint16_t>(in);
    if (length == 0) break;
    if (length > kMostName) throw BackupError(file + ": an entry has a bad name");
    std::string name(length, '\0');
    in.read({reinterpret_cast<std::uint8_t*>(name.data()), name.size()});
    const auto mode = number<std::uint32_t>(in);
    const auto size = number<std::uint64_t>(in);
    if (first) {
      if (name != "made" || size > 64) throw BackupError(file + ": of another version");
      summary.made.resize(size);
      in.read({reinterpret_cast<std::uint8_t*>(summary.made.data()), size});
      continue;
    }
    check_name(name);
    summary.bytes += size;
    if (++summary.files > kMostFiles || size > kMostBytes || summary.bytes > kMostBytes)
      throw BackupError(file + ": larger than a backup may be");
    const bool state = name.starts_with("state/");
    const std::string& root = state ? staging.state : staging.site;
    if (fs::create_directories(root, error)) chmod(root.c_str(), state ? 0700 : 0750);
    if (error) throw BackupError(root + ": " + error.message());
    take_file(in, root + "/" + name.substr(name.find('/') + 1), mode, size);
  }
  in.expect_end();
  if (!fs::exists(staging.state, error)) throw BackupError(file + ": there is no state in it");
  write_latch(staging.state);
  for (const std::string& root : {staging.state, staging.site}) {
    sync_directory(root);
    for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error))
      if (it->is_directory(error) && !it->is_symlink(error)) sync_directory(it->path());
  }
  put_in_place(staging.state, places.state, now, summary);
  put_in_place(staging.site, places.site, now, summary);
  return summary;
}

}  // namespace sekisho::control
