#include "dataplane/io/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sekisho::io {

namespace {

bool set_capabilities(std::uint32_t mask) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {{mask, mask, 0}, {0, 0, 0}};
  return syscall(SYS_capset, &header, data) == 0;
}

}  // namespace

bool drop_privileges(const std::string& user, bool keep_net_admin, std::string& why) {
  const auto failed = [&why](const char* what) {
    why = std::string(what) + ": " + std::strerror(errno);
    return false;
  };
  const std::uint32_t kept = keep_net_admin ? 1u << CAP_NET_ADMIN : 0;
  if (geteuid() == 0) {
    const passwd* to = getpwnam(user.c_str());
    if (to == nullptr || to->pw_uid == 0) {
      why = "there is no unprivileged user " + user;
      return false;
    }
    if (keep_net_admin && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return failed("PR_SET_KEEPCAPS");
    if (setgroups(0, nullptr) != 0) return failed("setgroups");
    if (setresgid(to->pw_gid, to->pw_gid, to->pw_gid) != 0) return failed("setresgid");
    if (setresuid(to->pw_uid, to->pw_uid, to->pw_uid) != 0) return failed("setresuid");
    if (!set_capabilities(kept)) return failed("capset");
  } else if (!set_capabilities(0)) {
    return failed("capset");
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("PR_SET_NO_NEW_PRIVS");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("PR_SET_DUMPABLE");
  return true;
}

bool drop_thread_capabilities() {
  return set_capabilities(0);
}

}  // namespace sekisho::io
