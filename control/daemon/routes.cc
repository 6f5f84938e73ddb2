#include "control/daemon/routes.h"

namespace sekisho::control {
namespace {

void add_common_routes(ApiServer& server, Daemon& daemon) {
  add_command_routes(server, daemon);
  add_reopening_routes(server, daemon);
  add_query_routes(server, daemon);
  add_config_routes(server, daemon);
  add_signature_routes(server, daemon);
  add_response_routes(server, daemon);
  add_records_routes(server, daemon);
  add_backup_routes(server, daemon);
  add_ticket_routes(server, daemon);
  add_capture_routes(server, daemon);
}

}  // namespace

void add_api_routes(ApiServer& server, Daemon& daemon) {
  add_common_routes(server, daemon);
  add_people_routes(server, daemon, false);
}

void add_front_routes(ApiServer& server, Daemon& daemon) {
  add_common_routes(server, daemon);
  add_people_routes(server, daemon, true);
}

}  // namespace sekisho::control
