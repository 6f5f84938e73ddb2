#include "dataplane/ips/signature_set.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "tests/ips/signature_set_fixture.h"

namespace sekisho::ips {
namespace {

// Something of every table that signatures alone can fill.
constexpr const char* kRules = R"(
alert http $HOME_NET any -> $EXTERNAL_NET $HTTP_PORTS (msg:"a"; flow:established,to_server; http.uri; content:"/evilgate"; pcre:"/gate[0-9]+\.php/"; http.host; dotprefix; content:".qzxw.kj"; endswith; flowbits:set,seen; threshold:type limit,track by_src,count 1,seconds 60; sid:1;)
alert tcp any any -> any 445 (msg:"b"; flow:established,to_server; content:"|ff|SMB"; offset:4; depth:4; byte_extract:2,0,len,relative; byte_test:2,>,len,0,relative; flowbits:isset,seen; sid:2;)
drop udp any any -> any 53 (msg:"c"; dsize:>100; content:"qzxwkj"; xbits:set,bad,track ip_src,expire 60; sid:3;)
alert tcp any any -> any any (msg:"d"; flags:S; window:1024; sid:4;)
alert dns any any -> any any (msg:"e"; dns.query; to_md5; content:"|00 11 22 33|"; sid:5;)
alert ip 192.0.2.0/24 any -> any any (msg:"f"; sid:6;)
)";

TEST(SignatureSet, LoadsWhatTheCompilerMade) {
  LoadedSet s(kRules);
  ASSERT_TRUE(s.parsed.rejections.empty()) << s.parsed.rejections[0].why;
  ASSERT_TRUE(s.compiled.rejected.empty()) << s.compiled.rejected[0].why;
  ASSERT_TRUE(s.set) << s.why;
  EXPECT_EQ(s.set->view().signatures.size(), 6u);
  EXPECT_EQ(s.set->view().headers.size(), 6u);
  EXPECT_EQ(s.set->view().codes.size(), 1u);
  EXPECT_EQ(s.set->patterns_without_machine_code(), 0u);
  EXPECT_EQ(s.sid(0), 3u);  // drop before alert
  EXPECT_GT(s.set->memory().databases, 0u);
  EXPECT_GT(s.set->memory().machine_code, 0u);
  std::set<std::uint32_t> always;
  for (const std::uint32_t i : s.set->packet_always()) always.insert(s.sid(i));
  EXPECT_EQ(always, (std::set<std::uint32_t>{4, 6}));
}

TEST(SignatureSet, AnEmptySetLoads) {
  LoadedSet s("");
  ASSERT_TRUE(s.set) << s.why;
  EXPECT_TRUE(s.candidates({}, "anything").empty());
}

TEST(SignatureSet, SaysWhatIsWrong) {
  LoadedSet s(kRules);
  ASSERT_TRUE(s.set) << s.why;
  const auto refused = [&](auto&& damage) {
    AlignedBlock block(s.compiled.blob);
    damage(*reinterpret_cast<abi::SignatureHeader*>(block.bytes().data()), block.bytes());
    std::string why;
    const auto set = SignatureSet::load(std::as_const(block).bytes(), why);
    EXPECT_FALSE(set);
    return why;
  };
  using Bytes = std::span<std::uint8_t>;
  EXPECT_EQ(refused([](auto& h, Bytes) { h.magic ^= 1; }), "no signature set");
  EXPECT_EQ(refused([](auto& h, Bytes) { ++h.version; }), "a signature set of another version");
  EXPECT_EQ(refused([](auto& h, Bytes) { h.bytes -= 64; }), "another length than its header says");
  EXPECT_EQ(refused([](auto& h, Bytes) { h.section[0].offset += 64; }).empty(), false);
  EXPECT_EQ(refused([](auto& h, Bytes) { h.section[1].count = ~0ull; }), "a table outside the block");
  EXPECT_EQ(refused([](auto& h, Bytes b) {
              b[h.section[static_cast<unsigned>(abi::SignatureSection::databases)].offset + 200] ^= 1;
            }),
            "damaged codes");
  EXPECT_EQ(refused([](auto& h, Bytes b) {
              b[h.section[static_cast<unsigned>(abi::SignatureSection::pattern_codes)].offset + 100] ^= 1;
            }),
            "damaged codes");
  std::string why;
  AlignedBlock block(s.compiled.blob);
  EXPECT_FALSE(SignatureSet::load(std::as_const(block).bytes().subspan(0, 100), why));
}

// A block with a changed byte anywhere is refused, or can be scanned without leaving its tables (the
// sanitizer build of this test sees that).
TEST(SignatureSet, ChangedBlocksAreRefusedOrHarmless) {
  LoadedSet s(kRules);
  ASSERT_TRUE(s.set) << s.why;
  std::mt19937 random(11);
  std::string text = "GET /evilgate7.php qzxwkj \xffSMB";
  text.append(100, 'x');
  unsigned refused = 0, loaded = 0;
  const auto* header = reinterpret_cast<const abi::SignatureHeader*>(s.compiled.blob.data());
  for (int round = 0; round < 3000; ++round) {
    AlignedBlock block(s.compiled.blob);
    std::span<std::uint8_t> bytes = block.bytes();
    // Half in the header, half in the small tables; the codes have their checksum.
    const abi::SectionRecord& r = header->section[random() % abi::kSignatureSections];
    const int changes = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < changes; ++i) {
      std::size_t at = random() % sizeof(abi::SignatureHeader);
      if (round % 4 != 0 && r.count != 0) at = r.offset + random() % (r.count * r.record_bytes);
      static constexpr std::uint8_t kValues[] = {0, 1, 0x7f, 0x80, 0xff};
      bytes[at] = random() % 2 ? kValues[random() % 5] : static_cast<std::uint8_t>(random());
    }
    std::string why;
    const auto set = SignatureSet::load(std::as_const(block).bytes(), why);
    if (!set) {
      EXPECT_FALSE(why.empty());
      ++refused;
      continue;
    }
    ++loaded;
    ScanScratch scratch;
    ASSERT_TRUE(scratch.grow(*set));
    for (unsigned b = 0; b < abi::kBufferCount; ++b)
      for (const std::uint8_t direction : {abi::kToServer, abi::kToClient})
        for (const std::uint8_t transport : {abi::kTransportTcp, abi::kTransportUdp}) {
          const auto check = [&](std::uint32_t signature, std::uint16_t group) {
            ASSERT_LT(signature, set->view().signatures.size());
            ASSERT_LT(group, set->view().signatures[signature].group_count);
          };
          const auto buffer = static_cast<abi::Buffer>(b);
          (void)scan(*set, scratch, buffer, direction, abi::AppProtocol::http, transport,
                     {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, 0, 0,
                     [&](std::uint32_t i, std::uint16_t g, std::uint64_t) { check(i, g); });
          always(*set, buffer, direction, abi::AppProtocol::http, transport, check);
        }
  }
  EXPECT_GT(refused, 500u);
  EXPECT_GT(loaded, 100u);
}

TEST(AddressIndex, FindsWhatCanFitAndLittleElse) {
  LoadedSet s(R"(
alert tcp [192.0.2.0/24,198.51.100.7,2001:db8::/64] any -> any any (msg:"a"; sid:1;)
alert tcp any any -> [192.0.2.128/25,203.0.113.1] any (msg:"b"; flags:S; sid:2;)
alert tcp $HOME_NET any -> any any (msg:"wide"; flags:S; sid:3;)
alert tcp 192.0.2.200 any -> any any (msg:"c"; flags:S; sid:4;)
alert tcp 192.0.2.1 any <> any any (msg:"both ways"; flags:S; sid:5;)
alert tcp [192.0.2.0/24,!192.0.2.200] any -> any any (msg:"d"; flags:S; sid:6;))");
  ASSERT_TRUE(s.set) << s.why;
  const auto v4 = [](std::uint32_t a) { return abi::Address6{0, 0xffff00000000ull | a}; };
  const auto ask = [&](abi::Address6 source, abi::Address6 destination) {
    std::set<std::uint32_t> found;
    for (unsigned t = 0; t <= static_cast<unsigned>(abi::SignatureType::app_tx); ++t)
      s.set->always_of(static_cast<abi::SignatureType>(t))
          .candidates(source, destination,
                      [&](std::uint32_t i) { EXPECT_TRUE(found.insert(s.sid(i)).second) << s.sid(i); });
    return found;
  };
  const abi::Address6 other = v4(0x08080808);
  using Sids = std::set<std::uint32_t>;
  EXPECT_EQ(ask(other, other), (Sids{3, 5}));
  EXPECT_EQ(ask(v4(0xc0000200), other), (Sids{1, 3, 5, 6}));
  EXPECT_EQ(ask(v4(0xc00002c8), other), (Sids{1, 3, 4, 5}));
  EXPECT_EQ(ask(v4(0xc00002ff), other), (Sids{1, 3, 5, 6}));
  EXPECT_EQ(ask(v4(0xc0000300), other), (Sids{3, 5}));
  EXPECT_EQ(ask(v4(0xc00001ff), other), (Sids{3, 5}));
  EXPECT_EQ(ask(v4(0xc6336407), other), (Sids{1, 3, 5}));
  EXPECT_EQ(ask(other, v4(0xc0000280)), (Sids{2, 3, 5}));
  EXPECT_EQ(ask(other, v4(0xc000027f)), (Sids{3, 5}));
  EXPECT_EQ(ask({0x20010db800000000, 5}, other), (Sids{1, 3, 5}));
  EXPECT_EQ(ask({0x20010db800000001, 0}, other), (Sids{3, 5}));
}

// --- the public set, where it is there ---

TEST(SignatureSet, EmergingThreats) {
  const std::filesystem::path rules =
      std::filesystem::path(SEKISHO_SOURCE_ROOT) / "../shared/rules/etopen-2024-03-08.rules.gz";
  if (!std::filesystem::exists(rules)) GTEST_SKIP() << "no " << rules;
  signatures::Loader loader{signatures::LoadOptions{}};
  ASSERT_TRUE(loader.add_file(rules.string()));
  const signatures::LoadResult parsed = std::move(loader).finish();
  const signatures::CompileResult compiled = signatures::compile(parsed.signatures, {});
  ASSERT_TRUE(compiled.ok()) << compiled.failure;
  for (const signatures::CompileRemark& r : compiled.rejected) ADD_FAILURE() << r.sid << ' ' << r.why;
  EXPECT_GE(compiled.info.signatures.size(), 36677u);
  AlignedBlock block(compiled.blob);
  std::string why;
  const auto set = SignatureSet::load(std::as_const(block).bytes(), why);
  ASSERT_TRUE(set) << why;
  ScanScratch scratch;
  ASSERT_TRUE(scratch.grow(*set));
  EXPECT_EQ(set->view().signatures.size(), compiled.info.signatures.size());
  EXPECT_EQ(set->patterns_without_machine_code(), 0u);
  // Each signature's own literals, put where it looks for them, make it a candidate.
  unsigned tried = 0;
  for (const abi::SignatureRecord& s : set->view().signatures) {
    if (s.group_count != 1) continue;
    const auto index = static_cast<std::uint32_t>(&s - set->view().signatures.data());
    const abi::GroupRecord& g = set->view().groups[s.first_group];
    if (g.match_count != 1 || g.transform_count != 0 || abi::info(g.buffer).kind != abi::BufferKind::whole)
      continue;
    const abi::MatchRecord& m = set->view().matches[g.first_match];
    if (m.kind != abi::MatchKind::content || (m.flags & abi::match_flag::kNegated) != 0) continue;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(std::max(m.offset, 0)), '-');
    bytes.insert(bytes.end(), set->view().bytes.begin() + m.data,
                 set->view().bytes.begin() + m.data + m.size);
    const std::uint8_t direction =
        (s.directions & g.directions & abi::kToServer) ? abi::kToServer : abi::kToClient;
    bool found = false;
    EXPECT_TRUE(scan(*set, scratch, g.buffer, direction, s.app, abi::kTransportTcp, bytes, 0, 0,
                     [&](std::uint32_t i, std::uint16_t, std::uint64_t) { found |= i == index; }));
    always(*set, g.buffer, direction, s.app, abi::kTransportTcp,
           [&](std::uint32_t i, std::uint16_t) { found |= i == index; });
    EXPECT_TRUE(found) << s.sid;
    ++tried;
  }
  EXPECT_GT(tried, 1000u);
}

}  // namespace
}  // namespace sekisho::ips
