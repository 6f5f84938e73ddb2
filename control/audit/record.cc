#include "control/audit/record.h"

#include <fcntl.h>
#include <sodium.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

namespace sekisho::control::audit_detail {
namespace {

constexpr std::string_view kHashKey = ",\"hash\":\"";
constexpr std::size_t kHashSuffix = kHashKey.size() + 64 + 2;
constexpr std::string_view kHeadMagic = "sekisho-audit-head 1 ";

std::string json_text(std::string_view text) {
  return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string time_text(std::uint64_t wall_ns) {
  const time_t seconds = static_cast<time_t>(wall_ns / 1'000'000'000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char day[32], out[64];
  strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(out, sizeof out, "%s.%06uZ", day, static_cast<unsigned>(wall_ns % 1'000'000'000 / 1000));
  return out;
}

}  // namespace

std::string to_hex(const Hash& hash) {
  char text[65];
  sodium_bin2hex(text, sizeof text, hash.data(), hash.size());
  return text;
}

std::optional<Hash> from_hex(std::string_view text) {
  Hash hash;
  std::size_t length = 0;
  if (text.size() != 64 ||
      sodium_hex2bin(hash.data(), hash.size(), text.data(), text.size(), nullptr, &length, nullptr) != 0)
    return std::nullopt;
  if (length != hash.size()) return std::nullopt;
  return hash;
}

Hash blake2b(std::string_view bytes) {
  Hash hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size(), nullptr, 0);
  return hash;
}

std::optional<std::string> canonical_details(const std::string& json, std::string& error) {
  if (json.empty()) return "{}";
  if (json.size() > kAuditMaxDetails) {
    error = "details_too_large";
    return std::nullopt;
  }
  bool too_deep = false;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kAuditMaxDepth) too_deep = true;
    return !too_deep;
  };
  const auto value = nlohmann::json::parse(json, watch, false);
  if (too_deep) {
    error = "details_too_deep";
    return std::nullopt;
  }
  if (!value.is_object()) {
    error = "details_not_json: an object was expected";
    return std::nullopt;
  }
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > 2 * kAuditMaxDetails) {
    error = "details_too_large";
    return std::nullopt;
  }
  return text;
}

std::string bounded_field(std::string_view text) {
  if (text.size() <= kAuditMaxField) return std::string(text);
  std::size_t end = kAuditMaxField - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

bool valid_action(std::string_view action) {
  if (action.empty() || action.size() > 64) return false;
  return action.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string_view::npos;
}

std::string make_line(std::uint64_t sequence, std::uint64_t wall_ns, const AuditEntry& entry,
                      const std::string& details, const Hash& previous, Hash& hash) {
  std::string line =
      "{\"sequence\":" + std::to_string(sequence) + ",\"time\":\"" + time_text(wall_ns) +
      "\",\"wall_ns\":" + std::to_string(wall_ns) + ",\"uid\":" + std::to_string(entry.who.uid) +
      ",\"name\":" + json_text(bounded_field(entry.who.name)) +
      ",\"from\":" + json_text(bounded_field(entry.who.from)) + ",\"action\":" + json_text(entry.action) +
      ",\"receipt\":" + json_text(bounded_field(entry.receipt)) + ",\"details\":" + details +
      ",\"previous\":\"" + to_hex(previous) + "\"";
  hash = blake2b(line);
  line += kHashKey;
  line += to_hex(hash);
  line += "\"}";
  return line;
}

std::optional<Record> parse_line(std::string_view line) {
  if (line.size() <= kHashSuffix || line.size() > kAuditMaxLine) return std::nullopt;
  const std::string_view body = line.substr(0, line.size() - kHashSuffix);
  const std::string_view suffix = line.substr(body.size());
  if (!suffix.starts_with(kHashKey) || !suffix.ends_with("\"}")) return std::nullopt;
  const auto hash = from_hex(suffix.substr(kHashKey.size(), 64));
  if (!hash) return std::nullopt;
  const auto watch = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    return depth <= kAuditMaxDepth + 2;
  };
  const auto json = nlohmann::json::parse(line, watch, false);
  if (!json.is_object()) return std::nullopt;
  Record record;
  const auto sequence = json.find("sequence"), previous = json.find("previous"), action = json.find("action");
  if (sequence == json.end() || !sequence->is_number_unsigned() || previous == json.end() ||
      !previous->is_string() || action == json.end() || !action->is_string())
    return std::nullopt;
  const auto previous_hash = from_hex(previous->get_ref<const std::string&>());
  if (!previous_hash) return std::nullopt;
  record.sequence = sequence->get<std::uint64_t>();
  record.previous = *previous_hash;
  record.hash = *hash;
  record.computed = blake2b(body);
  record.action = action->get<std::string>();
  if (const auto details = json.find("details"); details != json.end())
    record.details_json = details->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (record.sequence == 0) return std::nullopt;
  return record;
}

std::string make_head(const Head& head) {
  std::string text = std::string(kHeadMagic) + std::to_string(head.sequence) + " " + to_hex(head.hash) + " ";
  text += to_hex(blake2b(text));
  text.resize(kHeadBytes - 1, ' ');
  text += '\n';
  return text;
}

std::optional<Head> parse_head(std::string_view bytes) {
  if (bytes.size() != kHeadBytes || !bytes.starts_with(kHeadMagic)) return std::nullopt;
  const std::size_t sequence_at = kHeadMagic.size();
  const std::size_t hash_at = bytes.find(' ', sequence_at) + 1;
  if (hash_at == 0 || hash_at + 65 + 64 > bytes.size()) return std::nullopt;
  Head head;
  const char* sequence_end = bytes.data() + hash_at - 1;
  const auto [end, failed] = std::from_chars(bytes.data() + sequence_at, sequence_end, head.sequence);
  if (failed != std::errc() || end != sequence_end) return std::nullopt;
  const auto hash = from_hex(bytes.substr(hash_at, 64));
  const std::size_t sum_at = hash_at + 65;
  const auto sum = from_hex(bytes.substr(sum_at, 64));
  if (!hash || !sum || *sum != blake2b(bytes.substr(0, sum_at))) return std::nullopt;
  head.hash = *hash;
  return head;
}

HeadFile read_head(const std::string& path, Head& head) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno == ENOENT ? HeadFile::absent : HeadFile::damaged;
  char bytes[kHeadBytes + 1];
  const ssize_t got = ::pread(fd, bytes, sizeof bytes, 0);
  ::close(fd);
  if (got < 0) return HeadFile::damaged;
  const auto parsed = parse_head({bytes, static_cast<std::size_t>(got)});
  if (!parsed) return HeadFile::damaged;
  head = *parsed;
  return HeadFile::good;
}

}  // namespace sekisho::control::audit_detail
