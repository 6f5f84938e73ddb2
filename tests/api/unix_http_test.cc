#include "control/api/unix_http.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace sekisho::control {
namespace {

class UnixHttp : public ::testing::Test {
 protected:
  UnixHttp() {
    std::string pattern = ::testing::TempDir() + "httpXXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/api.sock";
  }
  ~UnixHttp() override { std::filesystem::remove_all(directory_); }
  // Sends bytes as they are; returns what comes back until the end.
  std::string raw(const std::string& bytes) const {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    std::memcpy(a.sun_path, path_.c_str(), path_.size() + 1);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
    EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    shutdown(fd, SHUT_WR);
    std::string answer;
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;)
      answer.append(buffer, static_cast<std::size_t>(n));
    close(fd);
    return answer;
  }
  std::string directory_, path_;
};

TEST_F(UnixHttp, AnswersAndKnowsTheCaller) {
  UnixHttpServer server(path_, 0600, 2);
  Peer seen;
  server.Get("/who", [&](const httplib::Request& request, httplib::Response& response) {
    seen = UnixHttpServer::peer_of(request);
    response.set_content("you", "text/plain");
  });
  ASSERT_TRUE(server.start()) << server.error();
  struct stat st {};
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  UnixHttpClient client(path_);
  const auto result = client.Get("/who");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->body, "you");
  EXPECT_EQ(seen.uid, getuid());
  EXPECT_EQ(seen.pid, getpid());
}

TEST_F(UnixHttp, ACallerCannotSayWhoItIs) {
  UnixHttpServer server(path_, 0600, 1);
  Peer seen;
  server.Get("/who", [&](const httplib::Request& request, httplib::Response&) {
    seen = UnixHttpServer::peer_of(request);
  });
  ASSERT_TRUE(server.start());
  raw("GET /who HTTP/1.1\r\nHost: x\r\nX-Sekisho-Peer: 4242:4242:1\r\nx-sekisho-peer: 4243:4243:1\r\n\r\n");
  EXPECT_EQ(seen.uid, getuid());
}

TEST_F(UnixHttp, GarbageIsAnsweredOrClosedAndTheServerGoesOn) {
  UnixHttpServer server(path_, 0600, 1);
  server.Get("/", [](const httplib::Request&, httplib::Response& r) { r.set_content("fine", "text/plain"); });
  ASSERT_TRUE(server.start());
  for (const std::string& junk :
       {std::string("\0\0\0\0", 4), std::string(5000, 'A'), std::string("GET\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\n") + std::string(20000, 'h')})
    raw(junk);
  UnixHttpClient client(path_);
  const auto result = client.Get("/");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->body, "fine");
}

TEST_F(UnixHttp, NobodyThere) {
  UnixHttpClient client(path_);
  const auto result = client.Get("/");
  EXPECT_FALSE(result);
  EXPECT_EQ(result.error(), httplib::Error::Connection);
}

TEST_F(UnixHttp, APathTooLongIsNamed) {
  UnixHttpServer server(directory_ + "/" + std::string(200, 'x'), 0600, 1);
  EXPECT_FALSE(server.start());
  EXPECT_NE(server.error().find("too long"), std::string::npos);
}

}  // namespace
}  // namespace sekisho::control
