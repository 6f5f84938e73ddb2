// libFuzzer target: HTTP. The input is a conversation: pieces with a direction and a length. Whatever it
// says, the parser stays within its bytes, gives all its memory back, and hears the same from pieces as from
// single bytes.
#include <cstdlib>

#include "tests/app/http_script.h"

using namespace sekisho::app;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 8192) return 0;
  std::vector<Said> talk;
  for (std::size_t at = 0; at + 2 < size;) {
    // direction and length; the high bit asks for the longest piece
    const Direction d = (data[at] & 1) != 0 ? Direction::to_client : Direction::to_server;
    std::size_t n = static_cast<std::size_t>(data[at] & 0x7e) << 5 | data[at + 1];
    at += 2;
    n = std::min(n, size - at);
    if (n != 0) talk.push_back({d, std::string(reinterpret_cast<const char*>(data + at), n)});
    at += n;
  }
  http_options().lzma = true;
  const Heard whole = hear(
      talk, [](std::size_t rest) { return rest; }, true, true, true);
  const Heard bytes = hear(
      talk, [](std::size_t) { return 1; }, true, true, true);
  if (whole.leaked != 0 || bytes.leaked != 0) std::abort();
  return 0;
}
