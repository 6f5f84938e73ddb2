// Whole vendor sessions out of the flight recorder's rings: while a ticket that asks for it is open or
// suspended, each packet between its vendor's addresses and its host is taken from the rings, once, and kept
// in sealed parts (session_files.h).
//
// A thread of its own looks once a second. What was read is kept with the parts, so another sekishod goes on
// where the last part ended, and has what happened in between as far as the rings reach. What was overwritten
// before it could be read is counted. Thread-safe; nobody waits for the disk but read().
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/model/recorder.h"
#include "control/recorder/capture_pcapng.h"
#include "control/recorder/packet_match.h"
#include "control/recorder/session_files.h"

namespace sekisho::control {

class Attachment;

// One that is to be recorded.
struct SessionToRecord {
  std::string ticket;
  std::string subject;                                // "acme to 10.0.0.5"
  PairMatch match;                                    // the vendor's addresses and its host
  std::uint64_t since_ns = 0, until_ns = UINT64_MAX;  // CLOCK_MONOTONIC; the end, once there is one
};

struct SessionRecorderOptions {
  SessionFilesOptions files;
  std::function<std::shared_ptr<const Attachment>()> attachment;  // as FlightRecorderOptions
  NamesOf names;
  // Those that are open or suspended, and those that ended lately.
  std::function<std::vector<SessionToRecord>()> sessions;
  // Told when more is known of one, by the recorder's thread.
  std::function<void(const SessionRecording&)> changed;
  std::string application = "sekisho";
  std::function<std::uint64_t()> now_ns, now_wall_ns;  // clocks, for tests
};

class SessionRecorder {
 public:
  static constexpr std::uint64_t kPartBytes = 1u << 20, kPartNs = 10'000'000'000;  // what makes a part
  static constexpr std::uint64_t kMostPending = 16u << 20;  // in memory, of one session

  explicit SessionRecorder(SessionRecorderOptions options);
  ~SessionRecorder();  // what is pending becomes a part; the recordings go on at the next start
  SessionRecorder(const SessionRecorder&) = delete;
  SessionRecorder& operator=(const SessionRecorder&) = delete;

  // Takes up what is there and looks once. Empty, or why nothing can be recorded; sessions say so, too.
  std::string start();
  void run();  // from now on by a thread of its own
  void use(const RecorderSettings& settings);
  void poll();  // one look; the thread's, and tests'

  // Nothing will come to its recording any more, or there is none.
  bool settled(const std::string& ticket) const;
  std::optional<SessionRecording> find(const std::string& ticket) const;
  // What is on the disk so far, as one pcapng.
  std::optional<std::string> read(const std::string& ticket, std::string& error) const;

 private:
  struct Active {
    SessionToRecord what;
    SessionRecording recording;
    RingsRead read;
    bool looked = false;  // by this process, at the rings of read.run
    bool over = false;
    bool unplaced = false;  // from where in the rings on it is to be read is not known, but by time
    std::vector<KeptPacket> pending;
    std::uint64_t pending_bytes = 0, pending_since_ns = 0, saved_ns = 0;
    std::uint64_t overwritten_said = 0, left_out_said = 0;  // by parts
    bool changed = true, moved = true;
  };
  // Where the rings were at a time before which nobody asks for packets.
  struct Mark {
    std::uint64_t ns = 0;
    RingsRead read;
  };
  void take_up(std::uint64_t now_ns);
  void look(const Attachment& attachment, std::uint64_t now_ns);
  void place(Active& active, std::uint64_t run, std::uint32_t workers, std::uint64_t now_ns);
  bool take(Active& active, const RecordedPacket& packet, std::uint64_t now_ns);
  void flush(Active& active, std::uint64_t now_ns);
  void settle(Active& active, std::uint64_t now_ns);
  void save(Active& active, std::uint64_t now_ns);

  const SessionRecorderOptions options_;
  SessionFiles files_;
  std::mutex polling_;  // guards what follows
  std::string cannot_ = "not started";
  std::map<std::string, Active> active_;
  std::shared_ptr<const Attachment> held_;  // the rings that were read last
  Mark mark_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sekisho::control
