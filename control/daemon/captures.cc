#include "control/daemon/captures.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "control/daemon/capture_evidence.h"
#include "control/daemon/daemon.h"
#include "control/daemon/response.h"
#include "control/events/names.h"

namespace sekisho::control {
using nlohmann::json;

NamesOf snapshot_names(Daemon& daemon) {
  return [&daemon](std::uint64_t generation) -> std::shared_ptr<const Names> {
    const auto site = daemon.site();
    if (generation == 0) return site ? site->names : nullptr;
    auto names = daemon.events().names(generation);
    return names && names->generation() == generation ? names : nullptr;
  };
}

Captures::Captures(Daemon& daemon) : daemon_(daemon) {
  FlightRecorderOptions o;
  const std::string& state = daemon.options().state_directory;
  o.store = {.directory = state + "/captures", .key = state + "/captures.key"};
  o.attachment = [&daemon] { return daemon.session().attachment(); };
  o.names = snapshot_names(daemon);
  o.made = [this](const CaptureRequest& request, const std::string& error) { made(request, error); };
  o.application = "sekisho";
  recorder_ = std::make_unique<FlightRecorder>(std::move(o));
}

Captures::~Captures() {
  daemon_.events().remove_sink(*this);
}

std::string Captures::start() {
  std::string why = recorder_->start();
  daemon_.events().add_sink(*this);
  daemon_.response().evidence().add_provider(
      [this](const Receipt& r, EvidenceWriter& archive) { add_captures(*recorder_, r, archive); });
  return why;
}

void Captures::use(const Site& site) {
  recorder_->use(site.model.recorder);
}

void Captures::set_tickets(Tickets tickets) {
  const std::lock_guard lock(mutex_);
  tickets_ = std::move(tickets);
}

Captures::Tickets Captures::tickets() const {
  const std::lock_guard lock(mutex_);
  return tickets_;
}

// What a person asked for he hears of, and is in the audit in his name.
void Captures::made(const CaptureRequest& request, const std::string& error) {
  const CaptureInfo& info = request.info;
  const bool own = info.kind == "alert" || info.kind == "cut";
  if (!error.empty()) {
    if (own) spdlog::warn("no capture for {} ({}): {}", info.kind, info.subject, error);
    return;
  }
  if (own) {
    const std::string unrecorded = daemon_.audit(
        {0, "sekishod", "internal"}, "capture.made",
        json{{"capture", info.id}, {"kind", info.kind}, {"subject", info.subject}, {"why", info.why}}.dump(
            -1, ' ', false, json::error_handler_t::replace));
    if (!unrecorded.empty()) spdlog::warn("capture {}: {}", info.id, unrecorded);
  }
  if (const Tickets t = tickets(); t.made) t.made(request);
}

void Captures::event(const abi::Event& e, const EventFields&, const Names& names, std::uint64_t,
                     std::string_view) {
  if (e.kind != abi::EventKind::alert) return;
  const auto* s = names.signature(e.rule);
  const std::string text =
      s != nullptr ? fmt::format("{}:{}:{} {} (priority {})", s->gid, s->sid, s->rev, s->msg, e.priority)
                   : fmt::format("signature {} (priority {})", e.rule, e.priority);
  const Tickets t = tickets();
  recorder_->alert(e, s != nullptr ? s->sid : 0, text, t.of ? t.of(e) : std::string());
}

}  // namespace sekisho::control
