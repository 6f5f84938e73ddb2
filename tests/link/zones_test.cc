// Links are numbered by zones: a change of the configuration must not move a cut to another link.
#include "tests/link/link_fixture.h"

namespace sekisho::control {
namespace {

class ZonesTest : public LinkFixture {
 protected:
  static LinkSet link(unsigned a, unsigned b) {
    return one_link(LinkIndex(static_cast<std::uint16_t>(sekisho_link_index(a, b))));
  }
  const std::vector<std::string> zones_{"his", "device", "vendor"};
  std::string error_;
};

TEST_F(ZonesTest, AddingAZoneAtTheEndIsAlwaysPossible) {
  start();
  ASSERT_TRUE(control_->set_zones(zones_, false, error_));
  control_->cut(link(0, 2), yamada, "");
  EXPECT_TRUE(control_->set_zones({"his", "device", "vendor", "internet"}, true, error_)) << error_;
  EXPECT_EQ(control_->cut_links(), link(0, 2));
}

TEST_F(ZonesTest, LiveRenumberingOfACutLinkIsRefused) {
  start();
  ASSERT_TRUE(control_->set_zones(zones_, false, error_));
  control_->cut(link(0, 2), yamada, "");
  EXPECT_FALSE(control_->set_zones({"internet", "his", "device", "vendor"}, true, error_));
  EXPECT_TRUE(error_.starts_with("cut_links_would_move")) << error_;
  EXPECT_NE(error_.find("his-vendor"), std::string::npos);
  EXPECT_FALSE(control_->set_zones({"his", "device"}, true, error_));
  EXPECT_EQ(control_->cut_links(), link(0, 2));
  EXPECT_EQ(latch().state.zones, zones_);
}

TEST_F(ZonesTest, LiveRenumberingOfOpenLinksIsFine) {
  start();
  ASSERT_TRUE(control_->set_zones(zones_, false, error_));
  EXPECT_TRUE(control_->set_zones({"internet", "his", "device", "vendor"}, true, error_));
  EXPECT_TRUE(control_->cut_links().none());
}

TEST_F(ZonesTest, WhileNothingRunsACutFollowsItsZones) {
  start();
  ASSERT_TRUE(control_->set_zones(zones_, false, error_));
  control_->cut(link(0, 2), yamada, "");
  start();
  ASSERT_TRUE(control_->set_zones({"internet", "his", "device", "vendor"}, false, error_)) << error_;
  EXPECT_EQ(control_->cut_links(), link(1, 3));
  EXPECT_EQ(latch().state.cut, link(1, 3));
  EXPECT_TRUE(audited("zones.renumbered"));
  control_->tick();
  reboot();
  start();
  EXPECT_EQ(control_->cut_links(), link(1, 3));
}

TEST_F(ZonesTest, ACutOfAZoneThatIsGoneIsReported) {
  start();
  ASSERT_TRUE(control_->set_zones(zones_, false, error_));
  control_->cut(link(0, 2), yamada, "");
  ASSERT_TRUE(control_->set_zones({"his", "device"}, false, error_));
  EXPECT_TRUE(reported("his-vendor"));
  EXPECT_TRUE(control_->cut_links().none());
}

TEST_F(ZonesTest, ARenamedZoneStaysCut) {
  start();
  ASSERT_TRUE(control_->set_zones(zones_, false, error_));
  control_->cut(link(0, 2), yamada, "");
  EXPECT_FALSE(control_->set_zones({"his", "device", "vendors"}, true, error_));
  ASSERT_TRUE(control_->set_zones({"his", "device", "vendors", "internet"}, false, error_));
  EXPECT_EQ(control_->cut_links(), link(0, 2) | link(0, 3));
}

TEST_F(ZonesTest, AFullDiskLeavesEverythingAsItWas) {
  start();
  ASSERT_TRUE(control_->set_zones(zones_, false, error_));
  control_->cut(link(0, 2), yamada, "");
  {
    const FullDisk full;
    EXPECT_FALSE(control_->set_zones({"internet", "his", "device", "vendor"}, false, error_));
  }
  EXPECT_TRUE(control_->cut_links()[sekisho_link_index(0, 2)]);
  control_->tick();
  EXPECT_TRUE(latch().state.cut[sekisho_link_index(0, 2)]);
  EXPECT_EQ(latch().state.zones, zones_);
}

TEST_F(ZonesTest, TooManyAreRefused) {
  start();
  EXPECT_FALSE(control_->set_zones(std::vector<std::string>(65, "z"), false, error_));
}

}  // namespace
}  // namespace sekisho::control
