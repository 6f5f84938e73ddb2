// SSH: any two streams, cut in any way, tell the same lines; all memory comes back.
#include "dataplane/app/ssh.h"
#include "tests/fuzz/parser_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sekisho::app::fuzz_stream_parser(sekisho::app::kSshEntry, {data, size});
  return 0;
}
