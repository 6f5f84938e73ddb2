// Every route as nobody, as every role and by a token, over a real front.sock of a sekishod without a
// dataplane; and the routes against docs/openapi.json.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "control/backup/backup.h"
#include "control/daemon/daemon.h"
#include "control/daemon/front.h"
#include "control/daemon/routes.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kConfig = R"([gateway]
name = "t"
hugepages = false
[people]
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
name = "vendor"
zones = ["vendor", "his"]
)";

// One gateway for all tests: its start compiles a configuration.
struct Gateway {
  Gateway() {
    std::string pattern = ::testing::TempDir() + "routesXXXXXX";
    directory = mkdtemp(pattern.data());
    std::ofstream(directory + "/t.toml") << kConfig;
    DaemonOptions options;
    options.config = directory + "/t.toml";
    options.state_directory = directory + "/state";
    options.run_directory = directory + "/run";
    options.log_directory = directory + "/log";
    options.bpffs = "";
    options.program = SEKISHO_SEKISHOD;
    daemon = std::make_unique<Daemon>(options);
    fault = daemon->start();
    if (!fault.empty()) return;
    front = std::make_unique<Front>(*daemon, FrontOptions{directory + "/front", std::to_string(getgid())});
    front->start();
  }
  ~Gateway() {
    front.reset();
    daemon.reset();
    fs::remove_all(directory);
  }
  std::string directory, fault;
  std::unique_ptr<Daemon> daemon;
  std::unique_ptr<Front> front;
};

class Routes : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gateway_ = new Gateway; }
  static void TearDownTestSuite() {
    delete gateway_;
    gateway_ = nullptr;
  }
  void SetUp() override { ASSERT_EQ(gateway_->fault, ""); }

  struct Answer {
    int status = 0;
    std::string name;
    json body;
  };
  static Answer ask(const std::string& method, const std::string& path, const httplib::Headers& headers,
                    const std::string& body = "{}", const char* socket = "/front.sock") {
    UnixHttpClient client(gateway_->directory + "/front" + socket);
    client.set_read_timeout(60);
    const auto result =
        method == "GET" ? client.Get(path, headers) : client.Post(path, headers, body, "application/json");
    Answer out;
    if (!result) return out;
    out.status = result->status;
    out.body = json::parse(result->body, nullptr, false);
    if (out.body.is_object() && out.body.contains("error")) out.name = out.body["error"].value("name", "");
    return out;
  }
  static People::LoggedIn person(const std::string& name, Role role) {
    People& people = gateway_->daemon->people();
    const Who root{0, "root", "test"};
    const std::string link = people.add(name, {role}, "en", role == Role::vendor ? "ct" : "", root);
    const auto e = people.enrol(link, name, "correct horse battery", "10.0.0.1");
    const auto step = wall_ns() / kSecond / kTotpStepSeconds;
    return people.confirm(e.session.id, e.session.csrf, totp_code(*from_base32(e.secret), step), "10.0.0.1");
  }
  static httplib::Headers headers_of(const People::LoggedIn& in) {
    return {{"Cookie", "sekisho_session=" + in.session.id}, {kCsrfHeader, in.session.csrf}};
  }
  static const std::vector<Route>& routes() { return gateway_->front->server().routes(); }
  static bool turned_away(const Answer& a) {
    return a.name == "not_allowed" || a.name == "login_required" || a.name == "csrf" || a.name == "bad_token";
  }
  static Gateway* gateway_;
};
Gateway* Routes::gateway_ = nullptr;

TEST_F(Routes, NobodyGetsNothingButTheDoor) {
  for (const Route& r : routes()) {
    const Answer a = ask(r.method, r.path, {});
    if (r.permission == Permission::open) {
      EXPECT_FALSE(turned_away(a) && r.path != "/v1/totp") << r.method << " " << r.path << ": " << a.name;
    } else {
      EXPECT_EQ(a.status, 401) << r.method << " " << r.path << ": " << a.name;
    }
  }
}

TEST_F(Routes, EveryRoleGetsWhatTheTableSaysAndNoMore) {
  for (unsigned i = 0; i < static_cast<unsigned>(Role::count_); ++i) {
    const Role role = static_cast<Role>(i);
    const auto in = person(std::string("walk-") + name_of(role), role);
    for (const Route& r : routes()) {
      if (r.path == "/v1/logout") continue;
      const Answer a = ask(r.method, r.path, headers_of(in));
      const bool may = (permissions_of(role) & bit(r.permission)) != 0;
      ASSERT_NE(a.status, 0) << r.path;
      if (r.path == "/v1/totp") continue;  // open, but only of use in a setup
      if (may) {
        EXPECT_FALSE(turned_away(a)) << name_of(role) << " " << r.method << " " << r.path << ": " << a.name;
      } else {
        EXPECT_EQ(a.name, "not_allowed") << name_of(role) << " " << r.method << " " << r.path;
      }
    }
    EXPECT_EQ(ask("POST", "/v1/logout", headers_of(in)).status, 200);
    EXPECT_EQ(ask("GET", "/v1/me", headers_of(in)).status, 401) << "after logging out";
  }
}

TEST_F(Routes, EveryPostWithACookieNeedsTheHeader) {
  const auto in = person("no-header", Role::admin);
  const auto operator_in = person("no-header-2", Role::operator_);
  for (const Route& r : routes()) {
    if (r.method != "POST" || r.permission == Permission::open) continue;
    for (const auto& who : {in, operator_in}) {
      const Answer a = ask("POST", r.path, {{"Cookie", "sekisho_session=" + who.session.id}});
      EXPECT_EQ(a.status, 403) << r.path;
      if ((permissions_of(who.person.roles[0]) & bit(r.permission)) != 0) {
        EXPECT_EQ(a.name, "csrf") << r.path;
      }
    }
  }
}

TEST_F(Routes, ATokenOfOneZoneGetsNothingButItsZone) {
  People& people = gateway_->daemon->people();
  const std::string token = people.create_token("walk", bit(Permission::cut) | bit(Permission::quarantine),
                                                "vendor", 3600, {0, "root", ""});
  const httplib::Headers h = {{"Authorization", "Bearer " + token}};
  for (const Route& r : routes()) {
    if (r.permission == Permission::open || r.path == "/v1/cut" || r.path == "/v1/quarantine") continue;
    EXPECT_EQ(ask(r.method, r.path, h).name, "not_allowed") << r.method << " " << r.path;
  }
  EXPECT_EQ(ask("POST", "/v1/cut", h, R"({"target":"all"})", "/front-cut.sock").name, "not_allowed");
  EXPECT_EQ(ask("POST", "/v1/cut", h, R"({"target":"his"})", "/front-cut.sock").name, "not_allowed");
  const Answer cut = ask("POST", "/v1/cut", h, R"({"target":"vendor","reason":"t"})", "/front-cut.sock");
  EXPECT_EQ(cut.status, 200) << cut.name;
  EXPECT_EQ(cut.body.value("command", ""), "cut");
  EXPECT_EQ(ask("POST", "/v1/quarantine", h, R"({"host":"10.0.0.5"})", "/front-cut.sock").status, 503)
      << "without a dataplane nobody knows where the host is";
}

TEST_F(Routes, TwoPeopleReopen) {
  const auto a = person("aoki", Role::operator_), b = person("baba", Role::commander);
  const auto say = [&](const People::LoggedIn& who, const char* path, const json& body) {
    return ask("POST", path, headers_of(who), body.dump());
  };
  ASSERT_EQ(say(a, "/v1/cut", {{"target", "vendor"}, {"reason", "t"}}).status, 200);
  const Answer asked = say(a, "/v1/reopen", {{"target", "vendor"}, {"reason", "repaired"}});
  ASSERT_EQ(asked.status, 200) << asked.body;
  const std::string id = asked.body.at("request").value("id", "");
  EXPECT_TRUE(gateway_->daemon->links().cut_links().any());
  EXPECT_EQ(say(b, "/v1/reopen", {{"target", "vendor"}, {"break_glass", true}}).name, "not_allowed");
  EXPECT_EQ(say(a, "/v1/reopenings/approve", {{"id", id}}).name, "same_person");
  EXPECT_EQ(say(b, "/v1/reopenings/approve", {{"id", "r-999"}}).name, "no_such_request");
  const Answer done = say(b, "/v1/reopenings/approve", {{"id", id}});
  ASSERT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(done.body.at("request").value("state", ""), "done");
  EXPECT_EQ(done.body.value("command", ""), "reopen");
  EXPECT_TRUE(gateway_->daemon->links().cut_links().none());
  EXPECT_EQ(say(b, "/v1/reopenings/approve", {{"id", id}}).name, "not_waiting");
}

TEST_F(Routes, ABackupStaysOnTheMachine) {
  const auto admin = person("backs-up", Role::admin);
  const std::string pass = "correct horse battery staple", folder = gateway_->directory + "/state/backups";
  const auto make = [&](const json& body) {
    return ask("POST", "/v1/backup", headers_of(admin), body.dump());
  };
  EXPECT_EQ(make({{"passphrase", "short"}}).name, "bad_passphrase");
  EXPECT_EQ(make(json::object()).name, "bad_passphrase");
  EXPECT_EQ(make({{"passphrase", std::string(2000, 'x')}}).status, 400);
  EXPECT_EQ(make({{"passphrase", 12}}).status, 400);
  fs::create_directories(folder);
  for (const char* old : {"/sekisho-20200101T000000Z.backup", "/sekisho-20210101T000000Z.backup", "/by-hand"})
    std::ofstream(folder + old) << "old";
  const Answer first = make({{"passphrase", pass}}), second = make({{"passphrase", pass}});
  ASSERT_EQ(first.status, 200) << first.body;
  ASSERT_EQ(second.status, 200) << second.body;
  EXPECT_GT(first.body.value("files", 0), 3);
  std::set<std::string> left;
  for (const auto& one : fs::directory_iterator(folder)) left.insert(one.path());
  EXPECT_EQ(left, (std::set<std::string>{first.body.value("file", ""), second.body.value("file", ""),
                                         folder + "/sekisho-20210101T000000Z.backup", folder + "/by-hand"}));
  EXPECT_EQ(fs::status(first.body.value("file", "")).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  std::ifstream in(gateway_->directory + "/state/audit/audit.jsonl");
  const std::string audit{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(audit.find("backup.create"), std::string::npos);
  EXPECT_EQ(audit.find(pass), std::string::npos);
  // What came out of the front's hands can be opened on the machine.
  const BackupPlaces to{gateway_->directory + "/back/state", gateway_->directory + "/back/site"};
  EXPECT_GT(restore_backup(to, first.body.value("file", ""), pass, false).files, 3u);
  EXPECT_TRUE(fs::exists(to.state + "/people.json"));
}

TEST_F(Routes, TheOpenApiFileSaysWhatIsThere) {
  std::ifstream in(std::string(SEKISHO_SOURCE_ROOT) + "/docs/openapi.json");
  const json doc = json::parse(in);
  std::set<std::string> said, there;
  for (const auto& [path, methods] : doc.at("paths").items())
    for (const auto& [method, operation] : methods.items()) {
      if (operation.value("x-served-by", "") == "sekisho-api") continue;
      std::string name = method;
      for (char& c : name) c = static_cast<char>(std::toupper(c));
      said.insert(name + " " + path + " " + operation.at("x-permission").get<std::string>());
      EXPECT_FALSE(operation.value("summary", "").empty()) << path;
    }
  for (const Route& r : routes()) there.insert(r.method + " " + r.path + " " + name_of(r.permission));
  for (const std::string& one : there) EXPECT_TRUE(said.contains(one)) << "docs/openapi.json lacks " << one;
  for (const std::string& one : said) EXPECT_TRUE(there.contains(one)) << "no route " << one;
}

TEST_F(Routes, TheLocalSocketHasAllButLoggingIn) {
  LocalGate gate;
  ApiServer local(gate, gateway_->directory + "/local.sock", 0600, 1);
  add_api_routes(local, *gateway_->daemon);
  std::set<std::string> here;
  for (const Route& r : local.routes()) here.insert(r.method + " " + r.path);
  for (const Route& r : routes()) {
    const bool own = r.permission == Permission::open || r.permission == Permission::self;
    if (!own) {
      EXPECT_TRUE(here.contains(r.method + " " + r.path)) << r.path;
    }
  }
}

}  // namespace
}  // namespace sekisho::control
