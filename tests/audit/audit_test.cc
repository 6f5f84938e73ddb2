#include "control/audit/audit.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "control/audit/record.h"

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;
using Kind = AuditFinding::Kind;

class AuditTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sekisho-audit-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    paths_.log = directory_ + "/audit.jsonl";
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::unique_ptr<Audit> open() {
    std::string error;
    auto audit = Audit::open(paths_, error);
    EXPECT_NE(audit, nullptr) << error;
    return audit;
  }
  static AuditEntry entry(const std::string& action, const std::string& details = "{}") {
    return {{1000, "yamada", "cli"}, action, "20261123T120102Z-0001", details};
  }
  void write(int count) {
    auto audit = open();
    for (int i = 0; i < count; ++i)
      ASSERT_TRUE(audit->append(entry("cut", "{\"n\":" + std::to_string(i) + "}")));
  }
  std::vector<std::string> lines() {
    std::ifstream in(paths_.log);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  void put(const std::vector<std::string>& all) {
    std::ofstream out(paths_.log, std::ios::trunc);
    for (const auto& line : all) out << line << '\n';
  }
  const AuditFinding* found(const AuditVerdict& verdict, Kind kind) {
    for (const auto& finding : verdict.findings)
      if (finding.kind == kind) return &finding;
    return nullptr;
  }
  // As someone would who can compute hashes but not rewrite the rest.
  static std::string forged(const std::string& line, const std::string& from, const std::string& to) {
    std::string body = line.substr(0, line.size() - 75);
    body.replace(body.find(from), from.size(), to);
    return body + ",\"hash\":\"" + audit_detail::to_hex(audit_detail::blake2b(body)) + "\"}";
  }

  std::string directory_;
  AuditPaths paths_;
};

TEST_F(AuditTest, AChainOfRecordsVerifies) {
  write(5);
  const auto verdict = verify(paths_);
  EXPECT_TRUE(verdict.intact);
  EXPECT_EQ(verdict.records, 5u);
  EXPECT_EQ(verdict.last_sequence, 5u);
  EXPECT_TRUE(verdict.notes.empty());
  const auto json = nlohmann::json::parse(lines()[2]);
  EXPECT_EQ(json["sequence"], 3);
  EXPECT_EQ(json["name"], "yamada");
  EXPECT_EQ(json["uid"], 1000);
  EXPECT_EQ(json["from"], "cli");
  EXPECT_EQ(json["action"], "cut");
  EXPECT_EQ(json["receipt"], "20261123T120102Z-0001");
  EXPECT_EQ(json["details"]["n"], 2);
  EXPECT_EQ(json["previous"], nlohmann::json::parse(lines()[1])["hash"]);
  struct stat info {};
  ASSERT_EQ(stat(paths_.log.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(AuditTest, OpeningContinuesTheChain) {
  write(2);
  write(3);
  const auto verdict = verify(paths_);
  EXPECT_TRUE(verdict.intact);
  EXPECT_EQ(verdict.last_sequence, 5u);
  EXPECT_TRUE(open()->had_records());
}

TEST_F(AuditTest, AnEmptyLogHasNoRecords) {
  EXPECT_FALSE(open()->had_records());
  EXPECT_TRUE(verify(paths_).intact);
}

TEST_F(AuditTest, AChangedRecordIsFoundWithItsLine) {
  write(5);
  auto all = lines();
  all[2].replace(all[2].find("yamada"), 6, "tanaka");
  put(all);
  const auto verdict = verify(paths_);
  EXPECT_FALSE(verdict.intact);
  ASSERT_EQ(verdict.findings.size(), 1u);
  EXPECT_EQ(verdict.findings[0].kind, Kind::changed);
  EXPECT_EQ(verdict.findings[0].line, 3u);
}

TEST_F(AuditTest, AChangedRecordWithARecomputedHashIsFoundByItsSuccessor) {
  write(5);
  auto all = lines();
  all[1] = forged(all[1], "yamada", "tanaka");
  put(all);
  const auto verdict = verify(paths_);
  ASSERT_NE(found(verdict, Kind::changed), nullptr);
  EXPECT_EQ(found(verdict, Kind::changed)->line, 2u);
}

TEST_F(AuditTest, AChangedLastRecordWithARecomputedHashIsFoundByTheHead) {
  write(5);
  auto all = lines();
  all[4] = forged(all[4], "yamada", "tanaka");
  put(all);
  auto verdict = verify(paths_);
  ASSERT_NE(found(verdict, Kind::changed), nullptr);
  EXPECT_EQ(found(verdict, Kind::changed)->line, 5u);
  write(2);  // opening again must not launder it
  EXPECT_NE(found(verify(paths_), Kind::changed), nullptr);
}

TEST_F(AuditTest, ARemovedRecordIsFound) {
  write(6);
  auto all = lines();
  all.erase(all.begin() + 2, all.begin() + 4);
  put(all);
  const auto verdict = verify(paths_);
  ASSERT_EQ(verdict.findings.size(), 1u);
  EXPECT_EQ(verdict.findings[0].kind, Kind::removed);
  EXPECT_EQ(verdict.findings[0].line, 3u);
  EXPECT_NE(verdict.findings[0].text.find("3 to 4"), std::string::npos);
}

TEST_F(AuditTest, ARemovedFirstRecordIsFound) {
  write(3);
  auto all = lines();
  all.erase(all.begin());
  put(all);
  EXPECT_NE(found(verify(paths_), Kind::removed), nullptr);
}

TEST_F(AuditTest, ARemovedTailIsFoundAndStaysFound) {
  write(6);
  auto all = lines();
  all.resize(4);
  put(all);
  auto verdict = verify(paths_);
  ASSERT_NE(found(verdict, Kind::tail_removed), nullptr);
  EXPECT_EQ(found(verdict, Kind::tail_removed)->line, 4u);
  {
    auto audit = open();
    ASSERT_EQ(audit->opening_notes().size(), 1u);
    EXPECT_NE(audit->opening_notes()[0].find("tail_missing"), std::string::npos);
    EXPECT_EQ(audit->append(entry("cut")).sequence, 8u);
  }
  verdict = verify(paths_);
  EXPECT_FALSE(verdict.intact);
  ASSERT_NE(found(verdict, Kind::removed), nullptr);
  EXPECT_NE(found(verdict, Kind::removed)->text.find("5 to 6"), std::string::npos);
}

TEST_F(AuditTest, ARemovedLogIsFound) {
  write(3);
  fs::remove(paths_.log);
  auto verdict = verify(paths_);
  EXPECT_FALSE(verdict.intact);
  EXPECT_NE(found(verdict, Kind::tail_removed), nullptr);
  EXPECT_TRUE(open()->had_records());
  EXPECT_NE(found(verify(paths_), Kind::removed), nullptr);
}

TEST_F(AuditTest, ALogRemovedWhileOpenGoesOnInANewFileAndIsFound) {
  auto audit = open();
  ASSERT_TRUE(audit->append(entry("cut")));
  fs::remove(paths_.log);
  EXPECT_EQ(audit->append(entry("reopen")).sequence, 3u);  // 2 is the note
  EXPECT_NE(found(verify(paths_), Kind::removed), nullptr);
}

TEST_F(AuditTest, ReorderedRecordsAreFoundWithTheirLine) {
  write(6);
  auto all = lines();
  std::swap(all[1], all[3]);
  put(all);
  const auto verdict = verify(paths_);
  ASSERT_NE(found(verdict, Kind::reordered), nullptr);
  EXPECT_EQ(found(verdict, Kind::reordered)->line, 3u);
  EXPECT_EQ(found(verdict, Kind::removed), nullptr);
}

TEST_F(AuditTest, ADuplicatedRecordIsFound) {
  write(3);
  auto all = lines();
  all.insert(all.begin() + 2, all[1]);
  put(all);
  const auto verdict = verify(paths_);
  ASSERT_NE(found(verdict, Kind::reordered), nullptr);
  EXPECT_EQ(found(verdict, Kind::reordered)->line, 3u);
}

TEST_F(AuditTest, AnInsertedLineIsFound) {
  write(3);
  auto all = lines();
  all.insert(all.begin() + 1, "hello");
  put(all);
  const auto verdict = verify(paths_);
  ASSERT_NE(found(verdict, Kind::not_a_record), nullptr);
  EXPECT_EQ(found(verdict, Kind::not_a_record)->line, 2u);
}

TEST_F(AuditTest, ATornLastLineIsKeptReportedAndExplained) {
  write(3);
  const std::string torn = lines()[2].substr(0, 60);
  {
    std::ofstream out(paths_.log, std::ios::app);
    out << torn;
  }
  EXPECT_TRUE(verify(paths_).intact);
  EXPECT_EQ(verify(paths_).notes.size(), 1u);
  {
    auto audit = open();
    ASSERT_EQ(audit->opening_notes().size(), 1u);
    EXPECT_EQ(audit->append(entry("cut")).sequence, 5u);
  }
  EXPECT_EQ(lines()[3], torn);
  const auto verdict = verify(paths_);
  EXPECT_TRUE(verdict.intact);
  EXPECT_EQ(verdict.notes.size(), 1u);
  EXPECT_EQ(verdict.records, 5u);
}

TEST_F(AuditTest, AWholeRecordWithoutItsNewlineIsTaken) {
  write(3);
  fs::resize_file(paths_.log, fs::file_size(paths_.log) - 1);
  write(1);
  const auto verdict = verify(paths_);
  EXPECT_TRUE(verdict.intact);
  EXPECT_EQ(verdict.records, 4u);
}

TEST_F(AuditTest, AHeadOneBehindIsANoteOnly) {
  write(3);
  fs::copy_file(paths_.head_path(), directory_ + "/head");
  write(1);
  fs::copy_file(directory_ + "/head", paths_.head_path(), fs::copy_options::overwrite_existing);
  auto verdict = verify(paths_);
  EXPECT_TRUE(verdict.intact);
  EXPECT_EQ(verdict.notes.size(), 1u);
  write(1);
  fs::copy_file(directory_ + "/head", paths_.head_path(), fs::copy_options::overwrite_existing);
  EXPECT_NE(found(verify(paths_), Kind::head_behind), nullptr);
}

TEST_F(AuditTest, AMissingOrDamagedHeadIsFound) {
  write(3);
  {
    std::ofstream out(paths_.head_path(), std::ios::in | std::ios::out);
    out.seekp(25);
    out << "99";
  }
  EXPECT_NE(found(verify(paths_), Kind::head_missing), nullptr);
  fs::remove(paths_.head_path());
  EXPECT_NE(found(verify(paths_), Kind::head_missing), nullptr);
  auto audit = open();
  ASSERT_EQ(audit->opening_notes().size(), 1u);
}

TEST_F(AuditTest, TheHeadMayLieElsewhere) {
  fs::create_directory(directory_ + "/other");
  paths_.head = directory_ + "/other/head";
  write(2);
  EXPECT_TRUE(fs::exists(paths_.head));
  EXPECT_TRUE(verify(paths_).intact);
}

TEST_F(AuditTest, OneWriterOnly) {
  auto audit = open();
  std::string error;
  EXPECT_EQ(Audit::open(paths_, error), nullptr);
  EXPECT_TRUE(error.starts_with("held")) << error;
}

TEST_F(AuditTest, BadEntriesAreRefusedByName) {
  auto audit = open();
  EXPECT_EQ(audit->append(entry("Cut it")).error, "bad_action");
  EXPECT_EQ(audit->append(entry("cut", "{\"a\":")).error.substr(0, 16), "details_not_json");
  EXPECT_EQ(audit->append(entry("cut", "[1]")).error.substr(0, 16), "details_not_json");
  EXPECT_EQ(audit->append(entry("cut", "{\"a\":\"" + std::string(kAuditMaxDetails, 'x') + "\"}")).error,
            "details_too_large");
  std::string deep = "1";
  for (int i = 0; i < 2000; ++i) deep = "{\"a\":" + deep + "}";
  EXPECT_EQ(audit->append(entry("cut", deep)).error, "details_too_deep");
  EXPECT_EQ(audit->last_sequence(), 0u);
  EXPECT_TRUE(audit->append(entry("cut", "{\"z\":1,\"a\":[\"\\u3042\",{\"b\":null}]}")));
  EXPECT_TRUE(verify(paths_).intact);
}

TEST_F(AuditTest, LongAndBrokenFieldsAreBounded) {
  auto audit = open();
  AuditEntry e = entry("cut");
  e.who.name = std::string(200, 'a');
  for (int i = 0; i < 200; ++i) e.who.name += "あ";
  e.who.from = "\xff\xfe\n\"quoted\"";
  ASSERT_TRUE(audit->append(e));
  const auto json = nlohmann::json::parse(lines().at(0));
  EXPECT_LE(json["name"].get<std::string>().size(), kAuditMaxField);
  EXPECT_TRUE(json["name"].get<std::string>().ends_with("…"));
  EXPECT_TRUE(verify(paths_).intact);
}

TEST_F(AuditTest, AFullDiskIsANamedFailureAndTheChainGoesOn) {
  auto audit = open();
  ASSERT_TRUE(audit->append(entry("cut")));
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = fs::file_size(paths_.log) + 100;  // half a record fits
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto failed = audit->append(entry("cut"));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_FALSE(failed);
  EXPECT_TRUE(failed.error.starts_with("write_failed: ")) << failed.error;
  EXPECT_EQ(audit->append(entry("reopen")).sequence, 2u);
  const auto verdict = verify(paths_);
  EXPECT_TRUE(verdict.intact);
  EXPECT_EQ(verdict.records, 2u);
  EXPECT_TRUE(verdict.notes.empty());
}

TEST_F(AuditTest, ManyThreadsOneChain) {
  {
    auto audit = open();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 10; ++i) EXPECT_TRUE(audit->append(entry("cut")));
      });
    for (auto& thread : threads) thread.join();
  }
  const auto verdict = verify(paths_);
  EXPECT_TRUE(verdict.intact);
  EXPECT_EQ(verdict.records, 40u);
}

TEST_F(AuditTest, TailGivesTheLastLines) {
  write(5);
  const auto tail = audit_tail(paths_, 2);
  ASSERT_EQ(tail.size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(tail[1])["sequence"], 5);
}

}  // namespace
}  // namespace sekisho::control
