#include "dataplane/ips/scanner.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/ips/signature_set_fixture.h"

namespace sekisho::ips {
namespace {

using Where = LoadedSet::Where;
using Ends = std::map<std::uint32_t, std::vector<std::uint64_t>>;

Where http_uri() {
  return {abi::Buffer::http_uri, abi::kToServer, abi::kTransportTcp, abi::AppProtocol::http};
}
Where sni() {
  return {abi::Buffer::tls_sni, abi::kToServer, abi::kTransportTcp, abi::AppProtocol::tls};
}

TEST(Scanner, FindsALiteralInItsBufferAndDirectionOnly) {
  LoadedSet s(
      R"(alert http any any -> any any (msg:"x"; flow:to_server; http.uri; content:"/evilgate"; sid:1;)
alert tcp any any -> any any (msg:"y"; flow:to_server; content:"evilgate"; sid:2;))");
  ASSERT_TRUE(s.set) << s.why;
  EXPECT_EQ(s.scan(http_uri(), "/a/evilgate?x"), (Ends{{1, {10}}}));  // its rarest eight bytes: /evilgat
  EXPECT_EQ(s.scan({}, "xxevilgatexx"), (Ends{{2, {10}}}));
  EXPECT_TRUE(s.scan({abi::Buffer::stream, abi::kToClient}, "xxevilgatexx").empty());
  EXPECT_TRUE(s.scan({abi::Buffer::payload, abi::kToServer}, "xxevilgatexx").empty());
}

TEST(Scanner, CaseCountsUnlessNocase) {
  LoadedSet s(R"(alert tcp any any -> any any (flow:to_server; content:"QzXw"; sid:1;)
alert tcp any any -> any any (flow:to_server; content:"QzXw"; nocase; sid:2;))");
  ASSERT_TRUE(s.set) << s.why;
  EXPECT_EQ(s.scan({}, "..QzXw.."), (Ends{{1, {6}}, {2, {6}}}));
  EXPECT_EQ(s.scan({}, "..qZxW.."), (Ends{{2, {6}}}));
}

TEST(Scanner, AnchoredLiteralsStandAtTheirOffsetAlone) {
  LoadedSet s(
      R"(alert tcp any any -> any any (flow:to_server; content:"|ff 53 4d 42 72|"; offset:4; depth:5; sid:1;)
alert http any any -> any any (http.uri; content:"/Gate.PHP"; nocase; startswith; sid:2;))");
  ASSERT_TRUE(s.set) << s.why;
  EXPECT_EQ(s.compiled.statistics.anchored, 2u);
  std::string smb("\0\0\0\x10", 4);
  smb.append("\xffSMBr");
  EXPECT_EQ(s.scan({}, smb), (Ends{{1, {9}}}));
  EXPECT_TRUE(s.scan({}, std::string("x").append(smb)).empty());
  EXPECT_TRUE(s.scan({}, smb.substr(0, 8)).empty());
  EXPECT_EQ(s.scan({}, smb, 0, 8), (Ends{{1, {9}}}));                   // the last byte has just come
  EXPECT_TRUE(s.scan({}, std::string(smb).append("z"), 0, 9).empty());  // seen before
  EXPECT_TRUE(s.scan({}, smb, 100, 0).empty());                         // not the start of the stream
  EXPECT_EQ(s.scan(http_uri(), "/gATE.php").size(), 1u);
  EXPECT_EQ(s.scan(http_uri(), "/gATF.php").size(), 0u);
  EXPECT_EQ(s.scan(http_uri(), "//gATE.php").size(), 0u);
}

TEST(Scanner, RangeOfOffsetAndDepth) {
  LoadedSet s(
      R"(alert tcp any any -> any any (flow:to_server; content:"QzXwKj"; offset:2; depth:10; sid:1;))");
  ASSERT_TRUE(s.set) << s.why;
  for (std::size_t at = 0; at < 12; ++at) {
    std::string text(at, '.');
    text.append("QzXwKj");
    const bool inside = at >= 2 && at + 6 <= 12;
    EXPECT_EQ(s.scan({}, text).size(), inside ? 1u : 0u) << at;
  }
  EXPECT_TRUE(s.scan({}, "....QzXwKj", 5000, 0).empty());
}

TEST(Scanner, WithinBoundsWhatFollowsAnAnchor) {
  LoadedSet s(
      R"(alert tcp any any -> any any (flow:to_server; content:"|16 03|"; startswith; content:"QzXwKj"; within:20; sid:1;))");
  ASSERT_TRUE(s.set) << s.why;
  const auto text = [](std::size_t between) {
    std::string t = "\x16\x03";
    t.append(between, '.').append("QzXwKj");
    return t;
  };
  EXPECT_EQ(s.scan({}, text(14)), (Ends{{1, {22}}}));
  EXPECT_TRUE(s.scan({}, text(15)).empty());
}

TEST(Scanner, AcrossChunksOnceAndOnlyNew) {
  LoadedSet s(R"(alert tcp any any -> any any (flow:to_server; content:"ABCDEFGH"; sid:1;))");
  ASSERT_TRUE(s.set) << s.why;
  const std::string text = "....ABCDEFGH....";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    std::size_t hits = 0;
    for (const auto& [sid, ends] : s.scan({}, text.substr(0, cut))) hits += ends.size();
    const std::size_t back = cut > abi::kScanLookBack ? cut - abi::kScanLookBack : 0;
    for (const auto& [sid, ends] : s.scan({}, text.substr(back), back, cut - back)) {
      hits += ends.size();
      EXPECT_EQ(ends, std::vector<std::uint64_t>{12});
    }
    EXPECT_EQ(hits, 1u) << cut;
  }
}

// A segment's new bytes are read once for the stream and for the packet that brought them.
TEST(Scanner, ThePacketsLiteralsAreFoundInTheStreamsScan) {
  LoadedSet s(R"(alert tcp-pkt any any -> any any (flow:to_server; content:"QzXwKj"; sid:1;)
alert tcp-pkt any any -> any any (flow:to_server; content:"QzXwKj"; offset:2; depth:10; sid:2;)
alert tcp any any -> any any (flow:to_server; content:"QzXwKj"; offset:40; depth:30; sid:3;)
alert tcp-stream any any -> any any (flow:to_server; content:"QzXwKj"; sid:4;)
alert tcp-pkt any any -> any any (flow:to_server; content:"vBnMkL"; offset:5; depth:20; sid:5;))");
  ASSERT_TRUE(s.set) << s.why;
  const Where packet{abi::Buffer::payload, abi::kToServer, abi::kTransportTcp};
  const auto sids = [](const Ends& found) {
    std::string out;
    for (const auto& [sid, ends] : found) out += static_cast<char>('0' + sid);
    return out;
  };
  std::mt19937 random(7);
  const std::string parts[] = {"QzXwKj", "vBnMkL", ".", "....", "Qz", "XwKj"};
  std::size_t some = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string before, payload;
    while (random() % 4 != 0) before += parts[random() % std::size(parts)];
    while (payload.empty() || random() % 6 != 0) payload += parts[random() % std::size(parts)];
    const std::size_t back = std::min<std::size_t>(before.size(), abi::kScanLookBack);
    const std::string window = before.substr(before.size() - back) + payload;
    const std::uint64_t base = before.size() - back;
    Ends apart = s.scan({}, window, base, back);
    apart.merge(s.scan(packet, payload));
    const Ends fused = s.scan({}, window, base, back, before.size());
    ASSERT_EQ(sids(fused), sids(apart)) << before << '|' << payload;
    EXPECT_EQ(s.scan({}, window, base, back).contains(1), false) << "a packet's literal without a packet";
    some += !fused.empty();
  }
  EXPECT_GT(some, 1000u);
}

TEST(Scanner, AHotLiteralIsReportedOnce) {
  LoadedSet s(R"(alert tcp any any -> any any (flow:to_server; content:"aQaQ"; sid:1;)
alert tcp any any -> any any (flow:to_server; content:"aQaQ"; offset:100; depth:50; sid:2;)
alert tcp any any -> any any (flow:to_server; content:"aQaQ"; offset:9000; depth:500; sid:3;))");
  ASSERT_TRUE(s.set) << s.why;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "aQ";
  const Ends found = s.scan({}, text);
  for (const std::uint32_t sid : {1u, 2u, 3u}) {
    ASSERT_TRUE(found.contains(sid)) << sid;
    EXPECT_EQ(found.at(sid).size(), 1u) << sid;
  }
  EXPECT_EQ(found.at(1), std::vector<std::uint64_t>{4});
  EXPECT_EQ(s.scan({}, text), found);  // the next call starts anew
}

TEST(Scanner, DotprefixIsLookedForWithoutTheDot) {
  LoadedSet s(R"(alert tls any any -> any any (tls.sni; dotprefix; content:".qzxw.kj"; endswith; sid:1;))");
  ASSERT_TRUE(s.set) << s.why;
  EXPECT_TRUE(s.candidates(sni(), "qzxw.kj").contains(1));
  EXPECT_TRUE(s.candidates(sni(), "a.qzxw.kj").contains(1));
  EXPECT_FALSE(s.candidates(sni(), "qzxw.kk").contains(1));
}

TEST(Scanner, TransformsThatChangeBytesAreNotLookedThrough) {
  LoadedSet s(R"(alert http any any -> any any (http.uri; strip_whitespace; content:"evilgate"; sid:1;)
alert http any any -> any any (http.uri; to_lowercase; content:"evilgate"; sid:2;)
alert http any any -> any any (http.uri; to_md5; content:"|00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f|"; sid:3;)
alert http any any -> any any (http.uri; url_decode; content:"evilgate"; sid:4;)
alert http any any -> any any (http.uri; compress_whitespace; content:"evil gatekeep"; sid:5;))");
  ASSERT_TRUE(s.set) << s.why;
  EXPECT_EQ(s.always(http_uri()), (std::set<std::uint32_t>{1, 3, 4}));
  EXPECT_TRUE(s.candidates(http_uri(), "/EvilGate").contains(2));
  EXPECT_TRUE(s.candidates(http_uri(), "/evil   gatekeep").contains(5));
}

TEST(Scanner, NegatedContentsAreNoPrefilter) {
  LoadedSet s(
      R"(alert http any any -> any any (http.uri; content:!"evilgate"; http.user_agent; content:!"Mozilla"; sid:1;))");
  ASSERT_TRUE(s.set) << s.why;
  EXPECT_EQ(s.compiled.statistics.always, 1u);
}

TEST(Scanner, PatternsGiveTheirPlainRuns) {
  LoadedSet s(R"(alert http any any -> any any (http.uri; pcre:"/^\/(?:abc|def)\/qzxwkj[0-9]+\.php$/"; sid:1;)
alert http any any -> any any (http.uri; pcre:"/abcdef|ghijkl/"; sid:2;))");
  ASSERT_TRUE(s.set) << s.why;
  EXPECT_EQ(s.scan(http_uri(), "/abc/qzxwkj77.php").count(1), 1u);
  EXPECT_EQ(s.scan(http_uri(), "/abc/qzxwk.php").count(1), 0u);
  EXPECT_EQ(s.always(http_uri()), (std::set<std::uint32_t>{2}));
}

// --- soundness: what a plain search finds is always a candidate ---

struct Piece {
  std::string bytes;
  bool nocase, anchored;
  int offset, depth;  // -1: none
};

bool plain_search(const std::string& text, const Piece& p) {
  const auto low = [](std::string s) {
    for (char& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return s;
  };
  const std::string hay = p.nocase ? low(text) : text, needle = p.nocase ? low(p.bytes) : p.bytes;
  const std::size_t from = p.offset > 0 ? static_cast<std::size_t>(p.offset) : 0;
  const std::size_t to =
      p.depth < 0 ? hay.size() : std::min(hay.size(), from + static_cast<std::size_t>(p.depth));
  for (std::size_t i = from; i + needle.size() <= to; ++i)
    if (hay.compare(i, needle.size(), needle) == 0) return !p.anchored || i == 0;
  return false;
}

TEST(Scanner, NeverMissesWhatAPlainSearchFinds) {
  std::mt19937 random(7);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  // Few letters, so that much matches.
  const auto text = [&](int length) {
    std::string s;
    for (int i = 0; i < length; ++i) s += "abAB"[below(4)];
    return s;
  };
  for (int round = 0; round < 20; ++round) {
    std::vector<std::vector<Piece>> pieces;
    std::string rules;
    for (std::uint32_t sid = 1; sid <= 60; ++sid) {
      std::vector<Piece> contents;
      std::string rule = "alert tcp any any -> any any (flow:to_server; ";
      const int count = 1 + below(3);
      for (int i = 0; i < count; ++i) {
        Piece p{text(1 + below(12)), below(2) == 0, false, -1, -1};
        const int kind = below(5);
        if (kind == 0) {
          p.anchored = true;
        } else if (kind == 1) {
          p.offset = below(20);
        } else if (kind == 2) {
          p.offset = below(20);
          p.depth = static_cast<int>(p.bytes.size()) + below(10);
        }
        rule.append("content:\"").append(p.bytes).append("\"; ");
        if (p.nocase) rule += "nocase; ";
        if (p.anchored) {
          rule += "startswith; ";
          p.depth = static_cast<int>(p.bytes.size());
        } else {
          if (p.offset >= 0) rule.append("offset:").append(std::to_string(p.offset)).append("; ");
          if (p.depth >= 0) rule.append("depth:").append(std::to_string(p.depth)).append("; ");
        }
        contents.push_back(p);
      }
      rule.append("sid:").append(std::to_string(sid)).append(";)\n");
      rules.append(rule);
      pieces.push_back(contents);
    }
    LoadedSet s(rules);
    ASSERT_TRUE(s.set) << s.why;
    ASSERT_EQ(s.parsed.signatures.size(), 60u);
    for (int trial = 0; trial < 60; ++trial) {
      const std::string bytes = text(8 + below(60));
      // As a whole, and in two pieces.
      const std::size_t cut = static_cast<std::size_t>(below(static_cast<int>(bytes.size())));
      std::set<std::uint32_t> whole = s.candidates({}, bytes), split = s.always({});
      for (const auto& [sid, ends] : s.scan({}, bytes.substr(0, cut))) split.insert(sid);
      const std::size_t back = cut > abi::kScanLookBack ? cut - abi::kScanLookBack : 0;
      for (const auto& [sid, ends] : s.scan({}, bytes.substr(back), back, cut - back)) split.insert(sid);
      for (std::uint32_t sid = 1; sid <= pieces.size(); ++sid) {
        bool matches = true;
        for (const Piece& p : pieces[sid - 1]) matches = matches && plain_search(bytes, p);
        if (!matches) continue;
        // Signatures with a position are judged on each packet too; the stream is what is tested here.
        EXPECT_TRUE(whole.contains(sid)) << bytes << ' ' << s.parsed.signatures[sid - 1].text;
        EXPECT_TRUE(split.contains(sid))
            << bytes << " cut at " << cut << ' ' << s.parsed.signatures[sid - 1].text;
      }
    }
  }
}

TEST(Lower8, IsAsciiOnly) {
  for (unsigned c = 0; c < 256; ++c) {
    const unsigned expected = c >= 'A' && c <= 'Z' ? c + 32 : c;
    for (unsigned shift = 0; shift < 64; shift += 8)
      EXPECT_EQ(lower8(std::uint64_t{c} << shift), std::uint64_t{expected} << shift) << c;
  }
}

}  // namespace
}  // namespace sekisho::ips
