#include "control/events/event_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/events/events_fixture.h"

namespace sekisho {
namespace {

using control::EventLog;
using control::EventLogOptions;

std::vector<std::string> rotated(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name != "eve.json") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string line(char c, std::size_t size = 99) {
  return std::string(size, c) + "\n";
}

TEST(EventLog, WritesAndGoesOnAfterARestart) {
  test::TemporaryDirectory d;
  EventLogOptions o;
  o.directory = d.path + "/made";
  {
    EventLog log(o);
    log.write("one\ntwo\n", 2);
    log.flush();
    EXPECT_EQ(log.status().lines_written, 2u);
    EXPECT_EQ(log.status().error, "");
  }
  EventLog log(o);
  log.write("three\n", 1);
  log.flush();
  EXPECT_EQ(test::content(o.directory + "/eve.json"), "one\ntwo\nthree\n");
}

TEST(EventLog, RotatesBySizeAndKeepsTheTotalBound) {
  test::TemporaryDirectory d;
  EventLogOptions o;
  o.directory = d.path;
  o.rotate_bytes = 250;  // two lines a file
  o.total_bytes = 850;
  EventLog log(o);
  for (char c = 'a'; c <= 'z'; ++c) log.write(line(c), 1);
  log.flush();
  EXPECT_EQ(log.status().lines_written, 26u);
  const auto files = rotated(d.path);
  ASSERT_EQ(files.size(), 3u) << "850 - 250 hold three files of 200";
  EXPECT_EQ(test::content(d.path + "/eve.json"), line('y') + line('z'));
  EXPECT_EQ(test::content(d.path + "/" + files.back()), line('w') + line('x')) << "names sort by age";
  EXPECT_EQ(test::content(d.path + "/" + files.front()), line('s') + line('t'));
  EXPECT_EQ(log.status().files_removed, 9u);
}

TEST(EventLog, RotatesByAge) {
  test::TemporaryDirectory d;
  EventLogOptions o;
  o.directory = d.path;
  o.rotate_age = std::chrono::seconds(0);
  EventLog log(o);
  log.write(line('a'), 1);
  log.flush();
  log.write(line('b'), 1);
  log.flush();
  EXPECT_GE(rotated(d.path).size(), 1u);
}

TEST(EventLog, LeavesOtherFilesAlone) {
  test::TemporaryDirectory d;
  std::ofstream(d.path + "/audit.json") << std::string(5000, 'x');
  EventLogOptions o;
  o.directory = d.path;
  o.rotate_bytes = 100;
  o.total_bytes = 200;
  EventLog log(o);
  for (int i = 0; i < 10; ++i) log.write(line('a'), 1);
  log.flush();
  EXPECT_TRUE(std::filesystem::exists(d.path + "/audit.json"));
}

TEST(EventLog, MovedAwayFileIsMadeAnew) {
  test::TemporaryDirectory d;
  EventLogOptions o;
  o.directory = d.path;
  EventLog log(o);
  log.write("one\n", 1);
  log.flush();
  std::filesystem::rename(d.path + "/eve.json", d.path + "/elsewhere");
  log.write("two\n", 1);
  log.flush();
  EXPECT_EQ(test::content(d.path + "/eve.json"), "two\n");
}

// A full disk, by the file size limit of a child (EFBIG arrives as ENOSPC would).
TEST(EventLog, FullDiskIsCountedAndLeavesNoHalfLine) {
  test::TemporaryDirectory d;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{250, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    int wrong = 0;
    {
      EventLogOptions o;
      o.directory = d.path;
      EventLog log(o);
      for (int i = 0; i < 5; ++i) log.write(line('a'), 1);
      log.flush();
      const auto s = log.status();
      wrong |= s.lines_written != 2 ? 1 : 0;
      wrong |= s.lines_lost != 3 ? 2 : 0;
      wrong |= s.error.empty() ? 4 : 0;
      const rlimit more{100000, RLIM_INFINITY};
      setrlimit(RLIMIT_FSIZE, &more);
      log.write(line('b'), 1);
      log.flush();
      wrong |= !log.status().error.empty() ? 8 : 0;
    }
    _exit(wrong);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(test::content(d.path + "/eve.json"), line('a') + line('a') + line('b'));
}

TEST(EventLog, NoDirectoryIsReported) {
  test::TemporaryDirectory d;
  std::ofstream(d.path + "/file") << "x";
  EventLogOptions o;
  o.directory = d.path + "/file/sub";
  EventLog log(o);
  log.write("one\n", 1);
  log.flush();
  EXPECT_EQ(log.status().lines_lost, 1u);
  EXPECT_NE(log.status().error, "");
}

TEST(EventLog, QueueIsBounded) {
  test::TemporaryDirectory d;
  EventLogOptions o;
  o.directory = d.path;
  o.queue_bytes = 1000;
  EventLog log(o);
  log.write(line('x', 2000), 3);
  log.flush();
  EXPECT_EQ(log.status().lines_lost, 3u);
}

}  // namespace
}  // namespace sekisho
