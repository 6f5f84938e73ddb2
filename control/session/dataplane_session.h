// Client of the steward's control socket (abi/session.h).
//
//   DataplaneSession session({.path = "/run/sekisho/dataplane.sock"});
//   session.connect(words_fd);           // connects and says hello
//   session.load(snapshot);              // and says hello again when the first snapshot made workers
//
// Threads: the calls that talk to the dataplane (connect, load, flows, reset, restore, stop, check) belong to
// the session thread; they hold one mutex, so a call from another thread waits for the one under way.
// state(), attachment() and hello() may be called by anyone and do not wait for a call under way. wake() and
// Pin are for the cut thread: no lock, no allocation, no wait.
//
// Every call has a deadline. What the dataplane answers is checked against the contract; an answer that
// breaks it closes the connection (SessionError::malformed). After peer_gone or malformed call connect()
// again. A lost connection leaves the attachment in place: workers of a dataplane that still runs can still
// be woken.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "control/session/attachment.h"
#include "control/session/result.h"
#include "control/session/sealed_memfd.h"
#include "dataplane/abi/session.h"

namespace sekisho::control {

enum class SessionState : std::uint8_t {
  disconnected,  // never connected, or stopped by us
  connected,     // hello was answered; no snapshot yet, so no workers
  running,       // workers run; attachment() is theirs
  lost           // the dataplane went away or broke the contract
};
constexpr std::string_view session_state_name(SessionState state) {
  constexpr std::string_view names[] = {"disconnected", "connected", "running", "lost"};
  return names[static_cast<std::size_t>(state)];
}

struct SessionOptions {
  std::string path;  // of the Unix socket
  std::chrono::milliseconds answer_deadline{3000};
  std::chrono::milliseconds load_deadline{120000};  // the first load sets up ports and memory
  std::chrono::milliseconds flows_deadline{10000};  // for all pages of one flows()
  std::size_t max_flows = 8u << 20;                 // records taken from one flows()
};

// One flows() answer. Complete unless `truncated`: the bound of the request or of SessionOptions was reached.
struct FlowList {
  std::vector<abi::FlowRecord> flows;
  bool truncated = false;
};

class DataplaneSession {
 public:
  explicit DataplaneSession(SessionOptions options);
  ~DataplaneSession();
  DataplaneSession(const DataplaneSession&) = delete;
  DataplaneSession& operator=(const DataplaneSession&) = delete;

  // Connects (first closing a connection that is there) and says hello. `words_fd` (BPF map or file) is
  // duplicated and kept for later hellos.
  SessionResult<abi::HelloAnswer> connect(int words_fd);

  // Publishes a snapshot; returns when every worker uses it. Says hello again when there were no workers.
  SessionResult<abi::LoadAnswer> load(std::span<const std::uint8_t> snapshot);
  // The same with a sealed memfd, as the compiler's child hands it over. Not taken over.
  SessionResult<abi::LoadAnswer> load_fd(int sealed_fd);

  SessionResult<FlowList> flows(const abi::FlowsRequest& request);
  // What signatures have cost since the running snapshot was loaded.
  struct Costs {
    std::uint64_t generation = 0;  // whose signatures `signature` counts
    std::vector<abi::SignatureCost> costs;
  };
  SessionResult<Costs> signature_costs(const abi::CostsRequest& request);
  // Ends the flows of these links (sekisho_link_index) by RST.
  SessionResult<bool> reset(std::span<const std::uint16_t> links);
  SessionResult<abi::RestoreAnswer> restore(std::span<const abi::FlowRecord> flows);
  // Asks the dataplane to stop; the connection closes.
  SessionResult<bool> stop();

  // Looks whether the peer is still there (poll, no wait) and returns the state.
  SessionState check();
  SessionState state() const { return state_.load(std::memory_order_acquire); }
  // The last hello; all zero before the first.
  abi::HelloAnswer hello() const;
  // Null before the first workers.
  std::shared_ptr<const Attachment> attachment() const;

  // Wakes all workers. Lock-free.
  void wake() const noexcept;

  // Access of the cut thread to the attachment: holds off its unmapping while alive. Keep it short (no wait
  // inside); any number at once.
  class Pin {
   public:
    explicit Pin(const DataplaneSession& session) noexcept : session_(session) {
      session_.pins_.fetch_add(1, std::memory_order_seq_cst);
      attachment_ = session_.pinned_.load(std::memory_order_seq_cst);
    }
    ~Pin() { session_.pins_.fetch_sub(1, std::memory_order_seq_cst); }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    const Attachment* get() const { return attachment_; }  // null: no workers yet

   private:
    const DataplaneSession& session_;
    const Attachment* attachment_;
  };

 private:
  struct Answer;
  SessionResult<Answer> call(abi::MessageKind kind, std::span<const std::uint8_t> body, int fd,
                             std::chrono::milliseconds deadline);
  SessionFailure send_request(abi::MessageKind kind, std::span<const std::uint8_t> body, int fd,
                              std::uint64_t until_ns);
  SessionResult<Answer> receive(std::uint64_t until_ns);
  SessionResult<abi::HelloAnswer> say_hello();
  SessionResult<abi::LoadAnswer> load_locked(int sealed_fd);
  SessionFailure broken(SessionError error, std::string what);
  void adopt(std::shared_ptr<Attachment> next);

  const SessionOptions options_;
  std::mutex call_;  // held for the whole of a call
  Descriptor socket_;
  Descriptor words_;
  std::uint32_t sequence_ = 0;
  std::atomic<SessionState> state_{SessionState::disconnected};
  mutable std::mutex shared_;  // guards hello_ and attachment_; never held across a system call
  abi::HelloAnswer hello_{};
  std::shared_ptr<Attachment> attachment_;
  std::atomic<const Attachment*> pinned_{nullptr};
  mutable std::atomic<std::uint32_t> pins_{0};
};

}  // namespace sekisho::control
