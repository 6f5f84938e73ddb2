// Where the words live: a pinned BPF_F_MMAPABLE array `sekisho_words` in a bpffs, which the XDP guard reads
// too, or a file on a tmpfs where there is no bpffs. And the two locks around them.
//
// The kernel rounds the mapping of an array up to pages. A new array or file is all zero: everything is cut.
// Thread: one owner; the mapping may be written through WordsWriter only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "dataplane/abi/words.h"

namespace sekisho::control {

struct WordsPlace {
  std::string bpffs = "/sys/fs/bpf";        // empty: use the file
  std::string file = "/run/sekisho/words";  // on a tmpfs: gone after a reboot, as a pin is
  std::string lock = "/run/sekisho/words.lock";
  std::string alive = "/run/sekisho/sekishod.lock";
  bool mount_bpffs = true;  // mount one on `bpffs` if there is none
};

enum class WordsKind : std::uint8_t { bpf_array, file };

class WordsFile {
 public:
  enum class Which : std::uint8_t {
    create,    // open what is there, the array first, else create: the array if possible
    bpf_only,  // only the array, which must exist
    file_only  // only the file, which must exist
  };
  // Null: `error` says why. `note` says why the array could not be used, if it could not.
  static std::unique_ptr<WordsFile> open(const WordsPlace& place, Which which, std::string& error,
                                         std::string* note = nullptr);
  ~WordsFile();
  WordsFile(const WordsFile&) = delete;
  WordsFile& operator=(const WordsFile&) = delete;

  sekisho_words* words() const { return words_; }
  WordsKind kind() const { return kind_; }
  bool created() const { return created_; }  // zeroed, all cut
  const std::string& path() const { return path_; }
  // To pass to the dataplane, which maps it PROT_READ, MAP_SHARED and closes it: such a mapping can never be
  // made writable. Of a file the descriptor itself is read-only; of an array it is not, because the kernel
  // maps no read-only descriptor of an array. Owned by this.
  int reader_fd() const { return reader_fd_; }
  // The array itself (for the guard's loader), or -1 for a file. Owned by this.
  int map_fd() const { return kind_ == WordsKind::bpf_array ? fd_ : -1; }

 private:
  WordsFile() = default;
  enum class Try : std::uint8_t { opened, unavailable, broken };
  Try open_array(const WordsPlace& place, bool create, std::string& why);
  Try open_file(const WordsPlace& place, bool create, std::string& why);
  bool checked(std::string& error) const;
  sekisho_words* words_ = nullptr;
  std::size_t mapped_ = 0;
  WordsKind kind_ = WordsKind::file;
  bool created_ = false;
  int fd_ = -1, reader_fd_ = -1;
  std::string path_;
};

// An flock on a file, released by the destructor or when the last process that holds the descriptor ends
// (close-on-exec; a forked child that does not exec keeps it).
class FileLock {
 public:
  FileLock() = default;
  ~FileLock();
  FileLock(FileLock&& other) noexcept : FileLock() { *this = std::move(other); }
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(held_, other.held_);
    return *this;
  }

  // Opens or creates the lock file (0600), without locking.
  bool prepare(const std::string& path, std::string& error);
  // REQUIRES: prepared. Waits at most `timeout_ns`; never takes it from a holder. No allocation.
  bool lock(std::uint64_t timeout_ns) noexcept;
  void unlock() noexcept;
  bool held() const { return held_; }

 private:
  int fd_ = -1;
  bool held_ = false;
};

// True while a sekishod holds `place.alive`. (sekishod holds it by a FileLock for its life, taken with a
// timeout of a second: this look takes a shared lock for an instant.)
bool sekishod_alive(const WordsPlace& place);

}  // namespace sekisho::control
