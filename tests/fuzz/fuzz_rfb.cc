// rfb: arbitrary streams in pieces; all memory comes back.
#include "dataplane/app/rfb.h"
#include "tests/fuzz/app_feed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sekisho::app::feed_parser(sekisho::app::kRfbEntry, data, size);
  return 0;
}
