#include "control/access/ticket_store.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "control/store/atomic_file.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace fs = std::filesystem;

namespace {

// "T-20261123-01"
bool is_id(const std::string& text) {
  if (text.size() < 13 || text.size() > 16 || !text.starts_with("T-") || text[10] != '-') return false;
  for (std::size_t i = 2; i < text.size(); ++i)
    if (i != 10 && (text[i] < '0' || text[i] > '9')) return false;
  return true;
}

}  // namespace

std::string TicketStore::open() {
  std::error_code ec;
  fs::create_directories(directory_, ec);
  if (ec) return directory_ + ": " + ec.message();
  ::chmod(directory_.c_str(), 0700);
  for (const auto& entry : fs::directory_iterator(directory_, ec)) {
    const std::string name = entry.path().filename(), stem = entry.path().stem();
    if (name.ends_with(".new")) {
      ::unlink(entry.path().c_str());  // of a write that never came to its rename
      continue;
    }
    if (!name.ends_with(".json") || !is_id(stem)) continue;
    const auto text = read_small_file(entry.path(), kMaxFile);
    auto ticket = text ? ticket_from_text(*text) : std::nullopt;
    if (!ticket || ticket->id != stem) {
      const std::string aside = entry.path().string() + ".damaged";
      std::rename(entry.path().c_str(), aside.c_str());
      reports_.push_back(fmt::format("tickets: {} is damaged and was set aside as {}", name, aside));
      continue;
    }
    tickets_.emplace(stem, std::move(*ticket));
  }
  return ec ? directory_ + ": " + ec.message() : std::string();
}

std::string TicketStore::put(const Ticket& ticket) {
  tickets_[ticket.id] = ticket;
  return save_again(ticket.id);
}

std::string TicketStore::put_or_keep(const Ticket& ticket) {
  std::string error = write_atomically(path(ticket.id), to_text(ticket));
  if (!error.empty()) return error;
  tickets_[ticket.id] = ticket;
  unsaved_.erase(ticket.id);
  return {};
}

std::string TicketStore::save_again(const std::string& id) {
  const Ticket* ticket = find(id);
  if (ticket == nullptr) return {};
  std::string error = write_atomically(path(id), to_text(*ticket));
  if (error.empty())
    unsaved_.erase(id);
  else
    unsaved_[id] = true;
  return error;
}

std::vector<std::string> TicketStore::unsaved() const {
  std::vector<std::string> out;
  for (const auto& [id, yes] : unsaved_) out.push_back(id);
  return out;
}

const Ticket* TicketStore::find(const std::string& id) const {
  const auto it = tickets_.find(id);
  return it == tickets_.end() ? nullptr : &it->second;
}

std::string TicketStore::next_id(std::uint64_t wall_ns) const {
  const time_t seconds = static_cast<time_t>(wall_ns / kSecond);
  tm local{};
  localtime_r(&seconds, &local);
  const std::string day =
      fmt::format("T-{:04}{:02}{:02}-", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
  unsigned last = 0;
  for (auto it = tickets_.lower_bound(day); it != tickets_.end() && it->first.starts_with(day); ++it)
    last = std::max(last, static_cast<unsigned>(std::stoul(it->first.substr(day.size()))));
  return fmt::format("{}{:02}", day, last + 1);
}

void TicketStore::prune(std::uint64_t wall_ns) {
  const std::uint64_t kept = kKeptDays * 86400 * kSecond;
  for (auto it = tickets_.begin(); it != tickets_.end();) {
    const Ticket& t = it->second;
    const std::uint64_t last = t.history.empty() ? t.requested_wall_ns : t.history.back().wall_ns;
    if (!t.final() || wall_ns < kept || last > wall_ns - kept) {
      ++it;
      continue;
    }
    for (const bool partial : {false, true}) ::unlink(report_path(t.id, partial).c_str());
    ::unlink(path(t.id).c_str());
    it = tickets_.erase(it);
  }
}

std::string TicketStore::report_path(const std::string& id, bool partial) const {
  return directory_ + "/" + id + (partial ? ".partial" : ".report.json");
}

std::string TicketStore::put_report(const std::string& id, const std::string& json_text, bool partial) const {
  std::string error = write_atomically(report_path(id, partial), json_text);
  if (!partial && error.empty()) ::unlink(report_path(id, true).c_str());
  return error;
}

std::optional<std::string> TicketStore::report(const std::string& id, bool partial) const {
  return is_id(id) ? read_small_file(report_path(id, partial), kMaxReport) : std::nullopt;
}

}  // namespace sekisho::control
