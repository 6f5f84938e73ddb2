// The parsers of DCE/RPC over TCP and UDP against arbitrary conversations (tests/fuzz/app_feed.h); the first
// byte chooses.
#include "tests/fuzz/app_feed.h"

namespace sekisho::app {
extern const ProtocolEntry kDcerpcEntry, kDcerpcUdpEntry;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekisho::app;
  if (size != 0) feed_parser((data[0] & 1) != 0 ? kDcerpcUdpEntry : kDcerpcEntry, data + 1, size - 1);
  return 0;
}
