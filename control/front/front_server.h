// The HTTPS face: TLS, the console's files, and forwarding to sekishod. One thread, one io_context; every
// wait is a coroutine, so that a slow or silent client costs a little memory and no thread. Holds no session,
// no password, no right: what a request may do, sekishod decides by what the person sent with it.
//
// Bounds: connections in all and by address, handshakes at once, header and body size, a time for each step,
// requests at once to each of sekishod's sockets, bytes of answers held for slow readers.
#pragma once

#include <memory>
#include <string>

#include "control/front/coroutines.h"

#include <boost/asio/ssl/context.hpp>

#include "control/front/static_files.h"

namespace sekisho::control {

struct FrontSettings {
  std::string address;
  std::uint16_t port = 0;
  bool client_ca = false;
  std::size_t connections = 2000, connections_per_address = 100;
};
// From api.json. False: `why`.
bool read_front_settings(const std::string& path, FrontSettings& out, std::string& why);

// Certificate, key and client CA of that directory; TLS 1.2 and later. Throws boost::system::system_error.
boost::asio::ssl::context make_tls(const std::string& directory, bool client_ca);

class FrontServer {
 public:
  // `directory` holds front.sock and front-cut.sock. All references outlive this.
  FrontServer(boost::asio::io_context& io, boost::asio::ssl::context& tls, const StaticFiles& files,
              const FrontSettings& settings, std::string directory);
  ~FrontServer();
  // Binds and listens. False: `why`.
  bool listen(std::string& why);
  // Accepts from now on; returns at once.
  void start();

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace sekisho::control
