// What a person may do, and which role gives it. Every route of the API names one permission; there is no
// other right. Thread: pure data.
//
// Roles follow DOMAIN.md's people: a viewer looks; an operator is on call and may cut anything; a commander
// leads the CSIRT and approves; a clinician sees what a cut does to the ward and may ask for a reopening; a
// vendor sees his own tickets only; an auditor reads what was done; an admin keeps the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::control {

enum class Permission : std::uint8_t {
  open,              // nobody: what is answered before a login (login itself, health)
  self,              // one's own session: who am I, log out, change one's password
  view,              // state, links, flows, drops, rules, why, previews, performance
  view_events,       // alerts, events, incidents
  cut,               // cut, undo one's own cut, run a playbook or a drill
  reopen_request,    // ask for a reopening
  reopen_approve,    // be the second person of a reopening
  quarantine,        // isolate a host
  release,           // end an isolation
  ticket_request,    // ask for vendor access; a vendor sees and reports on his own tickets
  ticket_view,       // all tickets and reports
  ticket_approve,    // approve, decline, suspend, close; sign reports
  access_by_hand,    // open a vendor access without a ticket
  incident_change,   // states, notes, exceptions
  config_view,       // the configuration's text and versions
  config_change,     // apply, confirm, roll back
  signature_change,  // import, promote, roll back
  evidence,          // evidence archives and captures; each opening is audited
  audit_view,        // read, verify, export the audit
  people_change,     // users, roles, tokens
  machine,           // backups, notices' tests, the clock, certificates
  count_
};

enum class Role : std::uint8_t { viewer, operator_, commander, clinician, vendor, auditor, admin, count_ };

// A set of permissions: bit i is Permission i.
using Permissions = std::uint32_t;
constexpr Permissions bit(Permission p) {
  return 1u << static_cast<unsigned>(p);
}
inline constexpr Permissions kEveryPermission = (1u << static_cast<unsigned>(Permission::count_)) - 1;

Permissions permissions_of(Role role);
const char* name_of(Role role);              // "viewer", "operator", …
const char* name_of(Permission permission);  // "cut", "reopen_request", …
std::vector<std::string> role_names(const std::vector<Role>& roles);
std::vector<std::string> permission_names(Permissions permissions);
std::optional<Role> role_named(std::string_view name);
std::optional<Permission> permission_named(std::string_view name);

}  // namespace sekisho::control
