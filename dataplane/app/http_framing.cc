// Bodies: where they begin and end.
#include <algorithm>

#include "dataplane/app/http_parser.h"

namespace sekisho::app::http {
namespace {

constexpr bool passed_over(std::uint8_t c) {
  return c == '\r' || c == '\n' || c == ' ' || c == '\t' || c == 0x0b || c == 0x0c;
}
constexpr std::int64_t kNoChunk = -1, kEmptyLine = -2;

// Of a size line: leading blanks are passed over, what follows the digits is an extension or junk.
std::int64_t chunk_length(Bytes line, bool& extension) {
  while (!line.empty() && passed_over(line.front())) line = line.subspan(1);
  if (line.empty()) return kEmptyLine;
  std::int64_t size = 0;
  std::size_t i = 0;
  for (; i < line.size() && hex_value(line[i]) >= 0; ++i) {
    size = size * 16 + hex_value(line[i]);
    if (size > INT32_MAX) return kNoChunk;
  }
  if (i == 0) return kNoChunk;
  extension = text_of(line.subspan(i)).find(';') != std::string_view::npos;
  return size;
}

}  // namespace

bool HttpParser::begin_body(Direction d, Exchange& e, const Headers* headers, State state,
                            std::uint64_t left) {
  Half& h = half(d);
  h.state = state;
  h.left = left;
  h.content = false;
  if (e.tx == nullptr) return true;
  const bool response = d == Direction::to_client;
  HttpBody::Kind kind;
  if (headers != nullptr) {
    if (const Header* encoding = headers->find("content-encoding")) kind.content_encoding = encoding->value;
    if (!response) {
      if (const Header* type = headers->find("content-type"); type != nullptr) {
        bool malformed = false;
        kind.boundary = multipart_boundary(type->value, malformed);
        if (malformed) event(d, AppEvent::http_multipart_generic_error);
      }
    }
    // A file is called what the message says, or what it was asked for.
    Bytes name;
    if (const Header* disposition = headers->find("content-disposition"); response && disposition != nullptr)
      name = header_parameter(disposition->value, "filename");
    if (name.empty()) {
      if (const auto* uri = e.tx->of(Direction::to_server).find(Buffer::http_uri)) {
        name = {uri->bytes, uri->size};
        name = name.first(std::min(name.size(), text_of(name).find('?')));
      }
    }
    if (name.size() > kMaxFileName) {
      event(d, AppEvent::http_file_name_too_long);
      name = name.first(kMaxFileName);
    }
    if (!name.empty() && kind.boundary.empty()) e.tx->of(d).add(Buffer::file_name, name);
  }
  h.body = HttpBody::make(*e.tx, d, kind, *host_);
  return h.body != nullptr;
}

bool HttpParser::body(Direction d, Bytes bytes) {
  Half& h = half(d);
  return h.body == nullptr || bytes.empty() || h.body->data(bytes, *host_);
}

void HttpParser::end_body(Direction d) {
  Half& h = half(d);
  if (h.body != nullptr) {
    h.body->end(*host_);
    h.body->destroy(*pool_);
    h.body = nullptr;
  }
  h.state = State::start;
  h.doubtful = false;
  if (d == Direction::to_server) {
    if (last_ != nullptr) finish_request(*last_);
    return;
  }
  for (Exchange* e = first_; e != nullptr; e = e->next)
    if (!e->response_done) {
      finish_response(*e);
      return;
    }
}

std::size_t HttpParser::chunk_size(Direction d, Bytes bytes, bool last) {
  Half& h = half(d);
  Bytes line = bytes;
  const bool in_place = h.held.size() == 0;
  std::size_t taken = bytes.size();
  const void* lf = nullptr;
  const auto end_of = [&](Bytes in) {
    lf = std::memchr(in.data(), '\n', in.size());
    return lf == nullptr ? in.size()
                         : static_cast<std::size_t>(static_cast<const std::uint8_t*>(lf) - in.data()) + 1;
  };
  taken = std::min<std::size_t>(end_of(bytes), 4096);
  if (lf != nullptr && bytes[taken - 1] != '\n') lf = nullptr;
  line = bytes.first(taken);
  if (!in_place) {
    if (!hold(h, line)) return kFailed;
    line = h.held.view();
  }
  std::size_t i = 0;
  while (i < line.size() && passed_over(line[i])) ++i;
  bool extension = false;
  std::int64_t size = kNoChunk;
  if (i < line.size() && hex_value(line[i]) < 0) {
    size = kNoChunk;
  } else if (lf != nullptr || (last && taken == bytes.size() && i < line.size())) {
    size = chunk_length(line, extension);
  } else if (line.size() <= kMaxField) {
    return in_place && !hold(h, line) ? kFailed : taken;
  }
  if (size == kEmptyLine) {
    // Blank lines are passed over, but belong to the body if it is not chunked after all.
    if (line.size() > kMaxField) return kFailed;
    return in_place && !hold(h, line) ? kFailed : taken;
  }
  if (size == kNoChunk) {
    event(d, d == Direction::to_server ? AppEvent::http_invalid_request_chunk_len
                                       : AppEvent::http_invalid_response_chunk_len);
    h.state = State::close;
    const bool good = body(d, line);
    h.held.release(*pool_);
    return good ? taken : kFailed;
  }
  if (extension && d == Direction::to_server) event(d, AppEvent::http_request_chunk_extension);
  h.held.release(*pool_);
  h.left = static_cast<std::uint64_t>(size);
  h.state = size == 0 ? State::trailer : State::chunk_data;
  if (size == 0) {
    h.content = false;
    // The body's bytes are all there; its transaction ends with the trailers.
    h.left = 0;
  }
  return taken;
}

std::size_t HttpParser::trailer(Direction d, Bytes bytes, bool) {
  Half& h = half(d);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '\n') {
      if (bytes[i] != '\r') h.content = true;
      if (++h.left > kMaxHead) {
        event(d, d == Direction::to_server ? AppEvent::http_request_field_too_long
                                           : AppEvent::http_response_field_too_long);
        return kFailed;
      }
      continue;
    }
    if (!h.content) {
      end_body(d);
      return i + 1;
    }
    h.content = false;
  }
  return bytes.size();
}

}  // namespace sekisho::app::http
