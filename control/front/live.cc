// GET /v1/live: server-sent events (WHATWG HTML, section 9.2), one `state` event a second: what GET
// /v1/overview answers to this person at that moment. `stale`: sekishod does not answer. `bye`: the person is
// logged out.
#include <algorithm>

#include "control/front/front_state.h"

namespace sekisho::control {
namespace {

constexpr std::chrono::seconds kEvery{1}, kWriteWithin{10};

std::string event(const char* name, std::string data) {
  while (!data.empty() && data.back() == '\n') data.pop_back();
  // One line: sekishod's JSON has no others; what is not ours must not make new fields.
  std::replace(data.begin(), data.end(), '\n', ' ');
  std::replace(data.begin(), data.end(), '\r', ' ');
  return std::string("event: ") + name + "\ndata: " + data + "\n\n";
}

}  // namespace

asio::awaitable<void> serve_live(FrontServer::State& state, TlsStream& stream, const FrontRequest& request,
                                 const FrontClient& client) {
  boost::system::error_code error;
  FrontRequest ask = request;
  ask.target("/v1/overview");
  // Not by ?:, since g++ 12 ends a coroutine that awaits in one of its arms.
  FrontResponse first = refusal(503, "busy", "too many live pages");
  if (state.live < kLive) first = co_await forward(state, ask, client, false);
  if (first.result() != http::status::ok) {
    first.keep_alive(false);
    first.prepare_payload();
    beast::get_lowest_layer(stream).expires_after(kWriteWithin);
    co_await http::async_write(stream, first, into(error));
    co_return;
  }
  const Added counted(state.live, 1);
  FrontResponse header{http::status::ok, 11};
  harden(header, false);
  header.set(http::field::content_type, "text/event-stream");
  header.keep_alive(false);
  http::response_serializer<http::string_body> serializer(header);
  beast::get_lowest_layer(stream).expires_after(kWriteWithin);
  co_await http::async_write_header(stream, serializer, into(error));
  asio::steady_timer timer(co_await asio::this_coro::executor);
  std::string text = event("state", first.body());
  while (!error) {
    beast::get_lowest_layer(stream).expires_after(kWriteWithin);
    co_await asio::async_write(stream, asio::buffer(text), into(error));
    if (error) break;
    timer.expires_after(kEvery);
    co_await timer.async_wait(into(error));
    const FrontResponse now = co_await forward(state, ask, client, true);
    if (now.result() == http::status::ok) {
      text = event("state", now.body());
    } else if (now.result() == http::status::unauthorized || now.result() == http::status::forbidden) {
      text = event("bye", now.body());
      beast::get_lowest_layer(stream).expires_after(kWriteWithin);
      co_await asio::async_write(stream, asio::buffer(text), into(error));
      break;
    } else {
      text = event("stale", now.body());
    }
  }
}

}  // namespace sekisho::control
