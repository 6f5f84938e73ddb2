// sekisho-menu: the menu on the machine's own screen. No root, no network: a Unix socket of sekishod's, a
// PIN, and then numbers to press. Japanese and English side by side, for a plain terminal; a console that
// cannot show Japanese takes --en.
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "control/api/unix_http.h"

namespace {

using nlohmann::json;

struct Screen {
  std::string socket = "/run/sekisho-menu/menu.sock", token;
  bool english = false;

  std::string say(const char* ja, const char* en) const {
    return english ? en : fmt::format("{} / {}", ja, en);
  }
};

// A line without its end; nothing: the terminal is gone.
bool read_line(std::string& line) {
  std::fflush(stdout);
  return static_cast<bool>(std::getline(std::cin, line)) && line.size() <= 256;
}

struct Reply {
  int status = 0;  // 0: nobody answers
  json body = json::object();
  std::string error() const {
    const json e = body.value("error", json::object());
    return e.value("text", "");
  }
};

Reply ask(const Screen& screen, const char* path, const json* body) {
  sekisho::control::UnixHttpClient client(screen.socket);
  client.set_read_timeout(30);
  httplib::Headers headers;
  if (!screen.token.empty()) headers.emplace("Authorization", "Bearer " + screen.token);
  const auto result =
      body ? client.Post(path, headers, body->dump(), "application/json") : client.Get(path, headers);
  Reply reply;
  if (!result) return reply;
  reply.status = result->status;
  json parsed = json::parse(result->body, nullptr, false);
  if (parsed.is_object()) reply.body = std::move(parsed);
  return reply;
}

bool unlock(Screen& screen) {
  for (;;) {
    fmt::print("\n{}: ", screen.say("暗証番号", "PIN"));
    termios was{};
    const bool terminal = ::tcgetattr(STDIN_FILENO, &was) == 0;
    if (terminal) {
      termios quiet = was;
      quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
      ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    std::string pin;
    const bool got = read_line(pin);
    if (terminal) ::tcsetattr(STDIN_FILENO, TCSANOW, &was);
    fmt::print("\n");
    if (!got) return false;
    const json body = {{"pin", pin}};
    const Reply reply = ask(screen, "/v1/menu/unlock", &body);
    if (reply.status == 200) {
      screen.token = reply.body.value("token", "");
      return true;
    }
    fmt::print("{}\n", reply.status == 0
                           ? screen.say("sekishod が応答しません: ケーブルを抜く(当直カード参照)",
                                        "sekishod does not answer: pull the cable (see the card)")
                           : reply.error());
  }
}

void receipt(const Screen& screen, const Reply& reply) {
  if (reply.status != 200) {
    fmt::print("{}: {}\n", screen.say("できませんでした", "NOT DONE"),
               reply.status == 0 ? "sekishod does not answer" : reply.error());
    return;
  }
  const json text = reply.body.value("text", json::object());
  if (!screen.english) fmt::print("{}\n", text.value("ja", ""));
  fmt::print("{}\n", text.value("en", ""));
}

bool confirmed(const Screen& screen, const std::string& what) {
  fmt::print("{} {}: ", what, screen.say("はい=1 いいえ=その他", "yes = 1, no = anything else"));
  std::string line;
  return read_line(line) && line == "1";
}

// False: locked, or the terminal is gone.
bool menu(Screen& screen) {
  for (;;) {
    const Reply state = ask(screen, "/v1/menu/links", nullptr);
    if (state.status == 401) {
      screen.token.clear();
      return true;
    }
    if (state.status != 200) {
      receipt(screen, state);
      screen.token.clear();
      return true;
    }
    fmt::print("\n=== {} ===\n", state.body.value("site", ""));
    const json links = state.body.value("links", json::array());
    std::size_t number = 0;
    for (const json& l : links)
      fmt::print("{:>3}  {} {}{}\n", ++number, screen.say("遮断", "cut"), l.value("link", ""),
                 l.value("partial", false)    ? "  [" + screen.say("部分遮断中", "PARTLY CUT") + "]"
                 : l.value("cut", false)      ? "  [" + screen.say("遮断中", "CUT") + "]"
                 : l.value("clinical", false) ? "  (" + screen.say("診療系", "clinical") + ")"
                                              : std::string());
    fmt::print("  a  {}\n  h  {}\n  u  {}\n  0  {}\n> ", screen.say("すべて遮断", "cut everything"),
               screen.say("機器を隔離", "isolate one host"),
               screen.say("直前の自分の遮断を取り消し", "take back the last cut"),
               screen.say("終了", "lock"));
    std::string line;
    if (!read_line(line)) return false;
    if (line == "0") {
      screen.token.clear();
      return true;
    }
    if (line == "u") {
      const json body = json::object();
      if (confirmed(screen, screen.say("取り消しますか", "Take it back?")))
        receipt(screen, ask(screen, "/v1/undo", &body));
      continue;
    }
    if (line == "h") {
      fmt::print("{}: ", screen.say("IP または MAC アドレス", "IP or MAC address"));
      std::string host;
      if (!read_line(host)) return false;
      const json body = {{"host", host}, {"reason", "menu of the machine's screen"}};
      if (confirmed(screen, host)) receipt(screen, ask(screen, "/v1/quarantine", &body));
      continue;
    }
    std::string target;
    if (line == "a") target = "all";
    const std::size_t chosen =
        line.size() <= 3 ? static_cast<std::size_t>(std::strtoul(line.c_str(), nullptr, 10)) : 0;
    if (chosen >= 1 && chosen <= links.size()) target = "link:" + links[chosen - 1].value("link", "");
    if (target.empty()) continue;
    const json body = {{"target", target}, {"reason", "menu of the machine's screen"}};
    // A vendor's or the internet's link goes at once; what carries care is asked for once more.
    const bool care = target == "all" || links[chosen - 1].value("clinical", false);
    if (!care || confirmed(screen, screen.say("診療に影響します。遮断しますか", "This stops care. Cut?")))
      receipt(screen, ask(screen, "/v1/cut", &body));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Screen screen;
  CLI::App app{
      "sekisho-menu: cut from the machine's own screen, with a PIN, without root and without a network."};
  app.add_option("--socket", screen.socket, "sekishod's socket for the menu")->capture_default_str();
  app.add_flag("--en", screen.english, "English only");
  app.set_version_flag("--version", SEKISHO_VERSION);
  CLI11_PARSE(app, argc, argv);
  fmt::print("Sekisho {}\n", screen.say("関所", "menu"));
  while (unlock(screen))
    if (!menu(screen)) break;
  return 0;
}
