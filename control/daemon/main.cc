// sekishod: the management process.
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>

#include "control/daemon/daemon.h"
#include "control/daemon/front.h"
#include "control/daemon/menu.h"
#include "control/daemon/routes.h"
#include "control/link/direct.h"

namespace {

std::atomic<bool> stopping{false};
void on_signal(int) {
  stopping = true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sekisho::control;
  DaemonOptions options;
  FrontOptions front_options;
  front_options.directory.clear();
  bool compile_child = false;
  std::uint64_t generation = 0;
  std::string file_name, menu_group;

  // The compiler's child has a command line of its own: --compile-child GENERATION FILE STATE.
  if (argc == 5 && std::string_view(argv[1]) == "--compile-child") {
    compile_child = true;
    generation = std::strtoull(argv[2], nullptr, 10);
    file_name = argv[3];
    options.state_directory = argv[4];
  }
  if (compile_child) return compile_child_main(file_name, generation, options.state_directory);

  CLI::App app{
      "sekishod: the management process of Sekisho. It holds the link words, the latch and the audit, "
      "compiles the "
      "configuration and speaks with the dataplane."};
  app.add_option(
      "--config", options.config,
      "configuration to import at the very first start; later ones come by `sekisho config apply`");
  app.add_option("--assets", options.assets, "CSV or TOML file that names hosts");
  app.add_option("--state", options.state_directory, "latch, audit, receipts, versions")
      ->capture_default_str();
  app.add_option("--run", options.run_directory, "sockets, locks, words")->capture_default_str();
  app.add_option("--log-dir", options.log_directory, "eve.json")->capture_default_str();
  app.add_option("--bpffs", options.bpffs, "where the guard's maps are pinned; \"\" for none")
      ->capture_default_str();
  app.add_option("--menu-group", menu_group, "the group of sekisho-menu, name or number");
  app.add_option("--front", front_options.directory,
                 "the directory that sekisho-api may enter; default: --run with \"-front\"");
  app.add_option("--api-group", front_options.group, "the group of sekisho-api, name or number")
      ->capture_default_str();
  app.set_version_flag("--version", SEKISHO_VERSION);
  CLI11_PARSE(app, argc, argv);

  spdlog::set_default_logger(spdlog::stderr_logger_mt("sekishod"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z sekishod %l: %v");
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);

  Daemon daemon(options);
  if (const std::string why = daemon.start(); !why.empty()) {
    spdlog::critical("{}", why);
    return 1;
  }
  for (const std::string& report : daemon.reports()) spdlog::warn("{}", report);

  if (front_options.directory.empty()) front_options.directory = options.run_directory + "-front";
  Front front(daemon, front_options);
  LocalGate local;
  ApiServer cut(local, options.run_directory + "/cut.sock", 0600, 1, [] {
    const CutThread thread = prepare_cut_thread();
    for (const std::string& missing : thread.missing) spdlog::warn("cut thread: {}", missing);
  });
  ApiServer api(local, options.run_directory + "/api.sock", 0600, 4);
  add_command_routes(cut, daemon);
  add_api_routes(api, daemon);
  Menu menu(daemon, options.run_directory + "-menu", menu_group);
  menu.add_routes(api);
  for (ApiServer* server : {&cut, &api}) {
    if (server->start()) continue;
    spdlog::critical("{}", server->error());
    return 1;
  }
  if (const std::string why = menu.start(); !why.empty()) spdlog::warn("no menu on the screen: {}", why);
  front.start();
  daemon.each_second([&front] { front.tick(); });
  spdlog::info("ready: {}", options.run_directory);
  daemon.run(stopping);
  menu.finish();
  front.finish();
  cut.finish();
  api.finish();
  return 0;
}
