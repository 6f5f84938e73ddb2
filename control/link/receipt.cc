#include "control/link/receipt.h"

#include <nlohmann/json.hpp>

namespace sekisho::control {

using nlohmann::json;

const char* to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::confirmed:
      return "CONFIRMED";
    case Outcome::unconfirmed:
      return "UNCONFIRMED";
    case Outcome::no_dataplane:
      return "NO_DATAPLANE";
    case Outcome::refused:
      return "REFUSED";
  }
  return "UNKNOWN";
}

const char* to_string(CommandKind kind) {
  switch (kind) {
    case CommandKind::cut:
      return "cut";
    case CommandKind::reopen:
      return "reopen";
    case CommandKind::undo:
      return "undo";
    case CommandKind::quarantine:
      return "quarantine";
    case CommandKind::release:
      return "release";
    case CommandKind::adopt:
      return "adopt";
  }
  return "unknown";
}

namespace {

template <typename Enum>
std::optional<Enum> from_name(const std::string& name, Enum last) {
  for (unsigned i = 0; i <= static_cast<unsigned>(last); ++i)
    if (name == to_string(static_cast<Enum>(i))) return static_cast<Enum>(i);
  return std::nullopt;
}

// Link indices as [first, last] runs.
json runs(const LinkSet& set) {
  json out = json::array();
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (!set[i]) continue;
    const std::size_t first = i;
    while (i + 1 < set.size() && set[i + 1]) ++i;
    out.push_back({first, i});
  }
  return out;
}

LinkSet links_of(const json& list) {
  LinkSet set;
  for (const json& run : list) {
    const auto first = run.at(0).get<std::size_t>(), last = run.at(1).get<std::size_t>();
    for (std::size_t i = first; i <= last && i < set.size(); ++i) set.set(i);
  }
  return set;
}

}  // namespace

json receipt_to_json(const Receipt& r) {
  json out{{"id", r.id},
           {"command", to_string(r.kind)},
           {"outcome", to_string(r.outcome)},
           {"refusal", r.refusal},
           {"who", {{"uid", r.who.uid}, {"name", r.who.name}, {"from", r.who.from}}},
           {"reason", r.reason},
           {"subject", r.subject},
           {"command_wall_ns", r.command_wall_ns},
           {"command_ns", r.command_ns},
           {"stored_ns", r.stored_ns},
           {"confirmed_ns", r.confirmed_ns},
           {"until_wall_ns", r.until_wall_ns},
           {"generation", r.generation},
           {"named", runs(r.named)},
           {"changed", runs(r.changed)},
           {"raised", runs(r.raised)},
           {"partial", r.partial},
           {"nothing_changed", r.nothing_changed()},
           {"missing_workers", r.missing},
           {"cables", r.cables},
           {"reset", r.reset},
           {"latched", r.latched},
           {"latch_error", r.latch_error},
           {"audit_sequence", r.audit_sequence},
           {"audit_error", r.audit_error},
           {"store_error", r.store_error},
           {"notes", r.notes},
           {"links", json::array()},
           {"workers", json::array()}};
  for (const LinkReceipt& link : r.links)
    out["links"].push_back({{"index", link.link.raw},
                            {"name", link.name},
                            {"changed", link.changed},
                            {"last_packet_ns", link.last_packet_ns},
                            {"flows_ended", link.flows_ended},
                            {"flows_kept", link.flows_kept}});
  for (const WorkerReceipt& worker : r.workers)
    out["workers"].push_back({{"worker", worker.worker},
                              {"obeyed", worker.obeyed},
                              {"drained", worker.drained},
                              {"asleep", worker.asleep},
                              {"obeyed_ns", worker.obeyed_ns},
                              {"drained_ns", worker.drained_ns}});
  return out;
}

std::optional<Receipt> receipt_from_json(const json& in) try {
  Receipt r;
  const auto kind = from_name(in.at("command").get<std::string>(), CommandKind::adopt);
  const auto outcome = from_name(in.at("outcome").get<std::string>(), Outcome::refused);
  if (!kind || !outcome) return std::nullopt;
  r.id = in.at("id").get<std::string>();
  r.kind = *kind;
  r.outcome = *outcome;
  r.refusal = in.at("refusal").get<std::string>();
  r.who.uid = in.at("who").at("uid").get<std::uint32_t>();
  r.who.name = in.at("who").at("name").get<std::string>();
  r.who.from = in.at("who").at("from").get<std::string>();
  r.reason = in.at("reason").get<std::string>();
  r.subject = in.at("subject").get<std::string>();
  r.command_wall_ns = in.at("command_wall_ns").get<std::uint64_t>();
  r.command_ns = in.at("command_ns").get<std::uint64_t>();
  r.stored_ns = in.at("stored_ns").get<std::uint64_t>();
  r.confirmed_ns = in.at("confirmed_ns").get<std::uint64_t>();
  r.until_wall_ns = in.at("until_wall_ns").get<std::uint64_t>();
  r.generation = in.at("generation").get<std::uint64_t>();
  r.named = links_of(in.at("named"));
  r.changed = links_of(in.at("changed"));
  if (in.contains("raised")) r.raised = links_of(in.at("raised"));
  r.partial = in.value("partial", false);
  r.missing = in.at("missing_workers").get<std::vector<unsigned>>();
  r.cables = in.at("cables").get<std::vector<std::string>>();
  r.reset = in.at("reset").get<bool>();
  r.latched = in.at("latched").get<bool>();
  r.latch_error = in.at("latch_error").get<std::string>();
  r.audit_sequence = in.at("audit_sequence").get<std::uint64_t>();
  r.audit_error = in.at("audit_error").get<std::string>();
  r.store_error = in.at("store_error").get<std::string>();
  r.notes = in.at("notes").get<std::vector<std::string>>();
  for (const json& link : in.at("links"))
    r.links.push_back({LinkIndex(link.at("index").get<std::uint16_t>()), link.at("name").get<std::string>(),
                       link.at("changed").get<bool>(), link.at("last_packet_ns").get<std::uint64_t>(),
                       link.at("flows_ended").get<std::uint64_t>(),
                       link.value("flows_kept", std::uint64_t{0})});
  for (const json& worker : in.at("workers"))
    r.workers.push_back({worker.at("worker").get<unsigned>(), worker.at("obeyed").get<bool>(),
                         worker.at("drained").get<bool>(), worker.at("asleep").get<bool>(),
                         worker.at("obeyed_ns").get<std::uint64_t>(),
                         worker.at("drained_ns").get<std::uint64_t>()});
  return r;
} catch (const json::exception&) {
  return std::nullopt;
}

}  // namespace sekisho::control
