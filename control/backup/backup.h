// Backup and restore of a machine: configuration versions, people, signatures, records.db, assets and keys in
// one sealed file (backup/sealed_stream.h).
//
// What is kept as it was but not put into force: latch, receipts, audit, evidence, requests to reopen and
// notices that were still to be sent go to <state>/restored/. After a restore nobody can know what was cut
// since the backup: the new latch says that every link is cut, and each stays so until it is reopened
// (tickets in force end with that); hosts that were isolated still are. Not kept: the event store, captures,
// the JSON log, what is made anew.
//
// restore() writes beside the state and renames at the end: a wrong passphrase, a damaged or a cut off file
// changes nothing. Thread: one; throws BackupError.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/backup/sealed_stream.h"

namespace sekisho::control {

inline constexpr const char* kBackupFolder = "backups";  // in the state; not kept in a backup

struct BackupPlaces {
  std::string state = "/var/lib/sekisho";
  std::string site = "/etc/sekisho";  // configuration as first given, assets, keys; may be absent
};

struct BackupSummary {
  std::uint64_t files = 0, bytes = 0;
  std::string made;                // RFC 3339
  std::vector<std::string> aside;  // restore: where what was there before is now
};

// While sekishod runs or not; one at a time for each state. `file` must not exist, nor lie in what it is to
// keep, but for kBackupFolder.
BackupSummary create_backup(const BackupPlaces& places, const std::string& file, std::string_view passphrase,
                            const SealingCost& cost = {});
// `force`: what is there is moved aside. Without it, state that is not empty is refused.
BackupSummary restore_backup(const BackupPlaces& places, const std::string& file, std::string_view passphrase,
                             bool force);

}  // namespace sekisho::control
