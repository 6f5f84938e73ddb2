// The preview names flows as people know them, protected ones first, and copes with a full flow table.
#include "control/daemon/preview.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "dataplane/abi/words.h"

namespace sekisho::control {
namespace {

Site site() {
  Site s;
  s.model.name = "t";
  for (const char* name : {"his", "device", "vendor"}) s.model.zones.push_back({.name = name, .at = {}});
  Link clinical;
  clinical.name = "device-his";
  clinical.zone_a = 1;
  clinical.clinical = true;
  Link vendor;
  vendor.name = "vendor";
  vendor.zone_a = 2;
  s.model.links = {clinical, vendor};
  ReadAssetsResult assets = read_assets_csv(
      "address,name,ward,phone,vendor,protected\n10.1.0.2,CT-2,radiology,2314,,no\n10.0.0.10,PACS,,2300,,no\n"
      "10.1.0.9,Monitor-9,ICU,2999,,yes\n",
      "a.csv");
  s.assets = std::make_shared<const Assets>(std::move(*assets.assets));
  return s;
}

abi::FlowRecord flow(std::uint32_t source, std::uint8_t from, std::uint16_t port, std::uint64_t bytes) {
  abi::FlowRecord f{};
  f.ip_version = 4;
  const std::uint8_t a[] = {10, from, static_cast<std::uint8_t>(source >> 8),
                            static_cast<std::uint8_t>(source)};
  const std::uint8_t b[] = {10, 0, 0, 10};
  std::memcpy(f.source, a, 4);
  std::memcpy(f.destination, b, 4);
  f.protocol = 6;
  f.destination_port = port;
  f.from_zone = from;
  f.bytes_to_destination = bytes;
  return f;
}

LinkSet link(std::uint32_t a, std::uint32_t b) {
  LinkSet set;
  set.set(sekisho_link_index(a, b));
  return set;
}

TEST(Preview, APartialCutNamesWhatStaysApart) {
  const auto p = preview_view(
      site(), link(1, 0),
      {flow(2, 1, 104, 5000), flow(2, 1, 104, 1000), flow(9, 1, 2575, 10), flow(1, 2, 3389, 7)}, true);
  EXPECT_EQ(p.at("partial"), true);
  EXPECT_EQ(p.at("flows"), 2);
  EXPECT_EQ(p.at("bytes"), 6000);
  EXPECT_EQ(p.at("groups"), 1);
  ASSERT_EQ(p.at("would_end").size(), 1u);
  EXPECT_EQ(p.at("would_end")[0].at("source").at("name"), "CT-2");
  ASSERT_EQ(p.at("stays").size(), 1u);
  EXPECT_EQ(p.at("stays")[0].at("text").at("en"), "Monitor-9 → PACS, HL7 messages");
  EXPECT_EQ(p.at("stay_flows"), 1);
  EXPECT_EQ(p.at("stay_bytes"), 10);
  EXPECT_EQ(p.at("depends")[0].at("hosts"), 1) << "the monitor goes on";
  EXPECT_EQ(p.at("ask_again"), false);
  EXPECT_FALSE(preview_view(site(), link(1, 0), {}).contains("stays"));
}

TEST(Preview, NamesWhatPeopleKnow) {
  const auto p =
      preview_view(site(), link(1, 0),
                   {flow(2, 1, 104, 5000), flow(2, 1, 104, 1000), flow(9, 1, 2575, 10), flow(1, 2, 3389, 7)});
  EXPECT_EQ(p.at("flows"), 3);
  EXPECT_EQ(p.at("bytes"), 6010);
  EXPECT_EQ(p.at("groups"), 2);
  ASSERT_EQ(p.at("would_end").size(), 2u);
  const auto& first = p.at("would_end")[0];
  EXPECT_EQ(first.at("text").at("en"), "Monitor-9 → PACS, HL7 messages");
  EXPECT_EQ(first.at("protected"), true);
  EXPECT_EQ(first.at("source").at("ward"), "ICU");
  const auto& second = p.at("would_end")[1];
  EXPECT_EQ(second.at("text").at("en"), "CT-2 → PACS, DICOM store");
  EXPECT_EQ(second.at("text").at("ja"), "CT-2 → PACS、DICOM 画像保存");
  EXPECT_EQ(second.at("flows"), 2);
  EXPECT_EQ(second.at("destination").at("phone"), "2300");
  EXPECT_EQ(p.at("protected_flows"), 1);
  EXPECT_EQ(p.at("protected")[0].at("name"), "Monitor-9");
  EXPECT_EQ(p.at("ask_again"), true);
  const auto& depends = p.at("depends")[0];
  EXPECT_EQ(depends.at("name"), "PACS");
  EXPECT_EQ(depends.at("hosts"), 2);
  EXPECT_EQ(depends.at("wards"), (nlohmann::json{"ICU", "radiology"}));
}

TEST(Preview, AVendorsLinkAsksNothing) {
  const auto p = preview_view(site(), link(2, 0), {flow(1, 2, 3389, 7)});
  EXPECT_EQ(p.at("ask_again"), false);
  EXPECT_EQ(p.at("would_end")[0].at("text").at("en"), "10.2.0.1 → PACS, remote desktop");
}

TEST(Preview, AHundredThousandFlowsAreListedWithinBounds) {
  std::vector<abi::FlowRecord> flows;
  for (std::uint32_t i = 0; i < 100'000; ++i) flows.push_back(flow(i % 50'000, 1, i % 2 ? 104 : 443, i));
  const Site s = site();
  const auto began = std::chrono::steady_clock::now();
  const auto p = preview_view(s, link(1, 0), flows);
  RecordProperty("milliseconds", static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                                      std::chrono::steady_clock::now() - began)
                                                      .count()));
  EXPECT_EQ(p.at("flows"), 100'000);
  EXPECT_EQ(p.at("groups"), 50'000);
  EXPECT_EQ(p.at("would_end").size(), kPreviewGroups);
}

}  // namespace
}  // namespace sekisho::control
