#include "control/cli/call.h"

#include <fmt/format.h>

#include <cstdio>

#include "control/api/unix_http.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

Answer answer_of(const httplib::Result& result, const std::string& socket) {
  if (!result) {
    fmt::print(stderr,
               "sekisho: nobody answers at {} (is sekishod running? as root? `sekisho cut --direct` works "
               "without it)\n",
               socket);
    return {kUnreachable, {}};
  }
  Answer answer{kDone, json::parse(result->body, nullptr, false)};
  if (answer.body.is_discarded()) {
    fmt::print(stderr, "sekisho: the answer is not JSON (status {})\n", result->status);
    return {kUnreachable, {}};
  }
  if (result->status != 200) {
    const json error = answer.body.value("error", json::object());
    fmt::print(stderr, "sekisho: {}: {}\n", error.value("name", "error"), error.value("text", ""));
    answer.exit = kRefused;
  }
  return answer;
}

}  // namespace

Answer get(const Settings& settings, const std::string& path,
           const std::multimap<std::string, std::string>& query) {
  control::UnixHttpClient client(settings.api_socket());
  client.set_read_timeout(60);
  httplib::Params params(query.begin(), query.end());
  return answer_of(client.Get(path, params, httplib::Headers{}), settings.api_socket());
}

Answer post(const Settings&, const std::string& socket, const std::string& path, const json& body,
            unsigned timeout_s) {
  control::UnixHttpClient client(socket);
  client.set_read_timeout(timeout_s);
  return answer_of(client.Post(path, body.dump(), "application/json"), socket);
}

bool print_json(const Settings& settings, const json& body) {
  if (settings.json) fmt::print("{}\n", body.dump(2, ' ', false, json::error_handler_t::replace));
  return settings.json;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (width.size() <= i) width.push_back(0);
      width[i] = std::max(width[i], row[i].size());
    }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], width[i]);
    fmt::print("{}\n", line);
  }
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string host_text(const json& host) {
  const std::string address = host.value("address", "?");
  if (!host.contains("name")) return address;
  return host.value("name", "") + " (" + address + ")";
}

}  // namespace sekisho::cli
