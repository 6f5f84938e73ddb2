// Which descriptors did a driver open, and can one of them wake a sleeping worker? Drivers do not say; so the
// process' descriptors are compared before and after. Thread: the steward, before workers run.
#pragma once

#include <set>
#include <vector>

namespace sekisho::io {

std::set<int> open_descriptors();

// Of those opened since `before`: sockets of AF_XDP and AF_PACKET, and queues of tap devices, that poll()
// does not report as broken. Ascending.
std::vector<int> wakers_since(const std::set<int>& before);

}  // namespace sekisho::io
