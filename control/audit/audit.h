// The audit log: append-only JSON lines, hash-chained, fsynced.
//
// One record a line: sequence, time, wall_ns, uid, name, from, action, receipt, details, previous, hash.
// hash = BLAKE2b-256 of the line's bytes before `,"hash":`; previous = hash of the record before (zeros for
// the first). A head file (sequence + hash, in place, own checksum) is written after every record, so that a
// removed tail shows. Records carry operators' actions only: never a patient's data.
// A log that is damaged when it is opened is never repaired: what is there stays as evidence, the chain goes
// on after it with a note record, and verify() keeps reporting the damage. Thread safety: append may be
// called by any thread (one mutex). One process at a time (flock).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::control {

// Who asked, and from where ("cli", "api 10.0.0.5", "console …").
struct Who {
  std::uint32_t uid = 0;
  std::string name;
  std::string from;
  // The same person, from wherever.
  bool same_person(const Who& other) const { return uid == other.uid && name == other.name; }
};

// Bounds in bytes. A field that is longer is cut at a character's end and marked with "…"; details that are
// larger, deeper, or not JSON are refused.
inline constexpr std::size_t kAuditMaxField = 256;
inline constexpr std::size_t kAuditMaxDetails = 16384;
inline constexpr int kAuditMaxDepth = 16;
inline constexpr std::size_t kAuditMaxLine = 65536;

struct AuditEntry {
  Who who;
  std::string action;        // "cut", "config.apply", …: [a-z0-9._-], at most 64
  std::string receipt;       // id, or empty
  std::string details_json;  // a JSON object; empty: {}
};

struct AuditAppend {
  std::uint64_t sequence = 0;  // 0: not recorded, see error
  std::string error;    // named failure: "details_not_json", "write_failed: No space left on device", …
  std::string warning;  // recorded, but the head file could not be written
  explicit operator bool() const { return sequence != 0; }
};

struct AuditPaths {
  std::string log = "/var/lib/sekisho/audit/audit.jsonl";
  std::string head;  // empty: log + ".head"
  std::string head_path() const { return head.empty() ? log + ".head" : head; }
};

class Audit {
 public:
  // Opens or creates (0600, directory fsynced). Null: `error` says why (held by another process, not
  // writable, …). The parent directory must exist.
  static std::unique_ptr<Audit> open(const AuditPaths& paths, std::string& error);
  ~Audit();
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Durable when it returns a sequence. Never throws. After a failure the next append tries again; the file
  // holds no half record of the failed one, or a noted one.
  AuditAppend append(const AuditEntry& entry) noexcept;

  std::uint64_t last_sequence() const;
  // What was found wrong when the log was opened; each is also a note record in the log.
  const std::vector<std::string>& opening_notes() const;
  // True if the log (or its head) existed with at least one record when opened.
  bool had_records() const;
  // True if a record of this action is in the log, or if the log has lost records (it may have been there).
  // Reads the whole log.
  bool contains(std::string_view action) const;

 private:
  struct State;
  explicit Audit(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct AuditFinding {
  enum class Kind : std::uint8_t {
    changed,       // the record does not hash to what it, or its successor, says
    removed,       // sequences are missing
    reordered,     // a record stands after a later one, or twice
    tail_removed,  // the head file knows of later records
    not_a_record,  // a line that is no record, and no note explains it
    head_missing,  // the tail cannot be vouched for
    head_behind,   // the head file is more than one record behind
    unreadable
  };
  Kind kind = Kind::unreadable;
  std::uint64_t line = 0;  // 1-based; where it shows. 0: the file as a whole
  std::string text;
};
const char* to_string(AuditFinding::Kind kind);

struct AuditVerdict {
  bool intact = false;
  std::uint64_t records = 0;
  std::uint64_t last_sequence = 0;
  std::vector<AuditFinding> findings;  // at most 1000, then `more`
  bool more = false;
  std::vector<std::string> notes;  // harmless: torn lines that a note explains, head one behind
};

// Reads only; may run beside a writer (a record being written at this moment is a note at most).
AuditVerdict verify(const AuditPaths& paths);

// The chain's head as its file tells it. hash: hex; empty: the file is absent or damaged.
struct AuditHead {
  std::uint64_t sequence = 0;
  std::string hash;
};
AuditHead audit_head(const AuditPaths& paths);

// The last `count` records (at most 10,000), oldest first, as their lines.
std::vector<std::string> audit_tail(const AuditPaths& paths, std::size_t count);

}  // namespace sekisho::control
