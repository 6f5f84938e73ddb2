// The fields of an `http` record that HTTP/1 and HTTP/2 share.
// Thread: pure.
#pragma once

#include <span>

#include "dataplane/app/parser.h"

namespace sekisho::app {

inline constexpr std::size_t kHttpLogFields = 9;

// What the transaction's buffers give, each at most 8 KiB; how many. REQUIRES: fields.size() >=
// kHttpLogFields.
std::size_t http_log_fields(const Transaction& tx, std::span<Host::Field> fields);

}  // namespace sekisho::app
