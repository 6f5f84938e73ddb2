// The face of sekishod towards sekisho-api: two sockets in a directory that its group may enter, and the
// files that it reads at its start (api.json, cert.pem, key.pem, client-ca.pem), all written by root and
// read-only to it.
//
// front-cut.sock has threads of the cutting class and only what must never wait for a query: cut, undo,
// quarantine. Thread: start, tick and finish by sekishod's main thread; the sockets have their own.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "control/api/people_gate.h"
#include "control/daemon/daemon.h"

namespace sekisho::control {

struct FrontOptions {
  std::string directory = "/run/sekisho-front";
  std::string group = "sekisho-api";  // a name or a number
};

// Where a one-time link is opened: "https://ADDRESS:PORT/#/setup?link=…".
std::string setup_url(const Site& site, const std::string& link);

class Front {
 public:
  // After daemon.start(), before any socket serves: health asks it from then on.
  Front(Daemon& daemon, FrontOptions options);
  ~Front();
  // What is missing (the group, a socket) is reported as an alarm: local commands work without a front.
  void start();
  // Once a second: what the configuration says of [api] may have changed.
  void tick();
  void finish();
  const ApiServer& server() const { return server_; }

 private:
  void write_files(const Site& site);
  std::string write(const char* name, const std::string& content) const;
  void offer_first_link(const Site& site);

  Daemon& daemon_;
  FrontOptions options_;
  PeopleGate gate_;
  ApiServer server_, cut_server_;
  long group_ = -1;
  std::uint64_t generation_ = 0, next_minute_s_ = 0, ends_s_ = 0;
  std::string fault_, certificate_fault_;
  std::mutex health_mutex_;
  std::vector<HealthReason> health_;
};

}  // namespace sekisho::control
