// Syslog over TLS (RFC 5425), TCP (RFC 6587, octet counting) and UDP (RFC 5426). One connection a message:
// the protocol has no answer, so what counts as delivered is that the receiver took the bytes and closed in
// order after our end of file; a connection that is reset, or a receiver that never closes, is not.
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/notice/send.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kConnectNs = 10 * kSecond, kWholeNs = 25 * kSecond;
constexpr std::size_t kMostUdp = 8192;

struct Socket {
  int fd = -1;
  ~Socket() {
    if (fd >= 0) ::close(fd);
  }
};

struct Wait {
  std::uint64_t until;
  const std::atomic<bool>& stop;
  // False: time is over, or we are asked to stop.
  bool operator()(int fd, short events) const {
    while (!stop && monotonic_ns() < until) {
      pollfd one{fd, events, 0};
      const int ready = ::poll(&one, 1, 100);
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) return false;
    }
    return false;
  }
};

std::string connect_to(const NoticeReceiver& r, int type, const std::atomic<bool>& stop, Socket& socket) {
  addrinfo hints{};
  hints.ai_socktype = type;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(r.host.c_str(), std::to_string(r.port).c_str(), &hints, &found);
      failed != 0)
    return ::gai_strerror(failed);
  std::string why = "no address";
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    socket.fd = ::socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    if (socket.fd < 0) {
      why = std::strerror(errno);
      continue;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (::connect(socket.fd, a->ai_addr, a->ai_addrlen) != 0) {
      error = errno;
      if (error == EINPROGRESS) {
        error = ETIMEDOUT;
        if (Wait{monotonic_ns() + kConnectNs, stop}(socket.fd, POLLOUT))
          ::getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      }
    }
    if (error == 0) {
      ::freeaddrinfo(found);
      return {};
    }
    why = std::strerror(error);
    ::close(socket.fd);
    socket.fd = -1;
  }
  ::freeaddrinfo(found);
  return why;
}

std::string send_plain(int fd, const std::string& frame, const Wait& wait) {
  for (std::size_t sent = 0; sent < frame.size();) {
    const ssize_t n = ::send(fd, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (!wait(fd, POLLOUT)) return "the receiver takes nothing";
    } else {
      return std::strerror(errno);
    }
  }
  ::shutdown(fd, SHUT_WR);
  for (char ignored[512];;) {
    if (!wait(fd, POLLIN)) return "the receiver has not closed after the message";
    const ssize_t n = ::recv(fd, ignored, sizeof ignored, 0);
    if (n == 0) return {};
    if (n < 0 && errno != EAGAIN && errno != EINTR) return std::strerror(errno);
  }
}

std::string tls_error(const SSL* ssl) {
  if (const long bad = SSL_get_verify_result(ssl); bad != X509_V_OK)
    return X509_verify_cert_error_string(bad);
  char text[256] = "the connection broke";
  if (const unsigned long error = ERR_get_error(); error != 0) ERR_error_string_n(error, text, sizeof text);
  ERR_clear_error();
  return text;
}

std::string send_tls(const NoticeReceiver& r, int fd, const std::string& frame, const Wait& wait) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!context) return "OpenSSL: out of memory";
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const int have = r.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                     : SSL_CTX_load_verify_file(context.get(), r.ca_file.c_str());
  if (have != 1) {
    ERR_clear_error();
    return (r.ca_file.empty() ? std::string("the system's authorities") : r.ca_file) + ": cannot be read";
  }
  const std::unique_ptr<SSL, void (*)(SSL*)> handle(SSL_new(context.get()), SSL_free);
  SSL* ssl = handle.get();
  if (ssl == nullptr) return "OpenSSL: out of memory";
  // An address is compared with the certificate's addresses, a name with its names.
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), r.host.c_str()) != 1) {
    ERR_clear_error();
    SSL_set_tlsext_host_name(ssl, r.host.c_str());
    SSL_set1_host(ssl, r.host.c_str());
  }
  SSL_set_fd(ssl, fd);
  std::string late;
  const auto again = [&](int result) {
    switch (SSL_get_error(ssl, result)) {
      case SSL_ERROR_WANT_READ:
        late = "the receiver does not answer";
        return wait(fd, POLLIN);
      case SSL_ERROR_WANT_WRITE:
        late = "the receiver takes nothing";
        return wait(fd, POLLOUT);
      default:
        late.clear();
        return false;
    }
  };
  for (int result; (result = SSL_connect(ssl)) != 1;)
    if (!again(result)) return "TLS: " + (late.empty() ? tls_error(ssl) : late);
  for (int result; (result = SSL_write(ssl, frame.data(), static_cast<int>(frame.size()))) <= 0;)
    if (!again(result)) return "TLS: " + (late.empty() ? tls_error(ssl) : late);
  // Our close_notify, then the receiver's, or the end of its stream.
  for (int result; (result = SSL_shutdown(ssl)) != 1;) {
    if (result == 0) {
      ::shutdown(fd, SHUT_WR);
      continue;
    }
    if (again(result)) continue;
    if (!late.empty()) return "the receiver has not closed after the message";
    // A receiver that closes TCP without its close_notify has read to our end of file.
    char byte;
    const ssize_t n = ::recv(fd, &byte, 1, MSG_PEEK);
    ERR_clear_error();
    return n == 0 ? std::string() : std::string("TLS: the connection broke");
  }
  return {};
}

}  // namespace

std::string send_syslog(const NoticeReceiver& r, const std::string& message, const std::atomic<bool>& stop) {
  const std::string peer = fmt::format("{}:{}: ", r.host, r.port);
  const bool udp = r.transport == NoticeReceiver::Transport::udp;
  Socket socket;
  if (const std::string why = connect_to(r, udp ? SOCK_DGRAM : SOCK_STREAM, stop, socket); !why.empty())
    return peer + why;
  if (udp) {
    const ssize_t n = ::send(socket.fd, message.data(), std::min(message.size(), kMostUdp), MSG_NOSIGNAL);
    return n < 0 ? peer + std::strerror(errno) : std::string();
  }
  const Wait wait{monotonic_ns() + kWholeNs, stop};
  const std::string frame = fmt::format("{} {}", message.size(), message);
  const std::string why = r.transport == NoticeReceiver::Transport::tls ? send_tls(r, socket.fd, frame, wait)
                                                                        : send_plain(socket.fd, frame, wait);
  return why.empty() ? why : peer + why;
}

}  // namespace sekisho::control
