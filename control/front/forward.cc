// One request to sekishod over its front sockets.
#include <nlohmann/json.hpp>

#include "control/front/front_state.h"

namespace sekisho::control {
namespace {

using LocalStream = beast::basic_stream<asio::local::stream_protocol, asio::any_io_executor>;

// What of a person's request reaches sekishod, and of its answer the person. Nothing else does, so nobody can
// send what only we may say (X-Sekisho-Client and the like).
constexpr const char* kRequestHeaders[] = {"Cookie", "Authorization", "X-Sekisho-CSRF", "Content-Type",
                                           "Accept"};
constexpr const char* kResponseHeaders[] = {"Content-Type", "Set-Cookie", "Content-Disposition",
                                            "Retry-After"};

bool is_cut(const FrontRequest& request) {
  const auto path = request.target().substr(0, request.target().find('?'));
  return path == "/v1/cut" || path == "/v1/undo" || path == "/v1/quarantine";
}

http::request<http::string_body> upstream_request(const FrontRequest& request, const FrontClient& client,
                                                  bool background) {
  http::request<http::string_body> out{request.method(), request.target(), 11};
  for (const char* name : kRequestHeaders)
    if (const auto it = request.find(name); it != request.end()) out.set(name, it->value());
  out.set(http::field::host, "localhost");
  out.set(http::field::connection, "close");
  out.set("X-Sekisho-Client", client.address);
  if (!client.certificate.empty()) out.set("X-Sekisho-Certificate", client.certificate);
  if (background) out.set("X-Sekisho-Background", "1");
  out.body() = request.body();
  out.prepare_payload();
  return out;
}

FrontResponse unreachable() {
  return refusal(
      502, "no_sekishod",
      "sekishod does not answer. The last cuts hold. On the machine: sekisho status, sekisho cut --direct");
}

}  // namespace

asio::awaitable<FrontResponse> forward(FrontServer::State& state, const FrontRequest& request,
                                       const FrontClient& client, bool background) {
  const bool cut = is_cut(request);
  Slots& slots = cut ? state.to_cut : state.to_sekishod;
  if (!co_await slots.take())
    co_return refusal(503, "busy", "too many requests wait for sekishod: try again");
  const HeldSlot held(slots);
  boost::system::error_code error;
  LocalStream stream(co_await asio::this_coro::executor);
  // A configuration is compiled while one waits.
  stream.expires_after(std::chrono::seconds(180));
  co_await stream.async_connect(
      asio::local::stream_protocol::endpoint(state.directory + (cut ? "/front-cut.sock" : "/front.sock")),
      into(error));
  if (error) co_return unreachable();
  const auto out = upstream_request(request, client, background);
  co_await http::async_write(stream, out, into(error));
  if (error) co_return unreachable();
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMostAnswer);
  co_await http::async_read_header(stream, buffer, parser, into(error));
  if (error) co_return unreachable();
  if (state.held + parser.content_length().value_or(0) > kMostHeld)
    co_return refusal(503, "busy", "too many large answers are being read: try again");
  co_await http::async_read(stream, buffer, parser, into(error));
  if (error) co_return unreachable();
  FrontResponse in = parser.release();
  FrontResponse answer{in.result(), 11};
  for (const char* name : kResponseHeaders)
    for (auto [it, end] = in.equal_range(name); it != end; ++it) answer.insert(name, it->value());
  answer.body() = std::move(in.body());
  harden(answer, false);
  co_return answer;
}

FrontResponse refusal(unsigned status, const std::string& name, const std::string& text) {
  FrontResponse out{static_cast<http::status>(status), 11};
  out.set(http::field::content_type, "application/json");
  out.body() = nlohmann::json{{"error", {{"name", name}, {"text", text}}}}.dump() + "\n";
  harden(out, false);
  return out;
}

void harden(FrontResponse& response, bool may_be_kept) {
  response.set("Strict-Transport-Security", "max-age=31536000");
  response.set(
      "Content-Security-Policy",
      "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("X-Frame-Options", "DENY");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Cross-Origin-Opener-Policy", "same-origin");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  response.set("Permissions-Policy", "camera=(), microphone=(), geolocation=()");
  if (!may_be_kept) response.set(http::field::cache_control, "no-store");
}

}  // namespace sekisho::control
