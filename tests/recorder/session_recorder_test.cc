// Recordings of sessions out of rings that a test writes: each packet once, whatever dies in between; what is
// kept, what is refused, what is said to be missing.
#include "control/recorder/session_recorder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "control/events/names.h"
#include "control/model/values.h"
#include "dataplane/base/clock.h"
#include "tests/recorder/fake_rings.h"
#include "tests/recorder/read_pcapng.h"

namespace sekisho::control {
namespace {
namespace fs = std::filesystem;
using test::FakeRings;
using test::tcp_frame;

constexpr std::uint64_t kRing = 1 << 20;
constexpr std::uint64_t kOffset = 1'700'000'000 * kSecond;
const std::string kTicket = "T-20261123-01", kOther = "T-20261123-02";

class SessionRecorderTest : public testing::Test {
 protected:
  SessionRecorderTest() {
    char pattern[] = "/tmp/sekisho-sessions-XXXXXX";
    directory = mkdtemp(pattern);
    rings = std::make_unique<FakeRings>(2, kRing, true, 500 * kSecond);
    Model m;
    m.zones = {{"his", ZoneKind::normal, {}}, {"vendor", ZoneKind::vendor, {}}};
    m.interfaces = {{"his0", 0, 0, 0, 0, {}}, {"vendor0", 1, 1, 0, 0, {}}};
    names = std::make_shared<Names>(m, 1);
    start();
  }
  ~SessionRecorderTest() override {
    recorder.reset();
    fs::remove_all(directory);
  }
  // As a new process; the one before it was killed.
  void start() {
    SessionRecorderOptions o;
    o.files.directory = directory + "/sessions";
    o.files.key = directory + "/captures.key";
    o.files.is_signed = [this](const std::string& t) { return signed_ == t; };
    o.files.removed = [this](const SessionRecording& r) { removed.push_back(r.ticket); };
    o.attachment = [this]() -> std::shared_ptr<const Attachment> {
      return rings ? rings->attachment : nullptr;
    };
    o.names = [this](std::uint64_t g) { return g <= 1 ? names : nullptr; };
    o.sessions = [this] { return sessions; };
    o.changed = [this](const SessionRecording& r) { said[r.ticket] = r; };
    o.now_ns = [this] { return now; };
    o.now_wall_ns = [this] { return now + kOffset; };
    recorder.reset();
    recorder = std::make_unique<SessionRecorder>(std::move(o));
    recorder->use(settings);
    EXPECT_EQ(recorder->start(), "");
  }
  SessionToRecord session(const std::string& ticket, const char* from = "192.0.2.1",
                          const char* to = "10.0.0.5") {
    return {ticket, "acme to his", {{{*parse_address(from), *parse_address(from)}}, *parse_address(to)}, now};
  }
  void open(const std::string& ticket = kTicket) {
    recorder->poll();
    pass(kSecond);
    sessions.push_back(session(ticket));
    recorder->poll();
  }
  void close(const std::string& ticket = kTicket) {
    for (SessionToRecord& s : sessions)
      if (s.ticket == ticket) s.until_ns = now;
    pass(kSecond);
    recorder->poll();
  }
  void pass(std::uint64_t ns) { now += ns; }
  void packet(const std::string& text, std::uint32_t worker = 0, const char* from = "192.0.2.1",
              const char* to = "10.0.0.5", abi::DropReason reason = abi::DropReason::none) {
    abi::RecordHeader h{};
    h.in_interface = 1;
    h.from_zone = 1;
    h.signature = UINT32_MAX;
    h.reason = static_cast<std::uint8_t>(reason);
    rings->writer[worker].packet(now, tcp_frame(from, 40000, to, 3389, text), h);
  }
  // The texts of the exported packets.
  std::vector<std::string> texts(const std::string& ticket = kTicket) {
    std::string error;
    const auto pcapng = recorder->read(ticket, error);
    EXPECT_TRUE(pcapng) << error;
    const test::PcapngRead read = test::read_pcapng(pcapng.value_or(""));
    EXPECT_EQ(read.error, "");
    std::vector<std::string> out;
    for (const auto& [time, frame] : read.packets) out.push_back(frame.substr(54));
    return out;
  }
  std::string refusal(const std::string& ticket = kTicket) {
    std::string error;
    EXPECT_FALSE(recorder->read(ticket, error));
    return error;
  }
  SessionRecording known(const std::string& ticket = kTicket) {
    return recorder->find(ticket).value_or(SessionRecording{});
  }
  std::vector<std::string> parts(const std::string& ticket = kTicket) {
    std::vector<std::string> out;
    for (const auto& f : fs::directory_iterator(directory + "/sessions/" + ticket))
      if (f.path().extension() == ".skcap") out.push_back(f.path());
    std::sort(out.begin(), out.end());
    return out;
  }
  // 300 KiB of packets, and so a part of its own by the fourth time.
  void bulk() {
    for (int i = 0; i < 300; ++i) packet(std::string(1000, 'b'));
    recorder->poll();
  }

  std::string directory, signed_;
  std::uint64_t now = 1000 * kSecond;
  RecorderSettings settings;
  std::unique_ptr<FakeRings> rings;
  std::shared_ptr<const Names> names;
  std::vector<SessionToRecord> sessions;
  std::map<std::string, SessionRecording> said;
  std::vector<std::string> removed;
  std::unique_ptr<SessionRecorder> recorder;
};
using Texts = std::vector<std::string>;

TEST_F(SessionRecorderTest, EachPacketOfTheSessionOnceAndNobodyElses) {
  packet("before");
  open();
  Texts sent;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < round % 5; ++i) {
      sent.push_back(std::to_string(sent.size()));
      const bool back = i % 2 == 1;
      // Of one time, in one ring or in two: nothing is told by the time alone.
      packet(sent.back(), 0, back ? "10.0.0.5" : "192.0.2.1", back ? "192.0.2.1" : "10.0.0.5");
    }
    packet("SOMEBODY ELSE", 1, "192.0.2.2");
    packet("ANOTHER HOST", 0, "192.0.2.1", "10.0.0.6");
    if (round % 3 != 0) pass(700 * kMillisecond);
    recorder->poll();
  }
  packet("dropped", 1, "192.0.2.1", "10.0.0.5", abi::DropReason::access_closed);
  sent.push_back("dropped");
  pass(kMillisecond);
  close();
  packet("after");
  pass(kSecond);
  recorder->poll();
  EXPECT_EQ(texts(), sent);
  const SessionRecording r = known();
  EXPECT_EQ(r.packets, sent.size());
  EXPECT_GE(r.parts, 2u) << "ten seconds make a part";
  EXPECT_EQ(r.parts, parts().size());
  EXPECT_TRUE(r.finished);
  EXPECT_TRUE(recorder->settled(kTicket));
  EXPECT_EQ(r.overwritten + r.damaged + r.restarts + r.left_out, 0u);
  EXPECT_EQ(r.error, "");
  EXPECT_EQ(said[kTicket].packets, r.packets);
  EXPECT_TRUE(said[kTicket].finished);
  for (const std::string& file : parts()) {
    std::ifstream in(file, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}).find("dropped"), std::string::npos);
  }
}

TEST_F(SessionRecorderTest, AKilledProcessLosesNothingThatTheRingsStillHold) {
  open();
  Texts sent;
  for (int round = 0; round < 60; ++round) {
    sent.push_back(std::to_string(round));
    packet(sent.back(), static_cast<std::uint32_t>(round % 2));
    pass(900 * kMillisecond);
    if (round % 4 != 3) recorder->poll();
    if (round % 7 == 6) start();
  }
  close();
  EXPECT_EQ(texts(), sent);
  EXPECT_EQ(known().overwritten + known().restarts, 0u);
  start();
  EXPECT_TRUE(recorder->settled(kTicket)) << "finished stays finished";
  EXPECT_EQ(texts(), sent);
}

TEST_F(SessionRecorderTest, ATicketThatEndedWhileNobodyWasThereIsFinished) {
  open();
  packet("one");
  recorder.reset();
  packet("two");
  sessions.clear();
  start();
  EXPECT_TRUE(known().finished);
  EXPECT_EQ(known().parts, 0u) << "nobody can say whose the rest was";
  EXPECT_NE(refusal().find("no packets"), std::string::npos);
}

TEST_F(SessionRecorderTest, WhatWasOverwrittenUnreadIsCounted) {
  open();
  packet("first");
  pass(11 * kSecond);
  recorder->poll();
  // Twice around the ring before anybody looks.
  for (int i = 0; i < 3000; ++i) packet(std::string(900, 'x'), 1, "192.0.2.9");
  packet("last", 1);
  pass(kMillisecond);
  close();
  EXPECT_EQ(texts(), (Texts{"first", "last"}));
  const std::uint64_t lost = known().overwritten;
  EXPECT_GE(lost, (3000 * 1000 - kRing) / abi::kRecorderBlock - 1);
  EXPECT_LE(lost, 3000 * 1024 / abi::kRecorderBlock);
  EXPECT_EQ(said[kTicket].overwritten, lost);
  start();
  EXPECT_EQ(known().overwritten, lost);
}

TEST_F(SessionRecorderTest, ARestartedDataplaneIsReadToItsEndAndThenTheNewOne) {
  open();
  packet("old");
  recorder->poll();
  packet("last words");
  std::unique_ptr<FakeRings> old = std::exchange(rings, nullptr);
  const auto kept = old->attachment;
  rings = std::make_unique<FakeRings>(1, kRing, true, now);
  packet("new");
  pass(kMillisecond);
  recorder->poll();
  close();
  EXPECT_EQ(texts(), (Texts{"old", "last words", "new"}));
  EXPECT_EQ(known().restarts, 0u);
  EXPECT_EQ(known().overwritten, 0u);
}

TEST_F(SessionRecorderTest, ADataplaneThatWasRestartedWhileNobodyReadIsSaid) {
  open();
  packet("old");
  pass(kMillisecond);
  recorder->poll();
  pass(11 * kSecond);
  recorder->poll();
  recorder.reset();
  packet("lost with its rings");
  rings = std::make_unique<FakeRings>(2, kRing, true, now);
  packet("new");
  pass(kMillisecond);
  start();
  close();
  EXPECT_EQ(texts(), (Texts{"old", "new"}));
  EXPECT_EQ(known().restarts, 1u);
}

// The ticket was opened and the first packets came; nothing was kept yet.
TEST_F(SessionRecorderTest, KilledBeforeTheFirstPartItIsKnownWhatIsMissing) {
  open();
  packet("lost with its rings");
  recorder->poll();
  recorder.reset();
  rings = std::make_unique<FakeRings>(2, kRing, true, now);
  packet("new");
  pass(kMillisecond);
  start();
  close();
  EXPECT_EQ(texts(), Texts{"new"});
  EXPECT_EQ(known().restarts, 1u);
}

// sekishod comes to a dataplane that has run for long, and a ticket is opened at once.
TEST_F(SessionRecorderTest, OfWhatWasBeforeTheSessionNothingIsMissed) {
  for (int i = 0; i < 3000; ++i) packet(std::string(900, 'x'), 1, "192.0.2.9");
  pass(kSecond);
  start();
  sessions.push_back(session(kTicket));
  packet("one", 1);
  pass(kMillisecond);
  start();
  close();
  EXPECT_EQ(texts(), Texts{"one"});
  EXPECT_EQ(known().overwritten, 0u);
}

TEST_F(SessionRecorderTest, StopsAtItsBoundAndSaysSo) {
  settings.session_mb = 2;
  recorder->use(settings);
  open();
  for (int i = 0; i < 10; ++i) bulk();
  const SessionRecording r = known();
  EXPECT_TRUE(r.full);
  EXPECT_NE(r.error.find("recorder.session_mb"), r.error.npos) << r.error;
  EXPECT_LE(r.file_bytes, 2u << 20);
  EXPECT_GT(r.file_bytes, 3u << 19);
  std::uint64_t on_disk = 0;
  for (const std::string& file : parts()) on_disk += fs::file_size(file);
  EXPECT_EQ(on_disk, r.file_bytes);
  EXPECT_FALSE(recorder->settled(kTicket));
  close();
  EXPECT_TRUE(recorder->settled(kTicket));
  EXPECT_EQ(texts().size(), r.packets);
  EXPECT_TRUE(said[kTicket].full);
}

TEST_F(SessionRecorderTest, SignedRecordingsGoFirstThenTheOldestAndNeverOneThatRuns) {
  settings.session_mb = settings.sessions_mb = 4;
  recorder->use(settings);
  const auto record = [&](const std::string& ticket) {
    open(ticket);
    for (int i = 0; i < 4; ++i) bulk();
    pass(kMillisecond);
    close(ticket);
    EXPECT_TRUE(recorder->settled(ticket));
    sessions.clear();
  };
  record("T-20261123-01");
  record("T-20261123-02");
  record("T-20261123-03");
  EXPECT_TRUE(removed.empty());
  signed_ = "T-20261123-02";
  record("T-20261123-04");
  EXPECT_EQ(removed, (Texts{"T-20261123-02"}));
  record("T-20261123-05");
  EXPECT_EQ(removed, (Texts{"T-20261123-02", "T-20261123-01"}));
  EXPECT_FALSE(fs::exists(directory + "/sessions/T-20261123-01"));
  EXPECT_NE(refusal("T-20261123-01").find("recorder.sessions_mb"), std::string::npos);
  EXPECT_TRUE(recorder->settled("T-20261123-01"));
  EXPECT_EQ(texts("T-20261123-03").size(), 1200u);
  // Two that run share the bound: nothing that is finished is left, and neither pushes the other out.
  open("T-20261123-06");
  sessions.push_back(session("T-20261123-07"));
  for (int i = 0; i < 16; ++i) bulk();
  EXPECT_TRUE(known("T-20261123-06").full || known("T-20261123-07").full);
  EXPECT_LE(known("T-20261123-06").file_bytes + known("T-20261123-07").file_bytes, 4u << 20);
  EXPECT_EQ(texts("T-20261123-06").size(), known("T-20261123-06").packets);
  EXPECT_EQ(texts("T-20261123-07").size(), known("T-20261123-07").packets);
}

TEST_F(SessionRecorderTest, RefusesADamagedAMissingAndAForeignPartByName) {
  for (const std::string& ticket : {kTicket, kOther}) {
    sessions.clear();
    open(ticket);
    for (int i = 0; i < 12; ++i) bulk();
    pass(kMillisecond);
    close(ticket);
  }
  ASSERT_EQ(texts().size(), 3600u);
  const auto files = parts();
  ASSERT_GE(files.size(), 3u);
  const std::string id = fs::path(files[1]).stem();
  const auto slurp = [](const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto spill = [](const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  };
  const std::string whole = slurp(files[1]);
  for (const std::size_t at : {std::size_t{40}, whole.size() / 2, whole.size() - 1}) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    spill(files[1], bad);
    EXPECT_NE(refusal().find(id), std::string::npos) << at << ": " << refusal();
  }
  spill(files[1], whole.substr(0, whole.size() - 100));
  EXPECT_NE(refusal().find(id), std::string::npos);
  fs::remove(files[1]);
  EXPECT_EQ(refusal(), "part 2 is missing");
  fs::copy_file(parts(kOther)[1],
                directory + "/sessions/" + kTicket + "/" + fs::path(parts(kOther)[1]).filename().string());
  EXPECT_NE(refusal().find("another recording"), std::string::npos) << refusal();
  fs::remove(directory + "/sessions/" + kTicket + "/" + fs::path(parts(kOther)[1]).filename().string());
  spill(files[1], whole);
  EXPECT_EQ(texts().size(), 3600u);
  fs::remove(files.back());
  EXPECT_NE(refusal().find("is missing"), std::string::npos) << "the end, too";
  for (const char* wrong : {"", "..", "T-20261123-99", "../captures.key"})
    EXPECT_NE(refusal(wrong).find("there is no recording"), std::string::npos) << wrong;
}

TEST_F(SessionRecorderTest, SaysWhyNothingIsRecorded) {
  rings = std::make_unique<FakeRings>(1, kRing, false, now);
  open();
  EXPECT_NE(said[kTicket].error.find("recorder.memory_mb = 0"), std::string::npos);
  close();
  EXPECT_TRUE(recorder->settled(kTicket));
  EXPECT_EQ(known().parts, 0u);
  // No dataplane at all: the end is not waited for longer than it is worth.
  rings.reset();
  sessions.clear();
  start();
  open(kOther);
  close(kOther);
  EXPECT_FALSE(recorder->settled(kOther));
  pass(60 * kSecond);
  recorder->poll();
  EXPECT_TRUE(recorder->settled(kOther));
  EXPECT_NE(known(kOther).error, "");
}

TEST_F(SessionRecorderTest, ADiskThatRefusesIsSaidAndTriedAgain) {
  open();
  packet("one");
  const std::string place = directory + "/sessions/" + kTicket;
  fs::rename(place, place + ".away");
  std::ofstream(place) << "a file";
  recorder->poll();
  pass(11 * kSecond);
  recorder->poll();
  EXPECT_NE(said[kTicket].error, "");
  EXPECT_EQ(known().parts, 0u);
  fs::remove(place);
  fs::rename(place + ".away", place);
  packet("two");
  pass(11 * kSecond);
  recorder->poll();
  EXPECT_EQ(texts(), (Texts{"one", "two"}));
  EXPECT_EQ(said[kTicket].error, "");
  EXPECT_EQ(known().left_out, 0u);
}

TEST_F(SessionRecorderTest, ItsOwnThreadKeepsWhatIsPendingAtTheEnd) {
  open();
  recorder->run();
  packet("one");
  recorder.reset();
  start();
  EXPECT_EQ(texts(), Texts{"one"});
}

}  // namespace
}  // namespace sekisho::control
