// The HTTP/JSON API of sekishod on its Unix sockets: which path does what. Answers: 200 with the result, or
// 4xx/5xx with
// {"error": {"name", "text"}}. The person is who the kernel says that the caller is.
//
// cut.sock has its own thread (SCHED_FIFO where allowed) and offers only what must never wait: cut, reopen,
// undo, quarantine, release. Everything else is on api.sock.
#pragma once

#include "control/api/api_server.h"
#include "control/daemon/daemon.h"

namespace sekisho::control {

void add_command_routes(ApiServer& server, Daemon& daemon);
void add_query_routes(ApiServer& server, Daemon& daemon);
void add_config_routes(ApiServer& server, Daemon& daemon);
void add_signature_routes(ApiServer& server, Daemon& daemon);
void add_response_routes(ApiServer& server, Daemon& daemon);
void add_records_routes(ApiServer& server, Daemon& daemon);

}  // namespace sekisho::control
