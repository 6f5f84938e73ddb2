// sekisho: the command line.
#include "control/cli/commands.h"
#include "control/cli/signature_commands.h"

int main(int argc, char** argv) {
  using namespace sekisho::cli;
  CLI::App app{
      "sekisho: cut a link, see what passes, change what may pass.\n"
      "Exit status: 0 done, 1 refused or not confirmed, 2 usage, 3 nobody answers."};
  app.require_subcommand(1);
  app.set_version_flag("--version", SEKISHO_VERSION);
  app.fallthrough();
  Settings settings;
  int exit = kDone;
  app.add_flag("--json", settings.json, "machine-readable output");
  app.add_flag("--ja", settings.japanese, "receipts in Japanese");
  app.add_option("--run", settings.run_directory, "where sekishod's sockets are")
      ->envname("SEKISHO_RUN")
      ->capture_default_str();
  app.add_option("--state", settings.state_directory, "for --direct and audit verify")
      ->envname("SEKISHO_STATE")
      ->capture_default_str();
  app.add_option("--bpffs", settings.bpffs, "for --direct")->envname("SEKISHO_BPFFS")->capture_default_str();
  app.add_option("--url", settings.url, "ask sekisho-api over TLS instead of this machine's sockets")
      ->envname("SEKISHO_URL");
  app.add_option("--token", settings.token_file,
                 "with --url: a file with a token; else the session of `login`")
      ->envname("SEKISHO_TOKEN");
  app.add_option("--cert", settings.certificate, "with --url: this client's certificate (PEM)");
  app.add_option("--key", settings.key, "with --url: its key (PEM)");
  app.add_option("--ca", settings.ca,
                 "with --url: trust this certificate (PEM) instead of the machine's list")
      ->envname("SEKISHO_CA");
  const Program program{app, settings, exit};
  add_cut_commands(program);
  add_people_commands(program);
  add_status_commands(program);
  add_config_commands(program);
  add_response_commands(program);
  add_card_command(program);
  add_ticket_commands(program);
  add_replay_command(program);
  add_records_commands(program);
  add_capture_commands(program);
  add_backup_commands(program);
  add_site_commands(program);
  add_signature_commands(program);
  add_signature_set_commands(program);
  add_bench_command(program);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int status = app.exit(e);
    return status == 0 ? kDone : kUsage;
  }
  return exit;
}
