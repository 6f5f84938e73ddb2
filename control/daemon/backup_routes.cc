// POST /v1/backup: a backup made on the machine.
//
// The answer names the file and never carries it. A backup holds every second factor and the signing keys,
// and the passphrase comes with the request: who took over one admin's session could otherwise take home what
// makes him all people at once. The file stays in the state's folder until root of the machine takes it away.
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>

#include "control/backup/backup.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/records/database.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kKept = 3;
constexpr std::uint64_t kSmallFiles = 256ull << 20;  // what may be in the state besides records.db
constexpr std::string_view kSuffix = ".backup";

// Of this second; names sort by time.
std::string file_now(const std::string& folder) {
  const auto now = static_cast<time_t>(wall_ns() / kSecond);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  strftime(text, sizeof text, "sekisho-%Y%m%dT%H%M%SZ", &parts);
  std::string path = fmt::format("{}/{}{}", folder, text, kSuffix);
  for (int i = 2; fs::exists(path); ++i) path = fmt::format("{}/{}-{}{}", folder, text, i, kSuffix);
  return path;
}

// records.db is copied first and then written sealed: twice its size. Latch and audit keep their room.
void check_room(Daemon& daemon, const std::string& folder) {
  struct statvfs s {};
  if (statvfs(folder.c_str(), &s) != 0) throw Refusal{503, "no_room", folder + " cannot be looked at"};
  std::error_code none;
  const std::uintmax_t records = fs::file_size(daemon.options().state_directory + "/records.db", none);
  const std::uint64_t needed =
      2 * (none ? 0 : records) + kSmallFiles + daemon.site()->model.records.reserve_bytes;
  if (std::uint64_t{s.f_bavail} * s.f_frsize < needed)
    throw Refusal{507, "no_room", fmt::format("{}: a backup needs {} MiB free", folder, needed >> 20)};
}

// The newest stay.
void forget_older(const std::string& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == kSuffix) found.push_back(it->path());
  std::sort(found.rbegin(), found.rend());
  for (std::size_t i = kKept; i < found.size(); ++i) fs::remove(found[i], error);
}

json make_backup(Daemon& daemon, const httplib::Request& request, const Caller& caller) {
  json body = body_of(request);
  std::string passphrase = text_field(body, "passphrase");
  if (passphrase.size() < kLeastPassphrase || passphrase.size() > kMostPassphrase)
    throw Refusal{400, "bad_passphrase",
                  fmt::format("passphrase: {} to {} bytes", kLeastPassphrase, kMostPassphrase)};
  const BackupPlaces places{.state = daemon.options().state_directory};
  const std::string folder = places.state + "/" + kBackupFolder;
  ::mkdir(folder.c_str(), 0700);
  check_room(daemon, folder);
  const std::string file = file_now(folder);
  BackupSummary summary;
  try {
    summary = create_backup(places, file, passphrase);
  } catch (const BackupBusy& e) {
    throw Refusal{409, "busy", e.what()};
  } catch (const BackupError& e) {
    throw Refusal{503, "backup", e.what()};
  }
  sodium_memzero(passphrase.data(), passphrase.size());
  forget_older(folder);
  const std::string unrecorded =
      daemon.audit(caller.who, "backup.create",
                   json{{"file", file}, {"files", summary.files}, {"bytes", summary.bytes}}.dump());
  json out = {{"ok", true},
              {"file", file},
              {"files", summary.files},
              {"bytes", summary.bytes},
              {"made", summary.made}};
  if (!unrecorded.empty()) out["not_recorded"] = unrecorded;
  return out;
}

}  // namespace

void add_backup_routes(ApiServer& server, Daemon& daemon) {
  server.post("/v1/backup", Permission::machine, [&](const httplib::Request& r, const Caller& caller) {
    return make_backup(daemon, r, caller);
  });
}

}  // namespace sekisho::control
