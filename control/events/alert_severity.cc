#include "control/events/alert_severity.h"

#include <strings.h>

#include <iterator>

namespace sekisho::control {

unsigned alert_severity(const signatures::SignatureInfo* s, const abi::Event& e) {
  static constexpr const char* kNames[] = {"informational", "minor", "major", "critical"};
  if (s != nullptr)
    for (const auto& [key, value] : s->metadata) {
      if (key != "signature_severity") continue;
      for (unsigned i = 0; i < std::size(kNames); ++i)
        if (strcasecmp(value.c_str(), kNames[i]) == 0) return i + 1;
    }
  const unsigned priority = s != nullptr ? s->priority : e.priority;
  return priority <= 1 ? 3 : priority == 2 ? 2 : 1;
}

}  // namespace sekisho::control
