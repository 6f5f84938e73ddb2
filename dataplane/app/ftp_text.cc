#include "dataplane/app/ftp_text.h"

#include <arpa/inet.h>

namespace sekisho::app {
namespace {

constexpr std::size_t kBodyPiece = 16 * 1024;

bool same(Bytes text, const char* word, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    if (ftp_lower(text[i]) != ftp_lower(static_cast<std::uint8_t>(word[i]))) return false;
  return true;
}
bool digit(std::uint8_t c) {
  return c >= '0' && c <= '9';
}

}  // namespace

bool ftp_is(Bytes text, const char* word) {
  return text.size() == std::strlen(word) && same(text, word, text.size());
}
bool ftp_may_begin(Bytes text, const char* word) {
  return same(text, word, std::min(text.size(), std::strlen(word)));
}
bool ftp_begins(Bytes text, const char* word) {
  return text.size() >= std::strlen(word) && ftp_may_begin(text, word);
}
bool ftp_contains(Bytes text, const char* word) {
  const std::size_t n = std::strlen(word);
  for (std::size_t i = 0; i + n <= text.size(); ++i)
    if (same(text.subspan(i), word, n)) return true;
  return false;
}
Bytes ftp_word(Bytes line) {
  std::size_t n = 0;
  while (n < line.size() && line[n] != ' ' && line[n] != '\t') ++n;
  return line.first(n);
}
Bytes ftp_trim(Bytes text) {
  const auto blank = [](std::uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text = text.subspan(1);
  while (!text.empty() && blank(text.back())) text = text.first(text.size() - 1);
  return text;
}

FtpEndpoint ftp_six_numbers(Bytes text) {
  for (std::size_t start = 0; start < text.size(); ++start) {
    if (!digit(text[start]) || (start != 0 && digit(text[start - 1]))) continue;
    unsigned number[6] = {};
    unsigned n = 0;
    std::size_t at = start;
    while (n < 6 && at < text.size() && digit(text[at])) {
      for (; at < text.size() && digit(text[at]) && number[n] <= 255; ++at)
        number[n] = number[n] * 10 + (text[at] - '0');
      if (number[n] > 255) break;
      ++n;
      if (n == 6 || at >= text.size() || text[at] != ',') break;
      ++at;
    }
    if (n != 6 || number[5] > 255) continue;
    FtpEndpoint found;
    for (unsigned i = 0; i < 4; ++i) found.address[i] = static_cast<std::uint8_t>(number[i]);
    found.size = 4;
    found.port = static_cast<std::uint16_t>(number[4] * 256 + number[5]);
    return found;
  }
  return {};
}

FtpEndpoint ftp_extended(Bytes text) {
  if (text.empty()) return {};
  if (const auto* open = static_cast<const std::uint8_t*>(std::memchr(text.data(), '(', text.size()));
      open != nullptr)
    text = text.subspan(static_cast<std::size_t>(open - text.data()) + 1);
  FtpEndpoint found;
  if (text.empty()) return found;
  const std::uint8_t mark = text[0];
  Bytes field[3];
  std::size_t at = 1;
  for (Bytes& f : field) {
    const std::size_t begin = at;
    while (at < text.size() && text[at] != mark) ++at;
    if (at >= text.size()) return {};
    f = text.subspan(begin, at - begin);
    ++at;
  }
  unsigned port = 0;
  if (field[2].empty() || field[2].size() > 5) return {};
  for (const std::uint8_t c : field[2]) {
    if (!digit(c)) return {};
    port = port * 10 + (c - '0');
  }
  if (port > 65535) return {};
  if (!field[1].empty()) {
    char name[INET6_ADDRSTRLEN] = {};
    if (field[1].size() >= sizeof name) return {};
    std::memcpy(name, field[1].data(), field[1].size());
    const bool six = ftp_is(field[0], "2");
    if (inet_pton(six ? AF_INET6 : AF_INET, name, found.address) != 1) return {};
    found.size = six ? 16 : 4;
  }
  found.port = static_cast<std::uint16_t>(port);
  return found;
}

void append_body(Host& host, Transaction& tx, Direction d, Buffer id, Bytes bytes) {
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), kBodyPiece));
    bytes = bytes.subspan(piece.size());
    tx.of(d).append(id, piece);
    // Judged now where the next piece may move the window on.
    host.evaluate(tx, d, !bytes.empty());
  }
}

}  // namespace sekisho::app
