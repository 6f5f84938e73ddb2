// A desk with a site of one vendor, fake words and clocks that the test turns.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "control/access/desk.h"
#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {

inline std::string vendor_site(const std::string& vendor_more = "",
                               const std::string& target = "10.20.0.30") {
  return R"([gateway]
name = "t"
hugepages = false
[[port]]
name = "a"
device = "net_null0"
[[port]]
name = "b"
device = "net_null1"
[[zone]]
name = "his"
[[zone]]
name = "vendor"
kind = "vendor"
[[interface]]
name = "i0"
port = "a"
zone = "vendor"
[[interface]]
name = "i1"
port = "b"
zone = "his"
[[wire]]
name = "w"
sides = ["i0", "i1"]
[[link]]
name = "maintenance"
zones = ["vendor", "his"]
[services]
rdp = { tcp = 3389 }
ssh = { tcp = 22 }
[[vendor]]
name = "acme"
company = "Acme"
from = "vendor"
to = "his"
source = "192.0.2.0/28"
target = ")" +
         target + R"("
services = ["rdp", "ssh"]
longest = "2h"
report_within = "1d"
)" + vendor_more;
}

inline std::shared_ptr<const Model> read_site(const std::string& text) {
  ReadResult read = read_config(text, "t.toml", 1'700'000'000);
  for (const Diagnostic& d : read.diagnostics) ADD_FAILURE() << format(d, read.files);
  return read.ok() ? std::make_shared<const Model>(std::move(*read.model)) : std::make_shared<const Model>();
}

// Survives the desk, as the pinned array survives sekishod.
class FakeWords final : public AccessWords {
 public:
  bool set(std::uint16_t access, bool open, std::uint64_t deadline_ns, std::string& error) override {
    if (fails) {
      error = "words_locked";
      return false;
    }
    until[access] = open ? deadline_ns : 0;
    return true;
  }
  std::uint64_t open_until(std::uint16_t access) const override {
    const auto it = until.find(access);
    return it == until.end() ? 0 : it->second;
  }
  LinkSet cut_links() const override { return cut; }
  std::map<std::uint16_t, std::uint64_t> until;
  LinkSet cut;
  bool fails = false;
};

class FakeNotices final : public NoticeSink {
 public:
  bool raise(Notice notice) noexcept override {
    list.push_back(std::move(notice));
    return true;
  }
  std::size_t count(const std::string& kind) const {
    return static_cast<std::size_t>(
        std::count_if(list.begin(), list.end(), [&](const Notice& n) { return n.kind == kind; }));
  }
  std::vector<Notice> list;
};

// What a kill looks like from inside.
struct Killed {};

class DeskTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kWall = 1'763'899'200ull * kSecond;
  DeskTest() {
    char name[] = "/tmp/sekisho-desk-XXXXXX";
    directory = mkdtemp(name);
    model = read_site(vendor_site());
    start();
  }
  ~DeskTest() override { std::filesystem::remove_all(directory); }

  // As a new process on the same disk and words.
  void start() {
    DeskOptions o;
    o.directory = directory + "/tickets";
    o.boot = boot;
    o.now_ns = [this] { return now; };
    o.now_wall_ns = [this] { return wall; };
    o.audit = [this](const Who& who, const std::string& action, const std::string&) {
      audited.push_back(who.name + " " + action);
      return std::string();
    };
    o.notices = &notices;
    o.at = [this](const char* step) {
      if (kill_at == step) throw Killed{};
    };
    desk = std::make_unique<TicketDesk>(std::move(o));
    EXPECT_EQ(desk->start(model, words), "");
  }
  void pass(std::uint64_t seconds) {
    now += seconds * kSecond;
    wall += seconds * kSecond;
    desk->tick();
  }
  TicketRequest wish(std::uint32_t for_s = 3600) {
    TicketRequest r;
    r.vendor = "acme";
    r.plan = "replace the database's disk";
    r.services = {"rdp"};
    r.for_s = for_s;
    return r;
  }
  std::string requested() {
    const TicketAnswer a = desk->request(wish(), suzuki);
    EXPECT_TRUE(a.ok()) << a.name << a.text;
    return a.ok() ? a.ticket->id : "";
  }
  std::string approved() {
    const std::string id = requested();
    const TicketAnswer a = desk->approve(id, sato);
    EXPECT_TRUE(a.ok()) << a.name << a.text;
    return id;
  }
  std::string opened() {
    const std::string id = approved();
    const TicketAnswer a = desk->open(id, suzuki);
    EXPECT_TRUE(a.ok()) << a.name << a.text;
    return id;
  }
  TicketState state(const std::string& id) {
    const auto t = desk->find(id);
    return t ? t->state : TicketState::count_;
  }
  LinkSet link() const {
    LinkSet out;
    out.set(sekisho_link_index(0, 1));
    return out;
  }

  std::string directory, boot = "boot-1", kill_at;
  std::uint64_t now = 1000 * kSecond, wall = kWall;
  std::shared_ptr<const Model> model;
  FakeWords words;
  FakeNotices notices;
  std::vector<std::string> audited;
  std::unique_ptr<TicketDesk> desk;
  // rdp is access 0, ssh is access 1.
  Actor suzuki{{1, "suzuki", "api"}, "", {"operator"}, false},
      sato{{2, "sato", "api"}, "", {"operator"}, false}, acme{{3, "taro", "api"}, "acme", {"vendor"}, false},
      root{{0, "root", "cli"}, "", {}, true};
};

}  // namespace sekisho::control
