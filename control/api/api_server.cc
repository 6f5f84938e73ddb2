#include "control/api/api_server.h"

#include <pwd.h>

#include <array>
#include <fstream>

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint32_t kNoLogin = 0xffffffffu;

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

}  // namespace

void answer_json(httplib::Response& response, int status, const json& body) {
  response.status = status;
  response.set_content(body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n", "application/json");
}

namespace {

json refusal(const std::string& name, const std::string& text) {
  return {{"error", {{"name", name}, {"text", text}}}};
}

}  // namespace

// The login uid where the kernel knows one (root by sudo is still somebody), else the caller's uid.
Caller LocalGate::admit(const httplib::Request& request, Permission) {
  const Peer peer = UnixHttpServer::peer_of(request);
  const std::uint32_t login = login_uid(peer.pid);
  const std::uint32_t uid = login == kNoLogin ? peer.uid : login;
  Caller caller;
  caller.who = {uid, user_name(uid), "cli"};
  caller.permissions = kEveryPermission;
  caller.local_root = true;
  return caller;
}

ApiServer::ApiServer(Gate& gate, std::string path, mode_t mode, unsigned threads,
                     std::function<void()> thread_start)
    : UnixHttpServer(std::move(path), mode, threads, std::move(thread_start)), gate_(gate) {}

httplib::Server::Handler ApiServer::guarded(Permission needed, RawHandler handler) {
  return [this, needed, handler = std::move(handler)](const httplib::Request& request,
                                                      httplib::Response& response) {
    try {
      const Caller caller = gate_.admit(request, needed);
      handler(request, caller, response);
    } catch (const Refusal& r) {
      answer_json(response, r.status, refusal(r.name, r.text));
    } catch (const std::exception& e) {
      answer_json(response, 500, refusal("internal", e.what()));
    }
  };
}

namespace {
RawHandler as_json(JsonHandler handler) {
  return [handler = std::move(handler)](const httplib::Request& request, const Caller& caller,
                                        httplib::Response& response) {
    answer_json(response, 200, handler(request, caller));
  };
}
}  // namespace

void ApiServer::get(const std::string& path, Permission needed, JsonHandler handler) {
  get_raw(path, needed, as_json(std::move(handler)));
}
void ApiServer::post(const std::string& path, Permission needed, JsonHandler handler) {
  post_raw(path, needed, as_json(std::move(handler)));
}
void ApiServer::post_raw(const std::string& path, Permission needed, RawHandler handler) {
  routes_.push_back({"POST", path, needed});
  Post(path, guarded(needed, std::move(handler)));
}
void ApiServer::get_raw(const std::string& path, Permission needed, RawHandler handler) {
  routes_.push_back({"GET", path, needed});
  Get(path, guarded(needed, std::move(handler)));
}

}  // namespace sekisho::control
