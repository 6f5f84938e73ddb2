#include "control/events/event_drain.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "control/session/attachment.h"
#include "tests/events/events_fixture.h"
#include "tests/session/fake_dataplane.h"

namespace sekisho {
namespace {

using control::Attachment;
using control::EventDrain;
using control::EventDrainOptions;
using control::Names;
using test::FakeMemory;

EventDrainOptions options(const test::TemporaryDirectory& d) {
  EventDrainOptions o;
  o.log.directory = d.path + "/log";
  o.learn_path = d.path + "/learn.json";
  o.utc = true;
  return o;
}

std::vector<nlohmann::json> lines(const test::TemporaryDirectory& d) {
  std::vector<nlohmann::json> all;
  std::stringstream text(test::content(d.path + "/log/eve.json"));
  for (std::string line; std::getline(text, line);) all.push_back(nlohmann::json::parse(line));
  return all;
}

std::shared_ptr<Attachment> attach(const FakeMemory& memory, std::uint32_t workers) {
  auto a = Attachment::from_fds(memory.duplicates(), workers);
  EXPECT_TRUE(a) << a.failure().what;
  return *a;
}

void wait_events(const EventDrain& drain, std::uint64_t count) {
  while (drain.status().events < count) usleep(1000);
}

TEST(EventDrain, DrainsAllRingsIntoAllPlaces) {
  test::TemporaryDirectory d;
  FakeMemory memory(2);
  {
    EventDrain drain(options(d));
    drain.set_names(std::make_shared<Names>(test::site(), 7));
    memory.events->ring[0].push(test::flow_end());
    abi::Event drop = test::event(abi::EventKind::drop);
    drop.drop_reason = static_cast<std::uint8_t>(abi::DropReason::link_cut);
    memory.events->ring[1].push(drop);
    memory.events->ring[1].push(test::event(abi::EventKind::would_drop));
    memory.events->ring[1].push(test::event(abi::EventKind::flow_start));
    drain.attach(attach(memory, 2));
    wait_events(drain, 4);
    EXPECT_EQ(drain.recent().latest({}, 10).size(), 4u);
    EXPECT_EQ(drain.talkers().top(5).talkers.size(), 1u);
    EXPECT_EQ(drain.learned().entries().size(), 1u);
    EXPECT_EQ(drain.status().corrupt_rings, 0u);
  }
  const auto all = lines(d);
  ASSERT_EQ(all.size(), 3u) << "flow_start is not logged unless asked for";
  EXPECT_EQ(all[0]["event_type"], "flow");
  EXPECT_EQ(all[0]["sekisho"]["rule"], "images\n");
  EXPECT_EQ(all[1]["event_type"], "drop");
  EXPECT_EQ(all[2]["event_type"], "would_drop");
  EXPECT_TRUE(std::filesystem::exists(d.path + "/learn.json")) << "saved at the end";
}

TEST(EventDrain, LeavesNothingBehindWhenItStops) {
  test::TemporaryDirectory d;
  FakeMemory memory(1);
  std::size_t pushed = 0;
  {
    EventDrain drain(options(d));
    drain.attach(attach(memory, 1));
    wait_events(drain, 0);
    while (pushed < 3000 && memory.events->ring[0].push(test::flow_end())) ++pushed;
  }
  EXPECT_EQ(lines(d).size(), pushed);
}

TEST(EventDrain, ANewDataplaneTakesOver) {
  test::TemporaryDirectory d;
  FakeMemory first(1), second(1);
  EventDrain drain(options(d));
  for (int i = 0; i < 100; ++i) first.events->ring[0].push(test::flow_end());
  for (int i = 0; i < 50; ++i) second.events->ring[0].push(test::flow_end());
  drain.attach(attach(first, 1));
  wait_events(drain, 100);
  drain.attach(attach(second, 1));
  wait_events(drain, 150);
  drain.attach(nullptr);
  EXPECT_EQ(drain.status().events, 150u);
}

TEST(EventDrain, NamesByGeneration) {
  test::TemporaryDirectory d;
  FakeMemory memory(1);
  {
    EventDrain drain(options(d));
    control::Model renamed = test::site();
    renamed.rules[0].name = "other";
    drain.set_names(std::make_shared<Names>(test::site(), 7));
    drain.set_names(std::make_shared<Names>(renamed, 8));
    abi::Event e = test::flow_end();
    memory.events->ring[0].push(e);
    e.snapshot_generation = 8;
    memory.events->ring[0].push(e);
    e.snapshot_generation = 6;
    memory.events->ring[0].push(e);
    drain.attach(attach(memory, 1));
    wait_events(drain, 3);
  }
  const auto all = lines(d);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["sekisho"]["rule"], "images\n");
  EXPECT_EQ(all[1]["sekisho"]["rule"], "other");
  EXPECT_FALSE(all[2]["sekisho"].contains("rule")) << "nobody knows generation 6";
  EXPECT_EQ(all[2]["sekisho"]["link"], "device-his") << "but links are by zone";
}

TEST(EventDrain, ACorruptRingIsReportedAndTheOthersGoOn) {
  test::TemporaryDirectory d;
  FakeMemory memory(2);
  *reinterpret_cast<std::size_t*>(&memory.events->ring[0]) = SIZE_MAX;
  memory.events->ring[1].push(test::flow_end());
  EventDrain drain(options(d));
  drain.attach(attach(memory, 2));
  wait_events(drain, 1);
  while (drain.status().corrupt_rings == 0) usleep(1000);
  EXPECT_EQ(drain.status().corrupt_rings, 1u);
}

TEST(EventDrain, AFullDiskDoesNotStopTheDrain) {
  test::TemporaryDirectory d;
  std::ofstream(d.path + "/log") << "a file where the directory should be";
  FakeMemory memory(1);
  EventDrain drain(options(d));
  drain.attach(attach(memory, 1));
  std::size_t pushed = 0;
  while (pushed < 40000) {  // more than the ring holds
    if (memory.events->ring[0].push(test::flow_end())) ++pushed;
  }
  wait_events(drain, 40000);
  while (drain.status().log.lines_lost == 0) usleep(1000);
  EXPECT_NE(drain.status().log.error, "");
  EXPECT_EQ(drain.status().log.lines_written, 0u);
}

}  // namespace
}  // namespace sekisho
