// Any bytes as a snapshot, or as changes of a good one: refused with a reason, or walked without harm. The
// checksum is repaired first, so that the fuzzer gets behind it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "control/policy/compile.h"
#include "dataplane/base/interval_set.h"
#include "dataplane/policy/decide.h"
#include "dataplane/policy/snapshot_check.h"
#include "tests/policy/loaded.h"
#include "tests/policy/site.h"

namespace {

using namespace sekisho;

const std::vector<std::uint8_t>& good() {
  static const std::vector<std::uint8_t> bytes = [] {
    std::mt19937_64 random(1);
    control::Model m = test::site(2);
    test::add_random_rules(m, 40, test::Taste::mixed, random);
    const control::ProtectedAddresses care{{{1, 5}, {9, 9}}, {{{1, 0}, {1, 5}}}};
    return control::compile(test::without_unreachable(std::move(m)), 1, nullptr, care).bytes;
  }();
  return bytes;
}

// Six bytes a change: place (modulo the size, in words), value, and how the value is written.
std::vector<std::uint8_t> changed(std::span<const std::uint8_t> changes) {
  std::vector<std::uint8_t> bytes = good();
  for (; changes.size() >= 6; changes = changes.subspan(6)) {
    const std::size_t place = (changes[0] | changes[1] << 8 | changes[2] << 16) % (bytes.size() / 4) * 4;
    std::uint32_t value = changes[3] | static_cast<std::uint32_t>(changes[4]) << 8;
    if ((changes[5] & 1) != 0) value = value << 16 | value;
    std::memcpy(bytes.data() + place, &value, (changes[5] & 2) != 0 ? 2 : 4);
  }
  return bytes;
}

void ask(const policy::SnapshotView& view, std::uint64_t seed) {
  const std::uint64_t schedules = policy::active_schedules(view, seed);
  const auto roll = [&seed] {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return seed >> 16;
  };
  for (int i = 0; i < 64; ++i) {
    policy::Query q;
    q.from = ZoneId{static_cast<std::uint8_t>(roll() % (view.zones.size() + 1))};
    q.to = ZoneId{static_cast<std::uint8_t>(roll() % (view.zones.size() + 1))};
    q.ip_version = i % 2 == 0 ? 4 : 6;
    q.protocol = static_cast<std::uint8_t>(roll());
    q.source_port = static_cast<std::uint16_t>(roll());
    q.destination_port = static_cast<std::uint16_t>(roll());
    q.source4 = static_cast<std::uint32_t>(roll());
    q.destination4 = static_cast<std::uint32_t>(roll());
    q.source6 = {roll(), roll()};
    q.destination6 = {roll(), roll()};
    const policy::Decision d = policy::decide(view, q, schedules, [&](std::uint16_t access) {
      if (access >= SEKISHO_MAX_ACCESS) std::abort();
      return (seed & 1) != 0;
    });
    const auto in = [](const auto& all, const auto& address) {
      return contains(all.data(), static_cast<std::uint32_t>(all.size()), address);
    };
    if ((in(view.protected4, q.source4) && view.protected4.empty()) ||
        (in(view.protected6, q.source6) && view.protected6.empty()))
      std::abort();
    if (d.rule != abi::kNoRule && d.rule >= view.rules.size()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 1u << 20) return 0;
  const std::span<const std::uint8_t> input(data, size);
  test::AlignedBytes aligned(data[0] % 4 == 0 ? input
                                              : std::span<const std::uint8_t>(changed(input.subspan(1))));
  const std::span<std::uint8_t> bytes = aligned.bytes();
  if (bytes.size() >= sizeof(abi::SnapshotHeader)) {
    auto& header = *reinterpret_cast<abi::SnapshotHeader*>(bytes.data());
    header.magic = abi::kSnapshotMagic;
    header.version = SEKISHO_ABI_VERSION;
    header.sections = abi::kSections;
    header.bytes = bytes.size();
    header.checksum = policy::snapshot_checksum(bytes);
  }
  const policy::SnapshotChecked checked = policy::check_snapshot(bytes);
  if (checked) {
    ask(*checked.view, size * 0x9e3779b97f4a7c15ull + data[size - 1]);
  } else if (checked.why[0] == '\0') {
    std::abort();
  }
  return 0;
}
