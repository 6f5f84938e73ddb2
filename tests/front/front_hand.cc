// A taken-over sekisho-api: becomes its user, closes its sandbox, and then does what an attacker would.
// Prints one line for each deed: NAME done, or NAME and the error. For the tests.
//   front_hand UID:GID DIRECTORY-OF-FRONT RUN STATE PID-OF-SEKISHOD
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "control/front/sandbox.h"

namespace {

void tell(const char* name, bool done) {
  const int error = errno;
  std::printf("%s %s\n", name, done ? "done" : std::strerror(error));
}

int unix_socket(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  std::snprintf(a.sun_path, sizeof a.sun_path, "%s", path.c_str());
  return fd >= 0 && connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0 ? fd : -1;
}

void tell_connect(const char* name, const std::string& path) {
  errno = 0;
  tell(name, unix_socket(path) >= 0);
}

// What front.sock says to nobody.
std::string ask(const std::string& path) {
  const int fd = unix_socket(path);
  if (fd < 0) return std::strerror(errno);
  const std::string request = "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  if (write(fd, request.data(), request.size()) < 0) return std::strerror(errno);
  char buffer[64] = {};
  const ssize_t n = read(fd, buffer, sizeof buffer - 1);
  return n > 12 ? std::string(buffer).substr(9, 3) : std::string("nothing");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sekisho::control;
  if (argc != 6) return 2;
  const std::string front = argv[2], run = argv[3], state = argv[4];
  const pid_t sekishod = std::atoi(argv[5]);
  std::string why;
  if (!become(argv[1], why)) {
    std::printf("become: %s\n", why.c_str());
    return 1;
  }
  std::printf("landlock: %s\n", forbid_files().c_str());
  if (!forbid_calls(why)) {
    std::printf("sandbox: %s\n", why.c_str());
    return 1;
  }
  for (const auto& [name, path] : {std::pair{"write-words", run + "/words"},
                                   {"write-audit", state + "/audit/audit.jsonl"},
                                   {"write-latch", state + "/latch/a"},
                                   {"write-people", state + "/people.json"},
                                   {"write-settings", front + "/api.json"},
                                   {"write-new", front + "/new"}})
    tell(name, open(path.c_str(), O_WRONLY | O_CREAT, 0600) >= 0);
  for (const auto& [name, path] : {std::pair{"read-people", state + "/people.json"},
                                   {"read-audit", state + "/audit/audit.jsonl"},
                                   {"read-passwd", std::string("/etc/passwd")},
                                   {"read-key", front + "/key.pem"}})
    tell(name, open(path.c_str(), O_RDONLY) >= 0);
  tell("list-front", opendir(front.c_str()) != nullptr);
  tell("unlink-front", unlink((front + "/api.json").c_str()) == 0);
  tell_connect("connect-api.sock", run + "/api.sock");
  tell_connect("connect-cut.sock", run + "/cut.sock");
  tell_connect("connect-dataplane.sock", run + "/dataplane.sock");
  tell("tcp-socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
  tell("udp-socket", socket(AF_INET6, SOCK_DGRAM, 0) >= 0);
  tell("packet-socket", socket(AF_PACKET, SOCK_RAW, 0) >= 0);
  tell("netlink-socket", socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
  tell("ptrace", ptrace(PTRACE_ATTACH, sekishod, nullptr, nullptr) == 0);
  char byte = 0;
  iovec local{&byte, 1}, remote{reinterpret_cast<void*>(0x10000), 1};
  tell("read-memory", process_vm_readv(sekishod, &local, 1, &remote, 1, 0) == 1);
  tell("kill", kill(sekishod, SIGTERM) == 0);
  tell("fork", fork() >= 0);
  char* const none[] = {nullptr};
  tell("exec", execve("/bin/true", none, none) == 0);
  tell("setuid", setuid(0) == 0);
  tell("executable-memory", mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  tell("chmod", chmod((front + "/api.json").c_str(), 0777) == 0);
  std::printf("front.sock %s\n", ask(front + "/front.sock").c_str());
  std::printf("front-cut.sock %s\n", ask(front + "/front-cut.sock").c_str());
  return 0;
}
