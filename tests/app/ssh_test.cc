#include "dataplane/app/ssh.h"

#include <gtest/gtest.h>

#include "tests/app/tls_bytes.h"

namespace sekisho::app {
namespace {

Blob packet(unsigned message, const Blob& payload, unsigned padding = 6) {
  return be(payload.size() + 2 + padding, 4) + be(padding, 1) + be(message, 1) + payload + Blob(padding, 'p');
}
Blob kexinit() {
  Blob out(16, 'c');
  for (const char* list :
       {"kex1,kex2", "hostkey", "enc-up", "enc-down", "mac-up", "mac-down", "none", "zlib", "", ""})
    out += with_length(list, 4);
  return packet(20, out + Blob(5, '\0'));
}
std::vector<Piece> session() {
  return {up("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
          down("SSH-2.0-dropbear\n"),
          up(kexinit()),
          down(kexinit()),
          up(packet(30, "ecdh")),
          down(packet(31, "reply") + packet(21, "")),
          up(packet(21, "") + Blob(60, 'x')),
          down(Blob(90, 'y'))};
}
std::string event(const char* name) {
  return std::string("event ssh.").append(name);
}

TEST(Ssh, Session) {
  Talk talk(kSshEntry, true);
  talk.feed(session());
  const RecordingHost& host = talk.host;
  EXPECT_TRUE(host.has("0> ssh.proto 2.0")) << host.all();
  EXPECT_TRUE(host.has("0> ssh.software OpenSSH_9.2p1"));
  EXPECT_TRUE(host.has("0< ssh.software dropbear"));
  EXPECT_TRUE(host.has("0> ssh.hassh.string kex1,kex2;enc-up;mac-up;none"));
  EXPECT_TRUE(host.has("0< ssh.hassh.server.string kex1,kex2;enc-down;mac-down;zlib"));
  EXPECT_TRUE(host.has("0> ssh.hassh e728a29d639211cc6b6c6ca63f2c8083"));
  EXPECT_TRUE(host.has("> opaque on") && host.has("< opaque on"));
  EXPECT_TRUE(host.has("> bypass") && host.has("< bypass"));
  EXPECT_TRUE(host.has("0> finish") && host.has("0< finish"));
  for (const std::string& line : host.lines) EXPECT_EQ(line.find("event"), std::string::npos) << line;
  EXPECT_EQ(talk.host.pool().in_use(), AppPool::rounded(sizeof(SshParser)));
}

TEST(Ssh, Log) {
  Talk talk(kSshEntry, true);
  talk.feed(session());
  std::size_t found = 0;
  for (const std::string& line : talk.host.lines)
    found += line.starts_with("log ssh client_proto=2.0 client_software=OpenSSH_9.2p1 hassh=") &&
             line.find(" server_proto=2.0 server_software=dropbear hassh_server=") != std::string::npos;
  EXPECT_EQ(found, 1u) << talk.host.all();
}

TEST(Ssh, AnySegmentationGivesTheSameLines) {
  auto before = session();
  before[1].bytes = "Welcome\r\nto the host\r\n" + before[1].bytes;
  auto lengthy = session();
  lengthy[0].bytes = "SSH-2.0-" + std::string(400, 'a') + "\r\n";
  std::mt19937 random(5);
  for (const auto& pieces : {session(), before, lengthy}) {
    expect_given_back(kSshEntry, turns(pieces));
    const std::string whole = lines_of(kSshEntry, pieces, [&](Talk& t) { t.feed(pieces); });
    EXPECT_NE(whole.find("> opaque on"), std::string::npos) << whole;
    for (std::size_t size = 1; size < 50; ++size)
      EXPECT_EQ(whole, lines_of(kSshEntry, pieces, [&](Talk& t) { t.feed_cut(pieces, size); })) << size;
    for (int i = 0; i < 200; ++i)
      EXPECT_EQ(whole, lines_of(kSshEntry, pieces, [&](Talk& t) { t.feed_random(pieces, random); }));
  }
}

TEST(Ssh, LinesBeforeTheServersBanner) {
  Talk talk(kSshEntry);
  talk.feed(Direction::to_client, "notice\n" + std::string(1000, 'n') + "SSH-2.0-no\nSSH-2.0-yes\n");
  EXPECT_TRUE(talk.host.has("0< ssh.software yes")) << talk.host.all();
  EXPECT_FALSE(talk.host.has("0< ssh.software no"));
  Talk endless(kSshEntry);
  endless.feed_cut({down(std::string(10000, 'n'))}, 100);
  EXPECT_TRUE(endless.host.has(event("invalid_banner")));
  EXPECT_EQ(endless.last, Fed::failed);
  Talk lines(kSshEntry);
  for (int i = 0; i < 200; ++i) lines.feed(Direction::to_client, std::string(99, 'n') + "\n");
  EXPECT_EQ(lines.last, Fed::failed);
}

TEST(Ssh, Banners) {
  const auto bad = [](const Blob& banner) {
    Talk talk(kSshEntry);
    talk.feed(Direction::to_server, banner);
    return talk.host.has(event("invalid_banner")) && talk.last == Fed::failed;
  };
  EXPECT_TRUE(bad("hello\r\n"));
  EXPECT_TRUE(bad("SSH-2.0\r\n"));
  EXPECT_TRUE(bad("SSH--x\r\n"));
  EXPECT_TRUE(bad(std::string(300, 'x')));
  Talk empty(kSshEntry);
  empty.feed(Direction::to_server, "SSH-2.0-\r\n");
  EXPECT_TRUE(empty.host.has(event("invalid_banner")));
  Talk lengthy(kSshEntry);
  lengthy.feed(Direction::to_server, "SSH-2.0-" + std::string(400, 'a') + "\r\n" + kexinit());
  EXPECT_EQ(lengthy.host.count(event("long_banner")), 1u);
  EXPECT_TRUE(lengthy.host.has("0> ssh.software " + std::string(SshParser::kMaxBanner - 8, 'a')));
  EXPECT_TRUE(lengthy.host.has("0> ssh.hassh.string kex1,kex2;enc-up;mac-up;none"));
}

TEST(Ssh, Version1StaysScanned) {
  Talk talk(kSshEntry);
  talk.feed({down("SSH-1.5-old\n"), up("SSH-1.5-client\n"), down(packet(21, "") + "junk"), up("junk")});
  EXPECT_EQ(talk.last, Fed::ok);
  EXPECT_TRUE(talk.host.has("0< ssh.proto 1.5"));
  EXPECT_FALSE(talk.host.has("< opaque on"));
}

// Found by fuzzing: the end of a long version 1 banner in a segment of its own began packets.
TEST(Ssh, LongBannerOfVersion1InSegments) {
  const std::vector<Piece> pieces{
      up("SSH-1.5-" + std::string(300, 'a') + "\n" + packet(21, "") + be(1, 4) + "ab")};
  expect_given_back(kSshEntry, turns(pieces));
  const std::string whole = lines_of(kSshEntry, pieces, [&](Talk& t) { t.feed(pieces); });
  for (std::size_t size = 1; size < 300; size += 7)
    EXPECT_EQ(whole, lines_of(kSshEntry, pieces, [&](Talk& t) { t.feed_cut(pieces, size); })) << size;
}

TEST(Ssh, NewKeysAloneHidesNothing) {
  Talk talk(kSshEntry);
  talk.feed({up("SSH-2.0-x\n" + kexinit() + packet(21, "")), down("not ssh at all\n")});
  EXPECT_FALSE(talk.host.has("> opaque on"));
  EXPECT_TRUE(talk.host.has("0> finish"));
}

TEST(Ssh, Records) {
  const auto fails = [](const Blob& bytes) {
    Talk talk(kSshEntry);
    talk.feed(Direction::to_server, "SSH-2.0-x\n" + bytes);
    return talk.host.has(event("invalid_record"));
  };
  EXPECT_TRUE(fails(be(1, 4) + "abcdef"));
  EXPECT_TRUE(fails(be(SshParser::kMaxPacket + 1, 4) + "abcdef"));
  EXPECT_TRUE(fails(be(8, 4) + be(7, 1) + "abcdefgh"));  // more padding than packet
  EXPECT_TRUE(fails(packet(20, "short")));
  EXPECT_TRUE(fails(packet(20, Blob(16, 'c') + be(0xffffffff, 4) + "x")));
  EXPECT_FALSE(fails(packet(99, "unknown") + kexinit()));
  Talk talk(kSshEntry);
  talk.feed(Direction::to_server,
            "SSH-2.0-x\n" + packet(20, Blob(SshParser::kMaxKexInit + 1, 'k')) + packet(2, ""));
  EXPECT_TRUE(talk.host.has(event("long_kex_record")));
  EXPECT_EQ(talk.last, Fed::ok);
  EXPECT_LE(talk.host.pool().in_use(), 4096u);
}

TEST(Ssh, Gaps) {
  Talk talk(kSshEntry);
  talk.feed(Direction::to_server, "SSH-2.0-x\n" + packet(30, Blob(500, 'x')).substr(0, 50));
  EXPECT_TRUE(talk.parser->gap(Direction::to_server, 100, talk.host));
  EXPECT_FALSE(talk.parser->gap(Direction::to_server, 1000, talk.host));
}

TEST(Ssh, Probe) {
  const auto probe = [](const char* text) { return kSshEntry.probe(Direction::to_client, view(text), 22); };
  EXPECT_EQ(probe(""), Probe::more);
  EXPECT_EQ(probe("SS"), Probe::more);
  EXPECT_EQ(probe("SSH-"), Probe::yes);
  EXPECT_EQ(probe("SSX"), Probe::no);
}

}  // namespace
}  // namespace sekisho::app
