#include "control/events/eve.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/events/events_fixture.h"

namespace sekisho {
namespace {

using control::EveFormatter;
using control::Names;
using nlohmann::json;

std::vector<control::AssetName> assets() {
  control::AssetName a;
  a.address.bytes = {10, 20, 0, 10};
  a.name = "PACS 第一";
  return {a};
}

json format(const abi::Event& event, std::uint64_t generation = 7) {
  EveFormatter formatter(EveFormatter::Zone::utc);
  const Names names(test::site(), generation, assets());
  std::string line;
  formatter.append(line, event, names);
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(line.find('\n'), line.size() - 1) << "one line";
  return json::parse(line);
}

TEST(Eve, FlowHasSuricatasFields) {
  const json e = format(test::flow_end());
  EXPECT_EQ(e["timestamp"], "1970-01-01T00:00:10.123456+0000");
  EXPECT_EQ(e["event_type"], "flow");
  EXPECT_EQ(e["flow_id"], 99);
  EXPECT_EQ(e["in_iface"], "device0");
  EXPECT_EQ(e["src_ip"], "10.20.1.5");
  EXPECT_EQ(e["src_port"], 40000);
  EXPECT_EQ(e["dest_ip"], "10.20.0.10");
  EXPECT_EQ(e["dest_port"], 104);
  EXPECT_EQ(e["proto"], "TCP");
  EXPECT_EQ(e["flow"], json::parse(R"({"pkts_toserver":5,"pkts_toclient":6,"bytes_toserver":700,
    "bytes_toclient":800,"start":"1970-01-01T00:00:04.000000+0000","end":"1970-01-01T00:00:10.123456+0000",
    "age":6,"reason":"tcp_fin","state":"closed"})"));
  EXPECT_EQ(e["tcp"]["tcp_flags_ts"], "1b");
  EXPECT_EQ(e["sekisho"]["link"], "device-his");
  EXPECT_EQ(e["sekisho"]["from_zone"], "device");
  EXPECT_EQ(e["sekisho"]["to_zone"], "his");
  EXPECT_EQ(e["sekisho"]["wire"], "clinical");
  EXPECT_EQ(e["sekisho"]["rule"], "images\n");
  EXPECT_EQ(e["sekisho"]["rule_at"], "config/demo.toml:112");
  EXPECT_EQ(e["sekisho"]["dest_asset"], "PACS 第一");
}

TEST(Eve, DropHasItsReasonAndExplanation) {
  abi::Event event = test::event(abi::EventKind::drop);
  event.from_zone = 2;
  event.verdict = abi::Verdict::drop;
  event.drop_reason = static_cast<std::uint8_t>(abi::DropReason::link_cut);
  event.outer_vlan = 100;
  event.inner_vlan = 10;
  const json e = format(event);
  EXPECT_EQ(e["event_type"], "drop");
  EXPECT_EQ(e["drop"]["reason"], "link_cut");
  EXPECT_EQ(e["sekisho"]["reason"], "link_cut");
  EXPECT_EQ(e["sekisho"]["explanation"], "the link between these zones is cut");
  EXPECT_EQ(e["sekisho"]["from_zone"], "vendor \"A\"");
  EXPECT_EQ(e["vlan"], json({100, 10}));
  EXPECT_FALSE(e.contains("flow"));
  EXPECT_FALSE(e.contains("flow_id"));
  EXPECT_FALSE(e["sekisho"].contains("rule")) << "decided by the default";
}

TEST(Eve, RuleNamesOfAnotherGenerationAreNotUsed) {
  EXPECT_FALSE(format(test::flow_end(), 8)["sekisho"].contains("rule"));
}

TEST(Eve, IcmpAndIpv6) {
  abi::Event event = test::event(abi::EventKind::anomaly);
  event.ip_version = 6;
  event.protocol = 58;
  event.source_port = 128;
  event.destination_port = 0;
  const std::uint8_t a[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  std::memcpy(event.source, a, 16);
  const json e = format(event);
  EXPECT_EQ(e["src_ip"], "2001:db8::1");
  EXPECT_EQ(e["proto"], "IPv6-ICMP");
  EXPECT_EQ(e["icmp_type"], 128);
  EXPECT_EQ(e["icmp_code"], 0);
  EXPECT_FALSE(e.contains("src_port"));
}

TEST(Eve, FramesWithoutIp) {
  abi::Event event{};
  event.kind = abi::EventKind::drop;
  event.ethertype = 0x88cc;
  event.source_mac[5] = 0xab;
  event.in_interface = 0xffff;
  const json e = format(event);
  EXPECT_EQ(e["ether_type"], 0x88cc);
  EXPECT_EQ(e["ether"]["src_mac"], "00:00:00:00:00:ab");
  EXPECT_FALSE(e.contains("src_ip"));
  EXPECT_FALSE(e.contains("in_iface"));
}

// Every byte pattern is JSON, whatever a broken dataplane writes into its ring.
TEST(Eve, AnyBytesGiveALine) {
  std::uint64_t x = 88172645463325252ull;
  EveFormatter formatter;
  const Names names(test::site(), 7, assets());
  for (int round = 0; round < 20000; ++round) {
    abi::Event event;
    auto* bytes = reinterpret_cast<unsigned char*>(&event);
    for (std::size_t i = 0; i < sizeof event; ++i) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      bytes[i] = static_cast<unsigned char>(x >> 32);
    }
    // kinds and versions that are known more often than chance gives
    if (round % 2 == 0) event.kind = static_cast<abi::EventKind>(x % 8);
    if (round % 3 != 0) event.ip_version = x % 5 == 0 ? 4 : 6;
    if (round % 5 == 0) event.snapshot_generation = 7;
    std::string line;
    formatter.append(line, event, names);
    ASSERT_TRUE(json::accept(line)) << line;
  }
}

TEST(Eve, EscapesWhatJsonForbids) {
  const auto escape = [](std::string_view text) {
    std::string out;
    control::append_json_escaped(out, text);
    return out;
  };
  EXPECT_EQ(escape("a\"b\\c\n\x01\x7f"), "a\\\"b\\\\c\\n\\u0001\\u007f");
  EXPECT_EQ(escape("病棟"), "病棟");
  EXPECT_EQ(escape("\xff\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(escape("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "a surrogate";
  EXPECT_EQ(escape("\xf0\x9f\x8f"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "cut off";
  EXPECT_EQ(escape("\xf0\x9f\x8f\xa5"), "\xf0\x9f\x8f\xa5");
}

TEST(Eve, TimesFollowTheOffset) {
  EveFormatter formatter(EveFormatter::Zone::utc);
  formatter.set_wall_offset(1'795'430'547ll * 1'000'000'000);
  std::string text;
  formatter.append_time(text, 999'999);
  EXPECT_EQ(text, "2026-11-23T10:42:27.000999+0000");
  text.clear();
  formatter.append_time(text, 1'000'000'000);
  EXPECT_EQ(text, "2026-11-23T10:42:28.000000+0000");
  text.clear();
  formatter.append_time(text, UINT64_MAX);
  EXPECT_FALSE(text.empty());
}

}  // namespace
}  // namespace sekisho
