// Which worker owns a packet: a symmetric function of the two addresses alone, so that both directions of a
// flow, its fragments, and ICMP errors about it (by the quoted addresses) meet on one worker.
//
// In software the hash is packet/key.h's. Where NICs steer, it is the Toeplitz hash that they compute (key
// 6d5a…, addresses only), and software corrects only what a NIC cannot know: ICMP errors.
// Thread: immutable; any worker.
#pragma once

#include <cstdint>

#include "dataplane/abi/session.h"
#include "dataplane/packet/packet.h"

namespace sekisho::io {

class Steering {
 public:
  Steering(std::uint32_t workers, bool hardware) : workers_(workers), hardware_(hardware) {}

  bool needed() const { return workers_ > 1; }
  bool hardware() const { return hardware_; }
  // Of a parsed packet and its key.
  std::uint32_t owner(const Packet& packet, const FlowKey& key) const;
  // Of a flow to be taken up again.
  std::uint32_t owner(const abi::FlowRecord& record) const;

 private:
  std::uint32_t workers_;
  bool hardware_;
};

// The Toeplitz hash with the symmetric key over source and destination. `bytes`: 4 or 16 each.
std::uint32_t symmetric_toeplitz(const std::uint8_t* a, const std::uint8_t* b, std::uint32_t bytes);

// Cheap look at the bytes: could this be an ICMP or ICMPv6 message? No false "no" except behind IPv6
// extension headers other than the first, where ICMP errors are not found.
bool may_be_icmp(const std::uint8_t* data, std::uint32_t length);

}  // namespace sekisho::io
