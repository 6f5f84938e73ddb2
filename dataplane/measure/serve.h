// A measuring program as a server of its standard input: one request a line, one JSON object a line back.
#pragma once

#include <functional>
#include <string>

#include "dataplane/measure/words.h"

namespace sekisho::measure {

// Until the end of the input, or a request "quit". What the handler throws is answered as {"error": …}. Lines
// are at most 4096 bytes. Returns the exit status.
int serve(const std::function<std::string(Words&)>& handler);

}  // namespace sekisho::measure
