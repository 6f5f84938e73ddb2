#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cstring>
#include <set>

#include "tests/link/link_fixture.h"

namespace sekisho::control {
namespace {

class WordsTest : public LinkFixture {
 protected:
  std::unique_ptr<WordsFile> open(WordsFile::Which which = WordsFile::Which::create) {
    return WordsFile::open(place_, which, error_);
  }
  std::string error_;
};

QuarantineKey key(const char* text) {
  const auto parsed = parse_quarantine_key(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(QuarantineKey{});
}

TEST_F(WordsTest, ANewFileIsAllCutAndPrivate) {
  const auto file = open();
  ASSERT_NE(file, nullptr) << error_;
  EXPECT_TRUE(file->created());
  EXPECT_EQ(file->kind(), WordsKind::file);
  EXPECT_EQ(file->map_fd(), -1);
  const WordsWriter writer(file->words());
  EXPECT_TRUE(writer.read_cut().all());
  EXPECT_TRUE(writer.read_said_cut().none());
  EXPECT_FALSE(writer.stamped());
  const auto perms = std::filesystem::status(place_.file).permissions();
  EXPECT_EQ(perms, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(WordsTest, WhatIsStoredIsSeenByALaterOpening) {
  {
    const auto file = open();
    WordsWriter writer(file->words());
    writer.open(one_link(kVendor));
    writer.stamp(5);
  }
  const auto file = open();
  EXPECT_FALSE(file->created());
  const WordsWriter writer(file->words());
  EXPECT_TRUE(writer.stamped());
  EXPECT_FALSE(writer.read_cut()[kVendor.raw]);
  EXPECT_EQ(writer.read_cut().count(), SEKISHO_MAX_LINKS - 1u);
  EXPECT_EQ(writer.generation(), 2u);
}

TEST_F(WordsTest, TheDescriptorForTheDataplaneCanOnlyBeRead) {
  const auto file = open();
  void* rw = mmap(nullptr, sizeof(sekisho_words), PROT_READ | PROT_WRITE, MAP_SHARED, file->reader_fd(), 0);
  EXPECT_EQ(rw, MAP_FAILED);
  void* ro = mmap(nullptr, sizeof(sekisho_words), PROT_READ, MAP_SHARED, file->reader_fd(), 0);
  ASSERT_NE(ro, MAP_FAILED);
  EXPECT_NE(mprotect(ro, sizeof(sekisho_words), PROT_READ | PROT_WRITE), 0);
  WordsWriter(file->words()).set_link(kVendor, true);
  EXPECT_EQ(static_cast<const sekisho_words*>(ro)->link[kVendor.raw], SEKISHO_WORD_OPEN);
  munmap(ro, sizeof(sekisho_words));
}

TEST_F(WordsTest, AnotherVersionIsRefused) {
  std::filesystem::create_directories(root_ + "/run");
  std::ofstream(place_.file) << "short";
  EXPECT_EQ(open(), nullptr);
  EXPECT_NE(error_.find("another version"), std::string::npos);
  std::filesystem::remove(place_.file);
  {
    const auto file = open();
    WordsWriter(file->words()).stamp(1);
    file->words()->version = SEKISHO_ABI_VERSION + 1;
  }
  EXPECT_EQ(open(), nullptr);
}

TEST_F(WordsTest, FileOnlyDoesNotCreate) {
  EXPECT_EQ(open(WordsFile::Which::file_only), nullptr);
  EXPECT_FALSE(std::filesystem::exists(place_.file));
}

TEST_F(WordsTest, EachStoreIsFollowedByAGeneration) {
  const auto file = open();
  WordsWriter writer(file->words());
  EXPECT_EQ(writer.open(every_link()), 1u);
  EXPECT_EQ(writer.cut(one_link(kVendor)), 2u);
  EXPECT_EQ(file->words()->link[kVendor.raw], SEKISHO_WORD_CUT);
  EXPECT_EQ(writer.read_cut(), one_link(kVendor));
  EXPECT_EQ(writer.cut(one_link(kInternet), true), 3u);
  EXPECT_EQ(file->words()->link[kInternet.raw], SEKISHO_WORD_CUT_RESET);
  writer.cut(one_link(kInternet));
  EXPECT_EQ(file->words()->link[kInternet.raw], SEKISHO_WORD_CUT_RESET);
  EXPECT_EQ(writer.read_said_cut(), one_link(kVendor) | one_link(kInternet));
  EXPECT_EQ(writer.set_link(kVendor, true), 5u);
}

TEST_F(WordsTest, AccessWordsHoldTheirDeadlineAndTheirBounds) {
  const auto file = open();
  WordsWriter writer(file->words());
  EXPECT_TRUE(writer.set_access(2, true, 77));
  EXPECT_EQ(file->words()->access[2].state, SEKISHO_WORD_OPEN);
  EXPECT_EQ(file->words()->access[2].deadline_ns, 77u);
  EXPECT_TRUE(writer.set_access(2, false, 99));
  EXPECT_NE(file->words()->access[2].state, SEKISHO_WORD_OPEN);
  EXPECT_EQ(file->words()->access[2].deadline_ns, 0u);
  EXPECT_EQ(file->words()->access_generation, 2u);
  EXPECT_FALSE(writer.set_access(SEKISHO_MAX_ACCESS, true, 1));
}

TEST_F(WordsTest, QuarantineAddsRenewsReleasesAndExpires) {
  const auto file = open();
  WordsWriter writer(file->words());
  EXPECT_EQ(writer.quarantine(key("10.0.0.5"), 100), QuarantineResult::added);
  EXPECT_EQ(writer.quarantine(key("2001:db8::5"), 200), QuarantineResult::added);
  EXPECT_EQ(writer.quarantine(key("52:54:00:aa:bb:cc"), UINT64_MAX), QuarantineResult::added);
  EXPECT_EQ(writer.quarantine(key("10.0.0.5"), 300), QuarantineResult::renewed);
  EXPECT_EQ(file->words()->quarantine_count, 3u);
  EXPECT_EQ(writer.expire(250), 1u);
  EXPECT_EQ(writer.expire(250), 0u);
  EXPECT_EQ(file->words()->quarantine_count, 2u);
  EXPECT_EQ(writer.release(key("10.0.0.5")), QuarantineResult::removed);
  EXPECT_EQ(writer.release(key("10.0.0.5")), QuarantineResult::not_there);
  EXPECT_EQ(writer.quarantine(QuarantineKey{9, {}}, 1), QuarantineResult::bad_key);
  ASSERT_EQ(writer.read_quarantine().size(), 1u);
  EXPECT_EQ(to_string(writer.read_quarantine()[0].key), "52:54:00:aa:bb:cc");
}

// A reader as abi/words.h describes it, against a std::set.
bool reader_finds(const sekisho_words& words, const QuarantineKey& k) {
  std::uint32_t w[4];
  std::memcpy(w, k.bytes.data(), sizeof w);
  const std::uint32_t home = sekisho_quarantine_home(k.kind, w[0], w[1], w[2], w[3]);
  for (std::uint32_t i = 0; i < SEKISHO_QUARANTINE_PROBES; ++i) {
    const auto& slot = words.quarantine[(home + i) & (SEKISHO_QUARANTINE_SLOTS - 1)];
    if (slot.kind == SEKISHO_QUARANTINE_EMPTY) return false;
    if (slot.kind == k.kind && std::memcmp(slot.key, k.bytes.data(), 16) == 0) return true;
  }
  return false;
}

TEST_F(WordsTest, AReaderFindsExactlyWhatWasAdded) {
  const auto file = open();
  WordsWriter writer(file->words());
  std::set<std::string> expected;
  unsigned full = 0;
  std::uint32_t random = 12345;
  for (int step = 0; step < 20000; ++step) {
    random = random * 1664525 + 1013904223;
    const std::string text =
        "10.1." + std::to_string(random >> 8 & 15) + "." + std::to_string(random >> 16 & 255);
    const QuarantineKey k = key(text.c_str());
    if ((random >> 28) < 10) {
      const auto result = writer.quarantine(k, UINT64_MAX);
      EXPECT_EQ(result == QuarantineResult::renewed, expected.count(text) == 1);
      full += result == QuarantineResult::full;
      if (result == QuarantineResult::added) expected.insert(text);
    } else {
      const auto result = writer.release(k);
      EXPECT_EQ(result == QuarantineResult::removed, expected.erase(text) == 1);
    }
  }
  EXPECT_EQ(file->words()->quarantine_count, expected.size());
  EXPECT_GT(full, 0u);  // 4,096 hosts do not fit: refused by name, never lost
  for (int host = 0; host < 4096; ++host) {
    const std::string text = "10.1." + std::to_string(host >> 8) + "." + std::to_string(host & 255);
    EXPECT_EQ(reader_finds(*file->words(), key(text.c_str())), expected.count(text) == 1) << text;
  }
}

TEST(QuarantineKeyTest, ParsesHostsOnly) {
  EXPECT_EQ(to_string(key("10.20.0.30")), "10.20.0.30");
  EXPECT_EQ(to_string(key("2001:DB8::1")), "2001:db8::1");
  EXPECT_EQ(to_string(key("52-54-00-AA-BB-CC")), "52:54:00:aa:bb:cc");
  EXPECT_EQ(key("::ffff:10.0.0.5"), key("10.0.0.5"));
  for (const char* bad :
       {"", "10.0.0", "10.0.0.5/24", "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1",
        "ff02::1", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "52:54:00:aa:bb",
        "52:54:00:aa:bb:c", "52:54:00:aa:bb:cg", "host", "10.0.0.5 "})
    EXPECT_FALSE(parse_quarantine_key(bad).has_value()) << bad;
}

TEST_F(WordsTest, TheLockIsExclusiveWaitsABitAndIsGivenBack) {
  FileLock a, b;
  ASSERT_TRUE(a.prepare(place_.lock, error_) && b.prepare(place_.lock, error_));
  EXPECT_TRUE(a.lock(0));
  EXPECT_TRUE(a.lock(0));
  EXPECT_FALSE(b.lock(kMillisecond));
  a.unlock();
  EXPECT_TRUE(b.lock(0));
  EXPECT_FALSE(a.lock(0));
}

TEST_F(WordsTest, LivenessIsTheLock) {
  EXPECT_FALSE(sekishod_alive(place_));
  start();
  EXPECT_TRUE(sekishod_alive(place_));
  stop();
  EXPECT_FALSE(sekishod_alive(place_));
}

TEST_F(WordsTest, ASecondManagerIsRefused) {
  start();
  std::string error;
  EXPECT_EQ(LinkControl::start(options(), nullptr, error), nullptr);
  EXPECT_NE(error.find("another sekishod"), std::string::npos);
}

// The array needs a bpffs: in a mount namespace of its own, in a child.
class ArrayTest : public WordsTest {
 protected:
  // Runs `body` where a bpffs can be mounted; its exit code tells. 77: not permitted here.
  void in_namespace(const std::function<int()>& body) {
    place_.bpffs = root_ + "/bpf";
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        _exit(77);
      std::string error;
      if (WordsFile::open(place_, WordsFile::Which::create, error)->kind() != WordsKind::bpf_array) _exit(77);
      _exit(body());
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no bpffs can be mounted, or no array made, here";
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
};

TEST_F(ArrayTest, ThePinnedArrayKeepsItsWords) {
  in_namespace([this] {
    std::string error;
    {
      const auto file = WordsFile::open(place_, WordsFile::Which::create, error);
      if (file->created() || file->map_fd() < 0) return 1;  // pinned by the look before
      WordsWriter writer(file->words());
      if (!writer.read_cut().all()) return 2;
      writer.open(every_link());
      writer.cut(one_link(kVendor));
      writer.quarantine(key("10.0.0.5"), UINT64_MAX);
    }
    const auto file = WordsFile::open(place_, WordsFile::Which::bpf_only, error);
    if (file == nullptr) return 3;
    const WordsWriter writer(file->words());
    if (writer.read_cut() != one_link(kVendor)) return 4;
    const std::size_t size = sizeof(sekisho_words);
    void* ro = mmap(nullptr, size, PROT_READ, MAP_SHARED, file->reader_fd(), 0);
    if (ro == MAP_FAILED) return 6;
    if (mprotect(ro, size, PROT_READ | PROT_WRITE) == 0) return 7;
    if (!reader_finds(*static_cast<const sekisho_words*>(ro), key("10.0.0.5"))) return 8;
    return std::filesystem::exists(place_.file) ? 9 : 0;
  });
}

TEST_F(ArrayTest, ACutInTheFileOfAnEarlierStartIsTakenIntoTheArray) {
  WordsPlace plain = place_;
  start();
  control_->cut(one_link(kVendor), yamada, "before the bpffs was there");
  std::filesystem::remove_all(root_ + "/latch");  // so that the file alone knows
  stop();
  ASSERT_TRUE(Latch(root_ + "/latch").initialise(error_));
  in_namespace([this] {
    auto o = options();
    std::string error;
    const auto control = LinkControl::start(o, nullptr, error);
    if (control == nullptr) return 1;
    if (control->words_map_fd() < 0) return 2;
    if (control->cut_links() != one_link(kVendor)) return 3;
    return std::filesystem::exists(place_.file) ? 4 : 0;
  });
}

TEST_F(ArrayTest, ADirectCutReachesTheArray) {
  in_namespace([this] {
    std::string error;
    {
      const auto control = LinkControl::start(options(), nullptr, error);
      if (control == nullptr || control->cut_links().any()) return 1;
    }
    const DirectCut cut = cut_direct(direct(), one_link(kVendor), yamada, "");
    if (!cut.stored || cut.where.size() != 1 || !cut.latched) return 2;
    const auto file = WordsFile::open(place_, WordsFile::Which::bpf_only, error);
    return WordsWriter(file->words()).read_cut() == one_link(kVendor) ? 0 : 3;
  });
}

}  // namespace
}  // namespace sekisho::control
