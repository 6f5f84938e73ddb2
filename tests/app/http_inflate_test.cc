#include <brotli/encode.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>

#include <random>

#include "dataplane/app/inflate.h"
#include "tests/app/http_script.h"

namespace sekisho::app {
namespace {

// bits: 15 zlib, -15 raw, 31 gzip
std::string deflated(const std::string& text, int bits) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()) + 32, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}
std::string gzip(const std::string& s) {
  return deflated(s, 31);
}
std::string brotli(const std::string& text) {
  std::size_t n = BrotliEncoderMaxCompressedSize(text.size()) + 64;
  std::string out(n, '\0');
  BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, text.size(),
                        reinterpret_cast<const std::uint8_t*>(text.data()), &n,
                        reinterpret_cast<std::uint8_t*>(out.data()));
  out.resize(n);
  return out;
}
std::string lzma(const std::string& text) {
  lzma_options_lzma options;
  lzma_lzma_preset(&options, 6);
  lzma_stream s = LZMA_STREAM_INIT;
  EXPECT_EQ(lzma_alone_encoder(&s, &options), LZMA_OK);
  std::string out(text.size() + 1000, '\0');
  s.next_in = reinterpret_cast<const std::uint8_t*>(text.data());
  s.avail_in = text.size();
  s.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  s.avail_out = out.size();
  EXPECT_EQ(lzma_code(&s, LZMA_FINISH), LZMA_STREAM_END);
  out.resize(s.total_out);
  lzma_end(&s);
  return out;
}
std::string words(std::size_t size, unsigned seed = 1) {
  std::mt19937 r(seed);
  std::string s;
  while (s.size() < size)
    s.append("word").append(std::to_string(r() % 5000)).append(r() % 9 == 0 ? "\n" : " ");
  s.resize(size);
  return s;
}

struct Sink final : InflateSink {
  std::string out;
  std::vector<AppEvent> events;
  bool decoded(Bytes b, unsigned) override {
    EXPECT_LE(b.size(), kInflatePiece);
    out.append(reinterpret_cast<const char*>(b.data()), b.size());
    return true;
  }
  void trouble(AppEvent e) override { events.push_back(e); }
};
struct Result {
  std::string out;
  std::vector<AppEvent> events;
  bool good = true;
};
Result undo(const std::string& encoding, const std::string& bytes, std::size_t piece = 1 << 20,
            unsigned limit = 3, const HttpOptions& options = {}, std::size_t memory = 64u << 20) {
  AppPool pool(memory);
  Sink sink;
  Result r;
  const auto codings =
      Inflate::read({reinterpret_cast<const std::uint8_t*>(encoding.data()), encoding.size()}, limit, true);
  Inflate* inflate = Inflate::make(pool, codings, options);
  for (std::size_t at = 0; at < bytes.size() && r.good; at += piece) {
    const std::string part = bytes.substr(at, piece);
    r.good = inflate->data({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()}, sink);
  }
  r.good = r.good && inflate->end(sink);
  Inflate::destroy(pool, inflate);
  EXPECT_EQ(pool.in_use(), 0u);
  r.out = sink.out;
  r.events = sink.events;
  return r;
}
std::string gzip_with(char flags, const std::string& fields, const std::string& text) {
  return std::string("\x1f\x8b\x08", 3) + flags + std::string(6, '\0') + fields + deflated(text, -15) +
         "sumAsize";
}

TEST(Inflate, UndoesEveryCodingInAnySegmentation) {
  for (const std::string& text : {std::string("hello"), std::string("{\"a\":1}"), words(70000)}) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"gzip", gzip(text)},
        {"x-gzip", gzip(text)},
        {"GZip", gzip(text)},
        {"deflate", deflated(text, 15)},
        {"deflate", deflated(text, -15)},
        {"x-deflate", deflated(text, 15)},
        {"br", brotli(text)},
        {"lzma", lzma(text)},
        {std::string("def\0late", 8), deflated(text, -15)},
        {",deflate;", deflated(text, -15)},
        {"gzip x", gzip(text)},
        {"identity, gzip", gzip(text)},
        // layers, and headers that name them in another order or too often
        {"gzip, gzip", gzip(gzip(text))},
        {"gzip, deflate", deflated(gzip(text), -15)},
        {"deflate, gzip", gzip(deflated(text, 15))},
        {"gzip, deflate", gzip(deflated(text, 15))},
        {"br, gzip", gzip(brotli(text))},
        {"gzip, deflate, gzip", gzip(deflated(gzip(text), -15))},
        {"gzip", deflated(text, 15)},
        {"deflate", gzip(text)},
        // headers with fields, wrong sums, several members
        {"gzip", gzip_with(1, "", text)},
        {"gzip", gzip_with(2, std::string(2, '\0'), text)},
        {"gzip", gzip_with(4, std::string("\x05\0Ap\x01\0\0", 7), text)},
        {"gzip", gzip_with(4, std::string(2, '\0'), text)},
        {"gzip", gzip_with(8, std::string("name\0", 5), text)},
        {"gzip", gzip_with(16, std::string(" \0", 2), text)},
        {"gzip", gzip_with(30, std::string("\x02\0zzname\0comment\0cc", 19), text)},
        {"gzip", gzip_with(static_cast<char>(0xe0), "", text)},
    };
    for (const auto& [encoding, bytes] : cases)
      for (const std::size_t piece :
           {std::size_t{1} << 20, std::size_t{1460}, std::size_t{7}, std::size_t{1}}) {
        const Result r = undo(encoding, bytes, piece);
        ASSERT_TRUE(r.good);
        // what stands behind a stream may pass; what is decoded comes first
        ASSERT_EQ(r.out.substr(0, text.size()), text) << encoding << " " << piece;
      }
  }
}

TEST(Inflate, ReadsSeveralMembers) {
  EXPECT_EQ(undo("gzip", gzip("one ") + gzip("two ") + gzip("three"), 3).out, "one two three");
}

TEST(Inflate, WhatIsNotCompressedPasses) {
  for (const std::string& text :
       {std::string("X5O!P%@AP"), std::string("{\"sdk_version\":11026,\"app_package\":\"com\"}"),
        std::string("<html>"), std::string("a"), std::string("\x1f\x8b")})
    for (const char* encoding : {"gzip", "deflate", "deflate, gzip", "br"})
      for (const std::size_t piece : {std::size_t{1000}, std::size_t{1}}) {
        const Result r = undo(encoding, text, piece);
        if (std::string(encoding) != "br" && text != "\x1f\x8b") {
          EXPECT_EQ(r.out, text) << encoding << piece;
        }
      }
}

TEST(Inflate, ATruncatedStreamGivesWhatItHas) {
  const std::string text = words(50000);
  for (const int bits : {31, 15, -15}) {
    const std::string z = deflated(text, bits);
    const Result r = undo("gzip", z.substr(0, z.size() / 2));
    EXPECT_GT(r.out.size(), 10000u);
    EXPECT_EQ(text.substr(0, r.out.size()), r.out);
  }
}

TEST(Inflate, DamageInTheMiddleIsTold) {
  const std::string text = words(12000);
  std::string z = gzip(text);
  std::mt19937 random(3);
  for (std::size_t i = z.size() / 2; i < z.size(); ++i) z[i] = static_cast<char>(random());
  for (const std::size_t piece : {std::size_t{1} << 20, std::size_t{100}}) {
    const Result r = undo("gzip", z, piece);
    EXPECT_TRUE(r.good);
    ASSERT_FALSE(r.events.empty());
    EXPECT_EQ(r.events[0], AppEvent::http_gzip_decompression_failed);
    EXPECT_EQ(text.substr(0, 3000), r.out.substr(0, 3000));
    // What could not be decoded is seen as it is.
    EXPECT_EQ(z.substr(z.size() - 500), r.out.substr(r.out.size() - 500));
  }
}

TEST(Inflate, ABombIsStopped) {
  const std::string zeros(100u << 20, '\0');
  const std::string bomb = gzip(gzip(zeros));
  const Result r = undo("gzip, gzip", bomb);
  EXPECT_TRUE(r.good);
  ASSERT_EQ(r.events.size(), 1u);
  EXPECT_EQ(r.events[0], AppEvent::http_compression_bomb);
  EXPECT_LE(r.out.size(), (2u << 20) + bomb.size() * 2048);
  HttpOptions small;
  small.max_output = 100000;
  const Result s = undo("gzip", gzip(words(500000)), 1460, 2, small);
  ASSERT_EQ(s.events.size(), 1u);
  EXPECT_LE(s.out.size(), 100000u);
  // Ordinary text is none.
  EXPECT_TRUE(undo("gzip", gzip(words(3u << 20))).events.empty());
}

TEST(Inflate, LayersAreBounded) {
  const auto read = [](std::string_view s, unsigned limit, bool with_lzma) {
    return Inflate::read({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}, limit, with_lzma);
  };
  EXPECT_EQ(read("gzip, gzip, gzip", 2, true).count, 2);
  EXPECT_TRUE(read("gzip, gzip, gzip", 2, true).too_many);
  EXPECT_FALSE(read("identity, gzip, identity, gzip", 2, true).too_many);
  EXPECT_EQ(read("gzip, gzip, gzip, gzip, gzip, gzip", 100, true).count, kMaxInflateLayers);
  EXPECT_EQ(read("lzma", 2, false).count, 0);
  EXPECT_TRUE(read("gzipx", 2, true).abnormal);
  EXPECT_TRUE(read("foo", 2, true).abnormal);
  EXPECT_FALSE(read("gzip, x-deflate, br, identity", 3, true).abnormal);
}

TEST(Inflate, LzmaHasAMemoryLimit) {
  const Result r = undo("lzma", lzma(words(5000)), 1000, 2, {}, 1 << 20);
  ASSERT_EQ(r.events.size(), 1u);
  EXPECT_EQ(r.events[0], AppEvent::http_lzma_memlimit_reached);
}

TEST(Inflate, NoMemoryIsTold) {
  AppPool pool(1 << 20);
  std::vector<void*> taken;
  for (std::size_t size = 512 * 1024; size >= 8192; size /= 2)
    while (void* p = pool.allocate(size)) taken.push_back(p);
  Sink sink;
  const std::string bytes = gzip("hello"), name = "gzip";
  Inflate* inflate = Inflate::make(
      pool, Inflate::read({reinterpret_cast<const std::uint8_t*>(name.data()), 4}, 2, false), HttpOptions{});
  if (inflate == nullptr) return;
  EXPECT_FALSE(inflate->data({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, sink));
  Inflate::destroy(pool, inflate);
}

TEST(HttpInflate, ALargeBodyReachesItsBuffersWhole) {
  const std::string text = words(300000);
  const std::string z = gzip(text);
  for (const bool chunks : {false, true}) {
    std::string response =
        chunks ? ok("Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "")
               : ok("Content-Encoding: gzip\r\nContent-Length: " + std::to_string(z.size()) + "\r\n", z);
    for (std::size_t at = 0; chunks && at < z.size(); at += 999) {
      char hex[16];
      std::snprintf(hex, sizeof hex, "%zx\r\n", std::min<std::size_t>(999, z.size() - at));
      response.append(hex).append(z.substr(at, 999)).append("\r\n");
    }
    if (chunks) response += "0\r\n\r\n";
    const Heard whole = hear({get("/x"), server(response)});
    EXPECT_EQ(whole.one("0< http.response_body"),
              RecordingHost::printable({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
    const Heard split = hear({get("/x"), server(response)}, [](std::size_t) { return 333; });
    EXPECT_TRUE(split == whole);
    EXPECT_EQ(split.leaked, 0u);
  }
}

TEST(HttpInflate, MayBeOff) {
  http_options().inflate = false;
  const std::string z = gzip("hello");
  const Heard h =
      hear({get("/x"),
            server(ok("Content-Encoding: gzip\r\nContent-Length: " + std::to_string(z.size()) + "\r\n", z))});
  http_options() = {};
  EXPECT_EQ(h.one("0< http.response_body"),
            RecordingHost::printable({reinterpret_cast<const std::uint8_t*>(z.data()), z.size()}));
}

}  // namespace
}  // namespace sekisho::app
