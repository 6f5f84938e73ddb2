#include "control/front/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace sekisho::control {

bool become(const std::string& user, std::string& why) {
  // No core file with the TLS key in it, and nobody of the same user looks into this process.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  if (geteuid() == 0) {
    unsigned uid = 0, gid = 0;
    if (std::sscanf(user.c_str(), "%u:%u", &uid, &gid) != 2) {
      passwd entry{};
      passwd* found = nullptr;
      std::array<char, 16384> buffer;
      if (getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        why = "there is no user " + user;
        return false;
      }
      uid = found->pw_uid;
      gid = found->pw_gid;
    }
    if (uid == 0 || gid == 0) {
      why = "will not run as root";
      return false;
    }
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
      prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (setgroups(0, nullptr) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
      why = "become " + user + ": " + std::strerror(errno);
      return false;
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // a change of identity may have set it again
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    why = std::string("no_new_privs: ") + std::strerror(errno);
    return false;
  }
  return true;
}

std::string forbid_files() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0) return std::string("nothing (no Landlock: ") + std::strerror(errno) + ")";
  // All rights that the header of Debian 12 knows, and by number what later ones added: REFER (2), TRUNCATE
  // (3), IOCTL_DEV (5); TCP bind and connect (4). No rule follows: nothing is allowed.
  struct {
    std::uint64_t files, net;
  } handled{(1ull << 13) - 1, 0};
  if (abi >= 2) handled.files |= 1ull << 13;
  if (abi >= 3) handled.files |= 1ull << 14;
  if (abi >= 5) handled.files |= 1ull << 15;
  if (abi >= 4) handled.net = 3;
  const std::size_t size = abi >= 4 ? sizeof handled : sizeof handled.files;
  const int rules = static_cast<int>(syscall(SYS_landlock_create_ruleset, &handled, size, 0));
  if (rules < 0) return std::string("nothing (Landlock: ") + std::strerror(errno) + ")";
  const bool done = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
  const int error = errno;
  close(rules);
  if (!done) return std::string("nothing (Landlock: ") + std::strerror(error) + ")";
  return abi >= 4 ? "files and TCP" : "files";
}

namespace {

constexpr int kAllowed[] = {SCMP_SYS(read),
                            SCMP_SYS(write),
                            SCMP_SYS(readv),
                            SCMP_SYS(writev),
                            SCMP_SYS(recvfrom),
                            SCMP_SYS(recvmsg),
                            SCMP_SYS(sendto),
                            SCMP_SYS(sendmsg),
                            SCMP_SYS(close),
                            SCMP_SYS(shutdown),
                            SCMP_SYS(accept),
                            SCMP_SYS(accept4),
                            SCMP_SYS(connect),
                            SCMP_SYS(getsockopt),
                            SCMP_SYS(setsockopt),
                            SCMP_SYS(getsockname),
                            SCMP_SYS(getpeername),
                            SCMP_SYS(epoll_wait),
                            SCMP_SYS(epoll_pwait),
                            SCMP_SYS(epoll_ctl),
                            SCMP_SYS(poll),
                            SCMP_SYS(ppoll),
                            SCMP_SYS(timerfd_settime),
                            SCMP_SYS(fcntl),
                            SCMP_SYS(munmap),
                            SCMP_SYS(mremap),
                            SCMP_SYS(brk),
                            SCMP_SYS(madvise),
                            SCMP_SYS(futex),
                            SCMP_SYS(sched_yield),
                            SCMP_SYS(nanosleep),
                            SCMP_SYS(clock_nanosleep),
                            SCMP_SYS(clock_gettime),
                            SCMP_SYS(clock_getres),
                            SCMP_SYS(gettimeofday),
                            SCMP_SYS(time),
                            SCMP_SYS(getrandom),
                            SCMP_SYS(rt_sigaction),
                            SCMP_SYS(rt_sigprocmask),
                            SCMP_SYS(rt_sigreturn),
                            SCMP_SYS(sigaltstack),
                            SCMP_SYS(restart_syscall),
                            SCMP_SYS(getpid),
                            SCMP_SYS(gettid),
                            SCMP_SYS(getuid),
                            SCMP_SYS(geteuid),
                            SCMP_SYS(getgid),
                            SCMP_SYS(getegid),
                            SCMP_SYS(rseq),
                            SCMP_SYS(exit),
                            SCMP_SYS(exit_group)};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

}  // namespace

bool forbid_calls(std::string& why) {
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) {
    why = "no memory for a filter";
    return false;
  }
  int error = 0;
  const auto note = [&error](int result) { error = error != 0 ? error : result; };
  note(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
  for (const int call : kAllowed) note(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0));
  note(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX)));
  note(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO)));
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    note(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)));
  // abort() of this process, nobody else's.
  note(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                        SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()))));
  if (error == 0) error = seccomp_load(filter.get());
  if (error == 0) return true;
  why = std::strerror(-error);
  return false;
}

}  // namespace sekisho::control
