#include "signatures/compile.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "signatures/cache.h"
#include "signatures/compile_order.h"
#include "signatures/loader.h"
#include "signatures/prefilter.h"

namespace sekisho::signatures {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "sekisho-compile-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
};

LoadResult parse(std::string_view text, const std::string& folder = {}) {
  Loader loader{LoadOptions{}};
  loader.add_text("test.rules", text, folder);
  LoadResult r = std::move(loader).finish();
  for (const Rejection& x : r.rejections) ADD_FAILURE() << x.sid << ' ' << x.why;
  return r;
}

template <class T>
std::vector<T> table(const CompileResult& r, abi::SignatureSection which) {
  abi::SignatureHeader h;
  std::memcpy(&h, r.blob.data(), sizeof h);
  const abi::SectionRecord& s = h.section[static_cast<unsigned>(which)];
  EXPECT_EQ(s.record_bytes, sizeof(T));
  std::vector<T> v(s.count);
  if (s.count != 0) std::memcpy(v.data(), r.blob.data() + s.offset, s.count * sizeof(T));
  return v;
}
std::vector<abi::SignatureRecord> records(const CompileResult& r) {
  return table<abi::SignatureRecord>(r, abi::SignatureSection::signatures);
}
std::vector<std::uint32_t> sids(const CompileResult& r) {
  std::vector<std::uint32_t> v;
  for (const SignatureInfo& s : r.info.signatures) v.push_back(s.sid);
  return v;
}

TEST(Compile, OrderIsActionThenWritersThenPriorityThenAsLoaded) {
  const LoadResult parsed = parse(R"(
alert tcp any any -> any any (msg:"none"; content:"abcd"; priority:1; sid:1;)
alert tcp any any -> any any (msg:"reader"; content:"abcd"; flowbits:isset,b; priority:1; sid:2;)
alert tcp any any -> any any (msg:"both"; content:"abcd"; flowbits:isset,a; flowbits:set,b; sid:3;)
alert tcp any any -> any any (msg:"writer"; content:"abcd"; flowbits:set,a; sid:4;)
drop tcp any any -> any any (msg:"drop"; content:"abcd"; sid:5;)
pass tcp any any -> any any (msg:"pass"; content:"abcd"; sid:6;)
reject tcp any any -> any any (msg:"reject"; content:"abcd"; sid:7;)
alert tcp any any -> any any (msg:"none, later"; content:"abcd"; priority:1; sid:8;)
alert tcp any any -> any any (msg:"none, lower"; content:"abcd"; priority:2; sid:9;))");
  EXPECT_EQ(sids(compile(parsed.signatures, {})), (std::vector<std::uint32_t>{6, 5, 7, 4, 3, 2, 1, 8, 9}));
  CompileOptions options;
  options.action_order = {Action::alert, Action::drop};
  EXPECT_EQ(sids(compile(parsed.signatures, options)),
            (std::vector<std::uint32_t>{4, 3, 2, 1, 8, 9, 5, 6, 7}));
}

TEST(Compile, EventsThatNobodyRaisesRejectTheSignature) {
  const LoadResult parsed = parse(R"(
alert pkthdr any any -> any any (msg:"a"; decode-event:ipv4.trunc_pkt; sid:1;)
alert tcp any any -> any any (msg:"b"; stream-event:est_syn_resend; sid:2;))");
  std::vector<Signature> signatures = parsed.signatures;
  ASSERT_EQ(signatures.size(), 2u);
  signatures.push_back(signatures[0]);
  signatures[2].sid = 3;
  signatures[2].packet_checks = {DecodeEvent{"ipv4.no_such_event"}};
  signatures.push_back(signatures[1]);
  signatures[3].sid = 4;
  signatures[3].packet_checks = {StreamEvent{"no_such_event"}};
  const CompileResult r = compile(signatures, {});
  EXPECT_EQ(sids(r), (std::vector<std::uint32_t>{1, 2}));
  ASSERT_EQ(r.rejected.size(), 2u);
  EXPECT_EQ(r.rejected[0].index, 2u);
  EXPECT_NE(r.rejected[0].why.find("not raised by this build"), std::string::npos);
  EXPECT_NE(r.rejected[1].why.find("not raised by this build"), std::string::npos);
  EXPECT_EQ(table<abi::CheckRecord>(r, abi::SignatureSection::checks).size(),
            2u);  // nothing left of the others
}

TEST(Compile, ABadPatternRejectsItsSignatureAlone) {
  LoadResult parsed = parse(R"(alert tcp any any -> any any (content:"abcd"; pcre:"/a/"; sid:1;)
alert tcp any any -> any any (content:"abcd"; pcre:"/b(c)/i"; sid:2;))");
  std::get<Pcre>(parsed.signatures[0].groups[0].matches[1]).pattern = "(unclosed";
  const CompileResult r = compile(parsed.signatures, {});
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(sids(r), std::vector<std::uint32_t>{2});
  ASSERT_EQ(r.rejected.size(), 1u);
  EXPECT_EQ(r.rejected[0].sid, 1u);
  const auto patterns = table<abi::PatternRecord>(r, abi::SignatureSection::patterns);
  ASSERT_EQ(patterns.size(), 1u);
  EXPECT_EQ(patterns[0].captures, 1u);
  EXPECT_EQ(patterns[0].flags, 1u);
}

TEST(Compile, ThresholdFileOverridesOneAndFillsMany) {
  const LoadResult parsed = parse(R"(
alert tcp any any -> any any (content:"abcd"; threshold:type limit,track by_src,count 1,seconds 10; sid:1;)
alert tcp any any -> any any (content:"abcd"; sid:2;)
alert tcp any any -> any any (content:"abcd"; threshold:type limit,track by_src,count 3,seconds 10; sid:3;))");
  CompileOptions options;
  Threshold of_one;
  of_one.type = Threshold::Type::both;
  of_one.count = 7;
  of_one.seconds = 70;
  Threshold of_all = of_one;
  of_all.count = 9;
  options.thresholds.filters = {{1, 1, of_one}, {0, 0, of_all}};
  options.thresholds.rates = {{1, 2, Track::by_source, 5, 6, 7, RateFilter::NewAction::drop}};
  auto networks = std::make_shared<AddressSet>();
  networks->v4 = {{0x0a000000, 0x0affffff}};
  options.thresholds.suppressions = {{1, 3, Suppression::By::source, networks},
                                     {1, 2, Suppression::By::all, nullptr}};
  const CompileResult r = compile(parsed.signatures, options);
  const auto thresholds = table<abi::ThresholdRecord>(r, abi::SignatureSection::thresholds);
  const auto signatures = records(r);
  ASSERT_EQ(signatures.size(), 3u);
  EXPECT_EQ(thresholds[signatures[0].threshold].count, 7u);
  EXPECT_EQ(thresholds[signatures[0].threshold].type, abi::ThresholdType::both);
  EXPECT_EQ(thresholds[signatures[1].threshold].count, 9u);
  EXPECT_EQ(thresholds[signatures[2].threshold].count, 3u);
  ASSERT_NE(signatures[1].rate_filter, abi::kNone32);
  EXPECT_EQ(thresholds[signatures[1].rate_filter].timeout, 7u);
  EXPECT_EQ(thresholds[signatures[1].rate_filter].new_action,
            static_cast<unsigned>(abi::SignatureAction::drop));
  const auto suppressions = table<abi::SuppressionRecord>(r, abi::SignatureSection::suppressions);
  ASSERT_EQ(suppressions.size(), 2u);
  EXPECT_EQ(suppressions[0].track, 0u);
  EXPECT_EQ(suppressions[1].addresses, abi::kNone32);
  const auto sets = table<abi::AddressSet>(r, abi::SignatureSection::address_sets);
  ASSERT_LT(suppressions[0].addresses, sets.size());
  const auto intervals = table<abi::Interval4>(r, abi::SignatureSection::intervals4);
  EXPECT_EQ(intervals[sets[suppressions[0].addresses].first4].low, 0x0a000000u);
}

TEST(Compile, DataSetsAreReadFromBelowTheFolder) {
  Folder folder;
  folder.write("names.lst", "ZXZpbC5leGFtcGxl\n# remark\nYmFk\nYmFk\n");
  folder.write("bad.lst", "not!base64\n");
  const LoadResult parsed = parse(R"(
alert dns any any -> any any (dns.query; dataset:isset,names,type string,load names.lst; sid:1;)
alert dns any any -> any any (dns.query; dataset:isset,bad,type string,load bad.lst; sid:2;)
alert dns any any -> any any (dns.query; dataset:isset,none,type string,load missing.lst; sid:3;)
alert dns any any -> any any (dns.query; dataset:set,grow,type string; sid:5;))",
                                  folder.path.string());
  std::vector<Signature> signatures = parsed.signatures;
  ASSERT_EQ(signatures.size(), 4u);
  signatures.push_back(signatures[0]);
  signatures.back().sid = 4;
  std::get<DataSet>(signatures.back().groups[0].matches[0]).name = "outside";
  std::get<DataSet>(signatures.back().groups[0].matches[0]).load = "../names.lst";
  const CompileResult r = compile(signatures, {});
  EXPECT_EQ(sids(r), (std::vector<std::uint32_t>{1, 5}));
  ASSERT_EQ(r.rejected.size(), 3u);
  const auto sets = table<abi::DatasetRecord>(r, abi::SignatureSection::datasets);
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_STREQ(sets[0].name, "names");
  EXPECT_EQ(sets[0].count, 2u);  // one stood there twice
  EXPECT_GT(sets[1].capacity, 0u);
}

TEST(Compile, DataSetsAreReadFromJson) {
  Folder folder;
  folder.write("a.json", R"([{"host":"x.example","n":1},{"n":2},{"host":7},{"host":"y.example"}])");
  folder.write("b.json", R"({"info":{"list":[{"host":{"fqdn":"x.example"}}]}})");
  folder.write("c.json", "{\"ip\":\"10.0.0.1\"}\n\n{\"ip\":\"10.0.0.2\"}\n");
  folder.write("d.json", "{\"ip\":\"10.0.0.1\"}\nno json\n");
  folder.write("e.json", R"([{"h":"zz"}])");
  folder.write("base64.lst", "eC5leGFtcGxl\n");
  const LoadResult parsed = parse(R"(
alert http any any -> any any (http.host; dataset:isset,a,type string,load a.json,format json,value_key host,context_key c; sid:1;)
alert http any any -> any any (http.host; dataset:isset,b,type string,load b.json,format json,value_key host.fqdn,array_key info.list; sid:2;)
alert ip any any -> any any (ip.src; dataset:isset,c,type ip,load c.json,format ndjson, value_key ip, remove_key; sid:3;)
alert ip any any -> any any (ip.src; dataset:isset,d,type ip,load d.json,format ndjson,value_key ip; sid:4;)
alert http any any -> any any (http.host; to_md5; dataset:isset,e,type md5,load e.json,format json,value_key h; sid:5;)
alert http any any -> any any (http.host; dataset:isset,f,type string,load a.json,format json,value_key host,array_key no; sid:6;)
alert http any any -> any any (http.host; dataset:isset,g,type string,load base64.lst; sid:7;)
alert http any any -> any any (http.host; dataset:set,h,type string,state never.lst; sid:8;))",
                                  folder.path.string());
  ASSERT_EQ(parsed.signatures.size(), 8u);
  const CompileResult r = compile(parsed.signatures, {});
  EXPECT_EQ(sids(r), (std::vector<std::uint32_t>{1, 2, 3, 7, 8}));
  EXPECT_EQ(r.rejected.size(), 3u);
  const auto sets = table<abi::DatasetRecord>(r, abi::SignatureSection::datasets);
  const auto items = table<abi::DatasetItem>(r, abi::SignatureSection::dataset_items);
  const auto named = [&](const std::string& name) -> const abi::DatasetRecord& {
    return *std::find_if(sets.begin(), sets.end(), [&](const auto& s) { return name == s.name; });
  };
  EXPECT_EQ(named("a").count, 2u);
  EXPECT_EQ(named("c").count, 2u);
  EXPECT_EQ(named("h").count, 0u);
  // The same string, written plainly and in base64.
  ASSERT_EQ(named("b").count, 1u);
  ASSERT_EQ(named("g").count, 1u);
  EXPECT_EQ(std::memcmp(items[named("b").first].key, items[named("g").first].key, 32), 0);
}

TEST(Compile, TheHashIsOfTheMeaning) {
  const auto hash = [](std::string_view text, const std::string& salt = {}) {
    CompileOptions o;
    o.salt = salt;
    return compile(parse(text).signatures, o).info.hash;
  };
  const char* a = R"(alert tcp any any -> any any (msg:"m"; content:"abcd"; pcre:"/x1/"; sid:1;))";
  EXPECT_EQ(hash(a), hash(a));
  EXPECT_NE(hash(a), hash(a, "site"));
  EXPECT_NE(hash(a), hash(R"(alert tcp any any -> any any (msg:"m"; content:"abcd"; pcre:"/x2/"; sid:1;))"));
  EXPECT_NE(hash(a), hash(R"(alert tcp any any -> any any (msg:"n"; content:"abcd"; pcre:"/x1/"; sid:1;))"));
}

TEST(Compile, TooManySignaturesAreAFailure) {
  const LoadResult parsed = parse(R"(alert tcp any any -> any any (content:"abcd"; sid:1;))");
  const CompileResult r = compile(std::vector<Signature>(abi::kMaxSignatures + 1, parsed.signatures[0]), {});
  EXPECT_FALSE(r.ok());
  EXPECT_TRUE(r.blob.empty());
}

TEST(Cache, HitsMissesAndDamage) {
  Folder folder;
  const LoadResult parsed = parse(R"(alert tcp any any -> any any (flow:to_server; content:"abcdefgh"; sid:1;)
alert http any any -> any any (http.uri; content:"/abcdefgh"; sid:2;))");
  CompileOptions options;
  options.cache_directory = (folder.path / "cache").string();
  const auto cached = [&] {
    const CompileResult r = compile(parsed.signatures, options);
    EXPECT_TRUE(r.ok());
    return std::pair(std::count_if(r.statistics.databases.begin(), r.statistics.databases.end(),
                                   [](const auto& d) { return d.cached; }),
                     r.blob);
  };
  const auto cold = cached(), warm = cached();
  EXPECT_EQ(cold.first, 0);
  EXPECT_EQ(warm.first, 2);
  EXPECT_EQ(cold.second, warm.second);
  for (const auto& e : fs::directory_iterator(options.cache_directory)) {
    std::fstream f(e.path(), std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(500);
    f.put('\x55');
    f.put('\x55');
  }
  const auto damaged = cached();
  EXPECT_EQ(damaged.first, 0);
  EXPECT_EQ(damaged.second, cold.second);
  EXPECT_EQ(cached().first, 2);  // written anew
}

TEST(Cache, StaysWithinItsBound) {
  Folder folder;
  DiskCache cache(folder.path.string(), 3000);
  std::vector<std::uint8_t> bytes(1000);
  for (std::uint8_t i = 0; i < 5; ++i) {
    CacheKey key{};
    key[0] = i;
    cache.store(key, bytes);
  }
  cache.trim();
  std::uint64_t total = 0;
  for (const auto& e : fs::directory_iterator(folder.path)) total += e.file_size();
  EXPECT_LE(total, 3000u);
  EXPECT_GT(total, 1000u);
  CacheKey other{};
  other[0] = 99;
  EXPECT_FALSE(cache.load(other, bytes));
  EXPECT_EQ(cache.misses(), 1u);
}

TEST(Info, IsKeptInAFile) {
  Folder folder;
  const LoadResult parsed = parse(
      R"(alert tcp any any -> any any (msg:"m"; content:"abcd"; reference:url,example.net; metadata:a b, c d; target:src_ip; rev:4; sid:1;))");
  const CompileResult r = compile(parsed.signatures, {});
  const std::string path = (folder.path / "set.info").string();
  ASSERT_EQ(save_info(r.info, path), "");
  SetInfo back;
  ASSERT_EQ(load_info(path, back), "");
  EXPECT_EQ(back, r.info);
  EXPECT_EQ(back.signatures.at(0).rev, 4u);
  EXPECT_EQ(back.signatures[0].target, "src_ip");
  EXPECT_EQ(back.signatures[0].references.size(), 1u);
  EXPECT_EQ(back.signatures[0].metadata.size(), 2u);
  std::vector<std::uint8_t> bytes = encode_info(r.info);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::vector<std::uint8_t> bad = bytes;
    bad[i] ^= 0x20;
    EXPECT_NE(decode_info(bad, back), "") << i;
    bad = bytes;
    bad.resize(i);
    EXPECT_NE(decode_info(bad, back), "") << i;
  }
}

std::string run_of(const std::string& pattern) {
  Pcre p;
  p.pattern = pattern;
  const auto run = mandatory_run(p, 4);
  return run ? run->bytes : "";
}

TEST(Prefilter, MandatoryRuns) {
  EXPECT_EQ(run_of("abcdef"), "abcdef");
  EXPECT_EQ(run_of("^abcd[0-9]+efghij$"), "efghij");
  EXPECT_EQ(run_of("abcde?fghij"), "fghij");  // e may be missing
  EXPECT_EQ(run_of("abcd+efg"), "abcd");      // d is there at least once
  EXPECT_EQ(run_of("abc(defgh)?ijkl"), "ijkl");
  EXPECT_EQ(run_of("abcdef|ghijkl"), "");
  EXPECT_EQ(run_of("(?:abcdef|ghijkl)mnop"), "mnop");
  EXPECT_EQ(run_of("ab\\x63\\x64\\.e"), "abcd.e");
  EXPECT_EQ(run_of("abcde{0,3}xyz"), "abcd");
  EXPECT_EQ(run_of("abcde{2}{0}fghi"), "abcd");
  EXPECT_EQ(run_of("[a|b](\\)x)cdefg"), "cdefg");
  EXPECT_EQ(run_of("(?x) a b c d e f"), "");
  EXPECT_EQ(run_of("\\Qabcdef\\E"), "");
  EXPECT_EQ(run_of("(*ACCEPT)abcdef"), "");
  EXPECT_EQ(run_of("abcd\\d*efghi"), "efghi");
  Pcre p;
  p.pattern = "(?i)abcd";
  EXPECT_TRUE(mandatory_run(p, 4)->nocase);
}

TEST(Prefilter, RareBytesAreRare) {
  EXPECT_GT(rarity("qzxw", Alphabet::text, false), rarity("http", Alphabet::text, false));
  EXPECT_GT(rarity("abcdefgh", Alphabet::binary, false),
            rarity(std::string(8, '\0'), Alphabet::binary, false));
  EXPECT_LT(rarity("User-Age", Alphabet::header, false), 4);
  EXPECT_GE(rarity("abcd", Alphabet::binary, false), rarity("abcd", Alphabet::binary, true));
}

}  // namespace
}  // namespace sekisho::signatures
