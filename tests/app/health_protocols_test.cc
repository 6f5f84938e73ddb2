// The protocols of clinics' networks beside the great ones: what each tells, cut in any way.
#include <gtest/gtest.h>

#include "dataplane/app/http2.h"
#include "dataplane/app/krb5.h"
#include "dataplane/app/mqtt.h"
#include "dataplane/app/rfb.h"
#include "dataplane/app/sip.h"
#include "dataplane/app/snmp.h"
#include "tests/app/tls_bytes.h"

namespace sekisho::app {
namespace {

Blob b(std::initializer_list<unsigned> bytes) {
  Blob out;
  for (const unsigned x : bytes) out.push_back(static_cast<char>(x));
  return out;
}
Blob tlv(unsigned tag, const Blob& content) {
  return be(tag, 1) + be(content.size(), 1) + content;
}

void any_segmentation(const ProtocolEntry& entry, const std::vector<Piece>& pieces, const std::string& must) {
  const std::string whole = lines_of(entry, pieces, [&](Talk& t) { t.feed(pieces); });
  EXPECT_NE(whole.find(must), std::string::npos) << whole;
  for (std::size_t size = 1; size < 20; ++size)
    EXPECT_EQ(whole, lines_of(entry, pieces, [&](Talk& t) { t.feed_cut(pieces, size); })) << size;
}

// --- HPACK: the examples of RFC 7541 Appendix C.4
// -----------------------------------------------------------

TEST(Hpack, RequestsWithHuffman) {
  AppPool pool(1u << 20);
  Hpack table;
  const auto text = [&](const Blob& bytes) {
    Hpack::Block block;
    const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
    std::string out = table.decode(exact, block, pool) ? "" : "broken ";
    for (const Hpack::Field& f : block.fields)
      out.append(f.name.begin(), f.name.end()).append("=").append(f.value.begin(), f.value.end()).append(" ");
    return out;
  };
  const std::string first = ":method=GET :scheme=http :path=/ :authority=www.example.com ";
  EXPECT_EQ(text(b({0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90,
                    0xf4, 0xff})),
            first);
  EXPECT_EQ(table.table_bytes(), 57u);
  EXPECT_EQ(text(b({0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf})),
            first + "cache-control=no-cache ");
  EXPECT_EQ(
      text(b({0x82, 0x87, 0x85, 0xbf, 0x40, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9,
              0x7d, 0x7f, 0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf})),
      ":method=GET :scheme=https :path=/index.html :authority=www.example.com custom-key=custom-value ");
  EXPECT_EQ(table.table_bytes(), 164u);
  EXPECT_EQ(text(b({0x20})), "");  // a table of no bytes
  EXPECT_EQ(table.table_bytes(), 0u);
  EXPECT_EQ(text(b({0xbe})), "broken ");
  EXPECT_EQ(text(b({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})), "broken ");
  table.release(pool);
  EXPECT_EQ(pool.in_use(), 0u);
}

// One entry of the table, told again and again, is bounded.
TEST(Hpack, Bomb) {
  AppPool pool(4u << 20);
  Hpack table;
  Hpack::Block block;
  Blob bytes = b({0x40, 1, 'x', 0x7f}) + b({0x81, 0x1e}) + Blob(3968, 'v');
  bytes += Blob(60000, static_cast<char>(0xbe));
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  EXPECT_TRUE(table.decode(exact, block, pool));
  EXPECT_TRUE(block.too_long);
  EXPECT_LE(block.fields.size(), Hpack::kMaxDecoded / 3968 + 1);
  table.release(pool);
  EXPECT_EQ(pool.in_use(), 0u);
}

// --- HTTP/2 ---------------------------------------------------------------------------------------------

Blob frame(unsigned type, unsigned flags, unsigned stream, const Blob& payload) {
  return be(payload.size(), 3) + be(type, 1) + be(flags, 1) + be(stream, 4) + payload;
}
const Blob kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
Blob literal(const Blob& name, const Blob& value) {
  return b({0}) + be(name.size(), 1) + name + be(value.size(), 1) + value;
}
std::vector<Piece> exchange() {
  const Blob request = b({0x82}) + literal(":path", "/a%62c?q=1") +
                       literal(":authority", "Ward.example:8080") + literal("user-agent", "probe");
  return {up(kPreface + frame(4, 0, 0, be(1, 2) + be(8192, 4))), down(frame(4, 0, 0, "")),
          up(frame(1, 1, 1, request.substr(0, 10)) + frame(9, 4, 1, request.substr(10))),
          down(frame(8, 0, 1, be(777, 4)) + frame(1, 4, 1, b({0x88}) + literal("server", "s1"))),
          down(frame(0, 8, 1, b({3}) + "hello" + Blob(3, '\0')) + frame(0, 1, 1, " world"))};
}

TEST(Http2, OneTransactionAStream) {
  Talk talk(kHttp2Entry);
  talk.feed(exchange());
  const RecordingHost& host = talk.host;
  for (const char* line :
       {"2> http.method GET", "2> http.uri /abc?q=1", "2> http.uri.raw /a%62c?q=1",
        "2> http.host ward.example", "2> http.host.raw Ward.example:8080", "2> http.user_agent probe",
        "2> http.header user-agent: probe\\x0d\\x0a",
        "2> http.header_names \\x0d\\x0auser-agent\\x0d\\x0a\\x0d\\x0a",
        "2> http.request_line GET /a%62c?q=1 HTTP/2\\x0d\\x0a", "2< http.stat_code 200", "2< http.server s1",
        "2< http.response_header :status: 200", "2< http.response_body+ hello world", "2< http2.window=777",
        "0> http2.settings[1]=8192", "2> finish", "2< finish"})
    EXPECT_TRUE(host.has(line)) << line << "\n" << host.all();
  for (const std::string& line : host.lines) EXPECT_EQ(line.find("event"), std::string::npos) << line;
}

TEST(Http2, AnySegmentationTellsTheSameBuffers) {
  auto pieces = exchange();
  pieces.pop_back();  // bodies are told as they grow
  any_segmentation(kHttp2Entry, pieces, "2> http.uri /abc?q=1");
}

TEST(Http2, Floods) {
  Talk continuation(kHttp2Entry);
  continuation.feed({up(kPreface + frame(1, 0, 1, b({0x82})))});
  for (int i = 0; i < 100; ++i) continuation.feed(Direction::to_server, frame(9, 0, 1, ""));
  EXPECT_TRUE(continuation.host.has("event http2.too_many_frames"));
  EXPECT_EQ(continuation.last, Fed::failed);
  Talk block(kHttp2Entry);
  block.feed({up(kPreface + frame(1, 0, 1, Blob(16000, 'x')))});
  for (int i = 0; i < 5; ++i) block.feed(Direction::to_server, frame(9, 0, 1, Blob(16000, 'x')));
  EXPECT_TRUE(block.host.has("event http2.reassembly_limit_reached"));
  Talk reset(kHttp2Entry);
  reset.feed(Direction::to_server, kPreface);
  for (unsigned i = 0; i < 300; ++i)
    reset.feed(Direction::to_server,
               frame(1, 5, 2 * i + 1, b({0x82, 0x84})) + frame(3, 0, 2 * i + 1, be(8, 4)));
  EXPECT_EQ(reset.host.count("event http2.rapid_reset"), 1u);
  Talk streams(kHttp2Entry);
  streams.feed(Direction::to_server, kPreface);
  for (unsigned i = 0; i < 1100; ++i)
    streams.feed(Direction::to_server, frame(1, 4, 2 * i + 1, b({0x82, 0x84})));
  EXPECT_TRUE(streams.host.has("event http2.too_many_streams"));
  EXPECT_EQ(streams.last, Fed::ok);
}

// --- SNMP -----------------------------------------------------------------------------------------------

TEST(Snmp, CommunityAndTrap) {
  Talk talk(kSnmpEntry);
  const Blob get = tlv(0xa1, tlv(2, b({1})) + tlv(2, b({0})) + tlv(2, b({0})) + tlv(0x30, ""));
  talk.feed(Direction::to_server, tlv(0x30, tlv(2, b({1})) + tlv(4, "public") + get), true);
  const Blob trap = tlv(0xa4, tlv(6, b({0x2b, 6, 1, 4, 1, 0x84, 0x01})) + tlv(0x40, b({10, 0, 0, 7})) +
                                  tlv(2, b({6})) + tlv(2, b({1})) + tlv(0x43, b({1})) + tlv(0x30, ""));
  talk.feed(Direction::to_server, tlv(0x30, tlv(2, b({0})) + tlv(4, "trap") + trap), true);
  talk.feed(Direction::to_server, tlv(0x30, tlv(2, b({0})) + tlv(4, "cut") + b({0xa0, 9})), true);
  for (const char* line : {"0> snmp.community public", "0> snmp.version=2", "0> snmp.pdu_type=1",
                           "1> snmp.trap_oid 1.3.6.1.4.1.513", "1> snmp.trap_address 10.0.0.7",
                           "event snmp.version_mismatch", "event snmp.malformed_data"})
    EXPECT_TRUE(talk.host.has(line)) << line << "\n" << talk.host.all();
}

// --- Kerberos -------------------------------------------------------------------------------------------

Blob name(const Blob& a) {
  return tlv(0x30, tlv(0xa0, tlv(2, b({1}))) + tlv(0xa1, tlv(0x30, tlv(27, a))));
}
TEST(Krb5, RequestAndErrorOverTcp) {
  const Blob body =
      tlv(0x30, tlv(0xa0, tlv(3, b({0, 0}))) + tlv(0xa1, name("nurse")) + tlv(0xa3, name("krbtgt")));
  const Blob request =
      tlv(0x6a, tlv(0x30, tlv(0xa1, tlv(2, b({5}))) + tlv(0xa2, tlv(2, b({10}))) + tlv(0xa4, body)));
  const Blob error = tlv(0x7e, tlv(0x30, tlv(0xa0, tlv(2, b({5}))) + tlv(0xa1, tlv(2, b({30}))) +
                                             tlv(0xa6, tlv(2, b({25}))) + tlv(0xaa, name("krbtgt"))));
  const std::vector<Piece> pieces = {up(be(request.size(), 4) + request), down(be(error.size(), 4) + error)};
  any_segmentation(kKrb5TcpEntry, pieces, "0> krb5.cname nurse");
  Talk talk(kKrb5TcpEntry);
  talk.feed(pieces);
  for (const char* line :
       {"0> krb5_msg_type=10", "0> krb5.sname krbtgt", "1< krb5_err_code=25", "1< krb5.sname krbtgt"})
    EXPECT_TRUE(talk.host.has(line)) << line << "\n" << talk.host.all();
  Talk huge(kKrb5TcpEntry);
  huge.feed(Direction::to_server, be(0x7fffffff, 4) + "x");
  EXPECT_EQ(huge.last, Fed::failed);
}

// --- RFB ------------------------------------------------------------------------------------------------

TEST(Rfb, Handshake) {
  const std::vector<Piece> pieces = {down("RFB 003.008\n"),
                                     up("RFB 003.008\n"),
                                     down(b({1, 2})),
                                     up(b({2})),
                                     down(Blob(16, 'c')),
                                     up(Blob(16, 'r')),
                                     down(be(0, 4)),
                                     up(b({1})),
                                     down(Blob(20, 'p') + be(4, 4) + "desk")};
  any_segmentation(kRfbEntry, pieces, "0< rfb.name desk");
  Talk talk(kRfbEntry);
  talk.feed(pieces);
  EXPECT_TRUE(talk.host.has("0> rfb.sectype=2")) << talk.host.all();
  EXPECT_TRUE(talk.host.has("0< rfb.secresult=0"));
  Talk endless(kRfbEntry);
  endless.feed({down("RFB 003.008\n"), up("RFB 003.008\n"), down(b({0}) + be(0x10000000, 4)), down("x")});
  EXPECT_EQ(endless.last, Fed::failed);
}

// --- MQTT -----------------------------------------------------------------------------------------------

Blob text(const Blob& s) {
  return be(s.size(), 2) + s;
}
Blob mqtt(unsigned head, const Blob& body) {
  return be(head, 1) + be(body.size(), 1) + body;
}
TEST(Mqtt, ConnectAndSubscribe) {
  const std::vector<Piece> pieces = {
      up(mqtt(0x10, text("MQTT") + b({4, 0xc2, 0, 60}) + text("pump-7") + text("user") + text("pass"))),
      down(mqtt(0x20, b({0, 0}))), up(mqtt(0x82, be(9, 2) + text("ward/1") + b({0}))),
      down(mqtt(0x90, be(9, 2) + b({0}))), up(mqtt(0x30, text("ward/1") + "alarm"))};
  any_segmentation(kMqttEntry, pieces, "1> mqtt.subscribe.topic ward/1");
  Talk talk(kMqttEntry);
  talk.feed(pieces);
  for (const char* line :
       {"0> mqtt.connect.clientid pump-7", "0> mqtt.connect.username user", "0> mqtt.connect.password pass",
        "0> mqtt.type=1", "0> mqtt.type=2", "0> mqtt.protocol_version=4", "1> mqtt.type=9",
        "1> mqtt.reason_code=0", "2> mqtt.publish.topic ward/1", "2> mqtt.publish.message alarm"})
    EXPECT_TRUE(talk.host.has(line)) << line << "\n" << talk.host.all();
  Talk bad(kMqttEntry);
  bad.feed({down(mqtt(0x20, b({0, 0}))), up(mqtt(0x82, be(9, 2) + be(99, 2)))});
  EXPECT_TRUE(bad.host.has("event mqtt.missing_connect"));
  EXPECT_TRUE(bad.host.has("event mqtt.malformed_traffic"));
  EXPECT_EQ(bad.last, Fed::failed);
}

// --- SIP ------------------------------------------------------------------------------------------------

TEST(Sip, InviteWithSdp) {
  const Blob sdp =
      "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=call\r\ni=about\r\nm=audio 3000 RTP/AVP 0\r\ni=media\r\n";
  const Blob invite =
      "INVITE sip:bed@ward SIP/2.0\r\nv: SIP/2.0/UDP a\r\nFrom: <sip:a,b@x>, \"q,\" <sip:c@x>\r\nt: "
      "sip:bed\r\n"
      "c: application/sdp\r\nl: " +
      std::to_string(sdp.size()) + "\r\n\r\n" + sdp;
  const std::vector<Piece> pieces = {up(invite + invite), down("SIP/2.0 180 Ringing\r\nTo: x\r\n\r\n")};
  any_segmentation(kSipTcpEntry, pieces, "1> sdp.media.media_info media");
  Talk talk(kSipTcpEntry);
  talk.feed(pieces);
  for (const char* line : {"0> sip.method INVITE", "0> sip.uri sip:bed@ward", "0> sip.from <sip:a,b@x>",
                           "0> sip.from \"q,\" <sip:c@x>", "0> sip.to sip:bed", "0> sip.via SIP/2.0/UDP a",
                           "0> sdp.session_info about", "0> sdp.media.media audio 3000 RTP/AVP 0",
                           "2< sip.stat_code 180", "2< sip.stat_msg Ringing"})
    EXPECT_TRUE(talk.host.has(line)) << line << "\n" << talk.host.all();
  Talk endless(kSipTcpEntry);
  endless.feed(Direction::to_server, "INVITE sip:x SIP/2.0\r\n" + Blob(70000, 'x'));
  EXPECT_TRUE(endless.host.has("event sip.incomplete_data"));
}

}  // namespace
}  // namespace sekisho::app
