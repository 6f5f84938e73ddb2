#include "control/link/words_file.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMapped = (sizeof(sekisho_words) + kPage - 1) / kPage * kPage;
constexpr const char* kName = "sekisho_words";

std::string reason(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

bool is_bpffs(const std::string& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && static_cast<unsigned long>(info.f_type) == BPF_FS_MAGIC;
}

// Closes what it holds unless it is released.
struct Descriptor {
  int fd = -1;
  explicit Descriptor(int value) : fd(value) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int take() {
    const int value = fd;
    fd = -1;
    return value;
  }
};

sekisho_words* map_words(int fd) {
  void* at = ::mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  return at == MAP_FAILED ? nullptr : static_cast<sekisho_words*>(at);
}

void make_parent(const std::string& path) {
  std::error_code ignored;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
}

}  // namespace

WordsFile::Try WordsFile::open_array(const WordsPlace& place, bool create, std::string& why) {
  if (place.bpffs.empty()) {
    why = "no bpffs wanted";
    return Try::unavailable;
  }
  if (!is_bpffs(place.bpffs)) {
    if (!create || !place.mount_bpffs) {
      why = place.bpffs + " is no bpffs";
      return Try::unavailable;
    }
    ::mkdir(place.bpffs.c_str(), 0700);
    if (::mount("bpf", place.bpffs.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
      why = reason("no bpffs can be mounted on " + place.bpffs);
      return Try::unavailable;
    }
  }
  path_ = place.bpffs + "/" + kName;
  Descriptor map(::bpf_obj_get(path_.c_str()));
  bool made = false;
  if (map.fd < 0 && errno == ENOENT && create) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
    map.fd = ::bpf_map_create(BPF_MAP_TYPE_ARRAY, kName, sizeof(std::uint32_t), sizeof(sekisho_words), 1,
                              &options);
    if (map.fd < 0) {
      why = reason("the kernel makes no mappable array");
      return Try::unavailable;
    }
    if (::bpf_obj_pin(map.fd, path_.c_str()) == 0) {
      made = true;
    } else {
      const bool raced = errno == EEXIST;
      why = reason("cannot pin " + path_);
      if (!raced) return Try::unavailable;
      ::close(map.take());
      map.fd = ::bpf_obj_get(path_.c_str());
    }
  }
  if (map.fd < 0) {
    const bool absent = errno == ENOENT || (errno == EPERM && ::access(path_.c_str(), F_OK) != 0);
    why = reason("cannot open " + path_);
    return absent ? Try::unavailable : Try::broken;
  }
  bpf_map_info info{};
  std::uint32_t length = sizeof info;
  if (::bpf_obj_get_info_by_fd(map.fd, &info, &length) != 0 || info.type != BPF_MAP_TYPE_ARRAY ||
      info.value_size != sizeof(sekisho_words) || info.max_entries != 1 ||
      (info.map_flags & BPF_F_MMAPABLE) == 0) {
    why = path_ + " is of another version";
    return Try::broken;
  }
  Descriptor reader(::fcntl(map.fd, F_DUPFD_CLOEXEC, 0));
  sekisho_words* words = reader.fd < 0 ? nullptr : map_words(map.fd);
  if (words == nullptr) {
    why = reason("cannot map " + path_);
    return Try::broken;
  }
  words_ = words;
  mapped_ = kMapped;
  kind_ = WordsKind::bpf_array;
  created_ = made;
  fd_ = map.take();
  reader_fd_ = reader.take();
  return Try::opened;
}

WordsFile::Try WordsFile::open_file(const WordsPlace& place, bool create, std::string& why) {
  path_ = place.file;
  if (create) make_parent(path_);
  Descriptor file(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600));
  struct stat info {};
  if (file.fd < 0 || ::fstat(file.fd, &info) != 0) {
    const bool absent = errno == ENOENT;
    why = reason("cannot open " + path_);
    return absent ? Try::unavailable : Try::broken;
  }
  const bool made = info.st_size == 0;
  if (!S_ISREG(info.st_mode) || (!made && info.st_size != static_cast<off_t>(kMapped))) {
    why = path_ + " is of another version";
    return Try::broken;
  }
  if (made &&
      (!create || ::ftruncate(file.fd, kMapped) != 0 || ::posix_fallocate(file.fd, 0, kMapped) != 0)) {
    why = reason("cannot make " + path_);
    return Try::broken;
  }
  Descriptor reader(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  sekisho_words* words = reader.fd < 0 ? nullptr : map_words(file.fd);
  if (words == nullptr) {
    why = reason("cannot map " + path_);
    return Try::broken;
  }
  words_ = words;
  mapped_ = kMapped;
  kind_ = WordsKind::file;
  created_ = made;
  fd_ = file.take();
  reader_fd_ = reader.take();
  return Try::opened;
}

std::unique_ptr<WordsFile> WordsFile::open(const WordsPlace& place, Which which, std::string& error,
                                           std::string* note) {
  std::unique_ptr<WordsFile> file(new WordsFile);
  const bool create = which == Which::create;
  if (which != Which::file_only) {
    const Try tried = file->open_array(place, create, error);
    if (tried == Try::opened) return file->checked(error) ? std::move(file) : nullptr;
    // A broken array is no reason to look elsewhere: the guard reads it.
    if (tried == Try::broken || which == Which::bpf_only) return nullptr;
    if (note != nullptr) *note = error;
  }
  if (file->open_file(place, create, error) != Try::opened || !file->checked(error)) return nullptr;
  return file;
}

bool WordsFile::checked(std::string& error) const {
  if (words_->magic != SEKISHO_WORDS_MAGIC) return true;  // new, or never finished: LinkControl stamps it
  if (words_->version == SEKISHO_ABI_VERSION && words_->size == sizeof(sekisho_words)) return true;
  error = path_ + " is of another version";
  return false;
}

WordsFile::~WordsFile() {
  if (words_ != nullptr) ::munmap(words_, mapped_);
  if (fd_ >= 0) ::close(fd_);
  if (reader_fd_ >= 0) ::close(reader_fd_);
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

bool FileLock::prepare(const std::string& path, std::string& error) {
  make_parent(path);
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) error = reason("cannot open " + path);
  return fd_ >= 0;
}

bool FileLock::lock(std::uint64_t timeout_ns) noexcept {
  if (held_) return true;
  if (fd_ < 0) return false;
  const std::uint64_t until = monotonic_ns() + timeout_ns;
  for (;;) {
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return held_ = true;
    if ((errno != EWOULDBLOCK && errno != EINTR) || monotonic_ns() >= until) return false;
    const timespec pause{0, 200'000};
    ::nanosleep(&pause, nullptr);
  }
}

void FileLock::unlock() noexcept {
  if (held_) ::flock(fd_, LOCK_UN);
  held_ = false;
}

bool sekishod_alive(const WordsPlace& place) {
  const int fd = ::open(place.alive.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  const bool taken = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return taken;
}

}  // namespace sekisho::control
