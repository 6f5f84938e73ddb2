// What goes over the wire, against receivers on loopback: syslog by TCP and UDP, a webhook.
#include "control/notice/send.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

namespace sekisho::control {
namespace {

// A socket on a free port of 127.0.0.1.
struct Listener {
  int fd;
  std::uint16_t port = 0;
  explicit Listener(int type) : fd(::socket(AF_INET, type, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    socklen_t size = sizeof at;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    if (type == SOCK_STREAM) ::listen(fd, 4);
  }
  ~Listener() { ::close(fd); }
  // All that one client sends; `answer` is given when `until` has been seen.
  std::string take(const std::string& until = {}, const std::string& answer = {}) const {
    const int client = ::accept(fd, nullptr, nullptr);
    std::string all;
    char buffer[4096];
    for (ssize_t n; (n = ::recv(client, buffer, sizeof buffer, 0)) > 0;) {
      all.append(buffer, static_cast<std::size_t>(n));
      if (!until.empty() && all.find(until) != all.npos) {
        EXPECT_EQ(::send(client, answer.data(), answer.size(), 0), static_cast<ssize_t>(answer.size()));
        break;
      }
    }
    ::close(client);
    return all;
  }
};

NoticeReceiver syslog_to(std::uint16_t port, NoticeReceiver::Transport transport) {
  NoticeReceiver r;
  r.via = NoticeReceiver::Via::syslog;
  r.host = "127.0.0.1";
  r.port = port;
  r.transport = transport;
  return r;
}

const std::atomic<bool> kGo{false};

TEST(SendSyslog, TcpCountsOctets) {
  const Listener listener(SOCK_STREAM);
  auto got = std::async(std::launch::async, [&] { return listener.take(); });
  EXPECT_EQ(send_syslog(syslog_to(listener.port, NoticeReceiver::Transport::tcp), "<1>1 héllo", kGo), "");
  EXPECT_EQ(got.get(), "11 <1>1 héllo");
}

TEST(SendSyslog, UdpIsOneDatagram) {
  const Listener listener(SOCK_DGRAM);
  EXPECT_EQ(send_syslog(syslog_to(listener.port, NoticeReceiver::Transport::udp), "<1>1 x", kGo), "");
  char buffer[64];
  const ssize_t n = ::recv(listener.fd, buffer, sizeof buffer, 0);
  EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0))), "<1>1 x");
}

TEST(SendSyslog, NobodyListensIsAnError) {
  std::uint16_t port;
  { port = Listener(SOCK_STREAM).port; }
  EXPECT_NE(send_syslog(syslog_to(port, NoticeReceiver::Transport::tcp), "x", kGo), "");
}

TEST(SendSyslog, ResetConnectionIsNoDelivery) {
  const Listener listener(SOCK_STREAM);
  auto got = std::async(std::launch::async, [&] {
    const int client = ::accept(listener.fd, nullptr, nullptr);
    const linger at_once{1, 0};
    ::setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    char byte;
    EXPECT_EQ(::recv(client, &byte, 1, MSG_WAITALL), 1);
    ::close(client);
  });
  EXPECT_NE(send_syslog(syslog_to(listener.port, NoticeReceiver::Transport::tcp), "message", kGo), "");
  got.get();
}

TEST(SendSyslog, TlsRefusesWhoIsNoTls) {
  const Listener listener(SOCK_STREAM);
  auto got = std::async(std::launch::async, [&] { return listener.take("\x16", "no TLS here\r\n"); });
  EXPECT_TRUE(send_syslog(syslog_to(listener.port, NoticeReceiver::Transport::tls), "x", kGo).find("TLS") !=
              std::string::npos);
  got.get();
}

TEST(SendWebhook, PostsTheNotice) {
  const Listener listener(SOCK_STREAM);
  auto got = std::async(std::launch::async, [&] {
    return listener.take("\"}", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  });
  NoticeReceiver r;
  r.via = NoticeReceiver::Via::webhook;
  r.url = "http://127.0.0.1:" + std::to_string(listener.port) + "/lamp?kind={kind}";
  r.body = "{\"light\": \"{severity}\"}";
  Letter letter;
  letter.notice.kind = "cut";
  letter.notice.severity = NoticeSeverity::high;
  EXPECT_EQ(make_network_delivery()->deliver(r, letter, kGo), "");
  const std::string request = got.get();
  EXPECT_TRUE(request.starts_with("POST /lamp?kind=cut HTTP/1.1\r\n")) << request;
  EXPECT_TRUE(request.ends_with("\r\n\r\n{\"light\": \"high\"}")) << request;
}

TEST(SendWebhook, ARefusalIsNoDelivery) {
  const Listener listener(SOCK_STREAM);
  auto got = std::async(std::launch::async, [&] {
    return listener.take("\r\n\r\n", "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  NoticeReceiver r;
  r.via = NoticeReceiver::Via::webhook;
  r.post = false;
  r.url = "http://127.0.0.1:" + std::to_string(listener.port) + "/";
  EXPECT_NE(make_network_delivery()->deliver(r, {}, kGo).find("503"), std::string::npos);
  EXPECT_TRUE(got.get().starts_with("GET / HTTP/1.1\r\n"));
}

}  // namespace
}  // namespace sekisho::control
