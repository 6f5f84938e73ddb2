// The list of people and tokens on disk: people.json, written whole, fsynced, renamed, 0600; the one before
// stays as people.json.before. Holds hashes of passwords and tokens, and the secrets of the second factor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/people/permission.h"
#include "control/people/totp.h"

namespace sekisho::control {

inline constexpr std::size_t kMostPeople = 1000, kMostTokens = 1000;

struct Person {
  std::uint32_t number = 0;  // never used again
  std::string name;          // [a-z0-9._-], at most 32
  std::vector<Role> roles;
  std::string language = "ja";  // "ja" or "en"
  std::string vendor;           // of a vendor's person: the [[vendor]]
  bool disabled = false;
  std::string password;  // argon2id; empty: not set yet
  TotpSecret totp;       // empty: none yet
  bool totp_confirmed = false;
  std::uint64_t totp_last_step = 0;
  std::string invitation;                // hash of the one-time link; empty: none
  std::uint64_t invitation_until_s = 0;  // wall
  std::uint64_t created_s = 0, changed_s = 0, last_login_s = 0;

  Permissions permissions() const;
};

struct ApiToken {
  std::string name;  // as of a person
  std::string hash;
  Permissions permissions = 0;
  std::string zone;                            // empty: everywhere
  std::uint64_t expires_s = 0, created_s = 0;  // wall
  std::string created_by;
  std::uint32_t number = 0;
};

struct PeopleList {
  std::vector<Person> people;
  std::vector<ApiToken> tokens;
  std::uint32_t next_number = 1;
  std::string first_invitation;  // hash of the link that makes the first admin; empty: used, or none yet
  std::uint64_t first_until_s = 0;
};

std::string people_to_json(const PeopleList& list);
// Strict: an unknown shape is a fault with its reason, never half a list.
bool people_from_json(const std::string& text, PeopleList& out, std::string& why);

struct PeopleLoad {
  PeopleList list;
  bool existed = false;
  std::string report;  // damaged, and what was done about it; empty: good
};
// A damaged file is set aside as people.json.damaged and the one before is taken; without one nobody can log
// in but root on this machine, who can add people anew.
PeopleLoad load_people(const std::string& path);
// Empty, or why not; then the file is as it was.
std::string save_people(const std::string& path, const PeopleList& list);
// Whole, 0600 or `mode`, fsynced, renamed. Empty, or why not.
std::string write_whole(const std::string& path, const std::string& content, unsigned mode = 0600);

// Throws Refusal (404).
Person& person_in(PeopleList& list, const std::string& name);
// Empty: good.
std::string person_name_fault(const std::string& name);

}  // namespace sekisho::control
