// Plays a conversation to a parser, cut into pieces of any size, and gives what the host was told: all lines
// in order but the pieces of bodies, which follow at the end, each body put together ("0> file.data = ...").
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/app/ownership.h"

namespace sekisho::app {

inline Bytes as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

struct Script {
  std::vector<std::pair<Direction, std::string>> turns;
  Script& c(std::string text) {
    turns.emplace_back(Direction::to_server, std::move(text));
    return *this;
  }
  Script& s(std::string text) {
    turns.emplace_back(Direction::to_client, std::move(text));
    return *this;
  }
};

struct Played {
  std::vector<std::string> lines;
  std::size_t left = 0;  // bytes in use after all transactions and the parser are gone
  bool failed = false;
  FlowFacts facts;
  bool has(const std::string& line) const {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
  std::size_t count(const std::string& part) const {
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(), [&](const std::string& l) { return l.find(part) != std::string::npos; }));
  }
  std::string all() const {
    std::string out;
    for (const std::string& line : lines) out.append(line).append("\n");
    return out;
  }
};

// `piece` gives the size of the next piece, at least 1.
inline Played play(const ProtocolEntry& entry, const Script& script,
                   const std::function<std::size_t()>& piece, bool end = true, bool logs = true,
                   FlowFacts facts = {}) {
  RecordingHost host;
  host.logs = logs;
  Played played;
  played.facts = facts;
  Parser* parser = entry.make(host);
  host.parser = parser;
  bool first[2] = {true, true};
  for (const auto& [d, text] : script.turns)
    for (std::size_t at = 0; at < text.size() && !played.failed;) {
      const std::size_t n = std::min(std::max<std::size_t>(piece(), 1), text.size() - at);
      // In memory of its own, so that a sanitizer sees what is read beyond it.
      const std::vector<std::uint8_t> copy(text.begin() + static_cast<std::ptrdiff_t>(at),
                                           text.begin() + static_cast<std::ptrdiff_t>(at + n));
      FeedFlags flags{.first = first[index(d)], .end = false, .established = true};
      first[index(d)] = false;
      if (parser->feed(d, copy, flags, played.facts, host) == Fed::failed) played.failed = true;
      host.end_of_packet();
      at += n;
    }
  if (end && !played.failed)
    for (const Direction d : {Direction::to_server, Direction::to_client}) {
      parser->feed(d, {}, {.first = false, .end = true, .established = true}, played.facts, host);
      host.end_of_packet();
    }
  host.parser = nullptr;
  parser->destroy(host.pool());
  played.left = host.pool().in_use();
  std::map<std::string, std::string> bodies;
  for (const std::string& line : host.lines) {
    const std::size_t plus = line.find("+ ");
    if (plus != std::string::npos && plus < 24)
      bodies[line.substr(0, plus)] += line.substr(plus + 2);
    else
      played.lines.push_back(line);
  }
  for (const auto& [key, text] : bodies) played.lines.push_back(std::string(key).append(" = ").append(text));
  return played;
}

inline Played play(const ProtocolEntry& entry, const Script& script) {
  return play(entry, script, [] { return std::size_t{1} << 30; });
}

// Any segmentation tells the same.
inline void expect_any_segmentation(const ProtocolEntry& entry, const Script& script, FlowFacts facts = {}) {
  const auto whole = [] { return std::size_t{1} << 30; };
  const Played reference = play(entry, script, whole, true, true, facts);
  std::size_t longest = 0;
  for (const auto& [d, text] : script.turns) longest = std::max(longest, text.size());
  EXPECT_EQ(play(
                entry, script, [] { return std::size_t{1}; }, true, true, facts)
                .all(),
            reference.all());
  const std::size_t step = longest > 4000 ? longest / 1000 : 1;
  for (std::size_t cut = 1; cut < longest; cut += step) {
    bool turn = false;
    const Played cut_once = play(
        entry, script, [&] { return (turn = !turn) ? cut : std::size_t{1} << 30; }, true, true, facts);
    ASSERT_EQ(cut_once.all(), reference.all()) << "cut at " << cut;
  }
  expect_given_back(entry, script.turns, false, facts);
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    const std::size_t most = 1 + random() % 200;
    ASSERT_EQ(play(
                  entry, script, [&] { return 1 + random() % most; }, true, true, facts)
                  .all(),
              reference.all());
  }
}

}  // namespace sekisho::app
