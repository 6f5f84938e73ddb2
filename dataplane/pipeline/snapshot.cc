#include "dataplane/pipeline/snapshot.h"

#include "dataplane/ips/inspector.h"

namespace sekisho::pipeline {

Snapshot::Snapshot(const policy::SnapshotView& v, std::uint64_t hash_seed)
    : view(v), topology(v.ports, v.interfaces, v.wires, v.ethertypes, v.links, hash_seed) {}

Snapshot::~Snapshot() = default;

bool Snapshot::load_signatures(unsigned workers, std::string& why) {
  if (view.signatures.empty()) return true;
  std::shared_ptr<const ips::SignatureSet> set = ips::SignatureSet::load(view.signatures, why);
  if (set == nullptr) return false;
  signatures = std::make_shared<const ips::LoadedSet>(std::move(set));
  for (unsigned i = 0; i < workers; ++i) {
    auto space = std::make_unique<ips::ScanScratch>();
    if (!space->grow(*signatures->set)) {
      why = "no memory for scanning";
      return false;
    }
    scratch.push_back(std::move(space));
  }
  return true;
}

std::vector<abi::SignatureCost> Snapshot::costs(abi::CostOrder order, std::size_t limit) const {
  std::vector<std::span<const ips::SignatureCounts>> workers;
  for (const auto& s : scratch) workers.emplace_back(s->cost);
  return ips::dearest(workers, order, limit, ticks_.per_second());
}

}  // namespace sekisho::pipeline
