#include "control/daemon/evidence_of.h"

#include <sodium.h>
#include <sys/utsname.h>

#include <nlohmann/json.hpp>

#include "control/daemon/daemon.h"
#include "control/daemon/views.h"
#include "control/events/eve.h"
#include "dataplane/abi/words.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

// About 30 MB and 14 MB as JSON: an archive has at most 64 MiB.
constexpr std::size_t kMostFlows = 50'000, kMostEvents = 20'000, kAuditLines = 200;
// How far back events are taken.
constexpr std::uint64_t kBeforeNs = 600 * kSecond;

std::string dump(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string sha256_hex(const std::string& text) {
  unsigned char hash[crypto_hash_sha256_BYTES];
  char hex[2 * sizeof hash + 1];
  crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
}

void add_site(Daemon& daemon, EvidenceWriter& archive) {
  const auto site = daemon.site();
  json out = {{"site", site->model.name},
              {"sekishod", SEKISHO_VERSION},
              {"config_version", site->version},
              {"config_sha256", sha256_hex(site->model.text)},
              {"snapshot_generation", site->generation},
              {"signature_set", site->signatures ? json(site->set.hash) : json(nullptr)},
              {"made_wall_ns", wall_ns()}};
  utsname kernel{};
  if (::uname(&kernel) == 0) out["kernel"] = std::string(kernel.release) + " " + kernel.version;
  if (const auto attachment = daemon.session().attachment()) {
    const DataplaneCount d = read_dataplane(attachment->region(), attachment->workers());
    out["dataplane"] = {{"pid", d.pid}, {"build", d.build}, {"started_wall_ns", d.started_wall_ns}};
  }
  out["links"] = status_view(*site, daemon.links().status());
  archive.add("site.json", out.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

void add_flows(Daemon& daemon, EvidenceWriter& archive) {
  if (daemon.session().state() != SessionState::running) return;
  const auto list = daemon.session().flows(
      {.link = 0xffffffffu, .only_established = 0, .only_clinical = 0, .limit = kMostFlows});
  if (!list) return archive.add("flows-left.jsonl.absent", list.failure().what + "\n");
  const auto site = daemon.site();
  const std::uint64_t now = monotonic_ns();
  std::string out;
  for (const abi::FlowRecord& f : list->flows) out += dump(flow_view(*site, f, now));
  archive.add("flows-left.jsonl", out);
  if (list->truncated) archive.add("flows-left.truncated", "more flows were live than an archive lists\n");
}

void add_events(Daemon& daemon, const Receipt& receipt, EvidenceWriter& archive) {
  EveFormatter format;
  format.set_wall_offset(static_cast<std::int64_t>(wall_ns() - monotonic_ns()));
  const std::uint64_t from = receipt.command_ns > kBeforeNs ? receipt.command_ns - kBeforeNs : 0;
  std::string ended, others;
  for (const abi::Event& e : daemon.events().recent().latest({}, kMostEvents)) {
    if (e.time_ns < from) continue;
    const bool by_this = e.kind == abi::EventKind::flow_end && e.time_ns >= receipt.command_ns &&
                         (e.end == abi::FlowEnd::link_cut || e.end == abi::FlowEnd::quarantined) &&
                         (receipt.named.none() || (e.link < receipt.named.size() && receipt.named[e.link]));
    format.append(by_this ? ended : others, e, *daemon.events().names(e.snapshot_generation));
  }
  archive.add("flows-ended.jsonl", ended);
  archive.add("events.jsonl", others);
}

void add_counters(Daemon& daemon, EvidenceWriter& archive) {
  const auto attachment = daemon.session().attachment();
  if (!attachment) return;
  const auto site = daemon.site();
  json links = json::array();
  for (const Link& l : site->model.links) {
    const LinkCount c = read_link(attachment->region(), attachment->workers(),
                                  static_cast<std::uint16_t>(sekisho_link_index(l.zone_a, l.zone_b)));
    links.push_back({{"link", l.name},
                     {"packets", c.packets},
                     {"bytes", c.bytes},
                     {"last_pass_ns", c.last_pass_ns},
                     {"flows_live", c.flows_live},
                     {"flows_ended_by_cut", c.flows_ended_by_cut},
                     {"resets_sent", c.resets_sent}});
  }
  const DataplaneCount d = read_dataplane(attachment->region(), attachment->workers());
  const json drops = drops_view(*site,
                                read_drops(attachment->region(), attachment->workers(),
                                           static_cast<std::uint32_t>(site->model.zones.size())),
                                daemon.events().talkers().top(50));
  archive.add("counters.json", json{{"links", links},
                                    {"drops", drops},
                                    {"events_lost", d.total.events_lost},
                                    {"packets_received", d.total.packets_received},
                                    {"packets_sent", d.total.packets_sent}}
                                   .dump(1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

void add_evidence(Daemon& daemon, const Receipt& receipt, EvidenceWriter& archive) {
  add_site(daemon, archive);
  add_events(daemon, receipt, archive);
  add_flows(daemon, archive);
  add_counters(daemon, archive);
  std::string audit;
  for (const std::string& line : audit_tail(daemon.audit_paths(), kAuditLines)) audit += line + "\n";
  archive.add("audit.jsonl", audit);
}

}  // namespace sekisho::control
