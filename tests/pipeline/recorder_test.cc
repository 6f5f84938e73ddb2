// What the flight recorder keeps of packets that went through the whole pipeline.
#include "dataplane/pipeline/recorder.h"
#include "control/recorder/packet_match.h"
#include "control/recorder/ring_copy.h"
#include "tests/pipeline/gateway_fixture.h"

namespace sekisho::test {
namespace {

constexpr std::uint64_t kRing = 4 * abi::kRecorderBlock;

struct Kept {
  abi::RecordHeader header;
  std::uint64_t generation;
  Bytes frame;
  DropReason reason() const { return static_cast<DropReason>(header.reason); }
};

TestWorld recorded(const std::string& toml, const std::string& signatures = "") {
  return TestWorld(toml, 1024, {.signatures = signatures, .recorder_bytes = kRing});
}

std::vector<Kept> kept_in(const TestWorld& w, control::RingCopyCount* count = nullptr) {
  std::vector<Kept> out;
  const auto n = control::copy_ring(
      *reinterpret_cast<const abi::RecorderRing*>(w.recorder.get()), kRing, 0,
      [&](const control::RecordedPacket& p) {
        out.push_back({p.header, p.generation, Bytes(p.frame, p.frame + p.header.captured)});
        return true;
      });
  if (count != nullptr) *count = n;
  return out;
}

std::string allow(std::uint16_t port) {
  return "[[rule]]\nname = \"it\"\nfrom = \"clinic\"\nto = \"servers\"\nservice = { tcp = " +
         std::to_string(port) + " }\naction = \"accept\"\n";
}

bool holds(const Bytes& frame, const std::string& text) {
  return std::search(frame.begin(), frame.end(), text.begin(), text.end()) != frame.end();
}

TEST(Recorder, KeepsWhatPassedAndWhatWasDroppedWithItsReason) {
  TestWorld w = recorded(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("hello"), DropReason::none);
  const Bytes refused = eth().ip4("10.0.0.1", "10.1.0.1").tcp(40001, 23).syn().build();
  ASSERT_EQ(w.in(0, refused), DropReason::policy_default);
  Bytes broken = eth().ip4("10.0.0.1", "10.1.0.1").tcp(40001, 445).syn().build();
  broken[14 + 20 + 16] ^= 1;
  ASSERT_EQ(w.in(0, broken), DropReason::tcp_checksum);
  const auto kept = kept_in(w);
  ASSERT_EQ(kept.size(), 6u);
  const std::uint64_t flow = w.flows().at(0).flow_id;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(kept[i].reason(), DropReason::none);
    EXPECT_EQ(kept[i].header.flow_id, flow) << i;
    EXPECT_EQ(kept[i].header.time_ns, w.now_ns);
    EXPECT_EQ(kept[i].generation, w.generation);
  }
  EXPECT_EQ(kept[0].header.port, 0);
  EXPECT_EQ(kept[1].header.port, 1);
  EXPECT_EQ(kept[0].header.flags & abi::record_flag::kFromInitiator, abi::record_flag::kFromInitiator);
  EXPECT_EQ(kept[1].header.flags & abi::record_flag::kFromInitiator, 0);
  EXPECT_TRUE(holds(kept[3].frame, "hello"));
  EXPECT_EQ(kept[4].reason(), DropReason::policy_default);
  EXPECT_EQ(kept[4].frame, refused);
  EXPECT_EQ(kept[4].header.flow_id, 0u);
  EXPECT_EQ(kept[5].reason(), DropReason::tcp_checksum);
  EXPECT_EQ(kept[5].header.verdict, static_cast<std::uint8_t>(Verdict::drop));
}

TEST(Recorder, KeepsPacketsFromBeforeTheFirstSnapshot) {
  TestWorld w = recorded("");
  w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").udp(1, 2).payload("secret").build());
  const auto kept = kept_in(w);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].reason(), DropReason::no_snapshot);
  EXPECT_FALSE(holds(kept[0].frame, "secret"));
}

TEST(Recorder, NamesTheSignatureThatDropped) {
  TestWorld w =
      recorded(site_toml(kAllowSmb), "drop tcp any any -> any any (msg:\"x\"; content:\"evil!\"; sid:7;)");
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("this is evil!"), DropReason::signature);
  ASSERT_EQ(w.in(0, t.up().ack(t.s).psh().payload("more").build()), DropReason::flow_condemned);
  const auto kept = kept_in(w);
  ASSERT_EQ(kept.size(), 5u);
  EXPECT_EQ(kept[3].reason(), DropReason::signature);
  EXPECT_EQ(kept[3].header.signature, 0u);
  EXPECT_EQ(kept[3].header.flow_id, kept[0].header.flow_id);
  EXPECT_EQ(kept[4].reason(), DropReason::flow_condemned);
  EXPECT_EQ(kept[4].header.flow_id, kept[0].header.flow_id);
}

TEST(Recorder, CutsAFrameAtTheSnapLength) {
  TestWorld w = recorded(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say(std::string(1000, 'x')), DropReason::none);
  const auto kept = kept_in(w);
  EXPECT_EQ(kept.back().header.captured, 256);
  EXPECT_EQ(kept.back().header.length, 14 + 20 + 20 + 1000u);
}

TEST(Recorder, RecordPayloadOfALinkDecides) {
  for (const char* choice : {"none", "all", "clinical"}) {
    const bool clinical = std::string(choice) == "clinical";
    const std::string link =
        clinical ? "clinical = true\n" : "record_payload = \"" + std::string(choice) + "\"\n";
    TestWorld w = recorded(site_toml(kAllowSmb, link));
    Conversation t{w};
    ASSERT_EQ(t.established(), DropReason::none);
    ASSERT_EQ(t.say("PATIENT" + std::string(1000, 'x')), DropReason::none);
    const auto kept = kept_in(w);
    EXPECT_EQ(kept.back().header.captured, std::string(choice) == "all" ? 1061 : 54) << choice;
  }
}

// PS3.8 9.3.1: an A-ASSOCIATE-RQ, then a P-DATA-TF in several segments.
std::string associate() {
  std::string pdu("\x01\x00\x00\x00\x00\x48\x00\x01\x00\x00", 10);
  pdu += "PACS            CT2             ";
  return pdu + std::string(6 + 72 - pdu.size(), '\0');
}

TEST(Recorder, LeavesDicomOutByPort) {
  for (const std::uint16_t port : {104, 11112, 2762, 2575}) {
    TestWorld w = recorded(site_toml(allow(port)));
    Conversation t{w, port};
    ASSERT_EQ(t.established(), DropReason::none);
    ASSERT_EQ(t.say("PATIENT^NAME"), DropReason::none);
    ASSERT_EQ(t.answer("PATIENT^NAME"), DropReason::none);
    const auto kept = kept_in(w);
    ASSERT_EQ(kept.size(), 5u);
    for (const Kept& k : {kept[3], kept[4]}) {
      EXPECT_EQ(k.header.captured, 54) << port;
      EXPECT_EQ(k.header.flags & abi::record_flag::kWithheld, abi::record_flag::kWithheld);
      EXPECT_EQ(k.header.length, 54 + 12u);
    }
  }
}

TEST(Recorder, LeavesDicomOutOnAnyPortOnceItHasBeenSpoken) {
  TestWorld w = recorded(site_toml(allow(5000)));
  Conversation t{w, 5000};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say(associate()), DropReason::none);
  ASSERT_EQ(t.say(std::string("\x04\x00\x00\x00\x10\x00\x00\x00\x0f\xfc\x01\x00", 12)), DropReason::none);
  // A later segment that looks like nothing.
  ASSERT_EQ(t.say("YAMADA^TARO"), DropReason::none);
  ASSERT_EQ(t.answer("SUZUKI^HANAKO"), DropReason::none);
  const auto kept = kept_in(w);
  ASSERT_EQ(kept.size(), 7u);
  for (std::size_t i = 3; i < 7; ++i) EXPECT_EQ(kept[i].header.captured, 54) << i;
}

TEST(Recorder, LeavesHl7OutOnAnyPort) {
  TestWorld w = recorded(site_toml(allow(6000)));
  Conversation t{w, 6000};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("\x0bMSH|^~\\&|LAB|H|HIS|H|20260101||ORU^R01|1|P|2.5\rPID|1||YAMADA\r"), DropReason::none);
  ASSERT_EQ(t.say("OBX|1|TX|YAMADA"), DropReason::none);
  for (const Kept& k : kept_in(w)) EXPECT_FALSE(holds(k.frame, "YAMADA"));
}

TEST(Recorder, TellsClinicalFirstBytes) {
  const auto looks = [](const std::string& s) {
    return pipeline::looks_clinical(reinterpret_cast<const std::uint8_t*>(s.data()),
                                    static_cast<std::uint32_t>(s.size()));
  };
  EXPECT_TRUE(looks(associate()));
  EXPECT_TRUE(looks(std::string("\x05\x00\x00\x00\x00\x04", 6) + std::string(4, '\0')));
  EXPECT_TRUE(looks("\x0bMSH|"));
  EXPECT_FALSE(looks(""));
  EXPECT_FALSE(looks("GET / HTTP/1.1"));
  EXPECT_FALSE(looks(std::string("\x03\x00\x00\x13\x0e\xe0", 6))) << "RDP's TPKT";
  EXPECT_FALSE(looks(std::string("\x04\x01\x00\x50\x0a\x00", 6))) << "SOCKS4";
  EXPECT_FALSE(looks("Makefile"));
}

TEST(Recorder, KeepsFragmentsWithTheVerdictOfTheirDatagram) {
  TestWorld w = recorded(site_toml(R"([[rule]]
name = "dns"
from = "clinic"
to = "servers"
service = { udp = 53 }
action = "accept"
)"));
  const Bytes whole = eth().ip4("10.0.0.1", "10.1.0.1").udp(5353, 53).payload(std::string(64, 'q')).build();
  // The builder would make a header of its own for a first piece: that one is cut out of the whole.
  Bytes first(whole.begin(), whole.begin() + 34 + 40);
  first[17] = 60;
  first[18] = 0, first[19] = 9;
  first[20] = 0x20;
  first[24] = first[25] = 0;
  store_be16(&first[24], internet_checksum(Bytes(first.begin() + 14, first.begin() + 34)));
  const Bytes last = eth()
                         .ip4("10.0.0.1", "10.1.0.1")
                         .ip_id(9)
                         .protocol(17)
                         .fragment4(40, false)
                         .payload(Bytes(whole.begin() + 34 + 40, whole.end()))
                         .build();
  w.in(0, last);
  EXPECT_TRUE(kept_in(w).empty()) << "not judged yet";
  ASSERT_EQ(w.in(0, first), DropReason::none);
  const auto kept = kept_in(w);
  ASSERT_EQ(kept.size(), 2u);
  for (const Kept& k : kept) {
    EXPECT_EQ(k.reason(), DropReason::none);
    EXPECT_EQ(k.header.flags & abi::record_flag::kPiece, abi::record_flag::kPiece);
    EXPECT_EQ(k.header.flow_id, w.flows().at(0).flow_id);
    EXPECT_FALSE(holds(k.frame, "q"));
  }
  EXPECT_EQ(kept[0].header.captured, 34 + 8) << "the first piece with its ports";
  EXPECT_EQ(kept[1].header.captured, 34);
  // Fragments that nobody completes are recorded when they are given up.
  w.in(0, last);
  w.wait(60 * kSecond);
  ASSERT_EQ(kept_in(w).size(), 3u);
  EXPECT_EQ(kept_in(w).back().reason(), DropReason::fragment_timeout);
}

TEST(Recorder, KeepsTheFrameAsItCameInFromATaggedInterface) {
  TestWorld w = recorded(site_toml(kAllowSmb));
  const Bytes in = eth().vlan(10).ip4("10.0.0.1", "10.1.0.1").tcp(1, 445).syn().build();
  ASSERT_EQ(w.in(2, in), DropReason::none);
  ASSERT_EQ(kept_in(w).size(), 1u);
  EXPECT_EQ(kept_in(w)[0].frame, in);
}

TEST(Recorder, ARingThatIsFullKeepsTheNewestAndANewSnapshotABlockOfItsOwn) {
  TestWorld w = recorded(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  std::string last;
  for (int i = 0; i < 3000; ++i) {
    last = "number " + std::to_string(i);
    ASSERT_EQ(t.say(last), DropReason::none);
    if (i % 7 == 0) w.now_ns += kMillisecond;
  }
  control::RingCopyCount count;
  auto kept = kept_in(w, &count);
  EXPECT_EQ(count.damaged, 0u);
  EXPECT_EQ(count.overwritten, 0u);
  // All blocks but the oldest and the one behind it, which the writer has claimed; records of 128 bytes.
  EXPECT_GT(kept.size(), 2 * (abi::kRecorderBlock - 200) / (48 + 80));
  ASSERT_LT(kept.size(), 3003u);
  EXPECT_TRUE(holds(kept.back().frame, last));
  for (std::size_t i = 1; i < kept.size(); ++i) ASSERT_LE(kept[i - 1].header.time_ns, kept[i].header.time_ns);

  w.load(site_toml(kAllowSmb));
  ASSERT_EQ(t.say("under the new one"), DropReason::none);
  kept = kept_in(w, &count);
  EXPECT_EQ(count.damaged, 0u);
  EXPECT_EQ(kept.back().generation, w.generation);
  EXPECT_EQ(kept[kept.size() - 2].generation, w.generation - 1);
}

TEST(Recorder, AFlowsPacketsAreFoundByItsEndsToo) {
  const Bytes a = eth().vlan(5).ip4("10.0.0.1", "10.1.0.1").tcp(40000, 445).syn().build();
  const Bytes b = eth().ip4("10.1.0.1", "10.0.0.1").tcp(445, 40000).syn().ack(1).build();
  const Bytes c = eth().ip6("fd00::1", "fd00::2").hop_by_hop().udp(1000, 53).payload("x").build();
  const auto ends = [](const Bytes& f) {
    return control::ends_of(f.data(), static_cast<std::uint32_t>(f.size()));
  };
  const control::FlowEnds flow{ends(a)};
  EXPECT_EQ(flow.ends.source_port, 40000);
  EXPECT_TRUE(flow.matches(ends(b)));
  EXPECT_FALSE(flow.matches(ends(c)));
  EXPECT_FALSE(flow.matches(ends(eth().ip4("10.1.0.1", "10.0.0.1").tcp(445, 40001).syn().build())));
  EXPECT_EQ(ends(c).version, 6);
  EXPECT_EQ(ends(c).destination_port, 53);
  for (std::size_t n = 0; n < c.size(); ++n) control::ends_of(c.data(), static_cast<std::uint32_t>(n));
  control::PacketMatch host;
  host.host = control::Address{4, {10, 1, 0, 1}};
  abi::RecordHeader h{};
  h.captured = static_cast<std::uint16_t>(a.size());
  EXPECT_TRUE(host.takes({h, 1, a.data()}, 0));
  h.captured = static_cast<std::uint16_t>(c.size());
  EXPECT_FALSE(host.takes({h, 1, c.data()}, 0));
}

}  // namespace
}  // namespace sekisho::test
