#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
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
    const bool reset = flag_field(body, "reset");
    return receipt_answer(daemon.links().cut(target.links, caller.who, reason, command, reset));
  });
  server.post(
      "/v1/reopen", Permission::reopen_request, [&](const httplib::Request& request, const Caller& caller) {
        const json body = body_of(request);
        return receipt_answer(
            daemon.links().reopen(target_of(daemon, body).links, caller.who, text_field(body, "reason")));
      });
  server.post("/v1/undo", Permission::cut, [&](const httplib::Request&, const Caller& caller) {
    return receipt_answer(daemon.links().undo(caller.who));
  });
  server.post(
      "/v1/quarantine", Permission::quarantine, [&](const httplib::Request& request, const Caller& caller) {
        const std::uint64_t command = monotonic_ns();
        const json body = body_of(request);
        const std::uint64_t seconds = number_field(body, "for_s");
        constexpr std::uint64_t kLongest = 366ull * 86400;
        if (seconds > kLongest)
          throw Refusal{400, "bad_request", "for_s: longer than a year; leave it out for no end"};
        const std::uint64_t until = seconds == 0 ? 0 : wall_ns() + seconds * kSecond;
        return receipt_answer(
            daemon.links().quarantine(host_of(body), until, caller.who, text_field(body, "reason"), command));
      });
  server.post("/v1/access", Permission::access_by_hand,
              [&](const httplib::Request& request, const Caller& caller) {
                return set_access(daemon, request, caller);
              });
  server.post("/v1/release", Permission::release, [&](const httplib::Request& request, const Caller& caller) {
    const json body = body_of(request);
    return receipt_answer(daemon.links().release(host_of(body), caller.who, text_field(body, "reason")));
  });
}

}  // namespace sekisho::control
