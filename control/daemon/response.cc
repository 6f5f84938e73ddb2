#include "control/daemon/response.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <nlohmann/json.hpp>

#include "control/daemon/daemon.h"
#include "control/daemon/evidence_of.h"
#include "control/session/counters.h"
#include "dataplane/abi/words.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kMostWaiting = 256;
constexpr double kLeastFree = 0.05;  // of the state's file system

struct Words {
  const char *en, *ja;
  NoticeSeverity severity;
};

// By CommandKind.
constexpr Words kWords[] = {
    {"Cut", "遮断", NoticeSeverity::critical},
    {"Reopened", "遮断解除", NoticeSeverity::high},
    {"Cut taken back", "遮断取り消し", NoticeSeverity::high},
    {"Quarantined", "隔離", NoticeSeverity::high},
    {"Released", "隔離解除", NoticeSeverity::high},
    {"Direct cut taken over", "直接遮断の引き継ぎ", NoticeSeverity::critical},
};

NoticesOptions notices_options(const Daemon& daemon) {
  NoticesOptions o;
  o.spool_directory = daemon.options().state_directory + "/notices";
  o.audit_head = [paths = daemon.audit_paths()] {
    AuditHead head = audit_head(paths);
    return std::pair(head.sequence, std::move(head.hash));
  };
  return o;
}

EvidenceOptions evidence_options(Daemon& daemon, Notices& notices) {
  EvidenceOptions o;
  o.directory = daemon.options().state_directory + "/evidence";
  const Who internal{0, "sekishod", "internal"};
  o.done = [&daemon, &notices, internal](const Receipt& r, const std::string& failure) {
    daemon.audit(internal, failure.empty() ? "evidence.made" : "evidence.failed",
                 nlohmann::json{{"failure", failure}}.dump(), r.id);
    if (failure.empty()) return;
    Notice n;
    n.kind = "evidence.failed";
    n.severity = NoticeSeverity::high;
    n.title_en = "No evidence archive for " + r.id + ": " + failure;
    n.title_ja = "証拠保全に失敗: " + r.id + ": " + failure;
    n.text_en = "The cut itself is not affected.";
    n.text_ja = "遮断そのものには影響ありません。";
    n.fields = {{"receipt", r.id}};
    notices.raise(std::move(n));
  };
  o.removed = [&daemon, internal](const std::string& id) {
    daemon.audit(internal, "evidence.removed", nlohmann::json{{"why", "quota"}}.dump(), id);
  };
  return o;
}

// Passed so far, and live, by link: what a drill compares.
std::vector<WouldDrop> count_links(Daemon& daemon, const LinkSet& links) {
  std::vector<WouldDrop> out;
  const auto attachment = daemon.session().attachment();
  const auto site = daemon.site();
  for (const Link& l : site->model.links) {
    const auto index = static_cast<std::uint16_t>(sekisho_link_index(l.zone_a, l.zone_b));
    if (!links.test(index)) continue;
    WouldDrop d;
    d.link = l.name;
    if (attachment) {
      const LinkCount c = read_link(attachment->region(), attachment->workers(), index);
      d.flows_ended = c.flows_live;
      d.flows_refused = c.flows_started;
      d.packets = c.packets;
      d.bytes = c.bytes;
    }
    out.push_back(std::move(d));
  }
  return out;
}

}  // namespace

std::optional<Notice> notice_of(const Receipt& r) {
  if (r.outcome == Outcome::refused || r.nothing_changed()) return std::nullopt;
  const Words& words = kWords[static_cast<std::size_t>(r.kind)];
  std::string what = r.subject;
  for (const LinkReceipt& link : r.links) what += (what.empty() ? "" : ", ") + link.name;
  if (what.empty()) what = fmt::format("{} links", r.named.count());
  Notice n;
  n.kind = r.kind == CommandKind::adopt ? "cut.direct" : to_string(r.kind);
  n.severity = words.severity;
  n.title_en = fmt::format("{}{}: {}", words.en, r.partial ? " (partial)" : "", what);
  n.title_ja = fmt::format("{}{}: {}", words.ja, r.partial ? "(部分)" : "", what);
  if (r.outcome == Outcome::unconfirmed) {
    std::string cables;
    for (const std::string& cable : r.cables) cables += (cables.empty() ? "" : ", ") + cable;
    n.severity = NoticeSeverity::critical;
    n.title_en += " UNCONFIRMED, pull: " + cables;
    n.title_ja += " 未確認、抜くケーブル: " + cables;
  }
  n.text_en = receipt_text(r, Language::english);
  n.text_ja = receipt_text(r, Language::japanese);
  n.fields = {
      {"receipt", r.id}, {"who", r.who.name}, {"from", r.who.from}, {"outcome", to_string(r.outcome)}};
  if (!r.reason.empty()) n.fields.emplace_back("reason", r.reason);
  if (!r.subject.empty()) n.fields.emplace_back("host", r.subject);
  n.wall_ns = r.command_wall_ns;
  return n;
}

Response::Response(Daemon& daemon)
    : daemon_(daemon),
      notices_(notices_options(daemon)),
      alerts_(notices_, monotonic_ns),
      evidence_(evidence_options(daemon, notices_)) {
  evidence_.add_provider([&daemon](const Receipt& r, EvidenceWriter& w) { add_evidence(daemon, r, w); });
  worker_ = std::thread([this] { run(); });
}

std::vector<std::string> Response::start() {
  daemon_.events().add_sink(alerts_);
  listening_ = true;
  std::vector<std::string> reports;
  if (const std::string why = evidence_.open(); !why.empty())
    reports.push_back("evidence cannot be signed: " + why);
  PlaybookHands hands;
  hands.find = [this](const std::string& name) -> std::optional<LinkSet> {
    const auto target = find_target(*daemon_.site(), name);
    return target ? std::optional(target->links) : std::nullopt;
  };
  hands.cut = [this](const LinkSet& links, const Who& who, const std::string& reason, bool reset,
                     bool partial) { return daemon_.links().cut(links, who, reason, 0, reset, partial); };
  hands.count = [this](const LinkSet& links) { return count_links(daemon_, links); };
  hands.audit = [this](const Who& who, const std::string& action, const std::string& details) {
    return daemon_.audit(who, action, details);
  };
  hands.notices = &notices_;
  playbooks_ = std::make_unique<PlaybookRunner>(
      RunnerOptions{.directory = daemon_.options().state_directory + "/playbooks"}, std::move(hands));
  return reports;
}

void Response::finish() {
  if (listening_) daemon_.events().remove_sink(alerts_);  // once: at the destructor's call they may be gone
  listening_ = false;
  playbooks_.reset();
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (worker_.joinable()) worker_.join();
  evidence_.finish();
}

Response::~Response() {
  finish();
}

void Response::use(const Site& site) {
  notices_.configure(site.model.name, site.model.notices);
  const EvidenceSettings& e = site.model.evidence;
  evidence_.set_bounds(e.archive_bytes, e.total_bytes, e.delay_s * kSecond);
}

void Response::after(const Receipt& receipt) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (inbox_.size() >= kMostWaiting) {
      ++lost_;
      return;
    }
    inbox_.push_back(receipt);
    wake_.notify_all();
  } catch (...) {  // no memory; the receipt itself is on disk
  }
}

void Response::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !inbox_.empty(); });
    if (inbox_.empty()) return;
    const Receipt receipt = std::move(inbox_.front());
    inbox_.pop_front();
    lock.unlock();
    tell(receipt);
    lock.lock();
  }
}

void Response::tell(const Receipt& receipt) {
  if (auto notice = notice_of(receipt)) notices_.raise(std::move(*notice));
  const bool stops = receipt.kind == CommandKind::cut || receipt.kind == CommandKind::adopt ||
                     receipt.kind == CommandKind::quarantine;
  if (stops && receipt.outcome != Outcome::refused && !receipt.nothing_changed()) evidence_.note(receipt);
}

void Response::note_health(Health& health, bool well, Notice bad, Notice good) {
  if (health.known ? health.well == well : well) {
    health = {true, well};
    return;
  }
  health = {true, well};
  notices_.raise(well ? std::move(good) : std::move(bad));
}

void Response::watch() {
  const bool running = daemon_.session().state() == SessionState::running;
  seen_dataplane_ = seen_dataplane_ || running;
  // A dataplane that has not been there yet is a start, not a loss.
  if (seen_dataplane_)
    note_health(dataplane_, running,
                {.kind = "health.dataplane",
                 .severity = NoticeSeverity::critical,
                 .title_en = "The dataplane is gone: links do what they declare (fail closed or open)",
                 .title_ja = "データプレーン停止: 各通信は障害時の宣言どおり(遮断または通過)",
                 .text_en = {},
                 .text_ja = {},
                 .fields = {}},
                {.kind = "health.dataplane",
                 .severity = NoticeSeverity::high,
                 .title_en = "The dataplane runs again",
                 .title_ja = "データプレーン復帰",
                 .text_en = {},
                 .text_ja = {},
                 .fields = {}});
  const LinkControlStatus links = daemon_.links().status();
  note_health(latch_, links.latch_current && links.latch != LatchHealth::all_damaged,
              {.kind = "health.latch",
               .severity = NoticeSeverity::critical,
               .title_en = "The latch is not on disk: a reboot may lose the last cut or reopening",
               .title_ja = "遮断保持をディスクに書けません: 再起動で直前の遮断・解除が失われるおそれ",
               .text_en = {},
               .text_ja = {},
               .fields = {}},
              {.kind = "health.latch",
               .severity = NoticeSeverity::high,
               .title_en = "The latch is on disk again",
               .title_ja = "遮断保持の書き込み復旧",
               .text_en = {},
               .text_ja = {},
               .fields = {}});
  struct statvfs disk {};
  if (::statvfs(daemon_.options().state_directory.c_str(), &disk) == 0 && disk.f_blocks > 0) {
    const double free = static_cast<double>(disk.f_bavail) / static_cast<double>(disk.f_blocks);
    const std::string left = fmt::format("{:.1f} %", free * 100);
    // Well again only a little above the mark, so that it does not flutter.
    note_health(disk_, free >= (disk_.well ? kLeastFree : kLeastFree * 1.2),
                {.kind = "health.disk",
                 .severity = NoticeSeverity::high,
                 .title_en = "The disk is nearly full: " + left + " free",
                 .title_ja = "ディスク残りわずか: 空き " + left,
                 .text_en = "Cuts go on; receipts, audit, evidence and events may not be kept.",
                 .text_ja = "遮断は可能です。記録・監査・証拠が残せなくなるおそれがあります。",
                 .fields = {{"directory", daemon_.options().state_directory}}},
                {.kind = "health.disk",
                 .severity = NoticeSeverity::info,
                 .title_en = "The disk has room again: " + left + " free",
                 .title_ja = "ディスク空き回復: " + left,
                 .text_en = {},
                 .text_ja = {},
                 .fields = {}});
  }
}

}  // namespace sekisho::control
