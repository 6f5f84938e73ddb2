// The command line's subcommands, by subject. Each adds its CLI11 subcommands and sets `exit` in their
// callbacks.
#pragma once

#include <CLI/CLI.hpp>

#include "control/cli/call.h"

namespace sekisho::cli {

struct Program {
  CLI::App& app;
  Settings& settings;
  int& exit;
};

void add_cut_commands(Program program);       // cut, reopen, undo, quarantine, release, receipt
void add_people_commands(Program program);    // login, logout, user …, token …, reopenings …
void add_status_commands(Program program);    // status, flows, drops, top, rules, why
void add_config_commands(Program program);    // config …, learn propose, audit …
void add_response_commands(Program program);  // notice …, playbook …, drill …, evidence …
void add_card_command(Program program);
void add_ticket_commands(Program program);  // ticket …, proposal …
void add_replay_command(Program program);
void add_capture_commands(Program program);        // capture list, show, export, now
void add_signature_set_commands(Program program);  // signatures import, diff, list, …; after signatures check
void add_backup_commands(Program program);         // backup create, restore
void add_records_commands(Program program);        // events, incidents, health
void add_site_commands(Program program);           // init, hw check, port blink
void add_bench_command(Program program);           // bench …

}  // namespace sekisho::cli
