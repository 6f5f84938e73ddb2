// Words and addresses in text protocols: FTP's commands (RFC 959, RFC 2428), and what SMTP shares with them.
#pragma once

#include <algorithm>
#include <cstring>

#include "dataplane/app/transaction.h"

namespace sekisho::app {

constexpr std::uint8_t ftp_lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c;
}
// The whole of `text`, in either case.
bool ftp_is(Bytes text, const char* word);
// `text` begins with `word`, or with as much of it as there is.
bool ftp_may_begin(Bytes text, const char* word);
bool ftp_begins(Bytes text, const char* word);
bool ftp_contains(Bytes text, const char* word);
// Up to the first blank.
Bytes ftp_word(Bytes line);
// Without blanks at both ends.
Bytes ftp_trim(Bytes text);

struct FtpEndpoint {
  std::uint8_t address[16] = {};
  std::uint8_t size = 0;   // 0: names no address
  std::uint16_t port = 0;  // 0: not readable
  Bytes bytes() const { return {address, size}; }
};
// "h1,h2,h3,h4,p1,p2", alone or somewhere in a 227 reply.
FtpEndpoint ftp_six_numbers(Bytes text);
// "|1|192.0.2.1|port|", "|2|2001:db8::1|port|", "|||port|"; alone or inside the parentheses of a 229 reply.
FtpEndpoint ftp_extended(Bytes text);

// Grows a body in pieces that its window allows, scanned in between.
void append_body(Host& host, Transaction& tx, Direction d, Buffer id, Bytes bytes);

}  // namespace sekisho::app
