// sekishod's part in signature sets: which set is in force since when, what imports it, and when new
// signatures start to act.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "control/daemon/daemon.h"
#include "control/ips/ledger.h"
#include "control/model/protected.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/hash.h"
#include "signatures/bundle.h"
#include "signatures/compile_file.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint64_t kRefreshAgain_s = 600;

std::string ledger_path(const DaemonOptions& o) {
  return o.state_directory + "/signatures/first-seen";
}
std::string in_force_path(const DaemonOptions& o) {
  return o.state_directory + "/signatures/in-force";
}

// A damaged ledger is put aside: what it said is lost, and every signature is new.
void load_ledger(Ledger& ledger, const std::string& path) {
  std::string why;
  if (ledger.load(path, why)) return;
  spdlog::error("{}: put aside, every signature counts as new", why);
  std::rename(path.c_str(), (path + ".damaged").c_str());
}

}  // namespace

std::shared_ptr<const Names> Daemon::names_of(const Site& site, std::uint64_t generation) const {
  std::vector<AssetName> hosts;
  if (site.assets)
    for (const Asset& a : site.assets->all())
      if (a.address.low == a.address.high) hosts.push_back({a.address.low, a.name});
  auto names = std::make_shared<Names>(site.model, generation, hosts);
  if (site.signatures)
    names->set_signatures(site.signatures, {site.set.categories.begin(), site.set.categories.end()});
  return names;
}

// REQUIRES: change_ is held, or no other thread runs yet.
void Daemon::enter_signatures(const Site& site) {
  if (!site.signatures) return;
  Ledger ledger;
  load_ledger(ledger, ledger_path(options_));
  if (!ledger.note(*site.signatures, wall_ns() / kSecond)) return;
  if (const std::string why = ledger.save(ledger_path(options_)); !why.empty())
    spdlog::error("when signatures came into force cannot be kept: {}", why);
}

namespace {

// Of the protected hosts that a snapshot of this site carries.
std::string protected_hash(const Site& site) {
  const std::string bytes = pack(site.assets ? protected_of(*site.assets) : ProtectedAddresses());
  return fmt::format("{:016x}", hash64({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}));
}

}  // namespace

// The dataplane reports signatures by their index: names of another set would be lies. And a partial cut must
// keep the hosts that the asset list names now.
bool Daemon::runs_our_set(const Site& site, std::uint64_t generation) const {
  std::vector<std::uint8_t> bytes;
  if (!signatures::read_file(in_force_path(options_), 4096, bytes).empty())
    return !site.signatures && protected_hash(site) == protected_hash(Site());
  const json j = json::parse(bytes, nullptr, false);
  return j.is_object() && j.value("generation", std::uint64_t{0}) == generation &&
         j.value("hash", "") == site.set.hash && j.value("protected", "") == protected_hash(site);
}

void Daemon::note_in_force(const Site& site) const {
  const std::string text =
      json{{"generation", site.generation}, {"hash", site.set.hash}, {"protected", protected_hash(site)}}
          .dump();
  const std::string why = signatures::write_file(
      in_force_path(options_), {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  if (!why.empty()) spdlog::warn("{}", why);
}

// The configuration in force with what its files, sets and ledger are now. REQUIRES: change_ is held.
ApplyResult Daemon::recompile() {
  const auto now = site_.load();
  Checked checked = prepare(now->model.text, store_.path(now->version), now->version);
  ApplyResult result;
  if (!checked.ok) {
    result.error =
        "invalid: " + (checked.failure.empty() ? std::string("see the diagnostics") : checked.failure);
  } else {
    result = put_in_force(checked.site, true);
    result.version = now->version;
  }
  result.diagnostics = checked.diagnostics;
  return result;
}

ApplyResult Daemon::import_set(const std::string& path, bool force, const Who& who,
                               const std::string& reason) {
  ApplyResult result;
  std::vector<std::uint8_t> bytes;
  if (result.error = signatures::read_file(path, signatures::kMaxBundleBytes, bytes); !result.error.empty()) {
    result.error = "unreadable: " + result.error;
    return result;
  }
  const std::lock_guard lock(change_);
  std::vector<signatures::PublicKey> keys;
  for (const std::string& text : site_.load()->model.ips.trusted_keys)
    if (signatures::PublicKey key; signatures::read_key(text, key)) keys.push_back(key);
  signatures::Bundle bundle;
  if (result.error = signatures::open_bundle(bytes, keys, bundle); !result.error.empty()) return result;
  SetStore store = set_store();
  const SetStore::Links before = store.links();
  if (result.error = store.install(bundle, force); !result.error.empty()) return result;
  result = recompile();
  if (!result.ok) {
    const std::string why = store.set_links(before);
    if (!why.empty()) result.error += "; and the set before could not be put back: " + why;
    return result;
  }
  store.trim();
  const std::string unrecorded = audit(who, "signatures.import",
                                       json{{"name", bundle.manifest.name},
                                            {"version", bundle.manifest.version},
                                            {"key", signatures::text_of(bundle.key)},
                                            {"forced", force},
                                            {"hash", site_.load()->set.hash},
                                            {"reason", reason}}
                                           .dump());
  if (!unrecorded.empty()) result.error = unrecorded;
  return result;
}

ApplyResult Daemon::step_back_set(const Who& who, const std::string& reason) {
  const std::lock_guard lock(change_);
  ApplyResult result;
  SetStore store = set_store();
  const SetStore::Links before = store.links();
  if (result.error = store.step_back(); !result.error.empty()) return result;
  result = recompile();
  if (!result.ok) {
    const std::string why = store.set_links(before);
    if (!why.empty()) result.error += "; and the set before could not be put back: " + why;
    return result;
  }
  const auto now = store.current();
  const std::string unrecorded = audit(
      who, "signatures.rollback",
      json{{"name", now ? now->name : ""}, {"version", now ? now->version : 0}, {"reason", reason}}.dump());
  if (!unrecorded.empty()) result.error = unrecorded;
  return result;
}

ApplyResult Daemon::promote(const std::vector<std::uint32_t>& sids, const Who& who,
                            const std::string& reason) {
  const std::lock_guard lock(change_);
  ApplyResult result;
  const auto site = site_.load();
  Ledger ledger;
  load_ledger(ledger, ledger_path(options_));
  const std::uint64_t now = wall_ns() / kSecond;
  for (const auto sid : sids) {
    bool found = false;
    if (site->signatures)
      for (const auto& s : site->signatures->signatures) {
        if (s.sid != sid) continue;
        ledger.promote({s.gid, s.sid, s.rev}, now);
        found = true;
      }
    if (!found) {
      result.error = "no_such_signature: " + std::to_string(sid) + " is not in force";
      return result;
    }
  }
  if (result.error = ledger.save(ledger_path(options_)); !result.error.empty()) return result;
  result = recompile();
  if (!result.ok) return result;
  const std::string unrecorded =
      audit(who, "signatures.promote", json{{"sids", sids}, {"reason", reason}}.dump());
  if (!unrecorded.empty()) result.error = unrecorded;
  return result;
}

// Session thread. Compiling takes seconds: it has a thread of its own.
void Daemon::refresh_when_due() {
  if (refreshing_) return;
  if (refresher_.joinable()) refresher_.join();
  const std::uint64_t now = wall_ns() / kSecond, due = site_.load()->set.acts_from_wall_s;
  if (due == 0 || now < due || now < next_refresh_wall_s_) return;
  next_refresh_wall_s_ = now + kRefreshAgain_s;
  refreshing_ = true;
  refresher_ = std::thread([this] {
    const std::lock_guard lock(change_);
    const std::uint64_t recent = site_.load()->set.recent;
    const ApplyResult result = recompile();
    if (result.ok) {
      spdlog::info("signatures: {} of {} new ones act from now on", recent - site_.load()->set.recent,
                   recent);
      audit({0, "sekishod", "internal"}, "signatures.act",
            json{{"still_new", site_.load()->set.recent}}.dump());
    } else {
      spdlog::error("signatures that are new no more still only detect: {}", result.error);
    }
    refreshing_ = false;
  });
}

}  // namespace sekisho::control
