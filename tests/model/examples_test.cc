// The example sites of config/ are sites.
#include <gtest/gtest.h>

#include <filesystem>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "tests/model/site_text.h"

namespace sekisho::control {
namespace {

ReadResult read_example(const std::string& name) {
  return read_config_file(SEKISHO_SOURCE_ROOT "/config/" + name, kNow);
}

TEST(Examples, EachIsReadWithoutAFinding) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SEKISHO_SOURCE_ROOT "/config")) {
    if (entry.path().extension() != ".toml") continue;
    const ReadResult result = read_example(entry.path().filename());
    EXPECT_TRUE(result.ok()) << entry.path();
    for (const Diagnostic& d : result.diagnostics) ADD_FAILURE() << format(d, result.files);
    ++seen;
  }
  EXPECT_GE(seen, 4);
}

TEST(Examples, Demo) {
  const ReadResult result = read_example("demo.toml");
  ASSERT_TRUE(result.ok());
  const Model& m = *result.model;
  EXPECT_EQ(m.ports.size(), 6u);
  EXPECT_EQ(m.ports[0].kernel_interface, "gw-device");
  EXPECT_EQ(m.ports[0].checksums, abi::ChecksumPolicy::trust);
  EXPECT_EQ(m.zones[2].kind, ZoneKind::vendor);
  EXPECT_EQ(m.wires.size(), 3u);
  ASSERT_EQ(m.links.size(), 3u);
  EXPECT_TRUE(m.links[0].clinical);
  ASSERT_EQ(m.rules.size(), 4u);
  EXPECT_EQ(m.rules[0].destination.size(), 2u);
  EXPECT_EQ(m.rules[0].services.size(), 4u);  // two DICOM ports, two pings
  EXPECT_EQ(m.rules[0].services[0].idle_timeout_s, 8 * 3600u);
  EXPECT_EQ(m.rules[3].services[0].destination_low, 23);
  EXPECT_TRUE(m.rules[3].log);
}

TEST(Examples, LabLearnsAndFailsOpen) {
  const ReadResult result = read_example("lab.toml");
  ASSERT_TRUE(result.ok());
  const Model& m = *result.model;
  EXPECT_EQ(m.links[0].fail, abi::FailMode::open);
  EXPECT_EQ(m.links[1].mode, abi::LinkMode::learn);
  EXPECT_EQ(m.links[3].name, "lab-his");
}

TEST(Examples, VendorAccessIsClosedByDefault) {
  const ReadResult result = read_example("his-vendor.toml");
  ASSERT_TRUE(result.ok());
  const Model& m = *result.model;
  ASSERT_TRUE(m.rules[0].access.has_value());
  EXPECT_EQ(m.accesses[*m.rules[0].access], "vendor-a.ssh");
  ASSERT_EQ(m.vendors.size(), 1u);
  EXPECT_EQ(m.vendors[0].suspend.volume, 2ull << 30);
  EXPECT_EQ(m.links[0].fail, abi::FailMode::closed);
}

}  // namespace
}  // namespace sekisho::control
