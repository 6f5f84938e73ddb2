// The real process on devices that need no NIC: captures (net_pcap), rings and nothing (net_null). Runs with
// and without root.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <random>

#include "tests/io/dataplane_process.h"
#include "tests/packet/packet_builder.h"

namespace sekisho::io {
namespace {

using Frames = std::vector<test::Bytes>;
using abi::DropReason;

void put32(std::FILE* f, std::uint32_t v) {
  std::fwrite(&v, 4, 1, f);
}
void write_capture(const std::string& path, const Frames& frames) {
  std::FILE* f = std::fopen(path.c_str(), "wb");
  for (const std::uint32_t v : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u}) put32(f, v);
  for (const auto& frame : frames) {
    put32(f, 0);
    put32(f, 0);
    put32(f, static_cast<std::uint32_t>(frame.size()));
    put32(f, static_cast<std::uint32_t>(frame.size()));
    std::fwrite(frame.data(), 1, frame.size(), f);
  }
  std::fclose(f);
}
Frames read_capture(const std::string& path) {
  Frames frames;
  std::FILE* f = std::fopen(path.c_str(), "rb");
  if (f == nullptr) return frames;
  std::uint32_t head[4];
  std::fseek(f, 24, SEEK_SET);
  while (std::fread(head, 4, 4, f) == 4) {
    test::Bytes frame(head[2]);
    if (std::fread(frame.data(), 1, frame.size(), f) != frame.size()) break;
    frames.push_back(frame);
  }
  std::fclose(f);
  return frames;
}

std::uint64_t load64(const std::uint64_t& v) {
  return std::atomic_ref<const std::uint64_t>(v).load(std::memory_order_acquire);
}

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() : directory_(make_directory()), process_(directory_), session_({.path = process_.socket()}) {
    words_.set_all(SEKISHO_WORD_OPEN);
  }
  ~ProcessTest() override { std::filesystem::remove_all(directory_); }
  static std::string make_directory() {
    std::string name = testing::TempDir() + "sekisho-io-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    return name;
  }
  // What follows cannot go on without these, so they throw.
  void connect() {
    std::string why;
    const bool connected = eventually([&] {  // bound is not yet listening
      const auto hello = session_.connect(words_.fd());
      if (!hello) why = hello.failure().what;
      return static_cast<bool>(hello);
    });
    if (!connected) throw std::runtime_error("hello: " + why);
  }
  void load(const SiteOptions& site, std::uint64_t generation = 1) {
    const auto loaded = session_.load(compile_site(site, generation));
    if (!loaded) throw std::runtime_error("load: " + loaded.failure().what);
    EXPECT_EQ(loaded->generation, generation);
    attachment_ = session_.attachment();
    if (!attachment_) throw std::runtime_error("no workers after the load");
  }
  const abi::WorkerCounters& worker(std::uint32_t w = 0) const { return attachment_->region().worker[w]; }
  std::uint64_t sum(std::uint64_t abi::WorkerCounters::*field) const {
    std::uint64_t s = 0;
    for (std::uint32_t w = 0; w < attachment_->workers(); ++w) s += load64(worker(w).*field);
    return s;
  }
  std::uint64_t drops(DropReason reason) const {
    std::uint64_t s = 0;
    for (std::uint32_t w = 0; w < attachment_->workers(); ++w) {
      for (const auto& from : worker(w).drops) {
        for (const auto& to : from) s += load64(to[static_cast<std::size_t>(reason)]);
      }
    }
    return s;
  }
  // Stores the word, wakes, waits until all workers have drained.
  void say(std::uint32_t word) {
    const std::uint64_t generation = words_.set_all(word);
    session_.wake();
    for (std::uint32_t w = 0; w < attachment_->workers(); ++w) {
      ASSERT_TRUE(eventually([&] { return load64(worker(w).drained_generation) == generation; }));
      EXPECT_EQ(load64(worker(w).seen_generation), generation);
    }
  }
  SiteOptions captures(const Frames& a, const std::string& more = "") {
    write_capture(directory_ + "/a.pcap", a);
    write_capture(directory_ + "/b.pcap", {});
    return {
        .device_a = "net_pcap,rx_pcap=" + directory_ + "/a.pcap,tx_pcap=" + directory_ + "/a-out.pcap" + more,
        .device_b = "net_pcap,rx_pcap=" + directory_ + "/b.pcap,tx_pcap=" + directory_ + "/b-out.pcap"};
  }
  // Endless UDP from a to b: `flows` flows.
  SiteOptions endless(std::uint32_t flows) {
    Frames frames;
    for (std::uint32_t i = 0; i < flows; ++i) {
      frames.push_back(
          test::eth()
              .ip4("10.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250), "10.1.0.1")
              .udp(static_cast<std::uint16_t>(1024 + i % 1000), 53)
              .payload("endless payload, endless payload")
              .build());
    }
    write_capture(directory_ + "/a.pcap", frames);
    return {.device_a = "net_pcap,rx_pcap=" + directory_ + "/a.pcap,infinite_rx=1",
            .device_b = "net_null,no-rx=1"};
  }

  std::string directory_;
  TestWords words_;
  DataplaneProcess process_;
  control::DataplaneSession session_;
  std::shared_ptr<const control::Attachment> attachment_;
};

TEST_F(ProcessTest, CarriesACaptureAcrossTheWireUnchanged) {
  Frames frames;
  for (std::uint16_t i = 0; i < 300; ++i) {
    frames.push_back(test::eth()
                         .ip4("10.0.0.1", "10.1.0.1")
                         .udp(static_cast<std::uint16_t>(2000 + i), 53)
                         .payload("query")
                         .build());
  }
  connect();
  load(captures(frames));
  ASSERT_TRUE(eventually([&] { return load64(worker().packets_sent) == 300; }))
      << load64(worker().packets_received);
  EXPECT_EQ(load64(worker().flows_live), 300u);
  process_.signal(SIGTERM);
  EXPECT_EQ(process_.end(), 0);
  EXPECT_EQ(read_capture(directory_ + "/b-out.pcap"), frames);
  EXPECT_TRUE(read_capture(directory_ + "/a-out.pcap").empty());
}

TEST_F(ProcessTest, NothingPassesWithoutWords) {
  words_.set_all(SEKISHO_WORD_CUT);
  connect();
  load(captures(Frames(10, test::eth().ip4("10.0.0.1", "10.1.0.1").udp(2000, 53).payload("x").build())));
  ASSERT_TRUE(eventually([&] { return load64(worker().packets_received) == 10; }));
  EXPECT_EQ(load64(worker().packets_sent), 0u);
  EXPECT_EQ(drops(DropReason::link_cut), 10u);
}

TEST_F(ProcessTest, NothingIsSentAfterTheCutHasDrained) {
  connect();
  load(endless(500));
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t before = load64(worker().packets_sent);
    ASSERT_TRUE(eventually([&] { return load64(worker().packets_sent) > before + 1000; }));
    say(SEKISHO_WORD_CUT);
    const std::uint64_t sent = load64(worker().packets_sent), received = load64(worker().packets_received);
    ASSERT_TRUE(eventually([&] { return load64(worker().packets_received) > received + 10000; }));
    EXPECT_EQ(load64(worker().packets_sent), sent);
    say(SEKISHO_WORD_OPEN);
  }
}

TEST_F(ProcessTest, SeveralWorkersObeyAndShareOneTransmitQueue) {
  connect();
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) GTEST_SKIP() << "needs a core for each worker";
  SiteOptions site = endless(2000);
  site.workers = 2;
  // One queue a port: one of the workers hands over what it sends to it.
  site.device_b = "net_pcap,rx_pcap=" + directory_ + "/b.pcap,tx_pcap=/dev/null";
  write_capture(directory_ + "/b.pcap", {});
  load(site);
  ASSERT_TRUE(eventually([&] {
    return load64(worker(0).packets_received) > 1000 && load64(worker(1).packets_received) > 1000;
  })) << "packets are steered to all workers";
  // A flow lives on one worker only.
  EXPECT_TRUE(eventually([&] { return sum(&abi::WorkerCounters::flows_live) == 2000; }))
      << sum(&abi::WorkerCounters::flows_live);
  for (int i = 0; i < 10; ++i) {
    say(SEKISHO_WORD_CUT);
    const std::uint64_t sent = sum(&abi::WorkerCounters::packets_sent);
    const std::uint64_t received = sum(&abi::WorkerCounters::packets_received);
    ASSERT_TRUE(eventually([&] { return sum(&abi::WorkerCounters::packets_received) > received + 10000; }));
    EXPECT_EQ(sum(&abi::WorkerCounters::packets_sent), sent);
    say(SEKISHO_WORD_OPEN);
    ASSERT_TRUE(eventually([&] { return sum(&abi::WorkerCounters::packets_sent) > sent + 1000; }));
  }
}

TEST_F(ProcessTest, SnapshotsAreSwappedUnderLoadWithoutALoss) {
  connect();
  SiteOptions site = endless(500);
  load(site);
  ASSERT_TRUE(eventually([&] { return load64(worker().packets_sent) > 1000; }));
  for (std::uint64_t g = 2; g < 30; ++g) {
    site.rules =
        "[[rule]]\nname = \"all " + std::to_string(g) + "\"\nfrom = \"a\"\nto = \"b\"\naction = \"accept\"\n";
    load(site, g);
    EXPECT_EQ(load64(worker().snapshot_generation), g);
    EXPECT_EQ(load64(attachment_->region().snapshot_generation), g);
  }
  EXPECT_EQ(load64(worker().packets_dropped), 0u);
  // One that forbids: live flows are judged again.
  site.rules = "[[rule]]\nname = \"no\"\nfrom = \"a\"\nto = \"b\"\naction = \"drop\"\n";
  load(site, 30);
  EXPECT_TRUE(eventually([&] { return drops(DropReason::policy_rule) > 1000; }));
}

TEST_F(ProcessTest, WhatNeedsARestartIsRefusedAndTheOldPolicyStays) {
  connect();
  SiteOptions site{.device_a = "net_null,no-rx=1", .device_b = "net_null,no-rx=1"};
  load(site);
  const auto refused = [&](const SiteOptions& other, const char* what) {
    const auto answer = session_.load(compile_site(other, 2));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error(), control::SessionError::refused);
    EXPECT_NE(answer.failure().what.find(what), std::string::npos) << answer.failure().what;
  };
  SiteOptions other = site;
  other.device_b = "net_null,no-rx=1,size=128";
  refused(other, "ports changed: restart the dataplane");
  other = site;
  other.workers = 2;
  refused(other, "restart the dataplane");
  other = site;
  other.max_flows = 30000;
  refused(other, "restart the dataplane");
  EXPECT_EQ(load64(worker().snapshot_generation), 1u);
  load(site, 3);
}

TEST_F(ProcessTest, DamagedSnapshotsAreRefusedAndTheProcessLives) {
  connect();
  const SiteOptions site{.device_a = "net_null,no-rx=1", .device_b = "net_null,no-rx=1"};
  const auto good = compile_site(site, 1);
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i) {
    auto bad = good;
    if (i % 3 == 0) {
      bad.resize(random() % bad.size());
    } else {
      bad[random() % bad.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
    }
    if (bad.size() < sizeof(abi::SnapshotHeader)) continue;
    const auto answer = session_.load(bad);
    ASSERT_FALSE(answer) << i;
    ASSERT_EQ(answer.error(), control::SessionError::refused) << answer.failure().what;
  }
  ASSERT_TRUE(process_.runs());
  EXPECT_FALSE(session_.attachment());
  load(site);
}

TEST_F(ProcessTest, APortThatCannotBeOpenedIsNamedAndTheProcessEnds) {
  connect();
  const auto answer =
      session_.load(compile_site({.device_a = "net_pcap,rx_pcap=/nowhere.pcap", .device_b = "net_null"}, 1));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error(), control::SessionError::failed);
  EXPECT_NE(answer.failure().what.find("pa"), std::string::npos) << answer.failure().what;
  EXPECT_EQ(process_.end(), 1);
}

TEST_F(ProcessTest, FlowsAreListedAndTakenUpAgainByTheNextRun) {
  connect();
  const SiteOptions site = endless(1200);
  load(site);
  ASSERT_TRUE(eventually([&] { return load64(worker().flows_live) == 1200; }));
  const auto all = session_.flows({.link = 0xffffffffu});
  ASSERT_TRUE(all) << all.failure().what;
  EXPECT_EQ(all->flows.size(), 1200u);
  const auto some = session_.flows({.link = 0xffffffffu, .limit = 450});
  ASSERT_TRUE(some);
  EXPECT_EQ(some->flows.size(), 450u);
  const auto none = session_.flows({.link = 2000});
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->flows.empty());

  process_.signal(SIGKILL);
  EXPECT_EQ(process_.end(), -SIGKILL);
  std::filesystem::remove(process_.socket());
  process_.start();
  connect();
  SiteOptions quiet = site;
  quiet.device_a = "net_null,no-rx=1";
  load(quiet);
  auto records = all->flows;
  records[7].ip_version = 9;  // nonsense is refused one by one
  const auto restored = session_.restore(records);
  ASSERT_TRUE(restored) << restored.failure().what;
  EXPECT_EQ(restored->taken, 1199u);
  EXPECT_EQ(restored->refused, 1u);
  EXPECT_TRUE(eventually([&] { return load64(worker().flows_live) == 1199; }));
  const auto nothing = session_.restore({});
  EXPECT_TRUE(nothing);
}

TEST_F(ProcessTest, IdleWorkersSleepAndACutWakesThem) {
  connect();
  load({.device_a = "net_ring", .device_b = "net_ring"});
  ASSERT_TRUE(eventually([&] { return load64(worker().asleep) == 1; }));
  for (int i = 0; i < 10; ++i) say(i % 2 == 0 ? SEKISHO_WORD_CUT : SEKISHO_WORD_OPEN);
  const std::uint64_t beat = load64(worker().heartbeat_ns);
  EXPECT_TRUE(eventually([&] { return load64(worker().heartbeat_ns) > beat; }));
}

TEST_F(ProcessTest, PollingWorkersNeverSleep) {
  connect();
  load({.device_a = "net_ring", .device_b = "net_ring", .idle = "poll"});
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(load64(worker().asleep), 0u);
    usleep(500);
  }
}

TEST_F(ProcessTest, ASecondDataplaneIsRefused) {
  connect();
  load({.device_a = "net_ring", .device_b = "net_ring"});
  const pid_t second = fork();
  if (second == 0) {
    const char* program = std::getenv("SEKISHO_DATAPLANE");
    execl(program, program, "--socket", process_.socket().c_str(), "--log-level", "error", nullptr);
    _exit(127);
  }
  int status = 0;
  ASSERT_EQ(waitpid(second, &status, 0), second);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  const auto flows = session_.flows({.link = 0xffffffffu});
  EXPECT_TRUE(flows) << "the first one still serves";
}

TEST_F(ProcessTest, StopsOnRequestAndKeepsNoPrivileges) {
  connect();
  load({.device_a = "net_ring", .device_b = "net_ring"});
  const std::string task = "/proc/" + std::to_string(attachment_->region().pid) + "/task";
  for (const auto& thread : std::filesystem::directory_iterator(task)) {
    std::FILE* f = std::fopen((thread.path() / "status").c_str(), "r");
    ASSERT_NE(f, nullptr);
    char line[256];
    int seen = 0;
    while (std::fgets(line, sizeof line, f) != nullptr) {
      if (std::strncmp(line, "CapEff:", 7) == 0 || std::strncmp(line, "CapPrm:", 7) == 0) {
        ++seen;
        EXPECT_EQ(std::strtoull(line + 7, nullptr, 16), 0u) << thread.path();
      }
      if (std::strncmp(line, "Seccomp:", 8) == 0) {
        ++seen;
        EXPECT_EQ(std::strtol(line + 8, nullptr, 10), 2) << thread.path();  // a filter
      }
      if (geteuid() == 0 && std::strncmp(line, "Uid:", 4) == 0) {
        ++seen;
        EXPECT_NE(std::strtoull(line + 4, nullptr, 10), 0u) << thread.path();
      }
    }
    std::fclose(f);
    EXPECT_GE(seen, 3);
  }
  EXPECT_TRUE(session_.stop());
  EXPECT_EQ(process_.end(), 0);
}

}  // namespace
}  // namespace sekisho::io
