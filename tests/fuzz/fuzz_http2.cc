// http2: arbitrary streams in pieces; all memory comes back.
#include "dataplane/app/http2.h"
#include "tests/fuzz/app_feed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sekisho::app::feed_parser(sekisho::app::kHttp2Entry, data, size);
  return 0;
}
