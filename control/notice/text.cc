#include "control/notice/text.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr const char* kSeverityNames[] = {"info", "warning", "high", "critical"};
constexpr const char* kSeverityJapanese[] = {"情報", "注意", "重要", "緊急"};

// At most `most` bytes, cut where a UTF-8 character begins.
void bound(std::string& text, std::size_t most) {
  if (text.size() <= most) return;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
}

void one_line(std::string& text, std::size_t most) {
  bound(text, most);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
}

bool is_field_name(const std::string& name) {
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// Local time with its offset, for people.
std::string people_time(std::uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / kSecond);
  tm parts{};
  localtime_r(&seconds, &parts);
  char text[64];
  return std::string(text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &parts));
}

std::string audit_line(const Letter& l, bool japanese) {
  if (l.audit_hash.empty()) return {};
  return fmt::format("{}: {} {}\n", japanese ? "監査ログの先頭" : "audit head", l.audit_sequence,
                     l.audit_hash);
}

std::string whole_text(const Letter& l, bool japanese) {
  const Notice& n = l.notice;
  const std::string& text = japanese ? n.text_ja : n.text_en;
  std::string out = title_of(l, japanese) + "\n\n";
  if (!text.empty()) out += text + (text.ends_with('\n') ? "\n" : "\n\n");
  out += fmt::format("{}: {}\n", japanese ? "日時" : "time", people_time(n.wall_ns));
  out += fmt::format("{}: {}\n", japanese ? "重要度" : "severity",
                     japanese ? kSeverityJapanese[static_cast<int>(n.severity)] : name_of(n.severity));
  for (const auto& [name, value] : n.fields) out += fmt::format("{}: {}\n", name, value);
  out += fmt::format("{}: {} ({})\nid: {}\n", japanese ? "関所" : "gateway", l.site, l.host, l.id);
  return out + audit_line(l, japanese);
}

std::string base64(std::string_view in) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < in.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = word << 8 | (i + k < in.size() ? static_cast<unsigned char>(in[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += i + k > in.size() ? '=' : kDigits[word >> (18 - 6 * k) & 63];
  }
  return out;
}

// RFC 2047: encoded words of whole characters, at most 75 characters each.
std::string encoded_header(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.size(), at + 42);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    out += (out.empty() ? "" : "\r\n ") +
           ("=?UTF-8?B?" + base64(std::string_view(text).substr(at, end - at))) + "?=";
    at = end;
  }
  return out;
}

std::string percent(std::string_view in) {
  std::string out;
  for (const char c : in) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string value_of(const std::string& name, const Letter& l, bool japanese) {
  const Notice& n = l.notice;
  if (name == "title") return title_of(l, japanese);
  if (name == "text") return japanese ? n.text_ja : n.text_en;
  if (name == "kind") return n.kind;
  if (name == "severity") return name_of(n.severity);
  if (name == "site") return l.site;
  if (name == "time") return rfc3339(n.wall_ns);
  if (name == "drill") return n.drill ? "true" : "false";
  if (name == "id") return l.id;
  if (name == "audit_sequence") return std::to_string(l.audit_sequence);
  if (name == "audit_hash") return l.audit_hash;
  for (const auto& [field, value] : n.fields)
    if (name.compare(0, 6, "field.") == 0 && name.compare(6, name.npos, field) == 0) return value;
  return {};
}

// RFC 5424 6.3.3: '"', '\' and ']' are escaped in a parameter's value.
std::string parameter(std::string_view name, const std::string& value) {
  std::string out = fmt::format(" {}=\"", name);
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == ']') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string token(const std::string& text, std::size_t most) {
  std::string out;
  for (const char c : text)
    if (c > 0x20 && c < 0x7f && out.size() < most) out += c;
  return out.empty() ? "-" : out;
}

// CEF: '\' and '|' are escaped in the header, '\' and '=' and line ends in the extension.
std::string cef_header(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}
std::string cef_value(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '=') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

const char* name_of(NoticeSeverity severity) {
  return kSeverityNames[std::min<std::size_t>(static_cast<std::size_t>(severity), 3)];
}

std::string rfc3339(std::uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / kSecond);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", std::string_view(text, length), wall_ns % kSecond / kMillisecond);
}

void make_sound(Notice& n) {
  one_line(n.kind, kNoticeMaxKind);
  if (n.title_en.empty()) n.title_en = n.title_ja.empty() ? n.kind : n.title_ja;
  if (n.title_ja.empty()) n.title_ja = n.title_en;
  if (n.text_en.empty()) n.text_en = n.text_ja;
  if (n.text_ja.empty()) n.text_ja = n.text_en;
  for (std::string* title : {&n.title_en, &n.title_ja}) one_line(*title, kNoticeMaxTitle);
  for (std::string* text : {&n.text_en, &n.text_ja}) {
    bound(*text, kNoticeMaxText);
    for (char& c : *text)
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f) c = ' ';
  }
  std::erase_if(n.fields, [](const auto& field) { return !is_field_name(field.first); });
  if (n.fields.size() > kNoticeMaxFields) n.fields.resize(kNoticeMaxFields);
  for (auto& [name, value] : n.fields) one_line(value, kNoticeMaxField);
  n.severity = std::min(n.severity, NoticeSeverity::critical);
}

bool wants(const NoticeReceiver& receiver, const Notice& n) {
  if (n.kind == "test") return true;
  if (n.drill && !receiver.drills) return false;
  if (static_cast<std::uint8_t>(n.severity) < receiver.least_severity) return false;
  return receiver.kinds.empty() ||
         std::any_of(receiver.kinds.begin(), receiver.kinds.end(), [&](const auto& k) {
           return n.kind == k ||
                  (n.kind.size() > k.size() && n.kind.starts_with(k) && n.kind[k.size()] == '.');
         });
}

std::string title_of(const Letter& l, bool japanese) {
  const char* mark = !l.notice.drill ? "" : japanese ? "【訓練】" : "[DRILL] ";
  return mark + (japanese ? l.notice.title_ja : l.notice.title_en);
}

std::string mail_of(const Letter& l, const NoticeReceiver& r) {
  const auto seconds = static_cast<time_t>(l.notice.wall_ns / kSecond);
  tm parts{};
  gmtime_r(&seconds, &parts);
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::string to;
  for (const std::string& one : r.to) to += (to.empty() ? "" : ",\r\n ") + one;
  std::string out = fmt::format(
      "Date: {}, {:02} {} {} {:02}:{:02}:{:02} +0000\r\nFrom: Sekisho <{}>\r\nTo: {}\r\nMessage-ID: "
      "<{}@{}>\r\n"
      "Subject: {}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
      "Content-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\nX-Sekisho-Kind: {}\r\n"
      "X-Sekisho-Audit: {} {}\r\n\r\n",
      kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
      parts.tm_min, parts.tm_sec, r.from, to, l.id, r.from.substr(r.from.find('@') + 1),
      encoded_header(fmt::format("[{}] {}", l.site, title_of(l, r.japanese))), token(l.notice.kind, 64),
      l.audit_sequence, l.audit_hash.empty() ? "-" : l.audit_hash);
  const std::string body = base64(whole_text(l, r.japanese));
  for (std::size_t at = 0; at < body.size(); at += 76) out += body.substr(at, 76) + "\r\n";
  return out;
}

std::string cef_of(const Letter& l, bool japanese) {
  static constexpr int kSeverity[] = {2, 5, 8, 10};
  const Notice& n = l.notice;
  std::string out =
      fmt::format("CEF:0|Sekisho|Sekisho|1|{}|{}|{}|rt={} dvchost={} externalId={}", cef_header(n.kind),
                  cef_header(title_of(l, japanese)), kSeverity[static_cast<int>(n.severity)],
                  n.wall_ns / kMillisecond, cef_value(l.host), cef_value(l.id));
  if (n.drill) out += " cat=drill";
  if (!l.audit_hash.empty())
    out += fmt::format(" cn1={} cn1Label=auditSequence cs1={} cs1Label=auditHead", l.audit_sequence,
                       l.audit_hash);
  const std::string& text = japanese ? n.text_ja : n.text_en;
  std::string message = text;
  for (const auto& [name, value] : n.fields) {
    if (name == "source")
      out += " src=" + cef_value(value);
    else if (name == "destination")
      out += " dst=" + cef_value(value);
    else if (name == "who")
      out += " suser=" + cef_value(value);
    else
      message += fmt::format("{}{}: {}", message.empty() ? "" : "\n", name, value);
  }
  return message.empty() ? out : out + " msg=" + cef_value(message);
}

std::string syslog_of(const Letter& l, const NoticeReceiver& r) {
  static constexpr int kSeverity[] = {6, 4, 3, 2};  // informational, warning, error, critical
  const Notice& n = l.notice;
  // 32473: the number that RFC 5612 sets aside for those who have none of their own.
  std::string data = "[sekisho@32473" + parameter("id", l.id) + parameter("site", l.site) +
                     parameter("drill", n.drill ? "true" : "false");
  if (!l.audit_hash.empty())
    data +=
        parameter("audit_sequence", std::to_string(l.audit_sequence)) + parameter("audit_head", l.audit_hash);
  for (const auto& [name, value] : n.fields) data += parameter(name, value);
  data += "]";
  std::string message = r.cef ? cef_of(l, r.japanese) : title_of(l, r.japanese);
  const std::string& text = r.japanese ? n.text_ja : n.text_en;
  if (!r.cef && !text.empty()) message += " | " + text;
  std::replace(message.begin(), message.end(), '\n', ' ');
  // A UTF-8 message begins with a BOM (6.4); CEF readers look for "CEF:" and want none.
  return fmt::format("<{}>1 {} {} sekisho - {} {} {}{}",
                     r.facility * 8 + kSeverity[static_cast<int>(n.severity)], rfc3339(n.wall_ns),
                     token(l.host, 255), token(n.kind, 32), data, r.cef ? "" : "\xef\xbb\xbf", message);
}

std::string fill_template(const std::string& text, const Letter& l, const NoticeReceiver& r, Escape escape) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t close = text[at] == '{'
                                  ? text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.", at + 1)
                                  : text.npos;
    if (close == text.npos || text[close] != '}' || close == at + 1) {
      out += text[at++];
      continue;
    }
    const std::string value = value_of(text.substr(at + 1, close - at - 1), l, r.japanese);
    if (escape == Escape::url) {
      out += percent(value);
    } else if (escape == Escape::json) {
      const std::string quoted = json(value).dump(-1, ' ', false, json::error_handler_t::replace);
      out += quoted.substr(1, quoted.size() - 2);
    } else {
      out += value;
    }
    at = close + 1;
  }
  return out;
}

std::string default_body(const Letter& l, const NoticeReceiver& r) {
  json out = {{"title", title_of(l, r.japanese)},
              {"text", r.japanese ? l.notice.text_ja : l.notice.text_en},
              {"kind", l.notice.kind},
              {"severity", name_of(l.notice.severity)},
              {"drill", l.notice.drill},
              {"time", rfc3339(l.notice.wall_ns)},
              {"id", l.id},
              {"site", l.site},
              {"host", l.host},
              {"audit", {{"sequence", l.audit_sequence}, {"hash", l.audit_hash}}},
              {"fields", json::object()}};
  for (const auto& [name, value] : l.notice.fields) out["fields"][name] = value;
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

json letter_to_json(const Letter& l) {
  const Notice& n = l.notice;
  json fields = json::array();
  for (const auto& [name, value] : n.fields) fields.push_back({name, value});
  return {{"id", l.id},
          {"site", l.site},
          {"host", l.host},
          {"audit_sequence", l.audit_sequence},
          {"audit_hash", l.audit_hash},
          {"kind", n.kind},
          {"severity", static_cast<unsigned>(n.severity)},
          {"title_en", n.title_en},
          {"title_ja", n.title_ja},
          {"text_en", n.text_en},
          {"text_ja", n.text_ja},
          {"fields", fields},
          {"drill", n.drill},
          {"wall_ns", n.wall_ns}};
}

std::optional<Letter> letter_from_json(const json& j) {
  try {
    Letter l;
    l.id = j.at("id").get<std::string>();
    l.site = j.at("site").get<std::string>();
    l.host = j.at("host").get<std::string>();
    l.audit_sequence = j.at("audit_sequence").get<std::uint64_t>();
    l.audit_hash = j.at("audit_hash").get<std::string>();
    Notice& n = l.notice;
    n.kind = j.at("kind").get<std::string>();
    n.severity = static_cast<NoticeSeverity>(std::min(j.at("severity").get<unsigned>(), 3u));
    n.title_en = j.at("title_en").get<std::string>();
    n.title_ja = j.at("title_ja").get<std::string>();
    n.text_en = j.at("text_en").get<std::string>();
    n.text_ja = j.at("text_ja").get<std::string>();
    for (const json& field : j.at("fields"))
      n.fields.emplace_back(field.at(0).get<std::string>(), field.at(1).get<std::string>());
    n.drill = j.at("drill").get<bool>();
    n.wall_ns = j.at("wall_ns").get<std::uint64_t>();
    make_sound(n);
    return l;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace sekisho::control
