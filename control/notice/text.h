// A notice as it leaves the machine: as mail (RFC 5322, MIME), syslog (RFC 5424), CEF, by a template, and as
// the JSON in which it waits on disk. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "control/model/response.h"
#include "control/notice/notice.h"

namespace sekisho::control {

// A notice with what was true when it was raised: it may be sent hours later.
struct Letter {
  Notice notice;
  std::string id;    // of the notice: receivers may see one twice, after a connection broke in mid-answer
  std::string site;  // [gateway] name
  std::string host;  // of this machine
  // The audit chain's head: kept off the box, it shows later that no record was taken away.
  std::uint64_t audit_sequence = 0;
  std::string audit_hash;  // hex; empty: not known
};

nlohmann::json letter_to_json(const Letter& letter);
std::optional<Letter> letter_from_json(const nlohmann::json& json);

// Cuts fields to their bounds, makes control characters of one-line fields spaces, fills a missing language.
void make_sound(Notice& notice);
// True if the receiver asks for it.
bool wants(const NoticeReceiver& receiver, const Notice& notice);

std::string title_of(const Letter& letter, bool japanese);  // with 【訓練】 or [DRILL]
std::string mail_of(const Letter& letter, const NoticeReceiver& receiver);
// Without framing. `cef`: the message is a CEF record.
std::string syslog_of(const Letter& letter, const NoticeReceiver& receiver);
std::string cef_of(const Letter& letter, bool japanese);

enum class Escape : std::uint8_t { none, json, url };
std::string fill_template(const std::string& text, const Letter& letter, const NoticeReceiver& receiver,
                          Escape escape);
// What a webhook without a template sends.
std::string default_body(const Letter& letter, const NoticeReceiver& receiver);
std::string rfc3339(std::uint64_t wall_ns);  // UTC, milliseconds

}  // namespace sekisho::control
