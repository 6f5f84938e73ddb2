// [[notice]]: who is told of what, how and in which language.
#include <fmt/format.h>

#include <algorithm>

#include "control/model/read_response.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kNameLength = 31, kLongestUrl = 2048, kLongestBody = 8192, kLongestText = 255;
const std::vector<std::string> kVia = {"smtp", "webhook", "syslog"};
const std::vector<std::string> kLanguages = {"ja", "en"};
const std::vector<std::string> kSeverities = {"info", "warning", "high", "critical"};
const std::vector<std::string> kTransports = {"tls", "tcp", "udp"};
const std::vector<std::string> kFormats = {"rfc5424", "cef"};
const std::vector<std::string> kMethods = {"POST", "GET"};
const std::vector<std::string> kTls = {"required", "off"};

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// A mailbox for the SMTP envelope and header (RFC 5321, without quoted local parts).
bool is_mailbox(std::string_view text) {
  const std::size_t at = text.find('@');
  return text.size() <= 254 && at != text.npos && at > 0 && at + 1 < text.size() &&
         text.find('@', at + 1) == text.npos && printable(text) &&
         text.find_first_of("<>,;:\\\"()[]") == text.npos;
}

bool is_kind(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

class ReceiverReader {
 public:
  ReceiverReader(const TomlNode& node, Findings& findings)
      : findings_(findings), table_(node, findings, "[[notice]]") {
    out_.at = node.at;
  }

  NoticeReceiver read(std::string& name) {
    if (const auto text = table_.text("name", TableReader::kRequired)) name = *text;
    const auto via = table_.word("via", kVia, TableReader::kRequired);
    if (const auto language = table_.word("language", kLanguages)) out_.japanese = *language == 0;
    if (const auto least = table_.word("severity", kSeverities))
      out_.least_severity = static_cast<std::uint8_t>(*least);
    read_kinds();
    out_.drills = table_.flag("drills", true);
    short_text("ca_file", out_.ca_file);
    if (via) {
      out_.via = static_cast<NoticeReceiver::Via>(*via);
      if (out_.via == NoticeReceiver::Via::smtp) read_smtp();
      if (out_.via == NoticeReceiver::Via::webhook) read_webhook();
      if (out_.via == NoticeReceiver::Via::syslog) read_syslog();
      table_.finish();
    }
    out_.name = name;
    return std::move(out_);
  }

  Position at(const char* key) const { return table_.at(key); }

 private:
  void short_text(const char* key, std::string& to, TableReader::Need need = TableReader::kOptional) {
    const auto text = table_.text(key, need);
    if (!text) return;
    if (text->empty() || text->size() > kLongestText ||
        std::any_of(text->begin(), text->end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
      return findings_.error(table_.at(key),
                             fmt::format("\"{}\" is empty, too long or has control characters", key),
                             "at most 255 bytes on one line");
    to = *text;
  }

  void read_kinds() {
    const TomlNode* node = table_.get("kinds");
    if (!node) return;
    const std::string expected = "words such as \"cut\", \"ticket\" or \"health.disk\"";
    for (const TomlNode* item : one_or_more(*node, findings_, expected)) {
      if (!is_string(*item, findings_, expected)) continue;
      if (!is_kind(item->string) || out_.kinds.size() == kMaxNoticeKinds)
        findings_.error(item->at, "bad kind " + quoted(item->string), expected);
      else
        out_.kinds.push_back(item->string);
    }
  }

  void read_url(const std::vector<std::string>& schemes) {
    const auto url = table_.text("url", TableReader::kRequired);
    if (!url) return;
    const bool known = std::any_of(schemes.begin(), schemes.end(), [&](const std::string& s) {
      return url->starts_with(s) && url->size() > s.size();
    });
    std::string expected;
    for (const std::string& s : schemes) expected += (expected.empty() ? "" : " or ") + s + "HOST…";
    if (!known || url->size() > kLongestUrl || !printable(*url))
      return findings_.error(table_.at("url"), "bad url " + quoted(*url), expected);
    if (url->substr(0, url->find('/', url->find("//") + 2)).find('@') != url->npos)
      return findings_.error(table_.at("url"), "a user in the url", "\"user\" and \"password_file\"");
    out_.url = *url;
  }

  void read_login() {
    short_text("user", out_.user);
    short_text("password_file", out_.password_file);
    if (out_.user.empty() != out_.password_file.empty())
      findings_.error(table_.at(out_.user.empty() ? "password_file" : "user"),
                      "\"user\" and \"password_file\" belong together", "both, or none");
  }

  void read_smtp() {
    read_url({"smtp://", "smtps://"});
    read_login();
    if (const auto tls = table_.word("tls", kTls)) out_.starttls = *tls == 0;
    const std::string expected = "an address such as \"csirt@hospital.example\"";
    if (const auto from = table_.text("from", TableReader::kRequired)) {
      if (!is_mailbox(*from)) findings_.error(table_.at("from"), "bad address " + quoted(*from), expected);
      out_.from = *from;
    }
    const TomlNode* to = table_.get("to", TableReader::kRequired);
    if (!to) return;
    for (const TomlNode* item : one_or_more(*to, findings_, expected)) {
      if (!is_string(*item, findings_, expected)) continue;
      if (!is_mailbox(item->string) || out_.to.size() == kMaxNoticeRecipients)
        findings_.error(item->at, "bad address " + quoted(item->string), expected);
      else
        out_.to.push_back(item->string);
    }
  }

  void check_template(const char* key, const std::string& text) {
    if (const std::string unknown = unknown_placeholder(text); !unknown.empty()) {
      std::string expected;
      for (const std::string& p : notice_placeholders())
        expected += (expected.empty() ? "{" : ", {") + p + "}";
      findings_.error(table_.at(key), "nothing is known as {" + unknown + "}", expected + " or {field.NAME}");
    }
  }

  void read_webhook() {
    read_url({"http://", "https://"});
    check_template("url", out_.url);
    read_login();
    if (const auto method = table_.word("method", kMethods)) out_.post = *method == 0;
    short_text("content_type", out_.content_type);
    if (const auto body = table_.text("body")) {
      if (body->size() > kLongestBody)
        findings_.error(table_.at("body"), "\"body\" is too long", "at most 8192 bytes");
      if (!out_.post) findings_.error(table_.at("body"), "a GET has no body", "method = \"POST\"");
      check_template("body", *body);
      out_.body = *body;
    }
  }

  void read_syslog() {
    if (const auto transport = table_.word("transport", kTransports))
      out_.transport = static_cast<NoticeReceiver::Transport>(*transport);
    short_text("host", out_.host, TableReader::kRequired);
    if (!printable(out_.host))
      findings_.error(table_.at("host"), "bad host " + quoted(out_.host), "a name or an address");
    out_.port = out_.transport == NoticeReceiver::Transport::tls ? 6514 : 514;
    if (const auto port = table_.integer("port", 1, 65535)) out_.port = static_cast<std::uint16_t>(*port);
    if (const auto format = table_.word("format", kFormats)) out_.cef = *format == 1;
    if (const auto facility = table_.integer("facility", 0, 23))
      out_.facility = static_cast<std::uint8_t>(*facility);
  }

  Findings& findings_;
  TableReader table_;
  NoticeReceiver out_;
};

}  // namespace

const std::vector<std::string>& notice_placeholders() {
  static const std::vector<std::string> names = {"title", "text",  "kind", "severity",       "site",
                                                 "time",  "drill", "id",   "audit_sequence", "audit_hash"};
  return names;
}

std::string unknown_placeholder(const std::string& text) {
  for (std::size_t open = text.find('{'); open != text.npos; open = text.find('{', open + 1)) {
    const std::size_t close = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.", open + 1);
    if (close == text.npos || text[close] != '}' || close == open + 1) continue;
    const std::string name = text.substr(open + 1, close - open - 1);
    const auto& known = notice_placeholders();
    if (std::find(known.begin(), known.end(), name) == known.end() &&
        !(name.starts_with("field.") && name.size() > 6))
      return name;
  }
  return {};
}

void read_notices(Draft& draft, const TomlNode& root) {
  KnownNames names;
  for (const TomlNode* node : tables(root, "notice", kMaxNoticeReceivers, draft.findings)) {
    ReceiverReader reader(*node, draft.findings);
    std::string name;
    NoticeReceiver receiver = reader.read(name);
    const auto index = static_cast<std::uint32_t>(draft.model.notices.size());
    if (name.empty() ||
        !enter_name(names, name, reader.at("name"), index, "notice", kNameLength, draft.findings))
      continue;
    draft.model.notices.push_back(std::move(receiver));
  }
}

}  // namespace sekisho::control
