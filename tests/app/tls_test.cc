#include "dataplane/app/tls.h"

#include <gtest/gtest.h>

#include "tests/app/certificate_bytes.h"
#include "tests/app/tls_bytes.h"

namespace sekisho::app {
namespace {

const Blob kCertificate = from_hex(kCertificateHex);
const char kSubject[] =
    "C=US, ST=Some State, L=Town, O=Ex\\xc3\\xa4mple, Inc., OU=a + OU=b, CN=host.example, Email=x@example";

Blob client_hello(const Blob& extensions = "") {
  return handshake(
      1,
      hello_body(0x0303, words({0x1301, 0xc02f}),
                 sni("Host.Example") +
                     extension(16, with_length(with_length("h2", 1) + with_length("x", 1), 2)) + extensions));
}

std::vector<Piece> tls12() {
  const Blob flight = handshake(2, server_body(0x0303, 0xc02f, extension(0xff01, Blob(1, '\0')))) +
                      certificate_message({kCertificate, kCertificate}) + handshake(12, "key") +
                      handshake(14, "");
  // The flight in records that cut the messages anywhere.
  Blob records;
  for (std::size_t at = 0; at < flight.size(); at += 333) records += record(22, flight.substr(at, 333));
  return {up(record(22, client_hello(), 0x0301)),
          down(records),
          up(record(22, handshake(16, "exchange")) + record(20, "\x01") + record(22, Blob(40, '\xee'))),
          down(record(20, "\x01") + record(22, Blob(40, '\xdd'))),
          up(record(23, Blob(2000, 'a'))),
          down(record(23, Blob(3000, 'b')) + record(21, Blob(32, 'c')))};
}

std::vector<Piece> tls13() {
  const Blob versions = extension(43, with_length(words({0x0304, 0x0303}), 1));
  return {up(record(22, client_hello(versions), 0x0301)),
          down(record(22, handshake(2, server_body(0x0303, 0x1301, extension(43, be(0x0304, 2))))) +
               record(20, "\x01") + record(23, Blob(900, 'e'))),
          up(record(20, "\x01") + record(23, Blob(70, 'f'))), down(record(23, Blob(100, 'g')))};
}

TEST(Tls, Handshake12) {
  Talk talk(kTlsEntry);
  talk.feed(tls12());
  const RecordingHost& host = talk.host;
  EXPECT_TRUE(host.has("0> tls.sni Host.Example")) << host.all();
  EXPECT_TRUE(host.has("0> tls.version TLS 1.2"));
  EXPECT_TRUE(host.has("0> tls.alpn h2"));
  EXPECT_TRUE(host.has("0> tls.alpn x"));
  EXPECT_TRUE(host.has("0> ja3.string 771,4865-49199,0-16,,"));
  EXPECT_TRUE(host.has("0< tls.version TLS 1.2"));
  EXPECT_TRUE(host.has("0< ja3s.string 771,49199,65281"));
  EXPECT_TRUE(host.has(std::string("0< tls.cert_subject ").append(kSubject)));
  EXPECT_TRUE(host.has(std::string("0< tls.cert_issuer ").append(kSubject)));
  EXPECT_TRUE(host.has("0< tls.cert_serial 00:AB:12:CD:34"));
  EXPECT_TRUE(
      host.has("0< tls.cert_fingerprint 4b:93:9c:be:7f:20:52:41:58:f0:dc:35:27:18:f9:2c:c2:88:b2:ac"));
  EXPECT_TRUE(host.has("0< tls.subjectaltname www.host.example"));
  EXPECT_EQ(host.count("0< tls.certs " + RecordingHost::printable(view(kCertificate))), 2u);
  EXPECT_TRUE(host.has("> opaque on"));
  EXPECT_TRUE(host.has("< opaque on"));
  EXPECT_TRUE(host.has("0> finish"));
  EXPECT_TRUE(host.has("0< finish"));
  EXPECT_EQ(talk.facts.tls_version, 0x0303);
  EXPECT_EQ(talk.facts.ssl_state, abi::kSslClientHello | abi::kSslServerHello | abi::kSslClientKeyExchange |
                                      abi::kSslServerKeyExchange | abi::kSslUnknown);
  for (const std::string& line : host.lines) EXPECT_EQ(line.find("event"), std::string::npos) << line;
}

TEST(Tls, AnEstablishedFlowKeepsOnlyItsParser) {
  Talk talk(kTlsEntry);
  talk.feed_cut(tls12(), 7);
  EXPECT_EQ(talk.host.pool().in_use(), AppPool::rounded(sizeof(TlsParser)));
  EXPECT_LE(talk.host.pool().in_use(), 224u);
  talk.close();
  EXPECT_EQ(talk.host.pool().in_use(), 0u);
}

TEST(Tls, Handshake13) {
  Talk talk(kTlsEntry);
  talk.feed(tls13());
  const RecordingHost& host = talk.host;
  EXPECT_TRUE(host.has("0> tls.version TLS 1.3")) << host.all();
  EXPECT_TRUE(host.has("0< tls.version TLS 1.3"));
  EXPECT_TRUE(host.has("> opaque on"));
  EXPECT_TRUE(host.has("< opaque on"));
  EXPECT_EQ(talk.facts.tls_version, 0x0304);
  EXPECT_EQ(host.count("0> finish"), 1u);
}

TEST(Tls, EarlyDataIsNotOpaqueBeforeTheServersHello) {
  Talk talk(kTlsEntry);
  const auto pieces = tls13();
  talk.feed(Direction::to_server, pieces[0].bytes + record(20, "\x01") + record(23, "early"));
  EXPECT_FALSE(talk.host.has("> opaque on"));
  talk.feed(pieces[1].direction, pieces[1].bytes);
  talk.feed(Direction::to_server, record(23, "more"));
  EXPECT_TRUE(talk.host.has("> opaque on"));
}

TEST(Tls, HelloRetry) {
  const Blob versions = extension(43, with_length(words({0x0304}), 1));
  const Blob magic = from_hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");
  const Blob retry = be(0x0303, 2) + magic + with_length("", 1) + be(0x1301, 2) + Blob(1, '\0') +
                     with_length(extension(43, be(0x0304, 2)), 2);
  const Blob other = handshake(1, hello_body(0x0303, words({0x1301}), sni("other.example") + versions));
  Talk talk(kTlsEntry);
  talk.feed(Direction::to_server, record(22, client_hello(versions)));
  talk.feed(Direction::to_client, record(22, handshake(2, retry)) + record(20, "\x01"));
  talk.feed(Direction::to_server, record(20, "\x01") + record(22, other));
  EXPECT_TRUE(talk.host.has("0> tls.sni other.example")) << talk.host.all();
  EXPECT_FALSE(talk.host.has("> opaque on"));
  talk.feed(tls13()[1].direction, tls13()[1].bytes);
  EXPECT_TRUE(talk.host.has("< opaque on"));
  EXPECT_EQ(talk.host.count("0< ja3s.string 771,4865,43"), 1u);
}

TEST(Tls, ResumedSession) {
  Talk talk(kTlsEntry, true);
  talk.feed(Direction::to_server, record(22, client_hello()));
  talk.feed(Direction::to_client, record(22, handshake(2, server_body(0x0303, 0xc02f, ""))) +
                                      record(20, "\x01") + record(22, Blob(40, 'x')));
  EXPECT_TRUE(talk.host.has("< opaque on"));
  EXPECT_FALSE(talk.host.has("> opaque on"));
  talk.feed(Direction::to_server, record(20, "\x01") + record(22, Blob(40, 'x')));
  EXPECT_TRUE(talk.host.has("> opaque on"));
}

TEST(Tls, ClientCertificate) {
  Talk talk(kTlsEntry);
  talk.feed(Direction::to_server, record(22, client_hello()));
  talk.feed(Direction::to_client, record(22, handshake(2, server_body(0x0303, 0xc02f, "")) +
                                                 handshake(13, "r") + handshake(14, "")));
  talk.feed(Direction::to_server, record(22, certificate_message({kCertificate})));
  EXPECT_TRUE(talk.host.has("0> tls.cert_serial 00:AB:12:CD:34"));
  EXPECT_FALSE(talk.host.has("0< tls.cert_serial 00:AB:12:CD:34"));
}

TEST(Tls, Log) {
  Talk talk(kTlsEntry, true);
  talk.feed(tls12());
  std::size_t found = 0;
  for (const std::string& line : talk.host.lines)
    if (line.starts_with("log tls sni=Host.Example version=TLS 1.2 subject=C=US")) {
      ++found;
      EXPECT_NE(line.find("notbefore=2026-11-23T13:42:02 notafter=2036-11-20T13:42:02 ja3="),
                std::string::npos);
      EXPECT_NE(line.find(" ja4=t12d0202h2_"), std::string::npos) << line;
    }
  EXPECT_EQ(found, 1u);
}

Blob v2_hello(unsigned version) {
  const Blob body = be(1, 1) + be(version, 2) + be(3, 2) + be(0, 2) + be(16, 2) + "abc" + Blob(16, 'c');
  return be(0x8000 | body.size(), 2) + body;
}

TEST(Tls, Sslv2HelloThenRecords) {
  auto pieces = tls12();
  pieces[0].bytes = v2_hello(0x0303);
  Talk talk(kTlsEntry);
  talk.feed(pieces);
  EXPECT_TRUE(talk.host.has("0> tls.version TLS 1.2")) << talk.host.all();
  EXPECT_TRUE(talk.host.has("0< tls.cert_serial 00:AB:12:CD:34"));
  EXPECT_TRUE(talk.host.has("> opaque on"));
}

std::vector<Piece> sslv2() {
  const Blob hello = be(4, 1) + be(0, 1) + be(1, 1) + be(2, 2) + be(kCertificate.size(), 2) + be(3, 2) +
                     be(16, 2) + kCertificate + "abc" + Blob(16, 'i');
  const Blob key = be(2, 1) + Blob(20, 'k');
  return {up(v2_hello(2)), down(be(0x8000 | hello.size(), 2) + hello),
          up(be(0x8000 | key.size(), 2) + key + be(0x8000 | 30, 2) + Blob(30, 'z')),
          down(be(40, 2) + be(3, 1) + Blob(40, 'z'))};
}

TEST(Tls, Sslv2Only) {
  Talk talk(kTlsEntry);
  talk.feed(sslv2());
  EXPECT_EQ(talk.last, Fed::ok);
  EXPECT_TRUE(talk.host.has("0> tls.version SSLv2")) << talk.host.all();
  EXPECT_TRUE(talk.host.has("0< tls.cert_serial 00:AB:12:CD:34"));
  EXPECT_TRUE(talk.host.has("> opaque on"));
  EXPECT_TRUE(talk.host.has("< opaque on"));
  EXPECT_EQ(talk.facts.tls_version, 0x0200);
}

TEST(Tls, AnySegmentationGivesTheSameLines) {
  std::mt19937 random(7);
  for (const auto& pieces : {tls12(), tls13(), sslv2()}) {
    expect_given_back(kTlsEntry, turns(pieces));
    const std::string whole = lines_of(kTlsEntry, pieces, [&](Talk& t) { t.feed(pieces); });
    for (std::size_t size = 1; size < 40; ++size)
      EXPECT_EQ(whole, lines_of(kTlsEntry, pieces, [&](Talk& t) { t.feed_cut(pieces, size); })) << size;
    for (int i = 0; i < 200; ++i)
      EXPECT_EQ(whole, lines_of(kTlsEntry, pieces, [&](Talk& t) { t.feed_random(pieces, random); }));
    // In two, at every byte.
    for (std::size_t p = 0; p < pieces.size(); ++p)
      for (std::size_t cut = 1; cut < pieces[p].bytes.size(); ++cut) {
        auto parts = pieces;
        parts[p].bytes.resize(cut);
        parts.insert(parts.begin() + static_cast<std::ptrdiff_t>(p) + 1,
                     {pieces[p].direction, pieces[p].bytes.substr(cut)});
        ASSERT_EQ(whole, lines_of(kTlsEntry, parts, [&](Talk& t) { t.feed(parts); })) << p << " " << cut;
      }
  }
}

TEST(Tls, Probe) {
  const auto probe = [](Direction d, const Blob& b) { return kTlsEntry.probe(d, view(b), 443); };
  const Blob hello = record(22, client_hello());
  for (std::size_t n = 0; n < 6; ++n)
    EXPECT_EQ(probe(Direction::to_server, hello.substr(0, n)), Probe::more) << n;
  EXPECT_EQ(probe(Direction::to_server, hello.substr(0, 6)), Probe::yes);
  EXPECT_EQ(probe(Direction::to_client, hello), Probe::no);
  EXPECT_EQ(probe(Direction::to_client, record(22, handshake(2, "x"))), Probe::yes);
  EXPECT_EQ(probe(Direction::to_client, record(21, "\x02\x28")), Probe::yes);
  EXPECT_EQ(probe(Direction::to_server, v2_hello(2)), Probe::yes);
  EXPECT_EQ(probe(Direction::to_server, v2_hello(0x0301)), Probe::yes);
  EXPECT_EQ(probe(Direction::to_client, sslv2()[1].bytes), Probe::yes);
  for (const char* text : {"GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "\x16\x02\x01\x01\x01\x01\x01",
                           "\x16\x03\x09\x01\x01\x01\x01", "\xff\xff\xff\xff\xff\xff\xff"})
    EXPECT_EQ(probe(Direction::to_server, text), Probe::no) << text;
}

}  // namespace
}  // namespace sekisho::app
