// The state machine of one HTTP/1 connection (http.h says what it reads).
//
// Invariants: exchanges stand in the order of their requests; only the last may have an unfinished request;
// the first without a finished response is the one that response bytes belong to. A side is finished at most
// once.
#pragma once

#include "dataplane/app/http.h"
#include "dataplane/app/http_body.h"
#include "dataplane/app/http_head.h"
#include "dataplane/app/kept.h"

namespace sekisho::app::http {

// One request and its response.
struct Exchange {
  Exchange* next = nullptr;
  Transaction* tx = nullptr;  // nullptr: destroyed by the host
  bool request_done = false, response_done = false;
  bool request_head = false;  // its buffers are there
  bool head_method = false, connect = false, old = false, continued = false, response_head = false;
};

class HttpParser final : public Parser {
 public:
  explicit HttpParser(AppPool& pool) : pool_(&pool) {}
  AppProtocol protocol() const override { return AppProtocol::http; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction& tx) override;
  void destroy(AppPool& pool) noexcept override;
  std::size_t left_over() const override { return left_over_; }

 private:
  enum class State : std::uint8_t {
    start,       // between messages
    head,        // in start line and headers
    after,       // requests: complete, but what follows may be its body
    surplus,     // responses: complete, but what follows may be more of its body
    length,      // body: `left` bytes
    close,       // body: until the stream ends
    chunk_size,  // chunked: in a size line
    chunk_data,
    chunk_end,  // behind a chunk's data, up to LF
    trailer,
    junk_line,  // responses: a first line that is none
    junk_wait,  // behind it: H begins a response after all
    tunnel,     // CONNECT, Upgrade: no longer HTTP
    dead,
  };
  struct Half {
    std::uint64_t left = 0;
    Kept held;  // bytes that do not make a whole yet
    HttpBody* body = nullptr;
    HeadScan scan;
    State state = State::start;
    std::uint8_t skip = 0;   // LF CR CR LF was seen: CR, LF may follow
    bool line_seen = false;  // requests: the request line was looked at
    bool line_old = false;   // ... it names no protocol
    bool blank = false;      // blanks stood before this line
    bool too_long = false;   // told
    bool doubtful = false;   // responses: more than the length says may follow
    bool content = false;    // trailers: this line is not empty
  };
  static constexpr std::size_t kFailed = ~std::size_t{0};

  // Take bytes from the front: how many; kFailed.
  std::size_t step(Direction d, Bytes bytes, bool last);
  bool run(Direction d, Bytes bytes, bool last);
  std::size_t start_request(Bytes bytes);
  std::size_t start_response(Bytes bytes);
  std::size_t request_head(Bytes bytes, bool last);
  std::size_t response_head(Bytes bytes, bool last);
  std::size_t after_request(Bytes bytes, bool last);
  std::size_t after_response(Bytes bytes, bool last);
  std::size_t junk(Bytes bytes);
  std::size_t chunk_size(Direction d, Bytes bytes, bool last);
  std::size_t trailer(Direction d, Bytes bytes, bool last);
  std::size_t skip_crlf(Direction d, Bytes bytes);
  std::size_t rest_of_held(Direction d, Kept held, std::size_t from, bool last);
  // A head that may have begun in what is held back.
  struct Gathered {
    Bytes all;
    std::size_t taken = 0;  // of the bytes that came, if not in place
    bool in_place = true;
  };
  bool gather_head(Half& half, Bytes bytes, bool& last, Gathered& head);
  std::size_t head_goes_on(Direction d, const Gathered& head, Bytes bytes);
  std::size_t head_done(Direction d, const Gathered& head, Kept held, bool good, std::size_t end, bool last);
  void end(Direction d);
  bool settle_old_request();

  // http_request.cc
  bool parse_request(Bytes head, bool old);
  bool request_body(Exchange& e, const Headers& h, bool http11);
  void publish_request(Exchange& e, Bytes head, Bytes line, std::size_t line_next, const Headers& h);
  void publish_old_request(Bytes line);
  // http_response.cc
  bool parse_response(Bytes head, std::size_t end);
  void publish_response(Exchange& e, Bytes head, Bytes line, std::size_t line_next, const Headers& h);
  void hand_request_over(const Transaction& tx);
  bool begin_body(Direction d, Exchange& e, const Headers* h, State state, std::uint64_t left);
  bool body(Direction d, Bytes bytes);
  void end_body(Direction d);
  void finish_request(Exchange& e);
  void finish_response(Exchange& e);
  void log(Exchange& e);
  void header_events(const Headers& h, Direction d);

  Exchange* new_exchange();
  Exchange* responding();  // the first without a finished response; made if there is none
  void drop_finished();
  bool hold(Half& half, Bytes bytes);
  void event(Direction d, AppEvent e);
  Half& half(Direction d) { return halves_[index(d)]; }

  AppPool* pool_;
  Host* host_ = nullptr;  // during a call
  FlowFacts* facts_ = nullptr;
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  std::uint64_t number_ = 0;
  std::size_t left_over_ = 0;
  std::uint32_t open_ = 0;
  bool changed_ = false;  // change_protocol was called
  Half halves_[2];
};
static_assert(sizeof(HttpParser) <= 400, "an idle connection is small");

}  // namespace sekisho::app::http
