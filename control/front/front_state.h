// FrontServer's insides: shared by accepting, forwarding and the live stream. One thread.
#pragma once

#include "control/front/coroutines.h"

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <unordered_map>

#include "control/front/front_server.h"
#include "control/front/slots.h"

namespace sekisho::control {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using FrontRequest = http::request<http::string_body>;
using FrontResponse = http::response<http::string_body>;

inline constexpr std::chrono::microseconds kHandshakeEvery{
    2500};  // so a flood of them leaves time for others
inline constexpr std::chrono::milliseconds kHandshakeBurst{80};
inline constexpr std::size_t kToSekishod = 48, kToSekishodQueue = 512;
inline constexpr std::size_t kToCut = 8, kToCutQueue = 64;
inline constexpr std::size_t kLive = 256;  // streams
inline constexpr std::size_t kMostHeader = 16u << 10;
inline constexpr std::size_t kSmallBody = 64u << 10;  // of most requests
inline constexpr std::size_t kLargeBody = 9u << 20;   // of a configuration
inline constexpr std::size_t kLargeAtOnce = 4;
inline constexpr std::size_t kMostAnswer = 64u << 20;
inline constexpr std::size_t kMostHeld = 256u << 20;  // of all answers together

struct FrontServer::State {
  State(asio::io_context& io_, asio::ssl::context& tls_, const StaticFiles& files_, FrontSettings settings_,
        std::string directory_)
      : io(io_),
        tls(tls_),
        files(files_),
        settings(std::move(settings_)),
        directory(std::move(directory_)),
        acceptor(io_) {}
  asio::io_context& io;
  asio::ssl::context& tls;
  const StaticFiles& files;
  const FrontSettings settings;
  const std::string directory;
  asio::ip::tcp::acceptor acceptor;
  std::chrono::steady_clock::time_point next_handshake{};
  Slots to_sekishod{kToSekishod, kToSekishodQueue}, to_cut{kToCut, kToCutQueue};
  std::size_t connections = 0, live = 0, large = 0, held = 0;
  std::unordered_map<std::string, std::size_t> by_address;
};

// Adds to a sum, and takes it off at the end of a scope.
class Added {
 public:
  Added(std::size_t& sum, std::size_t by) : sum_(sum), by_(by) { sum_ += by_; }
  ~Added() { sum_ -= by_; }
  Added(const Added&) = delete;
  Added& operator=(const Added&) = delete;

 private:
  std::size_t& sum_;
  std::size_t by_;
};

// Who is at the other end, for sekishod to count and to log.
struct FrontClient {
  std::string address, certificate;
};

// An answer of our own: {"error": {"name", "text"}}.
FrontResponse refusal(unsigned status, const std::string& name, const std::string& text);
// The headers that every answer has.
void harden(FrontResponse& response, bool may_be_kept);
// The answer of sekishod; never throws for what the network does.
asio::awaitable<FrontResponse> forward(FrontServer::State& state, const FrontRequest& request,
                                       const FrontClient& client, bool background);
// GET /v1/live; ends with the connection.
asio::awaitable<void> serve_live(FrontServer::State& state, TlsStream& stream, const FrontRequest& request,
                                 const FrontClient& client);

}  // namespace sekisho::control
