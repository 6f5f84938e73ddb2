// The recordings of vendor sessions on disk: a directory of each ticket, in it the parts, sealed as captures
// are and with the same key, and session.json, which says what there is and how far the rings were read.
//
// A part carries that too, so what is kept after session.json was written is taken up at the next start.
// Thread-safe; one mutex guards what is known, none is held over the bytes of a part.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/recorder/capture_store.h"
#include "control/recorder/session_recording.h"

namespace sekisho::control {

// How far the rings of one run of the dataplane have been read, worker by worker. Empty: not at all.
struct RingsRead {
  std::uint64_t run = 0;
  std::vector<std::uint64_t> at;
};

struct SessionFilesOptions {
  std::string directory = "/var/lib/sekisho/captures/sessions";
  std::string key = "/var/lib/sekisho/captures.key";
  // Recordings whose reports are signed go first where room is wanted.
  std::function<bool(const std::string& ticket)> is_signed = [](const std::string&) { return true; };
  // Told of each that went, by the thread that wanted the room.
  std::function<void(const SessionRecording&)> removed;
};

class SessionFiles {
 public:
  explicit SessionFiles(SessionFilesOptions options);

  // Reads what is there. Empty, or why nothing can be kept.
  std::string open();
  void set_bounds(std::uint64_t one, std::uint64_t all);
  std::uint64_t most_of_one() const;

  struct Known {
    SessionRecording recording;
    RingsRead read;
  };
  std::optional<Known> find(const std::string& ticket) const;
  std::vector<SessionRecording> unfinished() const;
  // Had been kept, and went for others.
  bool gone(const std::string& ticket) const;

  // Keeps what is said of a recording, a new one's too. Empty, or what failed.
  std::string save(const SessionRecording& recording, const RingsRead& read);
  // What is said of it from now on; on the disk by the next save().
  void tell(const SessionRecording& recording);
  // Keeps the next part: `recording` counts it then. full: a bound forbids it, and `recording` says so.
  enum class Kept : std::uint8_t { yes, full, failed };
  Kept add(SessionRecording& recording, const RingsRead& read, CaptureInfo info, std::string_view pcapng,
           std::string& error);

  // All parts as one pcapng, each of them whole and verified; nothing: `error` names the part.
  std::optional<std::string> read(const std::string& ticket, std::string_view application,
                                  std::string& error) const;

 private:
  std::string path(const std::string& ticket) const { return options_.directory + "/" + ticket; }
  CaptureStore* store_of(const std::string& ticket, std::string& error);
  void load(const std::string& ticket);
  bool make_room(const std::string& ticket, std::uint64_t bytes);

  const SessionFilesOptions options_;
  std::map<std::string, std::unique_ptr<CaptureStore>> stores_;  // of those that are written; the writer's
  mutable std::mutex mutex_;                                     // guards what follows
  std::map<std::string, Known> known_;
  std::vector<std::string> gone_;
  std::uint64_t most_of_one_ = 256ull << 20, most_of_all_ = 2048ull << 20;
};

}  // namespace sekisho::control
