// Whether a stream's first bytes are HTTP/1: any port.
#include <algorithm>

#include "dataplane/app/http_parser.h"

namespace sekisho::app {
namespace {

using namespace http;

constexpr std::string_view kMethods[] = {
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "OPTIONS",
    "CONNECT",
    "DELETE",
    "TRACE",
    "PATCH",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "VERSION-CONTROL",
    "CHECKOUT",
    "UNCHECKOUT",
    "CHECKIN",
    "UPDATE",
    "LABEL",
    "REPORT",
    "MKWORKSPACE",
    "MKACTIVITY",
    "BASELINE-CONTROL",
    "MERGE",
    "SEARCH",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "NOTIFY",
    "BPROPFIND",
    "BPROPPATCH",
    "BCOPY",
    "BDELETE",
    "BMOVE",
    "POLL",
    "RPC_IN_DATA",
    "RPC_OUT_DATA",
    "M-SEARCH",
    "PURGE",
    "SOURCE",
    "ACL",
    "BIND",
    "REBIND",
    "UNBIND",
    "LINK",
    "UNLINK",
};

// Of the methods that anybody has registered; others are no sign of HTTP.
bool method_byte(std::uint8_t c) {
  return ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

Probe probe_request(Bytes b) {
  while (!b.empty() && is_space(b.front())) b = b.subspan(1);
  if (b.empty()) return Probe::more;
  std::size_t n = 0;
  while (n < b.size() && n < 32 && method_byte(b[n])) ++n;
  const std::string_view word = text_of(b.first(n));
  // The preface of HTTP/2 is none of ours.
  if (word == "PRI") {
    constexpr std::string_view kPreface = "PRI * HTTP/2.0";
    const std::string_view text = text_of(b).substr(0, kPreface.size());
    return kPreface.substr(0, text.size()) == text ? Probe::no : Probe::yes;
  }
  bool known = false, prefix = false;
  for (const std::string_view m : kMethods) {
    known = known || word == m;
    prefix = prefix || (m.size() > word.size() && m.substr(0, word.size()) == word);
  }
  if (n == b.size()) return known || prefix || n < 16 ? Probe::more : Probe::no;
  if (n == 0 || (b[n] != ' ' && b[n] != '\t')) return Probe::no;
  // RTSP, SIP and others look alike: the version tells.
  const std::size_t lf = text_of(b).find('\n');
  const std::string_view line = text_of(b).substr(0, lf);
  const std::size_t version = line.rfind(' ');
  const bool http = line.size() > version + 5 && version != std::string_view::npos &&
                    starts_with(b.subspan(version + 1), "http/");
  if (lf == std::string_view::npos) {
    // A long target of a known method needs no version to be believed.
    if (known && b.size() > 1024) return Probe::yes;
    return b.size() < kMaxProbe ? Probe::more : known ? Probe::yes : Probe::no;
  }
  if (http) return Probe::yes;
  if (!known) return Probe::no;
  const std::string_view tail = version == std::string_view::npos ? "" : line.substr(version + 1);
  if (tail.find("RTSP/") == 0 || tail.find("SIP/") == 0 || tail.find("ICAP/") == 0) return Probe::no;
  // METHOD target: only a path or a URL makes it HTTP/0.9.
  std::string_view rest =
      line.substr(std::min(line.size(), static_cast<std::size_t>(text_of(b).find_first_not_of(" \t", n))));
  return rest.starts_with("/") || rest.find("://") != std::string_view::npos ||
                 rest.find("HTTP") != std::string_view::npos
             ? Probe::yes
             : Probe::no;
}

Probe probe(Direction d, Bytes first, std::uint16_t) {
  if (d == Direction::to_server) return probe_request(first);
  while (!first.empty() && is_space(first.front())) first = first.subspan(1);
  constexpr std::string_view kHttp = "http/";
  const std::size_t n = std::min(first.size(), kHttp.size());
  if (!starts_with(first.first(n), kHttp.substr(0, n))) return Probe::no;
  return n == kHttp.size() ? Probe::yes : Probe::more;
}

Parser* make(Host& host) {
  return host.pool().make<HttpParser>(host.pool());
}

}  // namespace

const ProtocolEntry kHttpEntry{AppProtocol::http, 6, probe, make};

}  // namespace sekisho::app
