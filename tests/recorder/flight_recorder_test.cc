// Captures out of rings that a test writes: which packets, what is said of them, and how many there may be.
#include "control/recorder/flight_recorder.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>

#include "control/events/names.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/words.h"
#include "dataplane/base/clock.h"
#include "tests/recorder/fake_rings.h"

namespace sekisho::control {
namespace {
namespace fs = std::filesystem;
using test::tcp_frame;

constexpr std::uint64_t kRing = 1 << 20;
constexpr std::uint64_t kNow = 1000 * kSecond;

Model model() {
  Model m;
  m.zones = {
      {"his", ZoneKind::normal, {}}, {"vendor", ZoneKind::vendor, {}}, {"device", ZoneKind::normal, {}}};
  m.interfaces = {{"his0", 0, 0, 0, 0, {}}, {"vendor0", 1, 1, 0, 0, {}}};
  Link a, b;
  a.name = "vendor";
  a.zone_a = 0, a.zone_b = 1;
  b.name = "device-his";
  b.zone_a = 0, b.zone_b = 2;
  m.links = {a, b};
  return m;
}

// Two workers' rings as an attachment, and a recorder with a clock that stands.
struct World {
  explicit World(std::uint32_t workers = 2, bool with_ring = true) : rings(workers, kRing, with_ring) {
    char pattern[] = "/tmp/sekisho-recorder-XXXXXX";
    directory = mkdtemp(pattern);
    names = std::make_shared<Names>(model(), 1);
    FlightRecorderOptions o;
    o.store = {.directory = directory + "/captures", .key = directory + "/captures.key"};
    o.attachment = [this] { return rings.attachment; };
    o.names = [this](std::uint64_t g) { return g == 0 || g == 1 ? names : nullptr; };
    o.made = [this](const CaptureRequest& request, const std::string& error) {
      const std::lock_guard lock(mutex);
      made.push_back({request.info.id, error});
      more.notify_all();
    };
    o.now_ns = [] { return kNow; };
    o.now_wall_ns = [] { return kNow + 1'700'000'000 * kSecond; };
    o.settle_ns = 0;
    recorder = std::make_unique<FlightRecorder>(std::move(o));
    EXPECT_EQ(recorder->start(), "");
    recorder->use({});
  }
  ~World() {
    recorder.reset();
    fs::remove_all(directory);
  }
  void packet(std::uint32_t worker, std::uint64_t ago_ms, std::uint64_t flow, std::uint16_t link,
              const std::string& frame, abi::DropReason reason = abi::DropReason::none) {
    abi::RecordHeader h{};
    h.flow_id = flow;
    h.link = link;
    h.in_interface = 1;
    h.from_zone = 1;
    h.signature = UINT32_MAX;
    h.reason = static_cast<std::uint8_t>(reason);
    rings.writer[worker].packet(kNow - ago_ms * kMillisecond, frame, h);
  }
  std::string wait_made(std::size_t count) {
    std::unique_lock lock(mutex);
    if (!more.wait_for(lock, std::chrono::seconds(60), [&] { return made.size() >= count; })) return "";
    return made[count - 1].first;
  }
  std::string pcapng(const std::string& id) {
    std::string error;
    auto read = recorder->store().read(id, error);
    EXPECT_TRUE(read) << id << ": " << error;
    return read.value_or("");
  }
  CaptureInfo info(const std::string& id) { return recorder->store().find(id).value().info; }

  std::string directory;
  test::FakeRings rings;
  std::shared_ptr<const Names> names;
  std::mutex mutex;
  std::condition_variable more;
  std::vector<std::pair<std::string, std::string>> made;
  std::unique_ptr<FlightRecorder> recorder;
};

const std::uint16_t kVendor = static_cast<std::uint16_t>(sekisho_link_index(0, 1));
const std::uint16_t kDevice = static_cast<std::uint16_t>(sekisho_link_index(0, 2));

abi::Event alert_event(std::uint64_t flow = 17, std::uint8_t priority = 1) {
  abi::Event e{};
  e.kind = abi::EventKind::alert;
  e.flow_id = flow;
  e.priority = priority;
  e.ip_version = 4;
  e.protocol = 6;
  e.source[0] = 10, e.source[3] = 1;
  e.destination[0] = 10, e.destination[3] = 2;
  e.source_port = 40000;
  e.destination_port = 80;
  e.link = kVendor;
  e.snapshot_generation = 1;
  e.time_ns = kNow - 100 * kMillisecond;
  return e;
}

TEST(FlightRecorder, AnAlertWritesItsFlowWithTheAlertAsComment) {
  World w;
  w.packet(0, 400, 0, kVendor, tcp_frame("10.0.0.1", 40000, "10.0.0.2", 80, "before the flow"),
           abi::DropReason::policy_default);
  w.packet(0, 300, 17, kVendor, tcp_frame("10.0.0.1", 40000, "10.0.0.2", 80, "first"));
  w.packet(1, 250, 18, kVendor, tcp_frame("10.0.0.3", 40000, "10.0.0.2", 80, "SOMEBODY ELSE"));
  w.packet(0, 200, 17, kVendor, tcp_frame("10.0.0.2", 80, "10.0.0.1", 40000, "answer"));
  w.packet(0, 100, 17, kVendor, tcp_frame("10.0.0.1", 40000, "10.0.0.2", 80, "evil"),
           abi::DropReason::signature);
  w.packet(0, 50, 17, kVendor, tcp_frame("10.0.0.1", 40000, "10.0.0.2", 80, "again"),
           abi::DropReason::flow_condemned);
  w.packet(0, 40, 17, kVendor, tcp_frame("10.0.0.1", 40000, "10.0.0.2", 80, "TOO OLD"));
  w.recorder->alert(alert_event(), 8000001, "1:8000001:3 e2e evil path", "T-20261123-01");
  const std::string id = w.wait_made(1);
  ASSERT_NE(id, "");
  const std::string file = w.pcapng(id);
  for (const char* text : {"before the flow", "first", "answer", "evil", "again"})
    EXPECT_NE(file.find(text), file.npos) << text;
  EXPECT_EQ(file.find("SOMEBODY"), file.npos);
  EXPECT_NE(file.find("dropped: policy_default"), file.npos);
  EXPECT_NE(file.find("vendor0"), file.npos);
  EXPECT_NE(file.find("zone vendor"), file.npos);
  // The alert stands on the packet that it is about, after its bytes.
  const auto comment = file.find("1:8000001:3 e2e evil path; dropped: signature");
  ASSERT_NE(comment, file.npos);
  EXPECT_LT(file.find("evil\0\0", 0), comment);
  EXPECT_GT(file.find("again"), comment);
  const CaptureInfo info = w.info(id);
  EXPECT_EQ(info.kind, "alert");
  EXPECT_EQ(info.sid, 8000001u);
  EXPECT_EQ(info.ticket, "T-20261123-01");
  EXPECT_EQ(info.flow_id, 17u);
  EXPECT_EQ(info.packets, 6u);
  EXPECT_EQ(info.first_ns, kNow - 400 * kMillisecond + 1'700'000'000 * kSecond);
}

TEST(FlightRecorder, GoesBackAsFarAsConfigured) {
  World w;
  RecorderSettings s;
  s.seconds = 5;
  w.recorder->use(s);
  w.packet(0, 6000, 17, kVendor, tcp_frame("10.0.0.1", 40000, "10.0.0.2", 80, "OLD"));
  w.packet(1, 4000, 17, kVendor, tcp_frame("10.0.0.1", 40000, "10.0.0.2", 80, "young"));
  w.recorder->alert(alert_event(), 1, "x");
  EXPECT_EQ(w.info(w.wait_made(1)).packets, 1u);
}

TEST(FlightRecorder, AnAlertWithoutItsFlowTakesTheLink) {
  World w;
  w.packet(0, 300, 99, kVendor, tcp_frame("10.0.9.1", 1, "10.0.9.2", 2, "a tunnel"));
  w.packet(0, 300, 98, kDevice, tcp_frame("10.0.8.1", 1, "10.0.8.2", 2, "OTHER"));
  w.recorder->alert(alert_event(), 1, "x");
  const std::string id = w.wait_made(1);
  EXPECT_EQ(w.info(id).packets, 1u);
  EXPECT_NE(w.info(id).subject.find("its link instead"), std::string::npos);
}

TEST(FlightRecorder, LowPrioritiesAndRepeatsAndFloodsMakeNone) {
  World w;
  RecorderSettings s;
  s.per_minute = 3;
  s.alert_priority = 2;
  w.recorder->use(s);
  w.packet(0, 10, 1, kVendor, tcp_frame("10.0.0.1", 40000, "10.0.0.2", 80));
  w.recorder->alert(alert_event(1, 3), 1, "low");
  w.recorder->alert(alert_event(1, 0), 1, "none at all");
  EXPECT_EQ(w.recorder->status().limited, 0u);
  for (int i = 0; i < 5; ++i) w.recorder->alert(alert_event(1, 2), 1, "the same flow");
  for (std::uint64_t f = 2; f < 1000; ++f) w.recorder->alert(alert_event(f), 1, "a flood");
  w.wait_made(3);
  w.recorder->alert(alert_event(5000), 1, "still the same minute");
  const auto status = w.recorder->status();
  EXPECT_EQ(status.captures, 3u);
  EXPECT_EQ(status.limited, 4u + 996u + 1u);
  EXPECT_EQ(w.recorder->store().list().size(), 3u);
}

TEST(FlightRecorder, ACutWritesItsLinksAndNothingElseDoes) {
  World w;
  w.packet(0, 10, 1, kVendor, tcp_frame("10.0.0.1", 40000, "10.0.0.2", 80, "vendor's"));
  w.packet(1, 5, 2, kDevice, tcp_frame("10.0.0.3", 40000, "10.0.0.4", 80, "DEVICE'S"));
  Receipt r;
  r.id = "20261123T120102Z-0007";
  r.outcome = Outcome::confirmed;
  r.who.name = "hana";
  r.reason = "RDP flood";
  r.named = r.changed = one_link(LinkIndex(kVendor));
  LinkReceipt link;
  link.link = LinkIndex(kVendor);
  link.name = "vendor";
  link.changed = true;
  r.links = {link};
  Receipt refused = r, reopen = r, nothing = r;
  refused.outcome = Outcome::refused;
  reopen.kind = CommandKind::reopen;
  nothing.changed.reset();
  for (const Receipt& other : {refused, reopen, nothing}) w.recorder->cut(other);
  w.recorder->cut(r);
  const std::string id = w.wait_made(1);
  const CaptureInfo info = w.info(id);
  EXPECT_EQ(info.kind, "cut");
  EXPECT_EQ(info.who, "hana");
  EXPECT_EQ(info.subject, "link vendor");
  EXPECT_EQ(info.packets, 1u);
  EXPECT_NE(w.pcapng(id).find("receipt 20261123T120102Z-0007: RDP flood"), std::string::npos);
  RecorderSettings off;
  off.on_cut = false;
  w.recorder->use(off);
  w.recorder->cut(r);
  EXPECT_EQ(w.recorder->store().list().size(), 1u);
}

TEST(FlightRecorder, ACaptureIsBoundedAndKeepsTheNewest) {
  World w;
  RecorderSettings s;
  s.capture_mb = 1;
  w.recorder->use(s);
  for (int i = 1000; i > 0; --i) {
    w.packet(0, static_cast<std::uint64_t>(i), 1, kVendor, std::string(900, 'a'));
    w.packet(1, static_cast<std::uint64_t>(i), 1, kVendor, std::string(900, 'b'));
  }
  const std::string id = w.recorder->capture_link(LinkIndex(kVendor), 30, "evidence");
  ASSERT_NE(id, "");
  const CaptureInfo info = w.info(id);
  EXPECT_EQ(info.kind, "evidence");
  EXPECT_GT(info.left_out, 500u);
  EXPECT_GT(info.packets, 1000u);
  EXPECT_LT(info.packets * 996, 1u << 20);
  EXPECT_EQ(info.last_ns, kNow - kMillisecond + 1'700'000'000 * kSecond);
  EXPECT_NE(w.pcapng(id).find("older ones left out"), std::string::npos);
}

TEST(FlightRecorder, LinksOfAnotherSnapshotAreKnownByTheirNames) {
  World w;
  w.packet(0, 20, 1, kDevice, tcp_frame("10.0.0.1", 1, "10.0.0.2", 2, "under the old one"));
  // The same links, numbered the other way round.
  Model m = model();
  std::swap(m.zones[1], m.zones[2]);
  std::swap(m.links[0].zone_b, m.links[1].zone_b);
  const auto before = w.names;
  w.names = std::make_shared<Names>(m, 2);
  FlightRecorderOptions o;
  o.store = {.directory = w.directory + "/captures", .key = w.directory + "/captures.key"};
  o.attachment = [&] { return w.rings.attachment; };
  o.names = [&](std::uint64_t g) { return g == 1 ? before : g == 0 || g == 2 ? w.names : nullptr; };
  o.now_ns = [] { return kNow; };
  FlightRecorder recorder(std::move(o));
  ASSERT_EQ(recorder.start(), "");
  w.rings.writer[0].packet(kNow, std::string(2, 'x'));  // padding of the block is not needed for a new one
  const std::string id = recorder.capture_link(LinkIndex(kVendor), 30, "device-his is number vendor's now");
  ASSERT_NE(id, "");
  EXPECT_EQ(recorder.store().find(id)->info.subject, "link device-his");
  EXPECT_EQ(recorder.store().find(id)->info.packets, 1u);
}

TEST(FlightRecorder, SaysWhyItCannot) {
  World off(1, false);
  EXPECT_FALSE(off.recorder->status().on);
  std::string error;
  EXPECT_EQ(off.recorder->capture({}, error), "");
  EXPECT_NE(error.find("off"), error.npos);
  off.recorder->alert(alert_event(), 1, "x");
  off.wait_made(2);
  EXPECT_NE(off.made.at(1).second, "");
  EXPECT_EQ(off.recorder->status().failed, 2u);
  off.rings.attachment.reset();
  EXPECT_EQ(off.recorder->capture({}, error), "");
  EXPECT_NE(error.find("dataplane"), error.npos);

  World w;
  fs::remove_all(w.directory + "/captures");
  EXPECT_EQ(w.recorder->capture({}, error), "");
  EXPECT_NE(error, "");
  EXPECT_EQ(w.recorder->status().error, error);
}

TEST(FlightRecorder, AnAttachmentWithRingsThatDoNotFitIsRefused) {
  const test::FakeMemory memory(1);
  const std::uint64_t bytes = abi::RecorderRegion::bytes(1, kRing);
  struct Case {
    const char* what;
    std::uint64_t size;
    int seals;
    abi::RecorderRegion head;
  };
  abi::RecorderRegion good{};
  good.magic = abi::kRecorderMagic;
  good.version = SEKISHO_ABI_VERSION;
  good.workers = 1;
  good.ring_bytes = kRing;
  good.size = bytes;
  std::vector<Case> cases;
  const int sealed = F_SEAL_SHRINK | F_SEAL_GROW;
  cases.push_back({"good", bytes, sealed, good});
  cases.push_back({"may shrink", bytes, F_SEAL_GROW, good});
  cases.push_back({"short", bytes - 1, sealed, good});
  cases.push_back({"only a page", 100, sealed, good});
  for (auto& [what, change] : std::vector<std::pair<const char*, void (*)(abi::RecorderRegion&)>>{
           {"magic", [](abi::RecorderRegion& r) { r.magic = 0; }},
           {"version", [](abi::RecorderRegion& r) { r.version = 99; }},
           {"workers", [](abi::RecorderRegion& r) { r.workers = 2; }},
           {"size of a ring", [](abi::RecorderRegion& r) { r.ring_bytes = 1ull << 60; }},
           {"ring of nothing", [](abi::RecorderRegion& r) { r.ring_bytes = 0; }},
           {"half a block", [](abi::RecorderRegion& r) { r.ring_bytes += 4096; }}}) {
    Case c{what, bytes, sealed, good};
    change(c.head);
    cases.push_back(c);
  }
  for (const Case& c : cases) {
    const int fd = memfd_create("recorder", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(c.size)), 0);
    ASSERT_GT(pwrite(fd, &c.head, std::min<std::size_t>(sizeof c.head, c.size), 0), 0);
    ASSERT_EQ(fcntl(fd, F_ADD_SEALS, c.seals), 0);
    std::vector<int> fds = memory.duplicates();
    fds.push_back(fd);
    EXPECT_EQ(static_cast<bool>(Attachment::from_fds(fds, 1)), std::string(c.what) == "good") << c.what;
  }
}

}  // namespace
}  // namespace sekisho::control
