// The people of the site: who they are, logging in, sessions, tokens, invitations. The one owner of
// people.json.
//
// Thread safety: every public call, any thread. Two locks: `change_` (held over the disk by calls that change
// the list) and `table_` (memory only, never held over a disk or a password's hash). session() and token()
// take `table_` alone, so the check of who asks never waits for either. Refused calls throw Refusal.
// Everything that changes, and every login and failure, is audited.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/audit/audit.h"
#include "control/model/people.h"
#include "control/people/lockout.h"
#include "control/people/people_file.h"
#include "control/people/refusal.h"
#include "control/people/secret.h"
#include "control/people/sessions.h"

namespace sekisho::control {

inline constexpr std::uint64_t kLinkLastsSeconds = 86400;
// Numbers of persons and tokens in Who::uid: above any uid of the machine's.
inline constexpr std::uint32_t kPeopleUid = 0x40000000u, kTokenUid = 0x60000000u;
// What a token may at most: no token is a person, so none asks for or approves a reopening or a ticket.
inline constexpr Permissions kTokenMay = bit(Permission::view) | bit(Permission::view_events) |
                                         bit(Permission::cut) | bit(Permission::quarantine) |
                                         bit(Permission::release) | bit(Permission::incident_change) |
                                         bit(Permission::ticket_view) | bit(Permission::config_view) |
                                         bit(Permission::audit_view) | bit(Permission::evidence);
// What a token of one zone may at most: what looks shows all zones.
inline constexpr Permissions kZoneTokenMay =
    bit(Permission::cut) | bit(Permission::quarantine) | bit(Permission::release);

struct PeopleOptions {
  std::string path;        // people.json
  std::string setup_path;  // where the first link is written (0600)
  std::string site;        // for the name in an authenticator app
  Hasher::Cost cost = Hasher::Cost::interactive;
  std::function<std::uint64_t()> wall_s;  // empty: the clocks
  std::function<std::uint64_t()> monotonic_s;
};

struct SessionView {
  Person person;
  std::string csrf;
  bool enrolling = false;
};

class People {
 public:
  // nullopt: the configuration has no [people]; nobody logs in.
  using Settings = std::function<std::optional<PeopleSettings>()>;
  // Called from every thread that logs in or changes something, also at the same time.
  using AuditLine =
      std::function<void(const Who& who, const std::string& action, const std::string& details_json)>;
  People(PeopleOptions options, Settings settings, AuditLine audit);

  // Reads the list. What is wrong is reported, never fatal.
  std::string start();
  // Where there is [people] and nobody yet: the link that makes the first admin, returned once and written to
  // setup_path; a new one when the last is too old. Empty: none is wanted. Call about once a minute.
  std::string first_link(std::string& report);

  struct LoggedIn {
    Sessions::Made session;
    Person person;
  };
  struct Attempt {
    std::string user, password, code, address;
    std::string certificate;  // common name of a client certificate that TLS has verified; empty: none
  };
  LoggedIn login(const Attempt& attempt);
  void logout(const std::string& session);
  // Without `touch` it does not count as the person's doing.
  std::optional<SessionView> session(const std::string& id, bool touch);
  std::optional<ApiToken> token(const std::string& bearer);

  // A link, the name and a password: the second factor's secret, to be confirmed by its first code. Nothing
  // is changed before that.
  struct Enrolment {
    Sessions::Made session;
    std::string secret, uri;
  };
  Enrolment enrol(const std::string& link, const std::string& user, const std::string& password,
                  const std::string& address);
  LoggedIn confirm(const std::string& session, const std::string& csrf, const std::string& code,
                   const std::string& address);
  LoggedIn change_password(const std::string& session, const std::string& before, const std::string& after,
                           const Who& who, const std::string& address);
  void set_language(const std::string& name, const std::string& language, const Who& who);

  // Administration. Links are shown once; they last a day.
  std::vector<Person> list() const;
  std::string add(const std::string& name, const std::vector<Role>& roles, const std::string& language,
                  const std::string& vendor, const Who& who);
  void set_roles(const std::string& name, const std::vector<Role>& roles, const Who& who);
  void set_disabled(const std::string& name, bool disabled, const Who& who);
  std::string reset(const std::string& name, const Who& who);
  void unlock(const std::string& name, const Who& who);

  std::vector<ApiToken> tokens() const;
  std::string create_token(const std::string& name, Permissions permissions, const std::string& zone,
                           std::uint64_t for_s, const Who& who);
  void revoke_token(const std::string& name, const Who& who);

 private:
  struct Table {
    PeopleList list;
    std::unordered_map<std::string, const Person*> by_name;
    std::unordered_map<std::string, const ApiToken*> by_hash;
  };
  struct Pending {  // an enrolment that waits for its first code
    std::string person, password, link_hash;
    TotpSecret secret;
    bool first = false;
    unsigned tries = 0;
    std::uint64_t until_s = 0;  // monotonic
  };
  std::shared_ptr<const Table> table() const;
  // Applies `change` to a copy, saves it, puts it in place.
  void change(const std::function<void(PeopleList&)>& change);
  void publish(PeopleList list);
  PeopleSettings settings() const;
  std::optional<std::uint64_t> accept_code(const Person& person,
                                           const std::string& code);  // REQUIRES: table_
  void remember_login(const std::string& name, std::uint64_t step);
  void said(const Who& who, const char* action, const std::string& details) const;
  LoggedIn open_session(const Person& person, const std::string& address);

  PeopleOptions options_;
  Settings settings_;
  AuditLine audit_;
  Hasher hasher_;
  std::mutex change_;
  bool lost_ = false;                 // change_
  std::uint64_t linked_until_s_ = 0;  // change_
  mutable std::mutex table_;
  std::shared_ptr<const Table> now_;
  Sessions sessions_;
  Lockout lockout_;
  std::unordered_map<std::string, std::uint64_t> used_steps_;  // of codes, by person
  std::unordered_map<std::string, Pending> pending_;           // by hash of the session
};

// Who it is in receipts and in the audit.
Who who_of(const Person& person, const std::string& address);
Who who_of(const ApiToken& token, const std::string& address);

}  // namespace sekisho::control
