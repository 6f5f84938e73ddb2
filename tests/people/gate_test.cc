#include <gtest/gtest.h>

#include "control/api/people_gate.h"
#include "tests/people/people_fixture.h"

namespace sekisho::control {
namespace {

class Gates : public PeopleFixture {
 protected:
  static httplib::Request request(const std::string& method, const std::string& path,
                                  const httplib::Headers& headers = {}) {
    httplib::Request r;
    r.method = method;
    r.path = path;
    r.headers = headers;
    return r;
  }
  static httplib::Headers cookie(const Sessions::Made& session, bool csrf) {
    httplib::Headers h = {{"Cookie", "a=b; sekisho_session=" + session.id + "; c=d"},
                          {kClientHeader, "10.0.0.7"}};
    if (csrf) h.emplace(kCsrfHeader, session.csrf);
    return h;
  }
  PeopleGate& gate() {
    if (!gate_)
      gate_ = std::make_unique<PeopleGate>(*people_,
                                           [](const std::string& zone) { return zone == "his" ? 2ull : 0; });
    return *gate_;
  }
  std::unique_ptr<PeopleGate> gate_;
};

TEST_F(Gates, NobodyMayOnlyWhatIsOpen) {
  for (unsigned i = 1; i < static_cast<unsigned>(Permission::count_); ++i)
    EXPECT_EQ(refused([&] { gate().admit(request("GET", "/x"), static_cast<Permission>(i)); }),
              "login_required");
  EXPECT_EQ(gate().admit(request("POST", "/v1/login"), Permission::open).who.name, "nobody");
}

TEST_F(Gates, ASessionIsThePersonFromWhereverTheFrontSaysThatHeIs) {
  const auto in = add("aoki", {Role::operator_});
  const Caller c = gate().admit(request("GET", "/v1/status", cookie(in.session, false)), Permission::view);
  EXPECT_EQ(c.who.name, "aoki");
  EXPECT_EQ(c.who.from, "api 10.0.0.7");
  EXPECT_GE(c.who.uid, kPeopleUid);
  EXPECT_FALSE(c.local_root);
  EXPECT_EQ(refused([&] {
              gate().admit(request("GET", "/x", cookie(in.session, false)), Permission::people_change);
            }),
            "not_allowed");
}

TEST_F(Gates, APostWithACookieNeedsTheHeader) {
  const auto in = add("aoki", {Role::operator_}), other = add("baba", {Role::operator_});
  EXPECT_EQ(
      refused([&] { gate().admit(request("POST", "/v1/cut", cookie(in.session, false)), Permission::cut); }),
      "csrf");
  auto wrong = cookie(in.session, false);
  wrong.emplace(kCsrfHeader, other.session.csrf);
  EXPECT_EQ(refused([&] { gate().admit(request("POST", "/v1/cut", wrong), Permission::cut); }), "csrf");
  EXPECT_EQ(
      refused([&] { gate().admit(request("POST", "/v1/cut", cookie(in.session, true)), Permission::cut); }),
      "");
}

TEST_F(Gates, TokensNeedNoHeaderAndMayWhatTheySay) {
  const std::string token = people_->create_token("soc", bit(Permission::view), "", 3600, kRoot);
  const httplib::Headers h = {{"Authorization", "Bearer " + token}};
  EXPECT_EQ(gate().admit(request("POST", "/x", h), Permission::view).who.name, "token:soc");
  EXPECT_EQ(refused([&] { gate().admit(request("POST", "/v1/cut", h), Permission::cut); }), "not_allowed");
  EXPECT_EQ(refused([&] { gate().admit(request("GET", "/v1/me", h), Permission::self); }), "not_allowed");
  for (const std::string bad : {"Bearer ", "Bearer x", "Basic YTpi", "Bearer"})
    EXPECT_EQ(refused([&] {
                gate().admit(request("GET", "/x", {{"Authorization", bad}}), Permission::open);
              }),
              "bad_token")
        << bad;
}

TEST_F(Gates, ATokenOfOneZoneIsLetInOnlyWhereZonesAreLookedAt) {
  const Permissions all = bit(Permission::quarantine) | bit(Permission::cut);
  const httplib::Headers his = {
      {"Authorization", "Bearer " + people_->create_token("a", all, "his", 3600, kRoot)}};
  const httplib::Headers gone = {
      {"Authorization", "Bearer " + people_->create_token("b", all, "old", 3600, kRoot)}};
  EXPECT_EQ(gate().admit(request("POST", "/v1/quarantine", his), Permission::quarantine).zones, 2u);
  EXPECT_EQ(gate().admit(request("POST", "/v1/cut", gone), Permission::cut).zones, 0u)
      << "no zone, not every zone";
  for (const char* path : {"/v1/undo", "/v1/playbooks/run", "/v1/drill", "/v1/cut/"})
    EXPECT_EQ(refused([&] { gate().admit(request("POST", path, his), Permission::cut); }), "not_allowed")
        << path;
}

TEST_F(Gates, AnEnrolmentIsNobody) {
  const auto e =
      people_->enrol(people_->add("aoki", {Role::admin}, "ja", "", kRoot), "aoki", kPassword, kAddress);
  EXPECT_EQ(refused([&] { gate().admit(request("GET", "/x", cookie(e.session, true)), Permission::self); }),
            "login_required");
}

TEST_F(Gates, AddressesAreBounded) {
  EXPECT_EQ(client_of(request("GET", "/", {{kClientHeader, "2001:db8::1"}})), "2001:db8::1");
  EXPECT_EQ(client_of(request("GET", "/", {{kClientHeader, "10.0.0.1\" or 1"}})), "unknown");
  EXPECT_EQ(client_of(request("GET", "/")), "unknown");
  EXPECT_LE(client_of(request("GET", "/", {{kClientHeader, std::string(500, 'a')}})).size(), 64u);
}

TEST_F(Gates, CookiesAreReadExactly) {
  const auto with = [](const std::string& text) {
    return session_of(request("GET", "/", {{"Cookie", text}}));
  };
  EXPECT_EQ(with("sekisho_session=abc"), "abc");
  EXPECT_EQ(with("x=1;sekisho_session=abc;y"), "abc");
  EXPECT_EQ(with("xsekisho_session=abc"), "");
  EXPECT_EQ(with("sekisho_sessio=abc"), "");
  EXPECT_EQ(with("sekisho_session"), "");
  EXPECT_EQ(with(";;; "), "");
}

}  // namespace
}  // namespace sekisho::control
