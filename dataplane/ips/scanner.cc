#include "dataplane/ips/scanner.h"

#include <hs/hs.h>

namespace sekisho::ips::detail {

bool run_hyperscan(const hs_database* database, std::span<const std::uint8_t> bytes, hs_scratch* scratch,
                   OnMatch on_match, void* context) noexcept {
  return hs_scan(database, reinterpret_cast<const char*>(bytes.data()), static_cast<unsigned>(bytes.size()),
                 0, scratch, on_match, context) == HS_SUCCESS;
}

}  // namespace sekisho::ips::detail
