// Daemon: people, and reopenings that wait for a second person.
#include <spdlog/spdlog.h>

#include "control/daemon/daemon.h"
#include "control/daemon/reopenings.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

// REQUIRES: site_ is set.
void Daemon::start_people() {
  const auto record = [this](const Who& who, const std::string& action, const std::string& details) {
    if (const std::string why = audit(who, action, details); !why.empty())
      spdlog::error("audit: {} by {}: {}", action, who.name, why);
  };
  people_ = std::make_unique<People>(
      PeopleOptions{.path = options_.state_directory + "/people.json",
                    .setup_path = options_.state_directory + "/setup-link",
                    .site = site_.load()->model.name,
                    .wall_s = {},
                    .monotonic_s = {}},
      [this] { return site_.load()->model.people; }, record);
  if (const std::string report = people_->start(); !report.empty()) reports_.push_back(report);

  Reopenings::World world;
  world.links_of = [this](const std::string& name) -> std::optional<LinkSet> {
    const auto target = find_target(*site_.load(), name);
    return target ? std::optional(target->links) : std::nullopt;
  };
  world.cut_now = [this] { return links_->cut_links(); };
  world.partial_now = [this] { return links_->partial_links(); };
  world.cut_since = [this](const LinkSet& links, std::uint64_t wall_s) {
    LinkSet out;
    for (const LinkStatus& l : links_->status().links)
      if (l.cut && links.test(l.link.raw) && l.since_wall_ns / kSecond > wall_s) out.set(l.link.raw);
    return out;
  };
  world.reopen = [this](const LinkSet& links, const Who& who, const std::string& reason, bool partial) {
    return links_->reopen(links, who, reason, 0, partial);
  };
  world.audit = record;
  world.wall_s = [] { return wall_ns() / kSecond; };
  world.monotonic_s = [] { return monotonic_ns() / kSecond; };
  reopenings_ = std::make_unique<Reopenings>(options_.state_directory + "/reopenings.json", std::move(world));
  if (const std::string report = reopenings_->start(); !report.empty()) reports_.push_back(report);
}

}  // namespace sekisho::control
