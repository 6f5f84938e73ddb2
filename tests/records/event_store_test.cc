#include "control/records/event_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/records/folder.h"

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kStart = 1'700'000'000'000'000;
constexpr std::int64_t kStep = 1000;  // µs between two events

std::atomic<std::uint64_t> wall{0};
std::uint64_t test_wall() {
  return wall;
}

StoredAddress v4(std::uint8_t last) {
  StoredAddress a;
  a.bytes = {10, 0, 0, last};
  a.size = 4;
  return a;
}

// Event i: source 10.0.0.(i % 10), destination 10.0.0.(100 + i % 7).
EventBatch batch(int first, int count) {
  EventBatch b;
  for (int i = first; i < first + count; ++i) {
    EventRow r;
    r.wall_us = kStart + i * kStep;
    r.kind = i % 5 == 0 ? "alert" : "flow";
    if (i % 3 == 0) r.link = "vendor";
    r.source = v4(static_cast<std::uint8_t>(i % 10));
    r.destination = v4(static_cast<std::uint8_t>(100 + i % 7));
    if (i % 5 == 0) r.sid = 2000 + static_cast<std::uint32_t>(i % 2);
    if (i % 50 == 0) r.ticket = "T-1";
    const std::string line = "{\"n\":" + std::to_string(i) + "}";
    r.offset = static_cast<std::uint32_t>(b.text.size());
    r.size = static_cast<std::uint32_t>(line.size());
    b.text += line;
    b.rows.push_back(std::move(r));
  }
  return b;
}

class Stored : public FolderTest {
 protected:
  EventStoreOptions options() const {
    EventStoreOptions o;
    o.directory = path("events");
    o.segment_rows = 1000;
    o.reserve_bytes = 0;
    o.wall_ns = test_wall;
    return o;
  }
  void SetUp() override { wall = static_cast<std::uint64_t>(kStart) * 1000; }
  bool sealed(const std::string& name) const {
    std::string report;
    return is_sealed(
        *Database::open({.path = path("events/" + name), .check = false, .read_only = true}, report));
  }
  static std::vector<int> numbers(const EventStore::Answer& answer) {
    EXPECT_TRUE(answer.complete) << answer.why;
    std::vector<int> out;
    for (const FoundEvent& e : answer.events) out.push_back(std::stoi(e.line.substr(5)));
    return out;
  }
  // What a scan of all events would find, newest first.
  template <typename F>
  static std::vector<int> expected(int count, std::size_t limit, F&& wanted) {
    std::vector<int> out;
    for (int i = count - 1; i >= 0 && out.size() < limit; --i)
      if (wanted(i)) out.push_back(i);
    return out;
  }
};

TEST_F(Stored, IsFoundByEachKeyAndByTheirConjunctionOverSegments) {
  constexpr int kCount = 3500;
  EventStore store(options());
  for (int i = 0; i < kCount; i += 100) {
    store.add(batch(i, 100));
    if (i % 500 == 0) store.flush();
  }
  store.flush();
  ASSERT_EQ(store.status().stored, static_cast<std::uint64_t>(kCount));
  EXPECT_GT(store.status().segments, 1u);
  EXPECT_EQ(store.status().first_us, kStart);

  EventQuery q;
  q.limit = 10000;
  EXPECT_EQ(numbers(store.find(q)), expected(kCount, 10000, [](int) { return true; }));
  q.limit = 7;
  EXPECT_EQ(numbers(store.find(q)), expected(kCount, 7, [](int) { return true; }));
  q.limit = 10000;
  q.from_us = kStart + 990 * kStep;
  q.to_us = kStart + 1010 * kStep;
  EXPECT_EQ(numbers(store.find(q)), expected(kCount, 10000, [](int i) { return i >= 990 && i < 1010; }));
  q = {.limit = 10000};
  q.host = v4(3);
  EXPECT_EQ(numbers(store.find(q)), expected(kCount, 10000, [](int i) { return i % 10 == 3; }));
  q.host = v4(104);
  EXPECT_EQ(numbers(store.find(q)), expected(kCount, 10000, [](int i) { return i % 7 == 4; }))
      << "as a destination";
  q.link = "vendor";
  EXPECT_EQ(numbers(store.find(q)), expected(kCount, 10000, [](int i) { return i % 7 == 4 && i % 3 == 0; }));
  q = {.limit = 50};
  q.kind = "alert";
  EXPECT_EQ(numbers(store.find(q)), expected(kCount, 50, [](int i) { return i % 5 == 0; }));
  q.sid = 2001;
  EXPECT_EQ(numbers(store.find(q)), expected(kCount, 50, [](int i) { return i % 5 == 0 && i % 2 == 1; }));
  q = {.limit = 10000};
  q.ticket = "T-1";
  EXPECT_EQ(numbers(store.find(q)), expected(kCount, 10000, [](int i) { return i % 50 == 0; }));
  q.kind = "flow";
  EXPECT_TRUE(numbers(store.find(q)).empty());
}

TEST_F(Stored, AHostThatSpokeToItselfIsFoundOnce) {
  EventStore store(options());
  EventBatch b = batch(1, 1);
  b.rows[0].destination = b.rows[0].source;
  store.add(std::move(b));
  store.flush();
  EventQuery q;
  q.host = v4(1);
  EXPECT_EQ(numbers(store.find(q)).size(), 1u);
  store.add(batch(2, 998));
  store.add(batch(1000, 1));
  store.flush();
  EXPECT_TRUE(sealed("00000001.db"));
  q.to_us = kStart + 2 * kStep;
  EXPECT_EQ(numbers(store.find(q)).size(), 1u) << "by its indices";
}

TEST_F(Stored, OnlyTheSegmentThatIsWrittenHasNoIndices) {
  EventStoreOptions o = options();
  o.segment_rows = 100;
  EventStore store(o);
  for (int i = 0; i < 250; i += 50) {
    store.add(batch(i, 50));
    store.flush();
  }
  ASSERT_EQ(store.status().segments, 3u);
  EXPECT_TRUE(sealed("00000001.db"));
  EXPECT_TRUE(sealed("00000002.db"));
  EXPECT_FALSE(sealed("00000003.db"));
  EXPECT_EQ(numbers(store.find({.limit = 1000})), expected(250, 1000, [](int) { return true; }));
}

TEST_F(Stored, WhatAKilledProcessLeftWithoutIndicesGetsThem) {
  fs::create_directories(path("events"));
  std::string report;
  for (const int number : {1, 2}) {  // killed before the seal; killed while it was short
    auto left = EventSegment::open(path("events/0000000" + std::to_string(number) + ".db"), report);
    left->append(batch(number == 1 ? 0 : 1000, number == 1 ? 1000 : 400));
  }
  EventStore store(options());
  store.add(batch(1400, 100));
  store.flush();
  for (int i = 0; i < 100 && !sealed("00000001.db"); ++i) usleep(50'000);
  EXPECT_TRUE(sealed("00000001.db"));
  EXPECT_FALSE(sealed("00000002.db"));
  EXPECT_EQ(store.status().segments, 2u);
  EventQuery q{.limit = 10000};
  q.host = v4(3);
  EXPECT_EQ(numbers(store.find(q)), expected(1500, 10000, [](int i) { return i % 10 == 3; }));
}

// Segments were once one table with its indices, lines and all.
TEST_F(Stored, ASegmentOfBeforeIsStillAsked) {
  fs::create_directories(path("events"));
  std::string report;
  {
    auto db = Database::open({.path = path("events/00000001.db")}, report);
    db->migrate("events", {R"(
CREATE TABLE event(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, link TEXT, source BLOB,
                   destination BLOB, sid INTEGER, ticket TEXT, line TEXT NOT NULL) STRICT;
CREATE INDEX by_time ON event(time);
CREATE INDEX by_kind ON event(kind, time);
CREATE INDEX by_link ON event(link, time) WHERE link IS NOT NULL;
CREATE INDEX by_source ON event(source, time) WHERE source IS NOT NULL;
CREATE INDEX by_destination ON event(destination, time) WHERE destination IS NOT NULL;
CREATE INDEX by_sid ON event(sid, time) WHERE sid IS NOT NULL;
CREATE INDEX by_ticket ON event(ticket, time) WHERE ticket IS NOT NULL;)"});
    db->run("INSERT INTO event(time,kind,source,line) VALUES(?,'flow',?,'{\"n\":0}')", kStart, v4(0).blob());
    db->run("INSERT INTO event(time,kind,source,line) VALUES(?,'flow',?,'{\"n\":1}')", kStart + kStep,
            v4(1).blob());
  }
  EventStore store(options());
  store.add(batch(2, 10));
  store.flush();
  EXPECT_EQ(store.status().segments, 2u) << "it is not written any more";
  EXPECT_EQ(numbers(store.find({.limit = 100})), expected(12, 100, [](int) { return true; }));
  EventQuery q;
  q.host = v4(1);
  EXPECT_EQ(numbers(store.find(q)), (std::vector<int>{11, 1}));
}

TEST_F(Stored, SurvivesARestartAndGoesOnInAShortSegment) {
  {
    EventStore store(options());
    store.add(batch(0, 150));
  }
  EventStore store(options());
  store.add(batch(150, 150));
  store.flush();
  EXPECT_EQ(store.status().segments, 1u);
  EXPECT_EQ(store.status().rows, 300u);
  EXPECT_EQ(numbers(store.find({.limit = 1000})), expected(300, 1000, [](int) { return true; }));
}

TEST_F(Stored, SizeRemovesTheOldestSegmentsAndNothingElse) {
  EventStoreOptions o = options();
  o.segment_rows = 200;
  EventStore store(o);
  for (int i = 0; i < 4000; i += 200) {
    store.add(batch(i, 200));
    store.flush();
  }
  const std::uint64_t each = store.status().bytes / store.status().segments;
  store.set_retention(each * 5, o.keep_s, 0);
  store.add(batch(4000, 200));
  store.flush();
  const EventStoreStatus s = store.status();
  EXPECT_GT(s.segments_removed, 10u);
  EXPECT_LE(s.bytes, each * 5);
  EXPECT_EQ(s.stored, 4200u);
  EXPECT_EQ(s.lost, 0u);
  const auto left = numbers(store.find({.limit = 10000}));
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left.front(), 4199);
  EXPECT_EQ(left.back(), 4200 - static_cast<int>(left.size())) << "the newest, without a gap";
}

TEST_F(Stored, AgeRemovesWholeSegmentsButNotAfterTheClockJumped) {
  EventStoreOptions o = options();
  o.segment_rows = 100;
  o.keep_s = 3600;
  EventStore store(o);
  store.add(batch(0, 100));
  store.flush();
  EXPECT_EQ(store.status().segments_removed, 0u);
  // The clock is set 400 days on: the past is not erased by it.
  wall = static_cast<std::uint64_t>(kStart) * 1000 + 400ull * 86400 * 1'000'000'000;
  store.add(batch(100, 100));
  store.flush();
  EXPECT_TRUE(store.status().age_suspended);
  EXPECT_EQ(store.status().segments_removed, 0u);
  EXPECT_EQ(numbers(store.find({.limit = 1000})).size(), 200u);
}

TEST_F(Stored, AgeRemovesWhatIsOlderThanAsked) {
  EventStoreOptions o = options();
  o.segment_rows = 100;
  wall = static_cast<std::uint64_t>(kStart) * 1000 + 2 * 86400ull * 1'000'000'000;
  o.keep_s = 86400;
  EventStore store(o);
  store.add(batch(0, 100));  // two days old
  store.flush();
  EXPECT_EQ(store.status().segments_removed, 1u);
  EXPECT_TRUE(numbers(store.find({.limit = 10})).empty());
}

TEST_F(Stored, ADamagedSegmentIsSetAsideAndTheRestIsThere) {
  EventStoreOptions o = options();
  o.segment_rows = 500;
  {
    EventStore store(o);
    for (int i = 0; i < 1500; i += 500) {
      store.add(batch(i, 500));
      store.flush();
    }
  }
  std::ofstream(path("events/00000002.db"), std::ios::trunc) << std::string(20000, 'x');
  EventStore store(o);
  store.add(batch(1500, 10));
  store.flush();
  const EventStoreStatus s = store.status();
  ASSERT_EQ(s.reports.size(), 1u);
  EXPECT_NE(s.reports[0].find("00000002.db"), std::string::npos) << s.reports[0];
  EXPECT_EQ(numbers(store.find({.limit = 10000})),
            expected(1510, 10000, [](int i) { return i < 500 || i >= 1000; }));
  EXPECT_EQ(s.error, "");
}

TEST_F(Stored, ASegmentThatIsDamagedWhileItIsWrittenIsLeftAndANewOneBegins) {
  EventStore store(options());
  store.add(batch(0, 300));
  store.flush();
  {
    // Every page but the first, in file and WAL.
    std::fstream file(path("events/00000001.db-wal"), std::ios::in | std::ios::out | std::ios::binary);
    ASSERT_TRUE(file);
    const auto size = fs::file_size(path("events/00000001.db-wal"));
    file.seekp(0);
    file << std::string(size, '\xa5');
  }
  for (int i = 0; i < 20; ++i) {
    store.add(batch(1000 + i * 10, 10));
    store.flush();
  }
  const EventStoreStatus s = store.status();
  EXPECT_EQ(s.stored + s.lost, 500u) << "every event is accounted for";
  EXPECT_EQ(s.error, "") << "it goes on";
}

TEST_F(Stored, AFullQueueIsCountedAndNothingWaits) {
  EventStoreOptions o = options();
  o.queue_bytes = 1;
  EventStore store(o);
  store.add(batch(0, 10));
  store.flush();
  EXPECT_EQ(store.status().lost, 10u);
  EXPECT_EQ(store.status().stored, 0u);
}

TEST_F(Stored, StopsBeforeTheFileSystemIsFullAndSaysSo) {
  EventStoreOptions o = options();
  o.reserve_bytes = ~0ull;
  EventStore store(o);
  store.add(batch(0, 10));
  store.flush();
  EXPECT_EQ(store.status().lost, 10u);
  EXPECT_NE(store.status().error.find("free on this file system"), std::string::npos) << store.status().error;
}

TEST_F(Stored, ADirectoryThatCannotBeMadeLosesAndSaysSo) {
  EventStoreOptions o = options();
  o.directory = "/proc/no/events";
  EventStore store(o);
  store.add(batch(0, 10));
  store.flush();
  EXPECT_EQ(store.status().lost, 10u);
  EXPECT_NE(store.status().error, "");
}

TEST_F(Stored, QueriesWhileItWritesSeeWholeBatches) {
  EventStore store(options());
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      const auto found = numbers(store.find({.limit = 100000}));
      for (std::size_t i = 0; i < found.size(); ++i)
        ASSERT_EQ(found[i], static_cast<int>(found.size() - 1 - i)) << "a gap";
      ASSERT_EQ(found.size() % 100, 0u);
    }
  });
  for (int i = 0; i < 10000; i += 100) store.add(batch(i, 100));
  store.flush();
  stop = true;
  reader.join();
  EXPECT_EQ(store.status().stored, 10000u);
  EXPECT_EQ(numbers(store.find({.limit = 100000})).size(), 10000u);
}

}  // namespace
}  // namespace sekisho::control
