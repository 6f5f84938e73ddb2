#include <gtest/gtest.h>

#include "tests/app/dns_bytes.h"

namespace sekisho::app {
namespace {

std::string events(Direction d, const Blob& message) {
  std::string out;
  Datagrams talk;
  talk.send(d, message);
  EXPECT_EQ(talk.last, Fed::ok);
  for (const std::string& line : talk.host.lines)
    if (line.starts_with("event dns.")) out.append(out.empty() ? "" : " ").append(line.substr(10));
  talk.close();
  EXPECT_EQ(talk.host.pool().in_use(), 0u);
  return out;
}
std::string up_events(const Blob& message) {
  return events(Direction::to_server, message);
}
std::string down_events(const Blob& message) {
  return events(Direction::to_client, message);
}

TEST(DnsFaults, Header) {
  EXPECT_EQ(up_events(dns_query("a")), "");
  EXPECT_EQ(up_events("short"), "malformed_data");
  EXPECT_EQ(up_events(dns_response()), "not_a_request");
  EXPECT_EQ(down_events(dns_query("a")), "not_a_response");
  EXPECT_EQ(up_events(dns_header(0x0140, 1) + question(dns_name("a"))), "z_flag_set");
  EXPECT_EQ(up_events(dns_header(0x3800, 1) + question(dns_name("a"))), "invalid_opcode");
}

TEST(DnsFaults, Names) {
  const auto named = [](const Blob& name) { return dns_header(0x0100, 1) + question(name); };
  EXPECT_EQ(up_events(named(pointer(12))), "infinite_loop");
  EXPECT_EQ(up_events(named("\x01"
                            "a" +
                            pointer(12))),
            "infinite_loop");
  EXPECT_EQ(up_events(named("\x01"
                            "a" +
                            pointer(40))),
            "malformed_data");                                // forward
  EXPECT_EQ(up_events(named(pointer(3))), "malformed_data");  // into the header
  EXPECT_EQ(up_events(named(Blob("\x41"
                                 "a\0",
                                 3))),
            "malformed_data");  // no such label type
  EXPECT_EQ(up_events(dns_header(0, 1) + "\x3f"
                                         "abc"),
            "malformed_data");
  std::string longest = std::string(63, 'a').append(".").append(63, 'b').append(".").append(63, 'c');
  EXPECT_EQ(up_events(named(dns_name(std::string(longest).append(".").append(61, 'd')))), "");
  EXPECT_EQ(up_events(named(dns_name(std::string(longest).append(".").append(63, 'd')))), "name_too_long");
  std::string labels;
  for (int i = 0; i < 128; ++i) labels.append("a.");
  EXPECT_EQ(up_events(named(dns_name(labels))), "name_too_long too_many_labels");
}

TEST(DnsFaults, TwoPointersInACircle) {
  // The second question points into the first's name, which points behind itself.
  const Blob first =
      "\x01"
      "a" +
      pointer(18) + words({1, 1});
  EXPECT_EQ(up_events(dns_header(0, 2) + first + pointer(12) + words({1, 1})), "malformed_data");
}

TEST(DnsFaults, CountsThatLie) {
  EXPECT_EQ(up_events(dns_header(0x0100, 2) + question(dns_name("a"))), "malformed_data");
  EXPECT_EQ(up_events(dns_header(0x0100, 65535) + question(dns_name("a"))), "malformed_data");
  EXPECT_EQ(up_events(dns_query("a") + "trailing"), "malformed_data");
  EXPECT_EQ(down_events(dns_header(0x8180, 1, 9) + question(dns_name("a"))), "malformed_data");
  EXPECT_EQ(down_events(dns_header(0x8180, 1, 0, 9) + question(dns_name("a"))), "invalid_authorities");
  EXPECT_EQ(down_events(dns_header(0x8180, 1, 0, 0, 9) + question(dns_name("a"))), "invalid_additionals");
  EXPECT_EQ(down_events(dns_header(0x8180, 0, 1) + dns_name("a") + words({1, 1, 0, 0, 400}) + "x"),
            "malformed_data");
}

TEST(DnsFaults, WhatCouldBeReadIsInspected) {
  Datagrams talk;
  talk.send(Direction::to_server, dns_header(0x0100, 3) + question(dns_name("seen.example")) + pointer(99));
  EXPECT_TRUE(talk.host.has("0> dns.query seen.example"));
  EXPECT_TRUE(talk.host.has("event dns.malformed_data"));
}

TEST(DnsFaults, EveryTruncationAndEveryChangedByteIsSurvived) {
  const Blob good = dns_response();
  for (std::size_t n = 1; n < good.size(); ++n) EXPECT_NE(down_events(good.substr(0, n)), "") << n;
  for (std::size_t i = 0; i < good.size(); ++i)
    for (unsigned value = 0; value < 256; value += 5) {
      Blob bad = good;
      bad[i] = static_cast<char>(value);
      down_events(bad);
    }
}

// 64 KiB of questions that all point at one long name.
TEST(DnsFaults, ExpansionIsBounded) {
  Blob message =
      dns_header(0x0100, 10000) + question(dns_name(std::string(63, 'a').append(".").append(63, 'b')));
  for (int i = 0; i < 9999; ++i) message += question(pointer(12));
  Talk talk(kDnsTcpEntry);
  talk.feed(Direction::to_server, with_length(message, 2));
  EXPECT_TRUE(talk.host.has("event dns.malformed_data"));
  std::size_t queries = 0;
  for (const std::string& line : talk.host.lines) queries += line.starts_with("0> dns.query ");
  EXPECT_GT(queries, 100u);
  EXPECT_LE(queries, kMaxSideBuffers);
}

TEST(DnsFaults, Flooded) {
  Datagrams talk;
  for (unsigned i = 0; i < kMaxOutstanding; ++i) talk.send(Direction::to_server, dns_query("a"));
  EXPECT_FALSE(talk.host.has("event dns.flooded"));
  for (unsigned i = 0; i < 3; ++i) talk.send(Direction::to_server, dns_query("a"));
  EXPECT_EQ(talk.host.count("event dns.flooded"), 1u);
  talk.send(Direction::to_client, dns_response());
  for (unsigned i = 0; i <= kMaxOutstanding; ++i) talk.send(Direction::to_server, dns_query("a"));
  EXPECT_EQ(talk.host.count("event dns.flooded"), 2u);
}

TEST(DnsFaults, Streams) {
  Talk talk(kDnsTcpEntry);
  talk.feed(Direction::to_server,
            with_length("", 2) + with_length("tiny", 2) + with_length(dns_query("a"), 2));
  EXPECT_EQ(talk.host.count("event dns.malformed_data"), 2u);
  EXPECT_TRUE(talk.host.has("0> dns.query a"));
  talk.feed(Direction::to_server, with_length(dns_query("b"), 2).substr(0, 9), true);
  EXPECT_EQ(talk.host.count("event dns.malformed_data"), 3u);
  EXPECT_FALSE(talk.parser->gap(Direction::to_server, 5, talk.host));
  // A length alone takes no memory worth naming.
  Talk greedy(kDnsTcpEntry);
  greedy.feed(Direction::to_server, be(65535, 2) + "x");
  EXPECT_LE(greedy.host.pool().in_use(), 1024u);
}

}  // namespace
}  // namespace sekisho::app
