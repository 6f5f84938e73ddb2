#include "dataplane/io/shared_memory.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/io/words_memory.h"

namespace sekisho::io {
namespace {

Descriptor memfd(std::size_t bytes, int seals) {
  Descriptor fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}
constexpr int kAll = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

TEST(MapSealed, TakesOnlyWhatCanNoLongerChange) {
  std::string why;
  for (const int seals :
       {0, F_SEAL_WRITE | F_SEAL_SHRINK, F_SEAL_WRITE | F_SEAL_GROW, F_SEAL_SHRINK | F_SEAL_GROW}) {
    EXPECT_FALSE(map_sealed(memfd(4096, seals), 1 << 20, why)) << seals;
    EXPECT_NE(why.find("sealed"), std::string::npos);
  }
  const auto mapped = map_sealed(memfd(5000, kAll), 1 << 20, why);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->bytes(), 5000u);
}
TEST(MapSealed, RefusesEmptyLargeAndOtherFiles) {
  std::string why;
  EXPECT_FALSE(map_sealed(memfd(0, kAll), 1 << 20, why));
  EXPECT_FALSE(map_sealed(memfd(4097, kAll), 4096, why));
  EXPECT_FALSE(map_sealed(Descriptor(open("/dev/null", O_RDONLY)), 1 << 20, why));
  EXPECT_FALSE(map_sealed(Descriptor(open("/proc/self/exe", O_RDONLY)), 1ull << 40, why));
  EXPECT_FALSE(map_sealed(Descriptor(), 1 << 20, why));
}

TEST(RegionMemory, IsReadOnlyForWhoeverReceivesIt) {
  const RegionMemory region(2, 3);
  EXPECT_EQ(region.get().magic, abi::kRegionMagic);
  EXPECT_EQ(region.get().workers, 2u);
  EXPECT_EQ(mmap(nullptr, sizeof(abi::Region), PROT_READ | PROT_WRITE, MAP_SHARED, region.fd(), 0),
            MAP_FAILED);
  EXPECT_NE(ftruncate(region.fd(), 4096), 0);
  char byte = 1;
  EXPECT_LT(pwrite(region.fd(), &byte, 1, 0), 0);
  void* view = mmap(nullptr, sizeof(abi::Region), PROT_READ, MAP_SHARED, region.fd(), 0);
  ASSERT_NE(view, MAP_FAILED);
  region.get().worker[1].bursts = 77;
  EXPECT_EQ(static_cast<const abi::Region*>(view)->worker[1].bursts, 77u);
  EXPECT_NE(mprotect(view, 4096, PROT_READ | PROT_WRITE), 0);
  munmap(view, sizeof(abi::Region));
}

TEST(EventMemory, RingsWorkOverTheDescriptor) {
  const EventMemory events(2);
  void* view = mmap(nullptr, abi::EventRegion::bytes(2), PROT_READ | PROT_WRITE, MAP_SHARED, events.fd(), 0);
  ASSERT_NE(view, MAP_FAILED);
  abi::Event event{};
  event.flow_id = 5;
  ASSERT_TRUE(events.ring(1).push(event));
  abi::Event got{};
  ASSERT_TRUE(static_cast<abi::EventRegion*>(view)->ring[1].pop(got));
  EXPECT_EQ(got.flow_id, 5u);
  EXPECT_NE(ftruncate(events.fd(), 4096), 0);
  munmap(view, abi::EventRegion::bytes(2));
}

TEST(RecorderMemory, IsReadOnlyForWhoeverReceivesItAndItsRingsAreApart) {
  const RecorderMemory memory(2, 2 * abi::kRecorderBlock);
  const std::uint64_t bytes = abi::RecorderRegion::bytes(2, 2 * abi::kRecorderBlock);
  EXPECT_EQ(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd(), 0), MAP_FAILED);
  EXPECT_NE(ftruncate(memory.fd(), 4096), 0);
  void* view = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, memory.fd(), 0);
  ASSERT_NE(view, MAP_FAILED);
  const auto& region = *static_cast<const abi::RecorderRegion*>(view);
  EXPECT_EQ(region.magic, abi::kRecorderMagic);
  EXPECT_EQ(region.size, bytes);
  memory.ring(0).written = 7;
  std::memset(abi::recorder_data(&memory.ring(0)), 0xff, 2 * abi::kRecorderBlock);
  EXPECT_EQ(region.ring(0)->written, 7u);
  EXPECT_EQ(region.ring(1)->written, 0u);
  abi::recorder_data(&memory.ring(1))[2 * abi::kRecorderBlock - 1] = 9;
  EXPECT_EQ(static_cast<const std::uint8_t*>(view)[bytes - 1], 9);
  munmap(view, bytes);
}

TEST(WordsMemory, StartsAsZerosWhichReadAsCut) {
  const WordsMemory words;
  EXPECT_EQ(words.get()->magic, 0u);
  EXPECT_NE(words.get()->link[0], SEKISHO_WORD_OPEN);
}
TEST(WordsMemory, ShowsWhatIsStoredAndCannotBeWritten) {
  TestWords source;
  WordsMemory words;
  const sekisho_words* at = words.get();
  std::string why;
  ASSERT_TRUE(words.attach(Descriptor(dup(source.fd())), why)) << why;
  EXPECT_EQ(words.get(), at);
  source.set_all(SEKISHO_WORD_OPEN);
  EXPECT_EQ(at->link[SEKISHO_MAX_LINKS - 1], SEKISHO_WORD_OPEN);
  EXPECT_NE(mprotect(const_cast<sekisho_words*>(at), 4096, PROT_READ | PROT_WRITE), 0);
}
TEST(WordsMemory, TakesAnArrayOfTheKernel) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  const Descriptor map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "words", 4, sizeof(sekisho_words), 1, &options));
  if (!map) GTEST_SKIP() << "needs the right to make BPF maps";
  WordsMemory words;
  std::string why;
  EXPECT_FALSE(words.attach(map, why)) << "still empty";
  const TestWords content;
  std::vector<std::uint8_t> value(sizeof(sekisho_words));
  std::memcpy(value.data(), &content.get(), value.size());
  const std::uint32_t zero = 0;
  ASSERT_EQ(bpf_map_update_elem(map.get(), &zero, value.data(), 0), 0);
  ASSERT_TRUE(words.attach(map, why)) << why;
  reinterpret_cast<sekisho_words*>(value.data())->link[9] = SEKISHO_WORD_OPEN;
  ASSERT_EQ(bpf_map_update_elem(map.get(), &zero, value.data(), 0), 0);
  EXPECT_EQ(words.get()->link[9], SEKISHO_WORD_OPEN);
  EXPECT_NE(mprotect(const_cast<sekisho_words*>(words.get()), 4096, PROT_READ | PROT_WRITE), 0);
}
TEST(WordsMemory, NewWordsTakeThePlaceOfTheOldOnes) {
  TestWords first, second;
  first.set_all(SEKISHO_WORD_OPEN);
  WordsMemory words;
  std::string why;
  ASSERT_TRUE(words.attach(Descriptor(dup(first.fd())), why));
  ASSERT_TRUE(words.attach(Descriptor(dup(second.fd())), why));
  EXPECT_NE(words.get()->link[0], SEKISHO_WORD_OPEN);
  first.set_all(SEKISHO_WORD_CUT);
  second.set_all(SEKISHO_WORD_OPEN);
  EXPECT_EQ(words.get()->link[0], SEKISHO_WORD_OPEN);
}
TEST(WordsMemory, RefusesWhatIsNoWordsAndKeepsTheOldOnes) {
  TestWords good, bad;
  good.set_all(SEKISHO_WORD_OPEN);
  WordsMemory words;
  std::string why;
  ASSERT_TRUE(words.attach(Descriptor(dup(good.fd())), why));
  bad.get().size = 12;
  EXPECT_FALSE(words.attach(Descriptor(dup(bad.fd())), why));
  EXPECT_FALSE(words.attach(memfd(4096, 0), why));
  EXPECT_FALSE(words.attach(memfd(sizeof(sekisho_words), 0), why));
  EXPECT_FALSE(words.attach(Descriptor(open("/dev/null", O_RDONLY)), why));
  EXPECT_EQ(words.get()->link[0], SEKISHO_WORD_OPEN);
}

}  // namespace
}  // namespace sekisho::io
