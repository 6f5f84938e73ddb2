// The control socket against clients that err: nothing malformed reaches the handler, and the next good
// request is answered.
#include "dataplane/io/session_server.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <random>

#include "dataplane/io/log.h"

namespace sekisho::io {
namespace {

struct Recorder final : SessionHandler {
  int calls = 0;
  std::string refuse_hello;
  std::vector<int> hello_fds;
  std::vector<std::uint16_t> links;
  std::uint32_t pages = 0, sent = 0;
  bool stopped = false;
  Hello hello(const Descriptor& words) override {
    ++calls;
    EXPECT_TRUE(words);
    Hello out;
    out.refusal = refuse_hello;
    out.answer.workers = 7;
    out.fds = hello_fds;
    return out;
  }
  abi::LoadAnswer load(const Descriptor&) override {
    ++calls;
    abi::LoadAnswer answer{};
    answer.generation = 42;
    return answer;
  }
  void flows(const abi::FlowsRequest& request, FlowsWriter& writer) override {
    ++calls;
    abi::FlowsPage page{};
    page.count = request.limit;
    for (std::uint32_t i = 0; i < pages; ++i) {
      page.last = i + 1 == pages;
      if (!writer.send(page)) return;
      ++sent;
    }
  }
  void costs(const abi::CostsRequest& request, abi::CostsAnswer& answer) override {
    ++calls;
    answer.generation = 7;
    answer.count = request.limit;
  }
  abi::PlainAnswer reset(std::span<const std::uint16_t> asked) override {
    ++calls;
    links.assign(asked.begin(), asked.end());
    return plain_answer(abi::Status::ok, "");
  }
  abi::RestoreAnswer restore(const Descriptor&) override {
    ++calls;
    return {};
  }
  void stop() override { stopped = true; }
};

struct Answer {
  abi::MessageHeader header{};
  std::vector<std::uint8_t> body;
  std::vector<Descriptor> fds;
  std::uint32_t status() const {
    std::uint32_t s = ~0u;
    if (body.size() >= sizeof s) std::memcpy(&s, body.data(), sizeof s);
    return s;
  }
};

class SessionServerTest : public testing::Test {
 protected:
  SessionServerTest()
      : path_("/tmp/sekisho-session-" + std::to_string(getpid())), server_(path_, geteuid(), handler_) {
    set_log_level(LogLevel::error);
    client_ = connect_one();
    server_.on_listen();
  }
  Descriptor connect_one() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    Descriptor fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  void send_raw(const std::vector<std::uint8_t>& bytes, const std::vector<int>& fds = {}) {
    iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 64)] = {};
    if (!fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      cmsghdr* c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
    }
    ASSERT_EQ(sendmsg(client_.get(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()))
        << strerror(errno);
    server_.on_client();
  }
  static std::vector<std::uint8_t> message(abi::MessageKind kind, const void* body = nullptr,
                                           std::size_t bytes = 0) {
    abi::MessageHeader h{abi::kSessionMagic, SEKISHO_ABI_VERSION, static_cast<std::uint16_t>(kind), 9,
                         static_cast<std::uint32_t>(bytes)};
    std::vector<std::uint8_t> out(sizeof h + bytes);
    std::memcpy(out.data(), &h, sizeof h);
    if (bytes != 0) std::memcpy(out.data() + sizeof h, body, bytes);
    return out;
  }
  std::optional<Answer> receive() { return receive_from(client_); }
  static std::optional<Answer> receive_from(const Descriptor& from) {
    Answer a;
    a.body.resize(abi::kMaxMessage);
    iovec parts[2] = {{&a.header, sizeof a.header}, {a.body.data(), a.body.size()}};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * abi::kMaxMessageFds)];
    msghdr m{};
    m.msg_iov = parts;
    m.msg_iovlen = 2;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    const ssize_t n = recvmsg(from.get(), &m, MSG_DONTWAIT);
    if (n < static_cast<ssize_t>(sizeof a.header)) return std::nullopt;
    a.body.resize(static_cast<std::size_t>(n) - sizeof a.header);
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
      for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
        a.fds.emplace_back(fd);
      }
    }
    return a;
  }
  // The request is refused with this sequence, and nothing was called.
  void expect_refused(std::uint32_t sequence = 9) {
    const auto a = receive();
    ASSERT_TRUE(a);
    EXPECT_EQ(a->status(), static_cast<std::uint32_t>(abi::Status::refused));
    EXPECT_EQ(a->header.sequence, sequence);
    EXPECT_EQ(a->header.magic, abi::kSessionMagic);
    EXPECT_EQ(a->header.bytes, a->body.size());
    EXPECT_EQ(handler_.calls, 0);
  }

  Recorder handler_;
  std::string path_;
  SessionServer server_;
  Descriptor client_;
  Descriptor some_fd_{eventfd(0, EFD_CLOEXEC)};
};

TEST_F(SessionServerTest, SocketIsForItsOwnerAlone) {
  struct stat s {};
  ASSERT_EQ(stat(path_.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0600u);
}

TEST_F(SessionServerTest, HelloBringsDescriptorsAndKeepsTheSequence) {
  handler_.hello_fds = {some_fd_.get(), some_fd_.get(), some_fd_.get()};
  send_raw(message(abi::MessageKind::hello), {some_fd_.get()});
  const auto a = receive();
  ASSERT_TRUE(a);
  EXPECT_EQ(a->header.sequence, 9u);
  ASSERT_EQ(a->body.size(), sizeof(abi::HelloAnswer));
  EXPECT_EQ(a->fds.size(), 3u);
  abi::HelloAnswer hello;
  std::memcpy(&hello, a->body.data(), sizeof hello);
  EXPECT_EQ(hello.workers, 7u);
}

TEST_F(SessionServerTest, ShortMessageIsRefused) {
  send_raw({1, 2, 3});
  expect_refused(0);
}
TEST_F(SessionServerTest, OtherMagicIsRefused) {
  auto m = message(abi::MessageKind::stop);
  m[0] ^= 1;
  send_raw(m);
  expect_refused(0);
  EXPECT_FALSE(handler_.stopped);
}
TEST_F(SessionServerTest, OtherVersionIsRefused) {
  auto m = message(abi::MessageKind::stop);
  m[4] ^= 2;
  send_raw(m);
  expect_refused();
  EXPECT_FALSE(handler_.stopped);
}
TEST_F(SessionServerTest, LengthThatDoesNotFitIsRefused) {
  auto m = message(abi::MessageKind::stop);
  m.push_back(0);
  send_raw(m);
  expect_refused();
}
TEST_F(SessionServerTest, UnknownKindsAreRefused) {
  for (const int kind : {0, 4, 8, 99, 100, 65535}) {
    send_raw(message(static_cast<abi::MessageKind>(kind)));
    expect_refused();
  }
}
TEST_F(SessionServerTest, OversizedMessageIsRefused) {
  send_raw(std::vector<std::uint8_t>(message(abi::MessageKind::stop)));
  ASSERT_TRUE(receive());
  handler_.stopped = false;
  auto m = message(abi::MessageKind::stop);
  m.resize(abi::kMaxMessage + 1);
  const std::uint32_t body = abi::kMaxMessage + 1 - sizeof(abi::MessageHeader);
  std::memcpy(m.data() + 12, &body, sizeof body);
  send_raw(m);
  expect_refused();
  EXPECT_FALSE(handler_.stopped);
}
TEST_F(SessionServerTest, DescriptorsMustBeAsManyAsTheRequestSays) {
  send_raw(message(abi::MessageKind::hello));
  expect_refused();
  send_raw(message(abi::MessageKind::load), {some_fd_.get(), some_fd_.get()});
  expect_refused();
  send_raw(message(abi::MessageKind::stop), {some_fd_.get()});
  expect_refused();
  EXPECT_FALSE(handler_.stopped);
  const std::vector<int> many(abi::kMaxMessageFds + 5, some_fd_.get());
  send_raw(message(abi::MessageKind::hello), many);
  expect_refused();
}
TEST_F(SessionServerTest, ReceivedDescriptorsAreClosed) {
  const auto open_now = [] { return Descriptor(eventfd(0, 0)).get(); };  // the lowest free number
  const int before = open_now();
  for (int i = 0; i < 5; ++i) {
    send_raw(message(abi::MessageKind::stop), {some_fd_.get(), some_fd_.get()});
    send_raw(message(abi::MessageKind::load), {some_fd_.get()});
  }
  EXPECT_EQ(open_now(), before);
}
TEST_F(SessionServerTest, RefusedHelloSaysWhy) {
  handler_.refuse_hello = "not these words";
  send_raw(message(abi::MessageKind::hello), {some_fd_.get()});
  const auto a = receive();
  ASSERT_TRUE(a);
  EXPECT_EQ(a->status(), static_cast<std::uint32_t>(abi::Status::refused));
  EXPECT_STREQ(reinterpret_cast<const char*>(a->body.data()) + offsetof(abi::PlainAnswer, text),
               "not these words");
  EXPECT_TRUE(a->fds.empty());
}
TEST_F(SessionServerTest, ResetChecksCountAndLinks) {
  abi::ResetRequest r{};
  r.count = 3;
  r.link[0] = 5;
  r.link[2] = SEKISHO_MAX_LINKS - 1;
  constexpr std::size_t kHead = offsetof(abi::ResetRequest, link);
  send_raw(message(abi::MessageKind::reset, &r, kHead + 4));  // holds two
  expect_refused();
  r.count = 0xffffffff;
  send_raw(message(abi::MessageKind::reset, &r, sizeof r));
  expect_refused();
  r.count = 3;
  r.link[1] = SEKISHO_MAX_LINKS;
  send_raw(message(abi::MessageKind::reset, &r, sizeof r));
  expect_refused();
  send_raw(message(abi::MessageKind::reset, &r, kHead - 1));
  expect_refused();
  r.link[1] = 0;
  send_raw(message(abi::MessageKind::reset, &r, kHead + 6));
  const auto a = receive();
  ASSERT_TRUE(a);
  EXPECT_EQ(a->status(), 0u);
  EXPECT_EQ(handler_.links, (std::vector<std::uint16_t>{5, 0, SEKISHO_MAX_LINKS - 1}));
}
TEST_F(SessionServerTest, SecondClientIsTurnedAwayAndTheFirstStays) {
  const Descriptor second = connect_one();
  server_.on_listen();
  const auto a = receive_from(second);
  ASSERT_TRUE(a);
  EXPECT_EQ(a->status(), static_cast<std::uint32_t>(abi::Status::busy));
  char byte;
  EXPECT_EQ(recv(second.get(), &byte, 1, MSG_DONTWAIT), 0);  // closed
  send_raw(message(abi::MessageKind::stop));
  EXPECT_TRUE(handler_.stopped);
}
TEST_F(SessionServerTest, NextClientIsServedAfterTheFirstHasGone) {
  client_.reset();
  server_.on_client();
  EXPECT_EQ(server_.client_fd(), -1);
  client_ = connect_one();
  server_.on_listen();
  send_raw(message(abi::MessageKind::stop));
  EXPECT_TRUE(handler_.stopped);
}
TEST_F(SessionServerTest, FlowPagesCarryOnlyWhatTheyHold) {
  handler_.pages = 2;
  abi::FlowsRequest request{};
  request.limit = 3;
  send_raw(message(abi::MessageKind::flows, &request, sizeof request));
  for (int i = 0; i < 2; ++i) {
    const auto a = receive();
    ASSERT_TRUE(a);
    EXPECT_EQ(a->header.kind, static_cast<std::uint16_t>(abi::MessageKind::flows_page));
    EXPECT_EQ(a->body.size(), 16 + 3 * sizeof(abi::FlowRecord));
  }
  send_raw(message(abi::MessageKind::flows, &request, sizeof request - 1));
  handler_.calls = 0;
  expect_refused();
}
TEST_F(SessionServerTest, CostsAreBoundedByWhatAnAnswerHolds) {
  abi::CostsRequest request{abi::CostOrder::hits, 3};
  send_raw(message(abi::MessageKind::signature_costs, &request, sizeof request));
  const auto a = receive();
  ASSERT_TRUE(a);
  EXPECT_EQ(a->body.size(), offsetof(abi::CostsAnswer, cost) + 3 * sizeof(abi::SignatureCost));
  handler_.calls = 0;
  for (const abi::CostsRequest& bad : {abi::CostsRequest{abi::CostOrder::hits, 0},
                                       {abi::CostOrder::hits, abi::kMaxCosts + 1},
                                       {abi::CostOrder::count_, 1}}) {
    send_raw(message(abi::MessageKind::signature_costs, &bad, sizeof bad));
    expect_refused();
  }
}
TEST_F(SessionServerTest, ClientThatDoesNotReadIsDropped) {
  handler_.pages = 1000;
  abi::FlowsRequest request{};
  request.limit = abi::kFlowsPerPage;
  send_raw(message(abi::MessageKind::flows, &request, sizeof request));
  EXPECT_LT(handler_.sent, handler_.pages);
  EXPECT_EQ(server_.client_fd(), -1);
}
TEST_F(SessionServerTest, GarbageNeverReachesTheHandler) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    // Either noise, or a good message with a few bytes of its header changed.
    std::vector<std::uint8_t> m;
    if (i % 2 == 0) {
      m.resize(1 + random() % 300);
      for (auto& b : m) b = static_cast<std::uint8_t>(random());
      if (m.size() >= 4 && i % 4 == 0) std::memcpy(m.data(), &abi::kSessionMagic, 4);
    } else {
      abi::FlowsRequest request{};
      m = message(abi::MessageKind::flows, &request, sizeof request);
      m[random() % 6] ^= static_cast<std::uint8_t>(1 + random() % 255);
    }
    // By chance a well-formed request may come out; then it is right to call.
    abi::MessageHeader h{};
    if (m.size() >= sizeof h) std::memcpy(&h, m.data(), sizeof h);
    const bool sound =
        h.magic == abi::kSessionMagic && h.version == SEKISHO_ABI_VERSION && h.bytes == m.size() - sizeof h;
    const int before = handler_.calls;
    send_raw(m);
    if (!sound) {
      ASSERT_EQ(handler_.calls, before) << i;
      ASSERT_TRUE(receive()) << "every request is answered";
    } else {
      while (receive()) {
      }
    }
  }
  send_raw(message(abi::MessageKind::load), {some_fd_.get()});
  const auto a = receive();
  ASSERT_TRUE(a);
  EXPECT_EQ(a->status(), 0u);
}

}  // namespace
}  // namespace sekisho::io
