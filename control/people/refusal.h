// A request refused: thrown by handlers, gates and what they call; answered as it says.
#pragma once

#include <string>

namespace sekisho::control {

struct Refusal {
  int status = 400;
  std::string name, text;
};

}  // namespace sekisho::control
