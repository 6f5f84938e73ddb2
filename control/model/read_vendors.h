// Inside of the configuration reader: parts of [[vendor]]. Not for other rooms.
#pragma once

#include "control/model/reader.h"

namespace sekisho::control {

// [vendor.suspend], or suspend = { … }.
void read_vendor_suspend(VendorSuspend& suspend, const TomlNode& node, Findings& findings);

}  // namespace sekisho::control
