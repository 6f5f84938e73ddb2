#include "dataplane/app/http_parser.h"

#include <algorithm>
#include <utility>

namespace sekisho::app::http {

HttpOptions& options_of_thread() {
  static thread_local HttpOptions options;
  return options;
}

void HttpParser::event(Direction d, AppEvent e) {
  Transaction* tx = nullptr;
  if (d == Direction::to_server) {
    if (last_ != nullptr) tx = last_->tx;
  } else {
    for (Exchange* x = first_; x != nullptr && tx == nullptr; x = x->next)
      if (!x->response_done) tx = x->tx;
  }
  host_->event(tx, d, e);
}

// What is held back comes before `bytes`.
bool HttpParser::hold(Half& h, Bytes bytes) {
  return h.held.append(*pool_, bytes);
}

Exchange* HttpParser::new_exchange() {
  if (open_ >= kMaxPipelined) return nullptr;
  auto* tx = pool_->make<Transaction>(*pool_, number_, AppProtocol::http);
  if (tx == nullptr) return nullptr;
  auto* e = pool_->make<Exchange>();
  if (e == nullptr) {
    pool_->destroy(tx);
    return nullptr;
  }
  ++number_;
  ++open_;
  e->tx = tx;
  (last_ == nullptr ? first_ : last_->next) = e;
  last_ = e;
  return e;
}

Exchange* HttpParser::responding() {
  for (Exchange* e = first_; e != nullptr; e = e->next)
    if (!e->response_done) return e;
  // A response that nobody asked for (or whose request was not seen).
  Exchange* e = new_exchange();
  if (e == nullptr) return nullptr;
  host_->event(e->tx, Direction::to_client, AppEvent::http_unable_to_match_response_to_request);
  finish_request(*e);
  return e;
}

void HttpParser::drop_finished() {
  Exchange* previous = nullptr;
  for (Exchange* e = first_; e != nullptr;) {
    Exchange* const next = e->next;
    if (e->request_done && e->response_done) {
      (previous == nullptr ? first_ : previous->next) = next;
      if (last_ == e) last_ = previous;
      pool_->destroy(e);
      --open_;
    } else {
      previous = e;
    }
    e = next;
  }
}

void HttpParser::finish_request(Exchange& e) {
  if (e.request_done) return;
  e.request_done = true;
  if (e.tx != nullptr) host_->finish(*e.tx, Direction::to_server);
}

void HttpParser::finish_response(Exchange& e) {
  if (e.response_done) return;
  if (e.tx != nullptr) log(e);
  // A request whose body might have gone on is over now.
  Half& h = half(Direction::to_server);
  if (&e != last_ || h.state == State::after || h.state == State::start) {
    if (&e == last_ && h.state == State::after) {
      if (h.body != nullptr) end_body(Direction::to_server);
      h.state = State::start;
    }
    finish_request(e);
  }
  e.response_done = true;
  if (e.tx != nullptr) host_->finish(*e.tx, Direction::to_client);
}

Fed HttpParser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) {
  host_ = &host;
  facts_ = &facts;
  left_over_ = 0;
  bool good = true;
  if (!bytes.empty() && d == Direction::to_client) good = settle_old_request();
  if (good) good = run(d, bytes, flags.end);
  if (good && flags.end) end(d);
  for (Half& h : halves_)
    if (h.body != nullptr) h.body->flush(host);
  drop_finished();
  if (!good) {
    for (Half& h : halves_) h.state = State::dead;
    return Fed::failed;
  }
  return Fed::ok;
}

bool HttpParser::run(Direction d, Bytes bytes, bool last) {
  while (!bytes.empty()) {
    const std::size_t n = step(d, bytes, last);
    if (n == kFailed) {
      event(d, AppEvent::http_unknown_error);
      return false;
    }
    bytes = bytes.subspan(n);
  }
  return true;
}

std::size_t HttpParser::step(Direction d, Bytes bytes, bool last) {
  Half& h = half(d);
  if (h.skip != 0) return skip_crlf(d, bytes);
  switch (h.state) {
    case State::start:
      return d == Direction::to_server ? start_request(bytes) : start_response(bytes);
    case State::head:
      return d == Direction::to_server ? request_head(bytes, last) : response_head(bytes, last);
    case State::after:
      return after_request(bytes, last);
    case State::surplus:
      return after_response(bytes, last);
    case State::length:
    case State::chunk_data: {
      const std::size_t n = h.left < bytes.size() ? static_cast<std::size_t>(h.left) : bytes.size();
      if (!body(d, bytes.first(n))) return kFailed;
      h.left -= n;
      if (h.left == 0) {
        if (h.state == State::chunk_data)
          h.state = State::chunk_end;
        else if (h.doubtful)
          h.state = State::surplus;
        else
          end_body(d);
      }
      return n;
    }
    case State::close:
      return body(d, bytes) ? bytes.size() : kFailed;
    case State::chunk_end: {
      const void* lf = std::memchr(bytes.data(), '\n', bytes.size());
      if (lf == nullptr) return bytes.size();
      h.state = State::chunk_size;
      return static_cast<std::size_t>(static_cast<const std::uint8_t*>(lf) - bytes.data()) + 1;
    }
    case State::chunk_size:
      return chunk_size(d, bytes, last);
    case State::trailer:
      return trailer(d, bytes, last);
    case State::junk_line:
    case State::junk_wait:
      return junk(bytes);
    case State::tunnel:
      if (d == Direction::to_client || changed_) left_over_ = bytes.size();
      return bytes.size();
    case State::dead:
      return bytes.size();
  }
  return kFailed;
}

// LF CR CR LF ended a head; CR LF that follow belong to it.
std::size_t HttpParser::skip_crlf(Direction d, Bytes bytes) {
  Half& h = half(d);
  if (h.skip == 1) {
    h.skip = bytes[0] == '\r' ? 2 : 0;
    return h.skip == 2 ? 1 : 0;
  }
  h.skip = 0;
  if (bytes[0] == '\n') return 1;
  static constexpr std::uint8_t kCr[] = {'\r'};
  return run(d, kCr, false) ? 0 : kFailed;
}

std::size_t HttpParser::start_request(Bytes bytes) {
  Half& h = half(Direction::to_server);
  std::size_t i = 0;
  for (; i < bytes.size() && (is_space(bytes[i]) || bytes[i] == 0); ++i) {
    if (bytes[i] == '\n')
      h.blank = false;
    else if (bytes[i] != '\r')
      h.blank = true;
  }
  if (i == bytes.size()) return i;
  // A request that might have gone on did not. A response that might have gone on did not either.
  Half& response = half(Direction::to_client);
  if (response.state == State::surplus) {
    end_body(Direction::to_client);
  }
  if (new_exchange() == nullptr) return kFailed;
  if (h.blank) event(Direction::to_server, AppEvent::http_request_line_leading_whitespace);
  h.blank = h.line_seen = h.line_old = h.too_long = false;
  h.scan.reset();
  h.state = State::head;
  return i;
}

std::size_t HttpParser::start_response(Bytes bytes) {
  Half& h = half(Direction::to_client);
  std::size_t i = 0;
  if (h.held.size() == 0)
    while (i < bytes.size() && (is_space(bytes[i]) || bytes[i] == 0)) ++i;
  if (i == bytes.size()) return i;
  static constexpr std::string_view kHttp = "http";
  std::size_t at = h.held.size(), n = i;
  while (n < bytes.size() && at < kHttp.size() && lower(bytes[n]) == static_cast<std::uint8_t>(kHttp[at]))
    ++n, ++at;
  if (at < kHttp.size() && n == bytes.size()) return hold(h, bytes.subspan(i)) ? bytes.size() : kFailed;
  Exchange* e = responding();
  if (e == nullptr) return kFailed;
  // The client has said what it wanted to say.
  if (Half& request = half(Direction::to_server); e == last_ && request.state == State::after) {
    if (request.body != nullptr) end_body(Direction::to_server);
    request.state = State::start;
    finish_request(*e);
  }
  h.scan.reset();
  h.too_long = false;
  if (at == kHttp.size()) {
    h.state = State::head;
    return i;
  }
  h.state = State::junk_line;
  if (!begin_body(Direction::to_client, *e, nullptr, State::junk_line, 0)) return kFailed;
  if (h.held.size() != 0) {
    const Bytes held = h.held.view();
    const bool good = body(Direction::to_client, held);
    h.held.release(*pool_);
    if (!good) return kFailed;
  }
  return i;
}

// A response's first line that is none is its body, unless a response follows.
std::size_t HttpParser::junk(Bytes bytes) {
  Half& h = half(Direction::to_client);
  if (h.state == State::junk_line) {
    const void* lf = std::memchr(bytes.data(), '\n', bytes.size());
    const std::size_t n =
        lf == nullptr ? bytes.size()
                      : static_cast<std::size_t>(static_cast<const std::uint8_t*>(lf) - bytes.data()) + 1;
    if (!body(Direction::to_client, bytes.first(n))) return kFailed;
    if (lf != nullptr) h.state = State::junk_wait;
    return n;
  }
  if (bytes[0] != 'H' && bytes[0] != 'h') {
    h.state = State::close;
    return 0;
  }
  if (h.body != nullptr) {
    h.body->restart();
    h.body->destroy(*pool_);
    h.body = nullptr;
  }
  h.scan.reset();
  h.state = State::start;
  return 0;
}

// `held` was detached from its half; what stands in it behind `from` is fed again.
std::size_t HttpParser::rest_of_held(Direction d, Kept held, std::size_t from, bool last) {
  const bool good = run(d, held.view().subspan(from), last);
  held.release(*pool_);
  return good ? 0 : kFailed;
}

bool HttpParser::gather_head(Half& h, Bytes bytes, bool& last, Gathered& head) {
  head.all = bytes;
  head.in_place = h.held.size() == 0;
  if (head.in_place) return true;
  head.taken = std::min<std::size_t>(bytes.size(), 8192);
  if (!hold(h, bytes.first(head.taken))) return false;
  head.all = h.held.view();
  last = last && head.taken == bytes.size();
  return true;
}

std::size_t HttpParser::head_goes_on(Direction d, const Gathered& head, Bytes bytes) {
  Half& h = half(d);
  if (head.all.size() > kMaxHead) {
    if (!h.too_long)
      event(d, d == Direction::to_server ? AppEvent::http_request_field_too_long
                                         : AppEvent::http_response_field_too_long);
    return kFailed;
  }
  if (!head.in_place) return head.taken;
  return hold(h, bytes) ? bytes.size() : kFailed;
}

// `held` is what the head was gathered in, detached from its half.
std::size_t HttpParser::head_done(Direction d, const Gathered& head, Kept held, bool good, std::size_t end,
                                  bool last) {
  if (head.in_place) return good ? end : kFailed;
  if (!good) {
    held.release(*pool_);
    return kFailed;
  }
  return rest_of_held(d, held, end, last) == kFailed ? kFailed : head.taken;
}

std::size_t HttpParser::request_head(Bytes bytes, bool last) {
  Half& h = half(Direction::to_server);
  Gathered head;
  if (!gather_head(h, bytes, last, head)) return kFailed;
  const Bytes all = head.all;
  std::size_t end = 0;
  bool complete = false, old = false;
  if (!h.line_seen) {
    const void* lf = std::memchr(all.data(), '\n', all.size());
    if (lf != nullptr || last) {
      h.line_seen = true;
      Line line;
      std::size_t looked = 0;
      next_line(all, 0, false, true, looked, line);
      Bytes text = trim_end(all.subspan(0, line.end));
      // METHOD SP target, and nothing more
      std::size_t i = 0;
      while (i < text.size() && !is_space(text[i])) ++i;
      while (i < text.size() && is_space(text[i])) ++i;
      while (i < text.size() && !is_space(text[i])) ++i;
      h.line_old = i == text.size();
      if (h.line_old) publish_old_request(all.subspan(0, line.end));
    }
  }
  if (h.line_seen && h.line_old) {
    // Headers follow where only the version was forgotten: a name and a colon.
    Line line;
    std::size_t looked = 0;
    next_line(all, 0, false, true, looked, line);
    std::size_t i = line.next;
    bool blanks = false;
    for (; i < all.size(); ++i) {
      if (all[i] == ':') {
        h.line_old = false;
        event(Direction::to_server, AppEvent::http_request_line_missing_protocol);
        break;
      }
      if (is_lws(all[i]))
        blanks = true;
      else if (is_space(all[i]) || blanks)
        break;
    }
    if (h.line_old && (i < all.size() || last || all.size() - line.next > kMaxField)) {
      complete = old = true;
      end = line.next;
    }
  }
  if (!complete && h.line_seen && !h.line_old && h.scan.scan(all, false, last) == HeadScan::Found::end) {
    complete = true;
    end = h.scan.end();
  }
  if (!h.too_long && std::max(h.scan.longest(), h.line_seen ? 0 : all.size()) > kMaxField) {
    h.too_long = true;
    event(Direction::to_server, AppEvent::http_request_field_too_long);
  }
  if (!complete) return head_goes_on(Direction::to_server, head, bytes);
  Kept held = std::exchange(h.held, {});
  const bool good = parse_request(all.first(end), old);
  return head_done(Direction::to_server, head, held, good, end, last);
}

// A response begins while the request may still be one of HTTP/0.9: then it is.
bool HttpParser::settle_old_request() {
  Half& h = half(Direction::to_server);
  if (h.state != State::head || !h.line_seen || !h.line_old || h.held.size() == 0) return true;
  Kept held = std::exchange(h.held, {});
  Line line;
  std::size_t looked = 0;
  next_line(held.view(), 0, false, true, looked, line);
  if (!parse_request(held.view().first(line.next), true)) {
    held.release(*pool_);
    return false;
  }
  return rest_of_held(Direction::to_server, held, line.next, false) != kFailed;
}

std::size_t HttpParser::response_head(Bytes bytes, bool last) {
  Half& h = half(Direction::to_client);
  Gathered head;
  if (!gather_head(h, bytes, last, head)) return kFailed;
  const Bytes all = head.all;
  const bool complete = h.scan.scan(all, true, last) == HeadScan::Found::end;
  if (!h.too_long && h.scan.longest() > kMaxField) {
    h.too_long = true;
    event(Direction::to_client, AppEvent::http_response_field_too_long);
  }
  if (!complete) return head_goes_on(Direction::to_client, head, bytes);
  const std::size_t end = h.scan.end();
  Kept held = std::exchange(h.held, {});
  const bool good = parse_response(all.first(end), end);
  return head_done(Direction::to_client, head, held, good, end, last);
}

// Behind a request without a body: a method begins the next one, anything else is a body that was not
// announced.
std::size_t HttpParser::after_request(Bytes bytes, bool) {
  Half& h = half(Direction::to_server);
  std::size_t i = 0;
  if (h.held.size() == 0)
    while (i < bytes.size() && (is_space(bytes[i]) || bytes[i] == 0)) ++i;
  if (i == bytes.size()) return i;
  std::size_t n = i;
  while (n < bytes.size() && h.held.size() + (n - i) <= 24 &&
         (is_token(bytes[n]) && lower(bytes[n]) == bytes[n]) == false && is_token(bytes[n]))
    ++n;
  if (n == bytes.size() && h.held.size() + (n - i) <= 24) return hold(h, bytes.subspan(i)) ? n : kFailed;
  const bool request = h.held.size() + (n - i) > 0 && h.held.size() + (n - i) <= 24 && is_space(bytes[n]);
  Kept held = std::exchange(h.held, {});
  Exchange* e = last_;
  if (request || e == nullptr || e->request_done) {
    if (e != nullptr) finish_request(*e);
    h.state = State::start;
  } else {
    event(Direction::to_server, AppEvent::http_request_body_unexpected);
    if (!begin_body(Direction::to_server, *e, nullptr, State::close, 0)) {
      held.release(*pool_);
      return kFailed;
    }
  }
  if (held.size() != 0 && rest_of_held(Direction::to_server, held, 0, false) == kFailed) return kFailed;
  return i;
}

// Behind a response whose length was doubtful.
std::size_t HttpParser::after_response(Bytes bytes, bool) {
  Half& h = half(Direction::to_client);
  static constexpr std::string_view kHttp = "http";
  std::size_t at = h.held.size(), n = 0;
  while (n < bytes.size() && at < kHttp.size() && lower(bytes[n]) == static_cast<std::uint8_t>(kHttp[at]))
    ++n, ++at;
  if (at < kHttp.size() && n == bytes.size()) return hold(h, bytes) ? n : kFailed;
  Kept held = std::exchange(h.held, {});
  if (at == kHttp.size())
    end_body(Direction::to_client);
  else
    h.state = State::close;
  if (held.size() != 0 && rest_of_held(Direction::to_client, held, 0, false) == kFailed) return kFailed;
  return 0;
}

void HttpParser::end(Direction d) {
  Half& h = half(d);
  // What is held back is all that there will be.
  if (h.held.size() != 0) {
    if (h.state == State::head) {
      Kept held = std::exchange(h.held, {});
      h.scan.reset();
      if (d == Direction::to_server) h.line_seen = h.line_old = false;
      rest_of_held(d, held, 0, true);
    } else if (h.state == State::chunk_size || h.state == State::start || h.state == State::surplus ||
               h.state == State::after) {
      Kept held = std::exchange(h.held, {});
      Exchange* e = d == Direction::to_client ? responding() : last_;
      if (e != nullptr && (h.body != nullptr || begin_body(d, *e, nullptr, State::close, 0)))
        body(d, held.view());
      held.release(*pool_);
    }
  }
  h.held.release(*pool_);
  if (h.body != nullptr) end_body(d);
  if (h.state != State::tunnel) h.state = State::start;
  for (Exchange* e = first_; e != nullptr; e = e->next) {
    if (d == Direction::to_server)
      finish_request(*e);
    else
      finish_response(*e);
  }
}

bool HttpParser::gap(Direction d, std::uint64_t bytes, Host& host) {
  host_ = &host;
  Half& h = half(d);
  // Within a body of known length the loss has a place; elsewhere the next message cannot be found.
  if (h.state == State::tunnel || h.state == State::dead || h.state == State::close) return true;
  if ((h.state == State::length || h.state == State::chunk_data) && bytes < h.left) {
    h.left -= bytes;
    return true;
  }
  if (h.state == State::length && bytes == h.left) {
    end_body(d);
    drop_finished();
    return true;
  }
  return false;
}

void HttpParser::forget(const Transaction& tx) {
  for (Exchange* e = first_; e != nullptr; e = e->next)
    if (e->tx == &tx) e->tx = nullptr;
  for (Half& h : halves_)
    if (h.body != nullptr) h.body->forget(tx);
}

void HttpParser::destroy(AppPool& pool) noexcept {
  for (Half& h : halves_) {
    h.held.release(pool);
    if (h.body != nullptr) h.body->destroy(pool);
  }
  for (Exchange* e = first_; e != nullptr;) {
    Exchange* const next = e->next;
    if (e->tx != nullptr && e->tx->finished != 3) pool.destroy(e->tx);
    pool.destroy(e);
    e = next;
  }
  pool.destroy(this);
}

}  // namespace sekisho::app::http

namespace sekisho::app {
HttpOptions& http_options() {
  return http::options_of_thread();
}
}  // namespace sekisho::app
