// What automation would do but may not: cut a link, isolate a host. A person acts on it in one action, or
// dismisses it. Kept in one small file; bounded. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace sekisho::control {

struct Proposal {
  std::string id;      // "P-12"
  std::string action;  // "cut", "quarantine"
  std::string target;  // a link's name, a host's address
  std::string why_en, why_ja, ticket;
  std::string state = "open";  // "open", "done", "dismissed"
  std::string by, result;      // who acted; the receipt, or why not
  std::uint64_t wall_ns = 0, last_wall_ns = 0;
  std::uint64_t seen = 1;  // how often the same was proposed
};

class Proposals {
 public:
  static constexpr std::size_t kMost = 200;  // the oldest that is not open goes first

  explicit Proposals(std::string path);  // empty: only in memory
  // Reads the file; what failed, or empty.
  std::string load();
  // The same action on the same target while one is open counts up. True: it is new.
  bool propose(const std::string& action, const std::string& target, const std::string& why_en,
               const std::string& why_ja, const std::string& ticket, std::uint64_t wall_ns);
  std::vector<Proposal> list() const;  // newest first
  // Takes an open one for acting upon; nullopt: not there, or not open any more.
  std::optional<Proposal> take(const std::string& id, const std::string& by);
  // After take: what became of it. done false: it is open again.
  void settle(const std::string& id, bool done, const std::string& result);
  bool dismiss(const std::string& id, const std::string& by, const std::string& reason);

 private:
  Proposal* find(const std::string& id);
  void save();
  const std::string path_;
  std::mutex disk_;             // held while the file is written; before mutex_
  mutable std::mutex mutex_;    // never held over the disk: a person's action waits for none
  std::vector<Proposal> list_;  // oldest first
  std::uint64_t next_ = 1;
};

}  // namespace sekisho::control
