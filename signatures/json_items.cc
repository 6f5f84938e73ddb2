#include "signatures/json_items.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace sekisho::signatures {
namespace {

using nlohmann::json;

// What stands at "a.b.c"; nullptr: nothing.
const json* at_path(const json& root, std::string_view path) {
  const json* now = &root;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    if (!now->is_object()) return nullptr;
    const auto found = now->find(std::string(path.substr(0, dot)));
    if (found == now->end()) return nullptr;
    now = &*found;
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  }
  return now;
}

std::string one(const json& element, const JsonItems& how,
                const std::function<std::string(std::string_view)>& each) {
  const json* value = at_path(element, how.value_key);
  return value != nullptr && value->is_string() ? each(value->get_ref<const std::string&>()) : std::string();
}

}  // namespace

std::string json_items(std::string_view text, const JsonItems& how,
                       const std::function<std::string(std::string_view)>& each) {
  if (!how.lines) {
    const json root = json::parse(text, nullptr, false);
    if (root.is_discarded()) return "not JSON";
    const json* list = at_path(root, how.array_key);
    if (list == nullptr || !list->is_array())
      return how.array_key.empty() ? "not an array" : fmt::format("no array under {}", how.array_key);
    for (std::size_t i = 0; i < list->size(); ++i)
      if (std::string why = one((*list)[i], how, each); !why.empty())
        return fmt::format("element {}: {}", i + 1, why);
    return {};
  }
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const json element = json::parse(line, nullptr, false);
    if (!element.is_object()) return fmt::format("line {}: not a JSON object", number);
    if (std::string why = one(element, how, each); !why.empty())
      return fmt::format("line {}: {}", number, why);
  }
  return {};
}

}  // namespace sekisho::signatures
