#include "control/front/front_server.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "control/front/front_state.h"

namespace sekisho::control {
namespace {

using namespace std::chrono_literals;
constexpr auto kHandshakeWithin = 10s, kHeaderWithin = 15s, kBodyWithin = 30s, kAnswerWithin = 120s,
               kGoodbye = 2s;

constexpr std::size_t kMostWaste = std::size_t{1} << 20;  // of what a refused request still sends

// Takes a name out of the counts at the end of a connection.
class Counted {
 public:
  Counted(FrontServer::State& state, std::string address) : state_(state), address_(std::move(address)) {}
  ~Counted() {
    --state_.connections;
    if (const auto it = state_.by_address.find(address_); --it->second == 0) state_.by_address.erase(it);
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  FrontServer::State& state_;
  std::string address_;
};

std::string common_name(SSL* ssl) {
  X509* certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr || SSL_get_verify_result(ssl) != X509_V_OK) return {};
  char name[64] = {};
  const int size =
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  if (size <= 0 || std::strlen(name) != static_cast<std::size_t>(size)) return {};
  for (const char* c = name; *c != '\0'; ++c)
    if (*c < 0x21 || *c > 0x7e) return {};
  return name;
}

bool accepts(const FrontRequest& request, const char* coding) {
  const auto value = request[http::field::accept_encoding];
  return value.find(coding) != boost::beast::string_view::npos;
}

FrontResponse serve_file(const FrontServer::State& state, const FrontRequest& request) {
  const auto target = request.target();
  const auto path = target.substr(0, target.find('?'));
  const StaticFile* file = state.files.find({path.data(), path.size()});
  if (file == nullptr) return refusal(404, "not_found", "there is no such page");
  if (request.method() != http::verb::get) return refusal(405, "not_allowed", "a file can only be read");
  FrontResponse out{http::status::ok, 11};
  harden(out, true);
  out.set(http::field::cache_control, file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
  out.set(http::field::etag, file->tag);
  out.set(http::field::vary, "Accept-Encoding");
  if (request[http::field::if_none_match] == file->tag) {
    out.result(http::status::not_modified);
    return out;
  }
  out.set(http::field::content_type, file->type);
  if (!file->brotli.empty() && accepts(request, "br")) {
    out.set(http::field::content_encoding, "br");
    out.body() = file->brotli;
  } else if (!file->gzip.empty() && accepts(request, "gzip")) {
    out.set(http::field::content_encoding, "gzip");
    out.body() = file->gzip;
  } else {
    out.body() = file->plain;
  }
  return out;
}

bool is_api(const FrontRequest& request) {
  const auto target = request.target();
  return target.starts_with("/v1/") || target == "/metrics";
}

bool takes_large_body(const http::request_header<>& header) {
  return header.target().starts_with("/v1/config/") &&
         (header.count(http::field::cookie) > 0 || header.count(http::field::authorization) > 0);
}

// One request and its answer. False: the connection ends.
asio::awaitable<bool> serve_one(FrontServer::State& state, TlsStream& stream, beast::flat_buffer& buffer,
                                const FrontClient& client) {
  boost::system::error_code error;
  auto& lowest = beast::get_lowest_layer(stream);
  http::request_parser<http::string_body> parser;
  parser.header_limit(kMostHeader);
  parser.body_limit(kSmallBody);
  lowest.expires_after(kHeaderWithin);
  co_await http::async_read_header(stream, buffer, parser, into(error));
  FrontResponse answer;
  bool keep = false;
  std::unique_ptr<Added> large;
  if (!error && takes_large_body(parser.get().base()) && state.large < kLargeAtOnce) {
    large = std::make_unique<Added>(state.large, 1);
    parser.body_limit(kLargeBody);
  }
  if (!error) {
    lowest.expires_after(kBodyWithin);
    co_await http::async_read(stream, buffer, parser, into(error));
  }
  if (error == http::error::body_limit) {
    answer = refusal(413, "too_large", "the body is too large");
  } else if (error == http::error::header_limit) {
    answer = refusal(431, "too_large", "the header is too large");
  } else if (error) {
    if (error.category() != http::make_error_code(http::error::bad_method).category() ||
        error == http::error::end_of_stream || error == http::error::partial_message)
      co_return false;
    answer = refusal(400, "bad_request", "this is not HTTP");
  } else {
    const FrontRequest request = parser.release();
    const auto target = request.target();
    lowest.expires_after(200s);  // while sekishod works; forward() has its own time
    if (request.method() != http::verb::get && request.method() != http::verb::post) {
      answer = refusal(405, "not_allowed", "GET and POST are spoken here");
    } else if (target == "/v1/live" && request.method() == http::verb::get) {
      co_await serve_live(state, stream, request, client);
      co_return false;
    } else if (is_api(request)) {
      answer = co_await forward(state, request, client, false);
    } else {
      answer = serve_file(state, request);
    }
    keep = request.keep_alive();
  }
  const Added held(state.held, answer.body().size());
  answer.keep_alive(keep);
  answer.prepare_payload();
  lowest.expires_after(kAnswerWithin);
  error = {};
  co_await http::async_write(stream, answer, into(error));
  co_return !error && keep;
}

// Handshakes are what costs most here: they start at a bounded rate, in the order of their coming, so that a
// thousand new connections do not delay the request of one that is there. False: too long a queue.
asio::awaitable<bool> wait_for_handshake(FrontServer::State& state) {
  const auto now = std::chrono::steady_clock::now();
  auto& next = state.next_handshake;
  if (next < now - kHandshakeBurst) next = now - kHandshakeBurst;
  if (next > now + kHandshakeWithin) co_return false;
  const auto mine = next;
  next += kHandshakeEvery;
  if (mine <= now) co_return true;
  asio::steady_timer turn(state.io, mine);
  boost::system::error_code ignored;
  co_await turn.async_wait(into(ignored));
  co_return true;
}

asio::awaitable<void> serve(FrontServer::State& state, asio::ip::tcp::socket socket, std::string address) {
  const Counted counted(state, address);
  boost::system::error_code error;
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  TlsStream stream(std::move(socket), state.tls);
  if (!co_await wait_for_handshake(state)) co_return;
  beast::get_lowest_layer(stream).expires_after(kHandshakeWithin);
  co_await stream.async_handshake(asio::ssl::stream_base::server, into(error));
  if (error) co_return;
  const FrontClient client{std::move(address), common_name(stream.native_handle())};
  beast::flat_buffer buffer(kMostHeader + kLargeBody);
  while (co_await serve_one(state, stream, buffer, client)) {
  }
  auto& lowest = beast::get_lowest_layer(stream);
  lowest.expires_after(kGoodbye);
  co_await stream.async_shutdown(into(error));
  // What is still on its way is taken and forgotten: closing over unread bytes would take the answer back
  // (RST).
  lowest.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  lowest.expires_after(kGoodbye);
  char waste[4096];
  for (std::size_t taken = 0; !error && taken < kMostWaste;)
    taken += co_await lowest.async_read_some(asio::buffer(waste), into(error));
}

asio::awaitable<void> accept_all(FrontServer::State& state) {
  boost::system::error_code error;
  asio::steady_timer pause(state.io);
  for (;;) {
    asio::ip::tcp::socket socket = co_await state.acceptor.async_accept(into(error));
    if (error) {  // no descriptor left, or the client is gone already
      pause.expires_after(20ms);
      co_await pause.async_wait(into(error));
      continue;
    }
    boost::system::error_code gone;
    const auto end = socket.remote_endpoint(gone);
    if (gone) continue;
    std::string address = end.address().to_string();
    std::size_t& own = state.by_address[address];
    if (state.connections >= state.settings.connections || own >= state.settings.connections_per_address) {
      if (own == 0) state.by_address.erase(address);
      continue;  // closed
    }
    ++own;
    ++state.connections;
    asio::co_spawn(state.io, serve(state, std::move(socket), std::move(address)), [](std::exception_ptr) {});
  }
}

}  // namespace

bool read_front_settings(const std::string& path, FrontSettings& out, std::string& why) {
  try {
    std::ifstream in(path);
    if (!in) {
      why = path + ": " + std::strerror(errno);
      return false;
    }
    const nlohmann::json all = nlohmann::json::parse(in);
    out.address = all.at("address").get<std::string>();
    out.port = all.at("port").get<std::uint16_t>();
    out.client_ca = all.at("client_ca").get<bool>();
    out.connections = all.at("connections").get<std::size_t>();
    out.connections_per_address = all.at("connections_per_address").get<std::size_t>();
    return true;
  } catch (const std::exception& e) {
    why = path + ": " + e.what();
    return false;
  }
}

asio::ssl::context make_tls(const std::string& directory, bool client_ca) {
  asio::ssl::context tls(asio::ssl::context::tls_server);
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                  asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                  asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_compression);
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(tls.native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_cipher_list(tls.native_handle(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_session_cache_mode(tls.native_handle(), SSL_SESS_CACHE_OFF);
  tls.use_certificate_chain_file(directory + "/cert.pem");
  tls.use_private_key_file(directory + "/key.pem", asio::ssl::context::pem);
  if (client_ca) {
    const std::string file = directory + "/client-ca.pem";
    tls.load_verify_file(file);
    SSL_CTX_set_client_CA_list(tls.native_handle(), SSL_load_client_CA_file(file.c_str()));
    // Asked for, not demanded: a certificate adds to a password, it never stands alone.
    tls.set_verify_mode(asio::ssl::verify_peer);
  }
  return tls;
}

FrontServer::FrontServer(asio::io_context& io, asio::ssl::context& tls, const StaticFiles& files,
                         const FrontSettings& settings, std::string directory)
    : state_(std::make_unique<State>(io, tls, files, settings, std::move(directory))) {}
FrontServer::~FrontServer() = default;

bool FrontServer::listen(std::string& why) {
  boost::system::error_code error;
  const asio::ip::tcp::endpoint end(asio::ip::make_address(state_->settings.address, error),
                                    state_->settings.port);
  auto& acceptor = state_->acceptor;
  if (!error) acceptor.open(end.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(end, error);
  if (!error) acceptor.listen(1024, error);
  if (error) why = "listen on " + state_->settings.address + ": " + error.message();
  return !error;
}

void FrontServer::start() {
  asio::co_spawn(state_->io, accept_all(*state_), asio::detached);
}

}  // namespace sekisho::control
