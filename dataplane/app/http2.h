// HTTP/2 in clear text (RFC 9113; RFC 7540 §3.2 for the upgrade from HTTP/1.1). Behind TLS it is not seen.
//
// One transaction a stream, its buffers those of HTTP/1 where the meaning is the same: http.method, uri,
// host, header (pseudo headers and cookies left out), request_header and response_header (each header, pseudo
// headers too), cookie, stat_code, bodies and files. A frame of stream 0, or of a stream that is not open, is
// a transaction of its own. Numbers: http2.frametype, settings, window, priority, errorcode, size_update of
// the frames of each side.
//
// Bounds: a header block kMaxBlock bytes and kMaxBlockFrames frames (http2.reassembly_limit_reached,
// http2.too_many_frames: the parser gives up), hpack.h; kMaxStreams open ones (http2.too_many_streams: the
// oldest is closed); frames other than DATA kMaxBlock bytes (http2.long_frame_data: the rest is skipped);
// kMaxResets streams that the client resets before they are answered (http2.rapid_reset).
#pragma once

#include "dataplane/app/hpack.h"
#include "dataplane/app/http_body.h"
#include "dataplane/app/kept.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {

extern const ProtocolEntry kHttp2Entry;

class Http2Parser final : public Parser {
 public:
  static constexpr std::size_t kMaxBlock = 64 * 1024;
  static constexpr unsigned kMaxBlockFrames = 64;
  static constexpr unsigned kMaxStreams = 1024;
  static constexpr unsigned kMaxResets = 200;

  AppProtocol protocol() const override { return AppProtocol::http2; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction& tx) override;
  void destroy(AppPool& pool) noexcept override;

  static Probe probe(Direction d, Bytes first, std::uint16_t port);

 private:
  static constexpr std::size_t kBuckets = 64;
  struct Stream {
    Stream* next = nullptr;
    Transaction* tx = nullptr;  // nullptr: destroyed by the host
    http::HttpBody* body[2] = {};
    std::uint64_t body_bytes[2] = {};
    std::uint32_t id = 0;
    bool head[2] = {}, done[2] = {}, dns[2] = {}, dns_told[2] = {};
  };
  enum class Phase : std::uint8_t { preface, header, payload };
  struct Way {
    Hpack hpack;
    Kept frame;  // payload (or its beginning)
    Kept block;  // header block that CONTINUATION goes on with
    std::uint32_t length = 0, left = 0, stream = 0, block_stream = 0, last_stream = 0;
    std::uint32_t padding = 0;
    Phase phase = Phase::header;
    std::uint8_t type = 0, flags = 0;
    std::uint8_t have = 0, head[9] = {};
    std::uint8_t block_flags = 0;
    std::uint16_t block_frames = 0;
    bool in_block = false, promise = false, padding_known = false;
  };

  bool preface(Bytes& bytes, Host& host);
  Fed frame_begin(Direction d, Host& host);
  bool payload(Direction d, Bytes bytes, Host& host);
  bool data(Direction d, Bytes bytes, Host& host);
  Fed frame_end(Direction d, Host& host);
  void frame_buffers(Direction d, Transaction* tx, Host& host);
  Fed headers(Direction d, Bytes payload, Host& host);
  Fed fragment(Direction d, Bytes bytes, Host& host);
  Fed block_end(Direction d, Host& host);
  void settings(Direction d, Transaction& tx, Bytes payload, Host& host);
  void begin_body(Direction d, Stream& s, std::span<const Hpack::Field> fields, Host& host);
  void side_done(Direction d, Stream& s, Host& host);
  void close(Stream& s, Host& host);
  void close(Transaction& own, Host& host);
  void upgraded(FlowFacts& facts, Host& host);

  Stream* find(std::uint32_t id);
  Stream* open(Direction d, std::uint32_t id, Host& host);
  void remove(Stream* s, Host& host);
  Transaction* transaction(Host& host);
  Fed give_up(Direction d, AppEvent event, Host& host);

  Way way_[2];
  Stream* streams_[kBuckets] = {};
  std::uint64_t next_ = 0;
  std::uint32_t open_ = 0, resets_ = 0;
  std::uint8_t preface_at_ = 0;
  bool begun_ = false, reset_told_ = false;
};

// The buffers of one header block (http2_publish.cc). again: trailers, or what follows an interim response.
void publish_http2(Transaction& tx, Direction d, std::span<const Hpack::Field> fields, bool promise,
                   bool again, Host& host);
void log_http2(Transaction& tx, Host& host);

}  // namespace sekisho::app
