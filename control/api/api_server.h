// A socket of the API: each route is registered with the permission that it needs, and each request passes
// one gate that says who asks. The table of routes is what the OpenAPI file and the walk of every route as
// every role are checked against.
//
// Answers: 200 with the result, or 4xx/5xx with {"error": {"name", "text"}}.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/api/unix_http.h"
#include "control/audit/audit.h"
#include "control/people/permission.h"
#include "control/people/refusal.h"

namespace sekisho::control {

// Who asks, and what he may.
struct Caller {
  Who who;
  Permissions permissions = 0;
  std::uint64_t zones = ~0ull;  // zones that the caller's token is limited to
  bool local_root = false;      // root on this machine's own socket
  std::string vendor;           // the [[vendor]] that a vendor's person belongs to
  std::string session;          // empty on a local socket, and of a token
  std::string address;  // where the person sits, as sekisho-api says: to read and to count, not to trust

  bool may(Permission p) const { return (permissions & bit(p)) != 0; }
};

// Says who sends a request. Called by each serving thread; must not wait for a disk.
class Gate {
 public:
  virtual ~Gate() = default;
  // Throws Refusal (401 nobody, 403 not allowed) when the caller has not `needed`.
  virtual Caller admit(const httplib::Request& request, Permission needed) = 0;
};

// The local sockets, whose mode lets only root in: the kernel says who it is.
class LocalGate final : public Gate {
 public:
  Caller admit(const httplib::Request& request, Permission needed) override;
};

struct Route {
  std::string method, path;
  Permission permission;
};

// Sets the status, and the body as application/json.
void answer_json(httplib::Response& response, int status, const nlohmann::json& body);

using JsonHandler = std::function<nlohmann::json(const httplib::Request&, const Caller&)>;
// For what is not JSON (files, streams): sets the response itself.
using RawHandler = std::function<void(const httplib::Request&, const Caller&, httplib::Response&)>;

class ApiServer : public UnixHttpServer {
 public:
  // `gate` outlives this.
  ApiServer(Gate& gate, std::string path, mode_t mode, unsigned threads,
            std::function<void()> thread_start = {});

  void get(const std::string& path, Permission needed, JsonHandler handler);
  void post(const std::string& path, Permission needed, JsonHandler handler);
  void post_raw(const std::string& path, Permission needed, RawHandler handler);
  void get_raw(const std::string& path, Permission needed, RawHandler handler);
  const std::vector<Route>& routes() const { return routes_; }

 private:
  Handler guarded(Permission needed, RawHandler handler);
  Gate& gate_;
  std::vector<Route> routes_;
};

}  // namespace sekisho::control
