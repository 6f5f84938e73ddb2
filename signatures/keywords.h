// Names of the language → what they stand for: buffers with their aliases, protocols of the header.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "signatures/ast.h"

namespace sekisho::signatures {

// Sticky buffer keyword (lower case): "http.uri", "file_data", "tls_sni", …. Every canonical name of
// dataplane/abi/inspect.h and the aliases of Suricata.
std::optional<Buffer> sticky_buffer(std::string_view keyword);
// Legacy modifier of the content before it: "http_uri", "http_client_body", ….
std::optional<Buffer> content_modifier(std::string_view keyword);
// Occurs several times in one transaction.
bool multi_instance(Buffer buffer);
const char* buffer_keyword(Buffer buffer);

// By header keyword or app-layer-protocol argument.
std::optional<AppProtocol> app_protocol(std::string_view keyword);
const char* protocol_keyword(AppProtocol protocol);
std::uint8_t protocol_transports(AppProtocol protocol);

std::optional<abi::AppEvent> app_event(std::string_view keyword);

// Keyword that asks for a number of a transaction.
std::optional<abi::AppNumber> number_keyword(std::string_view keyword);

// Whether a keyword is known (for `requires: keyword …`).
bool known_keyword(std::string_view keyword);

}  // namespace sekisho::signatures
