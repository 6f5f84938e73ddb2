#include "control/daemon/compile_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <vector>

#include "control/ips/prepare.h"
#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/policy/compile.h"
#include "dataplane/base/clock.h"
#include "signatures/info.h"

extern char** environ;

namespace sekisho::control {
namespace {

constexpr rlim_t kChildMemory = 4ull << 30;
constexpr std::uint64_t kChildTime = 120 * kSecond;
constexpr int kChildNice = 10;  // a tenth of a core beside a process that never sleeps
constexpr std::size_t kMaxProtectedBytes = 64 + 2 * kMaxAssets * sizeof(abi::Interval6);
constexpr std::size_t kMaxDiagnosticsText = 4u << 20;

bool write_all(int fd, const void* data, std::size_t size) {
  const char* p = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = write(fd, p, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

std::string read_all(int fd, std::size_t bound) {
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || out.size() + static_cast<std::size_t>(n) > bound) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

// Reads until end or deadline; false on the deadline.
bool read_until(int fd, std::string& out, std::uint64_t deadline) {
  char buffer[65536];
  for (;;) {
    const std::uint64_t now = monotonic_ns();
    if (now >= deadline) return false;
    pollfd p{fd, POLLIN, 0};
    if (poll(&p, 1, static_cast<int>((deadline - now) / kMillisecond) + 1) <= 0) continue;
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    if (out.size() < kMaxDiagnosticsText) out.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace

CompiledSite compile_in_child(const std::string& program, const std::string& text,
                              const std::string& file_name, std::uint64_t generation,
                              const std::string& state_directory, const ProtectedAddresses& care) {
  CompiledSite site;
  Descriptor input(memfd_create("sekisho-config", MFD_CLOEXEC));
  Descriptor output(memfd_create("sekisho-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  Descriptor hosts(memfd_create("sekisho-protected", MFD_CLOEXEC));
  const std::string packed = pack(care);
  int pipe_fds[2] = {-1, -1};
  if (hosts.get() < 0 || !write_all(hosts.get(), packed.data(), packed.size()) ||
      lseek(hosts.get(), 0, SEEK_SET) != 0 || input.get() < 0 || output.get() < 0 ||
      !write_all(input.get(), text.data(), text.size()) || lseek(input.get(), 0, SEEK_SET) != 0 ||
      pipe2(pipe_fds, O_CLOEXEC) != 0) {
    site.failure = std::string("cannot start the compiler: ") + std::strerror(errno);
    return site;
  }
  // Out of the way of the numbers that the child is given.
  hosts = Descriptor(fcntl(hosts.get(), F_DUPFD_CLOEXEC, 16));
  Descriptor from_child(pipe_fds[0]), to_parent(pipe_fds[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, to_parent.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, output.get(), 3);
  posix_spawn_file_actions_adddup2(&actions, hosts.get(), 4);
  const std::string number = std::to_string(generation);
  std::vector<char*> argv;
  for (const std::string& s : {program, std::string("--compile-child"), number, file_name, state_directory})
    argv.push_back(strdup(s.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int spawned = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  for (char* a : argv) free(a);
  to_parent = Descriptor();
  if (spawned != 0) {
    site.failure = std::string("cannot start the compiler: ") + std::strerror(spawned);
    return site;
  }
  std::string said;
  const bool in_time = read_until(from_child.get(), said, monotonic_ns() + kChildTime);
  if (!in_time) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const auto json = nlohmann::json::parse(said, nullptr, false);
  const bool sound = json.is_object() && json.contains("diagnostics");
  if (!in_time) {
    site.failure = "the compiler took longer than 120 s";
  } else if (!WIFEXITED(status) || WEXITSTATUS(status) > 1 || !sound) {
    site.failure = "the compiler ended abnormally (memory limit 4 GiB?)";
  } else if (WEXITSTATUS(status) == 0) {
    struct stat st {};
    if (fcntl(output.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0 ||
        fstat(output.get(), &st) != 0 || st.st_size == 0) {
      site.failure = std::string("cannot seal the snapshot: ") + std::strerror(errno);
    } else {
      site.bytes = static_cast<std::uint64_t>(st.st_size);
      site.snapshot = std::move(output);
    }
  }
  site.diagnostics = sound ? json.at("diagnostics").dump() : "[]";
  if (sound && json.contains("signatures")) site.signatures = json.at("signatures").dump();
  return site;
}

std::string set_info_path(const std::string& state_directory, const std::string& hash) {
  return state_directory + "/cache/sets/" + hash + ".info";
}

namespace {

// Names of sets that were compiled for a look only go with the next ones.
std::string keep_info(const signatures::SetInfo& info, const std::string& state_directory) {
  constexpr std::size_t kKept = 16;
  namespace fs = std::filesystem;
  const std::string path = set_info_path(state_directory, signatures::hex_of(info.hash));
  const fs::path folder = fs::path(path).parent_path();
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (std::string why = signatures::save_info(info, path); !why.empty()) return why;
  std::vector<std::pair<fs::file_time_type, fs::path>> all;
  for (const auto& entry : fs::directory_iterator(folder, ec))
    all.emplace_back(entry.last_write_time(ec), entry.path());
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i + kKept < all.size(); ++i) fs::remove(all[i].second, ec);
  return {};
}

// The shadow memory of AddressSanitizer alone is larger than any limit on the address space.
void limit_memory() {
#ifndef __SANITIZE_ADDRESS__
  const rlimit memory{kChildMemory, kChildMemory};
  setrlimit(RLIMIT_AS, &memory);
#endif
}

// A worker that polls never yields, so on its core the compiler would get what its priority gives it; where
// every core has a worker it stays where it is.
void leave_cores_of_workers(const abi::Settings& settings) {
  cpu_set_t free;
  if (sched_getaffinity(0, sizeof free, &free) != 0) return;
  for (std::uint32_t w = 0; w < settings.workers; ++w)
    if (settings.cores[w] < CPU_SETSIZE) CPU_CLR(settings.cores[w], &free);
  if (CPU_COUNT(&free) > 0) sched_setaffinity(0, sizeof free, &free);
}

}  // namespace

int compile_child_main(const std::string& file_name, std::uint64_t generation,
                       const std::string& state_directory) {
  limit_memory();
  setpriority(PRIO_PROCESS, 0, kChildNice);
  try {
    const std::string text = read_all(0, kMaxConfigBytes + 1);
    ProtectedAddresses care;
    if (!unpack(read_all(4, kMaxProtectedBytes), care)) return 2;
    ReadResult read = read_config(text, file_name);
    std::vector<Diagnostic> diagnostics = std::move(read.diagnostics);
    bool ok = false;
    std::string summary;
    if (read.ok()) {
      leave_cores_of_workers(read.model->settings);
      PrepareOptions options;
      options.state_directory = state_directory;
      options.now_wall_s = wall_ns() / kSecond;
      PreparedSet set = prepare_set(*read.model, options);
      if (set.ok && set.present && !state_directory.empty()) {
        if (const std::string why = keep_info(set.info, state_directory); !why.empty()) {
          set.ok = false;
          set.diagnostics.push_back(
              {Diagnostic::Severity::error, {}, "the names of the signatures cannot be kept: " + why, ""});
        }
      }
      diagnostics.insert(diagnostics.end(), set.diagnostics.begin(), set.diagnostics.end());
      if (set.ok) {
        CompileResult compiled = compile(*read.model, generation, set.present ? &set.part : nullptr, care);
        diagnostics.insert(diagnostics.end(), compiled.diagnostics.begin(), compiled.diagnostics.end());
        ok = compiled.ok() && write_all(3, compiled.bytes.data(), compiled.bytes.size());
        if (compiled.ok() && !ok) return 2;
        if (set.present) summary = to_json(set.summary);
      }
    }
    std::string json = "{\"diagnostics\":" + to_json(diagnostics, read.files);
    if (!summary.empty()) json += ",\"signatures\":" + summary;
    json += '}';
    if (!write_all(1, json.data(), json.size())) return 2;
    return ok ? 0 : 1;
  } catch (const std::bad_alloc&) {
    return 2;
  }
}

}  // namespace sekisho::control
