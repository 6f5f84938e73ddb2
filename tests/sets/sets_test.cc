// [ips] of a site → actions, exceptions, what is new; imported sets; the ledger.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "control/ips/actions.h"
#include "control/ips/ledger.h"
#include "control/ips/prepare.h"
#include "control/ips/set_store.h"
#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "dataplane/abi/signature.h"

namespace sekisho::control {
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kNow = 1764514800;

constexpr const char* kSite = R"([gateway]
name = "site"
[[port]]
name = "a"
device = "net_null0"
[[port]]
name = "b"
device = "net_null1"
[[port]]
name = "c"
device = "net_null2"
[[port]]
name = "d"
device = "net_null3"
[[zone]]
name = "his"
[[zone]]
name = "lab"
[[interface]]
name = "a0"
port = "a"
zone = "his"
[[interface]]
name = "b0"
port = "b"
zone = "lab"
[[interface]]
name = "c0"
port = "c"
zone = "his"
[[interface]]
name = "d0"
port = "d"
zone = "his"
[[wire]]
name = "w"
sides = ["a0", "b0"]
[[wire]]
name = "v"
sides = ["c0", "d0"]
[[link]]
name = "lab"
zones = ["his", "lab"]
ips = "prevent"
[[link]]
name = "inner"
zones = ["his", "his"]
ips = "detect"
)";

constexpr const char* kSignatures = R"(
alert tcp any any -> any any (msg:"grave"; content:"grave-text"; classtype:trojan-activity; sid:1; rev:3; metadata:signature_severity Critical, confidence High, tag Ransomware;)
alert tcp any any -> any any (msg:"light"; content:"light-text"; classtype:misc-activity; sid:2; rev:1; metadata:signature_severity Minor;)
pass tcp any any -> any any (msg:"ours"; content:"ours-text"; classtype:trojan-activity; sid:3; rev:1; metadata:signature_severity Critical;)
alert tcp any any -> any any (msg:"broken"; contents:"x"; sid:4;)
)";

class Sets : public testing::Test {
 protected:
  Sets() : folder_(testing::TempDir() + "sets-" + std::to_string(getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_ + "/signatures");
    write("own.rules", kSignatures);
  }
  ~Sets() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  Model model(const std::string& ips) {
    ReadResult read = read_config(kSite + ips, "site.toml", kNow);
    for (const Diagnostic& d : read.diagnostics)
      if (d.severity == Diagnostic::Severity::error) ADD_FAILURE() << format(d, read.files);
    return read.ok() ? std::move(*read.model) : Model{};
  }
  std::string files() const { return "[ips]\nfiles = [\"" + folder_ + "/own.rules\"]\n"; }
  PreparedSet prepared(const std::string& ips, std::uint64_t now = kNow) {
    PrepareOptions options;
    options.state_directory = folder_;
    options.now_wall_s = now;
    return prepare_set(model(ips), options);
  }
  static std::string said(const PreparedSet& set) {
    std::string out;
    for (const Diagnostic& d : set.diagnostics) out += format(d, {"site.toml"}) + "\n";
    return out;
  }
  // What the link does with the sid.
  static abi::IpsAction action(const PreparedSet& set, std::size_t link, std::uint32_t sid) {
    for (std::size_t i = 0; i < set.info.signatures.size(); ++i)
      if (set.info.signatures[i].sid == sid)
        return set.part.link_actions.at(link) == UINT32_MAX
                   ? abi::IpsAction::as_written
                   : static_cast<abi::IpsAction>(set.part.actions.at(set.part.link_actions[link] + i));
    ADD_FAILURE() << "no sid " << sid;
    return abi::IpsAction::as_written;
  }

  std::string folder_;
};

TEST_F(Sets, OneBadSignatureIsRejectedAndTheOthersAreLoaded) {
  const PreparedSet set = prepared(files());
  ASSERT_TRUE(set.ok) << said(set);
  EXPECT_EQ(set.summary.candidates, 4u);
  EXPECT_EQ(set.summary.loaded, 3u);
  ASSERT_EQ(set.summary.rejections.size(), 1u);
  EXPECT_NE(set.summary.rejections[0].find("own.rules:5: sid 4:"), std::string::npos)
      << set.summary.rejections[0];
  EXPECT_NE(said(set).find("1 of 4 signatures are rejected"), std::string::npos) << said(set);
  EXPECT_EQ(set.part.actions.size(), 0u) << "nothing is converted unasked";
  EXPECT_EQ(set.summary.categories.at("trojan-activity"), "A Network Trojan was detected");
  const SetSummary again = set_summary_of(to_json(set.summary));
  EXPECT_EQ(again.loaded, 3u);
  EXPECT_EQ(again.rejections, set.summary.rejections);
}

TEST_F(Sets, TheFirstBlockThatFitsDecides) {
  const PreparedSet set = prepared(files() + R"([[ips.action]]
links = "lab"
severity = "critical"
confidence = "high"
action = "drop"
[[ips.action]]
classtype = ["Trojan-Activity", "misc-activity"]
action = "reject"
)");
  ASSERT_TRUE(set.ok) << said(set);
  EXPECT_EQ(action(set, 0, 1), abi::IpsAction::drop);
  EXPECT_EQ(action(set, 0, 2), abi::IpsAction::reject);
  EXPECT_EQ(action(set, 1, 1), abi::IpsAction::reject) << "the first block is for another link";
  EXPECT_EQ(action(set, 0, 3), abi::IpsAction::as_written)
      << "a pass is not turned into its opposite by its class";
}

TEST_F(Sets, GroupsAreFilesOrMetadata) {
  const PreparedSet set = prepared(files() +
                                   "[[ips.action]]\ngroup = \"tag=ransomware\"\naction = \"drop\"\n"
                                   "[[ips.action]]\ngroup = \"own.rules\"\nsid = [2, 3]\naction = \"off\"\n"
                                   "[[ips.action]]\ngroup = \"other.rules\"\naction = \"drop\"\n");
  ASSERT_TRUE(set.ok) << said(set);
  EXPECT_EQ(action(set, 0, 1), abi::IpsAction::drop);
  EXPECT_EQ(action(set, 0, 2), abi::IpsAction::off);
  EXPECT_EQ(action(set, 0, 3), abi::IpsAction::off) << "by its sid a pass is taken";
  EXPECT_EQ(set.part.link_actions[0], set.part.link_actions[1]) << "equal links share one array";
  EXPECT_NE(said(set).find("the action \"action 3\" takes no signature of this set"), std::string::npos)
      << said(set);
}

TEST_F(Sets, NewSignaturesOnlyDetectUntilTheirTimeIsOver) {
  const auto recent = [](const PreparedSet& set) { return set.summary.recent; };
  PreparedSet set = prepared(files());
  EXPECT_EQ(recent(set), 3u);
  EXPECT_EQ(set.summary.acts_from_wall_s, kNow + 7 * 86400);
  Ledger ledger;
  ASSERT_TRUE(ledger.note(set.info, kNow));
  EXPECT_FALSE(ledger.note(set.info, kNow + 5)) << "the first time stays";
  ASSERT_EQ(ledger.save(folder_ + "/signatures/first-seen"), "");
  EXPECT_EQ(recent(prepared(files(), kNow + 7 * 86400 - 1)), 3u);
  EXPECT_EQ(recent(prepared(files(), kNow + 7 * 86400)), 0u);
  ledger.promote({1, 2, 1}, kNow);
  ASSERT_EQ(ledger.save(folder_ + "/signatures/first-seen"), "");
  EXPECT_EQ(recent(prepared(files(), kNow + 60)), 2u);
  EXPECT_EQ(recent(prepared(files() + "new_signatures_detect_for = 0\n", kNow + 60)), 0u);
  std::string changed = kSignatures;
  changed.replace(changed.find("rev:3"), 5, "rev:4");
  write("own.rules", changed);
  EXPECT_EQ(recent(prepared(files(), kNow + 8 * 86400)), 1u) << "a new revision is new";
}

TEST_F(Sets, TheRecentFlagReachesTheBlock) {
  const auto flagged = [](const PreparedSet& set) {
    abi::SignatureHeader head;
    std::memcpy(&head, set.part.block.data(), sizeof head);
    const auto& section = head.section[static_cast<std::size_t>(abi::SignatureSection::signatures)];
    std::size_t count = 0;
    for (std::uint64_t i = 0; i < section.count; ++i) {
      abi::SignatureRecord r;
      std::memcpy(&r, set.part.block.data() + section.offset + i * sizeof r, sizeof r);
      count += (r.flags & abi::signature_flag::kRecent) != 0;
    }
    return count;
  };
  EXPECT_EQ(flagged(prepared(files())), 3u);
  EXPECT_EQ(flagged(prepared(files() + "new_signatures_detect_for = 0\n")), 0u);
}

TEST_F(Sets, ADamagedLedgerIsSaid) {
  for (const char* text :
       {"", "sekisho first-seen 1\n", "sekisho first-seen 1\n1 2 3\nend\n",
        "sekisho first-seen 1\n1 2 3 4 2\nend\n", "sekisho first-seen 1\n1 2 3 4 0 5\nend\n",
        "sekisho first-seen 1\n-1 2 3 4 0\nend\n", "sekisho first-seen 1\n1 2 3 4 0"}) {
    write("signatures/first-seen", text);
    Ledger ledger;
    std::string why;
    EXPECT_FALSE(ledger.load(folder_ + "/signatures/first-seen", why)) << text;
    EXPECT_NE(why.find("damaged in line"), std::string::npos) << why;
    const PreparedSet set = prepared(files());
    EXPECT_TRUE(set.ok);
    EXPECT_EQ(set.summary.recent, 3u);
    EXPECT_NE(said(set).find("every signature counts as new"), std::string::npos);
  }
}

TEST_F(Sets, ExceptionsReachTheSnapshot) {
  const PreparedSet set = prepared(files() + R"([[ips.exception]]
sid = [1, 2]
addresses = ["10.0.0.0/24", "2001:db8::1"]
until = 2026-01-01
reason = "ticket"
[[ips.exception]]
sid = "any"
addresses = "10.9.9.9"
until = 2026-01-01
reason = "scanner"
[[ips.exception]]
sid = 9
until = 2025-11-01
reason = "over"
)");
  ASSERT_TRUE(set.ok) << said(set);
  ASSERT_EQ(set.part.exceptions.size(), 3u) << "what has ended is left out";
  EXPECT_EQ(set.part.exceptions[0].sid, 1u);
  EXPECT_EQ(set.part.exceptions[0].addresses.size(), 2u);
  EXPECT_EQ(set.part.exceptions[1].sid, 2u);
  EXPECT_EQ(set.part.exceptions[2].sid, 0u);
  const CompileResult compiled = compile(model(files()), 1, &set.part);
  EXPECT_TRUE(compiled.ok());
}

TEST_F(Sets, WhatMakesTheWholeDoubtfulIsRefusedAtItsPlace) {
  const auto refused = [&](const std::string& ips, const char* what) {
    const PreparedSet set = prepared(ips);
    EXPECT_FALSE(set.ok) << ips;
    EXPECT_NE(said(set).find(what), std::string::npos) << said(set);
    EXPECT_NE(said(set).find("site.toml:5"), std::string::npos) << said(set);
    EXPECT_TRUE(set.part.block.empty());
  };
  refused("[ips]\nfiles = [\"" + folder_ + "/none.rules\"]\n", "none.rules");
  refused("[ips]\nfiles = [\"none.rules\"]\n", "none.rules");
  refused("[ips]\nfiles = [\"" + folder_ + "\"]\n", folder_.c_str());
  refused(files() + "variables = { HOME_NET = \"10.0.0\" }\n", "variable \"HOME_NET\"");
  refused(files() + "variables = { HOME_NET = \"$HOME_NET\" }\n", "variable \"HOME_NET\"");
  refused(files() + "variables = { HTTP_PORTS = \"80000\" }\n", "variable \"HTTP_PORTS\"");
  refused(files() + "threshold = \"/nonexistent\"\n", "/nonexistent");
  write("own.rules", "alert nonsense\n");
  refused(files(), "no signature that can be loaded");
}

// Sets of one file each.
std::vector<std::uint8_t> bundle_of(const signatures::SecretKey& key, std::uint64_t version,
                                    const std::string& rules, const char* name = "et") {
  std::vector<std::uint8_t> out;
  EXPECT_EQ(signatures::make_bundle(name, version, 1, {{"et.rules", {rules.begin(), rules.end()}}}, key, out),
            "");
  return out;
}

TEST_F(Sets, ImportedSetsAreKeptWithOneStepBack) {
  signatures::PublicKey open;
  signatures::SecretKey secret;
  signatures::make_keys(open, secret);
  SetStore store(folder_ + "/signatures");
  const auto install = [&](std::uint64_t version, const std::string& rules, bool force = false,
                           const char* name = "et") {
    const auto bytes = bundle_of(secret, version, rules, name);
    signatures::Bundle b;
    EXPECT_EQ(signatures::open_bundle(bytes, {open}, b), "");
    return store.install(b, force);
  };
  EXPECT_FALSE(store.current());
  EXPECT_TRUE(store.step_back().starts_with("nothing_before"));
  ASSERT_EQ(install(5, kSignatures), "");
  EXPECT_TRUE(store.step_back().starts_with("nothing_before"));
  const std::string ips = "[ips]\nfiles = \"et.rules\"\n";
  PreparedSet set = prepared(ips);
  ASSERT_TRUE(set.ok) << said(set);
  EXPECT_EQ(set.summary.name, "et");
  EXPECT_EQ(set.summary.version, "5");
  EXPECT_TRUE(install(4, kSignatures).starts_with("older_version"));
  EXPECT_TRUE(install(5, kSignatures).starts_with("same_version"));
  EXPECT_TRUE(install(6, kSignatures, false, "other").starts_with("other_set"));
  EXPECT_EQ(store.current()->version, 5u) << "a refusal changes nothing";
  ASSERT_EQ(install(6, "alert tcp any any -> any any (msg:\"n\"; content:\"abcd\"; sid:9;)\n"), "");
  EXPECT_EQ(prepared(ips).summary.loaded, 1u);
  ASSERT_EQ(store.step_back(), "");
  EXPECT_EQ(store.current()->version, 5u);
  EXPECT_EQ(prepared(ips).summary.loaded, 3u);
  EXPECT_TRUE(store.step_back().starts_with("nothing_before")) << "one step";
  ASSERT_EQ(install(4, kSignatures, true), "");
  EXPECT_EQ(store.current()->version, 4u);
  for (std::uint64_t v = 10; v < 20; ++v) ASSERT_EQ(install(v, kSignatures), "");
  store.trim();
  std::size_t kept = 0;
  for (const auto& entry : fs::directory_iterator(folder_ + "/signatures/versions"))
    kept += entry.is_directory();
  EXPECT_EQ(kept, SetStore::kKept);
  EXPECT_EQ(store.current()->version, 19u);
  EXPECT_EQ(store.previous()->version, 18u);
}

}  // namespace
}  // namespace sekisho::control
