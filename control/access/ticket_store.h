// The tickets on disk: one small file each, written whole, fsynced, renamed; and all of them in memory.
//
// A directory that is a backup's and a person's business too: `state/tickets/T-20261123-01.json`, beside it
// the session's report `….report.json`. Not thread-safe; the desk locks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/access/ticket.h"

namespace sekisho::control {

class TicketStore {
 public:
  // More than this and requests are refused; break glass is not.
  static constexpr std::size_t kMost = 10'000;
  static constexpr std::uint64_t kKeptDays = 400;
  static constexpr std::size_t kMaxFile = 1u << 20, kMaxReport = 4u << 20;

  explicit TicketStore(std::string directory) : directory_(std::move(directory)) {}

  // Makes the directory and reads it. A file that is no ticket is set aside as ….damaged and reported. Empty,
  // or what failed.
  std::string open();
  const std::vector<std::string>& reports() const { return reports_; }

  // Durable when it returns empty. The copy in memory is the new one in any case: a refused disk must not
  // reopen what was closed; `unsaved()` names those whose file is older.
  std::string put(const Ticket& ticket);
  // As put, but on failure nothing changes.
  std::string put_or_keep(const Ticket& ticket);
  std::string save_again(const std::string& id);
  std::vector<std::string> unsaved() const;
  const Ticket* find(const std::string& id) const;
  const std::map<std::string, Ticket>& all() const { return tickets_; }
  std::string next_id(std::uint64_t wall_ns) const;
  // Removes tickets that are final and older than kKeptDays.
  void prune(std::uint64_t wall_ns);

  // partial: what is known while the session runs, so that a restart does not lose it; the whole one takes
  // its place.
  std::string put_report(const std::string& id, const std::string& json_text, bool partial) const;
  std::optional<std::string> report(const std::string& id, bool partial = false) const;

 private:
  std::string path(const std::string& id) const { return directory_ + "/" + id + ".json"; }
  std::string report_path(const std::string& id, bool partial) const;
  std::string directory_;
  std::map<std::string, Ticket> tickets_;  // by id: by time
  std::map<std::string, bool> unsaved_;
  std::vector<std::string> reports_;
};

}  // namespace sekisho::control
