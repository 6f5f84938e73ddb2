// Requests: their line, their framing, their buffers.
#include <algorithm>

#include "dataplane/app/http_parser.h"
#include "dataplane/app/http_publish.h"
#include "dataplane/app/http_uri.h"

namespace sekisho::app::http {
namespace {

struct RequestLine {
  Bytes method, target, protocol;
  bool odd_method_delimiter = false, odd_target_delimiter = false;
};

// The method ends at the first blank, the target at the last one: targets may hold blanks.
RequestLine split_line(Bytes line) {
  RequestLine r;
  while (!line.empty() && is_space(line.front())) line = line.subspan(1);
  std::size_t i = 0;
  while (i < line.size() && !is_space(line[i])) ++i;
  r.method = line.first(i);
  while (i < line.size() && is_space(line[i])) {
    if (line[i] != ' ') r.odd_method_delimiter = true;
    ++i;
  }
  line = trim_end(line.subspan(i));
  std::size_t at = text_of(line).rfind(' ');
  if (at == std::string_view::npos) {
    at = line.size();
    for (std::size_t k = line.size(); k-- > 0;)
      if (is_space(line[k])) {
        at = k;
        break;
      }
  }
  r.target = line.first(at);
  if (at < line.size()) r.protocol = line.subspan(at + 1);
  while (!r.protocol.empty() && is_space(r.protocol.front())) r.protocol = r.protocol.subspan(1);
  while (!r.target.empty() && r.target.back() == ' ' && !r.protocol.empty())
    r.target = r.target.first(r.target.size() - 1);
  for (const std::uint8_t c : r.target)
    if (c != ' ' && is_space(c)) r.odd_target_delimiter = true;
  if (at < line.size() && line[at] != ' ') r.odd_target_delimiter = true;
  return r;
}

}  // namespace

void HttpParser::header_events(const Headers& h, Direction d) {
  const bool request = d == Direction::to_server;
  if (h.missing_colon)
    event(d,
          request ? AppEvent::http_request_field_missing_colon : AppEvent::http_response_field_missing_colon);
  if (h.invalid_name)
    event(d, request ? AppEvent::http_request_header_invalid : AppEvent::http_response_header_invalid);
  if (h.invalid_folding)
    event(d, request ? AppEvent::http_invalid_request_field_folding
                     : AppEvent::http_invalid_response_field_folding);
  if (h.repetitions)
    event(d, request ? AppEvent::http_request_header_repetition : AppEvent::http_response_header_repetition);
  if (h.too_many)
    event(d, request ? AppEvent::http_request_too_many_headers : AppEvent::http_response_too_many_headers);
  if (h.length_ambiguous)
    event(d, request ? AppEvent::http_duplicate_content_length_field_in_request
                     : AppEvent::http_duplicate_content_length_field_in_response);
}

// The line of what looks like HTTP/0.9 is told as soon as it is there: nothing may follow.
void HttpParser::publish_old_request(Bytes line) {
  Exchange* e = last_;
  if (e == nullptr || e->tx == nullptr || e->request_head) return;
  Headers& h = Headers::scratch();
  h.clear();
  publish_request(*e, line, line, line.size(), h);
  host_->evaluate(*e->tx, Direction::to_server, false);
}

bool HttpParser::parse_request(Bytes head, bool old) {
  Half& half_ = half(Direction::to_server);
  half_.state = State::start;
  Exchange* e = last_;
  if (e == nullptr) return false;
  Line line;
  std::size_t looked = 0;
  next_line(head, 0, false, true, looked, line);
  const Bytes text = head.first(line.end);
  const RequestLine r = split_line(text);
  e->old = old;
  e->head_method = text_of(r.method) == "HEAD";
  e->connect = text_of(r.method) == "CONNECT";
  const bool http11 = text_of(r.protocol) == "HTTP/1.1";
  Headers& h = Headers::scratch();
  h.clear();
  if (!old) {
    h.parse(head, line.next, false, http11);
    header_events(h, Direction::to_server);
  }
  if (r.odd_method_delimiter) event(Direction::to_server, AppEvent::http_method_delim_non_compliant);
  if (r.odd_target_delimiter) event(Direction::to_server, AppEvent::http_uri_delim_non_compliant);
  if (!old && r.target.empty()) event(Direction::to_server, AppEvent::http_request_line_incomplete);
  if (!old && http11 && h.find("host") == nullptr)
    event(Direction::to_server, AppEvent::http_missing_host_header);
  if (const Header* auth = h.find("authorization"); auth != nullptr) {
    if (!starts_with(auth->value, "basic") && !starts_with(auth->value, "digest") &&
        !starts_with(auth->value, "bearer"))
      event(Direction::to_server, AppEvent::http_request_auth_unrecognized);
  }
  if (e->tx != nullptr) publish_request(*e, head, text, line.next, h);
  const bool good = old || request_body(*e, h, http11);
  if (e->tx != nullptr) host_->evaluate(*e->tx, Direction::to_server, false);
  if (old) finish_request(*e);
  return good;
}

bool HttpParser::request_body(Exchange& e, const Headers& h, bool http11) {
  Half& half_ = half(Direction::to_server);
  const Header* coding = h.find("transfer-encoding");
  const Header* length = h.find("content-length");
  if (coding != nullptr) {
    if (!same_name(coding->value, "chunked"))
      event(Direction::to_server, AppEvent::http_invalid_transfer_encoding_value_in_request);
    else if (!http11 || length != nullptr)
      event(Direction::to_server, AppEvent::http_invalid_transfer_encoding_value_in_request);
    if (find_name(coding->value, "chunked") != std::string_view::npos)
      return begin_body(Direction::to_server, e, &h, State::chunk_size, 0);
  }
  if (length != nullptr) {
    bool junk = false;
    const std::int64_t n = content_length(length->value, junk);
    if (n < 0) {
      event(Direction::to_server, AppEvent::http_invalid_content_length_field_in_request);
    } else {
      if (junk) event(Direction::to_server, AppEvent::http_invalid_content_length_field_in_request);
      if (n > 0) return begin_body(Direction::to_server, e, &h, State::length, static_cast<std::uint64_t>(n));
    }
  }
  half_.state = e.connect ? State::tunnel : State::after;
  return true;
}

void HttpParser::publish_request(Exchange& e, Bytes head, Bytes line, std::size_t line_next,
                                 const Headers& h) {
  const HttpOptions& o = http_options();
  Side& side = e.tx->of(Direction::to_server);
  Headers& memory = Headers::scratch();
  const RequestLine r = split_line(line);
  const Header* host_header = h.find("host");
  if (!e.request_head) {
    e.request_head = true;
    const Uri u = split_uri(r.target, text_of(r.method) == "CONNECT");
    side.add(Buffer::http_method, r.method);
    if (!r.target.empty()) side.add(Buffer::http_uri_raw, r.target);
    side.add(Buffer::http_request_line, line);
    // Twice the room: the prefix of uri_include_all is part of the target too.
    std::uint8_t* to = memory.take(r.target.size() + 8);
    if (to != nullptr) {
      std::size_t n = 0;
      const auto put = [&](Bytes b) {
        if (!b.empty()) std::memcpy(to + n, b.data(), b.size());
        n += b.size();
      };
      if (o.uri_include_all && !u.host.empty() && !u.scheme.empty()) {
        put(r.target.first(static_cast<std::size_t>(u.host.data() + u.host.size() - r.target.data())));
        if (!u.port.empty()) put(bytes_of(":")), put(u.port);
      }
      const std::size_t path_at = n;
      n += normalize_path(u.path, o, to + n);
      bool twice = double_encoded({to + path_at, n - path_at});
      if (u.has_query) {
        put(bytes_of("?"));
        const std::size_t query_at = n;
        if (o.decode_query) {
          n += decode_query(u.query, to + n);
          twice = twice || double_encoded({to + query_at, n - query_at});
          if (o.double_decode_query)
            n = query_at + decode_query({to + query_at, n - query_at}, to + query_at);
        } else {
          put(u.query);
        }
      }
      if (u.has_fragment) put(bytes_of("#")), n += decode_query(u.fragment, to + n);
      if (n != 0) side.add(Buffer::http_uri, Bytes{to, n});
      if (twice) event(Direction::to_server, AppEvent::http_double_encoded_uri);
    }
    if (!r.protocol.empty()) side.add(Buffer::http_protocol, r.protocol);
    if (!u.host.empty()) {
      const HostPort hp = split_host({u.host.data(), u.host.size()});
      if (!hp.valid) event(Direction::to_server, AppEvent::http_uri_host_invalid);
      std::uint32_t number = 0;
      bool bad = false;
      for (const std::uint8_t c : u.port) {
        bad = bad || !is_digit(c) || number > 65535;
        number = bad ? number : number * 10 + (c - '0');
      }
      if (bad || number > 65535) event(Direction::to_server, AppEvent::http_invalid_authority_port);
      if (hp.valid) publish_host(side, memory, u.host, u.host);
    }
    if (host_header != nullptr) {
      const HostPort hp = split_host(host_header->value);
      if (!hp.valid) event(Direction::to_server, AppEvent::http_header_host_invalid);
      if (hp.number == -2) event(Direction::to_server, AppEvent::http_invalid_server_port_in_request);
      if (u.host.empty())
        publish_host(side, memory, hp.host, host_header->value);
      else if (hp.host.size() != u.host.size() ||
               !std::equal(hp.host.begin(), hp.host.end(), u.host.begin(),
                           [](std::uint8_t a, std::uint8_t b) { return lower(a) == lower(b); }))
        event(Direction::to_server, AppEvent::http_host_header_ambiguous);
    }
  } else if (host_header != nullptr && side.find(Buffer::http_host) == nullptr) {
    publish_host(side, memory, split_host(host_header->value).host, host_header->value);
  }
  static constexpr Named kNamed[] = {
      {"user-agent", Buffer::http_user_agent},
      {"referer", Buffer::http_referer},
      {"accept", Buffer::http_accept},
      {"accept-encoding", Buffer::http_accept_enc},
      {"accept-language", Buffer::http_accept_lang},
      {"connection", Buffer::http_connection},
      {"content-length", Buffer::http_content_len},
      {"content-type", Buffer::http_content_type},
      {"cookie", Buffer::http_cookie},
  };
  publish_headers(side, memory, h, line, head.subspan(std::min(line_next, head.size())), kNamed, "cookie",
                  Buffer::http_request_header, *host_);
  if (side.truncated()) event(Direction::to_server, AppEvent::http_request_field_too_long);
}

}  // namespace sekisho::app::http
