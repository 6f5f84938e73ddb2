// How grave an alert is: 1 informational, 2 minor, 3 major, 4 critical. What the signature's metadata says
// (signature_severity, as Emerging Threats writes it), else from its priority: 1 major, 2 minor, 3 and
// beyond informational. Pure; any thread.
#pragma once

#include "dataplane/abi/event.h"
#include "signatures/info.h"

namespace sekisho::control {

// signature: null when its set is not known any more.
unsigned alert_severity(const signatures::SignatureInfo* signature, const abi::Event& event);

}  // namespace sekisho::control
