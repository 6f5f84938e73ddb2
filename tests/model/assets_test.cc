#include "control/model/assets.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "control/model/csv.h"
#include "control/model/diagnostic.h"
#include "control/model/protected.h"
#include "control/model/values.h"
#include "tests/model/site_text.h"

namespace sekisho::control {
namespace {

std::string all(const ReadAssetsResult& result) {
  std::string out;
  for (const Diagnostic& d : result.diagnostics) out += format(d, result.files) + "\n";
  return out;
}
std::string name_at(const Assets& assets, const char* address) {
  const Asset* found = assets.find(*parse_address(address));
  return found ? found->name : "-";
}

const std::string kHeader = "address,name,ward,phone,vendor,protected\n";

TEST(AssetsCsv, QuotingBomAndLineEnds) {
  const ReadAssetsResult result = read_assets_csv(
      "\xef\xbb\xbf"
      "address,name,ward,phone,vendor,protected\r\n"
      "10.0.0.1,\"CT 2, \"\"new\"\"\",放射線科,2101,\"Acme, Inc.\",yes\r\n\r\n"
      "2001:db8::1,モニタ,ICU,,,no\n"
      "10.0.1.0/24,pumps,,,,",
      "assets.csv");
  ASSERT_TRUE(result.assets) << all(result);
  const Asset* ct = result.assets->find(*parse_address("10.0.0.1"));
  ASSERT_NE(ct, nullptr);
  EXPECT_EQ(ct->name, "CT 2, \"new\"");
  EXPECT_EQ(ct->ward, "放射線科");
  EXPECT_EQ(ct->phone, "2101");
  EXPECT_EQ(ct->vendor, "Acme, Inc.");
  EXPECT_TRUE(ct->is_protected);
  EXPECT_EQ(ct->at.line, 2u);
  EXPECT_EQ(name_at(*result.assets, "2001:db8::1"), "モニタ");
  EXPECT_EQ(name_at(*result.assets, "10.0.1.77"), "pumps");
  EXPECT_EQ(result.assets->all()[1].at.line, 4u);
}

TEST(AssetsCsv, ColumnsInAnyOrder) {
  const ReadAssetsResult result = read_assets_csv("protected,name,address\n1,a,10.0.0.1\n", "a.csv");
  ASSERT_TRUE(result.assets) << all(result);
  EXPECT_EQ(name_at(*result.assets, "10.0.0.1"), "a");
  EXPECT_TRUE(result.assets->all()[0].is_protected);
}

TEST(Protected, TheMostSpecificAssetDecides) {
  const ReadAssetsResult result = read_assets_csv(
      "address,name,protected\n10.1.0.0/24,monitors,yes\n10.1.0.7,guest,no\n10.1.0.0/28,core,yes\n"
      "10.1.1.0,next,yes\n255.255.255.255,last,yes\n0.0.0.0,first,yes\n10.9.0.0/16,plain,no\n"
      "2001:db8::/64,six,yes\n2001:db8::1,hole,no\nffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,end,yes\n",
      "a.csv");
  ASSERT_TRUE(result.assets) << all(result);
  const ProtectedAddresses care = protected_of(*result.assets);
  std::string said;
  for (const auto& i : care.v4) said += fmt::format("{:08x}-{:08x} ", i.low, i.high);
  EXPECT_EQ(said, "00000000-00000000 0a010000-0a010006 0a010008-0a010100 ffffffff-ffffffff ");
  ASSERT_EQ(care.v6.size(), 3u);
  EXPECT_EQ(care.v6[0].low, (abi::Address6{0x20010db800000000, 0}));
  EXPECT_EQ(care.v6[0].high, (abi::Address6{0x20010db800000000, 0}));
  EXPECT_EQ(care.v6[1].low, (abi::Address6{0x20010db800000000, 2}));
  EXPECT_EQ(care.v6[1].high, (abi::Address6{0x20010db800000000, ~0ull}));
  EXPECT_EQ(care.v6[2].high, (abi::Address6{~0ull, ~0ull}));

  ProtectedAddresses back;
  ASSERT_TRUE(unpack(pack(care), back));
  EXPECT_EQ(back.v4.size(), care.v4.size());
  EXPECT_EQ(back.v6[2].low, care.v6[2].low);
  EXPECT_TRUE(unpack(pack({}), back) && back.empty());
  const std::string whole = pack(care);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(unpack(std::string_view(whole).substr(0, size), back)) << size;
}

TEST(Assets, TheMostSpecificWins) {
  const ReadAssetsResult result = read_assets_csv(
      "address,name\n0.0.0.0/0,world\n10.0.0.0/8,ten\n10.1.0.0/16,ten-one\n10.1.2.0/25,half\n10.1.2.3,host\n"
      "2001:db8::/32,doc\n2001:db8::/65,sixty-five\n",
      "a.csv");
  ASSERT_TRUE(result.assets) << all(result);
  const Assets& a = *result.assets;
  EXPECT_EQ(name_at(a, "10.1.2.3"), "host");
  EXPECT_EQ(name_at(a, "10.1.2.127"), "half");
  EXPECT_EQ(name_at(a, "10.1.2.128"), "ten-one");
  EXPECT_EQ(name_at(a, "10.2.0.0"), "ten");
  EXPECT_EQ(name_at(a, "9.255.255.255"), "world");
  EXPECT_EQ(name_at(a, "2001:db8::7fff:ffff:ffff:ffff"), "sixty-five");
  EXPECT_EQ(name_at(a, "2001:db8::8000:0:0:0"), "doc");
  EXPECT_EQ(name_at(a, "2001:db9::"), "-");
  EXPECT_EQ(Assets().find(*parse_address("10.0.0.1")), nullptr);
}

struct AssetCase {
  const char* name;
  std::string text;  // with "«" at the place
  std::string what;
};
void PrintTo(const AssetCase& c, std::ostream* out) {
  *out << c.name;
}
std::string case_name(const testing::TestParamInfo<AssetCase>& c) {
  return c.param.name;
}
void expect_refusal(const ReadAssetsResult& result, Position place, const std::string& what) {
  EXPECT_FALSE(result.assets);
  ASSERT_EQ(result.diagnostics.size(), 1u) << all(result);
  EXPECT_EQ(result.diagnostics[0].at.line, place.line) << all(result);
  EXPECT_EQ(result.diagnostics[0].at.column, place.column) << all(result);
  EXPECT_EQ(result.diagnostics[0].what, what);
}

class AssetsCsvRefusal : public testing::TestWithParam<AssetCase> {};
TEST_P(AssetsCsvRefusal, NamesThePlace) {
  std::string text = GetParam().text;
  const Position place = take_marker(text);
  ASSERT_NE(place.line, 0u);
  expect_refusal(read_assets_csv(text, "a.csv"), place, GetParam().what);
}
INSTANTIATE_TEST_SUITE_P(
    Csv, AssetsCsvRefusal,
    testing::Values(
        AssetCase{"Empty", "«", "an empty file"},
        AssetCase{"UnknownColumn", "address,name,«wards\n",
                  "unknown column \"wards\" (did you mean \"ward\"?)"},
        AssetCase{"ColumnTwice", "address,name,«name\n", "the column \"name\" stands twice"},
        AssetCase{"NoAddressColumn", "«name,ward\n", "no column \"address\""},
        AssetCase{"BadAddress", kHeader + "«10.0.0,a,,,,\n", "bad address \"10.0.0\""},
        AssetCase{"HostBits", kHeader + "«10.0.0.1/24,a,,,,\n", "host bits are set in \"10.0.0.1/24\""},
        AssetCase{"Range", kHeader + "«10.0.0.0-10.0.0.255,a,,,,\n",
                  "the asset's address \"10.0.0.0-10.0.0.255\" is a range"},
        AssetCase{"AddressTwice", kHeader + "10.0.0.1,a,,,,\n«10.0.0.1/32,b,,,,\n",
                  "the address \"10.0.0.1/32\" is an asset already (line 2)"},
        AssetCase{"NoName", kHeader + "10.0.0.1,«,,,,\n", "an asset without a name"},
        AssetCase{"NameOnTwoLines", kHeader + "10.0.0.1,«\"a\nb\",,,,\n", "bad text \"a\\x0ab\""},
        AssetCase{"Protected", kHeader + "10.0.0.1,a,,,,«maybe\n", "\"protected\" is \"maybe\""},
        AssetCase{"TooFewFields", kHeader + "«10.0.0.1,a\n", "2 fields"},
        AssetCase{"TooManyFields", kHeader + "«10.0.0.1,a,,,,,\n", "7 fields"},
        AssetCase{"QuoteOpen", kHeader + "10.0.0.1,«\"a,,,,\n", "a quote that never closes"},
        AssetCase{"QuoteInside", kHeader + "10.0.0.1,a«\"b,,,,\n", "a quote inside of a plain field"},
        AssetCase{"TextAfterQuote", kHeader + "10.0.0.1,\"a\"«b,,,,\n", "text after a closing quote"},
        AssetCase{"LoneReturn", kHeader + "10.0.0.1,\"a\"«\r,,,,\n", "a carriage return without a line feed"},
        AssetCase{"ShiftJis", kHeader + "10.0.0.1,«\x95\xfa\x8e\xcb,,,,\n", "not UTF-8 text"}),
    case_name);

class AssetsTomlRefusal : public testing::TestWithParam<AssetCase> {};
TEST_P(AssetsTomlRefusal, NamesThePlace) {
  std::string text = GetParam().text;
  const Position place = take_marker(text);
  ASSERT_NE(place.line, 0u);
  expect_refusal(read_assets_toml(text, "a.toml"), place, GetParam().what);
}
INSTANTIATE_TEST_SUITE_P(
    Toml, AssetsTomlRefusal,
    testing::Values(
        AssetCase{"UnknownTable", "[[«assets]]\n",
                  "unknown key \"assets\" in a file of assets (did you mean \"asset\"?)"},
        AssetCase{"UnknownKey", "[[asset]]\naddress = \"10.0.0.1\"\nname = \"a\"\n«room = \"1\"\n",
                  "unknown key \"room\" in [[asset]]"},
        AssetCase{"WithoutName", "«[[asset]]\naddress = \"10.0.0.1\"\n", "[[asset]] without \"name\""},
        AssetCase{"WithoutAddress", "«[[asset]]\nname = \"a\"\n", "[[asset]] without \"address\""},
        AssetCase{"Twice",
                  "[[asset]]\naddress = \"::1\"\nname = \"a\"\n[[asset]]\naddress = «\"::1\"\nname = \"b\"\n",
                  "the address \"::1\" is an asset already (line 1)"},
        AssetCase{"ProtectedAsText", "[[asset]]\naddress = \"::1\"\nname = \"a\"\nprotected = «\"yes\"\n",
                  "\"protected\" is a string"}),
    case_name);

TEST(AssetsToml, IsTheSame) {
  const ReadAssetsResult result = read_assets_toml(
      "[[asset]]\naddress = \"10.0.0.0/24\"\nname = \"pumps\"\nward = \"ICU\"\nphone = \"1\"\nvendor = "
      "\"v\"\nprotected = "
      "true\n",
      "a.toml");
  ASSERT_TRUE(result.assets) << all(result);
  EXPECT_EQ(name_at(*result.assets, "10.0.0.9"), "pumps");
  EXPECT_TRUE(result.assets->all()[0].is_protected);
  EXPECT_EQ(result.assets->all()[0].vendor, "v");
}

TEST(AssetsCsv, BoundedInNumberAndSize) {
  std::string text = "address,name\n";
  for (std::size_t i = 0; i < kMaxAssets; ++i) {
    text += "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
            std::to_string(i & 255) + ",a\n";
  }
  const ReadAssetsResult full = read_assets_csv(text, "a.csv");
  ASSERT_TRUE(full.assets) << all(full);
  EXPECT_EQ(full.assets->all().size(), kMaxAssets);
  const ReadAssetsResult more = read_assets_csv(text + "11.0.0.1,a\n", "a.csv");
  ASSERT_EQ(more.diagnostics.size(), 1u);
  EXPECT_EQ(more.diagnostics[0].what, "more than 100000 assets");
  EXPECT_FALSE(read_assets_csv(std::string(kMaxAssetBytes + 1, 'a'), "a.csv").assets);
}

TEST(Utf8, RefusesWhatRfc3629Refuses) {
  for (const char* good : {"", "a", "é", "遮断", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    EXPECT_FALSE(utf8_fault(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe9\x81",
                          "\xe9\x81"
                          "a",
                          "\xff"}) {
    EXPECT_TRUE(utf8_fault(bad));
  }
  EXPECT_EQ(utf8_fault("ab\nc\xff")->line, 2u);
  EXPECT_EQ(utf8_fault("ab\nc\xff")->column, 2u);
}

}  // namespace
}  // namespace sekisho::control
