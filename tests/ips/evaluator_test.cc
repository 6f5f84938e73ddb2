// The evaluator beside single options: windows, transactions, headers, effects, faults.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "dataplane/ips/evaluator_chain.h"
#include "tests/ips/rule_set.h"

namespace sekisho::ips::testing {
namespace {

using app::Direction;
constexpr const char* kTcp = "alert tcp any any -> any any (msg:\"t\"; ";

std::string tcp(const std::string& options, unsigned sid = 1) {
  return fmt::format("{}{} sid:{};)\n", kTcp, options, sid);
}
std::string http(const std::string& options, unsigned sid = 1) {
  return fmt::format("alert http any any -> any any (msg:\"t\"; {} sid:{};)\n", options, sid);
}

TEST(Window, OffsetsCountFromTheStartOfTheStream) {
  const RuleSet set(tcp("content:\"abc\"; offset:100; depth:3;", 1) + tcp("content:\"abc\"; startswith;", 2) +
                    tcp("content:\"abc\"; depth:50;", 3) + tcp("pcre:\"/^abc/\";", 4) +
                    tcp("content:\"abc\"; distance:95; within:8;", 5) + tcp("pcre:\"/bc/\";", 6) +
                    tcp("content:\"abc\"; content:!\"zz\"; depth:10;", 7));
  Scene s;
  s.payload("abcdef", false);
  s.context.payload.present = false;
  s.context.stream.base = 100;
  EXPECT_EQ(s.judge(set, 1), Outcome::match);
  EXPECT_EQ(s.judge(set, 2), Outcome::no);
  EXPECT_EQ(s.judge(set, 3), Outcome::no);
  EXPECT_NE(s.judge(set, 4), Outcome::match);
  EXPECT_EQ(s.judge(set, 5), Outcome::match);
  EXPECT_EQ(s.judge(set, 6), Outcome::match);
  EXPECT_EQ(s.judge(set, 7), Outcome::match);
}

TEST(Chain, AContentThatIsNowhereEndsTheSearch) {
  const RuleSet set(
      tcp("content:\"a\"; content:\"b\"; distance:0; content:\"c\"; distance:0; "
          "content:\"zz\"; distance:0;"));
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "abc";
  Scene s;
  s.payload(text);
  EXPECT_EQ(s.judge(set, 1), Outcome::no);
  EXPECT_EQ(s.scratch.counters.budget_exceeded, 0u);
  s.payload(text + "zz");
  EXPECT_EQ(s.judge(set, 1), Outcome::match);
}

TEST(Chain, WhatMayEndEarlierIsTriedAgain) {
  const RuleSet set(tcp("pcre:\"/a.*b|c/\"; content:\"d\"; distance:0;", 1) +
                    tcp("content:\"x\"; byte_jump:1,0,relative; content:\"d\"; distance:0;", 2) +
                    tcp("content:\"x\"; content:\"y\"; distance:0; within:2; content:\"d\"; distance:0;", 3));
  Scene s;
  s.payload("acdb");  // from a the pattern ends behind d, from c before it
  EXPECT_EQ(s.judge(set, 1), Outcome::match);
  s.payload(std::string("x\x07", 2) + std::string("x\x01", 2) + "..d......");  // the first x jumps over d
  EXPECT_EQ(s.judge(set, 2), Outcome::match);
  s.payload("x..xy.d");
  EXPECT_EQ(s.judge(set, 3), Outcome::match);
  s.payload("dx..xy.");
  EXPECT_EQ(s.judge(set, 3), Outcome::no);
}

TEST(Window, AMatchMustReachNewBytes) {
  const RuleSet set(tcp("content:\"ab\"; content:\"c\"; distance:0;"));
  Scene s;
  s.payload("abcabxc", false);
  s.context.payload.present = false;
  EXPECT_EQ(s.judge(set, 1), Outcome::match);
  s.context.stream.min_end = 3;  // abc was judged before; ab...c reaches beyond
  EXPECT_EQ(s.judge(set, 1), Outcome::match);
  s.context.stream.min_end = 7;
  EXPECT_EQ(s.judge(set, 1), Outcome::more);
}

TEST(Window, MoreIsSaidOnlyWhereMoreCanHelp) {
  const RuleSet set(tcp("content:\"abc\"; content:\"def\"; distance:0;", 1) +
                    tcp("content:\"abc\"; depth:3;", 2) + tcp("content:\"abc\"; isdataat:10,relative;", 3) +
                    tcp("content:\"abc\"; depth:3; content:!\"x\";", 4));
  Scene s;
  s.payload("abcx", false);
  s.context.payload.present = false;
  EXPECT_EQ(s.judge(set, 1), Outcome::more);
  EXPECT_EQ(s.judge(set, 2), Outcome::match);
  EXPECT_EQ(s.judge(set, 3), Outcome::more);
  EXPECT_EQ(s.judge(set, 4), Outcome::no);
  s.payload("xabc", false);
  s.context.payload.present = false;
  EXPECT_EQ(s.judge(set, 2), Outcome::no);
  s.context.stream.complete = true;
  EXPECT_EQ(s.judge(set, 1), Outcome::no);
}

TEST(Transaction, AllBuffersInOneSide) {
  const RuleSet set(http("http.method; content:\"GET\"; http.uri; content:\"/evil\";"));
  Scene s;
  EXPECT_EQ(s.judge(set, 1, true), Outcome::more);
  s.tx.side[0].add(abi::Buffer::http_method, bytes("GET"));
  EXPECT_EQ(s.judge(set, 1, true), Outcome::more);
  s.tx.side[0].add(abi::Buffer::http_uri, bytes("/evil.php"));
  EXPECT_EQ(s.judge(set, 1, true), Outcome::match);
  EXPECT_NE(s.judge(set, 1, true, Direction::to_client), Outcome::match);
  EXPECT_NE(s.judge(set, 1), Outcome::match);
}

TEST(Transaction, AMissingBufferDoesNotMatchNegatedContent) {
  const RuleSet set(http("http.method; content:\"GET\"; http.user_agent; content:!\"curl\";"));
  Scene s;
  s.tx.side[0].add(abi::Buffer::http_method, bytes("GET"));
  EXPECT_EQ(s.judge(set, 1, true), Outcome::more);
  s.tx.finished = 1;
  EXPECT_NE(s.judge(set, 1, true), Outcome::match);
  s.tx.side[0].add(abi::Buffer::http_user_agent, bytes("wget"));
  EXPECT_EQ(s.judge(set, 1, true), Outcome::match);
}

TEST(Transaction, Absent) {
  const RuleSet set(http("http.method; content:\"GET\"; http.referer; absent;", 1) +
                    http("http.method; content:\"GET\"; http.referer; absent: or_else; content:\"abc\";", 2));
  Scene s;
  s.tx.side[0].add(abi::Buffer::http_method, bytes("GET"));
  EXPECT_EQ(s.judge(set, 1, true), Outcome::more);  // it may still come
  s.tx.finished = 1;
  EXPECT_EQ(s.judge(set, 1, true), Outcome::match);
  EXPECT_EQ(s.judge(set, 2, true), Outcome::match);
  s.tx.side[0].add(abi::Buffer::http_referer, bytes("xabcx"));
  EXPECT_EQ(s.judge(set, 1, true), Outcome::no);
  EXPECT_EQ(s.judge(set, 2, true), Outcome::match);
}

TEST(Transaction, EachInstanceIsTried) {
  const RuleSet set(
      "alert dns any any -> any any (msg:\"t\"; dns.query; content:\"b.com\"; startswith; endswith; "
      "sid:1;)\n");
  Scene s;
  s.tx.side[0].add(abi::Buffer::dns_query, bytes("a.com"));
  EXPECT_NE(s.judge(set, 1, true), Outcome::match);
  s.tx.side[0].add(abi::Buffer::dns_query, bytes("b.com"));
  EXPECT_EQ(s.judge(set, 1, true), Outcome::match);
}

TEST(Transform, DotprefixAndDigest) {
  const RuleSet set(
      http("http.host; dotprefix; content:\".evil.com\"; endswith;", 1) +
      http("http.host; to_md5; content:\"|90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72|\";", 2) +
      http("http.uri; url_decode; content:\"a b\";", 3) +
      http("http.uri; strip_whitespace; content:\"axb\"; bsize:3;", 4) +
      http("http.uri; compress_whitespace; content:\"a x b\";", 5) +
      http("http.uri; to_uppercase; content:\"ABC\";", 6) +
      http("http.uri; xor:\"0102\"; content:\"``b`\";", 7) +
      http("http.uri; from_base64; content:\"hello\";", 8) +
      http("http.uri; xor:offset 3, extract 2 1; content:\"``b`\"; endswith;", 9) +
      http("http.uri; xor:\"00\"; xor:extract 1 0; content:\"|00|bc\";", 10) +
      http("http.uri; xor:extract 1 9; content:\"a\";", 11));
  const auto judge = [&](unsigned sid, abi::Buffer b, std::string_view value) {
    Scene s;
    s.tx.side[0].add(b, bytes(value));
    return s.judge(set, sid, true) == Outcome::match;
  };
  using B = abi::Buffer;
  EXPECT_TRUE(judge(1, B::http_host, "evil.com"));
  EXPECT_TRUE(judge(1, B::http_host, "a.evil.com"));
  EXPECT_FALSE(judge(1, B::http_host, "notevil.com"));
  EXPECT_TRUE(judge(2, B::http_host, "abc"));
  EXPECT_FALSE(judge(2, B::http_host, "abd"));
  EXPECT_TRUE(judge(3, B::http_uri, "a%20b"));
  EXPECT_TRUE(judge(3, B::http_uri, "a+b"));
  EXPECT_FALSE(judge(3, B::http_uri, "a%2"));
  EXPECT_TRUE(judge(4, B::http_uri, " a x\tb"));
  EXPECT_TRUE(judge(5, B::http_uri, "a \t x\r\n b"));
  EXPECT_TRUE(judge(6, B::http_uri, "xabcx"));
  EXPECT_TRUE(judge(7, B::http_uri, "abcb"));
  EXPECT_TRUE(judge(8, B::http_uri, "aGVsbG8="));
  EXPECT_TRUE(judge(9, B::http_uri,
                    "k\x01\x02"
                    "abcb"));
  EXPECT_FALSE(judge(9, B::http_uri,
                     "k\x01\x03"
                     "abcb"));
  EXPECT_TRUE(judge(10, B::http_uri, "Q32"));  // the key stands in what is decoded
  EXPECT_FALSE(judge(10, B::http_uri, "R32"));
  EXPECT_FALSE(judge(11, B::http_uri, "aaaaaaaaa"));  // the key is beyond the end
}

// A relative match follows the match before it into the buffer of a legacy modifier.
TEST(Transaction, RelativeMatchesFollowMovedContents) {
  const RuleSet set(
      http("content:\"fix\"; http_uri; isdataat:4,relative;", 1) +
      http("content:\"x\"; http_uri; byte_test:1,=,5,0,relative,string; content:\"y\"; http_header;", 2) +
      http("content:\"arg\"; http_uri; base64_decode:bytes 8, offset 1, relative; base64_data; "
           "content:\"tes\";",
           3) +
      http("content:\"arg\"; http_uri; base64_decode:offset 1, relative; content:\"GET\"; http_method; "
           "base64_data; content:\"test\";",
           4));
  const auto judge = [&](unsigned sid, std::string_view uri) {
    Scene s;
    s.tx.side[0].add(abi::Buffer::http_uri, bytes(uri));
    s.tx.side[0].add(abi::Buffer::http_method, bytes("GET"));
    s.tx.side[0].add(abi::Buffer::http_header, bytes("y"));
    return s.judge(set, sid, true) == Outcome::match;
  };
  EXPECT_TRUE(judge(1, "/fix_this"));
  EXPECT_FALSE(judge(1, "/fix_th"));
  EXPECT_TRUE(judge(2, "/x5"));
  EXPECT_FALSE(judge(2, "/x6"));
  EXPECT_TRUE(judge(3, "/?arg=YXRlc3Q="));       // "atest"
  EXPECT_FALSE(judge(3, "/?arg=YWJjZHRlc3Q="));  // "abcdtest": 8 bytes are "abcdte"
  EXPECT_TRUE(judge(4, "/?arg=YXRlc3Q="));
  EXPECT_FALSE(judge(4, "/?arg=YXRvYXN0"));  // "atoast"
}

TEST(DataSets, OfANameAllThatItIsBelow) {
  const RuleSet set(http("http.host; dataset:set,names,type string;", 1) +
                    http("http.host; dotprefix; dataset:isset,names,match subdomain;", 2) +
                    http("http.host; dotprefix; dataset:isset,names;", 3));
  Scene s;
  s.scratch.hosts = &s.hosts;
  s.tx.side[0].add(abi::Buffer::http_host, bytes(".evil.com"));
  EXPECT_EQ(s.judge(set, 1, true), Outcome::match);
  EXPECT_TRUE(s.apply(set, 1, true));
  const auto judge = [&](unsigned sid, std::string_view host) {
    Scene other;
    other.scratch.hosts = &s.hosts;
    other.tx.side[0].add(abi::Buffer::http_host, bytes(host));
    return other.judge(set, sid, true) == Outcome::match;
  };
  EXPECT_TRUE(judge(2, "evil.com"));
  EXPECT_TRUE(judge(2, "a.b.evil.com"));
  EXPECT_FALSE(judge(2, "notevil.com"));
  EXPECT_FALSE(judge(2, "evil.com.example"));
  EXPECT_TRUE(judge(3, "evil.com"));
  EXPECT_FALSE(judge(3, "a.evil.com"));
}

TEST(Transform, NoRoomIsCountedAndNoMatch) {
  const RuleSet set(http("http.uri; to_lowercase; content:\"a\";"));
  Scene s;
  const std::string big(40'000, 'A');
  s.tx.side[0].add(abi::Buffer::http_uri, bytes(big));
  s.tx.side[1].add(abi::Buffer::http_uri, bytes(big));
  EXPECT_EQ(s.judge(set, 1, true), Outcome::match);
  const auto again = [&](Direction d) {
    return ips::judge(set.view(), 0, s.context, &s.tx, d, s.flow, s.scratch);
  };
  EXPECT_EQ(again(Direction::to_server), Outcome::match);  // from the cache
  EXPECT_EQ(s.scratch.counters.scratch_exceeded, 0u);
  EXPECT_NE(again(Direction::to_client), Outcome::match);
  EXPECT_EQ(s.scratch.counters.scratch_exceeded, 1u);
}

TEST(Header, PortsAddressesDirection) {
  const RuleSet set(
      "alert tcp 10.0.0.0/8 any -> 192.168.0.0/16 80 (msg:\"t\"; content:\"a\"; sid:1;)\n"
      "alert tcp any any -> any [81:90,!85] (msg:\"t\"; content:\"a\"; sid:2;)\n"
      "alert tcp 192.168.0.2 80 <> any any (msg:\"t\"; content:\"a\"; sid:3;)\n"
      "alert tcp any any -> any any (msg:\"t\"; flow:established,to_client; content:\"a\"; sid:4;)\n"
      "alert udp any any -> any any (msg:\"t\"; content:\"a\"; sid:5;)\n"
      "alert tcp !10.0.0.1 any -> any any (msg:\"t\"; content:\"a\"; sid:6;)\n"
      "alert http any any -> any any (msg:\"t\"; content:\"a\"; sid:7;)\n"
      "alert tcp any any -> any any (msg:\"t\"; flow:not_established; content:\"a\"; sid:8;)\n"
      "alert tcp 192.168.0.2 80 -> any any (msg:\"t\"; content:\"a\"; sid:9;)\n");
  Scene s;
  EXPECT_TRUE(s.fits(set, 1));
  EXPECT_FALSE(s.fits(set, 2));
  EXPECT_TRUE(s.fits(set, 3));
  EXPECT_FALSE(s.fits(set, 4));
  EXPECT_FALSE(s.fits(set, 5));
  EXPECT_FALSE(s.fits(set, 6));
  EXPECT_FALSE(s.fits(set, 7));
  EXPECT_FALSE(s.fits(set, 8));
  EXPECT_FALSE(s.fits(set, 9));
  s.context.destination_port = 84;
  EXPECT_TRUE(s.fits(set, 2));
  s.context.destination_port = 85;
  EXPECT_FALSE(s.fits(set, 2));
  s.context.direction = abi::kToClient;
  EXPECT_TRUE(s.fits(set, 4));
  s.context.flags = 0;
  EXPECT_FALSE(s.fits(set, 4));
  EXPECT_TRUE(s.fits(set, 8));
  s.context.app = abi::AppProtocol::http2;
  EXPECT_TRUE(s.fits(set, 7));
  s.context.app = abi::AppProtocol::dns;
  EXPECT_FALSE(s.fits(set, 7));
}

TEST(Budget, AChainThatExplodesIsCountedAndNoMatch) {
  const RuleSet set(
      tcp("content:\"a\"; content:\"a\"; within:600; content:\"a\"; within:600; content:\"a\"; "
          "within:600; content:\"b\"; within:600; content:!\"c\"; within:1;"));
  Scene s;
  s.payload(std::string(500, 'a') + "bc");
  EXPECT_EQ(s.judge(set, 1), Outcome::no);
  EXPECT_EQ(s.scratch.counters.budget_exceeded, 1u);
  EXPECT_EQ(s.judge(set, 1), Outcome::no);  // each judgement has its own budget
  EXPECT_EQ(s.scratch.counters.budget_exceeded, 2u);
  s.payload("aaaab");
  EXPECT_EQ(s.judge(set, 1), Outcome::match);
}

TEST(Budget, APatternThatExplodesIsCountedAndNoMatch) {
  const RuleSet set(tcp("content:\"x\"; pcre:\"/(a|aa|aaa)+$/\";", 1) +
                    tcp("content:\"x\"; pcre:!\"/(a|aa|aaa)+$/\";", 2));
  Scene s;
  const std::string text = "x" + std::string(5000, 'a') + "b";
  s.payload(text);
  EXPECT_EQ(s.judge(set, 1), Outcome::no);
  EXPECT_EQ(s.judge(set, 2), Outcome::no);
  EXPECT_EQ(s.scratch.counters.pcre_limit, 2u);
}

TEST(Effects, FlowbitsGoOnToTheNextSignature) {
  const RuleSet set(
      tcp("content:\"a\"; flowbits:set,one;", 1) + tcp("content:\"a\"; flowbits:isset,one;", 2) +
      tcp("content:\"a\"; flowbits:isnotset,one;", 3) + tcp("content:\"a\"; flowbits:isset,two|one;", 4) +
      tcp("content:\"a\"; flowbits:toggle,one;", 5) + tcp("content:\"a\"; flowbits:set,two;", 6) +
      tcp("content:\"a\"; flowbits:unset,one;", 7));
  Scene s;
  s.payload("a");
  EXPECT_EQ(s.judge(set, 2), Outcome::no);
  EXPECT_EQ(s.judge(set, 3), Outcome::match);
  EXPECT_TRUE(s.apply(set, 1));
  EXPECT_EQ(s.judge(set, 2), Outcome::match);
  EXPECT_EQ(s.judge(set, 3), Outcome::no);
  EXPECT_EQ(s.judge(set, 4), Outcome::match);
  s.apply(set, 5);
  EXPECT_EQ(s.judge(set, 2), Outcome::no);
  s.apply(set, 6);
  EXPECT_EQ(s.judge(set, 4), Outcome::match);
  s.apply(set, 1);
  s.apply(set, 7);
  EXPECT_EQ(s.judge(set, 2), Outcome::no);
}

TEST(Effects, FlowintCounts) {
  const RuleSet set(tcp("content:\"a\"; flowint:n,+,1;", 1) + tcp("content:\"a\"; flowint:n,>,2;", 2) +
                    tcp("content:\"a\"; flowint:n,notset;", 3) + tcp("content:\"a\"; flowint:n,=,9;", 4));
  Scene s;
  s.payload("a");
  EXPECT_EQ(s.judge(set, 3), Outcome::match);
  for (unsigned i = 1; i <= 3; ++i) {
    EXPECT_EQ(s.judge(set, 2), Outcome::no);
    EXPECT_TRUE(s.apply(set, 1));
  }
  EXPECT_EQ(s.judge(set, 2), Outcome::match);
  EXPECT_EQ(s.judge(set, 3), Outcome::no);
  s.apply(set, 4);
  EXPECT_EQ(*s.flow.find_int(0), 9u);
}

TEST(Effects, XbitsExpireAndBelongToTheHost) {
  const RuleSet set(tcp("content:\"a\"; xbits:set,x,track ip_src,expire 10;", 1) +
                    tcp("content:\"a\"; xbits:isset,x,track ip_src;", 2) +
                    tcp("content:\"a\"; xbits:isset,x,track ip_dst;", 3) +
                    tcp("content:\"a\"; xbits:set,p,track ip_pair,expire 10;", 4) +
                    tcp("content:\"a\"; xbits:isset,p,track ip_pair;", 5));
  Scene s;
  s.payload("a");
  s.at(1'000'000);
  EXPECT_EQ(s.judge(set, 2), Outcome::no);
  EXPECT_TRUE(s.apply(set, 1));
  EXPECT_TRUE(s.apply(set, 4));
  EXPECT_EQ(s.judge(set, 2), Outcome::match);
  EXPECT_EQ(s.judge(set, 3), Outcome::no);
  EXPECT_EQ(s.judge(set, 5), Outcome::match);
  std::swap(s.context.source, s.context.destination);
  EXPECT_EQ(s.judge(set, 2), Outcome::no);
  EXPECT_EQ(s.judge(set, 3), Outcome::match);
  EXPECT_EQ(s.judge(set, 5), Outcome::match);
  s.at(1'010'001);
  EXPECT_EQ(s.judge(set, 3), Outcome::no);
  EXPECT_EQ(s.judge(set, 5), Outcome::no);
}

TEST(FlowStateTest, HoldsManyBitsAndGivesMemoryBack) {
  app::AppPool pool(1u << 20);
  FlowState f;
  for (unsigned i = 0; i < FlowState::kMaxBits + FlowState::kInlineBits; ++i)
    ASSERT_TRUE(f.set_bit(static_cast<std::uint16_t>(i * 3), &pool)) << i;
  EXPECT_FALSE(f.set_bit(60'000, &pool));
  EXPECT_TRUE(f.has_bit(3 * 1000));
  EXPECT_FALSE(f.has_bit(3 * 1000 + 1));
  f.clear_bit(3);
  EXPECT_FALSE(f.has_bit(3));
  EXPECT_TRUE(f.has_bit(6));
  EXPECT_TRUE(f.set_bit(60'000, &pool));
  EXPECT_EQ(f.memory(), pool.in_use());
  f.release(&pool);
  EXPECT_EQ(pool.in_use(), 0u);
  FlowState g;
  for (unsigned i = 0; i < FlowState::kInlineBits; ++i)
    EXPECT_TRUE(g.set_bit(static_cast<std::uint16_t>(i), nullptr));
  EXPECT_FALSE(g.set_bit(999, nullptr));
}

TEST(Cost, CountsChecksAndMatches) {
  const RuleSet set(tcp("content:\"a\";"));
  Scene s;
  SignatureCounts cost{};
  s.scratch.cost = &cost;
  s.payload("a");
  for (unsigned i = 0; i < 128; ++i) s.judge(set, 1);
  s.payload("b");
  s.judge(set, 1);
  EXPECT_EQ(cost.judged, 129u);
  EXPECT_EQ(cost.matches, 128u);
  EXPECT_GT(cost.ticks, 0u);
}

TEST(Cost, TheDearestOfAllWorkersInTheOrderAskedFor) {
  std::vector<SignatureCounts> a(4), b(4);
  a[1] = {10, 5, 1, 1000};
  b[1] = {10, 5, 0, 1000};
  a[2] = {3, 3, 3, 9000};
  b[3] = {50, 0, 0, 0};
  const std::vector<std::span<const SignatureCounts>> workers{a, b};
  const auto ids = [&](abi::CostOrder order, std::size_t limit) {
    std::string out;
    for (const abi::SignatureCost& c : dearest(workers, order, limit, 1'000'000'000))
      out += std::to_string(c.signature);
    return out;
  };
  EXPECT_EQ(ids(abi::CostOrder::time, 9), "213") << "0 was never looked at";
  EXPECT_EQ(ids(abi::CostOrder::hits, 2), "31");
  EXPECT_EQ(ids(abi::CostOrder::judged, 1), "1");
  EXPECT_EQ(ids(abi::CostOrder::matches, 1), "2");
  const auto first = dearest(workers, abi::CostOrder::judged, 1, 1'000'000'000).front();
  EXPECT_EQ(first.hits, 20u);
  EXPECT_EQ(first.judged, 10u);
  EXPECT_EQ(first.matches, 1u);
  EXPECT_EQ(first.time_ns, 2000u);
}

}  // namespace
}  // namespace sekisho::ips::testing
