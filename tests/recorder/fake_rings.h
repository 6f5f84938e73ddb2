// The recorder's rings of a dataplane that a test plays, as the attachment that sekishod has of them.
#pragma once

#include <gtest/gtest.h>

#include "control/session/attachment.h"
#include "tests/recorder/ring_fixture.h"
#include "tests/session/fake_dataplane.h"

namespace sekisho::test {

struct FakeRings {
  explicit FakeRings(std::uint32_t workers, std::uint64_t ring_bytes, bool with_ring = true,
                     std::uint64_t started_ns = 0)
      : memory(workers) {
    memory.region->started_mono_ns = started_ns;
    std::vector<int> fds = memory.duplicates();
    if (with_ring) {
      const std::uint64_t bytes = abi::RecorderRegion::bytes(workers, ring_bytes);
      const int fd = memfd_create("recorder", MFD_CLOEXEC | MFD_ALLOW_SEALING);
      EXPECT_EQ(ftruncate(fd, static_cast<off_t>(bytes)), 0);
      region =
          static_cast<abi::RecorderRegion*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
      region->magic = abi::kRecorderMagic;
      region->version = SEKISHO_ABI_VERSION;
      region->workers = workers;
      region->ring_bytes = ring_bytes;
      region->size = bytes;
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
      fds.push_back(fd);
      for (std::uint32_t w = 0; w < workers; ++w) writer.emplace_back(region->ring(w), ring_bytes);
    }
    auto made = control::Attachment::from_fds(fds, workers);
    EXPECT_TRUE(made) << made.failure().what;
    attachment = *made;
  }
  ~FakeRings() {
    attachment.reset();
    if (region != nullptr) munmap(region, region->size);
  }
  FakeRings(const FakeRings&) = delete;
  FakeRings& operator=(const FakeRings&) = delete;

  FakeMemory memory;
  abi::RecorderRegion* region = nullptr;
  std::vector<RingWriter> writer;
  std::shared_ptr<const control::Attachment> attachment;
};

}  // namespace sekisho::test
