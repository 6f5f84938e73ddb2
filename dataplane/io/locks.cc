// Who owns what: lock files, released by the kernel when their owner dies.
#include <fcntl.h>
#include <net/if.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "dataplane/io/kernel_port.h"

namespace sekisho::io {

Descriptor lock_file(const std::string& path, std::string& why) {
  Descriptor fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    why = path + ": " + std::strerror(errno);
    return {};
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    why = errno == EWOULDBLOCK ? path + " is held by another dataplane" : path + ": " + std::strerror(errno);
    return {};
  }
  return fd;
}

namespace {
bool make_directory(const std::string& path, std::string& why) {
  mkdir(path.substr(0, path.rfind('/')).c_str(), 0755);
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return true;
  why = path + ": " + std::strerror(errno);
  return false;
}
}  // namespace

bool PortLocks::take(std::span<const abi::PortRecord> ports, std::string& why) {
  struct stat space {};
  if (stat("/proc/self/ns/net", &space) != 0) space.st_ino = 0;
  for (const abi::PortRecord& port : ports) {
    std::string name;
    if (port.kernel_owned != 0) {
      name =
          "net" + std::to_string(space.st_ino) + "-" + std::to_string(if_nametoindex(port.kernel_interface));
    } else if (std::isxdigit(static_cast<unsigned char>(port.device[0])) != 0) {  // a PCI address
      for (const char* p = port.device; *p != '\0' && *p != ','; ++p) name += *p == '/' ? '_' : *p;
    } else {
      continue;
    }
    if (!make_directory(directory_, why)) return false;
    Descriptor lock = lock_file(directory_ + "/port-" + name + ".lock", why);
    if (!lock) {
      why = std::string("port ") + port.name + ": " + why;
      return false;
    }
    held_.push_back(std::move(lock));
  }
  return true;
}

}  // namespace sekisho::io
