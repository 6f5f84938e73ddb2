// /v1/signatures…: the set in force, imports, steps back, promotions.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/daemon/views.h"
#include "control/ips/ledger.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::size_t kMostListed = 200'000;

std::uint64_t number(const std::string& text, std::uint64_t fallback, std::uint64_t most, const char* name) {
  if (text.empty()) return fallback;
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text.c_str(), &end, 10);
  if (*end != '\0' || text.front() == '-' || value > most)
    throw Refusal{400, "bad_request", std::string(name) + ": expected a number"};
  return value;
}

bool contains(std::string_view text, std::string_view lower) {
  const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::search(text.begin(), text.end(), lower.begin(), lower.end(),
                     [&](char a, char b) { return fold(a) == b; }) != text.end();
}

// What the links do with each signature, read from the snapshot itself.
class LinkActions {
 public:
  explicit LinkActions(const Site& site) : site_(site) {
    abi::SnapshotHeader header{};
    const int fd = site.snapshot.get();
    if (fd < 0 || pread(fd, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) return;
    const auto section = [&](abi::Section which, auto& out) {
      const abi::SectionRecord& s = header.section[static_cast<std::uint32_t>(which)];
      if (s.record_bytes != sizeof(out[0]) || s.count > abi::kMaxSnapshotBytes / sizeof(out[0])) return;
      out.resize(s.count);
      const auto bytes = static_cast<ssize_t>(s.count * sizeof(out[0]));
      if (pread(fd, out.data(), static_cast<std::size_t>(bytes), static_cast<off_t>(s.offset)) != bytes)
        out.clear();
    };
    section(abi::Section::links, links_);
    section(abi::Section::ips_actions, actions_);
  }

  json of(std::size_t index) const {
    static constexpr const char* kActions[] = {"as written", "off", "alert", "drop", "reject"};
    json out = json::object();
    for (std::size_t l = 0; l < links_.size() && l < site_.model.links.size(); ++l) {
      const abi::LinkRecord& link = links_[l];
      if (link.ips == static_cast<std::uint8_t>(abi::IpsMode::off)) continue;
      const std::size_t at = link.ips_actions == UINT32_MAX ? actions_.size() : link.ips_actions + index;
      const std::uint8_t action = at < actions_.size() ? actions_[at] : 0;
      out[site_.model.links[l].name] = kActions[action < std::size(kActions) ? action : 0];
    }
    return out;
  }

 private:
  const Site& site_;
  std::vector<abi::LinkRecord> links_;
  std::vector<std::uint8_t> actions_;
};

json list(Daemon& daemon, const httplib::Request& request) {
  const auto site = daemon.site();
  json rows = json::array();
  const std::uint64_t sid = number(parameter(request, "sid"), 0, 0xffffffff, "sid");
  const std::uint64_t limit = number(parameter(request, "limit"), 100, kMostListed, "limit");
  std::string text = parameter(request, "grep");
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  Ledger ledger;
  std::string why;
  ledger.load(daemon.options().state_directory + "/signatures/first-seen", why);
  const LinkActions actions(*site);
  const std::uint64_t now = wall_ns() / kSecond;
  std::size_t total = 0;
  if (site->signatures) {
    const auto& all = site->signatures->signatures;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& s = all[i];
      if (sid != 0 && s.sid != sid) continue;
      if (!text.empty() && !contains(s.msg, text) && !contains(s.classtype, text)) continue;
      if (++total > limit) continue;
      json row = {{"sid", s.sid}, {"gid", s.gid},           {"rev", s.rev},
                  {"msg", s.msg}, {"action", s.action},     {"classtype", s.classtype},
                  {"app", s.app}, {"priority", s.priority}, {"links", actions.of(i)}};
      const SignatureKey key{s.gid, s.sid, s.rev};
      if (const auto from = ledger.acts_from(key, site->model.ips.new_detect_s, now); from != 0)
        row["only_detects_until_wall_s"] = from;
      if (ledger.promoted(key)) row["promoted"] = true;
      if (sid != 0) {
        row["references"] = s.references;
        row["metadata"] = s.metadata;
      }
      rows.push_back(std::move(row));
    }
  }
  return {{"set", signatures_view(*site)}, {"total", total}, {"signatures", std::move(rows)}};
}

// What signatures have cost since their set was loaded, the dearest first.
json dearest(Daemon& daemon, const httplib::Request& request) {
  static constexpr const char* kOrders[] = {"time", "judged", "hits", "matches"};
  const std::string by = request.has_param("by") ? parameter(request, "by") : kOrders[0];
  const auto order = std::find(std::begin(kOrders), std::end(kOrders), by);
  if (order == std::end(kOrders))
    throw Refusal{400, "bad_request", "by: expected time, judged, hits or matches"};
  const std::uint64_t limit = number(parameter(request, "limit"), 20, abi::kMaxCosts, "limit");
  if (limit == 0) throw Refusal{400, "bad_request", "limit: expected a number from 1"};
  const auto site = daemon.site();
  const auto answer = daemon.session().signature_costs(
      {static_cast<abi::CostOrder>(order - std::begin(kOrders)), static_cast<std::uint32_t>(limit)});
  if (!answer) throw Refusal{503, "no_dataplane", "the dataplane cannot be asked: " + answer.failure().what};
  const auto names = daemon.events().names(static_cast<std::uint32_t>(answer->generation));
  json rows = json::array();
  for (const abi::SignatureCost& c : answer->costs) {
    const auto* s = names->signature(c.signature);
    if (s == nullptr) continue;  // of a set that is no longer known here
    rows.push_back({{"sid", s->sid},
                    {"gid", s->gid},
                    {"msg", s->msg},
                    {"hits", c.hits},
                    {"judged", c.judged},
                    {"matches", c.matches},
                    {"time_ns", c.time_ns}});
  }
  return {{"generation", answer->generation},
          {"current", answer->generation == site->generation},
          {"by", by},
          {"signatures", rows}};
}

}  // namespace

void add_signature_routes(ApiServer& server, Daemon& daemon) {
  server.get("/v1/signatures", Permission::view,
             [&](const httplib::Request& request, const Caller&) { return list(daemon, request); });
  server.get("/v1/signatures/top", Permission::view,
             [&](const httplib::Request& request, const Caller&) { return dearest(daemon, request); });
  server.get("/v1/signatures/rejected", Permission::view, [&](const httplib::Request&, const Caller&) {
    const auto site = daemon.site();
    return json{{"total", site->set.rejected}, {"rejected", site->set.rejections}};
  });
  server.post("/v1/signatures/import", Permission::signature_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const json body = body_of(request);
                const std::string path = text_field(body, "path");
                if (!path.starts_with('/'))
                  throw Refusal{400, "bad_request", "path: expected an absolute path"};
                const bool force = flag_field(body, "force");
                return apply_answer(daemon.import_set(path, force, caller.who, text_field(body, "reason")));
              });
  server.post("/v1/signatures/rollback", Permission::signature_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const json body = body_of(request);
                return apply_answer(daemon.step_back_set(caller.who, text_field(body, "reason")));
              });
  server.post("/v1/signatures/promote", Permission::signature_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const json body = body_of(request);
                std::vector<std::uint32_t> sids;
                const json given = body.value("sids", json::array());
                if (!given.is_array() || given.empty() || given.size() > 10'000)
                  throw Refusal{400, "bad_request", "sids: expected 1 to 10,000 numbers"};
                for (const json& one : given) {
                  if (!one.is_number_unsigned() || one.get<std::uint64_t>() > 0xffffffff)
                    throw Refusal{400, "bad_request", "sids: expected numbers"};
                  sids.push_back(one.get<std::uint32_t>());
                }
                return apply_answer(daemon.promote(sids, caller.who, text_field(body, "reason")));
              });
}

}  // namespace sekisho::control
