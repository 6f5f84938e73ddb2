// The menu of the machine's own screen, as sekishod sees it: a socket of its own for sekisho-menu, which runs
// without root, when the management network and sekisho-api are gone. A PIN (argon2id, `menu-pin` in the
// state) unlocks it for ten minutes; then it may look, cut and isolate, and nothing else. Five wrong PINs
// lock it for a minute, the next five for two, … at most 15 minutes.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "control/api/api_server.h"

namespace sekisho::control {

class Daemon;

class MenuGate final : public Gate {
 public:
  explicit MenuGate(std::string pin_path) : pin_path_(std::move(pin_path)) {}

  Caller admit(const httplib::Request& request, Permission needed) override;
  // A token for `Authorization: Bearer`. Throws Refusal: no_pin, wrong_pin, locked.
  std::string unlock(const std::string& pin);
  // 6 to 32 digits. Empty: stored; what was unlocked is locked again.
  std::string set_pin(const std::string& pin);

 private:
  const std::string pin_path_;
  std::mutex mutex_;  // guards what follows, and lets one PIN be tried at a time
  std::string token_;
  std::uint64_t token_until_ns_ = 0, locked_until_ns_ = 0;
  unsigned wrong_ = 0;
};

class Menu {
 public:
  // `directory`: of menu.sock. `group`: of sekisho-menu, name or number; empty: root alone.
  Menu(Daemon& daemon, std::string directory, std::string group);
  ~Menu();
  // Empty, or why there is no menu (sekishod goes on without).
  std::string start();
  void finish();
  // POST /v1/menu/pin, for root and those who keep people.
  void add_routes(ApiServer& api);
  MenuGate& gate() { return gate_; }

 private:
  Daemon& daemon_;
  const std::string directory_, group_;
  MenuGate gate_;
  std::unique_ptr<ApiServer> server_;
};

}  // namespace sekisho::control
