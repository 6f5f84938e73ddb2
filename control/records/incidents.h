// Alerts put together: one incident is what one host did in one hour of one ATT&CK technique (signature
// metadata mitre_technique_id), or of one classtype where the signature names no technique. The host is the
// one that began the flow: whom a quarantine would stop.
//
// add() counts in memory; a thread writes to records.db once a second, so that a flood of alerts costs a map
// look-up each. Bounds: kPending groups between two writes, kOfAnHour new incidents in one hour; alerts
// beyond are counted in status().ungrouped (the event store has them all).
//
// States: new, valid, false, closed. Every change is an entry with who and when; the audit has it too (the
// route writes that). Kept for `keep_s`, at least a year, and never removed to make room for new ones.
//
// Thread: any; the readers and changers throw DatabaseError, and Refused where the request is at fault.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "control/records/database.h"
#include "dataplane/abi/event.h"
#include "signatures/info.h"

namespace sekisho::control {

struct IncidentStatus {
  std::uint64_t alerts = 0;     // grouped
  std::uint64_t ungrouped = 0;  // a bound was reached, or records.db could not be written
  std::string error;            // of the last write; empty: fine
};

class Incidents {
 public:
  static constexpr std::size_t kPending = 8192, kOfAnHour = 4096, kPeers = 64;
  static constexpr std::uint64_t kLeastKeep_s = 365ull * 86400;

  explicit Incidents(SharedDatabase& records);
  ~Incidents();  // writes what is pending

  // REQUIRES: event.kind == alert.
  void add(const abi::Event& event, const signatures::SignatureInfo& signature, std::string_view link,
           std::uint64_t wall_ns);
  void flush();  // writes now what is pending
  IncidentStatus status() const;
  void set_keep(std::uint64_t seconds);

  struct Refused : std::runtime_error {
    Refused(bool unknown, const std::string& what) : std::runtime_error(what), unknown_id(unknown) {}
    bool unknown_id;
  };
  // Newest first. `state` empty: all.
  nlohmann::json list(const std::string& state, std::size_t limit);
  // With its signatures, the hosts on the other side, and its entries.
  nlohmann::json one(std::int64_t id);
  void set_state(std::int64_t id, const std::string& state, const std::string& who, std::uint64_t wall_ns);
  void note(std::int64_t id, const std::string& kind, const std::string& text, const std::string& who,
            std::uint64_t wall_ns);
  // How many are in each state.
  nlohmann::json counts();

 private:
  struct Key {
    std::array<std::uint8_t, 16> host{};
    std::uint8_t version = 0;
    std::uint32_t gid = 0, sid = 0;
    std::int64_t hour = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  struct Peer {
    std::array<std::uint8_t, 16> address{};
    std::uint64_t alerts = 0;
  };
  struct Pending {
    std::string technique, name, tactic, msg, link;
    bool by_technique = false;
    std::uint8_t severity = 255;
    std::uint64_t alerts = 0, blocked = 0;
    std::int64_t first_us = INT64_MAX, last_us = INT64_MIN;
    std::vector<Peer> peers;
  };
  using Groups = std::unordered_map<Key, Pending, KeyHash>;
  void run();
  void write(const Groups& groups);
  // Returns alerts that had no room.
  static std::uint64_t write_to(Database& db, const Groups& groups);
  void retain();

  SharedDatabase& records_;
  mutable std::mutex mutex_;
  std::mutex writing_;
  std::condition_variable stopping_;
  Groups pending_;
  IncidentStatus status_;
  std::uint64_t keep_s_ = 3 * kLeastKeep_s;
  std::uint64_t next_retain_ns_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sekisho::control
