// Streams in the pipeline: evasions by segmentation, order and overlap.
#include <random>

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
constexpr const char* kSet =
    "drop tcp any any -> any any (content:\"attack\"; sid:1;)\n"
    "alert http any any -> any any (http.uri; content:\"/path\"; http.host; content:\"host\"; sid:2;)\n"
    "alert tcp any any -> any any (content:\"alpha\"; content:\"omega\"; distance:5; within:20; sid:3;)\n";

struct Stream {
  TestWorld w;
  Conversation t;
  explicit Stream(const char* set = kSet)
      : w(site_toml(kAllowAll), 1024, Inspected{.signatures = set}), t{w} {
    EXPECT_EQ(t.established(), DropReason::none);
  }
  // Bytes of the client's stream from `offset` on.
  DropReason put(std::uint32_t offset, const std::string& text) {
    return w.in(0, eth()
                       .from_mac(kMacA)
                       .to_mac(kMacB)
                       .ip4("10.0.0.1", "10.1.0.1")
                       .tcp(40000, 445)
                       .seq(t.c + offset)
                       .ack(t.s)
                       .psh()
                       .payload(text)
                       .build());
  }
  DropReason acknowledge(std::uint32_t offset) {
    return w.in(1, eth()
                       .from_mac(kMacB)
                       .to_mac(kMacA)
                       .ip4("10.1.0.1", "10.0.0.1")
                       .tcp(445, 40000)
                       .seq(t.s)
                       .ack(t.c + offset)
                       .build());
  }
};

TEST(InspectStream, ThePacketThatCompletesThePatternIsTheOneThatIsDropped) {
  Stream s;
  EXPECT_EQ(s.put(0, "att"), DropReason::none);
  EXPECT_EQ(s.put(3, "ack"), DropReason::signature);
  EXPECT_EQ(s.w.alerts(), "1!");
}

TEST(InspectStream, OneByteSegments) {
  Stream s;
  const std::string text = "an attack";
  for (std::uint32_t i = 0; i + 1 < text.size(); ++i)
    ASSERT_EQ(s.put(i, text.substr(i, 1)), DropReason::none) << i;
  EXPECT_EQ(s.put(8, "k"), DropReason::signature);
}

TEST(InspectStream, TheSegmentThatFillsTheGapIsJudged) {
  Stream s;
  EXPECT_EQ(s.put(3, "ack"), DropReason::none) << "cannot be delivered yet";
  EXPECT_EQ(s.put(0, "att"), DropReason::signature);
}

TEST(InspectStream, OtherBytesAfterTheFirstWereReleased) {
  Stream s;
  ASSERT_EQ(s.put(0, "attXck"), DropReason::none);
  EXPECT_EQ(s.put(0, "attack"), DropReason::stream_conflict) << "before the acknowledgement";
  EXPECT_EQ(s.put(0, "attXck"), DropReason::none) << "the same again passes";
  EXPECT_EQ(s.acknowledge(6), DropReason::none);
}

TEST(InspectStream, OtherBytesInTheQueue) {
  Stream s;
  ASSERT_EQ(s.put(3, "XXX"), DropReason::none);
  EXPECT_EQ(s.put(3, "ack"), DropReason::stream_conflict);
  EXPECT_EQ(s.put(0, "att"), DropReason::none);
}

TEST(InspectStream, AResetWithAWrongSequenceEndsNothing) {
  Stream s;
  ASSERT_EQ(s.put(0, "att"), DropReason::none);
  EXPECT_NE(s.w.in(0, eth()
                          .from_mac(kMacA)
                          .to_mac(kMacB)
                          .ip4("10.0.0.1", "10.1.0.1")
                          .tcp(40000, 445)
                          .seq(s.t.c + 50)
                          .rst()
                          .build()),
            DropReason::none);
  EXPECT_EQ(s.put(3, "ack"), DropReason::signature);
}

// One segment makes a whole body readable: what is judged while it is fed knows its protocol.
TEST(InspectStream, ALongBodyAtOnce) {
  TestWorld w(site_toml(kAllowAll), 1024,
              Inspected{.signatures = "drop http any any -> any any (flow:to_client; file.data; "
                                      "content:\"attack\"; sid:1;)\n"});
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), DropReason::none);
  ASSERT_EQ(t.answer("HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n"), DropReason::none);
  const auto piece = [&](std::uint32_t offset, const std::string& text) {
    return w.in(1, eth()
                       .from_mac(kMacB)
                       .to_mac(kMacA)
                       .ip4("10.1.0.1", "10.0.0.1")
                       .tcp(445, 40000)
                       .seq(t.s + offset)
                       .ack(t.c)
                       .psh()
                       .payload(text)
                       .build());
  };
  const std::string filler(1000, 'x');
  for (std::uint32_t i = 20; i < 1020 * 30; i += 1000)
    if (i + 1000 <= 30020) {
      ASSERT_EQ(piece(i, filler), DropReason::none) << i;
    }
  EXPECT_EQ(piece(0, "the attack is here.."), DropReason::signature);
}

TEST(InspectStream, SynDataIsDropped) {
  TestWorld w(site_toml(kAllowAll), 1024, Inspected{.signatures = kSet});
  Conversation t{w};
  EXPECT_EQ(w.in(0, t.up().syn().payload("attack").build()), DropReason::tcp_syn_data);
}

TEST(InspectStream, FragmentsAreJudgedWhole) {
  Stream s;
  const Bytes whole = eth()
                          .from_mac(kMacA)
                          .to_mac(kMacB)
                          .ip4("10.0.0.1", "10.1.0.1")
                          .tcp(40000, 445)
                          .seq(s.t.c)
                          .ack(s.t.s)
                          .psh()
                          .payload("an attack in two fragments")
                          .build();
  s.w.sent.clear();
  // 24 bytes of the IP payload in the first piece: the TCP header and "an a".
  const auto piece = [&](std::size_t from, std::size_t to, bool more) {
    Bytes out(whole.begin(), whole.begin() + 34);
    out.insert(out.end(), whole.begin() + 34 + static_cast<std::ptrdiff_t>(from),
               whole.begin() + 34 + static_cast<std::ptrdiff_t>(to));
    store_be16(&out[16], static_cast<std::uint16_t>(20 + to - from));
    store_be16(&out[20], static_cast<std::uint16_t>((more ? 0x2000 : 0) | from / 8));
    store_be16(&out[24], 0);
    std::uint32_t sum = 0;
    for (int i = 14; i < 34; i += 2) sum += load_be16(&out[static_cast<std::size_t>(i)]);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    store_be16(&out[24], static_cast<std::uint16_t>(~sum));
    return out;
  };
  EXPECT_EQ(s.w.in(0, piece(0, 24, true)), DropReason::none);
  EXPECT_TRUE(s.w.held);
  s.w.in(0, piece(24, whole.size() - 34, false));
  EXPECT_TRUE(s.w.sent.empty()) << "neither piece leaves";
  EXPECT_EQ(s.w.alerts(), "1!");
}

// For any segmentation, order and duplication of the same stream: the same alerts.
TEST(InspectStream, AlertsDoNotDependOnHowTheStreamIsCut) {
  const std::string stream =
      "GET /some/path?q=1 HTTP/1.1\r\nHost: a.host.example\r\nUser-Agent: x\r\n\r\n"
      "POST /other HTTP/1.1\r\nHost: b\r\nContent-Length: 26\r\n\r\nalpha and then some omega.\r\n";
  const char* set =
      "alert http any any -> any any (http.uri; content:\"/path\"; http.host; content:\"host\"; sid:2;)\n"
      "alert tcp any any -> any any (content:\"alpha\"; content:\"omega\"; distance:5; within:20; sid:3;)\n"
      "alert http any any -> any any (http.method; content:\"POST\"; http.request_body; content:\"then\"; "
      "sid:4;)\n"
      "alert tcp-stream any any -> any any (content:\"GET \"; startswith; sid:5;)\n"
      "alert http any any -> any any (http.header; content:\"User-Agent|3a| x\"; sid:6;)\n";
  std::mt19937 random(20261123);
  std::set<std::string> seen;
  for (int round = 0; round < 300; ++round) {
    Stream s(set);
    std::vector<std::pair<std::uint32_t, std::string>> pieces;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t most = round % 3 == 0 ? 1 : round % 3 == 1 ? 7 : 60;
      const std::size_t n = std::min<std::size_t>(1 + random() % most, stream.size() - at);
      pieces.emplace_back(static_cast<std::uint32_t>(at), stream.substr(at, n));
      at += n;
    }
    // Neighbours change places, some come twice. Windows stay small enough for the tracker.
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i)
      if (random() % 4 == 0) std::swap(pieces[i], pieces[i + 1]);
    for (const auto& [offset, text] : pieces) {
      ASSERT_EQ(s.put(offset, text), DropReason::none);
      if (random() % 5 == 0) {
        ASSERT_EQ(s.put(offset, text), DropReason::none);
      }
    }
    std::multiset<std::string> alerts;
    std::string text = s.w.alerts(), word;
    for (std::size_t at = 0; at <= text.size(); ++at) {
      if (at == text.size() || text[at] == ' ') {
        if (!word.empty()) alerts.insert(word);
        word.clear();
      } else {
        word += text[at];
      }
    }
    std::string sorted;
    for (const auto& a : alerts) sorted += a + " ";
    seen.insert(sorted);
    ASSERT_EQ(seen.size(), 1u) << "round " << round << ": " << sorted << " / " << *seen.begin();
  }
  EXPECT_EQ(*seen.begin(), "2 3 4 5 6 ");
}

}  // namespace
}  // namespace sekisho::test
