#include "control/people/people.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/people/people_fixture.h"

namespace sekisho::control {
namespace {

using PeopleTest = PeopleFixture;

TEST_F(PeopleTest, TheFirstLinkMakesTheFirstAdminOnce) {
  std::string report;
  const std::string link = people_->first_link(report);
  ASSERT_FALSE(link.empty()) << report;
  struct stat st {};
  ASSERT_EQ(stat((directory_ + "/setup-link").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_EQ(people_->first_link(report), "") << "offered once";
  EXPECT_EQ(refused([&] { people_->enrol("x" + link, "aoki", kPassword, kAddress); }), "bad_link");
  const auto in = set_up(link, "aoki");
  EXPECT_EQ(in.person.roles, std::vector<Role>{Role::admin});
  EXPECT_NE(stat((directory_ + "/setup-link").c_str(), &st), 0) << "the file is gone";
  EXPECT_EQ(refused([&] { people_->enrol(link, "baba", kPassword, kAddress); }), "bad_link");
  EXPECT_EQ(said("people.first_admin"), 1u);
  start();
  EXPECT_EQ(people_->first_link(report), "");
  EXPECT_EQ(log_in("aoki").person.name, "aoki");
}

TEST_F(PeopleTest, AFirstLinkIsOfferedAgainAtEachStartAndGrowsOld) {
  std::string report;
  const std::string first = people_->first_link(report);
  start();
  const std::string second = people_->first_link(report);
  EXPECT_NE(first, second);
  EXPECT_EQ(refused([&] { people_->enrol(first, "aoki", kPassword, kAddress); }), "bad_link");
  pass(kLinkLastsSeconds + 1);
  EXPECT_EQ(refused([&] { people_->enrol(second, "aoki", kPassword, kAddress); }), "bad_link");
  EXPECT_NE(people_->first_link(report), "");
}

TEST_F(PeopleTest, WithoutPeopleInTheConfigurationNobodyLogsIn) {
  const auto in = add("aoki", {Role::admin});
  settings_.reset();
  std::string report;
  EXPECT_EQ(people_->first_link(report), "");
  EXPECT_EQ(refused([&] { log_in("aoki"); }), "no_people");
  EXPECT_FALSE(people_->session(in.session.id, true));
}

TEST_F(PeopleTest, ALostListGivesNobodyALinkButRootCanAddPeople) {
  std::ofstream(directory_ + "/people.json") << "{";
  start();
  EXPECT_NE(report_, "");
  std::string report;
  EXPECT_EQ(people_->first_link(report), "");
  EXPECT_EQ(add("aoki", {Role::admin}).person.name, "aoki");
}

TEST_F(PeopleTest, LoggingInNeedsNamePasswordAndCode) {
  add("aoki", {Role::operator_});
  const std::string code = code_of(secrets_["aoki"]);
  const auto attempt = [&](const std::string& user, const std::string& password, const std::string& c) {
    return refused([&] { people_->login({user, password, c, kAddress, {}}); });
  };
  EXPECT_EQ(attempt("baba", kPassword, code), "login_failed");
  EXPECT_EQ(attempt("aoki", "wrong password!!", code), "login_failed");
  EXPECT_EQ(attempt("aoki", kPassword, "000000"), "login_failed");
  EXPECT_EQ(attempt("aoki", kPassword, ""), "login_failed");
  EXPECT_EQ(attempt("aoki", std::string(1000, 'x'), code), "login_failed");
  const auto in = people_->login({"aoki", kPassword, code, kAddress, {}});
  const auto view = people_->session(in.session.id, true);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->person.name, "aoki");
  EXPECT_EQ(attempt("aoki", kPassword, code), "login_failed") << "a code works once";
  EXPECT_EQ(said("login"), 1u);
  EXPECT_GE(said("login.failed"), 4u);
}

TEST_F(PeopleTest, AUsedCodeIsUsedAlsoAfterARestart) {
  add("aoki", {Role::operator_});
  const std::string code = code_of(secrets_["aoki"]);
  people_->login({"aoki", kPassword, code, kAddress, {}});
  start();
  EXPECT_EQ(refused([&] { people_->login({"aoki", kPassword, code, kAddress, {}}); }), "login_failed");
}

TEST_F(PeopleTest, TheNameOfNobodyIsNotWrittenDown) {
  EXPECT_EQ(refused([&] { people_->login({"my-secret-password", "x", "1", kAddress, {}}); }), "login_failed");
  ASSERT_EQ(said("login.failed"), 1u);
  EXPECT_EQ(audit_.back().who.name, "nobody");
  EXPECT_EQ(audit_.back().details.find("my-secret"), std::string::npos);
}

TEST_F(PeopleTest, ACertificateStandsForTheCodeOnlyIfTheSiteSaysSoAndNeverForThePassword) {
  add("aoki", {Role::operator_});
  const auto attempt = [&](const char* password, const char* certificate) {
    return refused([&] { people_->login({"aoki", password, "", kAddress, certificate}); });
  };
  EXPECT_EQ(attempt(kPassword, "aoki"), "login_failed");
  settings_->certificate_replaces_code = true;
  EXPECT_EQ(attempt(kPassword, ""), "login_failed");
  EXPECT_EQ(attempt(kPassword, "baba"), "login_failed");
  EXPECT_EQ(attempt("wrong password!!", "aoki"), "login_failed");
  EXPECT_EQ(attempt(kPassword, "aoki"), "");
}

TEST_F(PeopleTest, BruteForceLocksAndRootUnlocks) {
  add("aoki", {Role::operator_});
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(refused([&] {
                people_->login({"aoki", "wrong password!!", "000000", "10.9.9.9", {}});
              }),
              "login_failed");
  EXPECT_EQ(said("login.locked"), 1u);
  EXPECT_EQ(refused([&] { log_in("aoki", "10.9.9.8"); }), "login_failed") << "right, but locked";
  pass(60);
  people_->unlock("aoki", kRoot);
  EXPECT_EQ(refused([&] { log_in("aoki", "10.9.9.8"); }), "");
  for (int i = 0; i < 40; ++i)
    refused([&] { people_->login({"nobody" + std::to_string(i), "x", "0", "10.9.9.9", {}}); });
  EXPECT_EQ(refused([&] { log_in("aoki", "10.9.9.9"); }), "too_many_failures");
  pass(1000);
  EXPECT_EQ(refused([&] { log_in("aoki", "10.9.9.9"); }), "");
}

TEST_F(PeopleTest, EachLoginIsANewSessionAndLogoutEndsIt) {
  add("aoki", {Role::operator_});
  const auto a = log_in("aoki"), b = log_in("aoki");
  EXPECT_NE(a.session.id, b.session.id);
  people_->logout(a.session.id);
  EXPECT_FALSE(people_->session(a.session.id, true));
  EXPECT_TRUE(people_->session(b.session.id, true));
  EXPECT_FALSE(people_->session("", true));
}

TEST_F(PeopleTest, SessionsEndWithWhatTheyStoodFor) {
  add("boss", {Role::admin});
  const auto change = [&](const char* name, const std::function<void(const std::string& session)>& what) {
    const auto in = add(name, {Role::operator_});
    ASSERT_TRUE(people_->session(in.session.id, true)) << name;
    what(in.session.id);
    EXPECT_FALSE(people_->session(in.session.id, true)) << name;
  };
  change("a", [&](const std::string&) { people_->set_roles("a", {Role::viewer}, kRoot); });
  change("b", [&](const std::string&) { people_->set_disabled("b", true, kRoot); });
  change("c", [&](const std::string&) { people_->reset("c", kRoot); });
  change("d", [&](const std::string& s) {
    EXPECT_EQ(refused([&] {
                people_->change_password(s, "wrong password!!", "another good pass", kRoot, kAddress);
              }),
              "wrong_password");
    EXPECT_EQ(refused([&] { people_->change_password(s, kPassword, "short", kRoot, kAddress); }),
              "bad_password");
    const auto in = people_->change_password(s, kPassword, "another good pass", kRoot, kAddress);
    EXPECT_TRUE(people_->session(in.session.id, true)) << "the one that changed it goes on, under a new id";
  });
  change("e", [&](const std::string&) { pass(settings_->session_idle_s); });
  change("f", [&](const std::string& s) {
    for (std::uint64_t t = 0; t < settings_->session_longest_s; t += 600) {
      pass(600);
      people_->session(s, true);
    }
  });
  EXPECT_EQ(refused([&] { log_in("b"); }), "login_failed") << "disabled";
  EXPECT_EQ(refused([&] { log_in("c"); }), "login_failed") << "has no password until the link is used";
}

TEST_F(PeopleTest, AnEnrolmentCanDoNothingButConfirm) {
  const std::string link = people_->add("aoki", {Role::admin}, "ja", "", kRoot);
  const auto e = people_->enrol(link, "aoki", kPassword, kAddress);
  const auto view = people_->session(e.session.id, true);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->enrolling);
  EXPECT_EQ(view->person.permissions(), 0u);
  EXPECT_EQ(refused([&] { people_->confirm(e.session.id, "x", code_of(e.secret), kAddress); }), "csrf");
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(refused([&] { people_->confirm(e.session.id, e.session.csrf, "000000", kAddress); }),
              "wrong_code");
  EXPECT_EQ(refused([&] { people_->confirm(e.session.id, e.session.csrf, code_of(e.secret), kAddress); }),
            "login_required")
      << "five guesses, then anew";
  EXPECT_EQ(set_up(link, "aoki").person.name, "aoki") << "the link still holds";
  EXPECT_EQ(refused([&] { people_->enrol(link, "aoki", kPassword, kAddress); }), "bad_link") << "used";
}

TEST_F(PeopleTest, WeakPasswordsAreRefused) {
  const std::string link = people_->add("aoki", {Role::admin}, "ja", "", kRoot);
  for (const char* weak : {"", "short", "aaaaaaaaaaaaaaaa", "i am aoki and i am here", "ababababababab"})
    EXPECT_EQ(refused([&] { people_->enrol(link, "aoki", weak, kAddress); }), "bad_password") << weak;
}

TEST_F(PeopleTest, GuessingLinksLocksTheAddress) {
  for (int i = 0; i < 30; ++i)
    EXPECT_EQ(refused([&] { people_->enrol("guess", "aoki", kPassword, "10.9.9.9"); }), "bad_link");
  EXPECT_EQ(refused([&] { people_->enrol("guess", "aoki", kPassword, "10.9.9.9"); }), "too_many_failures");
}

TEST_F(PeopleTest, TheConsoleCannotLockItselfOut) {
  const auto in = add("aoki", {Role::admin});
  const Who self = who_of(in.person, kAddress);
  EXPECT_EQ(refused([&] { people_->set_roles("aoki", {Role::viewer}, self); }), "last_admin");
  EXPECT_EQ(refused([&] { people_->set_disabled("aoki", true, self); }), "last_admin");
  EXPECT_EQ(refused([&] { people_->reset("aoki", self); }), "last_admin");
  EXPECT_EQ(refused([&] { people_->set_disabled("aoki", true, kRoot); }), "") << "root may";
}

TEST_F(PeopleTest, VendorsHaveOneRoleAndAVendor) {
  EXPECT_EQ(refused([&] { people_->add("v", {Role::vendor}, "ja", "", kRoot); }), "bad_request");
  EXPECT_EQ(refused([&] {
              people_->add("v", {Role::vendor, Role::operator_}, "ja", "ct", kRoot);
            }),
            "bad_request");
  EXPECT_EQ(refused([&] { people_->add("v", {Role::operator_}, "ja", "ct", kRoot); }), "bad_request");
  EXPECT_EQ(refused([&] { people_->add("v", {}, "ja", "", kRoot); }), "bad_request");
  people_->add("v", {Role::vendor}, "ja", "ct", kRoot);
  EXPECT_EQ(refused([&] { people_->add("v", {Role::viewer}, "ja", "", kRoot); }), "name_taken");
}

TEST_F(PeopleTest, TokensMayLittleAndEnd) {
  const auto make = [&](const char* name, Permissions p, const char* zone, std::uint64_t for_s) {
    return refused([&] { people_->create_token(name, p, zone, for_s, kRoot); });
  };
  EXPECT_EQ(make("t", 0, "", 3600), "bad_permissions");
  for (const Permission p :
       {Permission::self, Permission::reopen_request, Permission::reopen_approve, Permission::people_change,
        Permission::config_change, Permission::ticket_approve})
    EXPECT_EQ(make("t", bit(p), "", 3600), "bad_permissions") << name_of(p);
  EXPECT_EQ(make("t", bit(Permission::view), "his", 3600), "bad_permissions") << "what looks sees every zone";
  EXPECT_EQ(make("t", bit(Permission::view), "", 10), "bad_request");
  EXPECT_EQ(make("t", bit(Permission::view), "", 400ull * 86400), "bad_request");
  const std::string token = people_->create_token("soc", bit(Permission::quarantine), "his", 3600, kRoot);
  const auto found = people_->token(token);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->zone, "his");
  EXPECT_FALSE(people_->token(found->hash)) << "what is kept is of no use";
  EXPECT_FALSE(people_->token(token + "x"));
  start();
  EXPECT_TRUE(people_->token(token)) << "after a restart";
  pass(3600);
  EXPECT_FALSE(people_->token(token)) << "too old";
  const std::string other = people_->create_token("edr", bit(Permission::quarantine), "", 3600, kRoot);
  people_->revoke_token("edr", kRoot);
  EXPECT_FALSE(people_->token(other));
  std::ifstream in(directory_ + "/people.json");
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(file.find(token), std::string::npos);
  EXPECT_EQ(file.find(kPassword), std::string::npos);
}

TEST_F(PeopleTest, ALoginAndTheCheckOfASessionDoNotWaitForEachOther) {
  const auto in = add("aoki", {Role::operator_});
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      while (!stop)
        refused([&] {
          people_->login({"n" + std::to_string(i), kPassword, "1", "10.9.0." + std::to_string(i), {}});
        });
    });
  for (int i = 0; i < 20000; ++i) ASSERT_TRUE(people_->session(in.session.id, true));
  stop = true;
  for (std::thread& t : threads) t.join();
}

TEST(Hasher, MoreThanAFewAtOnceAreTurnedAway) {
  Hasher hasher(Hasher::Cost::interactive);
  std::atomic<int> away{0}, done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 24; ++i) threads.emplace_back([&] { (hasher.verify("", "x") ? done : away)++; });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(away + done, 24);
  EXPECT_GE(away, 1);
  EXPECT_GE(done, 1);
  const auto kept = hasher.hash(kPassword);
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->starts_with("$argon2id$"));
  EXPECT_EQ(hasher.verify(*kept, kPassword), true);
  EXPECT_EQ(hasher.verify(*kept, "x"), false);
  EXPECT_EQ(hasher.verify("", kPassword), false);
}

}  // namespace
}  // namespace sekisho::control
