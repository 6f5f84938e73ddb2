// Who gives transactions back: a parser those that it still has open when it is destroyed, the host those
// finished on both sides (transaction.h). A conversation is left at any byte; the pool must be empty then.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/app/recording_host.h"

namespace sekisho::app {

using Turns = std::vector<std::pair<Direction, std::string>>;

// Feeds `bytes` bytes of the turns in pieces of 1..most, then destroys the parser. `judged`: after the end of
// the packet, else before it.
inline std::size_t left_after(const ProtocolEntry& entry, const Turns& turns, std::size_t bytes,
                              std::size_t most, bool judged, bool datagrams, FlowFacts facts = {}) {
  RecordingHost host(4u << 20);
  host.logs = true;
  Parser* parser = entry.make(host);
  host.parser = parser;
  std::minstd_rand random(static_cast<std::uint32_t>(bytes + 1));
  bool first[2] = {true, true}, going = true;
  for (const auto& [d, text] : turns)
    for (std::size_t at = 0; at < text.size() && bytes != 0 && going;) {
      std::size_t n = std::min({text.size() - at, bytes, datagrams ? text.size() : 1 + random() % most});
      const std::vector<std::uint8_t> copy(text.begin() + static_cast<std::ptrdiff_t>(at),
                                           text.begin() + static_cast<std::ptrdiff_t>(at + n));
      const FeedFlags flags{.first = first[index(d)], .end = datagrams, .established = true};
      first[index(d)] = false;
      going = parser->feed(d, copy, flags, facts, host) == Fed::ok;
      at += n;
      bytes -= n;
      if (judged || (bytes != 0 && going)) host.end_of_packet();
    }
  host.parser = nullptr;
  parser->destroy(host.pool());
  host.end_of_packet();
  return host.pool().in_use();
}

inline void expect_given_back(const ProtocolEntry& entry, const Turns& turns, bool datagrams = false,
                              FlowFacts facts = {}) {
  std::size_t all = 0;
  for (const auto& [d, text] : turns) all += text.size();
  const std::size_t step = all > 2000 ? all / 1000 : 1;
  for (std::size_t bytes = 0; bytes <= all; bytes += step)
    for (const std::size_t most : {std::size_t{1} << 20, 1 + bytes % 97})
      for (const bool judged : {true, false})
        ASSERT_EQ(left_after(entry, turns, bytes, most, judged, datagrams, facts), 0u)
            << "left after " << bytes << " of " << all << " bytes, pieces of " << most << ", judged "
            << judged;
}

}  // namespace sekisho::app
