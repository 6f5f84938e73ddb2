#include "dataplane/app/http_log.h"

#include <algorithm>

namespace sekisho::app {

using abi::Buffer;

std::size_t http_log_fields(const Transaction& tx, std::span<Host::Field> fields) {
  struct Row {
    const char* key;
    Direction direction;
    Buffer buffer;
  };
  static constexpr Row kRows[kHttpLogFields] = {
      {"hostname", Direction::to_server, Buffer::http_host},
      {"url", Direction::to_server, Buffer::http_uri_raw},
      {"http_user_agent", Direction::to_server, Buffer::http_user_agent},
      {"http_content_type", Direction::to_client, Buffer::http_content_type},
      {"http_refer", Direction::to_server, Buffer::http_referer},
      {"http_method", Direction::to_server, Buffer::http_method},
      {"protocol", Direction::to_server, Buffer::http_protocol},
      {"status", Direction::to_client, Buffer::http_stat_code},
      {"redirect", Direction::to_client, Buffer::http_location},
  };
  std::size_t n = 0;
  for (const Row& row : kRows)
    if (const auto* x = tx.of(row.direction).find(row.buffer))
      fields[n++] = {row.key, {x->bytes, std::min<std::size_t>(x->size, 8192)}};
  return n;
}

}  // namespace sekisho::app
