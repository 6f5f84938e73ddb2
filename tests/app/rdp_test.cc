#include "dataplane/app/rdp.h"

#include <gtest/gtest.h>

#include "tests/app/tls_bytes.h"

namespace sekisho::app {
namespace {

Blob le(std::size_t value, unsigned width) {
  Blob out = be(value, width);
  return {out.rbegin(), out.rend()};
}
Blob tpkt(const Blob& x224) {
  return be(3, 1) + be(0, 1) + be(x224.size() + 4, 2) + x224;
}
Blob connect(unsigned code, const Blob& rest) {
  return tpkt(be(6 + rest.size(), 1) + be(code, 1) + Blob(5, '\0') + rest);
}
Blob negotiation(unsigned type, unsigned value) {
  return be(type, 1) + be(0, 1) + le(8, 2) + le(value, 4);
}
Blob data(const Blob& mcs) {
  return tpkt(Blob("\x02\xf0\x80", 3) + mcs);
}
const Blob kRequest = connect(0xe0, Blob("Cookie: mstshash=alice\r\n") + negotiation(1, 3));

Blob connect_initial() {
  const Blob core =
      le(0xc001, 2) + le(216, 2) + le(0x00080004, 4) + Blob(8, 'w') + le(0x409, 4) + Blob(196, 'n');
  return data(Blob("\x7f\x65") + Blob(40, 'b') + "Duca\x81\x0c" + le(0xc003, 2) + le(12, 2) + Blob(8, 'x') +
              core);
}
Blob send_data(unsigned flags) {
  return data(Blob("\x64") + be(1, 2) + be(1003, 2) + "\x70" + "\x08" + le(flags, 2) + "123456");
}

std::vector<Piece> to_tls() {
  return {up(kRequest), down(connect(0xd0, negotiation(2, 1)))};
}
std::vector<Piece> standard() {
  return {up(kRequest),
          down(connect(0xd0, negotiation(2, 0))),
          up(connect_initial()),
          down(data("\x7f\x66response")),
          up(data("\x04join") + send_data(0x40) + send_data(1)),
          up("\x00\x10"
             "fast path")};
}

TEST(Rdp, SelectsTls) {
  Talk talk(kRdpEntry, true);
  talk.feed(to_tls());
  EXPECT_TRUE(talk.host.has("0> rdp.cookie alice")) << talk.host.all();
  EXPECT_TRUE(talk.host.has("change tls"));
  EXPECT_TRUE(talk.host.has("0> finish") && talk.host.has("0< finish"));
  EXPECT_TRUE(
      talk.host.has("log rdp cookie=alice requested_protocols=0x00000003 selected_protocol=0x00000001"));
  EXPECT_EQ(talk.host.pool().in_use(), AppPool::rounded(sizeof(RdpParser)));
}

TEST(Rdp, SaysWhereTheNextProtocolBegins) {
  Talk talk(kRdpEntry);
  talk.feed(Direction::to_server, kRequest);
  talk.feed(Direction::to_client, connect(0xd0, negotiation(2, 2)) + "12345");
  EXPECT_TRUE(talk.host.has("change tls"));
  EXPECT_EQ(talk.parser->left_over(), 5u);
}

TEST(Rdp, StandardSecurity) {
  Talk talk(kRdpEntry, true);
  talk.feed(standard());
  EXPECT_EQ(talk.last, Fed::ok);
  EXPECT_FALSE(talk.host.has("change tls"));
  EXPECT_TRUE(talk.host.has("> bypass") && talk.host.has("< bypass"));
  EXPECT_FALSE(talk.host.has("> opaque on"));
  EXPECT_TRUE(
      talk.host.has("log rdp cookie=alice requested_protocols=0x00000003 selected_protocol=0x00000000 "
                    "client_version=0x00080004 keyboard_layout=0x00000409"))
      << talk.host.all();
}

TEST(Rdp, WithoutNegotiationAndRefused) {
  Talk old(kRdpEntry, true);
  old.feed({up(connect(0xe0, "")), down(connect(0xd0, ""))});
  EXPECT_EQ(old.last, Fed::ok);
  EXPECT_FALSE(old.host.has("change tls"));
  Talk refused(kRdpEntry, true);
  refused.feed({up(kRequest), down(connect(0xd0, negotiation(3, 5)))});
  refused.feed(Direction::to_server, "", true);
  EXPECT_TRUE(
      refused.host.has("log rdp cookie=alice requested_protocols=0x00000003 selected_protocol=0x00000000 "
                       "failure_code=0x00000005"))
      << refused.host.all();
}

TEST(Rdp, AnySegmentationGivesTheSameLines) {
  std::mt19937 random(9);
  for (const auto& pieces : {to_tls(), standard()}) {
    expect_given_back(kRdpEntry, turns(pieces));
    const std::string whole = lines_of(kRdpEntry, pieces, [&](Talk& t) { t.feed(pieces); });
    for (std::size_t size = 1; size < 40; ++size)
      EXPECT_EQ(whole, lines_of(kRdpEntry, pieces, [&](Talk& t) { t.feed_cut(pieces, size); })) << size;
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(whole, lines_of(kRdpEntry, pieces, [&](Talk& t) { t.feed_random(pieces, random); }));
  }
}

TEST(Rdp, Faults) {
  const auto fails = [](const std::vector<Piece>& pieces) {
    Talk talk(kRdpEntry);
    talk.feed(pieces);
    const bool failed = talk.last == Fed::failed;
    talk.close();
    EXPECT_EQ(talk.host.pool().in_use(), 0u);
    return failed;
  };
  EXPECT_TRUE(fails({up(kRequest + "GET / HTTP/1.1\r\n")}));
  EXPECT_TRUE(fails({up(kRequest + kRequest)}));
  EXPECT_TRUE(fails({up(Blob("\x03\0\0\x04", 4))}));
  EXPECT_TRUE(fails({up(tpkt(be(200, 1) + be(0xe0, 1) + Blob(5, '\0')))}));
  EXPECT_TRUE(fails({up(tpkt("\x02\xf0"))}));
  EXPECT_FALSE(
      fails({up(kRequest + be(3, 1) + be(0, 1) + be(65535, 2) + Blob(65531, 'x') + send_data(0x40))}));
  // Endless messages end in bypass.
  Talk endless(kRdpEntry);
  endless.feed(Direction::to_server, kRequest);
  for (int i = 0; i < 100; ++i) endless.feed(Direction::to_server, send_data(0x40));
  EXPECT_EQ(endless.host.count("> bypass"), 1u);
  // A core block that claims more than there is.
  Talk lying(kRdpEntry, true);
  lying.feed(Direction::to_server,
             kRequest + data(Blob("\x7f\x65") + Blob("Duca\x0c", 5) + le(0xc001, 2) + le(999, 2) + "x"));
  EXPECT_EQ(lying.last, Fed::ok);
}

TEST(Rdp, Probe) {
  const auto probe = [](Direction d, const Blob& b, std::uint16_t port = 4444) {
    return kRdpEntry.probe(d, view(b), port);
  };
  for (std::size_t n = 0; n <= 11; ++n)
    EXPECT_EQ(probe(Direction::to_server, kRequest.substr(0, n)), Probe::more) << n;
  EXPECT_EQ(probe(Direction::to_server, kRequest), Probe::yes);
  EXPECT_EQ(probe(Direction::to_server, connect(0xe0, negotiation(1, 0))), Probe::yes);
  EXPECT_EQ(probe(Direction::to_client, connect(0xd0, negotiation(2, 1))), Probe::yes);
  EXPECT_EQ(probe(Direction::to_client, kRequest), Probe::no);
  EXPECT_EQ(probe(Direction::to_server, connect(0xe0, ""), 3389), Probe::yes);
  EXPECT_EQ(probe(Direction::to_server, connect(0xe0, ""), 102), Probe::no);
  EXPECT_EQ(probe(Direction::to_server, connect(0xe0, Blob("\xc1\x02\x01\x00\xc2\x02\x01\x02", 8)), 102),
            Probe::no);
  EXPECT_EQ(probe(Direction::to_server, "GET / HTTP/1.1"), Probe::no);
}

}  // namespace
}  // namespace sekisho::app
