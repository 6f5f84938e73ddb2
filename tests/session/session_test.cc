#include "control/session/dataplane_session.h"

#include <gtest/gtest.h>

#include "control/session/obedience.h"
#include "dataplane/abi/snapshot.h"
#include "tests/session/fake_dataplane.h"

namespace sekisho {
namespace {

using control::DataplaneSession;
using control::SessionError;
using control::SessionOptions;
using control::SessionState;
using test::FakeDataplane;
using test::FakeMemory;
using test::Peer;
using test::Request;
using namespace std::chrono_literals;

SessionOptions options(const FakeDataplane& dataplane, std::chrono::milliseconds deadline = 20s) {
  SessionOptions o;
  o.path = dataplane.path;
  o.answer_deadline = o.load_deadline = o.flows_deadline = deadline;
  return o;
}

int words() {
  static const int fd = memfd_create("words", MFD_CLOEXEC);
  return fd;
}

std::vector<std::uint8_t> snapshot(std::uint64_t generation) {
  abi::SnapshotHeader header{};
  header.generation = generation;
  std::vector<std::uint8_t> bytes(5000, 0x5a);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

// Holds the connection until the client leaves.
void wait_gone(Peer& peer) {
  while (peer.take().there) {
  }
}

TEST(Session, HelloBringsTheWorkersMemory) {
  FakeMemory memory(2);
  memory.region->worker[1].seen_generation = 7;
  std::size_t words_passed = 0;
  FakeDataplane dataplane({[&](Peer& peer) {
    const Request r = peer.take();
    words_passed = r.fds.size();
    peer.answer(r, memory.hello(3), memory.fds());
    wait_gone(peer);
  }});
  DataplaneSession session(options(dataplane));
  const auto hello = session.connect(words());
  ASSERT_TRUE(hello) << hello.failure().what;
  EXPECT_EQ(words_passed, 1u);
  EXPECT_EQ(hello->snapshot_generation, 3u);
  EXPECT_EQ(session.state(), SessionState::running);
  EXPECT_EQ(session.check(), SessionState::running);

  control::RegionObedience obedience(session);
  ASSERT_EQ(obedience.workers(), 2u);
  EXPECT_EQ(obedience.worker(1).seen_generation, 7u);
  memory.region->worker[1].drained_generation = 9;
  EXPECT_EQ(obedience.worker(1).drained_generation, 9u);
  EXPECT_EQ(obedience.worker(2).drained_generation, 0u) << "no such worker: not obeyed";
  memory.region->worker[0].link[5].last_pass_ns = 11;
  EXPECT_EQ(obedience.last_pass_ns(0, LinkIndex(5)), 11u);
  EXPECT_EQ(obedience.last_pass_ns(0, LinkIndex(SEKISHO_MAX_LINKS)), 0u);

  obedience.wake();
  for (const int fd : memory.wake) {
    std::uint64_t count = 0;
    ASSERT_EQ(read(fd, &count, sizeof count), 8);
    EXPECT_EQ(count, 1u);
  }
  // A full eventfd must not hold the caller.
  const std::uint64_t full = UINT64_MAX - 1;
  ASSERT_EQ(write(memory.wake[0], &full, sizeof full), 8);
  obedience.wake();
}

TEST(Session, FirstLoadMakesWorkersAndHelloIsSaidAgain) {
  FakeMemory memory(1);
  int seals = 0;
  std::vector<std::uint8_t> got(5000);
  FakeDataplane dataplane({[&](Peer& peer) {
    abi::HelloAnswer empty{};
    peer.answer(peer.take(), empty);
    const Request r = peer.take();
    seals = fcntl(r.fds.at(0), F_GET_SEALS);
    if (pread(r.fds.at(0), got.data(), got.size(), 0) != 5000) got.clear();
    abi::LoadAnswer loaded{};
    loaded.generation = 42;
    peer.answer(r, loaded);
    peer.answer(peer.take(), memory.hello(42), memory.fds());
    wait_gone(peer);
  }});
  DataplaneSession session(options(dataplane));
  ASSERT_TRUE(session.connect(words()));
  EXPECT_EQ(session.state(), SessionState::connected);
  EXPECT_EQ(session.attachment(), nullptr);
  session.wake();  // nobody to wake: nothing happens
  const auto loaded = session.load(snapshot(42));
  ASSERT_TRUE(loaded) << loaded.failure().what;
  EXPECT_EQ(loaded->generation, 42u);
  EXPECT_EQ(seals, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  EXPECT_EQ(got, snapshot(42));
  EXPECT_EQ(session.state(), SessionState::running);
  EXPECT_EQ(session.hello().snapshot_generation, 42u);
}

TEST(Session, RefusedLoadSaysWhyAndKeepsTheSession) {
  FakeMemory memory(1);
  FakeDataplane dataplane({[&](Peer& peer) {
    peer.answer(peer.take(), memory.hello(), memory.fds());
    abi::LoadAnswer no{};
    no.status = static_cast<std::uint32_t>(abi::Status::refused);
    std::memcpy(no.text, "section rules\nends outside", 26);
    peer.answer(peer.take(), no);
    abi::PlainAnswer ok{};
    peer.answer(peer.take(), ok);
    wait_gone(peer);
  }});
  DataplaneSession session(options(dataplane));
  ASSERT_TRUE(session.connect(words()));
  const auto loaded = session.load(snapshot(2));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error(), SessionError::refused);
  EXPECT_EQ(loaded.failure().what, "section rules?ends outside");
  const std::uint16_t links[] = {1, 2};
  EXPECT_TRUE(session.reset(links));
  EXPECT_EQ(session.load({}).error(), SessionError::refused) << "not even a header: refused here";
}

TEST(Session, FlowsComeInPagesUpToTheBound) {
  FakeMemory memory(1);
  FakeDataplane dataplane({[&](Peer& peer) {
    peer.answer(peer.take(), memory.hello(), memory.fds());
    for (int request = 0; request < 2; ++request) {
      const Request r = peer.take();
      static abi::FlowsPage page;
      std::uint64_t id = 0;
      for (int i = 0; i < 3; ++i) {
        page.count = i == 2 ? 5 : abi::kFlowsPerPage;
        page.last = i == 2;
        for (std::uint32_t k = 0; k < page.count; ++k) page.flow[k].flow_id = ++id;
        // Whole pages and short ones are both fine.
        const std::size_t size =
            i == 2 ? offsetof(abi::FlowsPage, flow) + 5 * sizeof(abi::FlowRecord) : sizeof page;
        peer.answer(r, page, {}, abi::MessageKind::flows_page, size);
      }
    }
    wait_gone(peer);
  }});
  SessionOptions o = options(dataplane);
  DataplaneSession session(o);
  ASSERT_TRUE(session.connect(words()));
  abi::FlowsRequest all{UINT32_MAX, 0, 0, 0};
  auto list = session.flows(all);
  ASSERT_TRUE(list) << list.failure().what;
  ASSERT_EQ(list->flows.size(), 805u);
  EXPECT_EQ(list->flows.back().flow_id, 805u);
  EXPECT_FALSE(list->truncated);
  all.limit = 500;
  list = session.flows(all);
  ASSERT_TRUE(list);
  EXPECT_EQ(list->flows.size(), 500u);
  EXPECT_TRUE(list->truncated);
}

TEST(Session, RestorePassesRecordsInASealedMemfd) {
  FakeMemory memory(1);
  std::uint64_t second = 0;
  FakeDataplane dataplane({[&](Peer& peer) {
    peer.answer(peer.take(), memory.hello(), memory.fds());
    const Request r = peer.take();
    abi::FlowRecord record[2];
    if (control::is_sealed(r.fds.at(0)) && pread(r.fds[0], record, sizeof record, 0) == sizeof record) {
      second = record[1].flow_id;
    }
    peer.answer(r, abi::RestoreAnswer{0, 1, 1, 0});
    peer.answer(peer.take(), abi::RestoreAnswer{0, 3, 0, 0});
    wait_gone(peer);
  }});
  DataplaneSession session(options(dataplane));
  ASSERT_TRUE(session.connect(words()));
  std::vector<abi::FlowRecord> flows(2);
  flows[1].flow_id = 77;
  const auto restored = session.restore(flows);
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->taken, 1u);
  EXPECT_EQ(second, 77u);
  EXPECT_EQ(session.restore(flows).error(), SessionError::malformed) << "took more than there were";
}

TEST(Session, PeerDeathIsSeen) {
  FakeMemory memory(1);
  FakeDataplane dataplane({[&](Peer& peer) { peer.answer(peer.take(), memory.hello(), memory.fds()); },
                           [&](Peer& peer) { peer.answer(peer.take(), memory.hello(), memory.fds()); }});
  DataplaneSession session(options(dataplane));
  ASSERT_TRUE(session.connect(words()));
  while (session.check() == SessionState::running) usleep(1000);
  EXPECT_EQ(session.state(), SessionState::lost);
  EXPECT_EQ(session.flows({}).error(), SessionError::not_connected);
  EXPECT_NE(session.attachment(), nullptr) << "its last counters stay readable";
  // and connecting again works
  ASSERT_TRUE(session.connect(words()));
  while (session.check() == SessionState::running) usleep(1000);
}

TEST(Session, EndedProcessCountsAsNoWorkers) {
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = fork();
  if (child == 0) {
    char c;
    [[maybe_unused]] const ssize_t n = read(go[0], &c, 1);
    _exit(0);
  }
  FakeMemory memory(1);
  const int process = static_cast<int>(syscall(434 /* pidfd_open */, child, 0));
  ASSERT_GE(process, 0);
  auto attachment = control::Attachment::from_fds(memory.duplicates(), 1, process);
  ASSERT_TRUE(attachment);
  EXPECT_FALSE((*attachment)->process_gone());
  ASSERT_EQ(write(go[1], "x", 1), 1);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED), 0);
  EXPECT_TRUE((*attachment)->process_gone());
  close(go[0]);
  close(go[1]);
}

TEST(Session, NobodyThere) {
  SessionOptions o;
  o.path = "/tmp/sekisho-no-such-socket";
  DataplaneSession session(o);
  EXPECT_EQ(session.connect(words()).error(), SessionError::connect_failed);
  o.path = std::string(200, 'x');
  DataplaneSession longer(o);
  EXPECT_EQ(longer.connect(words()).error(), SessionError::connect_failed);
  EXPECT_EQ(session.load(snapshot(1)).error(), SessionError::not_connected);
  EXPECT_EQ(session.connect(-1).error(), SessionError::system);
}

TEST(Session, SilenceEndsAtTheDeadlineAndALateAnswerIsSkipped) {
  FakeMemory memory(1);
  int pipe_fd[2];
  ASSERT_EQ(pipe(pipe_fd), 0);
  FakeDataplane dataplane({[&](Peer& peer) {
    peer.answer(peer.take(), memory.hello(), memory.fds());
    const Request slow = peer.take();
    char c;
    [[maybe_unused]] const ssize_t n = read(pipe_fd[0], &c, 1);
    peer.answer(slow, abi::PlainAnswer{});
    peer.answer(peer.take(), abi::RestoreAnswer{0, 1, 0, 0});
    wait_gone(peer);
  }});
  SessionOptions o = options(dataplane);
  DataplaneSession patient(o);
  o.answer_deadline = 200ms;
  DataplaneSession session(o);
  ASSERT_TRUE(session.connect(words()));
  EXPECT_EQ(session.reset({}).error(), SessionError::timed_out);
  EXPECT_EQ(session.state(), SessionState::running);
  ASSERT_EQ(write(pipe_fd[1], "x", 1), 1);
  std::vector<abi::FlowRecord> one(1);
  const auto restored = session.restore(one);
  ASSERT_TRUE(restored) << restored.failure().what;
  EXPECT_EQ(restored->taken, 1u);
  close(pipe_fd[0]);
  close(pipe_fd[1]);
}

TEST(Session, SecondClientIsToldBusy) {
  FakeDataplane dataplane({[&](Peer& peer) {
    abi::PlainAnswer busy{};
    busy.status = static_cast<std::uint32_t>(abi::Status::busy);
    std::memcpy(busy.text, "another client", 14);
    peer.answer(Request{}, busy);  // before it read anything: sequence 0
  }});
  DataplaneSession session(options(dataplane));
  const auto hello = session.connect(words());
  EXPECT_EQ(hello.error(), SessionError::busy);
  EXPECT_EQ(hello.failure().what, "another client");
}

// What a hostile or broken dataplane may answer to hello.
struct Hostile {
  const char* name;
  std::function<void(Peer&, const Request&, FakeMemory&)> answer;
};

class HostileHello : public testing::TestWithParam<Hostile> {};

TEST_P(HostileHello, IsANamedFailure) {
  FakeMemory memory(2);
  FakeDataplane dataplane({[&](Peer& peer) {
    GetParam().answer(peer, peer.take(), memory);
    wait_gone(peer);
  }});
  DataplaneSession session(options(dataplane));
  const auto hello = session.connect(words());
  ASSERT_FALSE(hello);
  EXPECT_EQ(hello.error(), SessionError::malformed) << hello.failure().what;
  EXPECT_FALSE(hello.failure().what.empty());
  EXPECT_EQ(session.attachment(), nullptr);
  EXPECT_NE(session.state(), SessionState::running);
}

abi::MessageHeader header_of(const Request& r, std::uint32_t bytes) {
  return {abi::kSessionMagic, SEKISHO_ABI_VERSION, static_cast<std::uint16_t>(abi::MessageKind::answer),
          r.header.sequence, bytes};
}
void send_header(Peer& peer, const abi::MessageHeader& h) {
  peer.send_raw(&h, sizeof h);
}

const Hostile kHostile[] = {
    {"garbage", [](Peer& p, const Request&, FakeMemory&) { p.send_raw("garbage that is no header", 25); }},
    {"short_header",
     [](Peer& p, const Request& r, FakeMemory&) {
       const auto h = header_of(r, 0);
       p.send_raw(&h, 15);
     }},
    {"bad_magic",
     [](Peer& p, const Request& r, FakeMemory&) {
       auto h = header_of(r, 0);
       h.magic ^= 1;
       send_header(p, h);
     }},
    {"bad_version",
     [](Peer& p, const Request& r, FakeMemory&) {
       auto h = header_of(r, 0);
       ++h.version;
       send_header(p, h);
     }},
    {"length_lies", [](Peer& p, const Request& r, FakeMemory&) { send_header(p, header_of(r, 64)); }},
    {"length_huge", [](Peer& p, const Request& r, FakeMemory&) { send_header(p, header_of(r, UINT32_MAX)); }},
    {"no_status", [](Peer& p, const Request& r, FakeMemory&) { send_header(p, header_of(r, 0)); }},
    {"future_sequence",
     [](Peer& p, const Request& r, FakeMemory& m) {
       Request other = r;
       ++other.header.sequence;
       p.answer(other, m.hello(), m.fds());
     }},
    {"unknown_status",
     [](Peer& p, const Request& r, FakeMemory& m) {
       auto h = m.hello();
       h.status = 99;
       p.answer(r, h, m.fds());
     }},
    {"wrong_kind", [](Peer& p, const Request& r,
                      FakeMemory& m) { p.answer(r, m.hello(), m.fds(), abi::MessageKind::flows_page); }},
    {"short_body", [](Peer& p, const Request& r,
                      FakeMemory& m) { p.answer(r, m.hello(), m.fds(), abi::MessageKind::answer, 32); }},
    {"workers_without_descriptors", [](Peer& p, const Request& r, FakeMemory& m) { p.answer(r, m.hello()); }},
    {"descriptors_without_workers",
     [](Peer& p, const Request& r, FakeMemory& m) { p.answer(r, abi::HelloAnswer{}, m.fds()); }},
    {"too_many_workers",
     [](Peer& p, const Request& r, FakeMemory& m) {
       auto h = m.hello();
       h.workers = SEKISHO_MAX_WORKERS + 1;
       p.answer(r, h, std::vector<int>(2 + SEKISHO_MAX_WORKERS + 1, m.wake[0]));
     }},
    {"too_many_descriptors", [](Peer& p, const Request& r,
                                FakeMemory& m) { p.answer(r, m.hello(), std::vector<int>(200, m.wake[0])); }},
    {"one_wake_missing",
     [](Peer& p, const Request& r, FakeMemory& m) {
       p.answer(r, m.hello(), {m.region_fd, m.events_fd, m.wake[0]});
     }},
    {"wake_is_no_eventfd",
     [](Peer& p, const Request& r, FakeMemory& m) {
       p.answer(r, m.hello(), {m.region_fd, m.events_fd, m.wake[0], m.region_fd});
     }},
    {"region_could_shrink",
     [](Peer& p, const Request& r, FakeMemory& m) {
       FakeMemory loose(2, 0);
       p.answer(r, loose.hello(), {loose.region_fd, m.events_fd, m.wake[0], m.wake[1]});
     }},
    {"events_could_shrink",
     [](Peer& p, const Request& r, FakeMemory& m) {
       FakeMemory loose(2, 0);
       p.answer(r, loose.hello(), {m.region_fd, loose.events_fd, m.wake[0], m.wake[1]});
     }},
    {"events_for_fewer_workers",
     [](Peer& p, const Request& r, FakeMemory& m) {
       FakeMemory one(1);
       p.answer(r, m.hello(), {m.region_fd, one.events_fd, m.wake[0], m.wake[1]});
     }},
    {"region_and_events_swapped",
     [](Peer& p, const Request& r, FakeMemory& m) {
       p.answer(r, m.hello(), {m.events_fd, m.region_fd, m.wake[0], m.wake[1]});
     }},
    {"region_magic",
     [](Peer& p, const Request& r, FakeMemory& m) {
       m.region->magic ^= 1;
       p.answer(r, m.hello(), m.fds());
     }},
    {"events_version",
     [](Peer& p, const Request& r, FakeMemory& m) {
       ++m.events->version;
       p.answer(r, m.hello(), m.fds());
     }},
};
INSTANTIATE_TEST_SUITE_P(All, HostileHello, testing::ValuesIn(kHostile),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(Session, HostilePagesOfFlows) {
  struct Page {
    std::uint32_t status, count, last;
    std::size_t bytes;
  };
  const Page pages[] = {
      {0, abi::kFlowsPerPage + 1, 1, sizeof(abi::FlowsPage)},  // more than fit
      {0, UINT32_MAX, 1, sizeof(abi::FlowsPage)},
      {0, 2, 1, offsetof(abi::FlowsPage, flow) + sizeof(abi::FlowRecord)},  // says two, holds one
      {0, 0, 7, sizeof(abi::FlowsPage)},
      {9, 0, 1, sizeof(abi::FlowsPage)},
      {0, 0, 1, 8},
  };
  for (const Page& bad : pages) {
    FakeMemory memory(1);
    FakeDataplane dataplane({[&](Peer& peer) {
      peer.answer(peer.take(), memory.hello(), memory.fds());
      static abi::FlowsPage page;
      page.status = bad.status;
      page.count = bad.count;
      page.last = bad.last;
      peer.answer(peer.take(), page, {}, abi::MessageKind::flows_page, bad.bytes);
      wait_gone(peer);
    }});
    DataplaneSession session(options(dataplane));
    ASSERT_TRUE(session.connect(words()));
    EXPECT_EQ(session.flows({}).error(), SessionError::malformed) << bad.count << ' ' << bad.bytes;
    EXPECT_EQ(session.state(), SessionState::lost);
  }
}

TEST(Session, LoadAnswerForAnotherGenerationIsNotBelieved) {
  FakeMemory memory(1);
  FakeDataplane dataplane({[&](Peer& peer) {
    peer.answer(peer.take(), memory.hello(), memory.fds());
    abi::LoadAnswer loaded{};
    loaded.generation = 4;
    peer.answer(peer.take(), loaded);
    wait_gone(peer);
  }});
  DataplaneSession session(options(dataplane));
  ASSERT_TRUE(session.connect(words()));
  EXPECT_EQ(session.load(snapshot(5)).error(), SessionError::malformed);
}

TEST(Session, AttachmentMayBeReplacedWhileOthersReadIt) {
  FakeMemory first(2), second(1);
  second.region->worker[0].seen_generation = 5;
  const auto serve = [](FakeMemory& memory) {
    return [&memory](Peer& peer) { peer.answer(peer.take(), memory.hello(), memory.fds()); };
  };
  FakeDataplane dataplane(
      {serve(first), serve(second), serve(first), serve(second), serve(first), serve(second)});
  DataplaneSession session(options(dataplane));
  ASSERT_TRUE(session.connect(words()));
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    control::RegionObedience obedience(session);
    while (!stop) {
      for (unsigned i = 0; i < obedience.workers(); ++i) {
        const auto seen = obedience.worker(i).seen_generation;
        if (seen != 0 && seen != 5) std::abort();
      }
      obedience.wake();
    }
  });
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(session.connect(words()));
  stop = true;
  reader.join();
  EXPECT_EQ(session.attachment()->workers(), 1u);
}

}  // namespace
}  // namespace sekisho
