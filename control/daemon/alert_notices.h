// Alerts of signatures as notices, without a flood: the first of a signature between two hosts at once, what
// follows within a minute as one notice with its count, and no more than kPerMinute in all; what is beyond is
// told as a number.
//
// An alert is told from `minor` on (signature_severity of its metadata, else its priority). Alerts of the
// vendor detectors have notices of their own (control/access).
//
// Thread: event() and pass_done() are the drain's. Never waits.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "control/events/event_sink.h"
#include "control/notice/notice.h"

namespace sekisho::control {

class AlertNotices final : public EventSink {
 public:
  static constexpr std::uint64_t kMinuteNs = 60'000'000'000;
  static constexpr unsigned kPerMinute = 20;
  static constexpr std::size_t kMostGroups = 1024;

  // clock: monotonic ns.
  AlertNotices(NoticeSink& notices, std::function<std::uint64_t()> clock);

  void event(const abi::Event& event, const EventFields& fields, const Names& names, std::uint64_t wall_ns,
             std::string_view line) override;
  void pass_done() override;

 private:
  // Signature's place in its set, and the two hosts.
  using Key = std::array<std::uint8_t, 4 + 8 + 16 + 16>;
  struct Group {
    Notice notice;             // of its first alert
    std::uint64_t since = 0;   // that the last notice was raised
    std::uint64_t unsaid = 0;  // alerts since
  };
  bool take(std::uint64_t now);
  void raise(Group& group, std::uint64_t count, std::uint64_t now);

  NoticeSink& notices_;
  const std::function<std::uint64_t()> clock_;
  std::map<Key, Group> groups_;
  std::uint64_t minute_ = 0, looked_ = 0, beyond_ = 0;
  unsigned raised_ = 0;  // in this minute
};

}  // namespace sekisho::control
