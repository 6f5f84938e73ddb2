// Partly cut: what says so, what raises it, what lowers it, and what survives.
#include <fstream>

#include "tests/link/link_fixture.h"

namespace sekisho::control {
namespace {

class Partial : public LinkFixture {
 protected:
  void begin() {
    start();
    dataplane_ = attach();
  }
  void restart() {
    stop();
    begin();
  }
  void boot_again() {
    reboot();
    begin();
  }
  // Somebody else's store into the words.
  void poke(LinkIndex link, std::uint32_t value) {
    std::string error;
    const auto file = WordsFile::open(place_, WordsFile::Which::file_only, error);
    ASSERT_NE(file, nullptr) << error;
    file->words()->link[link.raw] = value;
  }
  std::shared_ptr<FakeDataplane> dataplane_;
  std::uint32_t word(LinkIndex link) const { return control_->words()->link[link.raw]; }
  bool partial(LinkIndex link) const { return control_->partial_links()[link.raw]; }
  bool cut(LinkIndex link) const { return control_->cut_links()[link.raw]; }
  Receipt cut_partly(LinkIndex link, const Who& who, bool reset = false) {
    return control_->cut(one_link(link), who, "", 0, reset, true);
  }
};

TEST_F(Partial, OpenBecomesPartialAndTheReceiptSaysSo) {
  begin();
  dataplane_->live[kVendor.raw] = 3;
  const Receipt r = cut_partly(kVendor, yamada);
  EXPECT_EQ(r.outcome, Outcome::confirmed) << receipt_text(r, Language::english);
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_PARTIAL);
  EXPECT_EQ(r.changed, one_link(kVendor));
  EXPECT_TRUE(r.partial && r.latched);
  ASSERT_FALSE(r.links.empty());
  EXPECT_EQ(r.links[0].flows_kept, 3u * dataplane_->workers());
  EXPECT_NE(receipt_text(r, Language::english).find("(partial)"), std::string::npos);
  EXPECT_NE(receipt_text(r, Language::japanese).find("部分遮断"), std::string::npos);
  const auto kept = control_->receipt(r.id);
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->partial);
  EXPECT_EQ(kept->links[0].flows_kept, r.links[0].flows_kept);
  EXPECT_TRUE(control_->status().partial[kVendor.raw] && control_->status().cut[kVendor.raw]);
  EXPECT_TRUE(cut_partly(kVendor, tanaka).nothing_changed());
}

TEST_F(Partial, ResetIsAWordOfItsOwn) {
  begin();
  cut_partly(kVendor, yamada, true);
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_PARTIAL_RESET);
  EXPECT_TRUE(partial(kVendor));
  cut_partly(kDevice, yamada);
  cut_partly(kDevice, yamada, true);
  EXPECT_EQ(word(kDevice), SEKISHO_WORD_PARTIAL_RESET);
  cut_partly(kDevice, yamada);
  EXPECT_EQ(word(kDevice), SEKISHO_WORD_PARTIAL_RESET) << "stays so";
}

TEST_F(Partial, APartialCutNeverLoosensAFullOne) {
  begin();
  control_->cut(one_link(kVendor), yamada, "");
  const Receipt r = control_->cut(one_link(kVendor) | one_link(kDevice), tanaka, "", 0, true, true);
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_CUT);
  EXPECT_EQ(word(kDevice), SEKISHO_WORD_PARTIAL_RESET);
  EXPECT_EQ(r.changed, one_link(kDevice));
  EXPECT_FALSE(r.notes.empty());
  restart();
  EXPECT_TRUE(cut(kVendor) && !partial(kVendor));
  EXPECT_TRUE(partial(kDevice));
}

TEST_F(Partial, AnybodyRaisesItAtOnceAndUndoLowersItAgain) {
  begin();
  cut_partly(kVendor, yamada);
  const Receipt raised = control_->cut(one_link(kVendor), tanaka, "more");
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_CUT);
  EXPECT_EQ(raised.changed, one_link(kVendor));
  EXPECT_EQ(raised.raised, one_link(kVendor));
  EXPECT_EQ(control_->receipt(raised.id)->raised, one_link(kVendor));
  EXPECT_EQ(control_->undo(yamada).outcome, Outcome::refused) << "tanaka has cut since";
  const Receipt undone = control_->undo(tanaka);
  EXPECT_EQ(undone.outcome, Outcome::confirmed);
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_PARTIAL) << "as it was before, not open";
  restart();
  EXPECT_TRUE(partial(kVendor));
  EXPECT_EQ(control_->undo(yamada).outcome, Outcome::confirmed);
  EXPECT_FALSE(cut(kVendor));
}

TEST_F(Partial, ReopeningToPartialAndThenWhole) {
  begin();
  control_->cut(one_link(kVendor), yamada, "");
  const LinkSet both = one_link(kVendor) | one_link(kDevice);
  const Receipt r = control_->reopen(both, tanaka, "monitors first", 0, true);
  EXPECT_EQ(r.outcome, Outcome::confirmed);
  EXPECT_EQ(r.changed, one_link(kVendor));
  EXPECT_TRUE(partial(kVendor));
  EXPECT_FALSE(cut(kDevice)) << "what is open is not cut by a reopening";
  restart();
  EXPECT_TRUE(partial(kVendor)) << "latched";
  EXPECT_TRUE(control_->reopen(one_link(kVendor), tanaka, "", 0, true).nothing_changed());
  EXPECT_EQ(control_->reopen(one_link(kVendor), tanaka, "").changed, one_link(kVendor));
  EXPECT_FALSE(cut(kVendor));
  restart();
  EXPECT_FALSE(cut(kVendor));
}

TEST_F(Partial, SurvivesARestartAndAReboot) {
  begin();
  cut_partly(kVendor, yamada);
  restart();
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_PARTIAL);
  boot_again();
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_PARTIAL) << "from the latch alone";
  EXPECT_FALSE(cut(kDevice));
}

TEST_F(Partial, AGarbledWordReadsAsFullAndStaysSo) {
  begin();
  cut_partly(kVendor, yamada);
  stop();
  poke(kVendor, SEKISHO_WORD_PARTIAL ^ 0x100u);
  begin();
  EXPECT_TRUE(cut(kVendor));
  EXPECT_FALSE(partial(kVendor));
  boot_again();
  EXPECT_FALSE(partial(kVendor)) << "and so it is latched";
  EXPECT_TRUE(cut(kVendor));
}

TEST_F(Partial, AFullLatchWinsOverAPartialWord) {
  begin();
  control_->cut(one_link(kVendor), yamada, "");
  stop();
  poke(kVendor, SEKISHO_WORD_PARTIAL);
  begin();
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_CUT);
}

TEST_F(Partial, WhatLoosensTheWordBehindOurBackIsPutRight) {
  begin();
  control_->cut(one_link(kVendor), yamada, "");
  cut_partly(kDevice, yamada);
  poke(kVendor, SEKISHO_WORD_PARTIAL);
  poke(kDevice, SEKISHO_WORD_OPEN);
  control_->tick();
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_CUT);
  EXPECT_EQ(word(kDevice), SEKISHO_WORD_PARTIAL);
  EXPECT_FALSE(control_->status().reports.empty());
}

TEST_F(Partial, ADirectCutRaisesIt) {
  begin();
  cut_partly(kVendor, yamada);
  const DirectCut done = cut_direct(direct(), one_link(kVendor), tanaka, "now");
  EXPECT_EQ(done.changed, one_link(kVendor));
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_CUT);
  control_->tick();
  restart();
  EXPECT_TRUE(cut(kVendor) && !partial(kVendor));
}

TEST_F(Partial, ADirectCutWithoutSekishodRaisesTheLatch) {
  begin();
  cut_partly(kVendor, yamada);
  stop();
  EXPECT_TRUE(cut_direct(direct(), one_link(kVendor), tanaka, "now").latched);
  std::remove(place_.file.c_str());
  begin();
  EXPECT_TRUE(cut(kVendor) && !partial(kVendor));
}

TEST_F(Partial, ALatchThatCannotBeWrittenLeavesTheFullCut) {
  begin();
  control_->cut(one_link(kVendor), yamada, "");
  {
    const FullDisk full;
    const Receipt r = control_->reopen(one_link(kVendor), tanaka, "", 0, true);
    EXPECT_EQ(r.outcome, Outcome::refused);
  }
  EXPECT_EQ(word(kVendor), SEKISHO_WORD_CUT);
}

TEST_F(Partial, EveryDamagedByteOfTheLatchIsAFullCutOrTheOtherCopy) {
  Latch latch(root_ + "/one");
  std::string error;
  LatchState state;
  state.cut = one_link(kVendor) | one_link(kDevice);
  state.partial = one_link(kDevice);
  ASSERT_TRUE(latch.write(state, error)) << error;
  const std::string path = root_ + "/one/latch.0", other = root_ + "/one/latch.1";
  std::remove(other.c_str());
  std::ifstream in(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  const auto read_with = [&](std::size_t at, char flip) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ flip);
    std::ofstream(path, std::ios::binary) << bytes;
    return Latch(root_ + "/one").read();
  };
  EXPECT_EQ(read_with(0, 0).state.partial, state.partial);
  for (std::size_t at = 0; at < 2408 + 272; at += 7) {
    const LatchRead damaged = read_with(at, 0x10);
    EXPECT_EQ(damaged.health, LatchHealth::all_damaged) << at;
    EXPECT_TRUE(damaged.state.cut.all() && damaged.state.partial.none()) << at;
  }
}

TEST_F(Partial, PartialIsPartOfCutWhateverTheLatchSays) {
  Latch latch(root_ + "/two");
  std::string error;
  LatchState state;
  state.cut = one_link(kVendor);
  state.partial = one_link(kVendor) | one_link(kInternet);
  ASSERT_TRUE(latch.write(state, error));
  const LatchRead read = Latch(root_ + "/two").read();
  EXPECT_EQ(read.state.cut, one_link(kVendor));
  EXPECT_EQ(read.state.partial, one_link(kVendor));
}

TEST_F(Partial, MovesWithItsZones) {
  begin();
  std::string error;
  ASSERT_TRUE(control_->set_zones({"a", "b", "c"}, false, error)) << error;
  const auto between = [](std::uint32_t x, std::uint32_t y) {
    return LinkIndex(static_cast<std::uint16_t>(sekisho_link_index(x, y)));
  };
  cut_partly(between(0, 1), yamada);
  control_->cut(one_link(between(0, 2)), yamada, "");
  ASSERT_TRUE(control_->set_zones({"a", "c", "b"}, false, error)) << error;
  EXPECT_TRUE(cut(between(0, 1)) && !partial(between(0, 1))) << "a-c was fully cut";
  EXPECT_TRUE(partial(between(0, 2))) << "a-b was partly cut";
  ASSERT_TRUE(control_->set_zones({"a", "c", "new"}, false, error)) << error;
  EXPECT_TRUE(cut(between(0, 2)) && !partial(between(0, 2))) << "b may be called new now: fully, to be safe";
  restart();
  EXPECT_FALSE(partial(between(0, 2)));
}

}  // namespace
}  // namespace sekisho::control
