#include "control/people/permission.h"

#include <array>

namespace sekisho::control {

namespace {

using P = Permission;

template <typename... Ps>
constexpr Permissions set(Ps... ps) {
  return (bit(ps) | ...);
}

constexpr Permissions kLook = set(P::open, P::self, P::view);
constexpr Permissions kViewer = kLook | set(P::view_events, P::ticket_view);
constexpr Permissions kOperator =
    kViewer | set(P::cut, P::reopen_request, P::reopen_approve, P::quarantine, P::release, P::ticket_request,
                  P::ticket_approve, P::incident_change, P::config_view);

struct RoleRow {
  const char* name;
  Permissions permissions;
};
constexpr std::array<RoleRow, static_cast<std::size_t>(Role::count_)> kRoles = {{
    {"viewer", kViewer},
    {"operator", kOperator},
    {"commander", kOperator | set(P::access_by_hand, P::evidence, P::audit_view)},
    {"clinician", kLook | set(P::reopen_request)},
    {"vendor", set(P::open, P::self, P::ticket_request)},
    {"auditor", kViewer | set(P::config_view, P::evidence, P::audit_view)},
    {"admin", kViewer | set(P::config_view, P::config_change, P::signature_change, P::audit_view,
                            P::people_change, P::machine)},
}};

constexpr std::array<const char*, static_cast<std::size_t>(P::count_)> kPermissions = {"open",
                                                                                       "self",
                                                                                       "view",
                                                                                       "view_events",
                                                                                       "cut",
                                                                                       "reopen_request",
                                                                                       "reopen_approve",
                                                                                       "quarantine",
                                                                                       "release",
                                                                                       "ticket_request",
                                                                                       "ticket_view",
                                                                                       "ticket_approve",
                                                                                       "access_by_hand",
                                                                                       "incident_change",
                                                                                       "config_view",
                                                                                       "config_change",
                                                                                       "signature_change",
                                                                                       "evidence",
                                                                                       "audit_view",
                                                                                       "people_change",
                                                                                       "machine"};

}  // namespace

Permissions permissions_of(Role role) {
  return kRoles[static_cast<std::size_t>(role)].permissions;
}
const char* name_of(Role role) {
  return kRoles[static_cast<std::size_t>(role)].name;
}
const char* name_of(Permission permission) {
  return kPermissions[static_cast<std::size_t>(permission)];
}

std::vector<std::string> role_names(const std::vector<Role>& roles) {
  std::vector<std::string> out;
  for (const Role r : roles) out.emplace_back(name_of(r));
  return out;
}
std::vector<std::string> permission_names(Permissions permissions) {
  std::vector<std::string> out;
  for (unsigned i = 0; i < static_cast<unsigned>(P::count_); ++i)
    if (permissions & bit(static_cast<P>(i))) out.emplace_back(kPermissions[i]);
  return out;
}

std::optional<Role> role_named(std::string_view name) {
  for (std::size_t i = 0; i < kRoles.size(); ++i)
    if (name == kRoles[i].name) return static_cast<Role>(i);
  return {};
}
std::optional<Permission> permission_named(std::string_view name) {
  for (std::size_t i = 0; i < kPermissions.size(); ++i)
    if (name == kPermissions[i]) return static_cast<Permission>(i);
  return {};
}

}  // namespace sekisho::control
