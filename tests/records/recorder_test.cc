// Times, exceptions as text, the clock, and rates.
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "control/records/clock_watch.h"
#include "control/records/exception_text.h"
#include "control/records/performance.h"
#include "control/records/time_text.h"
#include "control/session/attachment.h"
#include "dataplane/base/clock.h"
#include "tests/session/fake_dataplane.h"

namespace sekisho::control {
namespace {

TEST(Moment, ReadsSecondsAndRfc3339) {
  EXPECT_EQ(parse_moment("0"), 0);
  EXPECT_EQ(parse_moment("1763890000"), 1763890000'000000);
  EXPECT_EQ(parse_moment("1763890000.25"), 1763890000'250000);
  EXPECT_EQ(parse_moment("1970-01-01T00:00:01Z"), 1'000000);
  EXPECT_EQ(parse_moment("2026-11-23T10:00:00+09:00"), parse_moment("2026-11-23T01:00:00Z"));
  EXPECT_EQ(parse_moment("2026-11-23T01:00:00.5-00:30"), *parse_moment("2026-11-23T01:30:00Z") + 500000);
  EXPECT_EQ(moment_text(*parse_moment("2026-11-23T10:00:00+09:00") / 1'000'000), "2026-11-23T01:00:00Z");
}

TEST(Moment, RefusesEverythingElse) {
  for (const char* text :
       {"", "yesterday", "-1", "1.", "1.x", "1e9", "99999999999999", "2026-11-23", "2026-11-23T10:00:00",
        "2026-11-23T10:00:00+0900", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-23T24:00:00Z",
        "2026-11-23T10:00:00Zx", "2026-11-23T10:00:00.Z", "1969-12-31T00:00:00Z", "2026-11-23T10:00:00+9:00",
        "2026"
        "/11/23T10:00:00Z"})
    EXPECT_FALSE(parse_moment(text)) << text;
}

TEST(ExceptionText, IsABlockBehindTheRest) {
  const std::string text = "[ips]\nfiles = [\"a\"]\n";
  const std::string out = with_exception(text,
                                         {.incident = 7,
                                          .sid = 42,
                                          .address = "10.0.0.5",
                                          .until_wall_s = 1763890000,
                                          .reason = "a \"b\"\n\\",
                                          .who = "sato"},
                                         0);
  EXPECT_EQ(
      out,
      text +
          "# sekisho: exception until 1763890000\n[[ips.exception]]\nsid = 42\naddresses = \"10.0.0.5\"\n"
          "until = 2025-11-23T09:26:40Z\nreason = \"incident 7, sato: a \\\"b\\\" \\\\\"\n\n");
}

TEST(ExceptionText, EndedOnesOfOursAreLeftOutAndOthersStay) {
  const ExceptionText first{.sid = 1, .address = "10.0.0.1", .until_wall_s = 100, .reason = "r", .who = "w"};
  ExceptionText second = first, third = first;
  second.sid = 2;
  second.until_wall_s = 300;
  third.sid = 3;
  third.until_wall_s = 400;
  const std::string by_hand = "[[ips.exception]]\nsid = 9\nuntil = 1970-01-01\nreason = \"by hand\"\n";
  std::string text = with_exception(by_hand, first, 50);
  text = with_exception(text, second, 50);
  EXPECT_NE(text.find("sid = 1\n"), text.npos);
  text = with_exception(text, third, 200);
  EXPECT_EQ(text.find("sid = 1\n"), text.npos);
  EXPECT_NE(text.find("sid = 2\n"), text.npos);
  EXPECT_NE(text.find("sid = 3\n"), text.npos);
  EXPECT_TRUE(text.starts_with(by_hand)) << text;
  // Somebody added a key to ours: it is his now.
  std::string changed = with_exception("", first, 50);
  changed.insert(changed.find("sid"), "# kept for the review\n");
  EXPECT_NE(with_exception(changed, second, 200).find("sid = 1\n"), text.npos);
}

std::atomic<std::int64_t> shift_ns{0};
std::uint64_t shifted() {
  return wall_ns() + static_cast<std::uint64_t>(shift_ns.load());
}

TEST(ClockWatch, SeesJumpsInBothDirectionsAndOnlyOnce) {
  shift_ns = 0;
  ClockWatch watch(shifted);
  EXPECT_FALSE(watch.look());
  EXPECT_EQ(watch.state().jumps, 0u);
  shift_ns = 3600'000'000'000;
  EXPECT_TRUE(watch.look());
  EXPECT_FALSE(watch.look());
  EXPECT_EQ(watch.state().jumps, 1u);
  EXPECT_NEAR(static_cast<double>(watch.state().last_jump_ms), 3600'000.0, 1000.0);
  shift_ns = 0;
  EXPECT_TRUE(watch.look());
  EXPECT_LT(watch.state().last_jump_ms, -3'000'000);
  shift_ns = 1'000'000'000;  // a slow clock that is slewed is no jump
  EXPECT_FALSE(watch.look());
  EXPECT_EQ(watch.state().fault, "");
}

TEST(Performance, GivesRatesOfWhatTheRegionCounts) {
  test::FakeMemory memory(1);
  auto attachment = Attachment::from_fds(memory.duplicates(), 1);
  ASSERT_TRUE(attachment) << attachment.failure().what;
  Performance p;
  EXPECT_TRUE(p.view(10, true)["workers"].empty());
  abi::WorkerCounters& w = memory.region->worker[0];
  for (std::uint64_t second = 0; second <= 5; ++second) {
    w.packets_received = 1000 * second;
    w.bytes_received = 64000 * second;
    w.bursts = 100 * second;
    w.packets_dropped = 10 * second;
    w.drops[0][1][3] = 10 * second;
    w.asleep = second % 2;
    p.sample(*attachment, 2, (second + 1) * kSecond);
  }
  const nlohmann::json v = p.view(4, true);
  EXPECT_DOUBLE_EQ(v["seconds"], 4.0);
  ASSERT_EQ(v["workers"].size(), 1u);
  EXPECT_DOUBLE_EQ(v["workers"][0]["packets_received_per_s"], 1000.0);
  EXPECT_DOUBLE_EQ(v["workers"][0]["bits_received_per_s"], 512000.0);
  EXPECT_DOUBLE_EQ(v["workers"][0]["packets_per_burst"], 10.0);
  EXPECT_DOUBLE_EQ(v["workers"][0]["awake_share"], 0.5);
  ASSERT_EQ(v["drops"].size(), 1u);
  EXPECT_DOUBLE_EQ(v["drops"].begin().value(), 10.0);
  EXPECT_EQ(v["series"].size(), 4u);
  EXPECT_DOUBLE_EQ(v["series"][3]["age_s"], 0.0);
  EXPECT_DOUBLE_EQ(p.view(100, false)["seconds"], 5.0) << "what there is";
  // Another dataplane: its counters begin anew.
  memory.region->started_mono_ns += 1;
  p.sample(*attachment, 2, 10 * kSecond);
  EXPECT_TRUE(p.view(10, false)["workers"].empty());
}

}  // namespace
}  // namespace sekisho::control
