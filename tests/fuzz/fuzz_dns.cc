// DNS: over TCP any two streams, cut in any way, tell the same lines; over UDP each piece is a datagram, and
// tells what it tells over TCP.
#include "dataplane/app/dns.h"
#include "tests/fuzz/parser_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekisho::app;
  const Bytes input(data, size);
  fuzz_stream_parser(kDnsTcpEntry, input);
  const auto pieces = fuzz_pieces(input);
  const std::string datagrams = fuzz_run(kDnsUdpEntry, pieces, 0, true);
  std::vector<std::vector<std::uint8_t>> framed;
  framed.reserve(pieces.size());
  std::vector<FuzzPiece> stream;
  for (const FuzzPiece& p : pieces) {
    if (p.bytes.empty()) continue;
    std::vector<std::uint8_t> message{static_cast<std::uint8_t>(p.bytes.size() >> 8),
                                      static_cast<std::uint8_t>(p.bytes.size())};
    message.insert(message.end(), p.bytes.begin(), p.bytes.end());
    framed.push_back(std::move(message));
    stream.push_back({p.direction, framed.back()});
  }
  require(datagrams == fuzz_run(kDnsTcpEntry, stream, 7, false));
  return 0;
}
