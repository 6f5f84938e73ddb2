#include "dataplane/io/session_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

#include "dataplane/io/log.h"

namespace sekisho::io {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

bool may_connect(int fd, uid_t owner) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == owner;
}

bool send_message(int fd, abi::MessageKind kind, std::uint32_t sequence, const void* body, std::size_t bytes,
                  std::span<const int> fds) {
  abi::MessageHeader header{};
  header.magic = abi::kSessionMagic;
  header.version = SEKISHO_ABI_VERSION;
  header.kind = static_cast<std::uint16_t>(kind);
  header.sequence = sequence;
  header.bytes = static_cast<std::uint32_t>(bytes);
  iovec parts[2] = {{&header, sizeof header}, {const_cast<void*>(body), bytes}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * abi::kMaxMessageFds)] = {};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = bytes == 0 ? 1 : 2;
  if (!fds.empty()) {
    if (fds.size() > abi::kMaxMessageFds) return false;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
  }
  ssize_t n;
  do {
    n = sendmsg(fd, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(sizeof header + bytes);
}

}  // namespace

abi::PlainAnswer plain_answer(abi::Status status, const char* text) {
  abi::PlainAnswer answer{};
  answer.status = static_cast<std::uint32_t>(status);
  std::snprintf(answer.text, sizeof answer.text, "%s", text);
  return answer;
}

class SessionServer::Pages final : public FlowsWriter {
 public:
  Pages(SessionServer& server, std::uint32_t sequence) : server_(server), sequence_(sequence) {}
  bool send(const abi::FlowsPage& page) override {
    const std::size_t bytes = offsetof(abi::FlowsPage, flow) + page.count * sizeof(abi::FlowRecord);
    return server_.answer(abi::MessageKind::flows_page, sequence_, &page, bytes);
  }

 private:
  SessionServer& server_;
  std::uint32_t sequence_;
};

SessionServer::SessionServer(const std::string& path, uid_t owner, SessionHandler& handler)
    : path_(path), owner_(owner), handler_(handler), buffer_(abi::kMaxMessage) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    fail(path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  listen_ = Descriptor(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listen_) fail("socket");
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
  const mode_t before = umask(0177);
  const int bound = bind(listen_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(before);
  if (bound != 0) fail("bind to " + path);
  if (listen(listen_.get(), 4) != 0) fail("listen on " + path);
}

SessionServer::~SessionServer() {
  unlink(path_.c_str());
}

void SessionServer::on_listen() {
  Descriptor fd(accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) return;
  const timeval patience{kSendTimeoutMs / 1000, (kSendTimeoutMs % 1000) * 1000};
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (!may_connect(fd.get(), owner_)) {
    log_line(LogLevel::warning, "control socket: a peer without the right to connect was turned away");
    return;
  }
  if (client_) {
    const auto busy = plain_answer(abi::Status::busy, "another client is connected");
    send_message(fd.get(), abi::MessageKind::answer, 0, &busy, sizeof busy, {});
    return;
  }
  client_ = std::move(fd);
}

void SessionServer::on_client() {
  iovec part{buffer_.data(), buffer_.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * abi::kMaxMessageFds)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(client_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;

  Incoming in;
  for (cmsghdr* c = n < 0 ? nullptr : CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      in.fds.emplace_back(fd);
    }
  }
  if (n <= 0) {  // gone; an empty datagram counts as that, too
    client_.reset();
    return;
  }
  in.bytes = {buffer_.data(), static_cast<std::size_t>(n)};
  if ((message.msg_flags & MSG_TRUNC) != 0) in.fault = "the message is longer than a message may be";
  if ((message.msg_flags & MSG_CTRUNC) != 0) in.fault = "too many descriptors";
  dispatch(in);
}

bool SessionServer::answer(abi::MessageKind kind, std::uint32_t sequence, const void* body, std::size_t bytes,
                           std::span<const int> fds) {
  if (!client_) return false;
  if (send_message(client_.get(), kind, sequence, body, bytes, fds)) return true;
  log_line(LogLevel::warning, "control socket: the client does not read, dropped");
  client_.reset();
  return false;
}

void SessionServer::refuse(const abi::MessageHeader& request, const char* why) {
  log_line(LogLevel::warning, "control socket: request refused: %s", why);
  if (request.kind == static_cast<std::uint16_t>(abi::MessageKind::load)) {
    abi::LoadAnswer body{};
    body.status = static_cast<std::uint32_t>(abi::Status::refused);
    std::snprintf(body.text, sizeof body.text, "%s", why);
    answer(abi::MessageKind::answer, request.sequence, &body, sizeof body);
    return;
  }
  const auto body = plain_answer(abi::Status::refused, why);
  answer(abi::MessageKind::answer, request.sequence, &body, sizeof body);
}

void SessionServer::dispatch(Incoming& in) {
  abi::MessageHeader header{};
  if (in.bytes.size() < sizeof header) return refuse(header, "shorter than a message header");
  std::memcpy(&header, in.bytes.data(), sizeof header);
  if (header.magic != abi::kSessionMagic) return refuse({}, "another magic");
  if (in.fault != nullptr) return refuse(header, in.fault);
  if (header.version != SEKISHO_ABI_VERSION) return refuse(header, "another version of the contract");
  const auto body = in.bytes.subspan(sizeof header);
  if (header.bytes != body.size()) return refuse(header, "the length does not fit the message");

  // What each request must bring: body bytes (least, most) and descriptors.
  const auto fits = [&](std::size_t least, std::size_t most, std::size_t fds) {
    if (body.size() < least || body.size() > most) {
      refuse(header, "the body has an impossible length");
      return false;
    }
    if (in.fds.size() != fds) {
      refuse(header, fds == 0 ? "descriptors where none belong" : "exactly one descriptor is expected");
      return false;
    }
    return true;
  };
  constexpr auto kAnswer = abi::MessageKind::answer;

  switch (static_cast<abi::MessageKind>(header.kind)) {
    case abi::MessageKind::hello: {
      if (!fits(0, 0, 1)) return;
      const auto hello = handler_.hello(in.fds[0]);
      if (!hello.refusal.empty()) return refuse(header, hello.refusal.c_str());
      answer(kAnswer, header.sequence, &hello.answer, sizeof hello.answer, hello.fds);
      return;
    }
    case abi::MessageKind::load: {
      if (!fits(0, 0, 1)) return;
      const auto loaded = handler_.load(in.fds[0]);
      answer(kAnswer, header.sequence, &loaded, sizeof loaded);
      return;
    }
    case abi::MessageKind::flows: {
      if (!fits(sizeof(abi::FlowsRequest), sizeof(abi::FlowsRequest), 0)) return;
      abi::FlowsRequest request;
      std::memcpy(&request, body.data(), sizeof request);
      Pages pages(*this, header.sequence);
      handler_.flows(request, pages);
      return;
    }
    case abi::MessageKind::signature_costs: {
      if (!fits(sizeof(abi::CostsRequest), sizeof(abi::CostsRequest), 0)) return;
      abi::CostsRequest request;
      std::memcpy(&request, body.data(), sizeof request);
      if (request.order >= abi::CostOrder::count_ || request.limit == 0 || request.limit > abi::kMaxCosts)
        return refuse(header, "an unknown order, or more signatures than an answer holds");
      const auto costs = std::make_unique<abi::CostsAnswer>();
      handler_.costs(request, *costs);
      answer(kAnswer, header.sequence, costs.get(),
             offsetof(abi::CostsAnswer, cost) + costs->count * sizeof costs->cost[0]);
      return;
    }
    case abi::MessageKind::reset: {
      constexpr std::size_t kHead = offsetof(abi::ResetRequest, link);
      if (!fits(kHead, sizeof(abi::ResetRequest), 0)) return;
      abi::ResetRequest request{};
      std::memcpy(&request, body.data(), body.size());
      if (request.count > SEKISHO_MAX_LINKS || body.size() < kHead + request.count * sizeof request.link[0]) {
        return refuse(header, "more links than the message holds");
      }
      const std::span<const std::uint16_t> links(request.link, request.count);
      for (const auto link : links) {
        if (link >= SEKISHO_MAX_LINKS) return refuse(header, "no such link");
      }
      const auto done = handler_.reset(links);
      answer(kAnswer, header.sequence, &done, sizeof done);
      return;
    }
    case abi::MessageKind::restore: {
      if (!fits(0, 0, 1)) return;
      const auto restored = handler_.restore(in.fds[0]);
      answer(kAnswer, header.sequence, &restored, sizeof restored);
      return;
    }
    case abi::MessageKind::stop: {
      if (!fits(0, 0, 0)) return;
      const auto done = plain_answer(abi::Status::ok, "stopping");
      answer(kAnswer, header.sequence, &done, sizeof done);
      handler_.stop();
      return;
    }
    case abi::MessageKind::flows_page:
    case abi::MessageKind::answer:
      break;
  }
  refuse(header, "unknown kind of message");
}

}  // namespace sekisho::io
