// A gateway in a test: the policy as TOML, packets in, verdicts and packets out, a clock that the test turns.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/policy/compile.h"
#include "dataplane/base/clock.h"
#include "dataplane/flow/host_limits.h"
#include "dataplane/ips/host_state.h"
#include "dataplane/pipeline/gateway.h"
#include "dataplane/policy/decide.h"
#include "dataplane/policy/snapshot_check.h"
#include "signatures/compile.h"
#include "signatures/loader.h"
#include "tests/packet/packet_builder.h"

namespace sekisho::test {

// Two zones with a wire, port 0 = clinic, port 1 = servers; and a VLAN wire between ports 2 (VLAN 10) and 3
// (VLAN 20).
inline std::string site_toml(const std::string& rules, const std::string& link = "",
                             const std::string& gateway = "") {
  return R"([gateway]
name = "test"
hugepages = false
)" + gateway +
         R"(
[[port]]
name = "p0"
device = "net_null0"
[[port]]
name = "p1"
device = "net_null1"
[[port]]
name = "p2"
device = "net_null2"
[[port]]
name = "p3"
device = "net_null3"
[[zone]]
name = "clinic"
[[zone]]
name = "servers"
[[interface]]
name = "clinic0"
port = "p0"
zone = "clinic"
[[interface]]
name = "servers0"
port = "p1"
zone = "servers"
[[interface]]
name = "clinic10"
port = "p2"
zone = "clinic"
vlan = 10
[[interface]]
name = "servers20"
port = "p3"
zone = "servers"
vlan = 20
[[wire]]
name = "main"
sides = ["clinic0", "servers0"]
[[wire]]
name = "tagged"
sides = ["clinic10", "servers20"]
[[vendor_access]]
name = "repair"
[[link]]
name = "clinic-servers"
zones = ["clinic", "servers"]
)" + link +
         rules;
}

// Signatures of a world, and how its links treat them.
struct Inspected {
  std::string signatures;
  abi::IpsMode mode = abi::IpsMode::prevent;
  std::uint64_t app_memory = 64u << 20, stream_memory = 64u << 20;
  std::vector<std::uint8_t> actions = {};  // abi::IpsAction by signature, all links
  bool app_log = false;
  std::uint64_t recorder_bytes = 0;  // 0: nothing is recorded
};

struct Sent {
  std::uint16_t port;
  Bytes frame;
};

class TestWorld final : public BufferPool, public pipeline::PacketOutput, public pipeline::EventSink {
 public:
  static constexpr std::uint32_t kRoom = 128;

  explicit TestWorld(const std::string& toml, std::uint64_t capacity = 1024, Inspected inspect = {})
      : limits(4096, 1), inspected(std::move(inspect)) {
    words = std::make_unique<sekisho_words>();
    words->magic = SEKISHO_WORDS_MAGIC;
    words->version = SEKISHO_ABI_VERSION;
    words->size = sizeof(sekisho_words);
    words->generation = 1;
    for (auto& w : words->link) w = SEKISHO_WORD_OPEN;
    counters = std::make_unique<abi::WorkerCounters>();
    pipeline::GatewayOptions o;
    o.flow_capacity = capacity;
    o.hash_seed = 1;
    o.counters = counters.get();
    o.words = words.get();
    if (!inspected.signatures.empty()) {
      hosts = std::make_unique<ips::HostState>(1);
      o.hosts = hosts.get();
      o.app_memory = inspected.app_memory;
      o.stream_memory = inspected.stream_memory;
      o.app_log = inspected.app_log;
    }
    if (inspected.recorder_bytes != 0) {
      recorder.reset(static_cast<std::uint8_t*>(
          std::aligned_alloc(4096, sizeof(abi::RecorderRing) + inspected.recorder_bytes)));
      std::memset(recorder.get(), 0, sizeof(abi::RecorderRing) + inspected.recorder_bytes);
      o.recorder = reinterpret_cast<abi::RecorderRing*>(recorder.get());
      o.recorder_bytes = inspected.recorder_bytes;
    }
    gateway = std::make_unique<pipeline::Gateway>(o, *this, *this, *this, limits);
    if (!toml.empty()) load(toml);
  }
  ~TestWorld() {
    gateway.reset();
    EXPECT_TRUE(owned.empty()) << owned.size() << " buffers leaked";
    for (void* p : owned) ::operator delete(p);
  }

  void load(const std::string& toml) {
    control::ReadResult read = control::read_config(toml, "test.toml", now_ns / kSecond);
    for (const auto& d : read.diagnostics) ADD_FAILURE() << control::format(d, read.files);
    ASSERT_TRUE(read.ok());
    control::SignaturePart part;
    if (!inspected.signatures.empty()) {
      signatures::Loader loader({});
      loader.add_text("test.rules", inspected.signatures);
      const signatures::LoadResult loaded = std::move(loader).finish();
      for (const auto& r : loaded.rejections) ADD_FAILURE() << signatures::format(r);
      signatures::CompileResult set = signatures::compile(loaded.signatures, {});
      for (const auto& r : set.rejected) ADD_FAILURE() << r.sid << ": " << r.why;
      ASSERT_TRUE(set.ok()) << set.failure;
      part.block = std::move(set.blob);
      info = std::move(set.info);
      if (!inspected.actions.empty()) {
        part.actions = inspected.actions;
        part.link_actions.assign(read.model->links.size(), 0);
      }
      for (control::Link& l : read.model->links) l.ips = inspected.mode;
    }
    control::CompileResult compiled =
        control::compile(*read.model, ++generation, inspected.signatures.empty() ? nullptr : &part, care);
    for (const auto& d : compiled.diagnostics) ADD_FAILURE() << control::format(d, read.files);
    ASSERT_TRUE(compiled.ok());
    auto& bytes = *snapshots_bytes.emplace_back(std::make_unique<Aligned>(compiled.bytes));
    auto checked = policy::check_snapshot(bytes.span());
    ASSERT_TRUE(checked) << checked.why;
    snapshots.push_back(std::make_unique<pipeline::Snapshot>(*checked.view, 1));
    std::string why;
    ASSERT_TRUE(snapshots.back()->load_signatures(1, why)) << why;
    tick_schedules();
    gateway->use(snapshots.back().get());
  }
  void tick_schedules() {
    if (snapshots.empty()) return;
    pipeline::Snapshot& s = *snapshots.back();
    s.wall_s = now_ns / kSecond;
    s.active_schedules = policy::active_schedules(s.view, now_ns / kSecond);
  }

  // One packet as a burst of one: its reason (none: it passed or is held).
  DropReason in(std::uint16_t port, const Bytes& frame) { return burst({{port, frame}})[0]; }
  std::vector<DropReason> burst(const std::vector<Sent>& frames) {
    auto b = std::make_unique<Burst>();
    for (const Sent& f : frames) {
      const Buffer buffer = allocate(static_cast<std::uint32_t>(f.frame.size()));
      std::copy(f.frame.begin(), f.frame.end(), buffer.data);
      Packet& p = b->packet[b->size++];
      p.data = buffer.data;
      p.length = static_cast<std::uint32_t>(f.frame.size());
      p.buffer = buffer.handle;
      p.port = PortId(f.port);
    }
    b->live = Burst::mask(b->size);
    gateway->process(*b, now_ns);
    std::vector<DropReason> out;
    for (std::uint32_t i = 0; i < b->size; ++i) {
      held = b->packet[i].verdict == Verdict::held;
      out.push_back(b->packet[i].reason);
    }
    return out;
  }
  void rest() {
    while (gateway->housekeep(now_ns)) {
    }
  }
  void wait(std::uint64_t ns) {
    now_ns += ns;
    tick_schedules();
    for (int i = 0; i < 100; ++i) gateway->housekeep(now_ns);
  }
  void say(std::uint32_t word) {
    for (auto& w : words->link) w = word;
    ++words->generation;
  }
  std::uint64_t drops(DropReason r, unsigned from = 0, unsigned to = 1) const {
    return counters->drops[from][to][static_cast<std::size_t>(r)];
  }
  std::vector<abi::Event> of_kind(abi::EventKind kind) const {
    std::vector<abi::Event> out;
    for (const auto& e : event)
      if (e.kind == kind) out.push_back(e);
    return out;
  }
  // Alerts so far as "sid", "sid!" where blocked, in order.
  std::string alerts() const {
    std::string out;
    for (const auto& e : of_kind(abi::EventKind::alert)) {
      if (!out.empty()) out += " ";
      out += std::to_string(info.signatures.at(e.rule).sid);
      if ((e.detail & abi::event_detail::kBlocked) != 0) out += "!";
    }
    return out;
  }
  std::vector<abi::FlowRecord> flows(abi::FlowsRequest request = {.link = 0xffffffffu,
                                                                  .only_established = 0,
                                                                  .only_clinical = 0,
                                                                  .limit = 0}) {
    std::vector<abi::FlowRecord> out(4096);
    pipeline::DumpCursor cursor;
    std::uint32_t n = 0;
    while (!cursor.done) n += gateway->dump(cursor, request, out.data() + n, 4096 - n, 7);
    out.resize(n);
    return out;
  }

  Buffer allocate(std::uint32_t bytes) noexcept override {
    auto* p = static_cast<std::uint8_t*>(::operator new(kRoom + bytes));
    owned.insert(p);
    return {p, p + kRoom, bytes};
  }
  void release(void* handle) noexcept override {
    EXPECT_EQ(owned.erase(handle), 1u) << "released twice, or not ours";
    ::operator delete(handle);
    ++released;
  }
  void transmit(PortId port, void* buffer, std::uint8_t* data, std::uint32_t length) noexcept override {
    sent.push_back({port.raw, Bytes(data, data + length)});
    release(buffer);
  }
  bool push(const abi::Event& e) noexcept override {
    if (event.size() >= event_room) return false;
    event.push_back(e);
    return true;
  }
  std::size_t room() noexcept override { return room_left; }

  struct Aligned {
    explicit Aligned(const Bytes& from)
        : size(from.size()), data(static_cast<std::uint8_t*>(::operator new (size, std::align_val_t{64}))) {
      std::copy(from.begin(), from.end(), data);
    }
    ~Aligned() { ::operator delete (data, std::align_val_t{64}); }
    std::span<const std::uint8_t> span() const { return {data, size}; }
    std::size_t size;
    std::uint8_t* data;
  };

  std::uint64_t now_ns = 1'700'000'000ull * kSecond;
  std::uint64_t generation = 0;
  std::unique_ptr<sekisho_words> words;
  std::unique_ptr<abi::WorkerCounters> counters;
  flow::SharedCounters limits;
  Inspected inspected;
  control::ProtectedAddresses care;  // of what is loaded from then on
  signatures::SetInfo info;
  std::unique_ptr<ips::HostState> hosts;
  struct Free {
    void operator()(std::uint8_t* p) const { std::free(p); }
  };
  std::unique_ptr<std::uint8_t[], Free> recorder;
  std::vector<std::unique_ptr<Aligned>> snapshots_bytes;
  std::vector<std::unique_ptr<pipeline::Snapshot>> snapshots;
  std::set<void*> owned;
  std::vector<Sent> sent;
  std::vector<abi::Event> event;
  std::size_t event_room = 1u << 20;
  std::size_t room_left = SIZE_MAX;  // what a sink that can count says
  std::uint64_t released = 0;
  bool held = false;
  std::unique_ptr<pipeline::Gateway> gateway;
};

// A TCP client at 10.0.0.1:40000 and a server at 10.1.0.1, port 445, on ports 0 and 1.
struct Conversation {
  TestWorld& w;
  std::uint16_t server_port = 445;
  std::uint32_t c = 1000, s = 5000;
  FrameBuilder up() const {
    return eth().from_mac(kMacA).to_mac(kMacB).ip4("10.0.0.1", "10.1.0.1").tcp(40000, server_port).seq(c);
  }
  FrameBuilder down() const {
    return eth().from_mac(kMacB).to_mac(kMacA).ip4("10.1.0.1", "10.0.0.1").tcp(server_port, 40000).seq(s);
  }
  DropReason syn() { return w.in(0, up().syn().build()); }
  DropReason syn_ack() { return w.in(1, down().syn().ack(c + 1).build()); }
  DropReason established() {
    DropReason r = syn();
    if (r == DropReason::none) r = syn_ack();
    ++c, ++s;
    return r == DropReason::none ? w.in(0, up().ack(s).build()) : r;
  }
  DropReason say(const std::string& text) {
    const DropReason r = w.in(0, up().ack(s).psh().payload(text).build());
    if (r == DropReason::none) c += static_cast<std::uint32_t>(text.size());
    return r;
  }
  DropReason answer(const std::string& text) {
    const DropReason r = w.in(1, down().ack(c).psh().payload(text).build());
    if (r == DropReason::none) s += static_cast<std::uint32_t>(text.size());
    return r;
  }
};

inline const std::string kAllowSmb = R"(
[[rule]]
name = "smb"
from = "clinic"
to = "servers"
service = { tcp = 445 }
action = "accept"
log = true
)";

}  // namespace sekisho::test
