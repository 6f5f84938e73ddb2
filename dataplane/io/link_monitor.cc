#include "dataplane/io/link_monitor.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace sekisho::io {

LinkMonitor::LinkMonitor() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (fd_ && bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd_.reset();
}

// What changed is asked of the interfaces themselves; an overflow (ENOBUFS) loses nothing then.
void LinkMonitor::drain() {
  char buffer[8192];
  for (int i = 0; i < 64 && recv(fd_.get(), buffer, sizeof buffer, 0) > 0; ++i) {
  }
}

}  // namespace sekisho::io
