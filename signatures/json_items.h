// Items of a data set in a JSON file (dataset: format json, ndjson).
//
// Source: Suricata user guide, "Datasets": `format json` is an array, or an object that holds it under
// array_key; `format ndjson` is one object a line. The item is the string under value_key. Both keys may be
// paths with dots. An element without that string is skipped, as there.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace sekisho::signatures {

struct JsonItems {
  bool lines = false;  // ndjson
  std::string value_key, array_key;
};

// Calls each(value); it returns why the value is bad, or "". Returns the first fault, or "".
std::string json_items(std::string_view text, const JsonItems& how,
                       const std::function<std::string(std::string_view)>& each);

}  // namespace sekisho::signatures
