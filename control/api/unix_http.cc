#include "control/api/unix_http.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

namespace sekisho::control {
namespace {

constexpr int kReadTimeoutMs = 10'000;
constexpr const char* kPeerHeader = "X-Sekisho-Peer";

bool make_address(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return true;
}

class FdStream : public httplib::Stream {
 public:
  explicit FdStream(int fd) : fd_(fd) {}
  bool is_readable() const override { return at_ < end_ || wait(POLLIN); }
  bool is_writable() const override { return wait(POLLOUT); }
  ssize_t read(char* out, std::size_t size) override {
    // The request line and headers are read byte by byte: buffer them.
    if (at_ < end_) return take(out, size);
    if (!is_readable()) return -1;
    const ssize_t n = recv(fd_, buffer_, sizeof buffer_, 0);
    if (n <= 0) return n;
    at_ = 0;
    end_ = static_cast<std::size_t>(n);
    return take(out, size);
  }
  ssize_t write(const char* data, std::size_t size) override {
    if (!is_writable()) return -1;
    return send(fd_, data, size, MSG_NOSIGNAL);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = "local";
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip = "local";
    port = 0;
  }
  socket_t socket() const override { return fd_; }

 private:
  ssize_t take(char* out, std::size_t size) {
    const std::size_t n = std::min(size, end_ - at_);
    std::memcpy(out, buffer_ + at_, n);
    at_ += n;
    return static_cast<ssize_t>(n);
  }
  bool wait(short events) const {
    pollfd p{fd_, events, 0};
    return poll(&p, 1, kReadTimeoutMs) == 1;
  }
  int fd_;
  char buffer_[4096];
  std::size_t at_ = 0, end_ = 0;
};

}  // namespace

struct UnixHttpServer::Threads {
  std::vector<std::thread> thread;
  std::atomic<bool> stop{false};
};

UnixHttpServer::UnixHttpServer(std::string path, mode_t mode, unsigned threads,
                               std::function<void()> thread_start)
    : path_(std::move(path)), mode_(mode), threads_(threads), thread_start_(std::move(thread_start)) {
  set_payload_max_length(kMaxRequestBytes);
}

UnixHttpServer::~UnixHttpServer() {
  finish();
}

bool UnixHttpServer::start() {
  sockaddr_un address;
  if (!make_address(path_, address)) {
    error_ = path_ + ": the path is too long for a socket";
    return false;
  }
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener_ < 0) {
    error_ = std::string("socket: ") + std::strerror(errno);
    return false;
  }
  // REQUIRES: the caller holds the daemon's lock, so a socket file found here belongs to nobody alive.
  unlink(path_.c_str());
  const mode_t old = umask(0777 & ~mode_);
  const int bound = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  umask(old);
  if (bound != 0 || ::listen(listener_, 64) != 0) {
    error_ = path_ + ": " + std::strerror(errno);
    close(listener_);
    listener_ = -1;
    return false;
  }
  running_ = std::make_unique<Threads>();
  for (unsigned i = 0; i < threads_; ++i) running_->thread.emplace_back([this] { accept_loop(); });
  return true;
}

void UnixHttpServer::finish() {
  if (!running_) return;
  running_->stop = true;
  for (std::thread& t : running_->thread) t.join();
  running_.reset();
  close(listener_);
  listener_ = -1;
  unlink(path_.c_str());
}

void UnixHttpServer::accept_loop() {
  if (thread_start_) thread_start_();
  while (!running_->stop) {
    pollfd p{listener_, POLLIN, 0};
    if (poll(&p, 1, 200) != 1) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    serve(fd);
    close(fd);
  }
}

void UnixHttpServer::serve(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return;
  FdStream stream(fd);
  bool closed = false;
  // One request a connection: a client that keeps a thread waiting gets no more than its time-out.
  process_request(stream, true, closed, [&](httplib::Request& request) {
    request.headers.erase(kPeerHeader);
    request.set_header(kPeerHeader, std::to_string(credentials.uid) + ":" + std::to_string(credentials.gid) +
                                        ":" + std::to_string(credentials.pid));
  });
}

Peer UnixHttpServer::peer_of(const httplib::Request& request) {
  // The client's headers are appended after ours; multimap keeps insertion order for equal keys, so the first
  // is ours.
  Peer peer;
  const std::string value = request.get_header_value(kPeerHeader, 0);
  unsigned uid = 0, gid = 0;
  int pid = 0;
  if (std::sscanf(value.c_str(), "%u:%u:%d", &uid, &gid, &pid) == 3) peer = {uid, gid, pid};
  return peer;
}

UnixHttpClient::UnixHttpClient(std::string path) : httplib::ClientImpl("localhost"), path_(std::move(path)) {}

bool UnixHttpClient::create_and_connect_socket(Socket& socket, httplib::Error& error) {
  sockaddr_un address;
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || !make_address(path_, address) ||
      connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (fd >= 0) close(fd);
    error = httplib::Error::Connection;
    return false;
  }
  socket.sock = fd;
  return true;
}

}  // namespace sekisho::control
