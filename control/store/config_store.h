// Versions of the configuration on disk: NNNNNN.toml beside NNNNNN.json (who, when, why), a `current` file,
// and, while an apply awaits its confirmation, a `pending` file with the version to fall back to and the
// wall-clock deadline, so that a rollback happens also when the process died in between. Writes are atomic
// (temporary file, fsync, rename, fsync of the directory). Thread: callers hold their own lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sekisho::control {

struct ConfigVersion {
  std::uint32_t number = 0;
  std::string who, reason;
  std::uint64_t wall_s = 0;
  std::string outcome;  // "applied", "confirmed", "rolled back", "pending"
};

struct PendingConfirm {
  std::uint32_t version = 0, previous = 0;
  std::uint64_t deadline_wall_s = 0;
};

class ConfigStore {
 public:
  explicit ConfigStore(std::string directory);

  // Creates the directory. Empty string, or what failed.
  std::string open();

  // Stores a new version; nullopt and `error()` where the disk refuses.
  std::optional<std::uint32_t> add(const std::string& text, const std::string& who, const std::string& reason,
                                   std::uint64_t wall_s);
  std::optional<std::string> text(std::uint32_t version) const;
  std::vector<ConfigVersion> history() const;  // oldest first
  bool set_outcome(std::uint32_t version, const std::string& outcome);

  std::optional<std::uint32_t> current() const;
  bool set_current(std::uint32_t version);

  std::optional<PendingConfirm> pending() const;
  bool set_pending(const std::optional<PendingConfirm>& pending);

  std::string path(std::uint32_t version) const;
  const std::string& error() const { return error_; }

 private:
  bool write_atomically(const std::string& name, const std::string& content);
  std::string directory_;
  std::string error_;
};

}  // namespace sekisho::control
