// Files: comments, continuation, bounds, duplicates, gzip, and lines that are broken everywhere.
#include <zlib.h>

#include <cstdio>
#include <filesystem>

#include "signatures/partial.h"
#include "tests/signatures/help.h"

namespace sekisho::signatures {
namespace {

constexpr const char* kGood = "alert tcp any any -> any any (msg:\"a\"; content:\"abc\"; sid:7; rev:2;)";

TEST(Loader, CommentsContinuationAndLineNumbers) {
  const One r = read_line(
      "# alert tcp broken\n\n   # too\nalert tcp any any -> any any \\\r\n  (msg:\"a\"; \\\n  sid:5;)\r\n"
      "\xef\xbb\xbfnothing\n");
  ASSERT_EQ(r.result.signatures.size(), 1u);
  EXPECT_EQ(r->line, 4u);
  EXPECT_EQ(r->sid, 5u);
  ASSERT_EQ(r.result.rejections.size(), 1u);
  EXPECT_EQ(format(r.result.rejections[0]), "test.rules:7: sid 0: no options: '(' is missing");
}

TEST(Loader, ACommentDoesNotContinue) {
  const One r = read_line(std::string("# comment \\\n") + kGood);
  EXPECT_EQ(r.result.signatures.size(), 1u);
}

TEST(Loader, TheHigherRevWins) {
  const std::string a = "alert tcp any any -> any any (sid:7; rev:2;)\n",
                    b = "drop tcp any any -> any any (sid:7; rev:3;)\n";
  for (const std::string& text : {a + b, b + a}) {
    const One r = read_line(text);
    ASSERT_EQ(r.result.signatures.size(), 1u);
    EXPECT_EQ(r->rev, 3u);
    EXPECT_EQ(r.result.rejections.size(), 1u);
  }
  EXPECT_EQ(read_line(a + b).why(), "rev 2 gives way to rev 3 in test.rules:2");
  EXPECT_EQ(read_line(a + a).why(), "the sid is taken by test.rules:1 with rev 2, this one has rev 2");
  EXPECT_EQ(read_line(a + "alert tcp any any -> any any (sid:7; gid:9;)").result.signatures.size(), 2u);
}

TEST(Loader, ALineOf10MegabytesIsRefusedAndTheNextIsRead) {
  std::string text = "alert tcp any any -> any any (content:\"";
  text.append(10u << 20, 'a');
  text += "\"; sid:9;)\n";
  text += kGood;
  const One r = read_line(text);
  ASSERT_EQ(r.result.signatures.size(), 1u);
  EXPECT_EQ(r->sid, 7u);
  EXPECT_EQ(r.why(), "a line of more than 1048576 bytes");
}

TEST(Loader, OneBadByteInEachOf100000Lines) {
  std::string text;
  const std::string good = kGood;
  std::uint32_t random = 1;
  for (int i = 0; i < 100000; ++i) {
    std::string line = good;
    random = random * 1664525 + 1013904223;
    line[(random >> 8) % line.size()] = static_cast<char>(random >> 24);
    text += line;
    text += '\n';
  }
  const One r = read_line(text);
  // What a byte did not break repeats a sid; each line that is one is accounted for.
  EXPECT_EQ(r.result.signatures.size() + r.result.rejections.size(), r.result.candidates);
  EXPECT_GT(r.result.rejections.size(), 90000u);
  for (const Rejection& x : r.result.rejections) ASSERT_FALSE(x.why.empty());
}

TEST(Loader, Gzip) {
  const auto path =
      std::filesystem::temp_directory_path() / ("sekisho-signatures-" + std::to_string(getpid()) + ".gz");
  gzFile f = gzopen(path.c_str(), "wb");
  ASSERT_NE(f, nullptr);
  gzputs(f, kGood);
  gzclose(f);
  Loader loader{LoadOptions{}};
  EXPECT_TRUE(loader.add_file(path));
  EXPECT_FALSE(loader.add_file("/no/such/file"));
  const LoadResult r = std::move(loader).finish();
  EXPECT_EQ(r.signatures.size(), 1u);
  ASSERT_EQ(r.errors.size(), 1u);
  EXPECT_EQ(r.errors[0], "/no/such/file: No such file or directory");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 9);
  std::string text, why;
  EXPECT_FALSE(read_text_file(path, 1u << 20, text, why));
  std::filesystem::remove(path);
}

TEST(Loader, AFileBeyondItsBoundIsRefused) {
  const auto path = std::filesystem::temp_directory_path() / ("sekisho-bound-" + std::to_string(getpid()));
  FILE* f = std::fopen(path.c_str(), "wb");
  ASSERT_NE(f, nullptr);
  std::fputs("0123456789", f);
  std::fclose(f);
  std::string text, why;
  EXPECT_TRUE(read_text_file(path, 10, text, why));
  EXPECT_FALSE(read_text_file(path, 9, text, why));
  EXPECT_NE(why.find("more than 9 bytes"), why.npos);
  std::filesystem::remove(path);
}

TEST(Partial, NamesWhatCanBeMissed) {
  EXPECT_EQ(partial_reason(*read("alert tls", R"(tls.cert_subject; content:"a";)")),
            "TLS 1.3 encrypts certificates");
  EXPECT_EQ(partial_reason(*read("alert smb", R"(smb.share; content:"a";)")), "SMB 3 may encrypt it");
  EXPECT_EQ(partial_reason(*read("alert tcp", R"(content:"abc"; content:"d"; distance:5000;)")),
            "pkt_data spans 5004 bytes, the look-back has 4096");
  EXPECT_EQ(partial_reason(*read("alert udp", R"(content:"abc"; content:"d"; distance:5000;)")), "");
  EXPECT_EQ(partial_reason(*read("alert http", R"(http.uri; content:"abc";)")), "");
}

}  // namespace
}  // namespace sekisho::signatures
