// notice: receivers and their queues.
#include <fmt/format.h>

#include <memory>

#include "control/cli/commands.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

int list_notices(const Settings& settings) {
  const Answer answer = get(settings, "/v1/notices");
  if (!answer.ok() || print_json(settings, answer.body)) return answer.exit;
  std::vector<std::vector<std::string>> rows{
      {"RECEIVER", "VIA", "QUEUED", "DELIVERED", "LOST", "LAST ERROR"}};
  for (const json& r : answer.body.at("receivers"))
    rows.push_back(
        {r.value("name", ""), r.value("via", ""), std::to_string(r.value("queued", 0ull)),
         std::to_string(r.value("delivered", 0ull)), std::to_string(r.value("lost", 0ull)),
         r.value("disk", "").empty() ? r.value("last_error", "") : "in memory only: " + r.value("disk", "")});
  if (rows.size() == 1)
    fmt::print("No [[notice]] is configured: nobody is told of anything.\n");
  else
    print_table(rows);
  return kDone;
}

int test_notice(const Settings& settings, const std::string& name) {
  const Answer answer = post(settings, settings.api_socket(), "/v1/notices/test", {{"name", name}});
  if (!answer.ok()) return answer.exit;
  const bool delivered = answer.body.value("delivered", false);
  if (!print_json(settings, answer.body))
    fmt::print("{}: {}\n", name,
               delivered ? "delivered" : "NOT DELIVERED: " + answer.body.value("error", ""));
  return delivered ? kDone : kRefused;
}

}  // namespace

void add_response_commands(Program p) {
  auto name = std::make_shared<std::string>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* notice =
      p.app.add_subcommand("notice", "Who is told of what, and what still waits to be delivered")
          ->require_subcommand(1);
  notice->add_subcommand("list", "Receivers, their queues and their last errors")->callback([&s, &exit] {
    exit = list_notices(s);
  });
  CLI::App* test = notice->add_subcommand("test", "Send one test notice now and say whether it arrived");
  test->add_option("name", *name, "of a [[notice]]")->required();
  test->callback([name, &s, &exit] { exit = test_notice(s, *name); });
}

}  // namespace sekisho::cli
