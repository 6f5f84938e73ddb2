// The configuration reader and the assets reader on any bytes. What is read must have no error beside it,
// keep every index within its list, and come out of render and diff as it went in.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/model/assets.h"
#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/model/render.h"
#include "dataplane/abi/limits.h"

namespace {

using namespace sekisho::control;

constexpr std::uint64_t kNow = 1764514800;

void require(bool truth) {
  if (!truth) std::abort();
}

void check_model(const Model& m) {
  require(m.ports.size() <= SEKISHO_MAX_PORTS && m.zones.size() <= SEKISHO_MAX_ZONES);
  require(m.interfaces.size() <= SEKISHO_MAX_INTERFACES && m.wires.size() <= SEKISHO_MAX_WIRES);
  require(m.links.size() <= SEKISHO_MAX_LINKS && m.schedules.size() <= SEKISHO_MAX_SCHEDULES);
  require(m.accesses.size() <= SEKISHO_MAX_ACCESS && m.accesses.size() == m.access_details.size());
  require(m.settings.workers >= 1 && m.settings.workers <= SEKISHO_MAX_WORKERS);
  for (const Interface& i : m.interfaces) {
    require(i.port < m.ports.size() && i.zone < m.zones.size() && i.outer_vlan < 4095 && i.inner_vlan < 4095);
  }
  for (const Wire& w : m.wires) {
    require(w.side_a < m.interfaces.size() && w.side_b < m.interfaces.size() && w.side_a != w.side_b);
  }
  for (const Link& l : m.links) {
    require(l.zone_a < m.zones.size() && l.zone_b < m.zones.size() && l.name.size() < 32);
    if (l.mode == sekisho::abi::LinkMode::learn)
      require(l.learn_until_wall_s <= kNow + kMaxLearnDays * 86400);
  }
  for (const Rule& r : m.rules) {
    if (r.schedule) require(*r.schedule < m.schedules.size());
    if (r.access) require(*r.access < m.accesses.size());
    if (m.zones.size() < 64) require((r.from_zones | r.to_zones) >> m.zones.size() == 0);
    for (const AddressRange& a : r.source) require(a.low <= a.high && a.low.version == a.high.version);
  }
}

// The file without its rules, and all rules as rendered, is the same model.
void check_round_trip(const Model& m, std::string_view text) {
  if (text.find("rule") == text.npos || m.rules.size() > 50) return;
  const std::size_t first = text.find("[[rule]]");
  if (first == text.npos) return;
  std::string again(text.substr(0, first));
  if (!again.empty() && again.back() != '\n') return;
  for (const Rule& r : m.rules) again += render_rule(r, m);
  const ReadResult result = read_config(again, "again", kNow);
  // What stood between or behind the rules is gone: only a text that lost nothing else can be compared.
  if (!result.ok()) return;
  const ModelDiff difference = diff(m, *result.model);
  for (const ModelChange& change : difference.changes) {
    if (change.kind != "rule") return;
  }
  require(difference.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ReadResult result = read_config(text, "fuzz", kNow);
  require(result.ok() != has_errors(result.diagnostics));
  require(result.diagnostics.size() <= kMaxDiagnostics + 1);
  for (const Diagnostic& d : result.diagnostics) require(!format(d, result.files).empty());
  if (result.ok()) {
    check_model(*result.model);
    require(diff(*result.model, *result.model).empty());
    check_round_trip(*result.model, text);
  }
  const ReadAssetsResult assets = read_assets_csv(text, "fuzz");
  require(assets.assets.has_value() != has_errors(assets.diagnostics));
  if (assets.assets) {
    for (const Asset& asset : assets.assets->all())
      require(assets.assets->find(asset.address.low) != nullptr);
  }
  return 0;
}
