// What a trial and a search came to, as the measuring programs answer it.
#pragma once

#include <string>

#include "dataplane/measure/json_line.h"
#include "dataplane/measure/search.h"

namespace sekisho::measure {

inline std::string json(const Trial& t) {
  return JsonLine()
      .add("rate", t.rate)
      .add("seconds", t.seconds)
      .add("sent", t.sent)
      .add("lost", t.lost)
      .add("loss", t.loss())
      .text();
}

inline std::string json(const Found& f) {
  return JsonLine().add("rate", f.rate).add("above", f.above).add("trials", f.trials.size()).text();
}

}  // namespace sekisho::measure
