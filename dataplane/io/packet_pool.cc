#include "dataplane/io/packet_pool.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace sekisho::io {

namespace {

constexpr std::size_t kHugePage = 2u << 20;
constexpr unsigned kPageShift = 12;

std::size_t round_up(std::size_t n, std::size_t unit) {
  return (n + unit - 1) / unit * unit;
}

void unmap(rte_mempool_memhdr*, void*) {}  // the pool is not freed before the process ends

// One piece, which is what af_xdp makes its UMEM of.
bool populate(rte_mempool* pool, PoolMemory memory, std::uint64_t most, std::string& why) {
  std::size_t least = 0, align = 0;
  const ssize_t size = rte_mempool_op_calc_mem_size_default(
      pool, pool->size, memory == PoolMemory::by_page ? kPageShift : 0, &least, &align);
  if (size <= 0 || static_cast<std::uint64_t>(size) > most) {
    why = "more than memory_mb allows";
    return false;
  }
  const std::size_t bytes = round_up(static_cast<std::size_t>(size), kHugePage);
  void* const mapping =
      mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    why = std::strerror(errno);
    return false;
  }
  auto* const base = reinterpret_cast<char*>(round_up(reinterpret_cast<std::uintptr_t>(mapping), kHugePage));
  madvise(base, bytes, MADV_HUGEPAGE);
  const int filled = rte_mempool_populate_iova(pool, base, RTE_BAD_IOVA, bytes, unmap, nullptr);
  if (filled == static_cast<int>(pool->size)) return true;
  why = filled < 0 ? rte_strerror(-filled) : "its memory is too small";
  return false;
}

}  // namespace

rte_mempool* make_packet_pool(std::uint64_t count, std::uint16_t room, std::uint32_t cache, PoolMemory memory,
                              std::uint64_t most, std::string& why) {
  const auto n = static_cast<unsigned>(count);
  if (memory == PoolMemory::eal) {
    rte_mempool* const pool = rte_pktmbuf_pool_create("packets", n, cache, 0, room, SOCKET_ID_ANY);
    if (pool == nullptr) why = rte_strerror(rte_errno);
    return pool;
  }
  rte_mempool* const pool = rte_mempool_create_empty(
      "packets", n, static_cast<unsigned>(sizeof(rte_mbuf)) + room, cache, sizeof(rte_pktmbuf_pool_private),
      SOCKET_ID_ANY, memory == PoolMemory::packed ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0);
  if (pool == nullptr) {
    why = rte_strerror(rte_errno);
    return nullptr;
  }
  rte_pktmbuf_pool_private own{};
  own.mbuf_data_room_size = room;
  if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr) != 0) {
    why = "no such kind of pool";
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_pktmbuf_pool_init(pool, &own);
  if (!populate(pool, memory, most, why)) {
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

PoolMemory pool_memory_for(const char* device) {
  const std::string_view name(device);
  if (name.starts_with("net_af_xdp")) return PoolMemory::by_page;
  for (const std::string_view driver :
       {"net_af_packet", "net_pcap", "net_null", "net_ring", "net_tap", "net_memif"}) {
    if (name.starts_with(driver)) return PoolMemory::packed;
  }
  return PoolMemory::eal;
}

}  // namespace sekisho::io
