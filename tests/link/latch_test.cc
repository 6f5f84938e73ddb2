#include <cstring>

#include "tests/link/link_fixture.h"

#include "dataplane/base/hash.h"

namespace sekisho::control {
namespace {

class LatchTest : public LinkFixture {
 protected:
  std::string directory() { return root_ + "/latch"; }
  // Initialised, then one link cut by another write.
  void write_two() {
    Latch latch(directory());
    ASSERT_TRUE(latch.initialise(error_)) << error_;
    LatchState state = latch.read().state;
    state.cut = one_link(kVendor);
    ASSERT_TRUE(latch.write(state, error_)) << error_;
  }
  // Changes bytes of a slot and makes its checksum right again: what another version could have written.
  void rewrite(unsigned slot_number, std::size_t at, std::uint64_t value, std::size_t bytes) {
    std::fstream file(slot(slot_number), std::ios::in | std::ios::out | std::ios::binary);
    std::vector<char> all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::memcpy(all.data() + at, &value, bytes);
    std::uint32_t used;
    std::memcpy(&used, all.data() + 12, sizeof used);
    const std::uint64_t zero = 0;
    std::memcpy(all.data() + 16, &zero, sizeof zero);
    const std::uint64_t sum = hash64({reinterpret_cast<const std::uint8_t*>(all.data()), used});
    std::memcpy(all.data() + 16, &sum, sizeof sum);
    file.clear();
    file.seekp(0);
    file.write(all.data(), static_cast<std::streamsize>(all.size()));
  }
  std::string error_;
};

TEST_F(LatchTest, NeverInitialisedReadsAsCut) {
  const auto read = latch();
  EXPECT_EQ(read.health, LatchHealth::uninitialised);
  EXPECT_TRUE(read.state.cut.all());
  EXPECT_EQ(read.reports.size(), 1u);
}

TEST_F(LatchTest, InitialisedIsAllOpenInBothSlots) {
  ASSERT_TRUE(Latch(directory()).initialise(error_)) << error_;
  const auto read = latch();
  EXPECT_EQ(read.health, LatchHealth::good);
  EXPECT_TRUE(read.state.cut.none());
  EXPECT_TRUE(read.reports.empty());
}

TEST_F(LatchTest, InitialisingTwiceIsRefused) {
  write_two();
  EXPECT_FALSE(Latch(directory()).initialise(error_));
  EXPECT_TRUE(error_.starts_with("already_initialised"));
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
}

TEST_F(LatchTest, KeepsEverything) {
  Latch latch(directory());
  ASSERT_TRUE(latch.initialise(error_));
  LatchState state = latch.read().state;
  state.cut = one_link(LinkIndex(0)) | one_link(LinkIndex(SEKISHO_MAX_LINKS - 1)) | one_link(kVendor);
  state.zones = {"his", "device", std::string(40, 'x')};
  for (int i = 0; i < SEKISHO_QUARANTINE_SLOTS; ++i)
    state.quarantine.push_back(
        {*parse_quarantine_key("10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256)),
         static_cast<std::uint64_t>(i) + 1, static_cast<std::uint64_t>(i) + 2});
  ASSERT_TRUE(latch.write(state, error_));
  const auto read = Latch(directory()).read();
  EXPECT_EQ(read.state.cut, state.cut);
  EXPECT_EQ(read.state.sequence, state.sequence);
  ASSERT_EQ(read.state.zones.size(), 3u);
  EXPECT_EQ(read.state.zones[2], std::string(31, 'x'));
  ASSERT_EQ(read.state.quarantine.size(), static_cast<std::size_t>(SEKISHO_QUARANTINE_SLOTS));
  EXPECT_EQ(read.state.quarantine[300].key, state.quarantine[300].key);
  EXPECT_EQ(read.state.quarantine[300].until_wall_ns, 301u);
  EXPECT_EQ(read.state.quarantine[300].until_mono_ns, 302u);
}

TEST_F(LatchTest, EachOfTheTwoCopiesHoldsTheLastCut) {
  for (const unsigned broken : {0u, 1u}) {
    std::filesystem::remove_all(directory());
    write_two();
    damage(slot(broken));
    const auto read = latch();
    EXPECT_EQ(read.health, LatchHealth::one_damaged);
    EXPECT_EQ(read.state.cut, one_link(kVendor));
    ASSERT_EQ(read.reports.size(), 1u);
    EXPECT_NE(read.reports[0].find("checksum"), std::string::npos);
  }
}

TEST_F(LatchTest, AnyFlippedBitIsSeen) {
  write_two();
  for (std::streamoff at = 0; at < 2400; at += 37) {
    damage(slot(0), at);
    EXPECT_EQ(latch().health, LatchHealth::one_damaged) << at;
    damage(slot(0), at);
    EXPECT_EQ(latch().health, LatchHealth::good) << at;
  }
}

TEST_F(LatchTest, BothDamagedReadsAsCutLoudly) {
  write_two();
  damage(slot(0));
  damage(slot(1));
  const auto read = latch();
  EXPECT_EQ(read.health, LatchHealth::all_damaged);
  EXPECT_TRUE(read.state.cut.all());
  EXPECT_EQ(read.reports.size(), 3u);
}

TEST_F(LatchTest, BothEmptyTruncatedOrGoneReadsAsCut) {
  write_two();
  std::filesystem::resize_file(slot(0), 0);
  std::filesystem::resize_file(slot(1), 50);
  EXPECT_EQ(latch().health, LatchHealth::all_damaged);
  std::filesystem::remove(slot(0));
  EXPECT_EQ(latch().health, LatchHealth::all_damaged);
  std::filesystem::remove(slot(1));
  EXPECT_EQ(latch().health, LatchHealth::all_damaged);  // the marker is still there
  EXPECT_TRUE(latch().state.cut.all());
  EXPECT_FALSE(Latch(directory()).initialise(error_));
}

TEST_F(LatchTest, ZeroedSlotsAreDamaged) {
  write_two();
  for (const unsigned i : {0u, 1u}) {
    const auto size = std::filesystem::file_size(slot(i));
    std::filesystem::resize_file(slot(i), 0);
    std::filesystem::resize_file(slot(i), size);
  }
  EXPECT_EQ(latch().health, LatchHealth::all_damaged);
}

TEST_F(LatchTest, SlotsWithoutTheMarkerStillHold) {
  write_two();
  std::filesystem::remove(directory() + "/latch.initialised");
  EXPECT_EQ(latch().health, LatchHealth::good);
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
}

TEST_F(LatchTest, TheNewestSequenceWinsWhateverTheClockSays) {
  write_two();
  rewrite(0, 24, 50, 8);             // sequence
  rewrite(0, 32, wall_ns() / 2, 8);  // written long ago, says the clock
  rewrite(0, 96, 0xff, 1);           // links 0 to 7
  EXPECT_EQ(latch().health, LatchHealth::good);
  EXPECT_EQ(latch().state.sequence, 50u);
  EXPECT_TRUE(latch().state.cut[0]);
}

TEST_F(LatchTest, ASlotFromTheFutureIsHonouredAndReported) {
  write_two();
  rewrite(0, 24, 50, 8);
  rewrite(0, 32, wall_ns() + 86400 * kSecond, 8);
  rewrite(0, 8, 3, 4);  // version
  auto read = latch();
  EXPECT_EQ(read.health, LatchHealth::good);
  EXPECT_EQ(read.state.sequence, 50u);
  EXPECT_EQ(read.state.cut, one_link(kVendor));
  EXPECT_EQ(read.reports.size(), 2u);
  // The next write goes on from there.
  Latch latch(directory());
  read = latch.read();
  ASSERT_TRUE(latch.write(read.state, error_));
  EXPECT_EQ(Latch(directory()).read().state.sequence, 51u);
}

TEST_F(LatchTest, AnImpossibleSequenceIsDamage) {
  write_two();
  rewrite(0, 24, UINT64_MAX, 8);
  EXPECT_EQ(latch().health, LatchHealth::one_damaged);
  rewrite(1, 24, 0, 8);
  EXPECT_EQ(latch().health, LatchHealth::all_damaged);
}

TEST_F(LatchTest, BadLengthsAreDamage) {
  write_two();
  rewrite(0, 56, 100000, 4);  // hosts
  EXPECT_EQ(latch().health, LatchHealth::one_damaged);

  rewrite(1, 60, 65, 4);  // zones
  EXPECT_EQ(latch().health, LatchHealth::all_damaged);
}

TEST_F(LatchTest, AWriteMendsADamagedSlot) {
  write_two();
  damage(slot(1));
  Latch latch(directory());
  LatchState state = latch.read().state;
  state.cut |= one_link(kInternet);
  ASSERT_TRUE(latch.write(state, error_));
  const auto read = Latch(directory()).read();
  EXPECT_EQ(read.health, LatchHealth::good);
  EXPECT_EQ(read.state.cut, one_link(kVendor) | one_link(kInternet));
}

TEST_F(LatchTest, ATornWriteLeavesTheOlderState) {
  write_two();
  // The commit goes to one slot at a time: half of it is what a power failure leaves.
  std::fstream file(slot(0), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(0);
  file.write(std::string(1000, '\x55').data(), 1000);
  file.close();
  EXPECT_EQ(latch().health, LatchHealth::one_damaged);
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
}

TEST_F(LatchTest, AFullDiskIsANamedFailure) {
  write_two();
  Latch latch(directory());
  LatchState state = latch.read().state;
  state.cut.reset();
  {
    const FullDisk full;
    EXPECT_FALSE(latch.write(state, error_));
  }
  EXPECT_FALSE(error_.empty());
  EXPECT_EQ(Latch(directory()).read().state.cut, one_link(kVendor));
  EXPECT_TRUE(latch.write(state, error_));
  EXPECT_TRUE(Latch(directory()).read().state.cut.none());
}

TEST_F(LatchTest, OneUnwritableSlotIsAWarning) {
  write_two();
  std::filesystem::remove(slot(1));
  std::filesystem::create_directory(slot(1));
  Latch latch(directory());
  LatchState state = latch.read().state;
  state.cut = one_link(kDevice);
  std::string warning;
  EXPECT_TRUE(latch.write(state, error_, &warning));
  EXPECT_FALSE(warning.empty());
  EXPECT_EQ(Latch(directory()).read().state.cut, one_link(kDevice));
}

TEST(LatchedUntilTest, SameBootByTheMonotonicClockElseByTheWall) {
  LatchState state;
  state.wall_ns = 1000 * kSecond;
  state.boot_id.fill(1);
  const std::array<std::uint8_t, 16> other{2};
  LatchedHost host;
  host.until_wall_ns = 1600 * kSecond;
  host.until_mono_ns = 50 * kSecond;
  const auto until = [&](const auto& boot, std::uint64_t wall, std::uint64_t mono) {
    return latched_until_mono(host, state, boot, wall * kSecond, mono * kSecond) / kSecond;
  };
  EXPECT_EQ(until(state.boot_id, 5000, 20), 50u);  // the wall clock was set forward: no matter
  EXPECT_EQ(until(state.boot_id, 1100, 50), 0u);
  EXPECT_EQ(until(other, 1100, 20), 520u);
  EXPECT_EQ(until(other, 1600, 20), 0u);
  EXPECT_EQ(until(other, 10, 20), 620u);  // the wall clock went back: what was left when it was written
  host.until_wall_ns = UINT64_MAX;
  EXPECT_EQ(latched_until_mono(host, state, other, 1, 1), UINT64_MAX);
}

}  // namespace
}  // namespace sekisho::control
