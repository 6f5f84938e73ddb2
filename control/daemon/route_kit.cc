#include "control/daemon/route_kit.h"

#include <pwd.h>

#include <array>
#include <fstream>

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint32_t kNoLogin = 0xffffffffu;
constexpr std::size_t kMaxText = 1024;

std::uint32_t login_uid(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/loginuid");
  std::uint32_t uid = kNoLogin;
  return in >> uid ? uid : kNoLogin;
}

std::string user_name(std::uint32_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return entry.pw_name;
  return "uid " + std::to_string(uid);
}

void answer(httplib::Response& response, int status, const json& body) {
  response.status = status;
  response.set_content(body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n", "application/json");
}

json refusal(const std::string& name, const std::string& text) {
  return {{"error", {{"name", name}, {"text", text}}}};
}

httplib::Server::Handler guarded(JsonHandler handler) {
  return [handler = std::move(handler)](const httplib::Request& request, httplib::Response& response) {
    try {
      answer(response, 200, handler(request));
    } catch (const Refusal& r) {
      answer(response, r.status, refusal(r.name, r.text));
    } catch (const std::exception& e) {
      answer(response, 500, refusal("internal", e.what()));
    }
  };
}

}  // namespace

Who who_of(const httplib::Request& request) {
  const Peer peer = UnixHttpServer::peer_of(request);
  const std::uint32_t login = login_uid(peer.pid);
  const std::uint32_t uid = login == kNoLogin ? peer.uid : login;
  return {uid, user_name(uid), "cli"};
}

json body_of(const httplib::Request& request) {
  if (request.body.empty()) return json::object();
  json body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) throw Refusal{400, "bad_request", "the body is not a JSON object"};
  return body;
}

std::string text_field(const json& body, const char* name, const std::string& fallback) {
  const auto it = body.find(name);
  if (it == body.end()) return fallback;
  if (!it->is_string()) throw Refusal{400, "bad_request", std::string(name) + ": expected text"};
  std::string value = it->get<std::string>();
  if (value.size() > kMaxText && std::string_view(name) != "text")
    throw Refusal{400, "bad_request",
                  std::string(name) + ": longer than " + std::to_string(kMaxText) + " bytes"};
  return value;
}

bool flag_field(const json& body, const char* name) {
  const auto it = body.find(name);
  if (it == body.end()) return false;
  if (!it->is_boolean()) throw Refusal{400, "bad_request", std::string(name) + ": expected true or false"};
  return it->get<bool>();
}

std::uint64_t number_field(const json& body, const char* name, std::uint64_t fallback) {
  const auto it = body.find(name);
  if (it == body.end()) return fallback;
  if (!it->is_number_unsigned())
    throw Refusal{400, "bad_request", std::string(name) + ": expected a number, not negative"};
  return it->get<std::uint64_t>();
}

void on_get(UnixHttpServer& server, const std::string& path, JsonHandler handler) {
  server.Get(path, guarded(std::move(handler)));
}
void on_post(UnixHttpServer& server, const std::string& path, JsonHandler handler) {
  server.Post(path, guarded(std::move(handler)));
}

}  // namespace sekisho::control
