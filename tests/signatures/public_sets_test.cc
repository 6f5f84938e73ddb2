// The public sets, where they are at hand beside the source.
#include <filesystem>

#include "tests/signatures/help.h"

namespace sekisho::signatures {
namespace {

LoadResult load(const std::string& file) {
  Loader loader{LoadOptions{}};
  loader.add_file(file);
  return std::move(loader).finish();
}

TEST(PublicSets, EmergingThreatsOpen) {
  const std::string file = SEKISHO_SOURCE_ROOT "/../shared/rules/etopen-2024-03-08.rules.gz";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "not here: " << file;
  const LoadResult r = load(file);
  EXPECT_EQ(r.candidates, 36714u);
  EXPECT_GE(r.signatures.size(), 36678u);  // 99.9 %
  for (const Rejection& x : r.rejections)
    std::printf("%s\n", format(x).substr(format(x).rfind('/') + 1).c_str());
  for (const Signature& s : r.signatures) {
    ASSERT_NE(s.sid, 0u);
    ASSERT_TRUE(s.source.addresses && s.source.ports && s.destination.addresses && s.destination.ports);
    ASSERT_NE(s.directions, 0);
    for (const BufferGroup& g : s.groups) {
      ASSERT_FALSE(g.matches.empty()) << s.sid;
      ASSERT_TRUE(g.buffer == Buffer::base64_data || static_cast<unsigned>(g.buffer) < abi::kBufferCount);
    }
  }
}

TEST(PublicSets, SnortCommunity) {
  const std::string file = SEKISHO_SOURCE_ROOT "/../shared/rules/snort-community-2025-11/community.rules.gz";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "not here: " << file;
  const LoadResult r = load(file);
  EXPECT_EQ(r.candidates, 561u);
  EXPECT_EQ(r.signatures.size(), 561u);
  for (const Rejection& x : r.rejections) std::printf("%s\n", format(x).c_str());
}

}  // namespace
}  // namespace sekisho::signatures
