// Vendor access: tickets and proposals.
#include <nlohmann/json.hpp>

#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/daemon/vendor_desk.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

json ticket_json(const TicketDesk& desk, const Ticket& t) {
  json out = json::parse(to_text(t));
  out["remaining_s"] = desk.remaining_s(t);
  return out;
}

json answer(const TicketDesk& desk, TicketAnswer a) {
  if (!a.ok()) throw Refusal{a.status, a.name, a.text};
  json out = {{"ticket", ticket_json(desk, *a.ticket)}};
  if (!a.warnings.empty()) out["warnings"] = a.warnings;
  return out;
}

std::string id_of(const json& body) {
  return text_field(body, "id");
}

TicketRequest request_of(const json& body) {
  TicketRequest r;
  r.vendor = text_field(body, "vendor");
  r.target = text_field(body, "target");
  if (const auto plan = body.find("plan"); plan != body.end()) {
    if (!plan->is_string()) throw Refusal{400, "bad_request", "plan: expected text"};
    r.plan = plan->get<std::string>();
  }
  const std::string kind = text_field(body, "kind", "maintenance");
  if (kind != "maintenance" && kind != "recovery")
    throw Refusal{400, "bad_request", "kind: expected \"maintenance\" or \"recovery\""};
  r.recovery = kind == "recovery";
  if (const auto record = body.find("record"); record != body.end()) {
    if (!record->is_boolean()) throw Refusal{400, "bad_request", "record: expected true or false"};
    r.record = record->get<bool>();
  }
  r.from_wall_s = number_field(body, "from");
  const std::uint64_t length = number_field(body, "for_s");
  r.for_s = length > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(length);
  if (const auto services = body.find("services"); services != body.end()) {
    if (!services->is_array() || services->size() > 64)
      throw Refusal{400, "bad_request", "services: expected a list of names"};
    for (const json& s : *services) {
      if (!s.is_string() || s.get_ref<const std::string&>().size() > 128)
        throw Refusal{400, "bad_request", "services: expected a list of names"};
      r.services.push_back(s.get<std::string>());
    }
  }
  return r;
}

json list_tickets(VendorDesk& vendors, const httplib::Request& request, const Caller& caller) {
  json out = {{"tickets", json::array()}};
  const std::string name = request.get_param_value("state");
  std::optional<TicketState> state;
  if (!name.empty() && !(state = ticket_state_named(name)))
    throw Refusal{400, "bad_request", "state: no ticket is ever '" + name.substr(0, 32) + "'"};
  const bool all = caller.may(Permission::ticket_view);
  if (!all && caller.vendor.empty()) return out;
  for (const Ticket& t : vendors.desk().list(state, all ? "" : caller.vendor)) {
    if (out["tickets"].size() == 1000) break;
    out["tickets"].push_back(ticket_json(vendors.desk(), t));
  }
  return out;
}

json one_ticket(VendorDesk& vendors, const httplib::Request& request, const Caller& caller) {
  const std::string id = request.get_param_value("id");
  const auto t = vendors.desk().find(id);
  if (!t || !(caller.may(Permission::ticket_view) || (!caller.vendor.empty() && caller.vendor == t->vendor)))
    throw Refusal{404, "no_such_ticket", "there is no ticket of that id"};
  json out = {{"ticket", ticket_json(vendors.desk(), *t)}, {"report", nullptr}};
  if (const std::string text = vendors.report(*t); !text.empty())
    out["report"] = json::parse(text, nullptr, false);
  return out;
}

json vendors_view(Daemon& daemon, const Caller& caller) {
  json list = json::array();
  const auto site = daemon.site();
  for (const Vendor& v : site->model.vendors) {
    if (!caller.may(Permission::ticket_view) && caller.vendor != v.name) continue;
    json services = json::array();
    for (const VendorService& s : v.services) services.push_back(s.name);
    list.push_back({{"name", v.name},
                    {"company", v.company},
                    {"target", v.target_name},
                    {"services", std::move(services)},
                    {"longest_s", v.longest_s},
                    {"record", v.record}});
  }
  return {{"vendors", std::move(list)}};
}

json proposals_view(const Proposals& proposals) {
  json list = json::array();
  for (const Proposal& p : proposals.list())
    list.push_back({{"id", p.id},
                    {"action", p.action},
                    {"target", p.target},
                    {"why", {{"en", p.why_en}, {"ja", p.why_ja}}},
                    {"ticket", p.ticket},
                    {"state", p.state},
                    {"by", p.by},
                    {"result", p.result},
                    {"seen", p.seen},
                    {"wall_ns", p.wall_ns},
                    {"last_wall_ns", p.last_wall_ns}});
  return {{"proposals", std::move(list)}};
}

// One action: what was proposed, by the person who asks and with his rights.
json act(Daemon& daemon, const httplib::Request& request, const Caller& caller) {
  const std::uint64_t command = monotonic_ns();
  const std::string id = id_of(body_of(request));
  Proposals& proposals = daemon.vendors().desk().proposals();
  const auto p = proposals.take(id, caller.who.name);
  if (!p) throw Refusal{404, "no_such_proposal", "nothing of that id is open"};
  const auto back = [&](int status, const char* name, std::string text) {
    proposals.settle(id, false, text);
    return Refusal{status, name, std::move(text)};
  };
  Receipt receipt;
  if (p->action == "cut") {
    if (!caller.may(Permission::cut)) throw back(403, "forbidden", "a cut needs the right to cut");
    const auto target = find_target(*daemon.site(), "link:" + p->target);
    if (!target) throw back(409, "no_such_target", "the link is no longer configured");
    receipt = daemon.links().cut(target->links, caller.who, "proposal " + id, command);
  } else {
    const auto key = parse_quarantine_key(p->target);
    if (!key) throw back(409, "bad_host", "not an address");
    receipt = daemon.links().quarantine(*key, 0, caller.who, "proposal " + id, command);
  }
  proposals.settle(id, receipt.outcome != Outcome::refused, receipt.id);
  json out = receipt_to_json(receipt);
  out["text"] = {{"en", receipt_text(receipt, Language::english)},
                 {"ja", receipt_text(receipt, Language::japanese)}};
  return {{"proposal", id}, {"receipt", std::move(out)}};
}

}  // namespace

void add_ticket_routes(ApiServer& server, Daemon& daemon) {
  using P = Permission;
  using Req = httplib::Request;
  VendorDesk& vendors = daemon.vendors();
  TicketDesk& desk = vendors.desk();
  server.get("/v1/tickets", P::self,
             [&](const Req& r, const Caller& c) { return list_tickets(vendors, r, c); });
  server.get("/v1/ticket", P::self, [&](const Req& r, const Caller& c) { return one_ticket(vendors, r, c); });
  server.get("/v1/vendors", P::self, [&](const Req&, const Caller& c) { return vendors_view(daemon, c); });
  server.post("/v1/tickets/request", P::ticket_request, [&](const Req& r, const Caller& c) {
    return answer(desk, desk.request(request_of(body_of(r)), actor_of(c)));
  });
  server.post("/v1/tickets/approve", P::ticket_approve, [&](const Req& r, const Caller& c) {
    return answer(desk, desk.approve(id_of(body_of(r)), actor_of(c)));
  });
  server.post("/v1/tickets/decline", P::ticket_approve, [&](const Req& r, const Caller& c) {
    const json body = body_of(r);
    return answer(desk, desk.decline(id_of(body), text_field(body, "reason"), actor_of(c)));
  });
  server.post("/v1/tickets/open", P::ticket_request, [&](const Req& r, const Caller& c) {
    return answer(desk, desk.open(id_of(body_of(r)), actor_of(c)));
  });
  server.post("/v1/tickets/close", P::ticket_request, [&](const Req& r, const Caller& c) {
    const json body = body_of(r);
    return answer(desk, desk.close(id_of(body), text_field(body, "reason"), actor_of(c)));
  });
  server.post("/v1/tickets/suspend", P::ticket_approve, [&](const Req& r, const Caller& c) {
    const json body = body_of(r);
    return answer(desk, desk.suspend(id_of(body), text_field(body, "reason"), actor_of(c)));
  });
  server.post("/v1/tickets/resume", P::ticket_approve, [&](const Req& r, const Caller& c) {
    return answer(desk, desk.resume(id_of(body_of(r)), actor_of(c)));
  });
  server.post("/v1/tickets/sign", P::ticket_approve, [&](const Req& r, const Caller& c) {
    const json body = body_of(r);
    return answer(desk, desk.sign(id_of(body), text_field(body, "text"), actor_of(c)));
  });
  server.post("/v1/tickets/break-glass", P::ticket_approve, [&](const Req& r, const Caller& c) {
    return answer(desk, desk.break_glass(request_of(body_of(r)), actor_of(c)));
  });
  server.get("/v1/proposals", P::view_events,
             [&](const Req&, const Caller&) { return proposals_view(desk.proposals()); });
  server.post("/v1/proposals/act", P::quarantine,
              [&](const Req& r, const Caller& c) { return act(daemon, r, c); });
  server.post("/v1/proposals/dismiss", P::incident_change, [&](const Req& r, const Caller& c) {
    const json body = body_of(r);
    const std::string reason = text_field(body, "reason");
    if (!desk.proposals().dismiss(id_of(body), c.who.name, reason))
      throw Refusal{404, "no_such_proposal", "nothing of that id is open"};
    daemon.audit(c.who, "proposal.dismiss", json{{"proposal", id_of(body)}, {"reason", reason}}.dump());
    return json{{"proposal", id_of(body)}, {"state", "dismissed"}};
  });
}

}  // namespace sekisho::control
