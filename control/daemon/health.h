// What is not as it should be, each with a name: the health route, the metrics, the alarms. Thread: any.
#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

namespace sekisho::control {

class Daemon;

struct HealthReason {
  std::string
      name;  // "dataplane", "latch", "audit", "disk", "store", "records", "log", "clock", "certificate", …
  std::string text;
};

// Empty: all is well.
std::vector<HealthReason> health_of(Daemon& daemon);
nlohmann::json health_view(const std::vector<HealthReason>& reasons);
nlohmann::json clock_view(Daemon& daemon);

// Tells of what begins and what ends; from one thread.
class HealthAlarm {
 public:
  struct Change {
    std::vector<HealthReason> begun;
    std::vector<std::string> ended;
  };
  Change look(const std::vector<HealthReason>& reasons);

 private:
  std::set<std::string> known_;
};

}  // namespace sekisho::control
