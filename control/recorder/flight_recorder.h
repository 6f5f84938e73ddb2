// Captures out of the flight recorder's rings: for an alert, after a cut, for a person.
//
//   recorder.alert(event, text);                       // soon, by the recorder's own thread; rate limited
//   recorder.cut(receipt);                             // the same; never limited
//   recorder.capture_link(link, 30, "evidence of …");  // now, by the caller's thread; the capture's id
//   recorder.capture(request, error);
//
// alert() and cut() take note in memory and return: they may be called by the drain and behind a cut. One
// capture is made at a time. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "control/link/receipt.h"
#include "control/model/recorder.h"
#include "control/recorder/capture_pcapng.h"
#include "control/recorder/capture_store.h"
#include "control/recorder/packet_match.h"
#include "dataplane/abi/event.h"

namespace sekisho::control {

class Attachment;
struct CaptureRequest;

struct FlightRecorderOptions {
  CaptureStoreOptions store;
  // Rings of the dataplane that runs or ran last; may return null.
  std::function<std::shared_ptr<const Attachment>()> attachment;
  NamesOf names;
  // Told of each capture, its info filled in, by the thread that made it: of alert() and cut() the recorder's
  // own. error: it was not made.
  std::function<void(const CaptureRequest&, const std::string& error)> made;
  std::string application = "sekisho";
  std::uint64_t settle_ns = 200'000'000;  // an alert's capture waits so long for what follows it
  // Clocks, for tests.
  std::function<std::uint64_t()> now_ns, now_wall_ns;
};

struct CaptureRequest {
  CaptureInfo info;           // kind, why, who, subject, flow_id, sid; the rest is filled in
  PacketMatch match;          // of links: in the present snapshot's numbering
  std::uint64_t seconds = 0;  // back from now; 0: as configured
  // The packet that the comment belongs to: of this flow (or match), not after that time.
  std::string comment;
  std::uint64_t comment_ns = 0;
  std::uint64_t asked_ns = 0;  // when what it is about happened; 0: now
  bool instead_link = false;   // nothing of the flow is there: what links says, without the flow
};

struct FlightRecorderStatus {
  bool on = false;               // the dataplane records
  std::uint64_t ring_bytes = 0;  // of each worker
  std::uint64_t packets = 0;     // recorded since the dataplane started
  std::uint64_t captures = 0;    // made since sekishod started
  std::uint64_t failed = 0;      // could not be kept
  std::uint64_t limited = 0;     // alerts without one: their flow had one within the minute, or too many
  std::uint64_t lost = 0;        // asked for while the queue was full
  std::uint64_t removed = 0;     // old captures that went for new ones
  std::string error;             // of the last one that failed, or why none can be kept
};

class FlightRecorder {
 public:
  explicit FlightRecorder(FlightRecorderOptions options);
  ~FlightRecorder();  // what is asked for and due is still made
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;

  // Directory and key. Not empty: captures cannot be kept, and why; the rest works.
  std::string start();
  void use(const RecorderSettings& settings);

  // An alert's event with what is to be said of it, and the ticket of its session if it has one. Nothing
  // happens for a lower priority than configured.
  void alert(const abi::Event& event, std::uint32_t sid, std::string text, std::string ticket = {});
  // After a cut; other receipts, and cuts that changed nothing, are left alone.
  void cut(const Receipt& receipt);
  // Waits until the capture that cut() asked for is made or has failed. False: it was not within that time.
  bool wait_cut(const std::string& receipt, std::uint64_t longest_ns);

  // Empty: not made, see `error`. May take as long as the disk does.
  std::string capture(CaptureRequest request, std::string& error);
  std::string capture_link(LinkIndex link, std::uint64_t seconds, const std::string& comment);

  CaptureStore& store() { return store_; }
  FlightRecorderStatus status() const;

 private:
  class Collector;
  struct Waiting {
    CaptureRequest request;
    std::uint64_t due_ns = 0;
  };
  void enqueue(CaptureRequest request, std::uint64_t due_ns);
  void run();
  bool within_limits(const abi::Event& event, std::uint64_t now_ns);
  std::string make(CaptureRequest& request, std::string& error);
  std::string write(CaptureRequest& request, Collector& collected);

  const FlightRecorderOptions options_;
  CaptureStore store_;
  std::mutex making_;         // one capture at a time
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_, made_;
  RecorderSettings settings_;
  std::string cannot_ = "not started", error_;
  std::deque<Waiting> queue_;
  std::vector<std::string> cuts_;  // receipts whose captures are not made yet
  std::unordered_map<std::uint64_t, std::uint64_t> last_of_flow_;
  std::deque<std::uint64_t> last_minute_;
  std::uint64_t captures_ = 0, failed_ = 0, limited_ = 0, lost_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sekisho::control
