// The pool of packet buffers, and where its memory comes from.
#pragma once

#include <cstdint>
#include <string>

struct rte_mempool;

namespace sekisho::io {

enum class PoolMemory : std::uint8_t {
  packed,   // anonymous memory in transparent huge pages, where the kernel has them; one buffer after the
            // other
  by_page,  // the same, and no buffer crosses a 4 KiB page: af_xdp's zero copy wants that
  eal,      // DPDK's heap: what hardware reads and writes has to lie there
};

// Without huge pages DPDK's heap gives each buffer a 4 KiB page of its own. Each packet then costs address
// translations that miss, and the headers of all buffers compete for the same few lines of the caches.
// Transparent huge pages need no set-up and no privilege; without them this memory is only slower.
//
// count: buffers; room: bytes in each, headroom included; cache: buffers that each worker keeps at hand;
// most: bytes that the pool may take. Null: `why`. The pool lives as long as the process.
rte_mempool* make_packet_pool(std::uint64_t count, std::uint16_t room, std::uint32_t cache, PoolMemory memory,
                              std::uint64_t most, std::string& why);

// What suits a device. For several, the greatest suits all.
PoolMemory pool_memory_for(const char* device);

}  // namespace sekisho::io
