#include <fmt/format.h>
#include <time.h>

#include "control/link/receipt.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {

std::string wall_text(std::uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / kSecond);
  tm parts{};
  localtime_r(&seconds, &parts);
  char text[64];
  const std::size_t length = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  char zone[16];
  strftime(zone, sizeof zone, "%z", &parts);
  return fmt::format("{}.{:03} {}", std::string_view(text, length), wall_ns % kSecond / kMillisecond, zone);
}

// After the command, or before it.
std::string span_text(std::uint64_t at, std::uint64_t from) {
  const bool before = at < from;
  const std::uint64_t ns = before ? from - at : at - from;
  const char* sign = before ? "-" : "+";
  if (ns < 10 * kMillisecond) return fmt::format("{}{:.1f} us", sign, static_cast<double>(ns) / 1e3);
  if (ns < 10 * kSecond) return fmt::format("{}{:.1f} ms", sign, static_cast<double>(ns) / 1e6);
  return fmt::format("{}{:.1f} s", sign, static_cast<double>(ns) / 1e9);
}

template <typename List>
std::string joined(const List& list) {
  return fmt::format("{}", fmt::join(list, ", "));
}

struct Words {
  const char *receipt, *kinds[6], *outcomes[4], *by, *reason, *came, *stored, *confirmed, *link, *already,
      *last_packet, *no_packet, *flows, *worker, *obeyed, *drained, *asleep, *not_obeyed, *not_drained, *pull,
      *pull_any, *no_dataplane, *latched, *not_latched, *audited, *not_audited, *not_kept, *note, *host,
      *until, *for_ever, *crossing, *nothing, *why, *partial, *partial_means, *kept;
};

constexpr Words kEnglish{
    "receipt",
    {"cut", "reopen", "undo", "quarantine", "release", "direct cut taken over"},
    {"CONFIRMED", "UNCONFIRMED", "STORED, NO DATAPLANE", "REFUSED"},
    "by",
    "reason",
    "command came",
    "word stored",
    "all workers obeyed and drained",
    "link",
    "was so already",
    "last packet",
    "no packet passed since the dataplane started",
    "flows ended",
    "worker",
    "obeyed",
    "drained",
    "asleep: sends nothing, reads the word first",
    "HAS NOT OBEYED",
    "has not drained",
    "PULL THIS CABLE NOW",
    "PULL THE CABLE OF THIS LINK NOW",
    "no dataplane is running: the guard holds the cut in the kernel, and every link does what it declares "
    "(fail-closed unless declared otherwise)",
    "latched on disk: survives every restart",
    "NOT ON DISK: a reboot may lose this",
    "audit record",
    "NOT IN THE AUDIT",
    "THIS RECEIPT COULD NOT BE KEPT",
    "note",
    "host",
    "until",
    "until released",
    "quarantine stops only what crosses this gateway",
    "nothing had to be changed",
    "why",
    " (partial)",
    "partial: protected hosts pass as the rules say, everything else is cut",
    "flows of protected hosts that stay",
};
constexpr Words kJapanese{
    "遮断実行記録",
    {"遮断", "遮断解除", "取り消し", "隔離", "隔離解除", "直接遮断の引き継ぎ"},
    {"確認済み", "未確認", "書き込み済み(データプレーン停止中)", "拒否"},
    "実行者",
    "理由",
    "指示受付",
    "遮断語の書き込み",
    "全ワーカーの実行と送信完了",
    "ゾーン間通信",
    "既にその状態",
    "最後のパケット",
    "データプレーン起動後の通過パケットなし",
    "終了した通信",
    "ワーカー",
    "実行",
    "送信完了",
    "休止中(送信なし、再開時は遮断語を先に読みます)",
    "未実行",
    "送信未完了",
    "ただちにこのケーブルを抜いてください",
    "ただちにこのゾーン間通信のケーブルを抜いてください",
    "データプレーンは停止中です。カーネルのガードが遮断を保持し、各ゾーン間通信は宣言どおり("
    "特に宣言がなければ障害時"
    "遮断)に動作します",
    "遮断保持中: ディスクに記録済み。再起動後も維持されます",
    "ディスクに記録できません: 再起動で失われるおそれがあります",
    "監査ログ記録",
    "監査ログに記録できません",
    "この記録を保存できません",
    "注記",
    "対象機器",
    "有効期限",
    "隔離解除まで",
    "隔離は、このゲートウェイを通る通信だけを止めます",
    "変更は不要でした",
    "判定理由",
    "(部分)",
    "部分遮断: 保護対象機器の通信だけが規則に従って通ります。それ以外は遮断されます",
    "維持した保護対象通信",
};

}  // namespace

namespace {

// What the command was about: the host, or the links by name.
std::string subject_of(const Receipt& r) {
  constexpr std::size_t kMost = 4;
  std::string out = r.subject;
  for (std::size_t i = 0; i < r.links.size() && i < kMost; ++i) {
    if (!out.empty()) out += ", ";
    out += r.links[i].name;
  }
  if (r.links.size() > kMost) out += ", …";
  return out;
}

}  // namespace

std::string receipt_text(const Receipt& r, Language language) {
  const Words& w = language == Language::japanese ? kJapanese : kEnglish;
  std::string out =
      fmt::format("{}{} {}: {}\n", w.kinds[static_cast<unsigned>(r.kind)], r.partial ? w.partial : "",
                  subject_of(r), w.outcomes[static_cast<unsigned>(r.outcome)]);
  const auto line = [&out](const std::string& text) { out += "  " + text + "\n"; };
  if (!r.refusal.empty()) line(fmt::format("{}: {}", w.why, r.refusal));
  if (!r.id.empty()) line(fmt::format("{}: {}", w.receipt, r.id));
  line(fmt::format("{}: {} (uid {}, {})", w.by, r.who.name, r.who.uid, r.who.from));
  if (!r.reason.empty()) line(fmt::format("{}: {}", w.reason, r.reason));
  line(fmt::format("{}: {}", w.came, wall_text(r.command_wall_ns)));
  if (r.outcome == Outcome::refused) return out;

  if (r.outcome == Outcome::unconfirmed && r.kind == CommandKind::cut) {
    for (const std::string& cable : r.cables) line(fmt::format("*** {}: {}", w.pull, cable));
    if (r.cables.empty()) line(fmt::format("*** {}", w.pull_any));
  }
  if (r.outcome == Outcome::no_dataplane) line(w.no_dataplane);
  if (r.nothing_changed()) line(w.nothing);
  if (r.partial) line(w.partial_means);
  if (r.stored_ns != 0) line(fmt::format("{}: {}", w.stored, span_text(r.stored_ns, r.command_ns)));
  if (r.confirmed_ns != 0) line(fmt::format("{}: {}", w.confirmed, span_text(r.confirmed_ns, r.command_ns)));
  for (const LinkReceipt& link : r.links) {
    std::string text = fmt::format("{} {}: ", w.link, link.name);
    if (!link.changed) text += fmt::format("{}; ", w.already);
    text += link.last_packet_ns == 0
                ? std::string(w.no_packet)
                : fmt::format("{} {}", w.last_packet, span_text(link.last_packet_ns, r.command_ns));
    if (r.kind == CommandKind::cut) text += fmt::format("; {}: {}", w.flows, link.flows_ended);
    if (r.kind == CommandKind::cut && r.partial) text += fmt::format("; {}: {}", w.kept, link.flows_kept);
    line(text);
  }
  for (const WorkerReceipt& worker : r.workers) {
    std::string text = fmt::format("{} {}: ", w.worker, worker.worker);
    if (worker.asleep) {
      text += w.asleep;
    } else {
      text += worker.obeyed ? fmt::format("{} {}", w.obeyed, span_text(worker.obeyed_ns, r.command_ns))
                            : std::string(w.not_obeyed);
      text += ", ";
      text += worker.drained ? fmt::format("{} {}", w.drained, span_text(worker.drained_ns, r.command_ns))
                             : std::string(w.not_drained);
    }
    line(text);
  }
  if (r.kind == CommandKind::quarantine) {
    line(fmt::format("{}: {}", w.until, r.until_wall_ns == 0 ? w.for_ever : wall_text(r.until_wall_ns)));
    line(w.crossing);
  }
  line(r.latched ? std::string(w.latched) : fmt::format("{} ({})", w.not_latched, r.latch_error));
  line(r.audit_sequence != 0 ? fmt::format("{}: {}", w.audited, r.audit_sequence)
                             : fmt::format("{} ({})", w.not_audited, r.audit_error));
  if (!r.store_error.empty()) line(fmt::format("{} ({})", w.not_kept, r.store_error));
  for (const std::string& note : r.notes) line(fmt::format("{}: {}", w.note, note));
  return out;
}

}  // namespace sekisho::control
