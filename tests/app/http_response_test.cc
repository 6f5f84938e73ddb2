// Responses, and the ways in which servers hide a body from those that read them strictly.
#include <gtest/gtest.h>

#include <random>

#include "tests/app/http_script.h"

namespace sekisho::app {
namespace {

const std::string kBody = "X5O!-the-whole-body-must-be-seen-here-and-nothing-is-missing";
std::string chunked(std::size_t size = 5, const std::string& ext = "", const std::string& eol = "\r\n") {
  std::string s;
  for (std::size_t i = 0; i < kBody.size(); i += size) {
    const std::string piece = kBody.substr(i, size);
    char hex[16];
    std::snprintf(hex, sizeof hex, "%zx", piece.size());
    s.append(hex).append(ext).append(eol).append(piece).append(eol);
  }
  return s.append("0").append(eol).append(eol);
}
const std::string kCl = "Content-Length: " + std::to_string(kBody.size()) + "\r\n";

TEST(HttpResponse, FillsItsBuffers) {
  const Heard h =
      hear({get("/f.txt?x"),
            server("HTTP/1.1 301 Moved  Away\r\nServer: S\r\nLocation: /l\r\nSet-Cookie: a\r\n"
                   "Set-Cookie: b\r\nContent-Type: t\r\nConnection: x\r\nContent-Length: 2\r\n\r\nab")});
  EXPECT_EQ(h.one("0< http.response_line"), "HTTP/1.1 301 Moved  Away");
  EXPECT_EQ(h.one("0< http.protocol"), "HTTP/1.1");
  EXPECT_EQ(h.one("0< http.stat_code"), "301");
  EXPECT_EQ(h.one("0< http.stat_msg"), "Moved  Away");
  EXPECT_EQ(h.one("0< http.server"), "S");
  EXPECT_EQ(h.one("0< http.location"), "/l");
  EXPECT_EQ(h.one("0< http.cookie"), "a, b");
  EXPECT_EQ(h.one("0< http.content_type"), "t");
  EXPECT_EQ(h.one("0< http.content_len"), "2");
  EXPECT_EQ(h.one("0< http.connection"), "x");
  EXPECT_EQ(h.one("0< http.header"),
            "Server: S\\x0d\\x0aLocation: /l\\x0d\\x0aContent-Type: t\\x0d\\x0aConnection: "
            "x\\x0d\\x0aContent-Length: 2\\x0d\\x0a");
  EXPECT_EQ(h.one("0< http.response_body"), "ab");
  EXPECT_FALSE(h.has("0< file.data"));  // the body is the file
  EXPECT_EQ(h.one("0< file.name"), "/f.txt");
}

// A response whose body is kBody, whatever else it says.
const std::string kHidden[] = {
    ok("", kBody),
    ok(kCl, kBody),
    ok("Transfer-Encoding: chunked\r\n", chunked()),
    // framing of chunks
    ok("Transfer-Encoding: chunked\r\n", chunked(15, "\t")),
    ok("Transfer-Encoding: chunked\r\n", chunked(15, ",")),
    ok("Transfer-Encoding: chunked\r\n", chunked(15, "; x=y  5")),
    ok("Transfer-Encoding: chunked\r\n", " " + chunked()),
    ok("Transfer-Encoding: chunked\r\n", "\x0b" + chunked(15)),
    ok("Transfer-Encoding: chunked\r\n", "\r\n" + chunked()),
    ok("Transfer-Encoding: chunked\r\n", "\r" + chunked()),
    ok("Transfer-Encoding: chunked\r\n", "000000000" + chunked()),
    ok("Transfer-Encoding: chunked\r\n", chunked(5, "", "\n")),
    ok("Transfer-Encoding: chunked\r\n", chunked().substr(0, chunked().size() - 5)),
    // what is called chunked
    ok("Transfer-Encoding: xchunked\r\n", chunked()),
    ok("Transfer-Encoding: x \r\n chunked\r\n", chunked()),
    ok("Transfer-Encoding:\x0b"
       "chunked\r\n",
       chunked()),
    ok(std::string("Transfer-Encoding: chun\0ked\r\n", 29), chunked()),
    ok(std::string("Transfer\0-Encoding: chunked\r\n", 29), chunked()),
    ok("Transfer-Encoding : chunked\r\n", chunked()),
    ok("Transfer-Encoding\x0c:chunked\r\n", chunked()),
    ok("Transfer-Encoding\r\n :\r\n chunked\r\n", chunked()),
    ok("Transfer-Encoding: lalala\r\nTransfer-Encoding: chunked\r\n" + kCl, chunked()),
    ok("A: b\r\n Transfer-Encoding: chunked\r\n", chunked()),
    ok("\rTransfer-Encoding: chunked\r\n", chunked()),
    ok("A: b\r\r\nTransfer-Encoding: chunked\r\n", chunked()),
    ok(kCl + "Transfer-Encoding: chunked\r\n", chunked()),
    "HTTP/1.0 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(),
    // not chunked at all
    ok("Transfer-Encoding: chunked x\r\n", kBody),
    ok("Transfer-Encoding:: chunked\r\n" + kCl, kBody),
    ok("Transfer-Encoding: \rchunked\r\n", kBody),
    // lengths
    ok("Content-Length: (" + std::to_string(kBody.size()) + ") 34\r\n", kBody),
    ok("Content-Length: ," + std::to_string(kBody.size()) + ".0\r\n", kBody),
    ok("Connection: close\r\nContent-Length: 34 68\r\n", kBody),
    ok("Connection: close\r\nContent-Length: 34\r\n 68\r\n", kBody),
    ok(kCl + "Content-Length: 7\r\n", kBody),
    ok("Content-Length: 10000\r\n", kBody),
    ok("Content-Length: none\r\n", kBody),
    // line ends
    "HTTP/1.1 200 ok\nContent-Length: " + std::to_string(kBody.size()) + "\n\n" + kBody,
    "HTTP/1.1 200 ok\rA: b\rContent-Length: " + std::to_string(kBody.size()) + "\r\n\n" + kBody,
    "HTTP/1.1 200 ok\r\nContent-Length: " + std::to_string(kBody.size()) + "\n\r\r\n" + kBody,
    "HTTP/1.1 200 ok\r\nContent-Length: " + std::to_string(kBody.size()) + "\n\r\r\n\r\n" + kBody,
    "HTTP/1.1 200 ok\r\nContent-Length: " + std::to_string(kBody.size()) + "\n \n" + kBody,
    "HTTP/1.1 200 ok\r\nContent-Length: " + std::to_string(kBody.size()) + "\n\t\n\n" + kBody,
    // status lines
    "HTTP/1.1\r\n" + kCl + "\r\n" + kBody,
    "HTTP/1.1 200\r\n" + kCl + "\r\n" + kBody,
    "http/1.01 2000 ok\r\n" + kCl + "\r\n" + kBody,
    std::string("HTTP/1\0.1\0"
                "200 ok\r\n",
                18) +
        kCl + "\r\n" + kBody,
    " \r\n\t\r\nHTTP/1.1 200 ok\r\n" + kCl + "\r\n" + kBody,
    "HTTP/1.1 204 ok\r\n" + kCl + "\r\n" + kBody,
    "HTTP/1.1 100 ok\r\n" + kCl + "\r\n" + kBody,
    "HTTP/1.1 204 ok\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(),
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + ok(kCl, kBody),
    // no HTTP at all
    kBody,
};

TEST(HttpResponse, ABodyIsSeenHoweverItIsHidden) {
  for (const std::string& response : kHidden) {
    const std::vector<Said> talk{get(), server(response)};
    const Heard h = hear(talk);
    EXPECT_EQ(h.one("0< http.response_body"), kBody) << RecordingHost::printable(
        {reinterpret_cast<const std::uint8_t*>(response.data()), response.size()});
    EXPECT_EQ(h.leaked, 0u);
    EXPECT_FALSE(h.failed);
  }
}

TEST(HttpResponse, SegmentsDoNotMatter) {
  std::mt19937 random(7);
  for (const std::string& response : kHidden) {
    // the next response on the same connection too, where there is one
    const std::vector<Said> talk{
        client(
            "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"),
        server(response)};
    expect_given_back(kHttpEntry, turns(talk));
    const Heard whole = hear(talk);
    const Heard bytewise = hear(talk, [](std::size_t) { return 1; });
    ASSERT_TRUE(bytewise == whole) << whole.all << "\n--- byte by byte\n" << bytewise.all;
    for (std::size_t at = 1; at < talk[0].bytes.size() + response.size(); at += 3) {
      std::size_t fed = 0;
      const Heard split = hear(talk, [&](std::size_t rest) {
        const std::size_t n = fed < at ? std::min(rest, at - fed) : rest;
        fed += n;
        return n;
      });
      ASSERT_TRUE(split == whole) << at << "\n" << whole.all << "\n---\n" << split.all;
    }
    for (int i = 0; i < 8; ++i) {
      const Heard split = hear(talk, [&](std::size_t) { return 1 + random() % 40; });
      ASSERT_TRUE(split == whole) << whole.all << "\n---\n" << split.all;
    }
  }
}

TEST(HttpResponse, MayFollowALineThatIsNone) {
  const std::string response = "foobar\r\nHTTP/1.1 200 ok\r\n" + kCl + "\r\n" + kBody;
  EXPECT_EQ(hear({get(), server(response)}).one("0< http.response_body"), kBody);
  // In pieces the line was judged as a body before it was known to be none.
  const Heard h = hear({get(), server(response)}, [](std::size_t) { return 1; });
  EXPECT_EQ(h.one("0< http.response_body"), "foobar\\x0d\\x0a" + kBody);
  EXPECT_EQ(h.one("0< http.stat_code"), "200");
  EXPECT_EQ(h.leaked, 0u);
}

TEST(HttpResponse, HasNoBodyWhereNoneIsDue) {
  const Heard head = hear(
      {client("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"),
       server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")});
  EXPECT_FALSE(head.has("0< http.response_body"));
  EXPECT_EQ(head.one("1< http.stat_code"), "404");
  const Heard same = hear({client("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"),
                           server("HTTP/1.1 304 Same\r\nContent-Length: 100\r\n\r\nHTTP/1.1 204 "
                                  "None\r\nContent-Length: 5\r\n\r\n")});
  EXPECT_EQ(same.one("1< http.stat_code"), "204");
  EXPECT_FALSE(same.has("0< http.response_body"));
}

TEST(HttpResponse, MayComeBeforeTheRequestIsComplete) {
  const Heard h = hear({client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc"),
                        server(ok("Content-Length: 2\r\n", "no")), client("def"), get("/2"),
                        server(ok("Content-Length: 1\r\n", "x"))});
  EXPECT_EQ(h.one("0> http.request_body"), "abcdef");
  EXPECT_EQ(h.one("0< http.response_body"), "no");
  EXPECT_EQ(h.one("1< http.response_body"), "x");
  EXPECT_EQ(h.leaked, 0u);
}

TEST(HttpResponse, WithoutARequestIsAnotherTransaction) {
  const Heard h = hear({server(ok("Content-Length: 3\r\n", "abc"))});
  EXPECT_EQ(h.one("0< http.response_body"), "abc");
  EXPECT_TRUE(h.event("http.unable_to_match_response_to_request"));
}

TEST(HttpResponse, IsLoggedWithItsFile) {
  const Heard h = hear(
      {get("/f"), server(ok("Content-Type: t\r\nContent-Length: 3\r\n", "abc"))},
      [](std::size_t n) { return n; }, true, true, true);
  ASSERT_EQ(h.other.size(), 2u) << h.all;
  EXPECT_EQ(h.other[0],
            "log http _type=fileinfo filename=/f size=3 "
            "sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(
      h.other[1],
      "log http hostname=h url=/f http_content_type=t http_method=GET protocol=HTTP/1.1 status=200 length=3");
}

TEST(HttpResponse, ALossWithinABodyIsSurvived) {
  RecordingHost host;
  Parser* parser = kHttpEntry.make(host);
  host.parser = parser;
  FlowFacts facts;
  const auto feed = [&](Direction d, std::string_view s) {
    return parser->feed(d, {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}, {}, facts, host);
  };
  feed(Direction::to_server, get("/").bytes);
  feed(Direction::to_client, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab");
  EXPECT_TRUE(parser->gap(Direction::to_client, 6, host));
  feed(Direction::to_client, "ij");
  EXPECT_TRUE(host.has("0< finish")) << host.all();
  feed(Direction::to_client, "HTTP/1.1 2");
  EXPECT_FALSE(parser->gap(Direction::to_client, 6, host));
  host.end_of_packet();
  parser->destroy(host.pool());
  EXPECT_EQ(host.pool().in_use(), 0u);
}

TEST(HttpResponse, AnIdleConnectionIsSmall) {
  RecordingHost host;
  Parser* parser = kHttpEntry.make(host);
  host.parser = parser;
  FlowFacts facts;
  for (int i = 0; i < 100; ++i) {
    for (const Said& s : {get("/x"), server(ok("Content-Length: 5\r\n", "hello"))})
      ASSERT_EQ(parser->feed(s.d, {reinterpret_cast<const std::uint8_t*>(s.bytes.data()), s.bytes.size()}, {},
                             facts, host),
                Fed::ok);
    host.end_of_packet();
    ASSERT_LE(host.pool().in_use(), 400u);
  }
  parser->destroy(host.pool());
  EXPECT_EQ(host.pool().in_use(), 0u);
}

TEST(HttpResponse, NoMemoryFailsTheFlow) {
  RecordingHost host(1 << 20);
  std::vector<void*> taken;
  Parser* parser = kHttpEntry.make(host);
  for (std::size_t size = 512 * 1024; size >= 64; size /= 2)
    while (void* p = host.pool().allocate(size)) taken.push_back(p);
  FlowFacts facts;
  const std::string request = get("/").bytes;
  EXPECT_EQ(
      parser->feed(Direction::to_server,
                   {reinterpret_cast<const std::uint8_t*>(request.data()), request.size()}, {}, facts, host),
      Fed::failed);
  parser->destroy(host.pool());
}

TEST(HttpProbe, TellsHttpFromItsLikes) {
  const auto probe = [](Direction d, std::string_view s) {
    return kHttpEntry.probe(d, {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}, 8080);
  };
  constexpr Direction up = Direction::to_server, down = Direction::to_client;
  EXPECT_EQ(probe(up, "GET / HTTP/1.1\r\n"), Probe::yes);
  EXPECT_EQ(probe(up, "\r\nPOST /x HTTP/1.0\r\n"), Probe::yes);
  EXPECT_EQ(probe(up, "FOO /x HTTP/1.1\r\n"), Probe::yes);
  EXPECT_EQ(probe(up, "GET /x\r\n"), Probe::yes);
  EXPECT_EQ(probe(up, "GE"), Probe::more);
  EXPECT_EQ(probe(up, "GET /xyz"), Probe::more);
  EXPECT_EQ(probe(up, "OPTIONS rtsp://a RTSP/1.0\r\n"), Probe::no);
  EXPECT_EQ(probe(up, "OPTIONS sip:a SIP/2.0\r\n"), Probe::no);
  EXPECT_EQ(probe(up, "EHLO example.org\r\n"), Probe::no);
  EXPECT_EQ(probe(up, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Probe::no);
  EXPECT_EQ(probe(up, "\x16\x03\x01"), Probe::no);
  EXPECT_EQ(probe(down, "HTTP/1.1 200"), Probe::yes);
  EXPECT_EQ(probe(down, "HT"), Probe::more);
  EXPECT_EQ(probe(down, "SSH-2.0"), Probe::no);
}

}  // namespace
}  // namespace sekisho::app
