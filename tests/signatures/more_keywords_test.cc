// Files, lists, numbers of packets and transactions, decoding transforms: what is accepted, and why not.
#include "tests/signatures/help.h"

namespace sekisho::signatures {
namespace {

class MoreKeywords : public testing::TestWithParam<Case> {};
TEST_P(MoreKeywords, AsSuricata) {
  run(GetParam());
}

const Case kCases[] = {
    // files
    {"alert http", "filemd5:bad.md5;", ""},
    {"alert ip", "filesha256:!good.sha256;", ""},
    {"alert smb", "filesha1:bad.sha1;", ""},
    {"alert http", "filemd5:!;", "filemd5: the name of a list is needed"},
    {"alert tls", "filemd5:bad.md5;", "filemd5: tls carries no files"},
    {"alert udp", "filesha1:bad.sha1;", "filesha1 needs TCP"},
    {"alert http", "filesize:>100;", ""},
    {"alert http", "filesize:10<>20;", ""},
    {"alert http", "filesize:big;", "filesize: 'big' is not a number"},
    {"alert http", "filestore;", ""},
    {"alert http", "filestore:request,tx;", ""},
    {"alert http", "filestore:sideways;", "filestore: 'sideways' is no direction"},
    {"alert http", "filestore:both,world;", "filestore: 'world' is no scope"},
    {"alert http", "filestore; filestore;", "filestore twice"},
    {"alert dns", "filestore;", "filestore: dns carries no files"},
    {"alert http", R"(fileext:"exe"; filename:!"setup";)", ""},
    {"alert http", R"(filemd5; content:"a";)", "filemd5: the name of a list is needed"},
    // mail
    {"alert smtp", R"(email.from; content:"a"; email.received; content:"b";)", ""},
    {"alert http", R"(email.subject; content:"a";)",
     "email.subject inspects smtp, the signature is for http"},
    {"alert smtp", R"(requires:keyword email.body_md5;)",
     "requires: keyword email.body_md5 is not supported"},
    // numbers of packets
    {"alert ip", "vlan.id:200; vlan.layers:2;", ""},
    {"alert ip", "vlan.id:!200,all;", ""},
    {"alert ip", "vlan.id:100-600,-1;", ""},
    {"alert ip", "vlan.id:4096;", "vlan.id: 4096 is more than 4095"},
    {"alert ip", "vlan.id:1,3;", "vlan.id layer: 3 is not within -3..2"},
    {"alert ip", "vlan.layers:4;", "vlan.layers: 4 is more than 3"},
    {"alert icmpv6", "icmpv6.mtu:<1280;", ""},
    {"alert igmp", R"(igmp.type:0x11; igmp.hdr; content:"|11|"; startswith; ipopts:rtralt;)", ""},
    {"alert igmp", "igmp.type:256;", "igmp.type: 256 is more than 255"},
    {"alert tcp", "tcpv4-csum:invalid;", ""},
    {"alert ip", R"(ipv4-csum:"VALID";)", ""},
    {"alert udp", "udpv6-csum:broken;", "udpv6-csum: 'broken' is neither valid nor invalid"},
    {"alert http", R"(vlan.id:1; http.uri; content:"a";)",
     "a number of the packet is of one packet, http.uri is of a transaction"},
    // numbers of transactions
    {"alert dns", "dns.rcode:3;", ""},
    {"alert dns", "dns.rcode:!nxdomain;", ""},
    {"alert dns", "dns.rcode:unheard;", "dns.rcode: 'unheard' is not a number"},
    {"alert tls", "dns.rcode:3;", "dns.rcode inspects dns, the signature is for tls"},
    {"alert tls", "tls.cert_chain_len:>1;", ""},
    {"alert ftp", "ftp.dynamic_port:1000-2000; ftp.mode:active; ftp.reply_received:yes;", ""},
    {"alert ftp", "ftp.mode:sleepy;", "ftp.mode: 'sleepy' is neither active nor passive"},
    {"alert ftp", "ftp.reply_received:perhaps;", "ftp.reply_received: 'perhaps' is neither yes nor no"},
    {"alert ftp", "ftp.dynamic_port:65536;", "ftp.dynamic_port: 65536 is more than 65535"},
    {"alert dns", R"(dns.answers.rrname; content:"a";)", ""},
    // transforms
    {"alert http", R"(http.uri; gunzip; content:"a";)", ""},
    {"alert http", R"(http.uri; zlib_deflate:max-size 64; content:"a";)", ""},
    {"alert http", R"(http.uri; gunzip:max-size 0; content:"a";)", "gunzip: max-size 0"},
    {"alert http", R"(http.uri; gunzip:max-size 16385; content:"a";)", "gunzip: 16385 is more than 16384"},
    {"alert http", R"(http.uri; gunzip:level 3; content:"a";)", "gunzip: unknown option 'level 3'"},
    // lists
    {"alert dns", "dns.query; datarep:a,>,200,load a.rep,type string;", ""},
    {"alert dns", "dns.query; datarep:a,!,200,load a.rep,type string;", "datarep: '!' is no operator"},
    {"alert dns", "dns.query; datarep:a,>,70000,load a.rep,type string;",
     "datarep: 70000 is more than 65535"},
    {"alert dns", "dns.query; datarep:a,>,200,type string;", "datarep: a file to load is needed"},
    {"alert dns", "datarep:a,>,200,load a.rep,type string;", "datarep needs a sticky buffer before it"},
};
INSTANTIATE_TEST_SUITE_P(All, MoreKeywords, testing::ValuesIn(kCases));

TEST(FileStore, TellsThatNothingIsKept) {
  EXPECT_TRUE(read("alert http", "filestore;")->stores_files);
}

}  // namespace
}  // namespace sekisho::signatures
