// Thresholds, detection filters, rate filters and suppressions, as in Suricata's user guide ("Thresholding
// Keywords", "Global-Thresholds"). Counted in the table that all workers share.
#pragma once

#include "dataplane/ips/evaluator_context.h"
#include "dataplane/ips/host_state.h"
#include "dataplane/ips/set_view.h"

namespace sekisho::ips {

enum class ThresholdVerdict : std::uint8_t {
  alert,   // as if there were no threshold
  silent,  // over the limit: no alert; drop and reject still apply
  below,   // not enough yet: no alert. detection_filter: the signature did not match (no action either)
};

struct ThresholdResult {
  ThresholdVerdict verdict = ThresholdVerdict::alert;
  bool new_action = false;  // a rate_filter has fired: `action` instead of the signature's
  abi::SignatureAction action = abi::SignatureAction::alert;
};

// Once for each match of a signature, after its effects. Applies its detection_filter first, then
// suppressions, then its threshold. A table without room lets the alert through (more alerts, never fewer).
ThresholdResult threshold(const SetView& set, std::uint32_t signature, const PacketContext& context,
                          HostState& hosts);

}  // namespace sekisho::ips
