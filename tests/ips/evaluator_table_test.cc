// Signature options over one buffer: what Suricata says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/ips/rule_set.h"

namespace sekisho::ips::testing {
namespace {

using namespace std::string_literals;

struct Row {
  const char* options;
  std::string buffer;
  bool match;
};

const Row kRows[] = {
    // Content: position
    {R"(content:"abc";)", "xxabcxx", true},
    {R"(content:"abc";)", "xxABCxx", false},
    {R"(content:"abc"; nocase;)", "xxABCxx", true},
    {R"(content:"AbC"; nocase;)", "xxaBcxx", true},
    {R"(content:"a|00|c";)", "xa\0cx"s, true},
    {R"(content:"abc"; offset:2;)", "xxabc", true},
    {R"(content:"abc"; offset:3;)", "xxabc", false},
    {R"(content:"abc"; offset:3;)", "abcabc", true},
    {R"(content:"abc"; depth:3;)", "abc", true},
    {R"(content:"abc"; depth:4;)", "xabc", true},
    {R"(content:"abc"; depth:4;)", "xxabc", false},
    {R"(content:"abc"; depth:500;)", "abc", true},
    {R"(content:"abc"; depth:500;)", "ab", false},
    {R"(content:"abc"; offset:2; depth:3;)", "xxabcx", true},
    {R"(content:"abc"; offset:2; depth:3;)", "xxxabc", false},
    {R"(content:"abc"; offset:2; depth:3;)", "xabcxx", false},
    {R"(content:"abc"; offset:9000;)", "abc", false},
    {R"(content:"abc"; startswith;)", "abcd", true},
    {R"(content:"abc"; startswith;)", "xabc", false},
    {R"(content:"abc"; startswith; nocase;)", "ABCd", true},
    {R"(content:"abc"; endswith;)", "xabc", true},
    {R"(content:"abc"; endswith;)", "abcx", false},
    {R"(content:"abc"; endswith;)", "abcxabc", true},
    {R"(content:"abc"; endswith;)", "abc", true},
    {R"(content:"abc"; startswith; endswith;)", "abc", true},
    {R"(content:"abc"; startswith; endswith;)", "abcabc", false},
    {R"(content:"abc"; nocase; endswith;)", "xABC", true},
    {R"(content:"abc"; fast_pattern; content:"x";)", "xabc", true},
    {R"(content:"abc"; content:"xyz"; fast_pattern;)", "xyzabc", true},
    // Negated content
    {R"(content:!"abc";)", "xyz", true},
    {R"(content:!"abc";)", "xabcz", false},
    {R"(content:!"abc"; nocase;)", "xABCz", false},
    {R"(content:"x"; content:!"abc";)", "xyz", true},
    {R"(content:"x"; content:!"abc"; depth:3;)", "xabc", true},
    {R"(content:"x"; content:!"abc"; depth:4;)", "xabc", false},
    {R"(content:"x"; content:!"abc"; offset:100;)", "xabc", true},
    {R"(content:"x"; content:!"y"; distance:100;)", "xy", true},
    {R"(content:"x"; content:!"y"; within:1;)", "xay", true},
    {R"(content:"x"; content:!"y"; within:1;)", "xy", false},
    {R"(content:"x"; content:!"y"; within:1;)", "xyxa", true},
    {R"(content:"x"; content:!"y"; within:1;)", "xyxy", false},
    {R"(content:"x"; content:!"y"; distance:0;)", "yx", true},
    {R"(content:"x"; content:!"y"; distance:0;)", "yxy", false},
    {R"(content:"x"; content:!"y"; distance:0;)", "xyx", true},
    {R"(content:"b"; content:!"abc"; endswith;)", "abcb", true},
    {R"(content:"b"; content:!"abc"; endswith;)", "babc", false},
    {R"(content:"b"; content:!"abc"; startswith;)", "abcb", false},
    {R"(content:"b"; content:!"abc"; startswith;)", "babc", true},
    {R"(content:"x"; content:!"y"; distance:0; content:"z"; distance:1;)", "xaz", true},
    // Relative content
    {R"(content:"ab"; content:"cd"; distance:0;)", "abcd", true},
    {R"(content:"ab"; content:"cd"; distance:0;)", "cdab", false},
    {R"(content:"ab"; content:"cd"; distance:1;)", "abcd", false},
    {R"(content:"ab"; content:"cd"; distance:1;)", "abxcd", true},
    {R"(content:"ab"; content:"cd"; distance:1;)", "abxxxcd", true},
    {R"(content:"ab"; content:"cd"; within:2;)", "abcd", true},
    {R"(content:"ab"; content:"cd"; within:2;)", "abxcd", false},
    {R"(content:"ab"; content:"cd"; within:3;)", "abxcd", true},
    {R"(content:"ab"; content:"cd"; distance:1; within:2;)", "abxcd", true},
    {R"(content:"ab"; content:"cd"; distance:1; within:2;)", "abxxcd", false},
    {R"(content:"ab"; content:"cd"; distance:1; within:3;)", "abxxcd", true},
    {R"(content:"ab"; content:"cd"; distance:-4;)", "cdab", true},
    {R"(content:"ab"; content:"cd"; distance:-3;)", "cdab", false},
    {R"(content:"ab"; content:"cd"; distance:-400;)", "cdab", true},
    {R"(content:"ab"; content:"cd"; distance:-4; within:2;)", "cdab", true},
    {R"(content:"ab"; content:"cd"; distance:-4; within:2;)", "cdxxab", false},
    {R"(content:"ab"; content:"cd"; distance:-6; within:4;)", "cdxxab", true},
    {R"(content:"ab"; content:"ab"; distance:-1;)", "ab", false},
    {R"(content:"ab"; content:"ab"; distance:-2;)", "ab", true},
    {R"(content:"cd"; distance:2;)", "abcd", true},
    {R"(content:"cd"; distance:3;)", "abcd", false},
    {R"(content:"cd"; within:4;)", "abcd", true},
    {R"(content:"cd"; within:3;)", "abcd", false},
    // Backtracking
    {R"(content:"ab"; content:"cd"; within:2;)", "abxabcd", true},
    {R"(content:"a"; content:"b"; distance:1; within:1;)", "aabbaxb", true},
    {R"(content:"a"; content:"b"; within:1; content:"c"; within:1;)", "abxabxabc", true},
    {R"(content:"a"; content:"b"; within:1; content:"c"; within:1;)", "abxabxacb", false},
    {R"(content:"a"; content:"b"; distance:0; content:"c"; within:1;)", "axbxbc", true},
    {R"(content:"a"; content:"b"; distance:0; within:3; content:"c"; within:1;)", "axxbcabxbc", true},
    {R"(content:"aa"; content:"b"; within:1;)", "aaab", true},
    {R"(content:"one"; content:"two"; distance:0; content:"three"; content:"four"; distance:0;)",
     "threeonetwothreefour", true},
    {R"(content:"one"; content:"two"; distance:0; content:"three"; content:"four"; distance:0;)",
     "fouronetwothree", false},
    {R"(content:"a"; content:"z"; content:"b"; within:1;)", "abzzb", true},
    {R"(content:"a"; content:"z"; content:"b"; within:1;)", "abz", false},
    {R"(content:"ab"; content:"c"; within:1; endswith;)", "abcabc", true},
    {R"(content:"ab"; isdataat:!1,relative;)", "abxab", true},
    {R"(content:"ab"; isdataat:!1,relative;)", "abxabx", false},
    // isdataat
    {R"(content:"ab"; isdataat:2;)", "abc", true},
    {R"(content:"ab"; isdataat:3;)", "abc", false},
    {R"(content:"ab"; isdataat:!3;)", "abc", true},
    {R"(content:"ab"; isdataat:!2;)", "abc", false},
    {R"(content:"ab"; isdataat:1,relative;)", "abc", true},
    {R"(content:"ab"; isdataat:2,relative;)", "abc", false},
    {R"(content:"ab"; isdataat:!2,relative;)", "abc", true},
    {R"(content:"ab"; isdataat:!1,relative;)", "ab", true},
    {R"(content:"ab"; isdataat:3,relative;)", "abxabcde", true},
    {R"(content:"ab"; content:!"|0a|"; within:4; isdataat:4,relative;)", "ab\nxxxabxxxx", true},
    // pcre
    {R"(pcre:"/a.c/";)", "xxabc", true},
    {R"(pcre:"/a.c/";)", "xxabd", false},
    {R"(pcre:"/A.C/i";)", "xxabc", true},
    {R"(pcre:"/^abc/";)", "xabc", false},
    {R"(pcre:"/^abc/m";)", "x\nabc", true},
    {R"(pcre:"/abc$/";)", "abc", true},
    {R"(pcre:"/a.c/s";)", "a\nc", true},
    {R"(pcre:"/a.c/";)", "a\nc", false},
    {R"(pcre:"/a  b c/x";)", "abc", true},
    {R"(pcre:"/abc/A";)", "xabc", false},
    {R"(content:"x"; pcre:!"/a.c/";)", "xabd", true},
    {R"(content:"x"; pcre:!"/a.c/";)", "xabc", false},
    {R"(content:"ab"; pcre:"/^c/R";)", "abc", true},
    {R"(content:"ab"; pcre:"/^c/R";)", "abxabc", true},
    {R"(content:"ab"; pcre:"/^c/R";)", "abxc", false},
    {R"(content:"ab"; pcre:"/c/R";)", "cab", false},
    {R"(content:"ab"; pcre:!"/c/R";)", "cab", true},
    {R"(pcre:"/a+/"; content:"b"; within:1;)", "aaab", true},
    {R"(pcre:"/a+?/"; content:"b"; within:1;)", "aab", true},
    {R"(pcre:"/a/"; content:"b"; within:1;)", "axab", true},
    {R"(pcre:"/a/"; content:"b"; distance:0; content:"c"; within:1;)", "abxbc", true},
    {R"(pcre:"/(\w)\1/"; content:"z"; within:1;)", "aabbz", true},
    {R"(pcre:"/x(?=y)/"; content:"y"; within:1;)", "xy", true},
    {R"(content:"|00 01|"; pcre:"/^\x02/R";)", "\0\1\2"s, true},
    // byte_test
    {R"(content:"x"; byte_test:1,=,1,0,relative;)", "x\1"s, true},
    {R"(content:"x"; byte_test:1,=,1,0,relative;)", "x\2"s, false},
    {R"(content:"x"; byte_test:1,!=,1,0,relative;)", "x\2"s, true},
    {R"(content:"x"; byte_test:2,>,255,0,relative;)", "x\1\0"s, true},
    {R"(content:"x"; byte_test:2,>,255,0,relative,little;)", "x\1\0"s, false},
    {R"(content:"x"; byte_test:2,<,2,0,relative,little;)", "x\1\0"s, true},
    {R"(content:"x"; byte_test:4,=,16909060,0,relative;)", "x\1\2\3\4"s, true},
    {R"(content:"x"; byte_test:4,=,16909060,0,relative;)", "x\1\2\3"s, false},
    {R"(content:"x"; byte_test:4,!=,1,0,relative;)", "x\1\2\3"s, false},
    {R"(content:"x"; byte_test:1,&,4,0,relative;)", "x\5"s, true},
    {R"(content:"x"; byte_test:1,!&,4,0,relative;)", "x\3"s, true},
    {R"(content:"x"; byte_test:1,^,4,0,relative;)", "x\4"s, false},
    {R"(content:"x"; byte_test:1,^,4,0,relative;)", "x\5"s, true},
    {R"(content:"x"; byte_test:1,=,120,0;)", "xab", true},
    {R"(content:"x"; byte_test:1,=,120,-1,relative;)", "abx", true},
    {R"(content:"x"; byte_test:1,=,97,-2,relative;)", "x", false},
    {R"(content:"x"; byte_test:3,=,123,0,string,dec,relative;)", "x123", true},
    {R"(content:"x"; byte_test:3,>,122,0,string,dec,relative;)", "x12", false},
    {R"(content:"x"; byte_test:5,=,123,0,string,dec,relative;)", "x123ab", true},
    {R"(content:"x"; byte_test:3,=,123,0,string,dec,relative;)", "xabc", false},
    {R"(content:"x"; byte_test:4,=,0xff,0,string,hex,relative;)", "x0xff", true},
    {R"(content:"x"; byte_test:2,=,0xff,0,string,hex,relative;)", "xFF", true},
    {R"(content:"x"; byte_test:2,=,9,0,string,oct,relative;)", "x11", true},
    {R"(content:"x"; byte_test:1,<=,5,0,relative;)", "x\5"s, true},
    {R"(content:"x"; byte_test:1,>=,6,0,relative;)", "x\5"s, false},
    {R"(content:"x"; byte_test:1,>=,6,0,relative;)", "x\5x\6"s, true},
    {R"(content:"x"; byte_test:2,=,0x12,0,relative,bitmask 0xff00;)", "x\x12\x34"s, true},
    {R"(content:"x"; byte_test:2,=,0x34,0,relative,bitmask 0xff00;)", "x\x12\x34"s, false},
    // byte_jump
    {R"(content:"yz"; byte_jump:0,0,relative,post_offset -3; content:"x"; within:1;)", "axyz"s, true},
    {R"(content:"yz"; byte_jump:1,0,relative,post_offset -3; content:"x"; within:1;)", "axyz"s, false},
    {R"(content:"x"; byte_jump:1,0,relative; content:"y"; within:1;)", "x\2aay"s, true},
    {R"(content:"x"; byte_jump:1,0,relative; content:"y"; within:1;)", "x\2ay"s, false},
    {R"(content:"x"; byte_jump:1,0,relative; content:"y"; within:1;)", "x\xff\x01y"s, false},
    {R"(content:"x"; byte_jump:2,0,relative,little; content:"y"; within:1;)", "x\1\0ay"s, true},
    {R"(content:"x"; byte_jump:1,0,relative,multiplier 2; content:"y"; within:1;)", "x\1aay"s, true},
    {R"(content:"x"; byte_jump:1,0,relative,align; content:"y"; within:1;)", "x\1aaaay"s, true},
    {R"(content:"x"; byte_jump:1,0,from_beginning; content:"y"; within:1;)", "\3xay"s, true},
    {R"(content:"x"; byte_jump:1,0,from_beginning; content:"y"; within:1;)", "\2xay"s, false},
    {R"(content:"x"; byte_jump:1,0,relative,post_offset -1; content:"y"; within:1;)", "x\2ay"s, true},
    {R"(content:"x"; byte_jump:1,0,relative,post_offset -90; content:"y"; within:1;)", "x\2ay"s, false},
    {R"(content:"x"; byte_jump:1,0,relative,post_offset -90; content:"x"; within:1;)", "x\2ay"s, true},
    {R"(content:"x"; byte_jump:0,0,relative,post_offset -2; isdataat:3,relative;)", "xab", true},
    {R"(content:"x"; byte_jump:0,0,relative,post_offset -2; isdataat:4,relative;)", "xab", false},
    {R"(content:"x"; byte_jump:0,0,from_end,post_offset -1; content:"y"; within:1;)", "xaay", true},
    {R"(content:"x"; byte_jump:0,0,from_end,post_offset -2; content:"y"; within:1;)", "xaay", false},
    {R"(content:"x"; byte_jump:2,0,relative,string,dec; content:"y"; within:1;)", "x02aay", true},
    {R"(content:"x"; byte_jump:2,0,relative,string,dec; content:"y"; within:1;)", "xzzaay", false},
    {R"(content:"x"; byte_jump:1,0,relative; isdataat:1,relative;)", "x\1ab"s, true},
    {R"(content:"x"; byte_jump:1,0,relative; isdataat:2,relative;)", "x\1ab"s, false},
    {R"(content:"x"; byte_jump:1,0,relative; content:"y"; within:1;)", "x\5x\1ay"s, true},
    // byte_extract, byte_math and variables
    {R"(content:"x"; byte_extract:1,0,n,relative; content:"y"; within:n;)", "x\2ay"s, true},
    {R"(content:"x"; byte_extract:1,0,n,relative; content:"y"; within:n;)", "x\2aay"s, false},
    {R"(content:"x"; byte_extract:1,0,n,relative; content:"y"; distance:n;)", "x\2aay"s, true},
    {R"(content:"x"; byte_extract:1,0,n,relative; content:"y"; distance:n;)", "x\2ay"s, false},
    {R"(byte_extract:1,0,n; content:"y"; offset:n;)", "\2ay"s, true},
    {R"(byte_extract:1,0,n; content:"y"; offset:n;)", "\3ay"s, false},
    {R"(byte_extract:1,0,n; content:"y"; depth:n;)", "\3ay"s, true},
    {R"(byte_extract:1,0,n; content:"y"; depth:n;)", "\2ay"s, false},
    {R"(byte_extract:1,0,n; byte_test:1,=,n,1;)", "\5\5"s, true},
    {R"(byte_extract:1,0,n; byte_test:1,=,n,1;)", "\5\6"s, false},
    {R"(byte_extract:1,0,n; isdataat:!n;)", "\3ab"s, true},
    {R"(byte_extract:1,0,n; isdataat:n;)", "\3ab"s, false},
    {R"(byte_extract:1,0,n,multiplier 2; content:"y"; offset:n;)", "\2ay"s, false},
    {R"(byte_extract:1,0,n,multiplier 2; content:"y"; offset:n;)", "\1ay"s, true},
    {R"(byte_extract:1,0,n,align 4; content:"y"; offset:n;)", "\1aaay"s, true},
    {R"(byte_extract:2,0,n,string,dec; content:"y"; offset:n;)", "04aay", true},
    {R"(content:"x"; byte_extract:1,0,n,relative; content:"y"; distance:n; within:1;)", "x\1yx\1ay"s, true},
    {R"(byte_math:bytes 1,offset 0,oper +,rvalue 2,result r; byte_test:1,=,r,1;)", "\3\5"s, true},
    {R"(byte_math:bytes 1,offset 0,oper -,rvalue 1,result r; byte_test:1,=,r,1;)", "\3\2"s, true},
    {R"(byte_math:bytes 1,offset 0,oper *,rvalue 3,result r; byte_test:1,=,r,1;)", "\3\x09"s, true},
    {R"(byte_math:bytes 1,offset 0,oper /,rvalue 2,result r; byte_test:1,=,r,1;)", "\7\3"s, true},
    {R"(byte_extract:1,0,n; byte_math:bytes 1,offset 1,oper /,rvalue n,result r; byte_test:1,>=,r,2;)",
     "\0\3\7"s, false},
    {R"(byte_math:bytes 1,offset 0,oper <<,rvalue 2,result r; byte_test:1,=,r,1;)", "\1\4"s, true},
    {R"(byte_math:bytes 1,offset 0,oper >>,rvalue 1,result r; byte_test:1,=,r,1;)", "\4\2"s, true},
    {R"(byte_extract:1,0,n; byte_math:bytes 1,offset 1,oper <<,rvalue n,result r; byte_test:1,>=,0,2;)",
     "\x40\1\0"s, false},
    {R"(byte_math:bytes 2,offset 0,oper +,rvalue 0,result r,bitmask 0xff00; byte_test:1,=,r,2;)", "\7\1\7"s,
     true},
    // bsize, base64, asn1
    {R"(content:"abc"; bsize:3;)", "abc", true},
    {R"(content:"abc"; bsize:3;)", "abcd", false},
    {R"(content:"abc"; bsize:>2;)", "abc", true},
    {R"(content:"abc"; bsize:<4;)", "abcd", false},
    {R"(content:"abc"; bsize:2<>5;)", "abcd", true},
    {R"(content:"abc"; bsize:2<>4;)", "abcd", false},
    {R"(content:"b="; base64_decode:relative; base64_data; content:"hello";)", "b=aGVsbG8=", true},
    {R"(content:"b="; base64_decode:relative; base64_data; content:"hallo";)", "b=aGVsbG8=", false},
    {R"(content:"b="; base64_decode:bytes 4,relative; base64_data; content:"hello";)", "b=aGVsbG8=", false},
    {R"(content:"b="; base64_decode:bytes 4,relative; base64_data; content:"hel"; bsize:3;)",
     "b=aGVsbG8=", true},
    {R"(content:"b="; base64_decode:offset 1,relative; base64_data; content:"hello";)", "b=.aGVsbG8=", true},
    {R"(content:"b="; base64_decode:relative; base64_data; content:"hello";)", "b=zzzzb=aGVsbG8=", true},
    {R"(content:"x"; asn1:oversize_length 100,relative_offset 0;)", "x\x04\x81\xc8"s, true},
    {R"(content:"x"; asn1:oversize_length 300,relative_offset 0;)", "x\x04\x81\xc8"s, false},
    {R"(content:"x"; asn1:bitstring_overflow,relative_offset 0;)", "x\x03\x02\x40\x00"s, true},
    {R"(content:"x"; asn1:bitstring_overflow,relative_offset 0;)", "x\x03\x02\x07\x00"s, false},
};

bool has_bsize(const Row& r) {
  return std::string_view(r.options).find("bsize") != std::string_view::npos &&
         std::string_view(r.options).find("base64") == std::string_view::npos;
}

std::string rule(const Row& r, std::size_t sid) {
  // bsize is for sticky buffers.
  return fmt::format("alert tcp any any -> any any (msg:\"t\"; {}{} sid:{};)\n",
                     has_bsize(r) ? "http.uri; " : "", r.options, sid);
}

TEST(EvaluatorTable, AsSuricata) {
  static_assert(std::size(kRows) >= 150);
  std::string text;
  for (std::size_t i = 0; i < std::size(kRows); ++i) text += rule(kRows[i], i + 1);
  const RuleSet set(text);
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    const Row& r = kRows[i];
    Scene s;
    s.payload(r.buffer);
    s.tx.side[0].add(abi::Buffer::http_uri, bytes(r.buffer));
    s.tx.finished = 3;
    const Outcome o = s.judge(set, static_cast<std::uint32_t>(i + 1), has_bsize(r));
    EXPECT_EQ(o, r.match ? Outcome::match : Outcome::no)
        << r.options << " over " << ::testing::PrintToString(r.buffer);
  }
}

// What matches a growing buffer at once also matches it complete, and what is `no` there stays so: a prefix
// of every row's buffer says match, more, or no, and no is final.
TEST(EvaluatorTable, NoOfAPrefixIsFinal) {
  std::string text;
  for (std::size_t i = 0; i < std::size(kRows); ++i) text += rule(kRows[i], i + 1);
  const RuleSet set(text);
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    const Row& r = kRows[i];
    if (!r.match || has_bsize(r)) continue;
    for (std::size_t n = 0; n <= r.buffer.size(); ++n) {
      Scene s;
      s.payload(std::string_view(r.buffer).substr(0, n), false);
      s.context.payload.complete = false;
      EXPECT_NE(s.judge(set, static_cast<std::uint32_t>(i + 1)), Outcome::no)
          << r.options << " over the first " << n << " of " << ::testing::PrintToString(r.buffer);
    }
  }
}

}  // namespace
}  // namespace sekisho::ips::testing
