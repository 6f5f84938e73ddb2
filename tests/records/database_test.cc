#include "control/records/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/records/folder.h"

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;
using Kind = DatabaseError::Kind;
using DatabaseTest = FolderTest;

std::unique_ptr<Database> fresh(const std::string& path) {
  std::string report;
  auto db = Database::open({.path = path}, report);
  EXPECT_EQ(report, "");
  return db;
}

TEST_F(DatabaseTest, KeepsWhatIsBound) {
  auto db = fresh(path("a.db"));
  db->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, i INTEGER, r REAL, s TEXT, b BLOB, n TEXT) STRICT");
  const std::uint8_t bytes[] = {0, 1, 255};
  EXPECT_EQ(db->run("INSERT INTO t(i,r,s,b,n) VALUES(?,?,?,?,?)", std::int64_t{-5}, 2.5,
                    std::string("関所\0x", 8), Blob(bytes), std::optional<int>()),
            1);
  EXPECT_EQ(db->last_id(), 1);
  Rows row = db->query("SELECT i,r,s,b,n FROM t WHERE id=?", 1);
  ASSERT_TRUE(row.next());
  EXPECT_EQ(row.integer(0), -5);
  EXPECT_EQ(row.real(1), 2.5);
  EXPECT_EQ(row.text(2), std::string_view("関所\0x", 8));
  ASSERT_EQ(row.blob(3).size(), 3u);
  EXPECT_EQ(row.blob(3)[2], 255);
  EXPECT_TRUE(row.null(4));
  EXPECT_FALSE(row.next());
}

TEST_F(DatabaseTest, TheFileIsForItsOwnerAlone) {
  auto db = fresh(path("a.db"));
  struct stat s {};
  ASSERT_EQ(stat(path("a.db").c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0600u);
}

TEST_F(DatabaseTest, AWrongNumberOfValuesIsRefused) {
  auto db = fresh(path("a.db"));
  db->execute("CREATE TABLE t(i INTEGER)");
  EXPECT_THROW(db->run("INSERT INTO t VALUES(?)"), DatabaseError);
  EXPECT_THROW(db->run("INSERT INTO t VALUES(?)", 1, 2), DatabaseError);
}

TEST_F(DatabaseTest, AStatementThatIsBeingReadIsNotTakenAway) {
  auto db = fresh(path("a.db"));
  db->execute("CREATE TABLE t(i INTEGER); INSERT INTO t VALUES(1),(2)");
  Rows first = db->query("SELECT i FROM t");
  ASSERT_TRUE(first.next());
  EXPECT_THROW(db->query("SELECT i FROM t"), DatabaseError);
  EXPECT_TRUE(first.next());
}

TEST_F(DatabaseTest, ATransactionThatIsNotCommittedNeverWas) {
  auto db = fresh(path("a.db"));
  db->execute("CREATE TABLE t(i INTEGER)");
  {
    Transaction change(*db);
    db->run("INSERT INTO t VALUES(1)");
  }
  {
    Transaction change(*db);
    db->run("INSERT INTO t VALUES(2)");
    change.commit();
  }
  Rows row = db->query("SELECT sum(i) FROM t");
  ASSERT_TRUE(row.next());
  EXPECT_EQ(row.integer(0), 2);
}

TEST_F(DatabaseTest, MigrationsOfEachAreaRunOnce) {
  for (int round = 0; round < 2; ++round) {
    auto db = fresh(path("a.db"));
    db->migrate("one", {"CREATE TABLE a(i INTEGER)", "ALTER TABLE a ADD j INTEGER"});
    db->migrate("two", {"CREATE TABLE b(i INTEGER)"});
    db->run("INSERT INTO a VALUES(1,2)");
  }
  auto db = fresh(path("a.db"));
  EXPECT_THROW(db->migrate("one", {"CREATE TABLE a(i INTEGER)"}), DatabaseError) << "an older program";
  EXPECT_THROW(db->migrate("three", {"CREATE TABLE c(i INTEGER); nonsense"}), DatabaseError);
  EXPECT_THROW(db->query("SELECT * FROM c"), DatabaseError) << "half a migration stayed";
}

TEST_F(DatabaseTest, ADamagedFileIsMovedAsideAndNamed) {
  {
    auto db = fresh(path("a.db"));
    db->execute("CREATE TABLE t(i INTEGER, s TEXT); CREATE INDEX ti ON t(s)");
    Transaction change(*db);
    for (int i = 0; i < 2000; ++i) db->run("INSERT INTO t VALUES(?,?)", i, std::string(100, 'x'));
    change.commit();
    db->checkpoint();
  }
  {
    std::fstream file(path("a.db"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 * 10);
    file << std::string(4096 * 4, '\xa5');
  }
  std::string report;
  auto db = Database::open({.path = path("a.db")}, report);
  EXPECT_NE(report.find("moved to " + path("a.db.damaged-")), std::string::npos) << report;
  EXPECT_THROW(db->query("SELECT * FROM t"), DatabaseError) << "the new one is not empty";
  db->execute("CREATE TABLE t(i INTEGER)");
  unsigned aside = 0;
  for (const auto& entry : fs::directory_iterator(folder()))
    aside += entry.path().filename().string().starts_with("a.db.damaged-") ? 1 : 0;
  EXPECT_EQ(aside, 1u);
}

TEST_F(DatabaseTest, WhatIsNoDatabaseIsMovedAsideTooButNotByAReader) {
  std::ofstream(path("a.db")) << std::string(8192, 'z');
  std::string report;
  EXPECT_THROW(Database::open({.path = path("a.db"), .read_only = true}, report), DatabaseError);
  EXPECT_EQ(fs::file_size(path("a.db")), 8192u);
  auto db = Database::open({.path = path("a.db")}, report);
  EXPECT_NE(report, "");
  db->execute("CREATE TABLE t(i INTEGER)");
}

TEST_F(DatabaseTest, TheQuotaIsNamedFullAndWhatWasThereStays) {
  std::string report;
  auto db = Database::open({.path = path("a.db"), .most_bytes = 256 * 1024}, report);
  db->execute("CREATE TABLE t(s TEXT)");
  int written = 0;
  try {
    for (; written < 10000; ++written) db->run("INSERT INTO t VALUES(?)", std::string(1000, 'x'));
    FAIL() << "no bound";
  } catch (const DatabaseError& e) {
    EXPECT_EQ(e.kind, Kind::full) << e.what();
  }
  EXPECT_LE(db->bytes(), 256u * 1024);
  EXPECT_GT(written, 100);
  {
    Rows row = db->query("SELECT count(*) FROM t");
    ASSERT_TRUE(row.next());
    EXPECT_EQ(row.integer(0), written);
  }
  db->set_most_bytes(1 << 20);
  EXPECT_EQ(db->run("INSERT INTO t VALUES(?)", std::string(1000, 'x')), 1);
}

TEST_F(DatabaseTest, AQueryThatTakesTooLongIsStopped) {
  auto db = fresh(path("a.db"));
  db->stop_after(20);
  try {
    Rows rows = db->query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 100000000000) SELECT sum(i) "
        "FROM n");
    rows.next();
    FAIL() << "it counted to 100,000,000,000";
  } catch (const DatabaseError& e) {
    EXPECT_EQ(e.kind, Kind::stopped) << e.what();
  }
  db->stop_after(0);
  EXPECT_TRUE(db->query("SELECT 1").next());
}

TEST_F(DatabaseTest, ACopyIsWholeWhileOthersWrite) {
  auto db = fresh(path("a.db"));
  db->execute("CREATE TABLE t(i INTEGER)");
  for (int i = 0; i < 100; ++i) db->run("INSERT INTO t VALUES(?)", i);
  db->copy_to(path("b.db"));
  EXPECT_THROW(db->copy_to(path("b.db")), DatabaseError);
  auto copy = fresh(path("b.db"));
  Rows row = copy->query("SELECT count(*) FROM t");
  ASSERT_TRUE(row.next());
  EXPECT_EQ(row.integer(0), 100);
}

TEST_F(DatabaseTest, AMissingFolderIsAnErrorWithItsName) {
  std::string report;
  try {
    Database::open({.path = path("no/a.db")}, report);
    FAIL();
  } catch (const DatabaseError& e) {
    EXPECT_EQ(e.kind, Kind::unreachable) << e.what();
    EXPECT_NE(std::string(e.what()).find("no/a.db"), std::string::npos);
  }
}

TEST_F(DatabaseTest, OneSharedByThreadsIsOneAtATime) {
  SharedDatabase shared({.path = path("s.db"), .full_sync = false},
                        [](Database& db) { db.migrate("t", {"CREATE TABLE t(i INTEGER)"}); });
  shared.add([](Database& db) { db.migrate("u", {"CREATE TABLE u(i INTEGER)"}); });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i)
        shared.with([&](Database& db) {
          Transaction change(db);
          db.run("INSERT INTO t VALUES(?)", i);
          db.run("INSERT INTO u SELECT count(*) FROM t");
          change.commit();
        });
    });
  for (std::thread& t : threads) t.join();
  const auto most = shared.with([](Database& db) {
    Rows row = db.query("SELECT max(i) FROM u");
    return row.next() ? row.integer(0) : 0;
  });
  EXPECT_EQ(most, 200);
  EXPECT_EQ(shared.status().error, "");
  EXPECT_GT(shared.status().bytes, 0u);
}

TEST_F(DatabaseTest, ASharedOneThatCannotBeOpenedSaysSoAndStarts) {
  SharedDatabase shared({.path = path("no/s.db")}, [](Database&) {});
  EXPECT_FALSE(shared.status().open);
  EXPECT_NE(shared.status().error, "");
  EXPECT_THROW(shared.with([](Database&) {}), DatabaseError);
}

}  // namespace
}  // namespace sekisho::control
