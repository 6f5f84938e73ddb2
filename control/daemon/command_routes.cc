#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "control/daemon/reopenings.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/model/protected.h"
#include "control/model/values.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

Target target_of(const Daemon& daemon, const json& body) {
  const std::string name = text_field(body, "target");
  auto target = find_target(*daemon.site(), name);
  if (!target)
    throw Refusal{404, "no_such_target", "'" + name + "' is neither a link, nor a zone, nor \"all\""};
  return *target;
}

QuarantineKey host_of(const json& body) {
  const std::string text = text_field(body, "host");
  const auto key = parse_quarantine_key(text);
  if (!key) throw Refusal{400, "bad_host", "'" + text + "' is not the IP or MAC address of one host"};
  return *key;
}

json receipt_answer(const Receipt& receipt) {
  json out = receipt_to_json(receipt);
  out["text"] = {{"en", receipt_text(receipt, Language::english)},
                 {"ja", receipt_text(receipt, Language::japanese)}};
  return out;
}

// A token of some zones cuts only links that end in one of them.
void require_own_links(const Caller& caller, const LinkSet& links) {
  if (caller.zones == ~0ull) return;
  LinkSet own;
  for (std::uint32_t a = 0; a < SEKISHO_MAX_ZONES; ++a)
    for (std::uint32_t b = 0; b < SEKISHO_MAX_ZONES && (caller.zones >> a & 1); ++b)
      own.set(sekisho_link_index(a, b));
  if ((links & ~own).any()) throw Refusal{403, "not_allowed", "the token is for another zone"};
}

// A token of some zones isolates only hosts that are seen there, and nowhere else, at this moment.
void require_own_host(const Caller& caller, const QuarantineKey& host, Daemon& daemon) {
  if (caller.zones == ~0ull) return;
  // One at a time: a machine that asks too often must not take the threads that cut.
  static std::mutex one;
  const std::unique_lock turn(one, std::try_to_lock);
  if (!turn) throw Refusal{503, "busy", "another token's host is being looked for: try again"};
  const auto list =
      daemon.session().flows({.link = 0xffffffffu, .only_established = 0, .only_clinical = 0, .limit = 0});
  if (!list) throw Refusal{503, "no_dataplane", "where the host is cannot be seen: " + list.failure().what};
  std::uint64_t seen = 0;
  const std::string wanted = to_string(host);
  for (const abi::FlowRecord& f : list->flows) {
    if (to_string(address_of(f.ip_version, f.source)) == wanted) seen |= 1ull << (f.from_zone & 63);
    if (to_string(address_of(f.ip_version, f.destination)) == wanted) seen |= 1ull << (f.to_zone & 63);
  }
  if (seen == 0)
    throw Refusal{403, "zone_unknown", "no live flow shows where " + wanted + " is: a person has to decide"};
  if ((seen & ~caller.zones) != 0) throw Refusal{403, "not_allowed", "the token is for another zone"};
}

// A partial cut keeps what the asset list protects: with nobody there it keeps nothing.
Receipt with_warning(const Site& site, Receipt receipt) {
  if (receipt.partial && (!site.assets || protected_of(*site.assets).empty()))
    receipt.notes.push_back("no host is protected in the asset list: a partial cut keeps no flow");
  return receipt;
}

// At once where one person is enough; else a request, unless root on this machine breaks the glass.
json reopen(Daemon& daemon, const httplib::Request& request, const Caller& caller) {
  const json body = body_of(request);
  const Target target = target_of(daemon, body);
  std::string reason = text_field(body, "reason");
  const bool glass = flag_field(body, "break_glass"), partial = flag_field(body, "partial");
  const auto site = daemon.site();
  const auto& people = site->model.people;
  if (glass && !caller.local_root)
    throw Refusal{403, "not_allowed", "break_glass: only for root on this machine"};
  if (people && people->reopen_people > 1 && !glass) {
    const Reopening waiting = daemon.reopenings().request(text_field(body, "target"), reason, caller.who,
                                                          people->request_expires_s, partial);
    return {{"request", to_json(waiting)}};
  }
  if (glass) {
    const std::string unrecorded = daemon.audit(
        caller.who, "reopen.break_glass",
        json{
            {"target", text_field(body, "target")}, {"reason", reason}, {"alone", true}, {"partial", partial}}
            .dump());
    spdlog::critical("BREAK GLASS: {} reopens {} alone: {}", caller.who.name, text_field(body, "target"),
                     reason);
    if (!unrecorded.empty()) spdlog::critical("BREAK GLASS: {}", unrecorded);
    reason = "BREAK GLASS: " + reason;
  }
  return receipt_answer(
      with_warning(*site, daemon.links().reopen(target.links, caller.who, reason, 0, partial)));
}

// Opens or closes a vendor access by its name. Open needs an end: the dataplane holds it, also without
// sekishod.
json set_access(Daemon& daemon, const httplib::Request& request, const Caller& caller) {
  const json body = body_of(request);
  const std::string name = text_field(body, "name"), reason = text_field(body, "reason");
  const bool open = flag_field(body, "open");
  const std::uint64_t seconds = number_field(body, "for_s");
  constexpr std::uint64_t kLongest = 24 * 3600;
  const auto site = daemon.site();
  const auto& names = site->model.accesses;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw Refusal{404, "no_such_access", "'" + name + "' is not a [[vendor_access]]"};
  const auto& detail = site->model.access_details[static_cast<std::size_t>(found - names.begin())];
  if (detail.vendor)
    throw Refusal{
        409, "use_a_ticket",
        "'" + name + "' belongs to a [[vendor]]: `sekisho ticket request`, or `ticket break-glass`"};
  if (open && (seconds == 0 || seconds > kLongest))
    throw Refusal{400, "bad_request", "for_s: an access opens for 1 second to 24 hours"};
  const std::uint64_t deadline = open ? monotonic_ns() + seconds * kSecond : 0;
  std::string error;
  if (!daemon.links().set_access(static_cast<std::uint32_t>(found - names.begin()), open, deadline, error))
    throw Refusal{500, "not_stored", error};
  const std::string unrecorded =
      daemon.audit(caller.who, open ? "access.open" : "access.close",
                   json{{"access", name}, {"for_s", seconds}, {"reason", reason}}.dump());
  json out = {{"access", name}, {"open", open}, {"for_s", seconds}};
  if (!unrecorded.empty()) out["audit_error"] = unrecorded;
  return out;
}

}  // namespace

void add_command_routes(ApiServer& server, Daemon& daemon) {
  server.post("/v1/cut", Permission::cut, [&](const httplib::Request& request, const Caller& caller) {
    const std::uint64_t command = monotonic_ns();
    const json body = body_of(request);
    const Target target = target_of(daemon, body);
    const std::string reason = text_field(body, "reason");
    const bool reset = flag_field(body, "reset"), partial = flag_field(body, "partial");
    require_own_links(caller, target.links);
    Receipt receipt = daemon.links().cut(target.links, caller.who, reason, command, reset, partial);
    return receipt_answer(with_warning(*daemon.site(), std::move(receipt)));
  });
  server.post(
      "/v1/reopen", Permission::reopen_request,
      [&](const httplib::Request& request, const Caller& caller) { return reopen(daemon, request, caller); });
  server.post("/v1/undo", Permission::cut, [&](const httplib::Request&, const Caller& caller) {
    const auto site = daemon.site();
    if (site->model.people) daemon.links().set_undo_window(site->model.people->undo_s * kSecond);
    return receipt_answer(daemon.links().undo(caller.who));
  });
  server.post("/v1/quarantine", Permission::quarantine,
              [&](const httplib::Request& request, const Caller& caller) {
                const std::uint64_t command = monotonic_ns();
                const json body = body_of(request);
                const std::uint64_t seconds = number_field(body, "for_s");
                constexpr std::uint64_t kLongest = 366ull * 86400;
                if (seconds > kLongest)
                  throw Refusal{400, "bad_request", "for_s: longer than a year; leave it out for no end"};
                const std::uint64_t until = seconds == 0 ? 0 : wall_ns() + seconds * kSecond;
                const QuarantineKey host = host_of(body);
                require_own_host(caller, host, daemon);
                return receipt_answer(
                    daemon.links().quarantine(host, until, caller.who, text_field(body, "reason"), command));
              });
  server.post("/v1/access", Permission::access_by_hand,
              [&](const httplib::Request& request, const Caller& caller) {
                return set_access(daemon, request, caller);
              });
  server.post("/v1/release", Permission::release, [&](const httplib::Request& request, const Caller& caller) {
    const json body = body_of(request);
    const QuarantineKey host = host_of(body);
    require_own_host(caller, host, daemon);
    return receipt_answer(daemon.links().release(host, caller.who, text_field(body, "reason")));
  });
}

void add_reopening_routes(ApiServer& server, Daemon& daemon) {
  server.get("/v1/reopenings", Permission::view, [&](const httplib::Request&, const Caller&) {
    json rows = json::array();
    for (const Reopening& r : daemon.reopenings().list()) rows.push_back(to_json(r));
    return json{{"reopenings", rows}};
  });
  server.post(
      "/v1/reopenings/approve", Permission::reopen_approve,
      [&](const httplib::Request& request, const Caller& caller) {
        // Root without a login of its own may be anybody, also the one who asked.
        if (caller.local_root && caller.who.uid == 0)
          throw Refusal{403, "which_person",
                        "the kernel does not know which person this root is: approve in the console, come "
                        "by sudo from your own login, or reopen with --break-glass"};
        const json body = body_of(request);
        const auto [reopening, receipt] = daemon.reopenings().approve(
            text_field(body, "id"), text_field(body, "target"), caller.who, flag_field(body, "partial"));
        json out = receipt_answer(receipt);
        out["request"] = to_json(reopening);
        return out;
      });
  server.post(
      "/v1/reopenings/decline", Permission::reopen_approve,
      [&](const httplib::Request& request, const Caller& caller) {
        const json body = body_of(request);
        return json{{"request", to_json(daemon.reopenings().decline(
                                    text_field(body, "id"), text_field(body, "reason"), caller.who))}};
      });
}

}  // namespace sekisho::control
