// JA4, the TLS client fingerprint of FoxIO (technical_details/JA4.md):
// "t13d1516h2_8daaf6152771_b186095e22b6".
#pragma once

#include <array>

#include "dataplane/app/tls_hello.h"

namespace sekisho::app {

inline constexpr std::size_t kJa4Size = 36;
// Over TCP ("t"). False: more items than kMaxFingerprintItems.
bool ja4(const Hello& client, std::array<std::uint8_t, kJa4Size>& out);

}  // namespace sekisho::app
