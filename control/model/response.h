// What the configuration says of responding: who is told of what ([[notice]]), and the playbooks
// ([[playbook]]). Plain data, part of Model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/model/place.h"

namespace sekisho::control {

inline constexpr std::size_t kMaxNoticeReceivers = 16, kMaxNoticeRecipients = 16, kMaxNoticeKinds = 32;
inline constexpr std::size_t kMaxPlaybooks = 64, kMaxPlaybookSteps = 64, kMaxPlaybookTargets = 64;

struct NoticeReceiver {
  enum class Via : std::uint8_t { smtp, webhook, syslog };
  enum class Transport : std::uint8_t { tls, tcp, udp };
  std::string name;
  Via via = Via::smtp;
  bool japanese = true;
  std::uint8_t least_severity = 0;  // a NoticeSeverity
  std::vector<std::string> kinds;   // "ticket" takes "ticket.expired" too; empty: all
  bool drills = true;
  std::string ca_file;              // empty: the system's authorities
  std::string user, password_file;  // the file is read at each delivery
  // smtp, webhook
  std::string url;
  // smtp
  std::string from;
  std::vector<std::string> to;
  bool starttls = true;  // of smtp://: refuse to go on without it
  // webhook
  bool post = true;  // false: GET
  std::string body;  // a template; empty: the notice as JSON
  std::string content_type = "application/json";
  // syslog
  std::string host;
  std::uint16_t port = 6514;
  Transport transport = Transport::tls;
  bool cef = false;
  std::uint8_t facility = 16;  // local0
  Position at;
};

// What [[notice]] templates may name, besides "field.NAME".
const std::vector<std::string>& notice_placeholders();
// Empty, or the first "{name}" of the template that nothing will be put in for.
std::string unknown_placeholder(const std::string& text);

struct PlaybookStep {
  enum class Kind : std::uint8_t { cut, pause, wait };
  Kind kind = Kind::cut;
  std::vector<std::string> targets;  // of a cut: what `sekisho cut` takes; all in one store
  bool reset = false;
  bool partial = false;          // of a cut: protected hosts pass
  std::string text_en, text_ja;  // of a pause: what a person has to judge; else a remark
  std::uint32_t wait_s = 0;
  Position at;
};
// Reopening is done by people, one stage after the other, each with its own two persons.
struct ReopenStage {
  std::vector<std::string> targets;
  std::string condition_en, condition_ja;  // what must be true before: "verified clean"
  Position at;
};
struct Playbook {
  std::string name, title_en, title_ja;
  std::vector<PlaybookStep> steps;
  std::vector<ReopenStage> reopen;
  Position at;
};

}  // namespace sekisho::control
