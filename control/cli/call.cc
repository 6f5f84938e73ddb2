#include "control/cli/call.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "control/api/unix_http.h"
#include "control/cli/remote.h"

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

httplib::Headers credentials(const Settings& settings, bool& good) {
  httplib::Headers out;
  if (!settings.token_file.empty()) {
    std::ifstream in(settings.token_file);
    std::string token;
    if (!(in >> token)) {
      fmt::print(stderr, "sekisho: {}: no token in it\n", settings.token_file);
      good = false;
    }
    out.emplace("Authorization", "Bearer " + token);
  } else if (const auto session = load_session(settings.url)) {
    out.emplace("Cookie", "sekisho_session=" + session->id);
    out.emplace("X-Sekisho-CSRF", session->csrf);
  }
  return out;
}

}  // namespace

Answer remote(const Settings& settings,
              const std::function<httplib::Result(httplib::Client&, const httplib::Headers&)>& ask) {
  if (!settings.url.starts_with("https://")) {
    fmt::print(stderr, "sekisho: --url: expected https://HOST:PORT\n");
    return {kUsage, {}};
  }
  bool good = true;
  const httplib::Headers headers = credentials(settings, good);
  if (!good) return {kUsage, {}};
  httplib::Client client(settings.url, settings.certificate, settings.key);
  if (!settings.ca.empty()) client.set_ca_cert_path(settings.ca.c_str());
  client.enable_server_certificate_verification(true);
  client.set_connection_timeout(10);
  client.set_read_timeout(180);
  const httplib::Result result = ask(client, headers);
  if (!result) {
    fmt::print(stderr, "sekisho: {}: {}{}\n", settings.url, httplib::to_string(result.error()),
               result.error() == httplib::Error::SSLServerVerification
                   ? " (is it sekisho's? then give its certificate with --ca)"
                   : "");
    return {kUnreachable, {}};
  }
  return answer_of(result, settings.url);
}

Answer get(const Settings& settings, const std::string& path,
           const std::multimap<std::string, std::string>& query) {
  httplib::Params params(query.begin(), query.end());
  if (!settings.url.empty())
    return remote(settings, [&](httplib::Client& client, const httplib::Headers& headers) {
      return client.Get(path.c_str(), params, headers);
    });
  control::UnixHttpClient client(settings.api_socket());
  client.set_read_timeout(60);
  return answer_of(client.Get(path, params, httplib::Headers{}), settings.api_socket());
}

Answer post(const Settings& settings, const std::string& socket, const std::string& path, const json& body,
            unsigned timeout_s) {
  if (!settings.url.empty())
    return remote(settings, [&](httplib::Client& client, const httplib::Headers& headers) {
      return client.Post(path.c_str(), headers, body.dump(), "application/json");
    });
  control::UnixHttpClient client(socket);
  client.set_read_timeout(timeout_s);
  return answer_of(client.Post(path, body.dump(), "application/json"), socket);
}

int download(const Settings& settings, const std::string& path,
             const std::multimap<std::string, std::string>& query, const std::string& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    fmt::print(stderr, "sekisho: {}: {}\n", file, std::strerror(errno));
    return kRefused;
  }
  control::UnixHttpClient client(settings.api_socket());
  client.set_read_timeout(60);
  std::string refusal;
  int status = 0;
  bool written = true;
  const auto result = client.Get(
      httplib::append_query_params(path, httplib::Params(query.begin(), query.end())), httplib::Headers{},
      [&](const httplib::Response& response) {
        status = response.status;
        return true;
      },
      [&](const char* data, std::size_t size) {
        if (status != 200) {
          refusal.append(data, std::min<std::size_t>(size, 4096));
          return refusal.size() < 65536;
        }
        written = ::write(fd, data, size) == static_cast<ssize_t>(size);
        return written;
      });
  written = written && ::fsync(fd) == 0;
  ::close(fd);
  if (result && status == 200 && written) return kDone;
  ::unlink(file.c_str());
  if (result && status != 200) {
    const json error = json::parse(refusal, nullptr, false);
    const json named = error.is_object() ? error.value("error", json::object()) : json::object();
    fmt::print(stderr, "sekisho: {}: {}\n", named.value("name", "error"), named.value("text", ""));
    return kRefused;
  }
  fmt::print(stderr, "sekisho: {}\n",
             written ? "nobody answers at " + settings.api_socket() : file + ": cannot be written");
  return written ? kUnreachable : kRefused;
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
