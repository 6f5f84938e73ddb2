#include "dataplane/io/guard_beat.h"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/statfs.h>

#include <cerrno>
#include <cstring>

namespace sekisho::io {

bool is_bpffs(const std::string& directory) {
  struct statfs s {};
  return statfs(directory.c_str(), &s) == 0 && s.f_type == BPF_FS_MAGIC;
}

Mapping map_guard_beat(const std::string& bpffs, std::string& why) {
  const std::string path = bpffs + "/sekisho_beat";
  const Descriptor fd(bpf_obj_get(path.c_str()));
  if (!fd) {
    why = path + ": " + std::strerror(errno);
    return {};
  }
  void* data = mmap(nullptr, sizeof(sekisho_beat), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) {
    why = path + " cannot be mapped: " + std::strerror(errno);
    return {};
  }
  std::memset(data, 0, sizeof(sekisho_beat));
  return Mapping(data, sizeof(sekisho_beat));
}

}  // namespace sekisho::io
