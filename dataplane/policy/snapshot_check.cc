#include "dataplane/policy/snapshot_check.h"

#include <cinttypes>
#include <cstddef>
#include <cstring>

#include "dataplane/base/hash.h"
#include "dataplane/policy/refusal.h"

namespace sekisho::policy {

namespace {

struct Shape {
  std::uint32_t record_bytes;
  std::uint64_t most;
};

constexpr std::uint64_t kMany = abi::kMaxSnapshotBytes;

constexpr Shape kShape[abi::kSections] = {
    {sizeof(abi::PortRecord), SEKISHO_MAX_PORTS},
    {sizeof(abi::InterfaceRecord), SEKISHO_MAX_INTERFACES},
    {sizeof(abi::ZoneRecord), SEKISHO_MAX_ZONES},
    {sizeof(abi::WireRecord), SEKISHO_MAX_WIRES},
    {sizeof(abi::LinkRecord), SEKISHO_MAX_LINKS},
    {sizeof(std::uint16_t), 65536},
    {sizeof(abi::RuleRecord), SEKISHO_MAX_RULES},
    {sizeof(abi::PairRecord), SEKISHO_MAX_ZONES* SEKISHO_MAX_ZONES},
    {sizeof(abi::Interval4), kMany},
    {sizeof(abi::Interval6), kMany},
    {sizeof(abi::ServiceRecord), kMany},
    {sizeof(abi::ScheduleRecord), SEKISHO_MAX_SCHEDULES},
    {sizeof(abi::TreeNode), kMany},
    {sizeof(std::uint32_t), kMany},
    {sizeof(abi::Address6), kMany},
    {sizeof(std::uint32_t), kMany},
    {sizeof(std::uint32_t), kMany},
    {sizeof(std::uint32_t), kMany},
    {sizeof(abi::Settings), 1},
    {sizeof(std::uint8_t), kMany},
    {sizeof(std::uint8_t), kMany},
    {sizeof(abi::IpsException), 4096},
    {sizeof(abi::Interval4), kMany},
    {sizeof(abi::Interval6), kMany},
};

bool check_header(std::span<const std::uint8_t> bytes, Refusal& no) {
  if (bytes.size() < sizeof(abi::SnapshotHeader)) return no.because("%zu bytes are too few", bytes.size());
  if (bytes.size() > abi::kMaxSnapshotBytes) return no.because("%zu bytes are too many", bytes.size());
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 16 != 0)
    return no.because("the mapping is not aligned");
  const auto& header = *reinterpret_cast<const abi::SnapshotHeader*>(bytes.data());
  if (header.magic != abi::kSnapshotMagic)
    return no.because("not a snapshot: the magic is %" PRIx64, header.magic);
  if (header.version != SEKISHO_ABI_VERSION) {
    return no.because("snapshot version %u, this dataplane reads %u", header.version, SEKISHO_ABI_VERSION);
  }
  if (header.bytes != bytes.size()) {
    return no.because("the header says %" PRIu64 " bytes, there are %zu", header.bytes, bytes.size());
  }
  if (header.sections != abi::kSections) {
    return no.because("%u sections, expected %u", header.sections, abi::kSections);
  }
  if (header.generation == 0) return no.because("generation 0");
  if (snapshot_checksum(bytes) != header.checksum) return no.because("the checksum is wrong");
  return true;
}

bool check_sections(const abi::SnapshotHeader& header, Refusal& no) {
  std::uint64_t end = sizeof(abi::SnapshotHeader);
  for (std::uint32_t i = 0; i < abi::kSections; ++i) {
    const abi::SectionRecord& s = header.section[i];
    if (s.record_bytes != kShape[i].record_bytes) {
      return no.because("section %u: records of %u bytes, expected %u", i, s.record_bytes,
                        kShape[i].record_bytes);
    }
    if (s.count > kShape[i].most)
      return no.because("section %u: %" PRIu64 " records are too many", i, s.count);
    if (s.offset % 64 != 0) return no.because("section %u: offset %" PRIu64 " is not aligned", i, s.offset);
    // In order and apart, so that no record is two things. count * record_bytes < 2^38.
    if (s.offset < end || s.offset > header.bytes || s.count * s.record_bytes > header.bytes - s.offset) {
      return no.because("section %u leaves the snapshot or overlaps the one before", i);
    }
    end = s.offset + s.count * s.record_bytes;
  }
  return true;
}

SnapshotView open_view(std::span<const std::uint8_t> bytes) {
  const auto& header = *reinterpret_cast<const abi::SnapshotHeader*>(bytes.data());
  SnapshotView view;
  view.header = &header;
  const auto open = [&]<typename Record>(abi::Section which, std::span<const Record>& records) {
    const abi::SectionRecord& s = header.section[static_cast<std::uint32_t>(which)];
    static_assert(alignof(Record) <= 16);
    records = {reinterpret_cast<const Record*>(bytes.data() + s.offset), s.count};
  };
  std::span<const abi::Settings> one;
  open(abi::Section::ports, view.ports);
  open(abi::Section::interfaces, view.interfaces);
  open(abi::Section::zones, view.zones);
  open(abi::Section::wires, view.wires);
  open(abi::Section::links, view.links);
  open(abi::Section::ethertypes, view.ethertypes);
  open(abi::Section::rules, view.rules);
  open(abi::Section::pairs, view.pairs);
  open(abi::Section::intervals4, view.intervals4);
  open(abi::Section::intervals6, view.intervals6);
  open(abi::Section::services, view.services);
  open(abi::Section::schedules, view.schedules);
  open(abi::Section::nodes, view.nodes);
  open(abi::Section::bounds4, view.bounds4);
  open(abi::Section::bounds6, view.bounds6);
  open(abi::Section::bounds_service, view.bounds_service);
  open(abi::Section::children, view.children);
  open(abi::Section::leaf_rules, view.leaf_rules);
  open(abi::Section::settings, one);
  open(abi::Section::signatures, view.signatures);
  open(abi::Section::ips_actions, view.ips_actions);
  open(abi::Section::ips_exceptions, view.ips_exceptions);
  open(abi::Section::protected4, view.protected4);
  open(abi::Section::protected6, view.protected6);
  view.settings = one.empty() ? nullptr : one.data();
  return view;
}

}  // namespace

std::uint64_t snapshot_checksum(std::span<const std::uint8_t> bytes) {
  abi::SnapshotHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.checksum = 0;
  const std::uint64_t seed = hash64({reinterpret_cast<const std::uint8_t*>(&header), sizeof header});
  return hash64(bytes.subspan(sizeof header), seed);
}

SnapshotChecked check_snapshot(std::span<const std::uint8_t> bytes) {
  SnapshotChecked result;
  Refusal no(result.why);
  if (!check_header(bytes, no)) return result;
  if (!check_sections(*reinterpret_cast<const abi::SnapshotHeader*>(bytes.data()), no)) return result;
  const SnapshotView view = open_view(bytes);
  if (check_tables(view, no) && check_policy(view, no)) result.view = view;
  return result;
}

}  // namespace sekisho::policy
