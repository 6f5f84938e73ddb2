// content and its modifiers: what they become, and what is refused in which words.
#include "tests/signatures/help.h"

namespace sekisho::signatures {
namespace {

const Content& content(const Signature& s, std::size_t group, std::size_t match) {
  return std::get<Content>(s.groups.at(group).matches.at(match));
}

TEST(Content, HexEscapesAndText) {
  const One s = read("alert tcp", R"(content:"a|0D 0a|b\;\"\\\:|7c|";)");
  ASSERT_TRUE(s.loaded()) << s.why();
  EXPECT_EQ(content(*s, 0, 0).bytes, "a\r\nb;\"\\:|");
}

TEST(Content, ModifiersBelongToTheLastContent) {
  const One s =
      read("alert tcp", R"(content:"abc"; offset:3; depth:5; Nocase; content:!"de"; distance:-2; within:9;)");
  ASSERT_TRUE(s.loaded()) << s.why();
  const Content& a = content(*s, 0, 0);
  const Content& b = content(*s, 0, 1);
  EXPECT_TRUE(a.nocase && !a.negated && !a.relative());
  EXPECT_EQ(a.offset->value, 3);
  EXPECT_EQ(a.depth->value, 5);
  EXPECT_TRUE(b.negated && !b.nocase && b.relative());
  EXPECT_EQ(b.distance->value, -2);
  EXPECT_EQ(b.within->value, 9);
}

TEST(Content, StartswithIsDepthOfItsLength) {
  const One s = read("alert tcp", R"(content:"abcd"; startswith; endswith;)");
  ASSERT_TRUE(s.loaded()) << s.why();
  const Content& c = content(*s, 0, 0);
  EXPECT_TRUE(c.starts_with && c.ends_with);
  EXPECT_EQ(c.depth->value, 4);
  EXPECT_EQ(c.offset->value, 0);
}

TEST(Content, PositionsFromByteExtract) {
  const One s = read("alert tcp",
                     R"(byte_extract:1,0,len; content:"x"; distance:len; within:4; isdataat:!len,relative;)");
  ASSERT_TRUE(s.loaded()) << s.why();
  EXPECT_EQ(s->variables, std::vector<std::string>{"len"});
  EXPECT_EQ(content(*s, 0, 1).distance->variable, 0);
  EXPECT_EQ(std::get<IsDataAt>(s->groups[0].matches[2]).count.variable, 0);
}

TEST(Content, StickyAndLegacyMeetInOneGroup) {
  const One s = read(
      "alert http",
      R"(content:"/a"; http_uri; content:"raw"; content:"b"; distance:0; http_uri; http.uri; content:"c"; )"
      R"(http.method; content:"GET"; http.uri; content:"d";)");
  ASSERT_TRUE(s.loaded()) << s.why();
  ASSERT_EQ(s->groups.size(), 3u);
  EXPECT_EQ(s->groups[0].buffer, Buffer::payload);
  EXPECT_EQ(content(*s, 0, 0).bytes, "raw");
  EXPECT_EQ(s->groups[1].buffer, Buffer::http_uri);
  ASSERT_EQ(s->groups[1].matches.size(), 4u);
  EXPECT_EQ(content(*s, 1, 1).bytes, "b");
  EXPECT_TRUE(content(*s, 1, 1).relative());
  EXPECT_EQ(content(*s, 1, 3).bytes, "d");
  EXPECT_EQ(s->groups[2].buffer, Buffer::http_method);
}

TEST(Content, QueriesAreInstances) {
  const One s = read("alert dns", R"(dns.query; content:"a"; dns.query; content:"b";)");
  ASSERT_TRUE(s.loaded()) << s.why();
  EXPECT_EQ(s->groups.size(), 2u);
}

TEST(Content, PcreFlagsChooseTheBuffer) {
  static constexpr std::pair<char, Buffer> kFlags[] = {
      {'U', Buffer::http_uri},           {'I', Buffer::http_uri_raw},    {'P', Buffer::http_request_body},
      {'Q', Buffer::http_response_body}, {'H', Buffer::http_header},     {'D', Buffer::http_header_raw},
      {'M', Buffer::http_method},        {'C', Buffer::http_cookie},     {'S', Buffer::http_stat_code},
      {'Y', Buffer::http_stat_msg},      {'V', Buffer::http_user_agent}, {'W', Buffer::http_host},
      {'Z', Buffer::http_host_raw}};
  for (const auto& [flag, buffer] : kFlags) {
    const One s = read("alert tcp", std::string("pcre:\"/x[0-9]/i") + flag + "\";");
    ASSERT_TRUE(s.loaded()) << flag << s.why();
    EXPECT_EQ(s->groups.at(0).buffer, buffer) << flag;
    EXPECT_EQ(s->protocol.app, AppProtocol::http);
    EXPECT_TRUE(std::get<Pcre>(s->groups[0].matches[0]).caseless);
  }
}

TEST(Content, TransformBehindAMatchIsAnotherGroup) {
  const One s = read("alert http", R"(http.host; content:"a"; dotprefix; content:".b"; endswith;)");
  ASSERT_TRUE(s.loaded()) << s.why();
  ASSERT_EQ(s->groups.size(), 2u);
  EXPECT_TRUE(s->groups[0].transforms.empty());
  ASSERT_EQ(s->groups[1].transforms.size(), 1u);
  EXPECT_EQ(s->groups[1].transforms[0].kind, Transform::Kind::dotprefix);
}

TEST(Content, UrilenIsASizeOfTheUri) {
  const One s = read("alert http", "urilen:5<>9; urilen:>2,raw;");
  ASSERT_TRUE(s.loaded()) << s.why();
  EXPECT_EQ(s->groups[0].buffer, Buffer::http_uri);
  const Range r = std::get<BufferSize>(s->groups[0].matches[0]).range;
  EXPECT_FALSE(r.contains(5));
  EXPECT_TRUE(r.contains(6) && r.contains(8));
  EXPECT_FALSE(r.contains(9));
  EXPECT_EQ(s->groups[1].buffer, Buffer::http_uri_raw);
}

class ContentCases : public testing::TestWithParam<Case> {};
TEST_P(ContentCases, AsSaid) {
  run(GetParam());
}

constexpr Case kCases[] = {
    {"alert tcp", R"(content:"";)", "content: it is empty"},
    {"alert tcp", R"(content:abc;)", "content: the value must stand in double quotes"},
    {"alert tcp", R"(content:"a|0|";)", "content: an odd number of hexadecimal digits between '|'"},
    {"alert tcp", R"(content:"a|0g|";)", "content: 'g' is not a hexadecimal digit"},
    {"alert tcp", R"(content:"a|0d";)", "content: the closing '|' is missing"},
    {"alert tcp", R"(content:"a\n";)", R"(content: '\n' is no escape: only \\ \; \" \: are)"},
    {"alert tcp", R"(content:"a"b";)", "content: an unescaped '\"' inside"},
    {"alert tcp", R"(content:"a;b";)", "content: the value must stand in double quotes"},
    {"alert tcp", R"(content:"a",depth 16;)", "content: options behind a comma are Snort 3 syntax"},
    {"alert tcp", R"(nocase;)", "nocase needs a content before it"},
    {"alert tcp", R"(content:"abc"; depth:2;)", "depth 2 is less than the length of the content, 3"},
    {"alert tcp", R"(content:"abc"; within:2;)", "within 2 is less than the length of the content, 3"},
    {"alert tcp", R"(content:"abc"; offset:1; distance:1;)",
     "distance with offset or depth: a content is absolute or relative"},
    {"alert tcp", R"(content:"abc"; within:5; depth:5;)",
     "depth with distance or within: a content is absolute or relative"},
    {"alert tcp", R"(content:"abc"; depth:5; depth:6;)", "depth twice for the same content"},
    {"alert tcp", R"(content:"abc"; depth:x;)", "depth: no byte_extract or byte_math before it sets 'x'"},
    {"alert tcp", R"(content:"abc"; offset:70000;)", "offset: 70000 is not within 0..65535"},
    {"alert tcp", R"(content:"abc"; nocase; nocase;)", "nocase twice for the same content"},
    {"alert tcp", R"(content:"abc"; startswith; depth:9;)", "depth with startswith"},
    {"alert tcp", R"(content:"abc"; depth:9; startswith;)",
     "startswith with offset, depth, distance or within"},
    {"alert tcp", R"(content:"abc"; rawbytes;)", ""},
    {"alert tcp", R"(content:"abc"; fast_pattern; content:"de"; fast_pattern;)",
     "fast_pattern on 2 contents: only one may have it"},
    {"alert tcp", R"(content:"abc"; fast_pattern; fast_pattern;)", "fast_pattern twice for the same content"},
    {"alert tcp", R"(content:"abc"; fast_pattern:1,9;)",
     "fast_pattern: 1,9 lies outside of the content of 3 bytes"},
    {"alert tcp", R"(content:"abc"; fast_pattern:only;)", ""},
    {"alert tcp", R"(content:!"abc"; offset:3; fast_pattern;)",
     "fast_pattern on a negated content with a position"},
    {"alert tcp", R"(content:!"abc"; fast_pattern:only;)", "fast_pattern:only on a negated content"},
    {"alert tcp", R"(pcre:"/a(/";)", "pcre does not compile: missing closing parenthesis at offset 2"},
    {"alert tcp", R"(pcre:"abc";)", "pcre: the expression must stand between '/'"},
    {"alert tcp", R"(pcre:"/abc/k";)", "pcre: unknown flag 'k'"},
    {"alert tcp", R"(pcre:"/abc/UH";)", "pcre: flags of two buffers"},
    {"alert tcp", R"(pcre:"/abc/UB";)", "pcre: B (raw bytes) with a flag of another buffer"},
    {"alert tcp", R"(pcre:"/Abc/W";)", "pcre: an upper case letter, and http.host is lower case"},
    {"alert tcp", R"(pcre:!/a.c/Ui;)", ""},
    {"alert http", R"(http.uri; pcre:"/abc/H";)",
     "pcre: a flag selects http.header while the sticky buffer http.uri is set"},
    {"alert http", R"(http.uri; content:"a"; http_header;)",
     "http_header while a sticky buffer is set: put pkt_data before the content"},
    {"alert http", R"(http.uri; content:"a"; pkt_data; content:"b"; http_header;)", ""},
    {"alert http", R"(content:"a"; http_uri; http_header;)",
     "http_header: the content before it already stands in http.uri"},
    {"alert http", R"(http.uri;)", "http.uri has no match behind it"},
    {"alert http", R"(http.uri; to_md5; http.method; content:"a";)", "a transform with no match behind it"},
    {"alert http", R"(dotprefix; content:"a";)", "a transform needs a sticky buffer before it"},
    {"alert http", R"(http.uri; xor:"0d0ac8ff"; content:"a";)", ""},
    {"alert http", R"(http.uri; xor:"0d0"; content:"a";)", R"(xor: '"0d0"' is no key in hexadecimal)"},
    {"alert http", R"(http.uri; xor:offset  1,  extract 1 0; content:"a";)", ""},
    {"alert http", R"(http.uri; xor:extract 0 0; content:"a";)", "xor: a key of 0 bytes"},
    {"alert http", R"(http.uri; xor:extract 1 0,"42"; content:"a";)", "xor: a key and extract"},
    {"alert http", R"(http.uri; xor:offset 1; content:"a";)", "xor: neither a key nor extract"},
    {"alert http", R"(bsize:5;)", "bsize needs a sticky buffer before it"},
    {"alert http", R"(http.uri; content:"abcdef"; bsize:5;)",
     "http.uri: the contents need 6 bytes, the size is limited to 5"},
    {"alert http", R"(http.uri; content:"ab"; content:"cd"; distance:3; bsize:<7;)",
     "http.uri: the contents need 7 bytes, the size is limited to 6"},
    {"alert http", R"(http.uri; content:"ab"; content:"cd"; distance:3; bsize:7;)", ""},
    {"alert http", R"(http.uri; content:"a"; bsize:9<>5;)", "bsize: the range 9<>5 is reversed"},
    {"alert http", R"(urilen:9<>10;)", "urilen: nothing lies between the bounds of 9<>10"},
    {"alert http", R"(urilen:5,loud;)", "urilen: 'loud' is neither raw nor norm"},
    {"alert http", R"(http.host; content:"Abc";)",
     "http.host: an upper case letter in the content, and the buffer is lower case"},
    {"alert http", R"(http.method; content:"GET ";)", "http.method: white space ends the content"},
    {"alert tls", R"(ja3.hash; content:"abc";)", "ja3.hash: 3 characters, an MD5 in hexadecimal has 32"},
    {"alert tcp", R"(base64_data; content:"a";)", "base64_data needs a base64_decode before it"},
    {"alert tcp", R"(content:"x"; base64_decode:bytes 8, offset 2, relative; base64_data; content:"a";)", ""},
    {"alert tcp", R"(base64_decode:bytes 0;)", "base64_decode: bytes 0"},
    {"alert http", R"(http.referer; absent;)", ""},
    {"alert http", R"(http.referer; absent; content:"a";)", "absent with other matches of http.referer"},
    {"alert http", R"(http.referer; absent:or_else; content:"a";)", ""},
    {"alert http", R"(http.referer; absent:or_else;)",
     "absent:or_else without another match of http.referer"},
    {"alert tcp", R"(isdataat:10,relative;)", ""},
    {"alert tcp", R"(isdataat:10,somehow;)", "isdataat: unknown option 'somehow'"},
};
INSTANTIATE_TEST_SUITE_P(All, ContentCases, testing::ValuesIn(kCases));

}  // namespace
}  // namespace sekisho::signatures
