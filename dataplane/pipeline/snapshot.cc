#include "dataplane/pipeline/snapshot.h"

namespace sekisho::pipeline {

Snapshot::Snapshot(const policy::SnapshotView& v, std::uint64_t hash_seed)
    : view(v), topology(v.ports, v.interfaces, v.wires, v.ethertypes, v.links, hash_seed) {}

}  // namespace sekisho::pipeline
