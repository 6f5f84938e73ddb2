// HTTP over a Unix stream socket, both ends, on cpp-httplib (whose release in Debian 12 knows TCP only).
//
// Server: the caller's identity is the kernel's (SO_PEERCRED); a handler reads it with peer_of(request).
// Requests are bounded (kMaxRequestBytes, time-outs). Each accepted connection is served by one of `threads`
// threads.
#pragma once

#include <httplib.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace sekisho::control {

inline constexpr std::size_t kMaxRequestBytes = 32u << 20;  // a whole configuration, escaped

struct Peer {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  pid_t pid = 0;
};

class UnixHttpServer : public httplib::Server {
 public:
  // `thread_start` runs in each serving thread before its first request (priority, prefaulting).
  UnixHttpServer(std::string path, mode_t mode, unsigned threads, std::function<void()> thread_start = {});
  ~UnixHttpServer() override;

  // Binds (replacing a dead socket file) and starts the threads. False: `error()` says why.
  bool start();
  void finish();
  const std::string& error() const { return error_; }

  static Peer peer_of(const httplib::Request& request);

 private:
  void accept_loop();
  void serve(int fd);

  std::string path_;
  mode_t mode_;
  unsigned threads_;
  std::function<void()> thread_start_;
  std::string error_;
  int listener_ = -1;
  struct Threads;
  std::unique_ptr<Threads> running_;
};

// httplib::ClientImpl over a Unix socket. Results carry httplib::Error::Connection when nobody listens.
class UnixHttpClient : public httplib::ClientImpl {
 public:
  explicit UnixHttpClient(std::string path);

 private:
  bool create_and_connect_socket(Socket& socket, httplib::Error& error) override;
  std::string path_;
};

}  // namespace sekisho::control
