#include <sodium.h>

#include <deque>
#include <map>
#include <nlohmann/json.hpp>

#include "control/audit/audit.h"
#include "control/audit/line_reader.h"
#include "control/audit/record.h"

namespace sekisho::control {

using namespace audit_detail;

const char* to_string(AuditFinding::Kind kind) {
  switch (kind) {
    case AuditFinding::Kind::changed:
      return "changed";
    case AuditFinding::Kind::removed:
      return "removed";
    case AuditFinding::Kind::reordered:
      return "reordered";
    case AuditFinding::Kind::tail_removed:
      return "tail_removed";
    case AuditFinding::Kind::not_a_record:
      return "not_a_record";
    case AuditFinding::Kind::head_missing:
      return "head_missing";
    case AuditFinding::Kind::head_behind:
      return "head_behind";
    case AuditFinding::Kind::unreadable:
      return "unreadable";
  }
  return "unknown";
}

namespace {

constexpr std::size_t kMaxFindings = 1000;

// One pass. Invariant: every sequence below next_ was seen, or lies in a gap of gaps_, or was over-reported.
class Verifier {
 public:
  explicit Verifier(AuditVerdict& verdict) : verdict_(verdict) {}

  void bad_line(std::uint64_t line, std::string_view text, bool ended) {
    if (!ended) {
      verdict_.notes.push_back("line " + std::to_string(line) + " is not finished");
      return;
    }
    if (bad_.size() < kMaxFindings)
      bad_.push_back({line, blake2b(text)});
    else
      verdict_.more = true;
  }

  void record(std::uint64_t line, const Record& r) {
    ++verdict_.records;
    if (r.computed != r.hash)
      find(AuditFinding::Kind::changed, line,
           "record " + std::to_string(r.sequence) + " does not hash to what it says");
    explain(r);
    if (r.sequence < next_) {
      earlier(line, r.sequence);
      return;
    }
    if (r.sequence > next_) {
      gaps_[next_] = {r.sequence - 1, line};
    } else if (r.previous != last_hash_) {
      find(AuditFinding::Kind::changed, last_line_ != 0 ? last_line_ : line,
           last_line_ == 0
               ? "the first record has a predecessor"
               : "record " + std::to_string(last_sequence_) + " is not the one that record " +
                     std::to_string(r.sequence) + " (line " + std::to_string(line) + ") was written after");
    }
    next_ = r.sequence + 1;
    last_hash_ = r.hash;
    last_sequence_ = r.sequence;
    last_line_ = line;
    verdict_.last_sequence = r.sequence;
    recent_.push_back({r.sequence, r.hash});
    if (recent_.size() > 4096) recent_.pop_front();
  }

  // `before` and `after`: the head file as read before and after the log; a writer may work beside us.
  void finish(HeadFile file, const Head& before, std::uint64_t after) {
    for (const auto& [from, gap] : gaps_)
      find(AuditFinding::Kind::removed, gap.line,
           "records " + std::to_string(from) + " to " + std::to_string(gap.to) + " are missing before it");
    for (const auto& bad : bad_) find(AuditFinding::Kind::not_a_record, bad.line, "not a whole record");
    check_head(file, before, after);
    verdict_.intact = verdict_.findings.empty() && !verdict_.more;
  }

  void find(AuditFinding::Kind kind, std::uint64_t line, std::string text) {
    if (verdict_.findings.size() >= kMaxFindings)
      verdict_.more = true;
    else
      verdict_.findings.push_back({kind, line, std::move(text)});
  }

 private:
  struct Gap {
    std::uint64_t to = 0, line = 0;
  };
  struct Bad {
    std::uint64_t line = 0;
    Hash hash{};
  };

  // A torn line is explained by the note that the next opening wrote.
  void explain(const Record& r) {
    if (r.action != kNoteTorn || r.computed != r.hash) return;
    const auto details = nlohmann::json::parse(r.details_json, nullptr, false);
    if (!details.is_object() || !details.contains("blake2b") || !details["blake2b"].is_string()) return;
    const auto hash = from_hex(details["blake2b"].get_ref<const std::string&>());
    for (auto bad = bad_.begin(); hash && bad != bad_.end(); ++bad) {
      if (bad->hash != *hash) continue;
      verdict_.notes.push_back("line " + std::to_string(bad->line) + " was torn; record " +
                               std::to_string(r.sequence) + " notes it");
      bad_.erase(bad);
      return;
    }
  }

  void earlier(std::uint64_t line, std::uint64_t sequence) {
    auto gap = gaps_.upper_bound(sequence);
    if (gap != gaps_.begin() && sequence <= std::prev(gap)->second.to) {
      gap = std::prev(gap);
      const std::uint64_t from = gap->first;
      const Gap whole = gap->second;
      gaps_.erase(gap);
      if (from < sequence) gaps_[from] = {sequence - 1, whole.line};
      if (sequence < whole.to) gaps_[sequence + 1] = {whole.to, whole.line};
      find(AuditFinding::Kind::reordered, line,
           "record " + std::to_string(sequence) + " stands after a later one");
    } else {
      find(AuditFinding::Kind::reordered, line,
           "record " + std::to_string(sequence) + " is there twice, or out of place");
    }
  }

  void check_head(HeadFile file, const Head& head, std::uint64_t after) {
    const std::uint64_t last = verdict_.last_sequence;
    if (file != HeadFile::good) {
      if (last > 0 || file == HeadFile::damaged)
        find(AuditFinding::Kind::head_missing, 0,
             file == HeadFile::absent ? "the head file is missing" : "the head file is damaged");
      return;
    }
    if (head.sequence > last) {
      find(AuditFinding::Kind::tail_removed, last_line_,
           "the log ends with record " + std::to_string(last) + ", the head file knows " +
               std::to_string(head.sequence));
      return;
    }
    for (const auto& [sequence, hash] : recent_)
      if (sequence == head.sequence && hash != head.hash)
        find(AuditFinding::Kind::changed, last_line_,
             "record " + std::to_string(sequence) + " is not the one that the head file knows");
    if (last == after + 1)
      verdict_.notes.push_back("the head file is one record behind");
    else if (last > after)
      find(AuditFinding::Kind::head_behind, 0,
           "the head file knows record " + std::to_string(after) + " only");
  }

  AuditVerdict& verdict_;
  std::uint64_t next_ = 1, last_sequence_ = 0, last_line_ = 0;
  Hash last_hash_ = kNoHash;
  std::map<std::uint64_t, Gap> gaps_;
  std::vector<Bad> bad_;
  std::deque<std::pair<std::uint64_t, Hash>> recent_;
};

}  // namespace

AuditVerdict verify(const AuditPaths& paths) {
  AuditVerdict verdict;
  Verifier verifier(verdict);
  if (sodium_init() < 0) {
    verifier.find(AuditFinding::Kind::unreadable, 0, "no libsodium");
    return verdict;
  }
  Head head;
  const HeadFile file = read_head(paths.head_path(), head);
  LineReader reader(paths.log);
  if (!reader.is_open()) {
    verifier.find(AuditFinding::Kind::unreadable, 0, "the log cannot be opened: " + paths.log);
    if (file == HeadFile::good && head.sequence > 0) verifier.finish(file, head, head.sequence);
    verdict.intact = false;
    return verdict;
  }
  std::string line;
  while (reader.next(line)) {
    if (const auto record = parse_line(line))
      verifier.record(reader.number(), *record);
    else
      verifier.bad_line(reader.number(), line, reader.ended());
  }
  if (reader.failed()) verifier.find(AuditFinding::Kind::unreadable, reader.number(), "reading failed");
  Head later;
  if (read_head(paths.head_path(), later) != HeadFile::good) later = head;
  verifier.finish(file, head, later.sequence);
  return verdict;
}

std::vector<std::string> audit_tail(const AuditPaths& paths, std::size_t count) {
  std::deque<std::string> lines;
  count = std::min<std::size_t>(count, 10000);
  LineReader reader(paths.log);
  std::string line;
  while (count > 0 && reader.is_open() && reader.next(line)) {
    lines.push_back(line);
    if (lines.size() > count) lines.pop_front();
  }
  return {lines.begin(), lines.end()};
}

AuditHead audit_head(const AuditPaths& paths) {
  Head head;
  if (read_head(paths.head_path(), head) != HeadFile::good) return {};
  return {head.sequence, to_hex(head.hash)};
}

}  // namespace sekisho::control
