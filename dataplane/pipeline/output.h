// What the pipeline needs from the process around it. Implemented by io (DPDK), replay (pcap) and tests.
// Thread: the worker that owns the pipeline.
#pragma once

#include <cstdint>

#include "dataplane/abi/event.h"
#include "dataplane/base/strong_id.h"
#include "dataplane/packet/packet.h"

namespace sekisho::pipeline {

class PacketOutput {
 public:
  // Takes the buffer over. `data`/`length` may differ from what came in (VLAN tags). The implementation
  // batches and sends at flush; what cannot be sent it releases and counts as tx_full.
  virtual void transmit(PortId port, void* buffer, std::uint8_t* data, std::uint32_t length) noexcept = 0;

 protected:
  ~PacketOutput() = default;
};

class EventSink {
 public:
  // False: the ring was full, the event is lost (the caller counts it).
  virtual bool push(const abi::Event& event) noexcept = 0;
  // An event and its texts: all of them or none.
  virtual bool push_group(const abi::Event* events, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i)
      if (!push(events[i])) return false;
    return true;
  }
  // How many single events there is room for now. Asked between bursts, by what can wait.
  virtual std::size_t room() noexcept { return SIZE_MAX; }

 protected:
  ~EventSink() = default;
};

}  // namespace sekisho::pipeline
