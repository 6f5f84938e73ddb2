#include <nlohmann/json.hpp>

#include "control/access/ticket.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

json who_json(const Who& who) {
  return who.name.empty() ? json(nullptr) : json{{"uid", who.uid}, {"name", who.name}, {"from", who.from}};
}

Who who_of(const json& j, const char* key) {
  const auto it = j.find(key);
  if (it == j.end() || !it->is_object()) return {};
  return {it->value("uid", 0u), it->value("name", ""), it->value("from", "")};
}

}  // namespace

std::string to_text(const Ticket& t) {
  json history = json::array();
  for (const TicketStep& s : t.history)
    history.push_back({{"wall_ns", s.wall_ns}, {"act", s.act}, {"who", s.who}, {"text", s.text}});
  const json out = {{"id", t.id},
                    {"vendor", t.vendor},
                    {"company", t.company},
                    {"target", t.target},
                    {"target_name", t.target_name},
                    {"services", t.services},
                    {"plan", t.plan},
                    {"kind", t.recovery ? "recovery" : "maintenance"},
                    {"break_glass", t.break_glass},
                    {"record", t.record},
                    {"from_wall_s", t.from_wall_s},
                    {"for_s", t.for_s},
                    {"state", name_of(t.state)},
                    {"requested_by", who_json(t.requested_by)},
                    {"approved_by", who_json(t.approved_by)},
                    {"signed_by", who_json(t.signed_by)},
                    {"requested_wall_ns", t.requested_wall_ns},
                    {"approved_wall_ns", t.approved_wall_ns},
                    {"opened_wall_ns", t.opened_wall_ns},
                    {"ended_wall_ns", t.ended_wall_ns},
                    {"signed_wall_ns", t.signed_wall_ns},
                    {"boot", t.boot},
                    {"opened_ns", t.opened_ns},
                    {"deadline_ns", t.deadline_ns},
                    {"ended_ns", t.ended_ns},
                    {"word_stored", t.word_stored},
                    {"ended_by", t.ended_by},
                    {"reason", t.reason},
                    {"signature", t.signature},
                    {"chased_wall_s", t.chased_wall_s},
                    {"history", std::move(history)}};
  return out.dump(1, ' ', false, json::error_handler_t::replace);
}

std::optional<Ticket> ticket_from_text(const std::string& text) {
  const json j = json::parse(text, nullptr, false);
  if (!j.is_object()) return std::nullopt;
  try {
    Ticket t;
    t.id = j.at("id").get<std::string>();
    t.vendor = j.at("vendor").get<std::string>();
    t.target = j.at("target").get<std::string>();
    t.services = j.at("services").get<std::vector<std::string>>();
    const auto state = ticket_state_named(j.at("state").get<std::string>());
    if (!state || t.id.empty()) return std::nullopt;
    t.state = *state;
    t.company = j.value("company", "");
    t.target_name = j.value("target_name", "");
    t.plan = j.value("plan", "");
    t.recovery = j.value("kind", "") == "recovery";
    t.break_glass = j.value("break_glass", false);
    t.record = j.value("record", false);
    t.from_wall_s = j.value("from_wall_s", std::uint64_t{0});
    t.for_s = j.value("for_s", 0u);
    t.requested_by = who_of(j, "requested_by");
    t.approved_by = who_of(j, "approved_by");
    t.signed_by = who_of(j, "signed_by");
    t.requested_wall_ns = j.value("requested_wall_ns", std::uint64_t{0});
    t.approved_wall_ns = j.value("approved_wall_ns", std::uint64_t{0});
    t.opened_wall_ns = j.value("opened_wall_ns", std::uint64_t{0});
    t.ended_wall_ns = j.value("ended_wall_ns", std::uint64_t{0});
    t.signed_wall_ns = j.value("signed_wall_ns", std::uint64_t{0});
    t.boot = j.value("boot", "");
    t.opened_ns = j.value("opened_ns", std::uint64_t{0});
    t.deadline_ns = j.value("deadline_ns", std::uint64_t{0});
    t.ended_ns = j.value("ended_ns", std::uint64_t{0});
    t.word_stored = j.value("word_stored", false);
    t.ended_by = j.value("ended_by", "");
    t.reason = j.value("reason", "");
    t.signature = j.value("signature", "");
    t.chased_wall_s = j.value("chased_wall_s", std::uint64_t{0});
    for (const json& s : j.value("history", json::array()))
      t.history.push_back({s.value("wall_ns", std::uint64_t{0}), s.value("act", ""), s.value("who", ""),
                           s.value("text", "")});
    return t;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::string text_object(std::initializer_list<std::pair<const char*, std::string>> pairs) {
  json out = json::object();
  for (const auto& [key, value] : pairs) out[key] = value;
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace sekisho::control
