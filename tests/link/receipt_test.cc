#include <nlohmann/json.hpp>

#include "tests/link/link_fixture.h"

namespace sekisho::control {
namespace {

class ReceiptTest : public LinkFixture {
 protected:
  void SetUp() override {
    LinkFixture::SetUp();
    std::filesystem::create_directory(root_ + "/receipts");
  }
  Receipt receipt(ReceiptStore& store, std::uint64_t wall_ns) {
    Receipt r;
    r.id = store.next_id(wall_ns);
    r.outcome = Outcome::confirmed;
    r.who = yamada;
    r.command_wall_ns = wall_ns;
    r.command_ns = 1'000'000;
    r.stored_ns = 1'012'000;
    r.confirmed_ns = 1'050'000;
    r.named = r.changed = one_link(kVendor) | one_link(LinkIndex(4)) | one_link(LinkIndex(2079));
    r.links = {{kVendor, "vendor", true, 1'020'000, 12}};
    r.workers = {{0, true, true, false, 1'030'000, 1'050'000}};
    r.latched = true;
    r.audit_sequence = 17;
    return r;
  }
  static constexpr std::uint64_t kWall = 1795435262'000000000ull;  // 2026-11-23 12:01:02 UTC
};

TEST_F(ReceiptTest, IdsAreTheTimeAndANumberAndGoOn) {
  ReceiptStore store(root_ + "/receipts", 100);
  std::string error;
  Receipt r = receipt(store, kWall);
  EXPECT_EQ(r.id, "20261123T120102Z-0001");
  ASSERT_TRUE(store.save(r, error)) << error;
  EXPECT_EQ(store.next_id(kWall), "20261123T120102Z-0002");
  ReceiptStore again(root_ + "/receipts", 100);
  EXPECT_EQ(again.next_id(kWall), "20261123T120102Z-0002");
}

TEST_F(ReceiptTest, JsonKeepsEverything) {
  ReceiptStore store(root_ + "/receipts", 100);
  Receipt r = receipt(store, kWall);
  r.notes = {"a note"};
  r.cables = {"port p-vendor"};
  r.missing = {1};
  const auto json = receipt_to_json(r);
  EXPECT_EQ(json["outcome"], "CONFIRMED");
  EXPECT_EQ(json["named"], nlohmann::json::parse("[[3,4],[2079,2079]]"));
  const auto back = receipt_from_json(json);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->named, r.named);
  EXPECT_EQ(receipt_to_json(*back), json);
  for (const char* bad : {"{}", "[]", "{\"command\":\"cut\"}"})
    EXPECT_FALSE(receipt_from_json(nlohmann::json::parse(bad)).has_value());
  auto changed = json;
  changed["named"] = {{5, 3000000000u}};
  EXPECT_EQ(receipt_from_json(changed)->named.count(), SEKISHO_MAX_LINKS - 5u);
}

TEST_F(ReceiptTest, TheNewestAreKept) {
  ReceiptStore store(root_ + "/receipts", 3);
  std::string error;
  std::vector<std::string> ids;
  for (unsigned i = 0; i < 5; ++i) {
    const Receipt r = receipt(store, kWall + i * kSecond);
    ids.push_back(r.id);
    ASSERT_TRUE(store.save(r, error));
  }
  EXPECT_EQ(store.list(), (std::vector<std::string>{ids[4], ids[3], ids[2]}));
  EXPECT_FALSE(store.load(ids[0]).has_value());
  EXPECT_TRUE(store.load(ids[4]).has_value());
}

TEST_F(ReceiptTest, OnlyIdsAreLoaded) {
  ReceiptStore store(root_ + "/receipts", 3);
  std::ofstream(root_ + "/secret.json") << "{}";
  for (const char* bad :
       {"", "../secret", "20261123T120102Z-00a7", "20261123T120102Z-0007/../x", "20261123T120102Z-0007"})
    EXPECT_FALSE(store.load(bad).has_value()) << bad;
}

TEST_F(ReceiptTest, TextInBothLanguages) {
  ReceiptStore store(root_ + "/receipts", 100);
  const Receipt r = receipt(store, kWall);
  const std::string english = receipt_text(r, Language::english);
  for (const char* part : {"CONFIRMED", "20261123T120102Z-0001", "yamada", "vendor", "+12.0 us", "+50.0 us",
                           "flows ended: 12", "latched on disk", "audit record: 17"})
    EXPECT_NE(english.find(part), std::string::npos) << part << "\n" << english;
  const std::string japanese = receipt_text(r, Language::japanese);
  for (const char* part : {"遮断", "確認済み", "遮断実行記録", "遮断保持中", "監査ログ", "ゾーン間通信"})
    EXPECT_NE(japanese.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace sekisho::control
