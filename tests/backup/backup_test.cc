#include "control/backup/backup.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/link/latch.h"
#include "control/records/database.h"
#include "dataplane/abi/words.h"
#include "dataplane/base/clock.h"
#include "tests/records/folder.h"

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;
constexpr const char* kPass = "correct horse battery staple";
// The default takes 256 MiB and most of a second: one test is made with it.
constexpr QuarantineKey kForever{SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 1}},
    kAnHour{SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 2}}, kOver{SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 3}};
constexpr SealingCost kCheap{crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN};

void put(const std::string& path, const std::string& text, mode_t mode = 0600) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
  chmod(path.c_str(), mode);
}
std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return in ? s.str() : "(none)";
}

class BackupTest : public FolderTest {
 protected:
  void SetUp() override {
    put(from.state + "/config/000001.toml", "one");
    put(from.state + "/config/current", "1");
    put(from.state + "/people.json", "{\"people\":[]}");
    put(from.state + "/signatures/sets/7/a.rules", std::string(300'000, 'r'), 0644);
    fs::create_directory_symlink("sets/7", from.state + "/signatures/current");
    fs::create_directory_symlink("sets/6", from.state + "/signatures/gone");
    Latch latch(from.state + "/latch");
    LatchState said;
    said.cut.set(3);
    said.zones = {"device", "his"};
    const std::uint64_t now = monotonic_ns(), wall = wall_ns();
    said.quarantine = {{kForever, UINT64_MAX, UINT64_MAX},
                       {kAnHour, wall + 3600 * kSecond, now + 3600 * kSecond},
                       {kOver, wall - kSecond, now - kSecond}};
    std::string error;
    ASSERT_TRUE(latch.write(said, error)) << error;
    put(from.state + "/audit/audit.jsonl", "{}\n");
    put(from.state + "/events/00000001.db", "large");
    put(from.state + "/cache/x", "made anew");
    put(from.state + "/captures/c1.pcap", "packets");
    put(from.state + "/captures.key", "key");
    put(from.state + "/backups/old.backup", "an older one");
    put(from.state + "/reopenings.json", "[]");
    put(from.state + "/notices/mail/1.json", "late");
    put(from.state + "/empty", "");
    put(from.site + "/sekisho.toml", "site", 0640);
    put(from.site + "/keys/api.key", std::string(100'000, 'k'));
    std::string report;
    auto db = Database::open({.path = from.state + "/records.db"}, report);
    db->execute("CREATE TABLE t(i INTEGER)");
    for (int i = 0; i < 500; ++i) db->run("INSERT INTO t VALUES(?)", i);
    open_ = std::move(db);  // as sekishod holds it
  }
  std::string refusal(const BackupPlaces& places, const std::string& pass, bool force = false) {
    try {
      restore_backup(places, file, pass, force);
      return "";
    } catch (const BackupError& e) {
      return e.what();
    }
  }
  void expect_nothing_left(const BackupPlaces& places) {
    EXPECT_FALSE(fs::exists(places.state)) << "half a restore";
    EXPECT_FALSE(fs::exists(places.site));
    EXPECT_FALSE(fs::exists(places.state + ".restoring"));
  }
  BackupPlaces from{path("a/state"), path("a/site")}, to{path("b/state"), path("b/site")};
  std::string file = path("backup");
  std::unique_ptr<Database> open_;
};

TEST_F(BackupTest, ComesBackOnABareMachine) {
  const BackupSummary made = create_backup(from, file, kPass);
  struct stat s {};
  ASSERT_EQ(stat(file.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0600u);
  EXPECT_EQ(content(file).find("correct"), std::string::npos);
  EXPECT_EQ(content(file).find("rrrrrrrr"), std::string::npos) << "not sealed";
  const BackupSummary back = restore_backup(to, file, kPass, false);
  EXPECT_EQ(back.files, made.files);
  EXPECT_EQ(back.made, made.made);
  EXPECT_TRUE(back.aside.empty());
  EXPECT_EQ(content(to.state + "/config/000001.toml"), "one");
  EXPECT_EQ(content(to.state + "/people.json"), "{\"people\":[]}");
  EXPECT_EQ(content(to.state + "/empty"), "");
  EXPECT_EQ(content(to.state + "/signatures/current/a.rules"), std::string(300'000, 'r'));
  EXPECT_EQ(content(to.site + "/sekisho.toml"), "site");
  EXPECT_EQ(content(to.site + "/keys/api.key"), std::string(100'000, 'k'));
  ASSERT_EQ(stat((to.site + "/sekisho.toml").c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0640u);
  ASSERT_EQ(stat(to.state.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0700u);
  const LatchRead latch = Latch(to.state + "/latch").read();
  EXPECT_EQ(latch.health, LatchHealth::good);
  EXPECT_TRUE(latch.state.cut.all()) << "nobody knows what was cut since";
  EXPECT_EQ(latch.state.zones, (std::vector<std::string>{"device", "his"}));
  ASSERT_EQ(latch.state.quarantine.size(), 2u);
  EXPECT_EQ(latch.state.quarantine[0].key, kForever);
  EXPECT_EQ(latch.state.quarantine[0].until_mono_ns, UINT64_MAX);
  EXPECT_EQ(latch.state.quarantine[1].key, kAnHour);
  EXPECT_GT(latch.state.quarantine[1].until_mono_ns, monotonic_ns() + 3000 * kSecond);
  EXPECT_EQ(Latch(to.state + "/restored/latch").read().state.cut.count(), 1u) << "to be read";
  EXPECT_EQ(content(to.state + "/restored/audit/audit.jsonl"), "{}\n");
  EXPECT_FALSE(fs::exists(to.state + "/events"));
  EXPECT_FALSE(fs::exists(to.state + "/cache"));
  EXPECT_FALSE(fs::exists(to.state + "/captures"));
  EXPECT_FALSE(fs::exists(to.state + "/backups"));
  EXPECT_FALSE(fs::exists(to.state + "/reopenings.json")) << "a request of another day could be approved";
  EXPECT_FALSE(fs::exists(to.state + "/notices")) << "they would be sent again";
  EXPECT_EQ(content(to.state + "/restored/reopenings.json"), "[]");
  EXPECT_EQ(content(to.state + "/captures.key"), "key");
  EXPECT_EQ(fs::read_symlink(to.state + "/signatures/gone"), "sets/6");
  ASSERT_EQ(stat((to.state + "/signatures/sets").c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0700u);
  EXPECT_FALSE(fs::exists(from.state + "/records.db.copy"));
  EXPECT_FALSE(fs::exists(to.state + "/records.db.copy"));
  std::string report;
  auto db = Database::open({.path = to.state + "/records.db"}, report);
  EXPECT_EQ(report, "");
  Rows row = db->query("SELECT count(*), sum(i) FROM t");
  ASSERT_TRUE(row.next());
  EXPECT_EQ(row.integer(0), 500);
  EXPECT_EQ(row.integer(1), 499 * 250);
}

TEST_F(BackupTest, AFileThatExistsIsNotOverwritten) {
  put(file, "precious");
  EXPECT_THROW(create_backup(from, file, kPass, kCheap), BackupError);
  EXPECT_EQ(content(file), "precious");
}

TEST_F(BackupTest, ItIsNotWrittenIntoWhatItKeeps) {
  for (const std::string& inside : {from.state + "/x", from.state + "/config/../x", from.site + "/keys/x"}) {
    EXPECT_THROW(create_backup(from, inside, kPass, kCheap), BackupError) << inside;
    EXPECT_FALSE(fs::exists(inside));
  }
  EXPECT_GT(create_backup(from, from.state + "/backups/x", kPass, kCheap).files, 5u);
}

TEST_F(BackupTest, OneAtATime) {
  const int held = ::open(from.state.c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(flock(held, LOCK_EX), 0);
  EXPECT_THROW(create_backup(from, file, kPass, kCheap), BackupError);
  EXPECT_FALSE(fs::exists(file));
  ::close(held);
  EXPECT_NO_THROW(create_backup(from, file, kPass, kCheap));
}

// What a killed process leaves: rows that are in the WAL alone, and no index of it.
TEST_F(BackupTest, RecordsOfAKilledProcessAreInIt) {
  open_->run("INSERT INTO t VALUES(?)", 7000);
  ASSERT_GT(fs::file_size(from.state + "/records.db-wal"), 0u);
  const std::string killed = path("killed");
  fs::create_directories(killed);
  for (const char* end : {"", "-wal"})
    fs::copy_file(from.state + "/records.db" + end, killed + "/records.db" + end);
  create_backup({killed, from.site}, file, kPass, kCheap);
  restore_backup(to, file, kPass, false);
  std::string report;
  auto db = Database::open({.path = to.state + "/records.db"}, report);
  Rows row = db->query("SELECT max(i) FROM t");
  ASSERT_TRUE(row.next());
  EXPECT_EQ(row.integer(0), 7000);
}

TEST_F(BackupTest, DamagedRecordsAreNotMovedBehindSekishodsBack) {
  open_.reset();
  put(from.state + "/records.db", std::string(8192, 'x'));
  EXPECT_THROW(create_backup(from, file, kPass, kCheap), BackupError);
  EXPECT_EQ(content(from.state + "/records.db"), std::string(8192, 'x'));
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(BackupTest, AShortPassphraseIsRefused) {
  EXPECT_THROW(create_backup(from, file, "short"), BackupError);
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(BackupTest, AWrongPassphraseChangesNothing) {
  create_backup(from, file, kPass, kCheap);
  EXPECT_NE(refusal(to, "correct horse battery stable").find("passphrase is wrong"), std::string::npos);
  expect_nothing_left(to);
}

TEST_F(BackupTest, EveryTruncationIsSeen) {
  create_backup(from, file, kPass, kCheap);
  const std::string whole = content(file);
  ASSERT_GT(whole.size(), 400'000u);
  const std::size_t chunk = 64 * 1024 + 17;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{10}, std::size_t{56}, std::size_t{73}, 73 + chunk, 74 + chunk,
        whole.size() / 2, whole.size() - 17, whole.size() - 1}) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    EXPECT_NE(refusal(to, kPass), "") << size << " bytes";
    expect_nothing_left(to);
  }
  std::ofstream(file, std::ios::binary | std::ios::trunc) << whole << "x";
  EXPECT_NE(refusal(to, kPass), "") << "something appended";
  expect_nothing_left(to);
}

TEST_F(BackupTest, AFlippedBitIsSeenWhereverItIs) {
  create_backup(from, file, kPass, kCheap);
  const std::string whole = content(file);
  for (const std::size_t at :
       {std::size_t{3}, std::size_t{20}, std::size_t{33}, std::size_t{41}, std::size_t{52}, std::size_t{80},
        std::size_t{70'000}, whole.size() / 2, whole.size() - 3}) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bad;
    EXPECT_NE(refusal(to, kPass), "") << "byte " << at;
    expect_nothing_left(to);
  }
}

TEST_F(BackupTest, WhatIsThereIsRefusedOrMovedAside) {
  create_backup(from, file, kPass, kCheap);
  put(to.state + "/config/current", "9");
  EXPECT_NE(refusal(to, kPass).find("--force"), std::string::npos);
  EXPECT_EQ(content(to.state + "/config/current"), "9");
  const BackupSummary back = restore_backup(to, file, kPass, true);
  EXPECT_EQ(content(to.state + "/config/current"), "1");
  ASSERT_EQ(back.aside.size(), 1u);
  EXPECT_EQ(content(back.aside[0] + "/config/current"), "9");
}

// Made with the passphrase, but not by create_backup.
class Forged : public BackupTest {
 protected:
  void forge(const std::string& name, std::uint32_t mode, const std::string& bytes) {
    SealedWriter out(file, kPass, kCheap);
    const auto number = [&](std::uint64_t value, unsigned size) {
      std::uint8_t b[8];
      for (unsigned i = 0; i < size; ++i) b[i] = static_cast<std::uint8_t>(value >> (8 * i));
      out.write({b, size});
    };
    const auto entry = [&](const std::string& n, std::uint32_t m, const std::string& content) {
      number(n.size(), 2);
      out.write({reinterpret_cast<const std::uint8_t*>(n.data()), n.size()});
      number(m, 4);
      number(content.size(), 8);
      out.write({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
    };
    entry("made", 0600, "2026-11-23T00:00:00Z");
    entry(name, mode, bytes);
    number(0, 2);
    out.finish();
  }
};

TEST_F(Forged, NamesAndLinksThatLeadOutAreRefused) {
  for (const char* name : {"../x", "/etc/x", "state/../../x", "other/x", "state/", "state", "site/./x"}) {
    fs::remove(file);
    forge(name, 0600, "x");
    EXPECT_NE(refusal(to, kPass), "") << name;
    expect_nothing_left(to);
  }
  for (const char* target : {"/etc/passwd", "../../x", ""}) {
    fs::remove(file);
    forge("state/link", 0, target);
    EXPECT_NE(refusal(to, kPass), "") << target;
    expect_nothing_left(to);
  }
  fs::remove(file);
  forge("state/good", 0600, "x");
  EXPECT_EQ(refusal(to, kPass), "");
}

}  // namespace
}  // namespace sekisho::control
