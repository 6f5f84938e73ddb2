// Signed bundles: what is taken, and each refusal by its name.
#include "signatures/bundle.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace sekisho::signatures {
namespace {

std::vector<std::uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

struct Keys {
  PublicKey open;
  SecretKey secret;
  Keys() { make_keys(open, secret); }
};

std::vector<std::uint8_t> sample(const Keys& keys, std::uint64_t version = 7) {
  std::vector<std::uint8_t> out;
  EXPECT_EQ(make_bundle("et", version, 1000, {{"a.rules", bytes_of("one")}, {"b.config", bytes_of("")}},
                        keys.secret, out),
            "");
  return out;
}

std::string open_it(const std::vector<std::uint8_t>& bytes, const Keys& keys) {
  Bundle b;
  return open_bundle(bytes, {keys.open}, b);
}

TEST(Bundle, IsTaken) {
  const Keys keys;
  const auto bytes = sample(keys);
  Bundle b;
  ASSERT_EQ(open_bundle(bytes, {Keys().open, keys.open}, b), "");
  EXPECT_EQ(b.manifest.name, "et");
  EXPECT_EQ(b.manifest.version, 7u);
  EXPECT_EQ(b.manifest.created_wall_s, 1000u);
  EXPECT_EQ(b.key, keys.open);
  ASSERT_EQ(b.files.size(), 2u);
  EXPECT_EQ(std::string(b.files[0].begin(), b.files[0].end()), "one");
  EXPECT_EQ(b.files[1].size(), 0u);
}

TEST(Bundle, AnyChangedByteIsRefused) {
  const Keys keys;
  const auto good = sample(keys);
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] ^= 0x20;
    EXPECT_NE(open_it(bad, keys), "") << "byte " << i;
  }
}

TEST(Bundle, EveryPartOfItIsRefused) {
  const Keys keys;
  const auto good = sample(keys);
  for (std::size_t n = 0; n < good.size(); ++n) {
    const std::string why = open_it({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n)}, keys);
    EXPECT_TRUE(why.starts_with(n < 8 ? "not_a_bundle" : "truncated")) << n << ": " << why;
  }
  auto more = good;
  more.push_back(0);
  EXPECT_TRUE(open_it(more, keys).starts_with("trailing_bytes"));
}

TEST(Bundle, NamesTheRefusal) {
  const Keys keys, other;
  auto bytes = sample(keys);
  EXPECT_TRUE(open_it(bytes, other).starts_with("untrusted_key"));
  Bundle b;
  EXPECT_TRUE(open_bundle(bytes, {}, b).starts_with("untrusted_key")) << "nobody is trusted by default";
  EXPECT_EQ(look_into_bundle(bytes, b), "");
  bytes.back() ^= 1;
  EXPECT_TRUE(open_it(bytes, keys).starts_with("damaged"));
  bytes = sample(keys);
  std::fill_n(bytes.begin() + 48, 64, 0);
  EXPECT_TRUE(open_it(bytes, keys).starts_with("unsigned"));
  bytes = sample(keys);
  bytes[112 + 5] ^= 1;
  EXPECT_TRUE(open_it(bytes, keys).starts_with("wrong_signature"));
  // Somebody else's key in the head does not make it theirs.
  bytes = sample(keys);
  std::copy(other.open.begin(), other.open.end(), bytes.begin() + 16);
  EXPECT_TRUE(open_it(bytes, other).starts_with("wrong_signature"));
}

TEST(Bundle, NoNameLeavesItsFolder) {
  const Keys keys;
  for (const char* name : {"../a.rules", "/etc/passwd", "a/b", ".hidden", "..", "", "a\nb"}) {
    std::vector<std::uint8_t> out;
    EXPECT_TRUE(
        make_bundle("et", 1, 1, {{name, bytes_of("x")}}, keys.secret, out).starts_with("path_traversal"))
        << name;
  }
  std::vector<std::uint8_t> out;
  EXPECT_TRUE(make_bundle("et", 1, 1, {{"manifest.json", {}}}, keys.secret, out).starts_with("bad_manifest"));
  EXPECT_TRUE(make_bundle("et", 1, 1, {{"a", {}}, {"a", {}}}, keys.secret, out).starts_with("bad_manifest"));
  EXPECT_TRUE(make_bundle("et", 0, 1, {{"a", {}}}, keys.secret, out).starts_with("bad_manifest"));
  EXPECT_TRUE(make_bundle("et", 1, 1, {}, keys.secret, out).starts_with("bad_manifest"));
}

TEST(Bundle, SecretKeysAreKept) {
  const std::string path = testing::TempDir() + "key-" + std::to_string(getpid());
  const Keys keys;
  ASSERT_EQ(save_secret(path, keys.secret), "");
  EXPECT_NE(save_secret(path, keys.secret), "") << "never overwritten";
  SecretKey again;
  ASSERT_EQ(load_secret(path, again), "");
  EXPECT_EQ(again, keys.secret);
  chmod(path.c_str(), 0644);
  EXPECT_NE(load_secret(path, again).find("others may read it"), std::string::npos);
  std::filesystem::remove(path);
  PublicKey open;
  EXPECT_TRUE(read_key(text_of(keys.open), open));
  EXPECT_EQ(open, keys.open);
  EXPECT_FALSE(read_key("AAAA", open));
}

}  // namespace
}  // namespace sekisho::signatures
