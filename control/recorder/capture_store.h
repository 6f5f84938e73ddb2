// Captures at rest: encrypted files in one directory, the newest of them, within bounds of count and bytes.
//
// A file is the magic, libsodium's secretstream header (XChaCha20-Poly1305), then chunks of a 32-bit length
// and so many bytes: first what the capture is about (CaptureInfo as JSON), then the pcapng in pieces; the
// last chunk is tagged final. A file that was truncated, changed, reordered or extended is refused as a
// whole. The key is made at first use (0600, beside the directory); without it no capture can be read again.
// Thread-safe (one mutex; held while a file is written or read).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::control {

struct CaptureInfo {
  std::string id;                           // 20261123T120102Z-0007; given by add()
  std::string kind;                         // "alert", "cut", "command", "evidence", "session"
  std::string why;                          // the alert, the receipt, the person's words
  std::string who;                          // who asked; "sekishod" for alerts and cuts
  std::string subject;                      // "flow 17", "link vendor", "host 10.0.0.5"
  std::string receipt;                      // of a cut
  std::string ticket;                       // of an alert in a vendor's session, of a part of its recording
  std::uint64_t wall_ns = 0;                // when it was made
  std::uint64_t first_ns = 0, last_ns = 0;  // wall clock, of its packets; 0: it has none
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;        // of the pcapng
  std::uint64_t flow_id = 0;      // of an alert
  std::uint32_t sid = 0;          // of an alert
  std::uint64_t left_out = 0;     // packets that capture_mb had no room for
  std::uint64_t overwritten = 0;  // blocks of the rings that were overwritten while they were read
  // Of a part of a session's recording: its number from 1, and how far the rings of that run of the dataplane
  // have been read with it, worker by worker.
  std::uint64_t part = 0, run = 0;
  std::vector<std::uint64_t> positions;
};

struct CaptureStoreOptions {
  std::string directory = "/var/lib/sekisho/captures";
  std::string key = "/var/lib/sekisho/captures.key";
};

class CaptureStore {
 public:
  explicit CaptureStore(CaptureStoreOptions options);
  ~CaptureStore();
  CaptureStore(const CaptureStore&) = delete;
  CaptureStore& operator=(const CaptureStore&) = delete;

  // Directory and key. Empty, or why captures cannot be kept.
  std::string open();
  void set_bounds(std::size_t captures, std::uint64_t bytes);

  // Keeps a capture; info.id is set. Older ones go where the bounds ask for it; one that alone is larger than
  // the bound is refused. Empty, or why not.
  std::string add(CaptureInfo& info, std::string_view pcapng);

  struct Entry {
    CaptureInfo info;
    std::uint64_t file_bytes = 0;
    std::string damage;  // not empty: cannot be read, and why; info has the id only
  };
  std::vector<Entry> list();  // newest first
  std::optional<Entry> find(const std::string& id);
  // The pcapng, whole and verified; nothing: `error` says why.
  std::optional<std::string> read(const std::string& id, std::string& error);

  // A capture as it lies on the disk, encrypted, for another place to keep.
  struct Sealed {
    std::uint64_t bytes = 0;
    std::string sha256;   // hex, of those bytes
    std::string content;  // empty: there are more than `most` of them
  };
  std::optional<Sealed> sealed(const std::string& id, std::uint64_t most, std::string& error);
  // As read(), of sealed bytes that came back from there.
  std::optional<std::string> unseal(const std::string& id, const std::string& sealed, std::string& error);

  std::uint64_t removed() const;  // by the bounds, since the start

 private:
  struct Key;
  std::string path(const std::string& id) const;
  std::string next_id(std::uint64_t wall_ns);
  Entry entry(const std::string& id) const;
  void make_room(std::uint64_t bytes);

  const CaptureStoreOptions options_;
  mutable std::mutex mutex_;
  std::unique_ptr<Key> key_;
  std::size_t most_captures_ = 200;
  std::uint64_t most_bytes_ = 512ull << 20, removed_ = 0;
  unsigned counter_ = 0;
};

}  // namespace sekisho::control
