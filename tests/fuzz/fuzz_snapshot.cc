// Any bytes as a snapshot: refused with a reason, or walked without harm. The checksum is repaired first, so
// that the fuzzer gets behind it; the last bytes choose the questions.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "dataplane/policy/decide.h"
#include "dataplane/policy/snapshot_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekisho;
  if (size > 1u << 20) return 0;
  struct alignas(16) Word {
    std::uint8_t byte[16];
  };
  std::vector<Word> words(size / 16 + 1);
  auto* bytes = reinterpret_cast<std::uint8_t*>(words.data());
  if (size > 0) std::memcpy(bytes, data, size);
  const std::span<const std::uint8_t> all(bytes, size);
  if (size >= sizeof(abi::SnapshotHeader)) {
    auto& header = *reinterpret_cast<abi::SnapshotHeader*>(bytes);
    header.magic = abi::kSnapshotMagic;
    header.version = SEKISHO_ABI_VERSION;
    header.sections = abi::kSections;
    header.bytes = size;
    header.checksum = policy::snapshot_checksum(all);
  }
  const policy::SnapshotChecked checked = policy::check_snapshot(all);
  if (!checked) {
    if (checked.why[0] == '\0') std::abort();
    return 0;
  }
  std::uint64_t seed = 0;
  std::memcpy(&seed, data + size - 8, 8);
  const std::uint64_t schedules = policy::active_schedules(*checked.view, seed);
  for (int i = 0; i < 64; ++i) {
    const auto roll = [&seed] {
      seed = seed * 6364136223846793005ull + 1442695040888963407ull;
      return seed >> 16;
    };
    policy::Query q;
    q.from = ZoneId{static_cast<std::uint8_t>(roll() % (checked.view->zones.size() + 1))};
    q.to = ZoneId{static_cast<std::uint8_t>(roll() % (checked.view->zones.size() + 1))};
    q.ip_version = i % 2 == 0 ? 4 : 6;
    q.protocol = static_cast<std::uint8_t>(roll());
    q.source_port = static_cast<std::uint16_t>(roll());
    q.destination_port = static_cast<std::uint16_t>(roll());
    q.source4 = static_cast<std::uint32_t>(roll());
    q.destination4 = static_cast<std::uint32_t>(roll());
    q.source6 = {roll(), roll()};
    q.destination6 = {roll(), roll()};
    const policy::Decision d = policy::decide(*checked.view, q, schedules, [&](std::uint16_t access) {
      if (access >= SEKISHO_MAX_ACCESS) std::abort();
      return (seed & 1) != 0;
    });
    if (d.rule != abi::kNoRule && d.rule >= checked.view->rules.size()) std::abort();
  }
  return 0;
}
