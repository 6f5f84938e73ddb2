// Every other keyword: accepted forms, and the words of each refusal.
#include "tests/signatures/help.h"

namespace sekisho::signatures {
namespace {

class KeywordCases : public testing::TestWithParam<Case> {};
TEST_P(KeywordCases, AsSaid) {
  run(GetParam());
}

constexpr Case kCases[] = {
    // packets
    {"alert tcp", "dsize:>5;", ""},
    {"alert tcp", "dsize:5<>9;", ""},
    {"alert tcp", "dsize:9<>5;", "dsize: the range 9<>5 is reversed"},
    {"alert tcp", "dsize:5; dsize:6;", "dsize twice"},
    {"alert tcp", "dsize:<0;", "dsize: nothing can be <0"},
    {"alert tcp", "dsize:;", "dsize: the value is missing behind ':'"},
    {"alert tcp", R"(dsize:2; content:"abc";)", "dsize: the contents need 3 bytes, the packet has at most 2"},
    {"alert tcp", R"(dsize:>2; content:"abc"; http_uri;)",
     "dsize is of one packet, http.uri is of a transaction"},
    {"alert tcp-stream", R"(dsize:>2; content:"abc";)",
     "dsize is of one packet, the signature is for the stream"},
    {"alert tcp", "flags:SA;", ""},
    {"alert tcp", "tcp.flags:+S,12;", ""},
    {"alert tcp", "flags:SX;", "flags: 'X' is no TCP flag"},
    {"alert tcp", "flags:S,S;", "flags: a flag is tested and ignored"},
    {"alert ip", "ttl:<5; tos:!8; id:1234; sameip; fragbits:!M; fragoffset:>0; ipopts:lsrr; ip_proto:!tcp;",
     ""},
    {"alert ip", "ttl:256;", "ttl: 256 is more than 255"},
    {"alert ip", "fragbits:X;", "fragbits: 'X' is none of M D R"},
    {"alert ip", "ipopts:zz;", "ipopts: 'zz' is no IP option"},
    {"alert ip", "ip_proto:nothing;", "ip_proto: 'nothing' is not a number"},
    {"alert icmp", "itype:8; icode:0; icmp_id:5; icmp_seq:0;", ""},
    {"alert icmp", "itype:-1;", "itype: '-1' is not a number"},
    {"alert tcp", "seq:1; ack:4294967295; window:!0;", ""},
    {"alert tcp", "seq:4294967296;", "seq: 4294967296 is more than 4294967295"},
    {"alert tcp", "stream_size:client,<,6;", ""},
    {"alert tcp", "stream_size:me,<,6;", "stream_size: 'me' is no side"},
    {"alert udp", "stream_size:client,<,6;", "stream_size needs TCP"},
    {"alert udp", "rpc:100000,*,3;", ""},
    {"alert udp", "rpc:x;", "rpc program: 'x' is not a number"},
    {"alert pkthdr", "decode-event:ipv4.trunc_pkt;", ""},
    {"alert tcp", "stream-event:fin_out_of_window;", ""},
    {"alert tcp", "stream-event:no_such;", "stream-event: no inspection raises 'no_such'"},
    // bytes
    {"alert tcp", "byte_test:2,>,0x10,4,relative,little,bitmask 0xff;", ""},
    {"alert tcp", "byte_test:4,!&,128,0;", ""},
    {"alert tcp", "byte_test:0,=,0,0,string,dec;", ""},
    {"alert tcp", "byte_test:9,=,0,0;", "byte_test: 9 bytes cannot be read"},
    {"alert tcp", "byte_test:2,~,0,0;", "byte_test: '~' is no operator"},
    {"alert tcp", "byte_test:2,=,0,0,hex;", "byte_test: a number base without string"},
    {"alert tcp", "byte_test:2,=,0,0,big,little;", "byte_test: byte order twice"},
    {"alert tcp", "byte_test:2,=,0;", "byte_test: bytes, operator, value and offset are needed"},
    {"alert tcp", "byte_test:2,=,x,0;", "byte_test value: no byte_extract or byte_math before it sets 'x'"},
    {"alert tcp", "byte_test:2,=,0,0,dce;", ""},
    {"alert dns", "byte_test:2,=,0,0,dce;", "byte_test inspects dcerpc, the signature is for dns"},
    {"alert tcp", "byte_jump:4,0,relative,multiplier 2,align,post_offset -4;", ""},
    {"alert tcp", "byte_jump:0,0,from_end,post_offset -8;", ""},
    {"alert tcp", "byte_jump:4,0,from_end,from_beginning;", "byte_jump: from_beginning and from_end"},
    {"alert tcp", "byte_jump:4;", "byte_jump: bytes and offset are needed"},
    {"alert tcp", "byte_extract:4,0,n,relative,multiplier 2,align 4; byte_test:1,=,n,0;", ""},
    {"alert tcp", "byte_extract:4,0;", "byte_extract: bytes, offset and a name are needed"},
    {"alert tcp", "byte_extract:4,0,n,align 3;", "byte_extract: align must be 2 or 4"},
    {"alert tcp", "byte_extract:4,0,7;", "'7' is not a name of a variable"},
    {"alert tcp", "byte_math:bytes 4, offset 0, oper +, rvalue 8, result n, endian little; byte_jump:n,0;",
     ""},
    {"alert tcp", "byte_math:bytes 4, offset 0, oper /, rvalue 0, result n;", "byte_math: division by 0"},
    {"alert tcp", "byte_math:bytes 4, offset 0, oper +, rvalue 8;",
     "byte_math: bytes, offset, oper, rvalue and result are all needed"},
    {"alert tcp", "byte_math:bytes 4, offset 0, oper %, rvalue 8, result n;",
     "byte_math: '%' is no operator"},
    {"alert tcp", "asn1:double_overflow, bitstring_overflow, relative_offset 54, oversize_length 2048;", ""},
    {"alert tcp", "asn1:relative_offset 54;", "asn1: nothing to check"},
    // flow and state
    {"alert tcp", "flow:established,to_server;", ""},
    {"alert tcp", "flow:to_server,to_client;", "flow: to_server and to_client"},
    {"alert tcp", "flow:established,stateless;",
     "flow: only one of established, not_established and stateless"},
    {"alert tcp", "flow:sideways;", "flow: unknown option 'sideways'"},
    {"alert tcp", "flow:established; flow:to_server;", "flow twice"},
    {"alert tcp", "flowbits:isset,a|b; flowbits:set,c; flowbits:noalert;", ""},
    {"alert tcp", "flowbits:set,a|b;", "flowbits: a|b is for isset and isnotset alone"},
    {"alert tcp", "flowbits:set;", "flowbits: a command and a name are needed"},
    {"alert tcp", "flowbits:put,a;", "flowbits: 'put' is no command"},
    {"alert tcp", "flowint:n,+,1; flowint:n,>=,other; flowint:n,notset;", ""},
    {"alert tcp", "flowint:n,%,1;", "flowint: '%' is no operator"},
    {"alert tcp", "flowint:n,isset,1;", "flowint: isset takes no value"},
    {"alert tcp", "xbits:set,x,track ip_pair,expire 10;", ""},
    {"alert tcp", "xbits:set,x;", "xbits: command, name and track are needed"},
    {"alert tcp", "xbits:set,x,track ip_all;", "xbits: track 'ip_all' is unknown"},
    {"alert tcp", "hostbits:isset,h,both;", ""},
    {"alert tcp", "threshold:type limit,track by_src,count 1,seconds 60;", ""},
    {"alert tcp", "threshold:type backoff,track by_flow,count 1,multiplier 10;", ""},
    {"alert tcp", "threshold:type limit,track by_src,count 1;", "threshold: seconds is missing"},
    {"alert tcp", "threshold:type none,track by_src,count 1,seconds 1;", "threshold: type 'none' is unknown"},
    {"alert tcp", "detection_filter:track by_dst,count 5,seconds 1;", ""},
    {"alert tcp", "detection_filter:track by_dst,count 0,seconds 1;", "detection_filter: count 0"},
    {"alert tcp",
     "detection_filter:track by_dst,count 1,seconds 1; threshold:type limit,track by_src,count 1,seconds 60;",
     "threshold together with detection_filter"},
    {"alert tcp", "tag:session,5,packets; tag:host,100,seconds,src;", ""},
    {"alert tcp", "tag:host,100,seconds;", "tag: host needs src or dst"},
    // about the signature
    {"alert tcp",
     R"(msg:"a \"b\" c"; classtype:trojan-activity; reference:cve,2020-1; metadata:a b, c d e; rev:3; gid:2;)",
     ""},
    {"alert tcp", "priority:0;", "priority 0"},
    {"alert tcp", "rev:x;", "rev: 'x' is not a number"},
    {"alert tcp", "target:src_ip;", ""},
    {"alert tcp", "target:me;", "target: 'me' is neither src_ip nor dest_ip"},
    {"alert tcp", "noalert; alert;", "noalert together with alert"},
    {"alert tcp", "requires:version >= 7 < 8 | >= 9;", ""},
    {"alert tcp", "requires:version >= 7 < 8;", "requires: version >= 7 < 8, the language here is 9.0.0"},
    {"alert tcp", "requires:keyword content;", ""},
    {"alert tcp", "requires:keyword nonsense;", "requires: keyword nonsense is not supported"},
    {"alert tcp", "requires:feature geoip;", "requires: feature geoip is not here"},
    {"alert tcp", "nonsense:1;", "keyword 'nonsense' is not supported"},
    {"alert tcp", "lua:script.lua;", "keyword 'lua' is not supported"},
    {"alert tcp", "service:http;", "keyword 'service' is Snort syntax"},
    {"alert tcp", "luaxform:a.lua;", "keyword 'luaxform' is not supported"},
    // applications
    {"alert dns", R"(dns.query; content:"a";)", ""},
    {"alert dns", R"(http.uri; content:"a";)", "http.uri inspects http, the signature is for dns"},
    {"alert udp", R"(http.uri; content:"a";)", "http.uri inspects http, which udp does not carry"},
    {"alert tcp-pkt", R"(http.uri; content:"a";)", "http.uri needs a stream, tcp-pkt has packets alone"},
    {"alert tcp", R"(http.uri; content:"a"; dns.query; content:"b";)",
     "dns.query inspects dns, the signature is for http"},
    {"alert http", R"(flow:to_client; http.uri; content:"a";)",
     "flow is to_client, but http.uri exists only to_server"},
    {"alert http", R"(http.uri; content:"a"; http.stat_code; content:"200";)",
     "http.uri and http.stat_code exist in opposite directions"},
    {"alert http", R"(http.connection:to_client; content:"a"; http.uri; content:"b";)",
     "the directions of flow and buffers contradict each other"},
    {"alert tls", R"(file.data; content:"a";)", "file.data: tls carries no files"},
    {"alert smb",
     R"(smb.named_pipe; content:"a"; dcerpc.iface:367abb81-9844-35f1-ad32-98f038001003,>1,any_frag; dcerpc.opnum:1-5,12;)",
     ""},
    {"alert dcerpc", "dce_iface:367abb81;", "dce_iface: '367abb81' is no UUID"},
    {"alert dcerpc", "dce_opnum:9-5;", "dce_opnum: the range 9-5 is reversed"},
    {"alert tls", "ssl_state:client_hello|server_hello; ssl_version:tls1.2,tls1.3; tls.version:1.2;", ""},
    {"alert tls", "ssl_version:!tls1.2,tls1.3;", "ssl_version: negated and plain versions together"},
    {"alert tls", "tls.version:7;", "tls.version: '7' is no version"},
    {"alert tls", R"(tls.subject:"CN=x"; tls.issuerdn:!"O=y";)", ""},
    {"alert ftp-data", "ftpdata_command:stor;", ""},
    {"alert ftp-data", "ftpdata_command:list;", "ftpdata_command: 'list' is neither retr nor stor"},
    {"alert tcp", "app-layer-protocol:!http,final;", ""},
    {"alert tcp", "app-layer-protocol:gopher;", "app-layer-protocol: 'gopher' is not recognised here"},
    {"alert http", "app-layer-protocol:http;", "app-layer-protocol: the signature is for http already"},
    {"alert tls", "app-layer-event:tls.invalid_record_type;", ""},
    {"alert tls", "app-layer-event:tls.no_such;", "app-layer-event: no parser raises 'tls.no_such'"},
    {"alert ip", "iprep:src,BadHosts,>,50;", ""},
    {"alert ip", "iprep:src,BadHosts,>,128;", "iprep: 128 is more than 127"},
    {"alert ip", "geoip:src,!CN,RU;", ""},
    {"alert ip", "geoip:src,China;", "geoip: 'China' is no country"},
    {"alert http", R"(http.host; dataset:isset,bad,type string,load bad.lst;)", ""},
    {"alert http", R"(http.host; dataset:isset,bad;)", "dataset: the type is missing"},
    {"alert http", R"(http.host; dataset:isset,bad,type string,load a,format xml;)",
     "dataset: format 'xml' is unknown"},
    {"alert http", R"(http.host; dataset:isset,bad,type string,load a,format json;)",
     "dataset: JSON needs a value_key"},
    {"alert http", R"(http.host; dataset:isset,bad,type string,load a,value_key b;)",
     "dataset: a key without format json or ndjson"},
    {"alert http", R"(http.host; dataset:isset,bad,type string,load a,match subdomain;)", ""},
    {"alert http", R"(http.host; dataset:isset,bad,type string,load a,match parent;)",
     "dataset: match 'parent' is unknown"},
    {"alert http", R"(http.host; dataset:set,bad,type string,match subdomain;)",
     "dataset: match subdomain is for isset and isnotset"},
    {"alert http", R"(dataset:isset,bad,type string;)", "dataset needs a sticky buffer before it"},
    {"alert ip", R"(ip.src; dataset:isset,bad,type ip,load a.lst;)", ""},
};
INSTANTIATE_TEST_SUITE_P(All, KeywordCases, testing::ValuesIn(kCases));

TEST(Header, Refusals) {
  static constexpr std::pair<const char*, const char*> kLines[] = {
      {"alert quic any any -> any any (sid:1;)", "protocol 'quic' is not supported"},
      {"shout tcp any any -> any any (sid:1;)", "action 'shout' is unknown"},
      {"alert tcp any any <- any any (sid:1;)", "direction '<-' is none of ->, <> and =>"},
      {"alert tcp any any => any any (sid:1;)", "=> needs a buffer of each side of the transaction"},
      {"alert http any any => any any (http.uri; content:\"a\"; sid:1;)",
       "=> needs a buffer of each side of the transaction"},
      {"alert http any any => any any (flow:to_client; http.uri; content:\"a\"; http.stat_code; "
       "content:\"2\"; "
       "sid:1;)",
       "flow has no direction in a signature with =>"},
      {"alert http any any => any any (http.uri; content:\"a\"; http.header; content:\"b\"; sid:1;)",
       "http.header stands in both directions: with => say bidir.toserver or bidir.toclient before it"},
      {"alert http any any => any any (http.stat_code; content:\"2\"; content:\"x\"; pkt_data; "
       "content:\"b\"; "
       "sid:1;)",
       "pkt_data stands in both directions: with => say bidir.toserver or bidir.toclient before it"},
      {"alert http any any -> any any (bidir.toclient; http.header; content:\"b\"; sid:1;)",
       "bidir.toclient belongs to signatures with =>"},
      {"alert tcp any any -> any (sid:1;)", "the header ends before the destination port"},
      {"alert tcp any any -> any any more (sid:1;)", "'more' behind the destination port"},
      {"alert http (sid:1;)", "a header without addresses (Snort 3 syntax) is not Suricata syntax"},
      {"alert tcp any any -> any any", "no options: '(' is missing"},
      {"alert tcp any any -> any any (sid:1;", "')' is missing at the end"},
      {"alert tcp any any -> any any (sid:1)", "no ';' behind the last option 'sid:1'"},
      {"alert tcp any any -> any any (msg:\"x\";)", "sid is missing"},
      {"alert tcp any any -> any any (sid:0;)", "sid 0"},
      {"alert tcp any any -> any any (sid:1; sid:2;)", "sid twice"},
      {"alert tcp $NOWHERE any -> any any (sid:1;)",
       "variable $NOWHERE is not defined as an address variable"},
      {"alert tcp any 80:70 -> any any (sid:1;)", "the port range 80:70 is reversed"},
      {"alert tcp any 65536 -> any any (sid:1;)", "'65536' is not a port"},
      {"alert icmp any 80 -> any any (sid:1;)", "icmp has no ports"},
      {"alert tcp [1.2.3.4,any any -> any any (sid:1;)", "unbalanced brackets in the source address"},
      {"alert tcp 1.2.3.300 any -> any any (sid:1;)", "'1.2.3.300' is not an address"},
      {"alert tcp 10.0.0.0/33 any -> any any (sid:1;)", "'33' is not a prefix length"},
      {"alert tcp !any any -> any any (sid:1;)", "'!any' matches nothing"},
      {"alert tcp [1.1.1.1,!1.1.1.0/24] any -> any any (sid:1;)",
       "'[1.1.1.1,!1.1.1.0/24]' leaves no address"},
      {"alert tcp any any -> any any (msg:\"\xff\"; sid:1;)", "the line is not UTF-8"}};
  for (const auto& [line, why] : kLines) {
    const One one = read_line(line);
    EXPECT_EQ(one.why(), why) << line;
    EXPECT_TRUE(one.result.signatures.empty());
  }
}

TEST(Header, ActionsAndProtocols) {
  EXPECT_EQ(read_line("rejectboth tcp any any <> any any (sid:1;)")->action, Action::reject_both);
  EXPECT_TRUE(read_line("drop tcp any any <> any any (sid:1;)")->bidirectional);
  EXPECT_EQ(read("rejectsrc TCP-pkt", "")->protocol.mode, Protocol::Mode::packet);
  EXPECT_EQ(read("alert ipv6", "")->protocol.ip_versions, kIpv6);
  EXPECT_EQ(read("alert dns", "")->protocol.transports, kTcp | kUdp);
  EXPECT_EQ(read("alert tcp", R"(tls.sni; content:"a";)")->protocol.app, AppProtocol::tls);
}

TEST(Types, FollowWhatIsInspected) {
  EXPECT_EQ(read("alert ip", "")->type, Type::ip_only);
  EXPECT_EQ(read_line("alert tcp !10.0.0.1 any -> any any (sid:1;)")->type, Type::like_ip_only);
  EXPECT_EQ(read("alert tcp", "flags:S;")->type, Type::packet);
  EXPECT_EQ(read("alert tcp", R"(content:"a";)")->type, Type::stream);
  EXPECT_EQ(read("alert tcp", R"(content:"a"; depth:4;)")->type, Type::packet_stream);
  EXPECT_EQ(read("alert tcp", R"(content:"a"; depth:4; flow:only_stream;)")->type, Type::stream);
  EXPECT_EQ(read("alert tcp-pkt", R"(content:"a";)")->type, Type::packet);
  EXPECT_EQ(read("alert tcp", R"(content:"a"; dsize:>4;)")->type, Type::packet);
  EXPECT_EQ(read("alert http", R"(content:"a"; http_uri;)")->type, Type::app_tx);
  EXPECT_EQ(read("alert http", "")->type, Type::app_layer);
  EXPECT_EQ(read("alert tcp", "app-layer-protocol:http;")->type, Type::protocol_detection);
  EXPECT_EQ(read("alert pkthdr", "decode-event:ipv4.trunc_pkt;")->type, Type::decoder_event);
}

TEST(Types, Directions) {
  EXPECT_EQ(read("alert http", R"(http.uri; content:"a";)")->directions, abi::kToServer);
  EXPECT_EQ(read("alert http", R"(http.stat_code; content:"a";)")->directions, abi::kToClient);
  EXPECT_EQ(read("alert http", R"(flow:to_client; http.header; content:"a";)")->directions, abi::kToClient);
  EXPECT_EQ(read("alert tcp", R"(content:"a";)")->directions, abi::kBothWays);
}

TEST(Classes, GiveThePriority) {
  EXPECT_EQ(read("alert tcp", "classtype:trojan-activity;")->priority, 1);
  EXPECT_EQ(read("alert tcp", "classtype:trojan-activity; priority:4;")->priority, 4);
  const One unknown = read("alert tcp", "classtype:of-my-own;");
  ASSERT_TRUE(unknown.loaded());
  EXPECT_EQ(unknown->priority, 3);
  ASSERT_EQ(unknown.result.warnings.size(), 1u);
  EXPECT_EQ(unknown.result.warnings[0].text, "classtype 'of-my-own' is unknown");
}

}  // namespace
}  // namespace sekisho::signatures
