// A notice: one thing that somebody who is not looking at the console should hear of. And where to put it.
//
//   daemon.notices().raise({.kind = "ticket.expired", .severity = NoticeSeverity::warning,
//                           .title_en = "Ticket T-12 has expired", .title_ja = "保守作業申請 T-12
//                           の期限切れ"});
//
// Kinds are dotted lower-case words, the subject first, so that a receiver may ask for "ticket" and get all
// of them: cut, reopen, reopen.request, quarantine, release, ticket.*, alert, health.*, evidence.*,
// playbook.*, drill.*, test. No patient's data: titles and texts name hosts, links, people and tickets only.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sekisho::control {

enum class NoticeSeverity : std::uint8_t { info, warning, high, critical };
const char* name_of(NoticeSeverity severity);  // "info", "warning", "high", "critical"

struct Notice {
  std::string kind;
  NoticeSeverity severity = NoticeSeverity::info;
  std::string title_en, title_ja;  // one line; a missing one is taken from the other language
  std::string text_en, text_ja;    // may be empty; several lines
  // For machines (syslog, CEF, webhooks): names [a-z0-9_], at most 32 pairs.
  std::vector<std::pair<std::string, std::string>> fields;
  bool drill = false;         // marked 訓練 / DRILL in every language and format
  std::uint64_t wall_ns = 0;  // 0: now
};

// Bounds in bytes; what is longer is cut at a character's end.
inline constexpr std::size_t kNoticeMaxKind = 64, kNoticeMaxTitle = 300, kNoticeMaxText = 16384,
                             kNoticeMaxFields = 32, kNoticeMaxField = 1024;

class NoticeSink {
 public:
  virtual ~NoticeSink() = default;
  // Any thread. Never waits for a disk or a network and never throws; false: the bounded queue is full, and
  // the notice is counted as lost.
  virtual bool raise(Notice notice) noexcept = 0;
};

}  // namespace sekisho::control
