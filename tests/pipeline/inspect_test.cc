// Signatures in the pipeline: what is dropped, when, what it covers, and what is told.
#include "tests/pipeline/gateway_fixture.h"

namespace sekisho::test {
namespace {

const std::string kAllowAll = R"(
[[rule]]
name = "all"
from = "any"
to = "any"
action = "accept"
)";

constexpr const char* kEvil =
    "drop http any any -> any any (msg:\"evil\"; http.uri; content:\"/evil\"; sid:1;)\n";

Inspected with(const std::string& signatures, abi::IpsMode mode = abi::IpsMode::prevent) {
  Inspected i;
  i.signatures = signatures;
  i.mode = mode;
  return i;
}

TEST(Inspect, ARequestIsDroppedBeforeItLeavesAndItsFlowIsCondemned) {
  TestWorld w(site_toml(kAllowAll), 1024, with(kEvil));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("GET /good HTTP/1.1\r\nHost: a\r\n\r\n"), DropReason::none);
  ASSERT_EQ(t.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), DropReason::none);
  w.sent.clear();
  EXPECT_EQ(t.say("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"), DropReason::signature);
  EXPECT_TRUE(w.sent.empty());
  EXPECT_EQ(w.alerts(), "1!");
  EXPECT_EQ(t.say("GET /good HTTP/1.1\r\nHost: a\r\n\r\n"), DropReason::flow_condemned);
  EXPECT_EQ(t.answer("x"), DropReason::flow_condemned);
  EXPECT_EQ(w.counters->signature_drops, 1u);
  const auto drops = w.of_kind(abi::EventKind::drop);
  ASSERT_GE(drops.size(), 1u);
  EXPECT_EQ(w.info.signatures.at(drops[0].rule).sid, 1u) << "the drop names its signature";
}

TEST(Inspect, ACondemnedFlowThatComesAgainStaysOut) {
  TestWorld w(site_toml(kAllowAll), 1024, with(kEvil));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("GET /evil HTTP/1.1\r\n\r\n"), DropReason::signature);
  // Retransmissions for longer than the tombstone's time keep it alive.
  for (int i = 0; i < 40; ++i) {
    w.wait(5 * kSecond);
    ASSERT_EQ(t.say("GET /evil HTTP/1.1\r\n\r\n"), DropReason::flow_condemned) << i;
  }
  EXPECT_EQ(Conversation{w}.syn(), DropReason::flow_condemned);
}

// More transactions end in one segment than are kept: what was found in the first of them still counts.
TEST(Inspect, AMatchOutlivesThousandsOfTransactionsInItsSegment) {
  TestWorld w(
      site_toml(kAllowAll), 1024,
      with("drop mqtt any any -> any any (msg:\"evil\"; mqtt.publish.topic; content:\"evil\"; sid:1;)\n"));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  const auto message = [](char type, const std::string& body) {
    return std::string(1, type) + static_cast<char>(body.size()) + body;
  };
  using namespace std::string_literals;
  ASSERT_EQ(t.say(message('\x10', "\0\x04MQTT\x04\x02\0\x3c\0\x01z"s)), DropReason::none);
  ASSERT_EQ(t.answer(message('\x20', "\0\0"s)), DropReason::none);
  std::string many = message('\x30', "\0\4evilx"s);
  for (int i = 0; i < 700; ++i) many += "\xc0\0"s;  // PINGREQ
  EXPECT_EQ(t.say(many), DropReason::signature);
  EXPECT_EQ(w.alerts(), "1!");
}

TEST(Inspect, ASignatureOnBothSidesIsJudgedWithTheAnswer) {
  const auto run = [](const std::string& rest, const std::string& uri, const std::string& answer) {
    TestWorld w(site_toml(kAllowAll), 1024,
                with("drop http any any => any 445 (msg:\"both\"; sid:1; " + rest + ")\n"));
    Conversation t{w};
    EXPECT_EQ(t.established(), DropReason::none);
    EXPECT_EQ(t.say("GET " + uri + " HTTP/1.1\r\nX-Side: client\r\n\r\n"), DropReason::none);
    t.answer("HTTP/1.1 " + answer + "\r\nX-Side: server\r\nContent-Length: 2\r\n\r\nok");
    return w.alerts();
  };
  const std::string both = "http.uri; content:\"/download\"; http.stat_code; content:\"200\";";
  EXPECT_EQ(run(both, "/download", "200 OK"), "1!");
  EXPECT_EQ(run(both, "/upload", "200 OK"), "");
  EXPECT_EQ(run(both, "/download", "404 No"), "");
  const std::string sides =
      "bidir.toserver; http.header; content:\"client\"; bidir.toclient; http.header; content:\"server\";";
  EXPECT_EQ(run(sides, "/", "200 OK"), "1!");
  const std::string wrong =
      "bidir.toserver; http.header; content:\"server\"; bidir.toclient; http.header; content:\"client\";";
  EXPECT_EQ(run(wrong, "/", "200 OK"), "");
}

// A body is file.data, and is scanned once for both names; in a form only the files are.
TEST(Inspect, ABodyOfHttpIsAFile) {
  const auto run = [](const std::string& signature, const std::string& request, const std::string& answer) {
    TestWorld w(site_toml(kAllowAll), 1024,
                with("alert " + signature +
                     "\nalert http any any -> any any (http.response_body; "
                     "content:\"never-there\"; sid:2;)\n"));
    Conversation t{w};
    EXPECT_EQ(t.established(), DropReason::none);
    EXPECT_EQ(t.say(request), DropReason::none);
    EXPECT_EQ(t.answer(answer), DropReason::none);
    return w.alerts();
  };
  const std::string get = "GET /f HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string plain = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  const std::string body = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nMZ-dangerous";
  const auto post = [](const std::string& type, const std::string& text) {
    return "POST /f HTTP/1.1\r\nHost: h\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text;
  };
  const std::string http = "http any any -> any any (file.data; content:\"dangerous\"; sid:1;)";
  const std::string tcp = "tcp any any -> any any (file.data; content:\"MZ\"; startswith; sid:1;)";
  const std::string unnamed = "http any any -> any any (flow:to_client; file.data; pcre:\"/^M.-d/\"; sid:1;)";
  EXPECT_EQ(run(http, get, body), "1");
  EXPECT_EQ(run(tcp, get, body), "1");
  EXPECT_EQ(run(unnamed, get, body), "1");
  EXPECT_EQ(run(http, post("text/plain", "a dangerous one"), plain), "1");
  EXPECT_EQ(run(tcp, post("text/plain", "no MZ at the start"), plain), "");
  const auto form = [](const std::string& name, const std::string& text) {
    return "--B\r\nContent-Disposition: form-data; name=\"" + name +
           "\"\r\n\r\nvalue\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n" +
           text + "\r\n--B--\r\n";
  };
  const std::string kind = "multipart/form-data; boundary=B";
  EXPECT_EQ(run(tcp, post(kind, form("field", "MZ-dangerous")), plain), "1");
  EXPECT_EQ(run(http, post(kind, form("dangerous", "harmless")), plain), "");
}

// The line's own protocols pass without a flow and without policy, but not unseen.
TEST(Inspect, ARouterThatAnnouncesItsEndIsStopped) {
  TestWorld w(
      site_toml(kAllowAll), 1024,
      with("drop icmpv6 any any -> any any (itype:134; icmpv6.hdr; content:\"|00 00|\"; offset:6; depth:2; "
           "sid:1;)\n"));
  const auto advertisement = [](std::uint16_t lifetime) {
    return eth()
        .ip6("fe80::1", "ff02::1")
        .ttl(255)
        .icmp(134, 0, 0x40000000u | lifetime)
        .payload(Bytes(8))
        .build();
  };
  EXPECT_EQ(w.in(1, advertisement(1800)), DropReason::none);
  EXPECT_EQ(w.in(1, advertisement(0)), DropReason::signature);
  EXPECT_EQ(w.alerts(), "1!");
}

TEST(Inspect, DetectOnlyAlerts) {
  TestWorld w(site_toml(kAllowAll), 1024, with(kEvil, abi::IpsMode::detect));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  EXPECT_EQ(t.say("GET /evil HTTP/1.1\r\n\r\n"), DropReason::none);
  EXPECT_EQ(w.alerts(), "1");
  EXPECT_NE(w.of_kind(abi::EventKind::alert)[0].detail & abi::event_detail::kClosedLink, 0);
}

TEST(Inspect, OffLooksAtNothing) {
  TestWorld w(site_toml(kAllowAll), 1024, with(kEvil, abi::IpsMode::off));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  EXPECT_EQ(t.say("GET /evil HTTP/1.1\r\n\r\n"), DropReason::none);
  EXPECT_EQ(w.alerts(), "");
}

TEST(Inspect, TheLinkDecidesWhatASignatureDoes) {
  const std::string alert = "alert http any any -> any any (http.uri; content:\"/evil\"; sid:1;)\n";
  const auto run = [&](abi::IpsAction action) {
    Inspected i = with(alert);
    i.actions = {static_cast<std::uint8_t>(action)};
    TestWorld w(site_toml(kAllowAll), 1024, i);
    Conversation t{w};
    EXPECT_EQ(t.established(), DropReason::none);
    const DropReason r = t.say("GET /evil HTTP/1.1\r\n\r\n");
    return std::make_pair(r, w.alerts());
  };
  EXPECT_EQ(run(abi::IpsAction::as_written), std::make_pair(DropReason::none, std::string("1")));
  EXPECT_EQ(run(abi::IpsAction::drop), std::make_pair(DropReason::signature, std::string("1!")));
  EXPECT_EQ(run(abi::IpsAction::off), std::make_pair(DropReason::none, std::string("")));
}

TEST(Inspect, PassComesBeforeDropAndCoversTheFlow) {
  TestWorld w(
      site_toml(kAllowAll), 1024,
      with(std::string(kEvil) + "pass http any any -> any any (http.host; content:\"friend\"; sid:2;)\n"));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  EXPECT_EQ(t.say("GET /evil HTTP/1.1\r\nHost: friend\r\n\r\n"), DropReason::none);
  EXPECT_EQ(t.say("GET /evil HTTP/1.1\r\nHost: foe\r\n\r\n"), DropReason::none) << "the flow was passed";
  EXPECT_EQ(w.alerts(), "");
}

TEST(Inspect, RejectTellsTheSenderOrBoth) {
  for (const auto& [action, sent] :
       {std::pair<std::string, std::set<int>>{"reject", {0}}, {"rejectdst", {1}}, {"rejectboth", {0, 1}}}) {
    TestWorld w(site_toml(kAllowAll), 1024,
                with(action + " http any any -> any any (http.uri; content:\"/evil\"; sid:1;)\n"));
    Conversation t{w};
    ASSERT_EQ(t.established(), DropReason::none);
    w.sent.clear();
    EXPECT_EQ(t.say("GET /evil HTTP/1.1\r\n\r\n"), DropReason::signature);
    std::set<int> to;
    for (const Sent& s : w.sent) {
      EXPECT_EQ(s.frame[47] & 4, 4) << "RST";
      to.insert(s.port);
    }
    EXPECT_EQ(to, sent) << action;
  }
}

TEST(Inspect, AThresholdSilencesAlertsNotDrops) {
  TestWorld w(site_toml(kAllowAll), 1024,
              with("drop udp any any -> any any (content:\"evil\"; threshold: type limit, track by_src, "
                   "count 1, seconds 60; sid:1;)\n"));
  const auto send = [&] {
    return w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").udp(40000, 9999).payload("evil").build());
  };
  EXPECT_EQ(send(), DropReason::signature);
  EXPECT_EQ(send(), DropReason::signature) << "payload of a datagram: the packet, not the flow";
  EXPECT_EQ(send(), DropReason::signature);
  EXPECT_EQ(w.alerts(), "1!");
}

TEST(Inspect, FlowbitsLastFromPacketToPacket) {
  TestWorld w(
      site_toml(kAllowAll), 1024,
      with("alert http any any -> any any (http.uri; content:\"/login\"; flowbits:set,in; flowbits:noalert; "
           "sid:1;)\n"
           "drop http any any -> any any (http.uri; content:\"/admin\"; flowbits:isset,in; sid:2;)\n"));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  EXPECT_EQ(t.say("GET /admin HTTP/1.1\r\n\r\n"), DropReason::none);
  EXPECT_EQ(t.say("GET /login HTTP/1.1\r\n\r\n"), DropReason::none);
  EXPECT_EQ(t.say("GET /admin HTTP/1.1\r\n\r\n"), DropReason::signature);
  EXPECT_EQ(w.alerts(), "2!");
}

TEST(Inspect, ANewSetAppliesToLiveFlows) {
  TestWorld w(site_toml(kAllowAll), 1024, with(kEvil));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("GET /a HTTP/1.1\r\n\r\n"), DropReason::none);
  w.inspected.signatures = "drop http any any -> any any (http.uri; content:\"/worse\"; sid:7;)\n";
  w.load(site_toml(kAllowAll));
  EXPECT_EQ(t.say("GET /evil HTTP/1.1\r\n\r\n"), DropReason::none);
  EXPECT_EQ(t.say("GET /worse HTTP/1.1\r\n\r\n"), DropReason::signature);
}

TEST(Inspect, ADnsQueryIsDropped) {
  TestWorld w(site_toml(kAllowAll), 1024,
              with("drop dns any any -> any any (dns.query; content:\"evil.example\"; nocase; sid:1;)\n"));
  const std::string query(
      "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04"
      "eViL\x07"
      "example\x00\x00\x01\x00\x01",
      30);
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").udp(40000, 53).payload(query).build()),
            DropReason::signature);
  EXPECT_EQ(w.alerts(), "1!");
}

TEST(Inspect, ATunnelHidesNothing) {
  TestWorld w(site_toml(kAllowAll), 1024, with("drop udp any any -> any 9999 (content:\"evil\"; sid:1;)\n"));
  const Bytes inner = eth().ip4("192.168.1.1", "192.168.1.2").udp(5, 9999).payload("evil").build();
  const std::string packet(inner.begin() + 14, inner.end());
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").protocol(4).payload(packet).build()),
            DropReason::signature);
  EXPECT_EQ(w.in(0, eth()
                        .ip4("10.0.0.1", "10.1.0.1")
                        .protocol(47)
                        .payload(std::string("\0\0\x08\0", 4) + packet)
                        .build()),
            DropReason::signature);
  EXPECT_EQ(w.alerts(), "1! 1!");
}

TEST(Inspect, ACutIsObeyedBeforeEachPacket) {
  TestWorld w(site_toml(kAllowAll), 1024, with(kEvil));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  w.say(SEKISHO_WORD_CUT);
  EXPECT_EQ(t.say("GET / HTTP/1.1\r\n\r\n"), DropReason::link_cut);
}

TEST(Inspect, AllMemoryComesBack) {
  TestWorld w(site_toml(kAllowAll), 4096, with(kEvil));
  for (std::uint16_t port = 1000; port < 1500; ++port) {
    const auto up = [&](std::uint32_t seq) {
      return eth().from_mac(kMacA).to_mac(kMacB).ip4("10.0.0.1", "10.1.0.1").tcp(port, 80).seq(seq);
    };
    w.in(0, up(1).syn().build());
    w.in(1, eth()
                .from_mac(kMacB)
                .to_mac(kMacA)
                .ip4("10.1.0.1", "10.0.0.1")
                .tcp(80, port)
                .seq(9)
                .syn()
                .ack(2)
                .build());
    w.in(0, up(2).ack(10).psh().payload("GET /half HTTP/1.1\r\nHost: ").build());
  }
  w.rest();
  EXPECT_GT(w.counters->inspect_memory, 0u);
  w.gateway->finish(w.now_ns);
  w.rest();
  EXPECT_EQ(w.counters->inspect_memory, 0u);
}

TEST(Inspect, WithoutMemoryTheLinkDecides) {
  for (const bool pass : {false, true}) {
    Inspected i = with(kEvil);
    i.app_memory = 1u << 20;
    // One source a flow: limits of sources and chains of buckets stay out of it.
    TestWorld w(site_toml(kAllowAll, pass ? "overload = \"pass\"\nclinical = true\n" : ""), 16384, i);
    std::map<DropReason, int> reasons;
    for (int n = 0; n < 3500; ++n) {
      const std::string source = "10." + std::to_string(n / 250) + ".3." + std::to_string(1 + n % 250);
      ++reasons[w.in(0, eth().ip4(source, "10.1.0.1").udp(40000, 9999).payload("x").build())];
    }
    EXPECT_GT(w.counters->inspect_overload, 0u);
    if (pass) {
      EXPECT_EQ(reasons[DropReason::inspect_memory], 0);
      EXPECT_GT(reasons[DropReason::none], 3000);
      EXPECT_EQ(w.counters->inspect_passed, w.counters->inspect_overload) << "and says so";
    } else {
      EXPECT_EQ(static_cast<std::uint64_t>(reasons[DropReason::inspect_memory]),
                w.counters->inspect_overload);
    }
  }
}

}  // namespace
}  // namespace sekisho::test
