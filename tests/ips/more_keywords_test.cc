// What keywords of files, lists, packet numbers, transactions and decoding transforms mean.
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "tests/ips/rule_set.h"

namespace sekisho::ips::testing {
namespace {

using abi::Buffer;

std::string rule(const std::string& protocol, const std::string& options, unsigned sid = 1) {
  std::string out = "alert ";
  out.append(protocol).append(" any any -> any any (msg:\"t\"; ").append(options);
  out.append(" sid:").append(std::to_string(sid)).append(";)\n");
  return out;
}

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sekisho-lists-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const char* name, const std::string& text) { std::ofstream(path / name) << text; }
};

bool over_buffer(const RuleSet& set, unsigned sid, Buffer buffer, std::string_view value) {
  Scene s;
  s.tx.side[0].add(buffer, bytes(value));
  s.tx.finished = 3;
  return s.judge(set, sid, true) == Outcome::match;
}

TEST(Lists, OfJsonAndReputation) {
  Folder f;
  f.write("h.json", R"({"a":{"b":[{"n":{"host":"evil.example"}},{"other":1}]}})");
  f.write("h.ndjson", "{\"host\":\"one.example\"}\n{\"host\":\"two.example\"}\n");
  f.write("h.rep", "b25lLmV4YW1wbGU=,250\ndHdvLmV4YW1wbGU=,100\n");  // one.example, two.example
  f.write("sub.lst", "LmV2aWwuZXhhbXBsZQ==\n");                      // .evil.example
  const RuleSet set(
      rule("http",
           "http.host; dataset:isset,j,type string,load h.json,format json,array_key a.b,value_key n.host;",
           1) +
          rule("http", "http.host; dataset:isset,n,type string,load h.ndjson,format ndjson,value_key host;",
               2) +
          rule("http", "http.host; datarep:r,>,200,load h.rep,type string;", 3) +
          rule("http", "http.host; datarep:r,<,200,load h.rep,type string;", 4) +
          rule("http", "http.host; dotprefix; dataset:isset,s,type string,load sub.lst,match subdomain;", 5) +
          rule("http", "http.host; dotprefix; dataset:isnotset,s,type string,load sub.lst,match subdomain;",
               6) +
          rule("http", "http.host; dataset:isset,later,type string,state later.lst;", 7),
      f.path.string());
  const auto is = [&](unsigned sid, const char* host) {
    return over_buffer(set, sid, Buffer::http_host, host);
  };
  EXPECT_TRUE(is(1, "evil.example"));
  EXPECT_FALSE(is(1, "one.example"));
  EXPECT_TRUE(is(2, "two.example"));
  EXPECT_FALSE(is(2, "evil.example"));
  EXPECT_TRUE(is(3, "one.example"));
  EXPECT_FALSE(is(3, "two.example"));
  EXPECT_TRUE(is(4, "two.example"));
  EXPECT_FALSE(is(4, "one.example"));
  EXPECT_TRUE(is(5, "evil.example"));
  EXPECT_TRUE(is(5, "a.b.evil.example"));
  EXPECT_FALSE(is(5, "notevil.example"));
  EXPECT_FALSE(is(6, "a.evil.example"));
  EXPECT_TRUE(is(6, "notevil.example"));
  EXPECT_FALSE(is(7, "one.example"));  // its file is not there yet
}

TEST(Lists, DamagedOnesAreRefused) {
  Folder f;
  f.write("bad.json", "{\"a\":");
  f.write("flat.json", "{\"a\":1}");
  f.write("bad.rep", "b25lLmV4YW1wbGU=\n");
  f.write("bad.md5", "abc\n");
  for (const char* options :
       {"http.host; dataset:isset,a,type string,load bad.json,format json,value_key h;",
        "http.host; dataset:isset,a,type string,load flat.json,format json,value_key h;",
        "http.host; datarep:a,>,1,load bad.rep,type string;", "filemd5:bad.md5;", "filemd5:missing.md5;",
        "filemd5:../outside.md5;"})
    EXPECT_THROW(RuleSet(rule("http", options), f.path.string()), std::runtime_error) << options;
}

TEST(Files, DigestsAndSize) {
  Folder f;
  // MD5, SHA-1 and SHA-256 of "abc", as md5sum and its like write them.
  f.write("a.md5", "900150983cd24fb0d6963f7d28e17f72  abc\n");
  f.write("a.sha1", "a9993e364706816aba3e25717850c26c9cd0d89d\n");
  f.write("a.sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
  const RuleSet set(rule("http", "filemd5:a.md5;", 1) + rule("http", "filemd5:!a.md5;", 2) +
                        rule("http", "filesha1:a.sha1;", 3) + rule("http", "filesha256:a.sha256;", 4) +
                        rule("http", "filesize:>100;", 5) + rule("http", "filesize:10<>20;", 6) +
                        rule("http", "filestore; fileext:\"exe\";", 7),
                    f.path.string());
  const std::string md5("\x90\x01\x50\x98\x3c\xd2\x4f\xb0\xd6\x96\x3f\x7d\x28\xe1\x7f\x72", 16);
  EXPECT_TRUE(over_buffer(set, 1, Buffer::file_md5, md5));
  EXPECT_FALSE(over_buffer(set, 2, Buffer::file_md5, md5));
  EXPECT_FALSE(over_buffer(set, 1, Buffer::file_md5, std::string(16, 'x')));
  EXPECT_TRUE(over_buffer(set, 2, Buffer::file_md5, std::string(16, 'x')));
  EXPECT_TRUE(
      over_buffer(set, 3, Buffer::file_sha1,
                  "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d"));
  EXPECT_FALSE(over_buffer(set, 4, Buffer::file_sha256, std::string(32, 'x')));
  const auto size = [](unsigned n) {
    std::string s(8, '\0');
    s[6] = static_cast<char>(n >> 8);
    s[7] = static_cast<char>(n);
    return s;
  };
  EXPECT_TRUE(over_buffer(set, 5, Buffer::file_size, size(300)));
  EXPECT_FALSE(over_buffer(set, 5, Buffer::file_size, size(100)));
  EXPECT_TRUE(over_buffer(set, 6, Buffer::file_size, size(15)));
  EXPECT_FALSE(over_buffer(set, 6, Buffer::file_size, size(20)));
  for (const auto& [name, match] : {std::pair{"a.exe", true}, {"a.EXE", true}, {"aexe", false}}) {
    Scene s;
    s.tx.side[0].add(Buffer::file_name, bytes(name));
    s.tx.side[0].append(Buffer::file_data, bytes("MZ"));
    s.tx.finished = 3;
    EXPECT_EQ(s.judge(set, 7, true), match ? Outcome::match : Outcome::no) << name;
  }
  Scene none;
  none.tx.side[0].add(Buffer::file_name, bytes("a.exe"));
  none.tx.finished = 3;
  EXPECT_EQ(none.judge(set, 7, true), Outcome::no);
}

std::string deflated(const std::string& text, int window) {
  std::string out(256, '\0');
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

TEST(Transforms, Decompression) {
  const RuleSet set(rule("http", "http.uri; gunzip; content:\"hello\"; bsize:5;", 4) +
                    rule("http", "http.uri; zlib_deflate; content:\"hello\"; bsize:5;", 5) +
                    rule("http", "http.uri; gunzip:max-size 3; content:\"hel\"; bsize:3;", 6));
  const auto is = [&](unsigned sid, const std::string& v) {
    return over_buffer(set, sid, Buffer::http_uri, v);
  };
  EXPECT_TRUE(is(4, deflated("hello", 31)));
  EXPECT_FALSE(is(4, deflated("hello", 15)));
  EXPECT_FALSE(is(4, "hello"));
  EXPECT_TRUE(is(5, deflated("hello", 15)));
  EXPECT_TRUE(is(6, deflated("hello", 31)));
}

struct Frame {
  std::vector<std::uint8_t> data;
  Packet packet;
  // An IPv4 datagram behind `tags` VLAN tags.
  Frame(const std::vector<std::uint16_t>& tags, std::uint8_t protocol, std::vector<std::uint8_t> body) {
    data.resize(12);
    for (const std::uint16_t tag : tags)
      data.insert(data.end(),
                  {0x81, 0x00, static_cast<std::uint8_t>(tag >> 8), static_cast<std::uint8_t>(tag)});
    data.insert(data.end(), {8, 0});
    packet.l3 = static_cast<std::uint16_t>(data.size());
    const auto total = static_cast<std::uint8_t>(20 + body.size());
    data.insert(data.end(), {0x45, 0, 0, total, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 192, 168, 0, 2});
    packet.l4 = static_cast<std::uint16_t>(data.size());
    data.insert(data.end(), body.begin(), body.end());
    data.resize(data.size() + 6);  // padding
    packet.data = data.data();
    packet.length = static_cast<std::uint32_t>(data.size());
    packet.kind = PacketKind::ip;
    packet.ip_version = 4;
    packet.protocol = protocol;
  }
  Outcome judge(const RuleSet& set, unsigned sid) {
    Scene s;
    s.context.packet = &packet;
    s.context.transport = packet.protocol == 2 ? abi::kTransportOther : abi::kTransportUdp;
    s.context.protocol = packet.protocol;
    return s.judge(set, sid);
  }
};

TEST(Numbers, OfAPacket) {
  const std::pair<const char*, bool> tagged[] = {
      {"vlan.id:200;", true},       {"vlan.id:300;", true},         {"vlan.id:400;", false},
      {"vlan.id:200,0;", true},     {"vlan.id:300,0;", false},      {"vlan.id:300,-1;", true},
      {"vlan.id:300,1;", true},     {"vlan.id:1,2;", false},        {"vlan.id:!1,2;", false},
      {"vlan.id:>100,all;", true},  {"vlan.id:!200,all;", false},   {"vlan.layers:2;", true},
      {"vlan.layers:<2;", false},   {"udpv4-csum:valid;", false},   {"udpv4-csum:invalid;", true},
      {"ipv4-csum:invalid;", true}, {"tcpv4-csum:invalid;", false}, {"igmp.type:1;", false},
      {"icmpv6.mtu:<1280;", false}};
  std::string text;
  for (unsigned i = 0; i < std::size(tagged); ++i) text += rule("ip", tagged[i].first, i + 1);
  const RuleSet set(text);
  for (unsigned i = 0; i < std::size(tagged); ++i) {
    Frame f({200, 300}, 17, {0, 1, 0, 2, 0, 9, 0x12, 0x34, 'x'});
    EXPECT_EQ(f.judge(set, i + 1), tagged[i].second ? Outcome::match : Outcome::more) << tagged[i].first;
  }
}

TEST(Numbers, OfPlainPacketsAndChecksums) {
  const RuleSet set(
      rule("ip", "vlan.layers:0;", 1) + rule("ip", "vlan.id:!5;", 2) + rule("udp", "udpv4-csum:valid;", 3) +
      rule("igmp", "igmp.type:0x16; igmp-csum:valid; igmp.hdr; content:\"|16|\"; startswith; bsize:8;", 4) +
      rule("igmp", "igmp-csum:invalid;", 5));
  Frame udp({}, 17, {0, 1, 0, 2, 0, 8, 0, 0});  // no checksum was made
  EXPECT_EQ(udp.judge(set, 1), Outcome::match);
  EXPECT_NE(udp.judge(set, 2), Outcome::match);
  EXPECT_EQ(udp.judge(set, 3), Outcome::match);
  Frame igmp({}, 2, {0x16, 0, 0x09, 0xfd, 224, 0, 0, 1});
  EXPECT_NE(igmp.judge(set, 4), Outcome::match);
  EXPECT_EQ(igmp.judge(set, 5), Outcome::match);
  // 0x1600 + 0xe000 = 0xf600; its complement is 0x09ff.
  Frame right({}, 2, {0x16, 0, 0x09, 0xff, 224, 0, 0, 0});
  EXPECT_EQ(right.judge(set, 4), Outcome::match);
  EXPECT_NE(right.judge(set, 5), Outcome::match);
  EXPECT_NE(udp.judge(set, 5), Outcome::match);
}

TEST(Numbers, OfATransaction) {
  const RuleSet set(rule("ftp", "ftp.dynamic_port:>=1024;", 1) + rule("ftp", "ftp.mode:active;", 2) +
                    rule("ftp", "ftp.mode:passive;", 3) + rule("ftp", "ftp.reply_received:no;", 4) +
                    rule("dns", "dns.rcode:nxdomain;", 5) + rule("dns", "dns.rcode:!3;", 6) +
                    rule("tls", "tls.cert_chain_len:2;", 7));
  Scene s;
  app::Transaction ftp(s.pool, 0, abi::AppProtocol::ftp), dns(s.pool, 0, abi::AppProtocol::dns),
      tls(s.pool, 0, abi::AppProtocol::tls);
  const auto is = [&](unsigned sid, const app::Transaction& tx) {
    return judge(set.view(), set.find(sid), s.context, &tx, app::Direction::to_server, s.flow, s.scratch);
  };
  EXPECT_EQ(is(1, ftp), Outcome::more);  // the reply may still say it
  EXPECT_EQ(is(3, ftp), Outcome::more);
  EXPECT_EQ(is(4, ftp), Outcome::more);
  ftp.finished = 3;
  EXPECT_EQ(is(4, ftp), Outcome::match);
  ftp.facts.ftp_port = 1024;
  ftp.facts.ftp_active = ftp.facts.ftp_replied = true;
  EXPECT_EQ(is(1, ftp), Outcome::match);
  EXPECT_EQ(is(2, ftp), Outcome::match);
  EXPECT_NE(is(3, ftp), Outcome::match);
  EXPECT_NE(is(4, ftp), Outcome::match);
  dns.facts.dns_rcode = 3;
  EXPECT_EQ(is(5, dns), Outcome::match);
  EXPECT_NE(is(6, dns), Outcome::match);
  tls.side[0].add(Buffer::tls_certs, bytes("a"));
  EXPECT_NE(is(7, tls), Outcome::match);
  tls.side[0].add(Buffer::tls_certs, bytes("b"));
  EXPECT_EQ(is(7, tls), Outcome::match);
}

TEST(Headers, AreLookedAtWithEachPacket) {
  const RuleSet set(rule("udp",
                         "ipv4.hdr; content:\"|0a 00 00 01|\"; offset:12; depth:4; udp.hdr; content:\"|00 "
                         "02|\"; offset:2; depth:2;"));
  Frame f({}, 17, {0, 1, 0, 2, 0, 8, 0, 0});
  EXPECT_EQ(f.judge(set, 1), Outcome::match);
}

}  // namespace
}  // namespace sekisho::ips::testing
