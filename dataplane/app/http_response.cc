// Responses: their line, their framing, their buffers, the record of the transaction.
#include <algorithm>

#include "dataplane/app/handover.h"
#include "dataplane/app/http_log.h"
#include "dataplane/app/http_parser.h"
#include "dataplane/app/http_publish.h"

namespace sekisho::app::http {
namespace {

struct StatusLine {
  Bytes protocol, status, message;
  int number = 0;  // 100..999; 0: none
};

StatusLine split_line(Bytes line) {
  StatusLine r;
  const auto blanks = [&] {
    while (!line.empty() && is_space(line.front())) line = line.subspan(1);
  };
  const auto word = [&] {
    std::size_t i = 0;
    while (i < line.size() && !is_space(line[i])) ++i;
    const Bytes w = line.first(i);
    line = line.subspan(i);
    return w;
  };
  blanks();
  r.protocol = word();
  blanks();
  r.status = word();
  blanks();
  r.message = trim_end(line);
  for (const std::uint8_t c : r.status) {
    if (!is_digit(c) || r.number > 999) {
      r.number = 0;
      break;
    }
    r.number = r.number * 10 + (c - '0');
  }
  if (r.number < 100 || r.number > 999) r.number = 0;
  return r;
}

bool valid_protocol(Bytes p) {
  const std::string_view t = text_of(p);
  return t == "HTTP/0.9" || t == "HTTP/1.0" || t == "HTTP/1.1";
}

}  // namespace

bool HttpParser::parse_response(Bytes head, std::size_t end) {
  Half& h_ = half(Direction::to_client);
  Exchange* e = responding();
  if (e == nullptr) return false;
  constexpr Direction d = Direction::to_client;
  Line line;
  std::size_t looked = 0;
  next_line(head, 0, true, true, looked, line);
  const Bytes text = head.subspan(0, line.end);
  const StatusLine r = split_line(text);
  const bool http11 = text_of(r.protocol) == "HTTP/1.1";
  Headers& h = Headers::scratch();
  h.clear();
  h.parse(head.first(end), line.next, true, http11);
  header_events(h, d);
  if (!valid_protocol(r.protocol)) event(d, AppEvent::http_response_invalid_protocol);
  if (r.number == 0) event(d, AppEvent::http_response_invalid_status);
  const Header* coding = h.find("transfer-encoding");
  const Header* length = h.find("content-length");
  if (h_.scan.crlf_may_follow()) h_.skip = 1;
  if (r.number >= 100 && r.number < 200 && r.number != 101 && coding == nullptr && length == nullptr) {
    // An interim response; the final one is still to come.
    if (r.number == 100) {
      if (e->continued) event(d, AppEvent::http_100_continue_already_seen);
      e->continued = true;
    }
    h_.state = State::start;
    return true;
  }
  e->response_head = true;
  if (e->tx != nullptr) publish_response(*e, head.first(end), text, line.next, h);
  const auto tell = [&] {
    if (e->tx != nullptr) host_->evaluate(*e->tx, d, false);
  };
  const auto over = [&] {
    tell();
    h_.state = State::start;
    finish_response(*e);
    return true;
  };
  if ((e->connect && r.number >= 200 && r.number < 300) ||
      (r.number == 101 && coding == nullptr && length == nullptr)) {
    tell();
    AppProtocol next = AppProtocol::unknown;
    if (const Header* upgrade = h.find("upgrade"); upgrade != nullptr && starts_with(upgrade->value, "h2c"))
      next = AppProtocol::http2;
    half(Direction::to_server).state = State::start;
    if (next == AppProtocol::http2 && e->tx != nullptr && facts_ != nullptr) hand_request_over(*e->tx);
    finish_response(*e);
    half(Direction::to_server).state = h_.state = State::tunnel;
    changed_ = true;
    host_->change_protocol(next);
    return true;
  }
  if (e->connect && half(Direction::to_server).state == State::tunnel)
    half(Direction::to_server).state = State::start;
  if (e->head_method || r.number == 304) return over();
  // A body is not due after these, but browsers take one that is announced.
  const bool bodyless = (r.number >= 100 && r.number < 200) || r.number == 204;
  if (bodyless && coding == nullptr && length == nullptr) return over();
  if (const Header* type = h.find("content-type");
      type != nullptr && find_name(type->value, "multipart/byteranges") != std::string_view::npos)
    event(d, AppEvent::http_response_multipart_byteranges);
  if (const Header* range = h.find("content-range");
      range != nullptr && find_name(range->value, "bytes ") == std::string_view::npos)
    event(d, AppEvent::http_range_invalid);
  const Header* connection = h.find("connection");
  const bool closes =
      !http11 || (connection != nullptr && find_name(connection->value, "close") != std::string_view::npos);
  h_.doubtful = closes;
  bool good = true;
  if (coding != nullptr && find_name(coding->value, "chunked") != std::string_view::npos) {
    if (!same_name(coding->value, "chunked")) event(d, AppEvent::http_response_abnormal_transfer_encoding);
    if (text_of(r.protocol) == "HTTP/1.0" || text_of(r.protocol) == "HTTP/0.9")
      event(d, AppEvent::http_response_chunked_old_proto);
    good = begin_body(d, *e, &h, State::chunk_size, 0);
  } else {
    if (coding != nullptr && !same_name(coding->value, "identity"))
      event(d, AppEvent::http_invalid_transfer_encoding_value_in_response);
    bool junk = false;
    const std::int64_t n = length == nullptr ? -1 : content_length(length->value, junk);
    if (length != nullptr && (n < 0 || junk))
      event(d, AppEvent::http_invalid_content_length_field_in_response);
    h_.doubtful =
        h_.doubtful || junk || h.length_ambiguous || (length != nullptr && length->folded) || bodyless;
    if (n == 0 && !h_.doubtful) return over();
    if (n == 0)
      good = begin_body(d, *e, &h, State::surplus, 0);
    else if (n > 0)
      good = begin_body(d, *e, &h, bodyless ? State::surplus : State::length, static_cast<std::uint64_t>(n));
    else
      good = begin_body(d, *e, &h, State::close, 0);
  }
  tell();
  return good;
}

// RFC 7540 §3.2: the request becomes that of the first stream.
void HttpParser::hand_request_over(const Transaction& tx) {
  const Side& side = tx.side[0];
  HandoverHeader headers[3];
  std::size_t n = 0;
  const auto put = [&](std::string_view name, Buffer b) {
    if (const auto* x = side.find(b)) headers[n++] = {bytes_of(name), {x->bytes, x->size}};
  };
  put(":method", Buffer::http_method);
  put(":path", Buffer::http_uri_raw);
  put(":authority", Buffer::http_host_raw);
  hand_over(*facts_, {headers, n});
}

void HttpParser::publish_response(Exchange& e, Bytes head, Bytes line, std::size_t line_next,
                                  const Headers& h) {
  Side& side = e.tx->of(Direction::to_client);
  const StatusLine r = split_line(line);
  side.add(Buffer::http_response_line, line);
  side.add(Buffer::http_protocol, r.protocol);
  if (!r.status.empty()) side.add(Buffer::http_stat_code, r.status);
  if (!r.message.empty()) side.add(Buffer::http_stat_msg, r.message);
  static constexpr Named kNamed[] = {
      {"location", Buffer::http_location},         {"server", Buffer::http_server},
      {"connection", Buffer::http_connection},     {"content-length", Buffer::http_content_len},
      {"content-type", Buffer::http_content_type}, {"set-cookie", Buffer::http_cookie},
  };
  publish_headers(side, Headers::scratch(), h, line, head.subspan(std::min(line_next, head.size())), kNamed,
                  "set-cookie", Buffer::http_response_header, *host_);
  if (side.truncated()) event(Direction::to_client, AppEvent::http_response_field_too_long);
}

void HttpParser::log(Exchange& e) {
  if (!host_->wants_log(AppProtocol::http)) return;
  const Side& response = e.tx->of(Direction::to_client);
  Host::Field fields[kHttpLogFields + 1];
  std::size_t n = http_log_fields(*e.tx, fields);
  std::uint64_t size = 0;
  if (const auto* x = response.find(Buffer::http_response_body)) size = x->offset + x->size;
  char digits[24];
  std::size_t k = sizeof digits;
  do digits[--k] = static_cast<char>('0' + size % 10);
  while ((size /= 10) != 0);
  fields[n++] = {"length", bytes_of({digits + k, sizeof digits - k})};
  host_->log(e.tx, AppProtocol::http, {fields, n});
}

}  // namespace sekisho::app::http
