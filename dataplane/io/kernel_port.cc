#include "dataplane/io/kernel_port.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "dataplane/io/log.h"

namespace sekisho::io {

namespace {

std::string with_errno(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

// Any socket will do to ask about an interface; this family is left to the process (sandbox.h).
Descriptor ioctl_socket() {
  return Descriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

ifreq request_for(const std::string& interface) {
  ifreq r{};
  std::memcpy(r.ifr_name, interface.c_str(), std::min<std::size_t>(interface.size(), IFNAMSIZ - 1));
  return r;
}

bool write_setting(const std::string& path, char value) {
  std::FILE* f = std::fopen(path.c_str(), "we");
  if (f == nullptr) return errno == ENOENT;  // a kernel without that protocol
  const bool written = std::fputc(value, f) != EOF;
  return std::fclose(f) == 0 && written;
}

// An owned port has no address. We do not take one away from whoever set it; we say so.
bool has_address(const std::string& interface) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return false;
  bool found = false;
  for (const ifaddrs* a = list; a != nullptr; a = a->ifa_next) {
    if (a->ifa_addr == nullptr || interface != a->ifa_name) continue;
    found = found || a->ifa_addr->sa_family == AF_INET || a->ifa_addr->sa_family == AF_INET6;
  }
  freeifaddrs(list);
  return found;
}

// Frames that reach the kernel's own receive path (no XDP program, or one that lets pass) end here.
bool drop_at_ingress(const std::string& interface, std::string& why) {
  const unsigned index = if_nametoindex(interface.c_str());
  char commands[400];
  std::snprintf(
      commands, sizeof commands,
      "add table netdev sekisho\n"
      "add chain netdev sekisho port%u { type filter hook ingress device \"%s\" priority -500; policy "
      "drop; }\n",
      index, interface.c_str());
  const std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)> context(nft_ctx_new(NFT_CTX_DEFAULT),
                                                                  &nft_ctx_free);
  if (!context) {
    why = "nftables: no context";
    return false;
  }
  nft_ctx_buffer_error(context.get());
  nft_ctx_buffer_output(context.get());
  if (nft_run_cmd_from_buffer(context.get(), commands) == 0) return true;
  why = std::string("nftables ingress drop: ") + nft_ctx_get_error_buffer(context.get());
  std::replace(why.begin(), why.end(), '\n', ' ');
  return false;
}

bool set_ethtool(int fd, const std::string& interface, std::uint32_t command, std::uint32_t value) {
  struct ethtool_value v {
    command, value
  };
  ifreq r = request_for(interface);
  r.ifr_data = reinterpret_cast<char*>(&v);
  return ioctl(fd, SIOCETHTOOL, &r) == 0;
}

// The gateway wants frames as they were on the wire: none merged, none with the tag taken out.
void offloads_off(const std::string& interface) {
  const Descriptor fd = ioctl_socket();
  for (const std::uint32_t command : {ETHTOOL_SGRO, ETHTOOL_SGSO, ETHTOOL_STSO, ETHTOOL_STXCSUM}) {
    set_ethtool(fd.get(), interface, command, 0);
  }
  struct ethtool_value flags {
    ETHTOOL_GFLAGS, 0
  };
  ifreq r = request_for(interface);
  r.ifr_data = reinterpret_cast<char*>(&flags);
  if (ioctl(fd.get(), SIOCETHTOOL, &r) != 0) return;
  for (const std::uint32_t flag : {ETH_FLAG_LRO, ETH_FLAG_RXVLAN, ETH_FLAG_TXVLAN}) {
    if ((flags.data & flag) == 0) continue;
    if (set_ethtool(fd.get(), interface, ETHTOOL_SFLAGS, flags.data & ~flag)) flags.data &= ~flag;
  }
}

// Ours are the driver's default program, libxdp's dispatcher (which carries it) and the guard.
bool our_program(std::uint32_t id, std::string& name) {
  const Descriptor fd(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  __u32 size = sizeof info;
  if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return false;
  name = info.name;
  return name == "xsk_def_prog" || name == "xdp_dispatcher" || name.starts_with("sekisho");
}

bool detach_stale_program(const std::string& interface, std::string& why) {
  const int index = static_cast<int>(if_nametoindex(interface.c_str()));
  LIBBPF_OPTS(bpf_xdp_query_opts, found);
  if (bpf_xdp_query(index, 0, &found) != 0) {
    why = with_errno("asking for the XDP program");
    return false;
  }
  struct Attached {
    std::uint32_t id, flags;
  };
  for (const Attached a :
       {Attached{found.drv_prog_id, XDP_FLAGS_DRV_MODE}, Attached{found.skb_prog_id, XDP_FLAGS_SKB_MODE},
        Attached{found.hw_prog_id, XDP_FLAGS_HW_MODE}}) {
    if (a.id == 0) continue;
    std::string name;
    if (!our_program(a.id, name)) {
      why =
          "carries an XDP program that is not ours: " + (name.empty() ? "id " + std::to_string(a.id) : name);
      return false;
    }
    if (bpf_xdp_detach(index, a.flags, nullptr) != 0) {
      why = with_errno("detaching the stale XDP program " + name);
      return false;
    }
    log_line(LogLevel::info, "%s: detached the XDP program %s of an earlier run", interface.c_str(),
             name.c_str());
  }
  return true;
}

}  // namespace

bool plain_interface_name(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool harden_kernel_port(const std::string& interface, std::string& why, Warnings& warnings) {
  if (!plain_interface_name(interface)) {
    why = "the interface's name has characters that are not accepted";
    return false;
  }
  if (if_nametoindex(interface.c_str()) == 0) {
    why = "there is no interface " + interface;
    return false;
  }
  const std::string ipv6 = "/proc/sys/net/ipv6/conf/" + interface + "/";
  if (!write_setting(ipv6 + "disable_ipv6", '1')) warnings.push_back(with_errno("IPv6 stays on"));
  if (!write_setting(ipv6 + "forwarding", '0') ||
      !write_setting("/proc/sys/net/ipv4/conf/" + interface + "/forwarding", '0')) {
    warnings.push_back(with_errno("the kernel's forwarding setting cannot be written"));
  }
  if (has_address(interface)) {
    warnings.push_back("it has an address; a gateway port should have none (what arrives for it is dropped)");
  }
  if (!drop_at_ingress(interface, why)) return false;
  offloads_off(interface);
  return detach_stale_program(interface, why);
}

KernelLink kernel_link(const std::string& interface) {
  KernelLink link;
  const Descriptor fd = ioctl_socket();
  ifreq r = request_for(interface);
  if (ioctl(fd.get(), SIOCGIFFLAGS, &r) != 0) return link;
  link.exists = true;
  link.up = (r.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
  if (ioctl(fd.get(), SIOCGIFMTU, &r) == 0) link.mtu = static_cast<std::uint32_t>(r.ifr_mtu);
  if (ioctl(fd.get(), SIOCGIFHWADDR, &r) == 0) std::memcpy(link.mac, r.ifr_hwaddr.sa_data, sizeof link.mac);
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  r.ifr_data = reinterpret_cast<char*>(&channels);
  if (ioctl(fd.get(), SIOCETHTOOL, &r) == 0) {
    link.channels = std::max(1u, channels.combined_count + channels.rx_count);
  }
  return link;
}

bool set_kernel_link(const std::string& interface, bool up) {
  const Descriptor fd = ioctl_socket();
  ifreq r = request_for(interface);
  if (ioctl(fd.get(), SIOCGIFFLAGS, &r) != 0) return false;
  if (up) {
    r.ifr_flags = static_cast<short>(r.ifr_flags | IFF_UP);
  } else {
    r.ifr_flags = static_cast<short>(r.ifr_flags & ~IFF_UP);
  }
  return ioctl(fd.get(), SIOCSIFFLAGS, &r) == 0;
}

}  // namespace sekisho::io
