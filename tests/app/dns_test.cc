#include "dataplane/app/dns.h"

#include <gtest/gtest.h>

#include "tests/app/dns_bytes.h"

namespace sekisho::app {
namespace {

TEST(Dns, QueryAndResponseAreTransactionsOfTheirOwn) {
  Datagrams talk;
  talk.send(Direction::to_server, dns_query("WWW.example.org", 28));
  talk.send(Direction::to_client, dns_response());
  RecordingHost& host = talk.host;
  EXPECT_TRUE(host.has("0> dns.query WWW.example.org")) << host.all();
  EXPECT_TRUE(host.has("0> dns.queries.rrname WWW.example.org"));
  EXPECT_TRUE(host.has("0> finish") && host.has("0< finish"));
  EXPECT_FALSE(host.has("1< dns.query WWW.example.org"));
  EXPECT_TRUE(host.has("1< dns.queries.rrname WWW.example.org"));
  EXPECT_EQ(host.count("1< dns.answer.name WWW.example.org"), 2u);
  EXPECT_EQ(host.count("1< dns.answer.name cdn.example.org"), 1u);
  EXPECT_EQ(host.count("1< dns.response.rrname cdn.example.org"), 2u);  // CNAME's data and an owner
  EXPECT_TRUE(host.has("1< dns.response.rrname ns.example.net"));
  for (const std::string& line : host.lines) EXPECT_EQ(line.find("event"), std::string::npos) << line;
  EXPECT_EQ(host.pool().in_use(), AppPool::rounded(sizeof(DnsParser)));
}

TEST(Dns, EachQuestionIsABuffer) {
  Datagrams talk;
  talk.send(Direction::to_server, dns_header(0x0100, 3) + question(dns_name("a")) +
                                      question(dns_name("b.c")) + question(Blob(1, '\0')));
  EXPECT_TRUE(talk.host.has("0> dns.query a"));
  EXPECT_TRUE(talk.host.has("0> dns.query b.c"));
  EXPECT_TRUE(talk.host.has("0> dns.query"));  // the root
}

TEST(Dns, NamesAreRawBytes) {
  Datagrams talk;
  talk.send(Direction::to_server, dns_header(0, 1) + question(Blob("\x04"
                                                                   "a\0.\xff"
                                                                   "\x02"
                                                                   "xY",
                                                                   8) +
                                                              Blob(1, '\0')));
  EXPECT_TRUE(talk.host.has("0> dns.query a\\x00.\\xff.xY")) << talk.host.all();
}

TEST(Dns, Log) {
  Datagrams talk(true);
  talk.send(Direction::to_server, dns_query("a.example", 65));
  talk.send(Direction::to_client, dns_response());
  EXPECT_TRUE(talk.host.has("log dns type=query id=4660 rrname=a.example rrtype=HTTPS")) << talk.host.all();
  EXPECT_TRUE(talk.host.has(
      "log dns type=answer id=4660 rrname=WWW.example.org rrtype=A answers=cdn.example.org answers=1.2.3.4 "
      "answers=2001:0db8:0000:0000:0000:0000:0000:0001 rcode=NOERROR"))
      << talk.host.all();
}

TEST(Dns, LogOfOtherData) {
  Datagrams talk(true);
  talk.send(Direction::to_client, dns_header(0x8183, 0, 5) +
                                      rr(dns_name("x"), 16, with_length("v=1", 1) + with_length(";p", 1)) +
                                      rr(dns_name("x"), 15, be(10, 2) + dns_name("mx.x")) +
                                      rr(dns_name("x"), 33, words({1, 2, 3}) + dns_name("srv.x")) +
                                      rr(dns_name("x"), 1, "bad") + rr(dns_name("x"), 65280, "???"));
  EXPECT_TRUE(
      talk.host.has("log dns type=answer id=4660 answers=v=1;p answers=mx.x answers=srv.x rcode=NXDOMAIN"))
      << talk.host.all();
}

TEST(Dns, LogHoldsAtMostThirtyTwoAnswers) {
  Blob many = dns_header(0x8180, 0, 100);
  for (int i = 0; i < 100; ++i) many += rr(dns_name("x"), 1, "\x01\x02\x03\x04");
  Datagrams talk(true);
  talk.send(Direction::to_client, many);
  std::size_t answers = 0;
  for (const std::string& line : talk.host.lines)
    for (std::size_t at = 0; (at = line.find("answers=", at)) != std::string::npos; ++at) ++answers;
  EXPECT_EQ(answers, kMaxLogged);
}

TEST(Dns, DatagramsAreGivenBack) {
  const std::vector<Piece> pieces{up(dns_query("one.example")), down(dns_response()), up("short")};
  expect_given_back(kDnsUdpEntry, turns(pieces), true);
}

TEST(Dns, OverTcpInAnySegmentation) {
  std::vector<Piece> pieces{
      up(with_length(dns_query("one.example"), 2) + with_length(dns_query("two.example"), 2)),
      down(with_length(dns_response(), 2) + with_length(dns_response(), 2)),
      up(with_length(dns_query("three.example"), 2))};
  expect_given_back(kDnsTcpEntry, turns(pieces));
  const std::string whole = lines_of(kDnsTcpEntry, pieces, [&](Talk& t) { t.feed(pieces); });
  EXPECT_NE(whole.find("1> dns.query two.example"), std::string::npos) << whole;
  EXPECT_NE(whole.find("3< dns.answer.name cdn.example.org"), std::string::npos);
  EXPECT_EQ(whole.find("event"), std::string::npos);
  std::mt19937 random(3);
  for (std::size_t size = 1; size < 60; ++size)
    EXPECT_EQ(whole, lines_of(kDnsTcpEntry, pieces, [&](Talk& t) { t.feed_cut(pieces, size); })) << size;
  for (int i = 0; i < 300; ++i)
    EXPECT_EQ(whole, lines_of(kDnsTcpEntry, pieces, [&](Talk& t) { t.feed_random(pieces, random); }));
}

TEST(Dns, ProbeOfDatagrams) {
  const auto probe = [](const Blob& b, std::uint16_t port) {
    return kDnsUdpEntry.probe(Direction::to_server, view(b), port);
  };
  EXPECT_EQ(probe(dns_query("a.example"), 53), Probe::yes);
  EXPECT_EQ(probe(dns_query("a.example"), 9999), Probe::yes);
  EXPECT_EQ(probe(dns_response(), 9999), Probe::yes);
  EXPECT_EQ(probe(dns_query("a.example") + "x", 9999), Probe::no);
  EXPECT_EQ(probe(dns_query("a.example") + "x", 53), Probe::yes);
  EXPECT_EQ(probe(dns_query("a.local"), 5353), Probe::no);
  EXPECT_EQ(probe(dns_query("a"), 137), Probe::no);
  EXPECT_EQ(probe(Blob(40, '\0'), 53), Probe::no);
  EXPECT_EQ(probe("short", 53), Probe::no);
  EXPECT_EQ(probe(dns_header(0x4800, 1) + question(dns_name("a")), 53), Probe::yes);  // opcode 9
  EXPECT_EQ(probe(dns_header(0x4800, 1) + question(dns_name("a")), 9999), Probe::no);
  // Noise is not taken for it.
  std::mt19937 random(11);
  unsigned taken = 0;
  for (int i = 0; i < 20000; ++i) {
    Blob noise(12 + random() % 60, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    taken += probe(noise, 9999) == Probe::yes;
  }
  EXPECT_EQ(taken, 0u);
}

TEST(Dns, ProbeOfStreams) {
  const auto probe = [](const Blob& b, std::uint16_t port) {
    return kDnsTcpEntry.probe(Direction::to_server, view(b), port);
  };
  const Blob good = with_length(dns_query("a.example"), 2);
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_EQ(probe(good.substr(0, n), 9999), Probe::more) << n;
  EXPECT_EQ(probe(good, 9999), Probe::yes);
  EXPECT_EQ(probe(good + good, 9999), Probe::yes);
  EXPECT_EQ(probe("GET /index.html HTTP/1.1\r\n", 9999), Probe::no);
  EXPECT_EQ(probe(Blob("\0\1x", 3), 53), Probe::no);
  EXPECT_EQ(probe(Blob("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
                       "aaaaaaaa",
                       19),
                  443),
            Probe::no);
}

}  // namespace
}  // namespace sekisho::app
