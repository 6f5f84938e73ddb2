// A conversation fed to the HTTP parser in pieces of any size, and what came of it: buffers by name, events.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/app/http.h"
#include "tests/app/ownership.h"

namespace sekisho::app {

struct Said {
  Direction d;
  std::string bytes;
};
inline Said client(std::string s) {
  return {Direction::to_server, std::move(s)};
}
inline Said server(std::string s) {
  return {Direction::to_client, std::move(s)};
}

struct Heard {
  // "0> http.uri" → its values; of a body: one value, all its bytes.
  std::map<std::string, std::vector<std::string>> buffers;
  std::multiset<std::string> events;  // without "event "
  std::vector<std::string> other;     // log, change, …
  std::string all;
  bool failed = false;
  std::size_t leaked = 0, left_over = 0;

  std::string one(const std::string& name) const {
    const auto it = buffers.find(name);
    return it == buffers.end() ? "(none)" : it->second.size() == 1 ? it->second[0] : "(several)";
  }
  bool has(const std::string& name) const { return buffers.contains(name); }
  bool event(const std::string& name) const { return events.contains(name); }
  bool operator==(const Heard& o) const {
    return buffers == o.buffers && events == o.events && failed == o.failed;
  }
};

inline Turns turns(const std::vector<Said>& talk) {
  Turns out;
  for (const Said& s : talk) out.emplace_back(s.d, s.bytes);
  return out;
}

// Feeds the conversation; `cut(rest)` says how many bytes make the next piece.
template <typename Cut>
Heard hear(const std::vector<Said>& talk, Cut cut, bool ends = true, bool logs = false, bool hashes = false) {
  RecordingHost host;
  host.logs = logs;
  host.hashes = hashes;
  Parser* parser = kHttpEntry.make(host);
  host.parser = parser;
  FlowFacts facts;
  Heard h;
  bool first[2] = {true, true};
  for (const Said& s : talk)
    for (std::size_t at = 0; at < s.bytes.size() && !h.failed;) {
      const std::size_t n =
          std::min<std::size_t>(std::max<std::size_t>(1, cut(s.bytes.size() - at)), s.bytes.size() - at);
      // A copy of its own size: reading beyond it is found by a sanitizer.
      const std::vector<std::uint8_t> piece(s.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                            s.bytes.begin() + static_cast<std::ptrdiff_t>(at + n));
      h.failed = parser->feed(s.d, piece, {.first = first[index(s.d)]}, facts, host) != Fed::ok;
      first[index(s.d)] = false;
      if (parser->left_over() != 0) h.left_over += parser->left_over();
      host.end_of_packet();
      at += n;
    }
  if (ends && !h.failed)
    for (const Direction d : {Direction::to_server, Direction::to_client}) {
      parser->feed(d, {}, {.end = true}, facts, host);
      host.end_of_packet();
    }
  parser->destroy(host.pool());
  h.leaked = host.pool().in_use();
  h.all = host.all();
  for (const std::string& line : host.lines) {
    if (line.starts_with("event ")) {
      h.events.insert(line.substr(6));
      continue;
    }
    if (line[0] < '0' || line[0] > '9') {
      h.other.push_back(line);
      continue;
    }
    const std::size_t name = line.find(' '), value = line.find(' ', name + 1);
    std::string key = line.substr(0, value);
    const std::string bytes = value == std::string::npos ? "" : line.substr(value + 1);
    if (key.ends_with(" finish") || key.ends_with(".")) continue;
    if (key.ends_with("+")) {
      key.pop_back();
      auto& v = h.buffers[key];
      if (v.empty()) v.emplace_back();
      v[0] += bytes;
    } else {
      h.buffers[key].push_back(bytes);
    }
  }
  return h;
}
inline Heard hear(const std::vector<Said>& talk) {
  return hear(talk, [](std::size_t rest) { return rest; });
}
inline Said get(std::string_view path = "/") {
  return client(std::string("GET ").append(path).append(" HTTP/1.1\r\nHost: h\r\n\r\n"));
}
inline std::string ok(std::string_view headers, std::string_view body) {
  return std::string("HTTP/1.1 200 OK\r\n").append(headers).append("\r\n").append(body);
}

}  // namespace sekisho::app
