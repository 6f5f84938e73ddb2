#include "control/session/dataplane_session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/abi/snapshot.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

struct DataplaneSession::Answer {
  abi::MessageHeader header{};
  std::vector<std::uint8_t> body;
  std::vector<Descriptor> fds;
};

namespace {

std::uint64_t after(std::chrono::milliseconds wait) {
  return monotonic_ns() + static_cast<std::uint64_t>(wait.count()) * kMillisecond;
}

SessionFailure system_failure(const char* what) {
  return {SessionError::system, std::string(what) + ": " + std::strerror(errno)};
}

// Waits for `events` until the deadline. False: it passed.
bool wait_for(int fd, short events, std::uint64_t until_ns) {
  for (;;) {
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t left_ms = now >= until_ns ? 0 : (until_ns - now + kMillisecond - 1) / kMillisecond;
    pollfd p{fd, events, 0};
    const int n = poll(&p, 1, static_cast<int>(std::min<std::uint64_t>(left_ms, 60000)));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return true;  // the next call on the socket names it
    if (monotonic_ns() >= until_ns) return false;
  }
}

// The dataplane's words for the operator: bounded, printable.
std::string printable(const char* text, std::size_t room) {
  std::string s(text, strnlen(text, room));
  for (char& c : s) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return s;
}

template <typename T>
T body_as(std::span<const std::uint8_t> body) {
  T value{};
  std::memcpy(&value, body.data(), std::min(sizeof value, body.size()));
  return value;
}

// Status word of an answer, or SessionError::malformed.
SessionError status_error(std::uint32_t status) {
  switch (static_cast<abi::Status>(status)) {
    case abi::Status::ok:
      return SessionError::none;
    case abi::Status::refused:
      return SessionError::refused;
    case abi::Status::failed:
      return SessionError::failed;
    case abi::Status::busy:
      return SessionError::busy;
  }
  return SessionError::malformed;
}

int open_process(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return -1;
  return static_cast<int>(syscall(SYS_pidfd_open, peer.pid, 0));
}

}  // namespace

DataplaneSession::DataplaneSession(SessionOptions options) : options_(std::move(options)) {}

DataplaneSession::~DataplaneSession() {
  adopt(nullptr);
}

abi::HelloAnswer DataplaneSession::hello() const {
  const std::lock_guard lock(shared_);
  return hello_;
}

std::shared_ptr<const Attachment> DataplaneSession::attachment() const {
  const std::lock_guard lock(shared_);
  return attachment_;
}

void DataplaneSession::wake() const noexcept {
  const Pin pin(*this);
  if (pin.get() != nullptr) pin.get()->wake();
}

void DataplaneSession::adopt(std::shared_ptr<Attachment> next) {
  pinned_.store(next.get(), std::memory_order_seq_cst);
  {
    const std::lock_guard lock(shared_);
    attachment_.swap(next);
  }
  // Whoever pinned the old one is between two loads; `next` holds it until they are done.
  while (pins_.load(std::memory_order_seq_cst) != 0) usleep(20);
}

// Closes a connection that can no longer be trusted or used.
SessionFailure DataplaneSession::broken(SessionError error, std::string what) {
  socket_ = Descriptor();
  state_.store(SessionState::lost, std::memory_order_release);
  return {error, std::move(what)};
}

SessionResult<abi::HelloAnswer> DataplaneSession::connect(int words_fd) {
  const std::lock_guard lock(call_);
  socket_ = Descriptor();
  state_.store(SessionState::disconnected, std::memory_order_release);
  Descriptor words(fcntl(words_fd, F_DUPFD_CLOEXEC, 0));
  if (words.get() < 0) return system_failure("the words' descriptor");
  words_ = std::move(words);

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (options_.path.empty() || options_.path.size() >= sizeof address.sun_path) {
    return SessionFailure{SessionError::connect_failed, "the socket's path is empty or too long"};
  }
  std::memcpy(address.sun_path, options_.path.data(), options_.path.size());
  Descriptor s(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (s.get() < 0) return system_failure("socket");
  if (::connect(s.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return SessionFailure{SessionError::connect_failed, options_.path + ": " + std::strerror(errno)};
  }
  socket_ = std::move(s);
  auto answer = say_hello();
  if (!answer) socket_ = Descriptor();  // a half-open session would keep others out
  return answer;
}

SessionResult<abi::HelloAnswer> DataplaneSession::say_hello() {
  auto answer = call(abi::MessageKind::hello, {}, words_.get(), options_.answer_deadline);
  if (!answer) return answer.failure();
  if (answer->body.size() != sizeof(abi::HelloAnswer)) {
    return broken(SessionError::malformed, "a hello answer of another size");
  }
  const auto hello = body_as<abi::HelloAnswer>(answer->body);
  std::shared_ptr<Attachment> next;
  if (hello.workers == 0) {
    if (!answer->fds.empty()) return broken(SessionError::malformed, "descriptors without workers");
  } else {
    std::vector<int> fds;
    for (Descriptor& fd : answer->fds) fds.push_back(fd.release());
    auto made = Attachment::from_fds(fds, hello.workers, open_process(socket_.get()));
    if (!made) return broken(made.error(), made.failure().what);
    next = std::move(*made);
  }
  const SessionState state = next ? SessionState::running : SessionState::connected;
  adopt(std::move(next));
  {
    const std::lock_guard lock(shared_);
    hello_ = hello;
  }
  state_.store(state, std::memory_order_release);
  return hello;
}

SessionResult<abi::LoadAnswer> DataplaneSession::load(std::span<const std::uint8_t> snapshot) {
  if (snapshot.size() > abi::kMaxSnapshotBytes) {
    return SessionFailure{SessionError::too_large, "the snapshot is larger than a snapshot may be"};
  }
  auto memfd = sealed_memfd("sekisho-snapshot", snapshot);
  if (!memfd) return memfd.failure();
  const std::lock_guard lock(call_);
  return load_locked(memfd->get());
}

SessionResult<abi::LoadAnswer> DataplaneSession::load_fd(int sealed_fd) {
  if (!is_sealed(sealed_fd)) return SessionFailure{SessionError::system, "the snapshot is not sealed"};
  const std::lock_guard lock(call_);
  return load_locked(sealed_fd);
}

SessionResult<abi::LoadAnswer> DataplaneSession::load_locked(int sealed_fd) {
  abi::SnapshotHeader header{};
  const ssize_t n = pread(sealed_fd, &header, sizeof header, 0);
  if (n != static_cast<ssize_t>(sizeof header)) {
    return SessionFailure{SessionError::refused, "shorter than a snapshot's header"};
  }
  auto answer = call(abi::MessageKind::load, {}, sealed_fd, options_.load_deadline);
  if (!answer) return answer.failure();
  if (answer->body.size() != sizeof(abi::LoadAnswer)) {
    return broken(SessionError::malformed, "a load answer of another size");
  }
  auto loaded = body_as<abi::LoadAnswer>(answer->body);
  loaded.text[sizeof loaded.text - 1] = '\0';
  if (loaded.generation != header.generation) {
    return broken(SessionError::malformed, "a load answer for another generation");
  }
  // The first snapshot makes the workers; a later one changes what hello says.
  const auto again = say_hello();
  if (!again) return again.failure();
  return loaded;
}

SessionResult<FlowList> DataplaneSession::flows(const abi::FlowsRequest& request) {
  const std::lock_guard lock(call_);
  const std::uint64_t until = after(options_.flows_deadline);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&request);
  const SessionFailure sent = send_request(abi::MessageKind::flows, {bytes, sizeof request}, -1, until);
  if (sent.error != SessionError::none) return sent;
  const std::size_t bound =
      request.limit == 0 ? options_.max_flows : std::min<std::size_t>(request.limit, options_.max_flows);
  FlowList list;
  for (;;) {
    auto answer = receive(until);
    if (!answer) return answer.failure();
    constexpr std::size_t kHead = offsetof(abi::FlowsPage, flow);
    if (answer->header.kind != static_cast<std::uint16_t>(abi::MessageKind::flows_page) ||
        answer->body.size() < kHead || !answer->fds.empty()) {
      return broken(SessionError::malformed, "not a page of flows");
    }
    std::uint32_t head[4];  // status, count, last, worker
    std::memcpy(head, answer->body.data(), sizeof head);
    const std::size_t needed = kHead + std::size_t{head[1]} * sizeof(abi::FlowRecord);
    const SessionError error = status_error(head[0]);
    if (error == SessionError::malformed || head[1] > abi::kFlowsPerPage || answer->body.size() < needed ||
        answer->body.size() > sizeof(abi::FlowsPage) || head[2] > 1) {
      return broken(SessionError::malformed, "a page of flows with impossible counts");
    }
    if (error != SessionError::none) return SessionFailure{error, "the flows were refused"};
    // Past the bound the pages are still taken off the socket, so that the next answer is the next request's.
    const std::size_t take = std::min<std::size_t>(head[1], bound - list.flows.size());
    list.truncated = list.truncated || take < head[1];
    const std::size_t old = list.flows.size();
    list.flows.resize(old + take);
    if (take > 0) {
      std::memcpy(list.flows.data() + old, answer->body.data() + kHead, take * sizeof(abi::FlowRecord));
    }
    if (head[2] == 1) break;
  }
  if (request.limit != 0 && list.flows.size() == request.limit) list.truncated = true;
  return list;
}

SessionResult<DataplaneSession::Costs> DataplaneSession::signature_costs(const abi::CostsRequest& request) {
  const std::lock_guard lock(call_);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&request);
  auto answer =
      call(abi::MessageKind::signature_costs, {bytes, sizeof request}, -1, options_.answer_deadline);
  if (!answer) return answer.failure();
  constexpr std::size_t kHead = offsetof(abi::CostsAnswer, cost);
  std::uint32_t head[2];  // status, count
  Costs result;
  if (answer->body.size() < kHead) return broken(SessionError::malformed, "costs without a head");
  std::memcpy(head, answer->body.data(), sizeof head);
  std::memcpy(&result.generation, answer->body.data() + sizeof head, sizeof result.generation);
  if (head[1] > request.limit || answer->body.size() != kHead + head[1] * sizeof(abi::SignatureCost))
    return broken(SessionError::malformed, "costs with an impossible count");
  result.costs.resize(head[1]);
  if (head[1] != 0)
    std::memcpy(result.costs.data(), answer->body.data() + kHead, head[1] * sizeof(abi::SignatureCost));
  return result;
}

SessionResult<bool> DataplaneSession::reset(std::span<const std::uint16_t> links) {
  if (links.size() > SEKISHO_MAX_LINKS) {
    return SessionFailure{SessionError::too_large, "more links than there can be"};
  }
  abi::ResetRequest request{};
  request.count = static_cast<std::uint32_t>(links.size());
  std::copy(links.begin(), links.end(), request.link);
  const std::lock_guard lock(call_);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&request);
  auto answer = call(abi::MessageKind::reset, {bytes, sizeof request}, -1, options_.answer_deadline);
  if (!answer) return answer.failure();
  return true;
}

SessionResult<abi::RestoreAnswer> DataplaneSession::restore(std::span<const abi::FlowRecord> flows) {
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(flows.data()),
                                            flows.size_bytes());
  auto memfd = sealed_memfd("sekisho-flows", bytes);
  if (!memfd) return memfd.failure();
  const std::lock_guard lock(call_);
  auto answer = call(abi::MessageKind::restore, {}, memfd->get(), options_.flows_deadline);
  if (!answer) return answer.failure();
  if (answer->body.size() != sizeof(abi::RestoreAnswer)) {
    return broken(SessionError::malformed, "a restore answer of another size");
  }
  const auto restored = body_as<abi::RestoreAnswer>(answer->body);
  if (std::uint64_t{restored.taken} + restored.refused > flows.size()) {
    return broken(SessionError::malformed, "a restore answer that counts more flows than were sent");
  }
  return restored;
}

SessionResult<bool> DataplaneSession::stop() {
  const std::lock_guard lock(call_);
  auto answer = call(abi::MessageKind::stop, {}, -1, options_.answer_deadline);
  // A dataplane that stops at once has done what was asked.
  if (!answer && answer.error() != SessionError::peer_gone) return answer.failure();
  socket_ = Descriptor();
  state_.store(SessionState::disconnected, std::memory_order_release);
  return true;
}

SessionState DataplaneSession::check() {
  const std::unique_lock lock(call_, std::try_to_lock);
  if (!lock.owns_lock() || socket_.get() < 0) return state();
  pollfd p{socket_.get(), POLLIN | POLLRDHUP, 0};
  if (poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0) {
    broken(SessionError::peer_gone, "");
  }
  return state();
}

// One request and its one answer, whose status (the first word of each answer's body) is ok.
SessionResult<DataplaneSession::Answer> DataplaneSession::call(abi::MessageKind kind,
                                                               std::span<const std::uint8_t> body, int fd,
                                                               std::chrono::milliseconds deadline) {
  const std::uint64_t until = after(deadline);
  const SessionFailure sent = send_request(kind, body, fd, until);
  if (sent.error != SessionError::none) return sent;
  auto answer = receive(until);
  if (!answer) return answer;
  if (answer->header.kind != static_cast<std::uint16_t>(abi::MessageKind::answer)) {
    return broken(SessionError::malformed, "an answer of another kind");
  }
  if (kind != abi::MessageKind::hello && !answer->fds.empty()) {
    return broken(SessionError::malformed, "descriptors that nobody asked for");
  }
  return answer;
}

SessionFailure DataplaneSession::send_request(abi::MessageKind kind, std::span<const std::uint8_t> body,
                                              int fd, std::uint64_t until_ns) {
  if (socket_.get() < 0) return {SessionError::not_connected, "no dataplane is connected"};
  if (sizeof(abi::MessageHeader) + body.size() > abi::kMaxMessage) {
    return {SessionError::too_large, "the request is larger than a message may be"};
  }
  if (++sequence_ == 0) ++sequence_;  // 0 is what a refusal carries that could not read our header
  const abi::MessageHeader header{abi::kSessionMagic, SEKISHO_ABI_VERSION, static_cast<std::uint16_t>(kind),
                                  sequence_, static_cast<std::uint32_t>(body.size())};
  iovec parts[2] = {{const_cast<abi::MessageHeader*>(&header), sizeof header},
                    {const_cast<std::uint8_t*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = body.empty() ? 1 : 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  for (;;) {
    if (sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      if (wait_for(socket_.get(), POLLOUT, until_ns)) continue;
      return {SessionError::timed_out, "the dataplane takes no requests"};
    }
    if (errno == EPIPE || errno == ECONNRESET) {
      // It may have said why before it closed.
      auto last = receive(0);
      if (!last && last.error() != SessionError::timed_out) return last.failure();
      return broken(SessionError::peer_gone, "the dataplane closed the connection");
    }
    return broken(SessionError::system, std::string("sendmsg: ") + std::strerror(errno));
  }
}

// The next message that belongs to the current request. Late answers to requests that timed out are skipped.
SessionResult<DataplaneSession::Answer> DataplaneSession::receive(std::uint64_t until_ns) {
  bool reset = false;
  for (;;) {
    Answer answer;
    answer.body.resize(abi::kMaxMessage);
    iovec parts[2] = {{&answer.header, sizeof answer.header}, {answer.body.data(), answer.body.size()}};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * abi::kMaxMessageFds)];
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    // A peer that closes without having read our request resets us, once; what it said before comes after
    // that.
    if (n < 0 && errno == ECONNRESET && !reset) {
      reset = true;
      continue;
    }
    if (n < 0 && errno == EAGAIN) {
      if (wait_for(socket_.get(), POLLIN, until_ns)) continue;
      return SessionFailure{SessionError::timed_out, "the dataplane did not answer in time"};
    }
    if (n < 0) return broken(SessionError::peer_gone, std::string("recvmsg: ") + std::strerror(errno));
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
      for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
        answer.fds.emplace_back(fd);
      }
    }
    if (n == 0) return broken(SessionError::peer_gone, "the dataplane closed the connection");
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
      return broken(SessionError::malformed, "an answer larger than a message may be");
    }
    const abi::MessageHeader& h = answer.header;
    const auto size = static_cast<std::size_t>(n);
    if (size < sizeof h || h.magic != abi::kSessionMagic || h.version != SEKISHO_ABI_VERSION ||
        h.bytes != size - sizeof h || h.bytes > abi::kMaxMessage - sizeof h) {
      return broken(SessionError::malformed, "an answer with a bad header");
    }
    answer.body.resize(h.bytes);
    const bool mine = h.sequence == sequence_;
    if (!mine && h.sequence != 0) {
      if (static_cast<std::int32_t>(h.sequence - sequence_) > 0) {
        return broken(SessionError::malformed, "an answer to a request that was never made");
      }
      if (monotonic_ns() >= until_ns) {
        return SessionFailure{SessionError::timed_out, "the dataplane did not answer in time"};
      }
      continue;
    }
    if (h.kind == static_cast<std::uint16_t>(abi::MessageKind::flows_page) && mine) return answer;
    if (answer.body.size() < sizeof(std::uint32_t)) {
      return broken(SessionError::malformed, "an answer without a status");
    }
    const SessionError error = status_error(body_as<std::uint32_t>(answer.body));
    if (error == SessionError::malformed || (!mine && error == SessionError::none)) {
      return broken(SessionError::malformed, "an answer with an unknown status");
    }
    if (error != SessionError::none) {
      // PlainAnswer and LoadAnswer carry the reason; a refusal to any request may be a PlainAnswer.
      std::string what = "no reason given";
      const std::size_t size_now = answer.body.size();
      if (size_now == sizeof(abi::PlainAnswer)) {
        what = printable(body_as<abi::PlainAnswer>(answer.body).text, sizeof abi::PlainAnswer::text);
      } else if (size_now == sizeof(abi::LoadAnswer)) {
        what = printable(body_as<abi::LoadAnswer>(answer.body).text, sizeof abi::LoadAnswer::text);
      }
      return SessionFailure{error, std::move(what)};
    }
    return answer;
  }
}

}  // namespace sekisho::control
