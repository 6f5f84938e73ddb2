#include "control/guard/guard_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <tuple>

#include "dataplane/abi/words.h"

namespace sekisho::control {

namespace {

// As guard.bpf.c declares them; the loader of the dataplane refuses pins of another shape.
struct Shape {
  const char* pin;
  enum bpf_map_type type;
  std::uint32_t key, value, entries, flags;
};
constexpr Shape kShapes[] = {
    {"sekisho_words", BPF_MAP_TYPE_ARRAY, 4, sizeof(sekisho_words), 1, BPF_F_MMAPABLE},
    {"sekisho_beat", BPF_MAP_TYPE_ARRAY, 4, sizeof(sekisho_beat), 1, BPF_F_MMAPABLE},
    {"sekisho_guard", BPF_MAP_TYPE_HASH, sizeof(sekisho_guard_key), sizeof(sekisho_guard_port),
     2 * SEKISHO_MAX_INTERFACES, 0},
    {"sekisho_guard_drops", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, SEKISHO_GUARD_DROPS, 0},
};

std::string error_of(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

bool same_shape(int fd, const Shape& shape) {
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return false;
  return info.type == static_cast<std::uint32_t>(shape.type) && info.key_size == shape.key &&
         info.value_size == shape.value && info.max_entries == shape.entries && info.map_flags == shape.flags;
}

struct Wanted {
  std::map<std::tuple<std::uint32_t, std::uint16_t, std::uint16_t>, sekisho_guard_port> ports;
};

std::uint32_t index_of(const Model& model, const Interface& interface) {
  if (interface.port >= model.ports.size()) return 0;
  const std::string& name = model.ports[interface.port].kernel_interface;
  return name.empty() ? 0 : if_nametoindex(name.c_str());
}

bool declared_open(const Model& model, std::uint32_t link) {
  for (const Link& l : model.links) {
    if (sekisho_link_index(l.zone_a, l.zone_b) == link) return l.fail == abi::FailMode::open;
  }
  return false;
}

// One side of a wire.
void want_side(const Model& model, const Interface& in, const Interface& out, Wanted& wanted,
               std::vector<GuardFinding>& findings) {
  if (in.port >= model.ports.size() || model.ports[in.port].kernel_interface.empty()) return;
  if (in.zone >= SEKISHO_MAX_ZONES || out.zone >= SEKISHO_MAX_ZONES) return;
  const std::uint32_t ifindex = index_of(model, in), peer = index_of(model, out);
  if (ifindex == 0) {
    findings.push_back({in.name, "there is no kernel interface " + model.ports[in.port].kernel_interface});
    return;
  }
  sekisho_guard_port port{};
  port.link = sekisho_link_index(in.zone, out.zone);
  port.fail_mode = SEKISHO_FAIL_CLOSED;
  if (declared_open(model, port.link)) {
    if (peer == 0) {
      findings.push_back({in.name, "fail_open: the wire's other port has no kernel interface; stays closed"});
    } else if (in.outer_vlan != out.outer_vlan || in.inner_vlan != out.inner_vlan) {
      findings.push_back({in.name, "fail_open: the wire's sides have other VLAN tags; stays closed"});
    } else {
      port.fail_mode = SEKISHO_FAIL_OPEN;
      port.peer_ifindex = peer;
    }
  }
  wanted.ports[{ifindex, in.outer_vlan, in.inner_vlan}] = port;
}

// All keys of a map whose keys are of type Key; bounded by the map's entries.
template <typename Key>
std::vector<Key> keys_of(int fd, std::uint32_t entries) {
  std::vector<Key> keys;
  Key at{};
  for (const Key* previous = nullptr; keys.size() < entries; previous = &keys.back()) {
    if (bpf_map_get_next_key(fd, previous, &at) != 0) break;
    keys.push_back(at);
  }
  return keys;
}

}  // namespace

std::string_view guard_state_text(GuardState state) {
  switch (state) {
    case GuardState::closed:
      return "not opened";
    case GuardState::ready:
      return "ready";
    case GuardState::no_bpffs:
      return "no guard: fail-closed by socket loss only (no bpffs)";
    case GuardState::no_permission:
      return "no guard: fail-closed by socket loss only (bpf is not permitted)";
    case GuardState::bad_maps:
      return "no guard: fail-closed by socket loss only (its maps are not usable)";
  }
  return "unknown";
}

GuardMaps::~GuardMaps() {
  for (const int fd : fd_) {
    if (fd >= 0) close(fd);
  }
}

std::string GuardMaps::path(std::size_t map) const {
  return bpffs_ + "/" + kShapes[map].pin;
}

GuardState GuardMaps::fail(GuardState state, std::string detail) {
  for (int& fd : fd_) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
  detail_ = std::move(detail);
  return state_ = state;
}

GuardState GuardMaps::open(const std::string& bpffs) {
  fail(GuardState::closed, "");
  bpffs_ = bpffs;
  struct statfs fs {};
  if (statfs(bpffs.c_str(), &fs) != 0) return fail(GuardState::no_bpffs, error_of(bpffs));
  if (fs.f_type != BPF_FS_MAGIC) return fail(GuardState::no_bpffs, bpffs + " is no bpffs");
  for (std::size_t map = 0; map < kMaps; ++map) {
    const Shape& shape = kShapes[map];
    fd_[map] = bpf_obj_get(path(map).c_str());
    if (fd_[map] < 0 && errno == ENOENT) {
      LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = shape.flags);
      char name[BPF_OBJ_NAME_LEN] = {};
      std::memcpy(name, shape.pin, std::min(std::strlen(shape.pin), sizeof name - 1));
      fd_[map] = bpf_map_create(shape.type, name, shape.key, shape.value, shape.entries, &options);
      if (fd_[map] >= 0 && bpf_obj_pin(fd_[map], path(map).c_str()) != 0) {
        if (errno != EEXIST) return fail(GuardState::bad_maps, error_of("pinning " + path(map)));
        // Somebody else was quicker: theirs is the one.
        close(fd_[map]);
        fd_[map] = bpf_obj_get(path(map).c_str());
      }
    }
    if (fd_[map] < 0) {
      const bool denied = errno == EPERM || errno == EACCES;
      return fail(denied ? GuardState::no_permission : GuardState::bad_maps, error_of(path(map)));
    }
    if (!same_shape(fd_[map], shape)) {
      return fail(GuardState::bad_maps, path(map) + " is a map of another shape");
    }
  }
  return state_ = GuardState::ready;
}

std::vector<GuardFinding> GuardMaps::program(const Model& model) {
  Wanted wanted;
  std::vector<GuardFinding> findings;
  for (const Wire& w : model.wires) {
    if (w.side_a >= model.interfaces.size() || w.side_b >= model.interfaces.size()) continue;
    const Interface &a = model.interfaces[w.side_a], &b = model.interfaces[w.side_b];
    want_side(model, a, b, wanted, findings);
    want_side(model, b, a, wanted, findings);
  }

  for (const auto& [key, port] : wanted.ports) {
    const sekisho_guard_key k{std::get<0>(key), std::get<1>(key), std::get<2>(key)};
    if (bpf_map_update_elem(fd_[kGuard], &k, &port, BPF_ANY) != 0) {
      findings.push_back({std::to_string(k.ifindex), error_of("sekisho_guard")});
    }
  }
  for (const auto& k : keys_of<sekisho_guard_key>(fd_[kGuard], kShapes[kGuard].entries)) {
    if (wanted.ports.contains({k.ifindex, k.outer_vlan, k.inner_vlan})) continue;
    if (bpf_map_delete_elem(fd_[kGuard], &k) != 0 && errno != ENOENT) {
      findings.push_back({std::to_string(k.ifindex), error_of("sekisho_guard")});
    }
  }
  return findings;
}

GuardCounters GuardMaps::counters() const {
  GuardCounters c;
  const int cpus = libbpf_num_possible_cpus();
  if (fd_[kDrops] < 0 || cpus <= 0) return c;
  std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(cpus));
  const auto read = [&](std::uint32_t index) {
    std::uint64_t sum = 0;
    if (bpf_map_lookup_elem(fd_[kDrops], &index, per_cpu.data()) == 0) {
      for (const std::uint64_t n : per_cpu) sum += n;
    }
    return sum;
  };
  c.no_words = read(SEKISHO_GUARD_DROP_NO_WORDS);
  c.unknown_interface = read(SEKISHO_GUARD_DROP_UNKNOWN_INTERFACE);
  c.cut = read(SEKISHO_GUARD_DROP_CUT);
  c.quarantined = read(SEKISHO_GUARD_DROP_QUARANTINE);
  c.fail_closed = read(SEKISHO_GUARD_DROP_FAIL_CLOSED);
  c.malformed = read(SEKISHO_GUARD_DROP_MALFORMED);
  c.passed_open = read(SEKISHO_GUARD_PASSED_OPEN);
  return c;
}

void GuardMaps::unpin() {
  if (bpffs_.empty()) return;
  for (std::size_t map = 0; map < kMaps; ++map) unlink(path(map).c_str());
}

}  // namespace sekisho::control
