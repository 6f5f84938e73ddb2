// The parser of smb against arbitrary conversations (tests/fuzz/app_feed.h).
#include "tests/fuzz/app_feed.h"

namespace sekisho::app {
extern const ProtocolEntry kSmbEntry;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sekisho::app::feed_parser(sekisho::app::kSmbEntry, data, size);
  return 0;
}
