// The HTTP/JSON API of sekishod on its Unix sockets: which path does what. Answers: 200 with the result, or
// 4xx/5xx with
// {"error": {"name", "text"}}. The person is who the socket's gate
// says: the kernel's word on the local ones, a session or a token on front.sock (control/api/people_gate.h).
//
// cut.sock has its own thread (SCHED_FIFO where allowed) and offers only what must never wait: cut, reopen,
// undo, quarantine, release. Everything else is on api.sock.
#pragma once

#include "control/api/api_server.h"
#include "control/daemon/daemon.h"

namespace sekisho::control {

// All that api.sock has (local) and front.sock has (sekisho-api). New routes are added here, so that both
// have them and the OpenAPI file's test sees them.
void add_api_routes(ApiServer& server, Daemon& daemon);
void add_front_routes(ApiServer& server, Daemon& daemon);

void add_command_routes(ApiServer& server, Daemon& daemon);
void add_reopening_routes(ApiServer& server, Daemon& daemon);
// `front`: also logging in, which no local socket needs.
void add_people_routes(ApiServer& server, Daemon& daemon, bool front);
void add_query_routes(ApiServer& server, Daemon& daemon);
void add_config_routes(ApiServer& server, Daemon& daemon);
void add_signature_routes(ApiServer& server, Daemon& daemon);
void add_capture_routes(ApiServer& server, Daemon& daemon);
void add_response_routes(ApiServer& server, Daemon& daemon);
void add_records_routes(ApiServer& server, Daemon& daemon);
void add_backup_routes(ApiServer& server, Daemon& daemon);
void add_ticket_routes(ApiServer& server, Daemon& daemon);

}  // namespace sekisho::control
