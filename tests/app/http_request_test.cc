#include <gtest/gtest.h>

#include "tests/app/http_script.h"

namespace sekisho::app {
namespace {

std::string uri(const std::string& target) {
  return hear({client(std::string("GET ").append(target).append(" HTTP/1.1\r\nHost: h\r\n\r\n"))})
      .one("0> http.uri");
}

TEST(HttpRequest, FillsItsBuffers) {
  const Heard h = hear({client(
      "POST /a/../B%20c?d=%3C#f HTTP/1.1\r\nHost: WWW.Example.COM.:8080\r\nUser-Agent:  X \r\nReferer: "
      "r\r\nAccept: a\r\n"
      "Accept-Encoding: gzip\r\nAccept-Language: en\r\nConnection: close\r\nContent-Type: text/plain\r\n"
      "Cookie: k=v\r\nCookie: l=w\r\nX: 1\r\nX: 2\r\nContent-Length: 4\r\n\r\nbody")});
  EXPECT_EQ(h.one("0> http.method"), "POST");
  EXPECT_EQ(h.one("0> http.uri"), "/B c?d=<#f");
  EXPECT_EQ(h.one("0> http.uri.raw"), "/a/../B%20c?d=%3C#f");
  EXPECT_EQ(h.one("0> http.protocol"), "HTTP/1.1");
  EXPECT_EQ(h.one("0> http.request_line"), "POST /a/../B%20c?d=%3C#f HTTP/1.1");
  EXPECT_EQ(h.one("0> http.host"), "www.example.com");
  EXPECT_EQ(h.one("0> http.host.raw"), "WWW.Example.COM.:8080");
  EXPECT_EQ(h.one("0> http.user_agent"), "X");
  EXPECT_EQ(h.one("0> http.referer"), "r");
  EXPECT_EQ(h.one("0> http.accept"), "a");
  EXPECT_EQ(h.one("0> http.accept_enc"), "gzip");
  EXPECT_EQ(h.one("0> http.accept_lang"), "en");
  EXPECT_EQ(h.one("0> http.connection"), "close");
  EXPECT_EQ(h.one("0> http.content_type"), "text/plain");
  EXPECT_EQ(h.one("0> http.content_len"), "4");
  EXPECT_EQ(h.one("0> http.cookie"), "k=v, l=w");
  EXPECT_EQ(h.one("0> http.request_body"), "body");
  EXPECT_FALSE(h.has("0> file.data"));  // the body is the file
  EXPECT_EQ(h.one("0> file.name"), "/B c");
  EXPECT_EQ(
      h.one("0> http.header"),
      "Host: WWW.Example.COM.:8080\\x0d\\x0aUser-Agent: X\\x0d\\x0aReferer: r\\x0d\\x0aAccept: a\\x0d\\x0a"
      "Accept-Encoding: gzip\\x0d\\x0aAccept-Language: en\\x0d\\x0aConnection: close\\x0d\\x0a"
      "Content-Type: text/plain\\x0d\\x0aX: 1, 2\\x0d\\x0aContent-Length: 4\\x0d\\x0a");
  EXPECT_EQ(
      h.one("0> http.header_names"),
      "\\x0d\\x0aHost\\x0d\\x0aUser-Agent\\x0d\\x0aReferer\\x0d\\x0aAccept\\x0d\\x0aAccept-Encoding\\x0d\\x0a"
      "Accept-Language\\x0d\\x0aConnection\\x0d\\x0aContent-Type\\x0d\\x0aCookie\\x0d\\x0aX\\x0d\\x0a"
      "Content-Length\\x0d\\x0a\\x0d\\x0a");
  EXPECT_TRUE(h.one("0> http.header.raw").ends_with("Content-Length: 4\\x0d\\x0a\\x0d\\x0a"));
  EXPECT_TRUE(h.one("0> http.start").starts_with("POST /a/../B%20c?d=%3C#f HTTP/1.1\\x0d\\x0aHost: WWW"));
  EXPECT_EQ(h.buffers.at("0> http.request_header").size(), 11u);
  EXPECT_EQ(h.buffers.at("0> http.request_header")[9], "X: 1, 2");
  EXPECT_TRUE(h.events.empty()) << h.all;
  EXPECT_EQ(h.leaked, 0u);
}

TEST(HttpRequest, NormalisesThePath) {
  EXPECT_EQ(uri("/abc%2fDef/../x//y"), "/abc/x/y");
  EXPECT_EQ(uri("/a/./b/../../c"), "/c");
  EXPECT_EQ(uri("/../x"), "/x");
  EXPECT_EQ(uri("/a/."), "/a");
  EXPECT_EQ(uri("/.../x"), "/.../x");
  EXPECT_EQ(uri("/a%5cb\\c"), "/a/b/c");
  EXPECT_EQ(uri("/%u0041b"), "/Ab");
  EXPECT_EQ(uri("/%u2215x%uff0f"), "/x/");
  EXPECT_EQ(uri("/%25%32%66"), "/%2f");
  EXPECT_EQ(uri("/%zz%4"), "/%zz%4");
  EXPECT_EQ(uri("/%c3%a9%e4%b8%ad%ff"), "/\\xe9??");
  EXPECT_EQ(uri("/a+b?c+d"), "/a+b?c+d");
  EXPECT_EQ(uri("/a?x%2fj%252f"), "/a?x/j%2f");
  EXPECT_EQ(uri("/a?b?c"), "/a?b?c");
  EXPECT_EQ(uri("/a%00b"), "/a\\x00b");
  EXPECT_EQ(uri("http://user:p@Host.com:80/Path?q"), "/Path?q");
  EXPECT_EQ(uri("/uri afterspace"), "/uri afterspace");
}

TEST(HttpRequest, TakesTheHostFromAnAbsoluteTarget) {
  const Heard h = hear({client("GET http://User:p@A.com:80/x HTTP/1.1\r\nHost: b.com\r\n\r\n")});
  EXPECT_EQ(h.one("0> http.host"), "a.com");
  EXPECT_EQ(h.one("0> http.host.raw"), "A.com");
  EXPECT_TRUE(h.event("http.host_header_ambiguous"));
}

TEST(HttpRequest, JoinsFoldedLines) {
  const Heard h = hear({client("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n b: 2\r\n\tc\r\n\r\n")});
  EXPECT_EQ(h.buffers.at("0> http.request_header")[1], "A: 1 b: 2\\x09c");
}

TEST(HttpRequest, IsChunked) {
  const Heard h =
      hear({client("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3;x=y\r\nabc\r\n2 \r\nde\r\n0\r\nTrailer: t\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n")});
  EXPECT_EQ(h.one("0> http.request_body"), "abcde");
  EXPECT_EQ(h.one("1> http.uri"), "/2");
  EXPECT_TRUE(h.event("http.request_chunk_extension"));
}

TEST(HttpRequest, MayBePipelined) {
  const Heard h = hear(
      {client("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
              "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n"),
       server(ok("Content-Length: 1\r\n", "x")),
       server(ok("Content-Length: 1\r\n", "y") + ok("Content-Length: 1\r\n", "z"))});
  EXPECT_EQ(h.one("0< http.response_body"), "x");
  EXPECT_EQ(h.one("1> http.request_body"), "ab");
  EXPECT_EQ(h.one("1< http.response_body"), "y");
  EXPECT_EQ(h.one("2> http.uri"), "/3");
  EXPECT_EQ(h.one("2< http.response_body"), "z");
  EXPECT_EQ(h.leaked, 0u);
}

TEST(HttpRequest, WithoutAVersionIsHttp09UnlessHeadersFollow) {
  const Heard old = hear({client("GET /x\r\n"), server("<html>old</html>")});
  EXPECT_EQ(old.one("0> http.uri"), "/x");
  EXPECT_FALSE(old.has("0> http.protocol"));
  EXPECT_EQ(old.one("0< http.response_body"), "<html>old</html>");
  const Heard forgotten = hear({client("GET /x\r\nHost: a\r\nUser-Agent: u\r\n\r\n")});
  EXPECT_TRUE(forgotten.event("http.request_line_missing_protocol"));
  EXPECT_EQ(forgotten.one("0> http.user_agent"), "u");
  EXPECT_EQ(forgotten.one("0> http.host"), "a");
  EXPECT_EQ(forgotten.buffers.at("0> http.uri").size(), 1u);
}

TEST(HttpRequest, HttpOldIsJudgedAtOnce) {
  const Heard h = hear(
      {client("GET /attack\r\n")}, [](std::size_t n) { return n; }, false);
  EXPECT_EQ(h.one("0> http.uri"), "/attack");
}

TEST(HttpRequest, MayHaveABodyThatIsNotAnnounced) {
  const Heard h = hear({client("POST /x HTTP/1.1\r\nHost: h\r\n\r\nlogin=foo&password=bar\r\n")});
  EXPECT_TRUE(h.event("http.request_body_unexpected"));
  EXPECT_EQ(h.one("0> http.request_body"), "login=foo&password=bar\\x0d\\x0a");
}

TEST(HttpRequest, ConnectBecomesAnotherProtocol) {
  const Heard h = hear({client("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\n"),
                        server("HTTP/1.1 200 OK\r\n\r\nSSH-2.0"), client("\x16\x03")});
  EXPECT_EQ(h.one("0> http.host"), "a.b");
  EXPECT_FALSE(h.has("0> http.uri"));
  ASSERT_EQ(h.other.size(), 1u) << h.all;
  EXPECT_EQ(h.other[0], "change unknown");
  EXPECT_EQ(h.left_over, 7u + 2u);
  const Heard refused = hear({client("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\n"),
                              server("HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx"), get("/again")});
  EXPECT_TRUE(refused.other.empty());
  EXPECT_EQ(refused.one("1> http.uri"), "/again") << refused.all;
}

TEST(HttpRequest, UpgradeBecomesAnotherProtocol) {
  const Heard h = hear({get("/chat"), server("HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n")});
  ASSERT_EQ(h.other.size(), 1u);
  EXPECT_EQ(h.other[0], "change http2");
  EXPECT_EQ(h.one("0< http.stat_code"), "101");
}

TEST(HttpRequest, FormFilesAreFiles) {
  const std::string body =
      "--B\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nfield\r\n"
      "--B\r\nContent-Disposition: form-data; name=\"u\"; filename=\"a.txt\"\r\nContent-Type: "
      "x/y\r\n\r\none\r\n-\r\n--A\r\n"
      "--B\r\nContent-Disposition: form-data; name=\"v\"; filename=b.bin\r\n\r\ntwo\r\n--B--\r\n";
  const Heard h = hear(
      {client("POST /up HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; "
              "boundary=\"B\"\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body)},
      [](std::size_t n) { return n; }, true, true, true);
  EXPECT_EQ(h.buffers.at("0> file.name"), (std::vector<std::string>{"a.txt", "b.bin"})) << h.all;
  EXPECT_EQ(h.one("0> file.data"), "one\\x0d\\x0a-\\x0d\\x0a--Atwo");
  EXPECT_NE(h.one("0> http.request_body").find("field"), std::string::npos);
  EXPECT_NE(h.all.find("_type=fileinfo filename=b.bin size=3 sha256="
                       "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"),
            std::string::npos)
      << h.all;
  EXPECT_EQ(h.leaked, 0u);
}

TEST(HttpRequest, CompressedBodiesAreDecoded) {
  // gzip of "hello"
  const std::string gz("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0",
                       25);
  const Heard h = hear(
      {client("POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gz)});
  EXPECT_EQ(h.one("0> http.request_body"), "hello");
}

}  // namespace
}  // namespace sekisho::app
