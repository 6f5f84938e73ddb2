#include "dataplane/app/sip.h"

#include <string_view>

#include "dataplane/app/http_text.h"

namespace sekisho::app {
namespace {

using http::bytes_of;
using http::same_name;
using http::starts_with;
using http::text_of;

constexpr std::string_view kMethods[] = {"REGISTER", "INVITE",  "ACK",   "BYE",       "CANCEL",
                                         "UPDATE",   "REFER",   "PRACK", "SUBSCRIBE", "NOTIFY",
                                         "PUBLISH",  "MESSAGE", "INFO",  "OPTIONS"};

struct HeaderName {
  std::string_view name;  // lower case
  char compact;           // RFC 3261 §7.3.3; 0: none
  Buffer buffer;
};
constexpr HeaderName kHeaders[] = {{"from", 'f', Buffer::sip_from},
                                   {"to", 't', Buffer::sip_to},
                                   {"via", 'v', Buffer::sip_via},
                                   {"user-agent", 0, Buffer::sip_user_agent},
                                   {"content-type", 'c', Buffer::sip_content_type},
                                   {"content-length", 'l', Buffer::sip_content_length}};

struct SdpLine {
  char type;
  Buffer session, media;  // none: not told there
};
constexpr SdpLine kSdp[] = {{'s', Buffer::sdp_session_name, Buffer::none},
                            {'o', Buffer::sdp_origin, Buffer::none},
                            {'i', Buffer::sdp_session_info, Buffer::sdp_media_info},
                            {'u', Buffer::sdp_uri, Buffer::none},
                            {'e', Buffer::sdp_email, Buffer::none},
                            {'p', Buffer::sdp_phone_number, Buffer::none},
                            {'c', Buffer::sdp_connection_data, Buffer::sdp_media_connection_data},
                            {'b', Buffer::sdp_bandwidth, Buffer::sdp_bandwidth},
                            {'t', Buffer::sdp_time, Buffer::none},
                            {'r', Buffer::sdp_repeat_time, Buffer::none},
                            {'z', Buffer::sdp_timezone, Buffer::none},
                            {'k', Buffer::sdp_encryption_key, Buffer::sdp_media_encryption_key},
                            {'a', Buffer::sdp_attribute, Buffer::sdp_attribute}};

Bytes trim(Bytes b) {
  while (!b.empty() && http::is_lws(b.front())) b = b.subspan(1);
  while (!b.empty() && (http::is_lws(b.back()) || b.back() == '\r' || b.back() == '\n'))
    b = b.first(b.size() - 1);
  return b;
}

// The line at the front, with its end; nothing: it has none.
Bytes line_of(Bytes b) {
  const std::size_t lf = text_of(b).find('\n');
  return lf == std::string_view::npos ? Bytes{} : b.first(lf + 1);
}
bool is_empty(Bytes line) {
  return line.size() == 1 || (line.size() == 2 && line[0] == '\r');
}

// Values of a list: commas outside of quotes and angle brackets.
template <typename F>
void each_value(Bytes value, F&& f) {
  bool quoted = false, angle = false;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= value.size(); ++i) {
    const std::uint8_t c = i < value.size() ? value[i] : std::uint8_t{','};
    if (i < value.size()) {
      if (c == '"') quoted = !quoted;
      if (!quoted && c == '<') angle = true;
      if (!quoted && c == '>') angle = false;
      if (c != ',' || quoted || angle) continue;
    }
    f(trim(value.subspan(from, i - from)));
    from = i + 1;
  }
}

// The header that a line is, and its value.
const HeaderName* header_of(Bytes line, Bytes& value) {
  const std::size_t colon = text_of(line).find(':');
  if (colon == std::string_view::npos) return nullptr;
  const Bytes name = trim(line.first(colon));
  value = trim(line.subspan(colon + 1));
  for (const HeaderName& h : kHeaders)
    if (same_name(name, h.name) || (h.compact != 0 && name.size() == 1 && (name[0] | 0x20) == h.compact))
      return &h;
  return nullptr;
}

// Bytes of the head with its empty line; 0: it has no end yet.
std::size_t head_end(Bytes b, std::size_t from) {
  for (std::size_t i = from; i < b.size(); ++i) {
    if (b[i] != '\n') continue;
    if (i + 1 < b.size() && b[i + 1] == '\n') return i + 2;
    if (i + 2 < b.size() && b[i + 1] == '\r' && b[i + 2] == '\n') return i + 3;
  }
  return 0;
}

std::size_t content_length(Bytes head) {
  for (Bytes line = line_of(head); !line.empty(); line = line_of(head)) {
    head = head.subspan(line.size());
    Bytes value;
    const HeaderName* h = header_of(line, value);
    if (h == nullptr || h->buffer != Buffer::sip_content_length) continue;
    std::size_t n = 0;
    for (const std::uint8_t c : value) {
      if (!http::is_digit(c)) break;
      n = std::min<std::size_t>(n * 10 + (c - '0'), std::size_t{1} << 31);
    }
    return n;
  }
  return 0;
}

void add_sdp(Side& side, Bytes body) {
  bool media = false;
  for (unsigned i = 0; i < SipParser::kMaxLines && !body.empty(); ++i) {
    Bytes line = line_of(body);
    if (line.empty()) line = body;
    body = body.subspan(line.size());
    const Bytes text = trim(line);
    if (text.size() < 2 || text[1] != '=') continue;
    const Bytes value = trim(text.subspan(2));
    if (text[0] == 'm') {
      media = true;
      side.add(Buffer::sdp_media, value);
      continue;
    }
    for (const SdpLine& l : kSdp) {
      if (static_cast<std::uint8_t>(l.type) != text[0]) continue;
      const Buffer buffer = media ? l.media : l.session;
      if (buffer != Buffer::none) side.add(buffer, value);
    }
  }
}

Parser* make_udp(Host& host) {
  return host.pool().make<SipParser>(false);
}
Parser* make_tcp(Host& host) {
  return host.pool().make<SipParser>(true);
}

}  // namespace

const ProtocolEntry kSipUdpEntry{AppProtocol::sip, 17, &SipParser::probe, &make_udp};
const ProtocolEntry kSipTcpEntry{AppProtocol::sip, 6, &SipParser::probe, &make_tcp};

Probe SipParser::probe(Direction, Bytes first, std::uint16_t) {
  constexpr std::string_view kVersion = "SIP/2.0";
  const std::string_view text = text_of(first);
  if (text.substr(0, kVersion.size()) == kVersion.substr(0, text.size()))
    return text.size() >= kVersion.size() ? Probe::yes : Probe::more;
  bool prefix = false, known = false;
  for (const std::string_view m : kMethods) {
    prefix = prefix || m.starts_with(text);
    known = known || (text.starts_with(m) && text.size() > m.size() && text[m.size()] == ' ');
  }
  if (!known) return prefix ? Probe::more : Probe::no;
  const std::size_t lf = text.find('\n');
  if (lf == std::string_view::npos) return first.size() < kMaxProbe ? Probe::more : Probe::no;
  return text.substr(0, lf).find(" SIP/") != std::string_view::npos ? Probe::yes : Probe::no;
}

Fed SipParser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) {
  if (!framed_) {
    // Two line ends keep a path open (RFC 5626 §3.5.1).
    if (!bytes.empty() && !trim(bytes).empty() && !message(d, bytes, host)) return Fed::failed;
    return Fed::ok;
  }
  Kept& w = way_[index(d)];
  std::uint32_t& searched = searched_[index(d)];
  while (!bytes.empty()) {
    if (w.size() == 0) {  // line ends between messages
      if (bytes[0] == '\r' || bytes[0] == '\n') {
        bytes = bytes.subspan(1);
        continue;
      }
      searched = 0;
    }
    const std::size_t before = w.size();
    const std::size_t take = std::min(bytes.size(), kMaxMessage - before);
    if (!w.append(host.pool(), bytes.first(take))) return Fed::failed;
    const std::size_t head = head_end(w.view(), searched);
    searched = static_cast<std::uint32_t>(w.size() > 2 ? w.size() - 2 : 0);
    const std::size_t whole = head == 0 ? 0 : head + content_length(w.view().first(head));
    if (head != 0) searched = static_cast<std::uint32_t>(head >= 3 ? head - 3 : 0);
    if (whole == 0 || w.size() < whole) {
      if (w.size() == kMaxMessage || whole > kMaxMessage) {
        host.event(nullptr, d, AppEvent::sip_incomplete_data);
        w.release(host.pool());
        return Fed::failed;
      }
      bytes = bytes.subspan(take);
      continue;
    }
    const bool good = message(d, w.view().first(whole), host);
    bytes = bytes.subspan(whole - before);
    w.release(host.pool());
    if (!good) return Fed::failed;
  }
  if (flags.end) {
    if (w.size() != 0) host.event(nullptr, d, AppEvent::sip_incomplete_data);
    w.release(host.pool());
  }
  return Fed::ok;
}

// False: no memory.
bool SipParser::message(Direction d, Bytes bytes, Host& host) {
  auto* tx = host.pool().make<Transaction>(host.pool(), next_, AppProtocol::sip);
  if (tx == nullptr) return false;
  ++next_;
  Side& side = tx->of(d);
  const bool response = starts_with(bytes, "sip/");
  const std::size_t head = head_end(bytes, 0);
  const Bytes line = line_of(bytes);
  const Bytes start = trim(line);
  const std::string_view text = text_of(start);
  const std::size_t first = text.find(' '),
                    second = first == text.npos ? text.npos : text.find(' ', first + 1);
  if (head == 0) host.event(tx, d, AppEvent::sip_incomplete_data);
  if (line.empty() || first == text.npos || (!response && second == text.npos)) {
    host.event(tx, d, AppEvent::sip_invalid_data);
  } else {
    const Bytes one = start.first(first);
    const Bytes two = start.subspan(first + 1, second == text.npos ? text.npos : second - first - 1);
    const Bytes three = second == text.npos ? Bytes{} : start.subspan(second + 1);
    // What a peer answers against its flow's direction stands on its own side all the same.
    side.add(response ? Buffer::sip_response_line : Buffer::sip_request_line, start);
    side.add(response ? Buffer::sip_protocol : Buffer::sip_method, one);
    side.add(response ? Buffer::sip_stat_code : Buffer::sip_uri, two);
    side.add(response ? Buffer::sip_stat_msg : Buffer::sip_protocol, three);
    if (host.wants(Buffer::sip_frame_pdu)) side.add(Buffer::sip_frame_pdu, bytes);
    side.add(response ? Buffer::sip_frame_response_line : Buffer::sip_frame_request_line, line);
    Bytes rest = bytes.subspan(line.size(), (head == 0 ? bytes.size() : head) - line.size());
    std::size_t told = 0;
    bool sdp = false;
    const Bytes all = rest;
    for (unsigned i = 0; i < kMaxLines && !rest.empty(); ++i) {
      const Bytes l = line_of(rest);
      if (l.empty() || is_empty(l)) break;
      rest = rest.subspan(l.size());
      told += l.size();
      Bytes value;
      const HeaderName* h = header_of(l, value);
      if (h == nullptr) continue;
      sdp = sdp || (h->buffer == Buffer::sip_content_type && starts_with(value, "application/sdp"));
      if (h->buffer == Buffer::sip_from || h->buffer == Buffer::sip_to || h->buffer == Buffer::sip_via)
        each_value(value, [&](Bytes v) { side.add(h->buffer, v); });
      else
        side.add(h->buffer, value);
    }
    side.add(response ? Buffer::sip_frame_response_headers : Buffer::sip_frame_request_headers,
             all.first(told));
    if (head != 0 && head < bytes.size()) {
      const Bytes body = bytes.subspan(head);
      side.add(response ? Buffer::sip_frame_response_body : Buffer::sip_frame_request_body, body);
      if (sdp) add_sdp(side, body);
    }
  }
  host.finish(*tx, d);
  host.finish(*tx, other(d));
  return true;
}

bool SipParser::gap(Direction d, std::uint64_t, Host& host) {
  way_[index(d)].release(host.pool());
  return !framed_;
}

void SipParser::destroy(AppPool& pool) noexcept {
  for (Kept& w : way_) w.release(pool);
  pool.destroy(this);
}

}  // namespace sekisho::app
