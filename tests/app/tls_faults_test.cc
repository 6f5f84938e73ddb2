// What an attacker or a broken peer sends: each has its event, and nothing stays opaque that nobody reads.
#include <gtest/gtest.h>

#include "dataplane/app/tls.h"
#include "tests/app/certificate_bytes.h"
#include "tests/app/tls_bytes.h"

namespace sekisho::app {
namespace {

Blob hello(const Blob& extensions) {
  return record(22, handshake(1, hello_body(0x0303, words({0x1301}), extensions)));
}
std::string event(const char* name) {
  return std::string("event tls.").append(name);
}
// Fed whole and byte by byte.
void expect_event(const std::vector<Piece>& pieces, const char* name, Fed fed = Fed::ok) {
  for (const std::size_t cut : {std::size_t{100000}, std::size_t{1}}) {
    Talk talk(kTlsEntry);
    talk.feed_cut(pieces, cut);
    EXPECT_TRUE(talk.host.has(event(name))) << name << "\n" << talk.host.all();
    EXPECT_EQ(talk.last, fed) << name;
    talk.close();
    EXPECT_EQ(talk.host.pool().in_use(), 0u);
  }
}
std::vector<Piece> established() {
  return {up(hello("")), down(record(22, handshake(2, server_body(0x0303, 1, ""))) + record(20, "\x01")),
          up(record(20, "\x01"))};
}
std::vector<Piece> then(std::vector<Piece> pieces, const Piece& more) {
  pieces.push_back(more);
  return pieces;
}

TEST(TlsFaults, AViolationRearmsBothDirections) {
  struct {
    const char* bytes;
    const char* name;
  } cases[] = {{"GET / HTTP/1.1\r\n", "invalid_record_type"},
               {"\x17\x02\x03\x01\x01.....", "invalid_record_version"},
               {"\x17\x03\x09\x01\x01.....", "invalid_record_version"},
               {"\x17\x03\x03\xff\xff.....", "invalid_record_length"}};
  for (const auto& c : cases)
    for (const std::size_t cut : {1u, 1000u}) {
      Talk talk(kTlsEntry);
      talk.feed_cut(then(established(), up(record(23, "data"))), cut);
      ASSERT_TRUE(talk.host.has("> opaque on") && talk.host.has("< opaque on"));
      talk.feed_cut({up(c.bytes)}, cut);
      EXPECT_EQ(talk.last, Fed::failed);
      EXPECT_TRUE(talk.host.has(event(c.name))) << talk.host.all();
      EXPECT_TRUE(talk.host.has("> opaque off"));
      EXPECT_TRUE(talk.host.has("< opaque off"));
    }
}

TEST(TlsFaults, WhatOnlyLooksLikeTlsIsNeverOpaque) {
  // Application data without hellos, without the server's, and before ChangeCipherSpec.
  for (const std::vector<Piece>& pieces :
       {std::vector<Piece>{down(record(23, "x")), up(record(23, "x"))},
        std::vector<Piece>{up(hello("") + record(20, "\x01") + record(23, "x"))},
        std::vector<Piece>{up(hello("")), down(record(22, handshake(2, server_body(0x0303, 1, "")))),
                           up(record(23, "attack"))},
        std::vector<Piece>{
            down(record(22, handshake(2, server_body(0x0303, 1, ""))) + record(20, "\x01"))}}) {
    Talk talk(kTlsEntry);
    talk.feed(pieces);
    EXPECT_FALSE(talk.host.has("> opaque on"));
    EXPECT_FALSE(talk.host.has("< opaque on"));
  }
  expect_event(
      {up(hello("")), down(record(22, handshake(2, server_body(0x0303, 1, "")))), up(record(23, "x"))},
      "invalid_ssl_record");
  expect_event({up(hello("") + record(20, "\x02"))}, "invalid_ssl_record");
}

TEST(TlsFaults, ServerName) {
  expect_event({up(hello(sni("a") + sni("b")))}, "multiple_sni_extensions");
  expect_event({up(hello(extension(0, with_length(be(1, 1) + with_length("a", 2), 2))))}, "invalid_sni_type");
  expect_event({up(hello(extension(0, with_length(be(0, 1) + be(9, 2) + "a", 2))))}, "invalid_sni_length");
  expect_event({up(hello(extension(0, be(9, 2) + "a")))}, "invalid_sni_length");
  expect_event({up(hello(sni(Blob(300, 'a'))))}, "invalid_sni_length");
  expect_event({up(hello(extension(16, with_length(be(9, 1) + "a", 2))))}, "invalid_alpn");
  expect_event({up(hello(extension(16, with_length(be(0, 1), 2))))}, "invalid_alpn");
}

TEST(TlsFaults, HelloWhoseLengthsLie) {
  const Blob good = hello_body(0x0303, words({1}), sni("a"));
  for (std::size_t n = 0; n < good.size(); ++n) {
    if (n == 41) continue;  // a hello without extensions
    expect_event({up(record(22, handshake(1, good.substr(0, n))))}, "invalid_handshake_message", Fed::failed);
  }
  expect_event({up(record(22, handshake(1, good + "x")))}, "handshake_invalid_length", Fed::failed);
  const Blob server = server_body(0x0303, 1, extension(1, "x"));
  for (std::size_t n = 0; n < server.size(); ++n) {
    if (n == 38) continue;
    expect_event({up(hello("")), down(record(22, handshake(2, server.substr(0, n))))},
                 "handshake_invalid_length", Fed::failed);
  }
}

TEST(TlsFaults, MessagesThatDoNotBelong) {
  expect_event({up(record(22, handshake(2, "x")))}, "invalid_handshake_message", Fed::failed);
  expect_event({down(record(22, handshake(1, "x")))}, "invalid_handshake_message", Fed::failed);
  expect_event({up(record(22, handshake(99, "x")))}, "invalid_handshake_message", Fed::failed);
  expect_event({up(record(22, ""))}, "invalid_tls_header");
}

TEST(TlsFaults, AMessageTooLongIsSkippedAndNotKept) {
  const Blob body(kMaxHandshakeMessage + 1, 'x');
  const Blob message = handshake(11, body) + handshake(14, "");
  std::vector<Piece> pieces{up(hello("")), down(record(22, handshake(2, server_body(0x0303, 1, ""))))};
  for (std::size_t at = 0; at < message.size(); at += 16000)
    pieces.push_back(down(record(22, message.substr(at, 16000))));
  pieces.push_back(down(record(20, "\x01")));
  for (const std::size_t cut : {1u, 1000u, 100000u}) {
    Talk talk(kTlsEntry);
    talk.feed_cut(pieces, cut);
    EXPECT_EQ(talk.host.count(event("handshake_invalid_length")), 1u);
    EXPECT_TRUE(talk.host.has("< opaque on")) << talk.host.all();
    EXPECT_LE(talk.host.pool().in_use(), 8192u);
  }
}

TEST(TlsFaults, MemoryFollowsTheBytesThatCame) {
  Talk talk(kTlsEntry);
  talk.feed(Direction::to_server,
            be(22, 1) + be(0x0301, 2) + be(16000, 2) + be(1, 1) + be(60000, 3) + "some");
  EXPECT_LE(talk.host.pool().in_use(), 1024u);
}

TEST(TlsFaults, AnEmptyPoolEndsInspectionInTheOpen) {
  Talk talk(kTlsEntry);
  talk.feed(established());
  std::vector<void*> all;
  for (std::size_t size = AppPool::kMaxBlock; size >= 64; size /= 2)
    while (void* p = talk.host.pool().allocate(size)) all.push_back(p);
  Talk other(kTlsEntry);
  while (other.host.pool().allocate(64) != nullptr) {
  }
  other.feed(Direction::to_server, hello(""));
  EXPECT_EQ(other.last, Fed::failed);
  EXPECT_FALSE(other.host.has("> opaque on"));
}

TEST(TlsFaults, Certificates) {
  const std::vector<Piece> start{up(hello("")), down(record(22, handshake(2, server_body(0x0303, 1, ""))))};
  const Blob inner("\x30\x06\x30\x84\xff\xff\xff\xfa\x04", 9), cut("\x30\x05\x30\x84\xff\xff\xff", 7);
  expect_event(then(start, down(record(22, certificate_message({inner})))), "invalid_certificate",
               Fed::failed);
  expect_event(then(start, down(record(22, certificate_message({cut})))), "certificate_invalid_length",
               Fed::failed);
  expect_event(then(start, down(record(22, certificate_message({cut})))), "invalid_handshake_message",
               Fed::failed);
  const Blob overrun = handshake(11, with_length(be(99, 3) + "x", 3));
  expect_event(then(start, down(record(22, overrun))), "invalid_certificate", Fed::failed);
  expect_event(then(start, down(record(22, handshake(11, be(99, 3))))), "handshake_invalid_length",
               Fed::failed);
  // None is allowed: a client that has no certificate.
  Talk talk(kTlsEntry);
  talk.feed(then(start, up(record(22, certificate_message({})))));
  EXPECT_EQ(talk.last, Fed::ok);
}

TEST(TlsFaults, Heartbeats) {
  const std::vector<Piece> start{up(hello("")), down(record(22, handshake(2, server_body(0x0303, 1, ""))))};
  const auto beat = [](unsigned type, unsigned payload, std::size_t rest) {
    return record(24, be(type, 1) + be(payload, 2) + Blob(rest, 'h'));
  };
  expect_event(then(start, up(beat(1, 16384, 0))), "overflow_heartbeat_message");
  expect_event(then(start, up(beat(1, 20, 20))), "invalid_heartbeat_message");  // no padding
  expect_event(then(start, up(beat(7, 1, 17))), "invalid_heartbeat_message");
  expect_event(then(start, up(record(24, "x"))), "invalid_heartbeat_message");
  Talk fine(kTlsEntry);
  fine.feed(then(then(start, up(beat(1, 4, 20))), down(beat(2, 4, 20))));
  EXPECT_EQ(fine.host.count(event("heartbeat_message")), 2u);
  EXPECT_FALSE(fine.host.has(event("invalid_heartbeat_message")));
  // Encrypted: a short request, a long answer.
  const auto secret = then(then(established(), up(beat(1, 0, 40))), down(beat(9, 0, 4000)));
  expect_event(secret, "dataleak_heartbeat_mismatch");
  Talk same(kTlsEntry);
  same.feed(then(then(established(), up(beat(1, 0, 40))), down(beat(9, 0, 40))));
  EXPECT_FALSE(same.host.has(event("dataleak_heartbeat_mismatch")));
}

TEST(TlsFaults, Sslv2) {
  const Blob lying = be(1, 1) + be(2, 2) + be(3, 2) + be(0, 2) + be(99, 2) + "abc";
  expect_event({up(be(0x8000 | lying.size(), 2) + lying)}, "invalid_sslv2_header", Fed::failed);
  expect_event({up(be(0x8002, 2) + Blob("\x01\x00\x02", 3))}, "invalid_sslv2_header", Fed::failed);
  const Blob body = be(1, 1) + be(2, 2) + be(3, 2) + be(0, 2) + be(0, 2) + "abc";
  const Blob good = be(0x8000 | body.size(), 2) + body;
  expect_event({up(good + be(0x8003, 2) + Blob("\x00\x00\x01", 3))}, "error_message_encountered");
  expect_event({up(good + be(0x8003, 2) + Blob("\x55\x00\x01", 3))}, "invalid_sslv2_header", Fed::failed);
}

TEST(TlsFaults, TooManyRecordsInAPacket) {
  Blob many;
  for (unsigned i = 0; i <= kMaxRecordsAFeed; ++i) many += record(21, "");
  Talk talk(kTlsEntry);
  talk.feed(Direction::to_server, many);
  EXPECT_EQ(talk.host.count(event("too_many_records_in_packet")), 1u);
}

TEST(TlsFaults, Gaps) {
  Talk talk(kTlsEntry);
  talk.feed(established());
  talk.feed(Direction::to_server, record(23, Blob(1000, 'x')).substr(0, 100));
  EXPECT_TRUE(talk.parser->gap(Direction::to_server, 900, talk.host));
  EXPECT_FALSE(talk.host.has("> opaque off"));
  EXPECT_FALSE(talk.parser->gap(Direction::to_server, 900, talk.host));
  EXPECT_TRUE(talk.host.has("> opaque off"));
}

TEST(TlsFaults, ClosedInTheMiddle) {
  Talk talk(kTlsEntry);
  talk.feed(Direction::to_server, hello(sni("x.example")));
  talk.feed(Direction::to_server, "", true);
  talk.feed(Direction::to_client, "", true);
  EXPECT_TRUE(talk.host.has("0> finish"));
  EXPECT_TRUE(talk.host.has("0< finish"));
  EXPECT_EQ(talk.host.pool().in_use(), AppPool::rounded(sizeof(TlsParser)));
}

}  // namespace
}  // namespace sekisho::app
