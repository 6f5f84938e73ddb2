// sekisho-dataplane: forwards packets. Knows what its control socket tells; reads no configuration.
#include <pwd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>

#include "dataplane/base/service_notify.h"
#include "dataplane/io/log.h"
#include "dataplane/io/steward.h"

namespace {

constexpr const char* kHelp =
    "sekisho-dataplane: the packet path of the Sekisho gateway.\n"
    "\n"
    "  --socket PATH     control socket           (/run/sekisho/dataplane.sock)\n"
    "  --lock PATH       one dataplane per file   (the socket's path and .lock)\n"
    "  --guard FILE      XDP guard for af_xdp ports, or none (as installed or built, if it is there)\n"
    "  --bpffs DIR       where its maps are pinned (/sys/fs/bpf)\n"
    "  --user NAME       whom to become once the ports are open (sekisho if there is one, else nobody)\n"
    "  --log-level L     error, warning, info or debug (info)\n"
    "  --version, --help\n"
    "\n"
    "It waits for a management process (sekishod), which hands it the words and a snapshot. SIGTERM stops "
    "it.\n";

int usage(const char* what, const char* which) {
  std::fprintf(stderr, "sekisho-dataplane: %s %s (--help lists the options)\n", what, which);
  return 2;
}

// The guard beside which this program was installed or built.
std::string find_guard() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto& path : {self / "../lib/sekisho/guard.bpf.o", self / "../../control/guard/guard.bpf.o",
                           std::filesystem::path("/usr/lib/sekisho/guard.bpf.o")}) {
    if (std::filesystem::exists(path, error)) return std::filesystem::weakly_canonical(path, error);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sekisho;
  io::StewardOptions options;
  std::string lock;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      std::fputs(kHelp, stdout);
      return 0;
    }
    if (name == "--version") {
      std::puts("sekisho-dataplane " SEKISHO_VERSION);
      return 0;
    }
    std::string level;
    std::string* target = nullptr;
    if (name == "--socket") target = &options.socket;
    if (name == "--lock") target = &lock;
    if (name == "--guard") target = &options.guard;
    if (name == "--bpffs") target = &options.bpffs;
    if (name == "--user") target = &options.user;
    if (name == "--log-level") target = &level;
    if (target == nullptr) return usage("unknown option", argv[i]);
    if (++i == argc) return usage("a value is missing after", name.c_str());
    *target = argv[i];
    if (target != &level) continue;
    if (level == "error") {
      io::set_log_level(io::LogLevel::error);
    } else if (level == "warning") {
      io::set_log_level(io::LogLevel::warning);
    } else if (level == "info") {
      io::set_log_level(io::LogLevel::info);
    } else if (level == "debug") {
      io::set_log_level(io::LogLevel::debug);
    } else {
      return usage("unknown level", argv[i]);
    }
  }
  if (options.user.empty()) options.user = getpwnam("sekisho") != nullptr ? "sekisho" : "nobody";
  if (options.guard.empty()) options.guard = find_guard();
  if (options.guard == "none") options.guard.clear();
  if (lock.empty()) lock = options.socket + ".lock";

  // Before any thread: all of them leave these signals to the steward.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGHUP);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  options.signals = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);

  // The default place exists only once somebody makes it.
  if (options.socket.starts_with("/run/sekisho/")) mkdir("/run/sekisho", 0755);
  std::string why;
  const io::Descriptor held = io::lock_file(lock, why);
  if (!held) {
    io::log_line(io::LogLevel::error, "%s", why.c_str());
    return 1;
  }
  ServiceNotify notify;
  options.notify = &notify;
  try {
    io::Steward steward(options);
    io::log_line(io::LogLevel::info, "%s waits on %s", SEKISHO_VERSION, options.socket.c_str());
    notify.ready();
    return steward.run();
  } catch (const std::exception& e) {
    io::log_line(io::LogLevel::error, "%s", e.what());
    return 1;
  }
}
