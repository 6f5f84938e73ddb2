// The steward's end of the control socket (abi/session.h): who may connect, what is a well-formed request,
// how it is answered. Knows nothing of ports and workers; a SessionHandler does what is asked.
//
// Thread: the steward. Nothing here waits longer than kSendTimeoutMs for a client that does not read; such a
// client is dropped. A malformed, unknown or oversized request is answered with Status::refused (PlainAnswer,
// for load LoadAnswer) and never reaches the handler.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/abi/session.h"
#include "dataplane/io/descriptor.h"

namespace sekisho::io {

inline constexpr int kSendTimeoutMs = 2000;

// Where a flow dump goes, page by page.
class FlowsWriter {
 public:
  // Sends the page filled in by the handler. False: the client is gone, stop.
  virtual bool send(const abi::FlowsPage& page) = 0;

 protected:
  ~FlowsWriter() = default;
};

class SessionHandler {
 public:
  struct Hello {
    abi::HelloAnswer answer{};
    std::vector<int> fds;  // stay the handler's
    std::string refusal;   // not empty: refused, answered with a PlainAnswer
  };
  virtual Hello hello(const Descriptor& words) = 0;
  virtual abi::LoadAnswer load(const Descriptor& snapshot) = 0;
  // The last page sent has last = 1.
  virtual void flows(const abi::FlowsRequest& request, FlowsWriter& writer) = 0;
  // answer: all zero. REQUIRES: request.limit <= abi::kMaxCosts.
  virtual void costs(const abi::CostsRequest& request, abi::CostsAnswer& answer) = 0;
  virtual abi::PlainAnswer reset(std::span<const std::uint16_t> links) = 0;
  virtual abi::RestoreAnswer restore(const Descriptor& records) = 0;
  virtual void stop() = 0;

 protected:
  ~SessionHandler() = default;
};

abi::PlainAnswer plain_answer(abi::Status status, const char* text);

class SessionServer {
 public:
  // Binds and listens. A socket left at `path` is removed first: the caller holds the lock that says that
  // nobody else serves it. `owner`: the uid that may connect besides root. Throws std::system_error.
  SessionServer(const std::string& path, uid_t owner, SessionHandler& handler);
  ~SessionServer();
  SessionServer(const SessionServer&) = delete;
  SessionServer& operator=(const SessionServer&) = delete;

  int listen_fd() const { return listen_.get(); }
  int client_fd() const { return client_.get(); }  // -1: none
  // When poll says that the descriptor is readable or hung up.
  void on_listen();
  void on_client();

 private:
  class Pages;
  // One datagram as it came.
  struct Incoming {
    std::span<const std::uint8_t> bytes;
    std::vector<Descriptor> fds;
    const char* fault = nullptr;  // what is wrong with the datagram itself
  };
  void dispatch(Incoming& in);
  void refuse(const abi::MessageHeader& request, const char* why);
  bool answer(abi::MessageKind kind, std::uint32_t sequence, const void* body, std::size_t bytes,
              std::span<const int> fds = {});

  std::string path_;
  uid_t owner_;
  SessionHandler& handler_;
  Descriptor listen_;
  Descriptor client_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace sekisho::io
