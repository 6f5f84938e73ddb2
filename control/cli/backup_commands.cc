// sekisho backup create, restore: this machine in one sealed file. Both work on the files themselves, as
// root, so that a restore needs nothing that runs.
#include <fmt/format.h>
#include <sodium.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>

#include "control/backup/backup.h"
#include "control/cli/commands.h"
#include "control/link/words_file.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

// From the file's first line, the environment, or the terminal.
std::string passphrase_of(const std::string& file, bool twice) {
  std::string text;
  if (!file.empty()) {
    std::ifstream in(file);
    if (!std::getline(in, text)) throw control::BackupError(file + ": no passphrase in its first line");
    return text;
  }
  if (const char* set = std::getenv("SEKISHO_PASSPHRASE"); set != nullptr) return set;
  if (!isatty(STDIN_FILENO))
    throw control::BackupError("no passphrase: --passphrase-file or SEKISHO_PASSPHRASE");
  const auto ask = [](const char* prompt) {
    const char* typed = getpass(prompt);
    return std::string(typed == nullptr ? "" : typed);
  };
  text = ask("Passphrase: ");
  if (twice && ask("Again: ") != text) throw control::BackupError("the two differ");
  return text;
}

void print(const Settings& s, const control::BackupSummary& b, const char* what, const std::string& file) {
  if (print_json(
          s, {{"file", file}, {"files", b.files}, {"bytes", b.bytes}, {"made", b.made}, {"aside", b.aside}}))
    return;
  fmt::print("{}: {} files, {}, made {}\n", what, b.files, human_bytes(b.bytes), b.made);
  for (const std::string& path : b.aside) fmt::print("what was there before: {}\n", path);
}

}  // namespace

void add_backup_commands(Program p) {
  struct Asked {
    std::string file, passphrase_file, site = "/etc/sekisho";
    bool force = false;
  };
  auto o = std::make_shared<Asked>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* group =
      p.app.add_subcommand("backup", "Configuration, people, signatures, records and keys in one file");
  group->require_subcommand(1);
  const auto run = [&exit](const auto& work) {
    try {
      work();
    } catch (const std::exception& e) {
      fmt::print(stderr, "sekisho: {}\n", e.what());
      exit = kRefused;
    }
  };
  CLI::App* create = group->add_subcommand("create", "Writes it, sealed with a passphrase");
  CLI::App* restore = group->add_subcommand(
      "restore",
      "On a machine where sekishod does not run. Afterwards every link is cut until it is reopened");
  for (CLI::App* one : {create, restore}) {
    one->add_option("file", o->file, "the backup")->required();
    one->add_option("--passphrase-file", o->passphrase_file,
                    "its first line; else SEKISHO_PASSPHRASE, else asked");
    one->add_option("--site", o->site, "configuration as first given, assets, keys")->capture_default_str();
  }
  restore->add_flag("--force", o->force, "what is there is moved aside");
  create->callback([o, &s, run] {
    run([&] {
      print(s,
            control::create_backup({s.state_directory, o->site}, o->file,
                                   passphrase_of(o->passphrase_file, true)),
            "kept", o->file);
    });
  });
  restore->callback([o, &s, run] {
    run([&] {
      control::WordsPlace place;
      place.alive = s.run_directory + "/sekishod.lock";
      if (control::sekishod_alive(place)) throw control::BackupError("sekishod runs: stop it first");
      print(s,
            control::restore_backup({s.state_directory, o->site}, o->file,
                                    passphrase_of(o->passphrase_file, false), o->force),
            "restored", o->file);
      if (!s.json) fmt::print("Every link reads as cut until it is reopened.\n");
    });
  });
}

}  // namespace sekisho::cli
