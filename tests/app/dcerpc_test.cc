#include "dataplane/app/dcerpc_session.h"

#include "tests/app/smb_script.h"

namespace sekisho::app {

extern const ProtocolEntry kDcerpcEntry, kDcerpcUdpEntry;

namespace {

struct Rpc {
  bool little = true;
  std::string u16(unsigned v) const {
    std::string s{static_cast<char>(v), static_cast<char>(v >> 8)};
    return little ? s : std::string(s.rbegin(), s.rend());
  }
  std::string u32(unsigned v) const {
    return little ? u16(v & 0xffff) + u16(v >> 16) : u16(v >> 16) + u16(v & 0xffff);
  }
  std::string pdu(unsigned type, unsigned flags, unsigned id, const std::string& body,
                  unsigned auth = 0) const {
    std::string s{
        5, 0, static_cast<char>(type), static_cast<char>(flags), static_cast<char>(little ? 0x10 : 0), 0,
        0, 0};
    return s + u16(static_cast<unsigned>(16 + body.size())) + u16(auth) + u32(id) + body;
  }
  // A UUID whose text bytes are n, n+1, ...
  std::string uuid(unsigned n) const {
    std::string s;
    for (unsigned i = 0; i < 16; ++i) s.push_back(static_cast<char>(n + i));
    if (little) {
      std::reverse(s.begin(), s.begin() + 4);
      std::reverse(s.begin() + 4, s.begin() + 6);
      std::reverse(s.begin() + 6, s.begin() + 8);
    }
    return s;
  }
  std::string context(unsigned id, unsigned n, unsigned version) const {
    return u16(id) + std::string{1, 0} + uuid(n) + u16(version) + u16(0) + std::string(20, 't');
  }
  std::string bind(const std::vector<std::string>& contexts, unsigned type = 11) const {
    std::string body =
        u16(4280) + u16(4280) + u32(0) + std::string{static_cast<char>(contexts.size()), 0, 0, 0};
    for (const auto& c : contexts) body += c;
    return pdu(type, 3, 1, body);
  }
  std::string bind_ack(const std::vector<unsigned>& results) const {
    std::string body = u16(4280) + u16(4280) + u32(7) + u16(4) + std::string("135\0", 4) + std::string(2, 0) +
                       std::string{static_cast<char>(results.size()), 0, 0, 0};
    for (unsigned r : results) body += u16(r) + u16(0) + std::string(20, 't');
    return pdu(12, 3, 1, body);
  }
  std::string request(unsigned id, unsigned context, unsigned opnum, const std::string& stub,
                      unsigned flags = 3) const {
    return pdu(0, flags, id, u32(0) + u16(context) + u16(opnum) + stub);
  }
  std::string response(unsigned id, const std::string& stub, unsigned flags = 3) const {
    return pdu(2, flags, id, u32(0) + u16(0) + u16(0) + stub);
  }
};

// Remembers the facts that signatures would see.
Facts facts_of(const Script& script, std::string* interface = nullptr) {
  RecordingHost host;
  Parser* parser = kDcerpcEntry.make(host);
  FlowFacts flow;
  struct Watch final : Host {
    RecordingHost& in;
    Facts seen;
    Facts::Interface interface {};
    explicit Watch(RecordingHost& h) : in(h) {}
    void evaluate(Transaction& tx, Direction d, bool now) override { in.evaluate(tx, d, now); }
    void finish(Transaction& tx, Direction d) override {
      seen = tx.facts;
      if (tx.facts.interface_count != 0) interface = tx.facts.interfaces[0];
      in.finish(tx, d);
    }
    void event(Transaction* tx, Direction d, AppEvent e) override { in.event(tx, d, e); }
    void opaque(Direction d, bool on) override { in.opaque(d, on); }
    void bypass(Direction d) override { in.bypass(d); }
    void expect(AppProtocol a, std::uint8_t f, std::uint16_t p, Direction d) override {
      in.expect(a, f, p, d);
    }
    void change_protocol(AppProtocol a) override { in.change_protocol(a); }
    bool wants_log(AppProtocol) const override { return false; }
    void log(Transaction*, AppProtocol, std::span<const Field>) override {}
    bool wants_file_hash() const override { return false; }
    AppPool& pool() override { return in.pool(); }
    std::uint64_t now_ns() const override { return 0; }
  } watch(host);
  for (const auto& [d, text] : script.turns) parser->feed(d, as_bytes(text), {}, flow, watch);
  parser->destroy(host.pool());
  if (interface != nullptr && watch.seen.interface_count != 0)
    *interface = RecordingHost::printable(watch.interface.uuid)
                     .append(" v")
                     .append(std::to_string(watch.interface.version))
                     .append(watch.interface.accepted ? " accepted" : " refused");
  return watch.seen;
}

TEST(Dcerpc, OneCallIsOneTransaction) {
  for (const bool little : {true, false}) {
    const Rpc rpc{little};
    Script script;
    script.c(rpc.bind({rpc.context(0, 0x41, 1)})).s(rpc.bind_ack({0}));
    script.c(rpc.request(2, 0, 15, "hello")).s(rpc.response(2, "world"));
    const Played played = play(kDcerpcEntry, script);
    EXPECT_TRUE(played.has("0> dcerpc.stub_data hello")) << played.all();
    EXPECT_TRUE(played.has("0< dcerpc.stub_data world"));
    EXPECT_TRUE(played.has("log dcerpc call_id=2 opnum=15 interface=41424344-4546-4748-494a-4b4c4d4e4f50"));
    EXPECT_EQ(played.count("finish"), 2u);
    EXPECT_EQ(played.left, 0u);
    std::string interface;
    const Facts facts = facts_of(script, &interface);
    EXPECT_TRUE(facts.dce_request);
    EXPECT_TRUE(facts.dce_first_fragment);
    EXPECT_EQ(facts.dce_opnum, 15);
    EXPECT_EQ(facts.dce_big_endian[0], !little);
    EXPECT_EQ(interface, "ABCDEFGHIJKLMNOP v1 accepted");
  }
}

TEST(Dcerpc, FragmentsArePutTogetherAndCallsInterleave) {
  const Rpc rpc;
  Script script;
  script.c(rpc.bind({rpc.context(0, 1, 1), rpc.context(1, 2, 1)})).s(rpc.bind_ack({0, 2}));
  script.c(rpc.request(5, 0, 1, "aa", 1) + rpc.request(6, 0, 2, "xx", 1) + rpc.request(5, 0, 1, "bb", 0) +
           rpc.request(6, 0, 2, "yy", 2) + rpc.request(5, 0, 1, "cc", 2));
  script.s(rpc.response(6, "6", 1) + rpc.response(5, "5") + rpc.response(6, "66", 2));
  const Played played = play(kDcerpcEntry, script);
  EXPECT_TRUE(played.has("0> dcerpc.stub_data xxyy")) << played.all();
  EXPECT_TRUE(played.has("1> dcerpc.stub_data aabbcc"));
  EXPECT_TRUE(played.has("1< dcerpc.stub_data 5"));
  EXPECT_TRUE(played.has("0< dcerpc.stub_data 666"));
  EXPECT_EQ(played.left, 0u);
  expect_any_segmentation(kDcerpcEntry, script);
}

TEST(Dcerpc, TheInterfaceIsThatOfTheContextAndItsAnswer) {
  const Rpc rpc;
  std::string interface;
  Script script;
  script.c(rpc.bind({rpc.context(0, 0x41, 1), rpc.context(1, 0x51, 3)})).s(rpc.bind_ack({0, 2}));
  Script second = script;
  facts_of(script.c(rpc.request(2, 0, 1, "")), &interface);
  EXPECT_EQ(interface, "ABCDEFGHIJKLMNOP v1 accepted");
  facts_of(second.c(rpc.request(2, 1, 1, "")), &interface);
  EXPECT_EQ(interface, "QRSTUVWXYZ[\\x5c]^_` v3 refused");
  // An altered context stands beside the first; one of the same number replaces it.
  Script altered = script;
  altered.c(rpc.bind({rpc.context(2, 0x61, 9), rpc.context(0, 0x30, 2)}, 14)).s(rpc.bind_ack({0, 0}));
  Script replaced = altered;
  facts_of(altered.c(rpc.request(3, 2, 1, "")), &interface);
  EXPECT_EQ(interface, "abcdefghijklmnop v9 accepted");
  facts_of(replaced.c(rpc.request(3, 0, 1, "")), &interface);
  EXPECT_EQ(interface, "0123456789:;<=>? v2 accepted");
}

TEST(Dcerpc, ALateContextIsNotHiddenByManyBeforeIt) {
  const Rpc rpc;
  std::vector<std::string> contexts;
  for (unsigned i = 0; i < 200; ++i) contexts.push_back(rpc.context(i, i, 1));
  Script script;
  script.c(rpc.bind(contexts)).s(rpc.bind_ack(std::vector<unsigned>(200, 0))).c(rpc.request(2, 199, 1, ""));
  std::string interface;
  facts_of(script, &interface);
  EXPECT_EQ(interface.substr(0, 4), "\\xc7");
  Script more;
  for (unsigned round = 0; round < 3; ++round) {
    contexts.clear();
    for (unsigned i = 0; i < 100; ++i) contexts.push_back(rpc.context(round * 100 + i, i, 1));
    more.c(rpc.bind(contexts, 14));
  }
  EXPECT_TRUE(play(kDcerpcEntry, more).has("event dcerpc.too_many_interfaces"));
}

TEST(Dcerpc, FragmentsWithoutEndAreBounded) {
  const Rpc rpc;
  Script script;
  script.c(rpc.request(2, 0, 1, "begin", 1));
  for (int i = 0; i < 100; ++i) script.c(rpc.request(2, 0, 1, std::string(4000, 'a'), 0));
  script.c(rpc.request(2, 0, 1, "end", 2)).c(rpc.request(3, 0, 1, "next"));
  const Played played = play(kDcerpcEntry, script);
  EXPECT_EQ(played.count("event dcerpc.stub_too_long"), 1u);
  EXPECT_EQ(played.count("0> dcerpc.stub_data begin"), 1u) << "what there was is looked at";
  EXPECT_TRUE(played.has("1> dcerpc.stub_data next"));
  EXPECT_EQ(played.left, 0u);
  Script empty;
  for (int i = 0; i < 5000; ++i) empty.c(rpc.request(2, 0, 1, "", i == 0));
  EXPECT_EQ(play(kDcerpcEntry, empty).count("event dcerpc.too_many_fragments"), 1u);
}

TEST(Dcerpc, CallsWithoutAnswersAreBounded) {
  const Rpc rpc;
  Script script;
  for (unsigned i = 0; i < 100; ++i) script.c(rpc.request(i, 0, 1, "q"));
  const Played played = play(
      kDcerpcEntry, script, [] { return std::size_t{1000}; }, false);
  EXPECT_EQ(played.count("event dcerpc.too_many_calls"), 100 - DcerpcSession::kMaxCalls);
  EXPECT_EQ(played.count("> dcerpc.stub_data q"), 100u);
}

TEST(Dcerpc, ACallIdUsedAgainIsANewCall) {
  const Rpc rpc;
  Script script;
  script.c(rpc.request(1, 0, 1, "a") + rpc.request(1, 0, 2, "b")).s(rpc.response(1, "r"));
  const Played played = play(kDcerpcEntry, script);
  EXPECT_TRUE(played.has("0> dcerpc.stub_data a"));
  EXPECT_TRUE(played.has("1> dcerpc.stub_data b"));
  EXPECT_TRUE(played.has("1< dcerpc.stub_data r"));
  EXPECT_EQ(played.left, 0u);
}

TEST(Dcerpc, TheVerifierOfAnAuthenticatedCallIsNoStub) {
  const Rpc rpc;
  const std::string contexts = rpc.context(0, 1, 1);
  const std::string body = rpc.u16(4280) + rpc.u16(4280) + rpc.u32(0) + std::string{1, 0, 0, 0} + contexts;
  const std::string tail(8, 'h'), verifier(16, 'v');
  Script script;
  script.c(rpc.pdu(11, 3, 1, body + tail + verifier, 16));
  script.c(rpc.pdu(0, 1, 2, rpc.u32(0) + rpc.u16(0) + rpc.u16(1) + "left" + tail + verifier, 16));
  script.c(rpc.pdu(0, 2, 2, rpc.u32(0) + rpc.u16(0) + rpc.u16(1) + "right" + tail + verifier, 16));
  EXPECT_TRUE(play(kDcerpcEntry, script).has("0> dcerpc.stub_data leftright"));
  // A length of credentials that were never agreed on hides nothing.
  Script lie;
  lie.c(rpc.pdu(0, 3, 2, rpc.u32(0) + rpc.u16(0) + rpc.u16(1) + "seen" + tail + verifier, 16));
  EXPECT_TRUE(play(kDcerpcEntry, lie).has("0> dcerpc.stub_data seenhhhhhhhhvvvvvvvvvvvvvvvv"));
}

TEST(Dcerpc, NonsenseFailsVisibly) {
  const Rpc rpc;
  for (const std::string& bad : {rpc.pdu(99, 3, 1, "aaaaaaaaaaaa"), std::string(40, '\5'),
                                 rpc.pdu(0, 3, 1, "short"), rpc.pdu(0, 3, 1, "12345678", 500)}) {
    const Played played = play(kDcerpcEntry, Script().c(bad));
    EXPECT_TRUE(played.failed);
    EXPECT_TRUE(played.has("event dcerpc.malformed_data"));
    EXPECT_EQ(played.left, 0u);
  }
  // A bind that promises more contexts than it has.
  std::string bind = rpc.bind({rpc.context(0, 1, 1)});
  bind[24] = 5;
  EXPECT_TRUE(play(kDcerpcEntry, Script().c(bind)).has("event dcerpc.malformed_data"));
}

TEST(Dcerpc, AGapInsideAStubLosesThatStubOnly) {
  const Rpc rpc;
  RecordingHost host;
  Parser* parser = kDcerpcEntry.make(host);
  FlowFacts facts;
  const std::string pdu = rpc.request(1, 0, 1, std::string(100, 'a'));
  parser->feed(Direction::to_server, as_bytes(pdu.substr(0, 50)), {}, facts, host);
  EXPECT_TRUE(parser->gap(Direction::to_server, 20, host));
  parser->feed(Direction::to_server, as_bytes(pdu.substr(70) + rpc.request(2, 0, 1, "whole")), {}, facts,
               host);
  EXPECT_TRUE(host.has("0> finish")) << host.all();
  EXPECT_TRUE(host.has("1> dcerpc.stub_data whole"));
  EXPECT_FALSE(parser->gap(Direction::to_server, 20, host));
  parser->destroy(host.pool());
}

std::string datagram(unsigned type, unsigned flags, unsigned sequence, unsigned fragment,
                     const std::string& stub) {
  const Rpc rpc;
  return std::string{4, static_cast<char>(type), static_cast<char>(flags), 0, 0x10, 0, 0, 0} +
         rpc.uuid(0x20) + rpc.uuid(0x41) + rpc.uuid(0x60) + rpc.u32(0) + rpc.u32(3) + rpc.u32(sequence) +
         rpc.u16(7) + rpc.u16(0xffff) + rpc.u16(0xffff) + rpc.u16(static_cast<unsigned>(stub.size())) +
         rpc.u16(fragment) + std::string(2, 0) + stub;
}

TEST(DcerpcUdp, FragmentsAndAnswersOfACall) {
  Script script;
  script.c(datagram(0, 4, 9, 0, "one")).c(datagram(0, 6, 9, 1, "two")).c(datagram(0, 0, 10, 0, "other"));
  script.s(datagram(2, 0, 10, 0, "o")).s(datagram(2, 0, 9, 0, "12"));
  const Played played = play(
      kDcerpcUdpEntry, script, [] { return std::size_t{65535}; }, false);
  EXPECT_TRUE(played.has("0> dcerpc.stub_data onetwo")) << played.all();
  EXPECT_TRUE(played.has("0< dcerpc.stub_data 12"));
  EXPECT_TRUE(played.has("1> dcerpc.stub_data other"));
  EXPECT_EQ(played.count("opnum=7"), 2u);
  EXPECT_EQ(played.count("interface=41424344-4546-4748-494a-4b4c4d4e4f50"), 2u);
  EXPECT_EQ(played.left, 0u);
  expect_given_back(kDcerpcUdpEntry, script.turns, true);
  std::string lie = datagram(0, 0, 9, 0, "x");
  lie[74] = 99;
  EXPECT_TRUE(play(
                  kDcerpcUdpEntry, Script().c(lie), [] { return std::size_t{65535}; }, false)
                  .has("event dcerpc.malformed_data"));
}

TEST(Dcerpc, ProbeTellsItFromOthers) {
  const Rpc rpc;
  const std::string bind = rpc.bind({rpc.context(0, 1, 1)});
  EXPECT_EQ(kDcerpcEntry.probe(Direction::to_server, as_bytes(bind), 49152), Probe::yes);
  EXPECT_EQ(kDcerpcEntry.probe(Direction::to_client, as_bytes(bind), 49152), Probe::no);
  EXPECT_EQ(kDcerpcEntry.probe(Direction::to_client, as_bytes(rpc.bind_ack({0})), 49152), Probe::yes);
  for (std::size_t n = 1; n < 12; ++n)
    EXPECT_EQ(kDcerpcEntry.probe(Direction::to_server, as_bytes(bind.substr(0, n)), 1), Probe::more);
  for (const char* other :
       {"GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "\x16\x03\x01\x02", "\x05\x01\x02\x00\x11 SOCKS......"})
    EXPECT_EQ(kDcerpcEntry.probe(Direction::to_server, as_bytes(other), 135), Probe::no) << other;
  EXPECT_EQ(kDcerpcUdpEntry.probe(Direction::to_server, as_bytes(datagram(0, 0, 9, 0, "x")), 135),
            Probe::yes);
  EXPECT_EQ(kDcerpcUdpEntry.probe(Direction::to_server, as_bytes(std::string(90, '\4')), 135), Probe::no);
}

}  // namespace
}  // namespace sekisho::app
