#include "dataplane/flow/state.h"

#include <algorithm>

namespace sekisho::flow {

namespace {

std::uint32_t milliseconds(std::uint32_t seconds) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{seconds} * 1000, kMaxTimeoutMs));
}

}  // namespace

Timeouts Timeouts::from(const abi::Settings& s) {
  Timeouts t;
  const auto set = [&](State state, std::uint32_t seconds) {
    t.ms[static_cast<std::size_t>(state)] = milliseconds(seconds);
  };
  set(State::none, 0);
  set(State::syn_sent, s.timeout_tcp_opening);
  set(State::syn_received, s.timeout_tcp_opening);
  set(State::established, s.timeout_tcp_established);
  set(State::fin_wait, s.timeout_tcp_closing);
  set(State::closing, s.timeout_tcp_closing);
  set(State::time_wait, s.timeout_tcp_closed);
  set(State::closed, s.timeout_tcp_closed);
  set(State::udp_single, s.timeout_udp_single);
  set(State::udp_stream, s.timeout_udp_stream);
  set(State::icmp_query, s.timeout_icmp);
  set(State::other, s.timeout_other);
  set(State::condemned, s.timeout_condemned);
  return t;
}

std::uint32_t Timeouts::of(State state, std::uint32_t idle_timeout_s) const {
  const bool own = state == State::established || state == State::udp_stream || state == State::other;
  if (own && idle_timeout_s != 0) return milliseconds(idle_timeout_s);
  return ms[static_cast<std::size_t>(state)];
}

}  // namespace sekisho::flow
