// Captures at rest: what is read back, what is refused, what goes.
#include "control/recorder/capture_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace sekisho::control {
namespace {
namespace fs = std::filesystem;

struct Place {
  Place() {
    char pattern[] = "/tmp/sekisho-captures-XXXXXX";
    directory = mkdtemp(pattern);
  }
  ~Place() { fs::remove_all(directory); }
  CaptureStoreOptions options() const {
    return {.directory = directory + "/captures", .key = directory + "/captures.key"};
  }
  std::string file(const std::string& id) const { return directory + "/captures/" + id + ".skcap"; }
  std::string directory;
};

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

CaptureInfo info(const std::string& why, std::uint64_t second = 1'700'000'000) {
  CaptureInfo i;
  i.kind = "command";
  i.why = why;
  i.wall_ns = second * 1'000'000'000u;
  i.packets = 3;
  return i;
}

TEST(CaptureStore, ReadsBackWhatItKeptAndNothingOfItIsInClear) {
  Place place;
  CaptureStore store(place.options());
  ASSERT_EQ(store.open(), "");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65536}, std::size_t{200'000}}) {
    std::string pcapng;
    while (pcapng.size() < size) pcapng += "RECOGNISE-ME ";
    pcapng.resize(size);
    CaptureInfo i = info("RECOGNISE-ME-TOO");
    ASSERT_EQ(store.add(i, pcapng), "");
    std::string error;
    const auto back = store.read(i.id, error);
    ASSERT_TRUE(back) << error;
    EXPECT_EQ(*back, pcapng);
    const std::string raw = slurp(place.file(i.id));
    EXPECT_EQ(raw.find("RECOGNISE"), raw.npos);
    const auto found = store.find(i.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->damage, "");
    EXPECT_EQ(found->info.why, "RECOGNISE-ME-TOO");
    EXPECT_EQ(found->info.bytes, size);
    EXPECT_EQ(found->info.packets, 3u);
  }
  struct stat s {};
  ASSERT_EQ(stat((place.directory + "/captures.key").c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0600u);
  EXPECT_EQ(s.st_size, 32);
  ASSERT_EQ(stat(place.file(store.list()[0].info.id).c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0600u);
}

TEST(CaptureStore, AnotherStartReadsTheSameAndContinuesTheNumbers) {
  Place place;
  CaptureInfo a = info("a"), b = info("b");
  {
    CaptureStore store(place.options());
    ASSERT_EQ(store.open(), "");
    ASSERT_EQ(store.add(a, "one"), "");
  }
  CaptureStore store(place.options());
  ASSERT_EQ(store.open(), "");
  ASSERT_EQ(store.add(b, "two"), "");
  EXPECT_NE(a.id, b.id);
  std::string error;
  EXPECT_EQ(store.read(a.id, error), "one");
  const auto list = store.list();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].info.why, "b") << "newest first";
}

TEST(CaptureStore, RefusesEveryTruncation) {
  Place place;
  CaptureStore store(place.options());
  ASSERT_EQ(store.open(), "");
  CaptureInfo i = info("x");
  ASSERT_EQ(store.add(i, std::string(70'000, 'p')), "");
  const std::string whole = slurp(place.file(i.id));
  for (std::size_t n = 0; n < whole.size(); n += n < 600 || n > whole.size() - 600 ? 1 : 997) {
    spill(place.file(i.id), whole.substr(0, n));
    std::string error;
    ASSERT_FALSE(store.read(i.id, error)) << n;
    ASSERT_NE(error, "") << n;
  }
  spill(place.file(i.id), whole);
  std::string error;
  EXPECT_TRUE(store.read(i.id, error));
}

TEST(CaptureStore, RefusesEveryFlippedBitExtensionAndRenaming) {
  Place place;
  CaptureStore store(place.options());
  ASSERT_EQ(store.open(), "");
  CaptureInfo i = info("x"), other = info("y");
  ASSERT_EQ(store.add(i, std::string(1000, 'p')), "");
  ASSERT_EQ(store.add(other, "q"), "");
  const std::string whole = slurp(place.file(i.id));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    std::string bad = whole;
    bad[n] = static_cast<char>(bad[n] ^ (1 << n % 8));
    spill(place.file(i.id), bad);
    std::string error;
    ASSERT_FALSE(store.read(i.id, error)) << n;
  }
  std::string error;
  spill(place.file(i.id), whole + "x");
  EXPECT_FALSE(store.read(i.id, error));
  EXPECT_NE(error.find("follow"), error.npos) << error;
  spill(place.file(i.id), slurp(place.file(other.id)));
  EXPECT_FALSE(store.read(i.id, error));
  EXPECT_NE(error.find("renamed"), error.npos) << error;
  EXPECT_NE(store.find(i.id)->damage, "");
  EXPECT_EQ(store.list().size(), 2u) << "a damaged one is shown";
}

TEST(CaptureStore, ABadKeyKeepsNothingAndAnotherKeyReadsNothing) {
  Place place;
  CaptureInfo i = info("x");
  {
    CaptureStore store(place.options());
    ASSERT_EQ(store.open(), "");
    ASSERT_EQ(store.add(i, "one"), "");
  }
  const std::string key = place.directory + "/captures.key", good = slurp(key);
  for (const std::string& bad : {std::string(), good.substr(1), good + "x"}) {
    spill(key, bad);
    CaptureStore store(place.options());
    EXPECT_NE(store.open(), "") << bad.size();
    CaptureInfo n = info("n");
    EXPECT_NE(store.add(n, "x"), "");
    EXPECT_EQ(slurp(key), bad) << "what is there is not overwritten";
  }
  spill(key, std::string(32, 'k'));
  CaptureStore store(place.options());
  ASSERT_EQ(store.open(), "");
  std::string error;
  EXPECT_FALSE(store.read(i.id, error));
  EXPECT_NE(error.find("key"), error.npos) << error;
}

TEST(CaptureStore, TheOldestGoForNewOnes) {
  Place place;
  CaptureStore store(place.options());
  ASSERT_EQ(store.open(), "");
  store.set_bounds(3, 1 << 20);
  for (int n = 0; n < 5; ++n) {
    CaptureInfo i = info(std::to_string(n), 1'700'000'000u + static_cast<unsigned>(n));
    ASSERT_EQ(store.add(i, "x"), "");
  }
  auto list = store.list();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[2].info.why, "2");
  EXPECT_EQ(store.removed(), 2u);
  CaptureInfo big = info("big", 1'700'000'100);
  ASSERT_EQ(store.add(big, std::string(900'000, 'x')), "");
  CaptureInfo bigger = info("bigger", 1'700'000'101);
  ASSERT_EQ(store.add(bigger, std::string(1'000'000, 'x')), "");
  list = store.list();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].info.why, "bigger");
  CaptureInfo huge = info("huge");
  EXPECT_NE(store.add(huge, std::string(2'000'000, 'x')), "");
  EXPECT_EQ(store.list().size(), 1u) << "what cannot be kept pushes nothing out";
  store.set_bounds(1, 1000);
  EXPECT_TRUE(store.list().empty());
}

TEST(CaptureStore, NamesThatAreNoIdsAreNotLookedFor) {
  Place place;
  CaptureStore store(place.options());
  ASSERT_EQ(store.open(), "");
  for (const char* bad : {"", "../captures.key", "20261123T120102Z-000/", "20261123T120102Z-00071", "x"}) {
    std::string error;
    EXPECT_FALSE(store.read(bad, error)) << bad;
    EXPECT_FALSE(store.find(bad)) << bad;
  }
  spill(place.directory + "/captures/20261123T120102Z-0007.skcap", "not a capture");
  ASSERT_EQ(store.list().size(), 1u);
  EXPECT_EQ(store.list()[0].damage, "not a capture");
}

}  // namespace
}  // namespace sekisho::control
