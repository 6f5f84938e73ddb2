// The receipt of a command on links or hosts: what was asked, when each worker obeyed, what is on record.
// Plain data; times are CLOCK_MONOTONIC ns unless named wall.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/audit/audit.h"
#include "control/link/link_set.h"

namespace sekisho::control {

enum class Outcome : std::uint8_t {
  confirmed,     // every worker has obeyed and its transmit rings have drained
  unconfirmed,   // stored, but some worker has not answered in time: pull the named cables
  no_dataplane,  // stored; no dataplane is running, nothing is forwarded but by the guard, which reads the
                 // words
  refused        // nothing was changed; see `refusal`
};
const char* to_string(Outcome outcome);
enum class Language : std::uint8_t { english, japanese };
enum class CommandKind : std::uint8_t { cut, reopen, undo, quarantine, release, adopt };
const char* to_string(CommandKind kind);

struct WorkerReceipt {
  unsigned worker = 0;
  bool obeyed = false, drained = false, asleep = false;
  std::uint64_t obeyed_ns = 0, drained_ns = 0;  // 0: not known (asleep), or not yet
};
struct LinkReceipt {
  LinkIndex link;
  std::string name;
  bool changed = false;              // false: it was so already
  std::uint64_t last_packet_ns = 0;  // last one handed to a port; 0: none since the dataplane started
  std::uint64_t flows_ended = 0;
  std::uint64_t flows_kept = 0;  // of a partial cut: live flows after it, those of protected hosts
};

struct Receipt {
  std::string id;  // 20261123T120102Z-0007
  CommandKind kind = CommandKind::cut;
  Outcome outcome = Outcome::refused;
  std::string refusal;  // named: "latch_failed: …", "nothing_to_undo", …
  Who who;
  std::string reason;
  std::string subject;  // of quarantine and release: the host
  std::uint64_t command_wall_ns = 0;
  std::uint64_t command_ns = 0;     // when the command came
  std::uint64_t stored_ns = 0;      // when the word was in place
  std::uint64_t confirmed_ns = 0;   // when all workers had drained; 0: not
  std::uint64_t until_wall_ns = 0;  // of a quarantine; 0: until released
  std::uint64_t generation = 0;
  LinkSet named, changed;          // links asked for; links whose state this changed
  LinkSet raised;                  // of a cut: those of `changed` that were partly cut before
  std::vector<LinkReceipt> links;  // those of `named` that the configuration knows (all, if it knows none)
  std::vector<WorkerReceipt> workers;
  std::vector<unsigned> missing;    // workers that have not obeyed or drained
  std::vector<std::string> cables;  // ports to unplug when unconfirmed
  bool partial = false;             // cut partly, or reopened to partly cut: protected hosts pass
  bool reset = false;               // of a cut: TCP connections are ended by RST
  bool latched = false;
  std::string latch_error;
  std::uint64_t audit_sequence = 0;
  std::string audit_error;
  std::string store_error;  // the receipt itself could not be kept
  std::vector<std::string> notes;
  bool nothing_changed() const { return outcome != Outcome::refused && subject.empty() && changed.none(); }
};

nlohmann::json receipt_to_json(const Receipt& receipt);
// Nothing: not a receipt. Reads what receipt_to_json wrote.
std::optional<Receipt> receipt_from_json(const nlohmann::json& json);
// For a person, several lines.
std::string receipt_text(const Receipt& receipt, Language language);

// Receipts on disk, one JSON file each, the newest `keep`. Thread: externally locked.
class ReceiptStore {
 public:
  ReceiptStore(std::string directory, std::size_t keep);
  // A new id, not used by any kept receipt.
  std::string next_id(std::uint64_t wall_ns);
  bool save(const Receipt& receipt, std::string& error);
  std::optional<Receipt> load(const std::string& id) const;  // refuses anything that is not an id
  std::vector<std::string> list() const;                     // ids, newest first

 private:
  std::string directory_;
  std::size_t keep_;
  unsigned counter_ = 0;
};

}  // namespace sekisho::control
