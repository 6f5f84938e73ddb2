#include <gtest/gtest.h>

#include <string>

#include "dataplane/app/transaction.h"

namespace sekisho::app {
namespace {

Bytes bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(const Side::Entry& e) {
  return {reinterpret_cast<const char*>(e.bytes), e.size};
}

TEST(Side, KeepsWholeBuffersWhereTheyAre) {
  AppPool pool(8 << 20);
  Side side(pool);
  ASSERT_TRUE(side.add(Buffer::http_uri, bytes("/a")));
  const std::uint8_t* first = side.entries()[0].bytes;
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(side.add(Buffer::dns_query, {bytes("x."), bytes(std::to_string(i))}));
  EXPECT_EQ(side.find(Buffer::http_uri)->bytes, first);
  EXPECT_EQ(text(*side.find(Buffer::http_uri)), "/a");
  EXPECT_EQ(text(side.entries()[100]), "x.99");
  EXPECT_EQ(side.find(Buffer::http_host), nullptr);
  side.release();
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(Side, CutsOffWhatGoesBeyondItsBounds) {
  AppPool pool(8 << 20);
  Side side(pool);
  const std::string half(kMaxSideBytes / 2, 'a');
  EXPECT_TRUE(side.add(Buffer::http_uri, bytes(half)));
  EXPECT_TRUE(side.add(Buffer::http_uri, bytes(half)));
  EXPECT_FALSE(side.add(Buffer::http_uri, bytes("b")));
  EXPECT_TRUE(side.truncated());
  Side many(pool);
  for (std::size_t i = 0; i < kMaxSideBuffers; ++i) ASSERT_TRUE(many.add(Buffer::dns_query, bytes("q")));
  EXPECT_FALSE(many.add(Buffer::dns_query, bytes("q")));
}

TEST(Side, ABodyKeepsItsWindowAndAllThatWasNotScanned) {
  AppPool pool(8 << 20);
  Side side(pool);
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    const std::string piece(97, static_cast<char>('a' + i % 26));
    all += piece;
    ASSERT_TRUE(side.append(Buffer::file_data, bytes(piece)));
    Side::Entry& body = side.entries()[0];
    ASSERT_EQ(body.offset + body.size, all.size());
    ASSERT_EQ(text(body), all.substr(body.offset)) << i;
    ASSERT_GE(body.size, std::min<std::size_t>(all.size(), kBodyWindow));
    body.scanned_to = all.size();
  }
  side.complete(Buffer::file_data);
  EXPECT_TRUE(side.entries()[0].complete);
  ASSERT_TRUE(side.append(Buffer::file_data, bytes("next")));
  EXPECT_EQ(side.entries().size(), 2u) << "a body that is complete does not grow";
  side.release();
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(Side, ABodyThatNobodyScansIsRefusedAtItsBound) {
  AppPool pool(8 << 20);
  Side side(pool);
  const std::string piece(16384, 'a');
  int taken = 0;
  while (side.append(Buffer::file_data, bytes(piece)) && taken < 100) ++taken;
  EXPECT_EQ(taken, 4);
  EXPECT_TRUE(side.truncated());
}

TEST(Side, AnEmptyPoolTruncates) {
  AppPool pool(1 << 20);
  while (pool.allocate(64) != nullptr) {
  }
  Side side(pool);
  EXPECT_FALSE(side.add(Buffer::http_uri, bytes("/")));
  EXPECT_FALSE(side.append(Buffer::file_data, bytes("a")));
  EXPECT_TRUE(side.truncated());
}

}  // namespace
}  // namespace sekisho::app
