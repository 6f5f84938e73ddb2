// Tells at once when an interface of the kernel changes its state (RTMGRP_LINK), so that no packet is given
// to a port that is down and would send it later. Thread: the steward.
#pragma once

#include "dataplane/io/descriptor.h"

namespace sekisho::io {

class LinkMonitor {
 public:
  LinkMonitor();
  int fd() const { return fd_.get(); }  // -1: not available, states are polled
  void drain();

 private:
  Descriptor fd_;
};

}  // namespace sekisho::io
