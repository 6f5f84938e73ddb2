#include "dataplane/app/http_body.h"

#include <algorithm>
#include <new>

namespace sekisho::app::http {

HttpBody* HttpBody::make(Transaction& tx, Direction d, const Kind& kind, Host& host) {
  AppPool& pool = host.pool();
  void* p = pool.allocate(sizeof(HttpBody));
  if (p == nullptr) return nullptr;
  auto* b = new (p) HttpBody(tx, d);
  const bool response = d == Direction::to_client;
  const HttpOptions& o = http_options();
  const bool files = host.wants(Buffer::file_data);
  b->files_ = files && !kind.boundary.empty() && kind.boundary.size() <= kMaxBoundary;
  b->body_ =
      (files && !b->files_) || host.wants(response ? Buffer::http_response_body : Buffer::http_request_body);
  b->host_ = &host;
  bool good = true;
  if (!kind.content_encoding.empty() && o.inflate) {
    const unsigned limit = response ? o.response_layers : o.request_layers;
    const Inflate::Codings codings = Inflate::read(kind.content_encoding, limit, o.lzma);
    if (codings.abnormal) host.event(&tx, d, AppEvent::http_abnormal_ce_header);
    if (codings.too_many) host.event(&tx, d, AppEvent::http_too_many_encoding_layers);
    if (codings.count != 0) {
      b->inflate_ = Inflate::make(pool, codings, o);
      good = b->inflate_ != nullptr;
    }
  }
  if (good && !kind.boundary.empty() && kind.boundary.size() <= kMaxBoundary) {
    b->multipart_ = pool.make<Multipart>(kind.boundary);
    good = b->multipart_ != nullptr;
  }
  if (good) good = b->digests_.begin(host);
  if (!good) {
    b->destroy(pool);
    return nullptr;
  }
  return b;
}

void HttpBody::destroy(AppPool& pool) noexcept {
  Inflate::destroy(pool, inflate_);
  pool.destroy(multipart_);
  digests_.release();
  pool.destroy(this);
}

bool HttpBody::append(Buffer id, Bytes bytes) {
  return tx_->of(d_).append(id, bytes);
}

bool HttpBody::data(Bytes bytes, Host& host) {
  if (tx_ == nullptr) return true;
  host_ = &host;
  if (inflate_ != nullptr) return inflate_->data(bytes, *this) && !failed_;
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), kInflatePiece));
    if (!decoded(piece, 0)) return false;
    bytes = bytes.subspan(piece.size());
  }
  return true;
}

bool HttpBody::decoded(Bytes bytes, unsigned) {
  if (tx_ == nullptr) return true;
  // A body that goes on beyond what stays visible is judged as it goes.
  if (fresh_ + bytes.size() > kInflatePiece) {
    host_->evaluate(*tx_, d_, true);
    fresh_ = 0;
    if (tx_ == nullptr) return true;
  }
  fresh_ += static_cast<std::uint32_t>(bytes.size());
  decoded_ += bytes.size();
  dirty_ = true;
  bool good =
      !body_ ||
      append(d_ == Direction::to_client ? Buffer::http_response_body : Buffer::http_request_body, bytes);
  if (multipart_ != nullptr) {
    good = good && multipart_->data(bytes, *this) && !failed_;
  } else {
    digests_.add(bytes);
    file_bytes_ += bytes.size();
  }
  return good;
}

void HttpBody::trouble(AppEvent event) {
  if (tx_ != nullptr) host_->event(tx_, d_, event);
}
void HttpBody::malformed(AppEvent event) {
  trouble(event);
}

bool HttpBody::file_begin(Bytes name) {
  if (tx_ == nullptr) return true;
  Side& side = tx_->of(d_);
  if (started_) {
    // The file before this one is judged before its bytes go.
    host_->evaluate(*tx_, d_, true);
    if (tx_ == nullptr) return true;
    side.restart(Buffer::file_data);
  }
  started_ = true;
  file_open_ = true;
  file_bytes_ = 0;
  if (!digests_.begin(*host_)) failed_ = true;
  if (name.size() > kMaxFileName) {
    trouble(AppEvent::http_file_name_too_long);
    name = name.first(kMaxFileName);
  }
  if (!name.empty()) side.add(Buffer::file_name, name);
  return true;
}

bool HttpBody::file_data(Bytes bytes) {
  if (tx_ == nullptr) return true;
  file_bytes_ += bytes.size();
  digests_.add(bytes);
  if (files_ && !append(Buffer::file_data, bytes)) failed_ = true;
  return !failed_;
}

void HttpBody::file_end() {
  file_open_ = false;
  if (tx_ == nullptr) return;
  if (files_) tx_->of(d_).complete(Buffer::file_data);
  tell_file();
}

void HttpBody::tell_file() {
  if (file_bytes_ == 0) return;
  dirty_ |= digests_.publish(*host_, tx_->of(d_));
  std::uint8_t digest[32];
  if (!digests_.sha256(digest) || !host_->wants_file_hash()) return;
  char hex[2 * sizeof digest];
  for (std::size_t i = 0; i < sizeof digest; ++i) {
    hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
    hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
  }
  char digits[24];
  std::size_t k = sizeof digits;
  std::uint64_t size = file_bytes_;
  do digits[--k] = static_cast<char>('0' + size % 10);
  while ((size /= 10) != 0);
  Bytes name;
  for (const Side::Entry& e : tx_->of(d_).entries())
    if (e.id == Buffer::file_name) name = {e.bytes, e.size};
  const Host::Field fields[] = {
      {"_type", bytes_of("fileinfo")},
      {"filename", name},
      {"size", bytes_of({digits + k, sizeof digits - k})},
      {"sha256", bytes_of({hex, sizeof hex})},
  };
  host_->log(tx_, AppProtocol::http, fields);
}

void HttpBody::end(Host& host) {
  if (tx_ == nullptr) return;
  host_ = &host;
  if (inflate_ != nullptr) inflate_->end(*this);
  if (tx_ == nullptr) return;
  if (multipart_ != nullptr) {
    multipart_->end(*this);
  } else {
    tell_file();
  }
  if (body_)
    tx_->of(d_).complete(d_ == Direction::to_client ? Buffer::http_response_body : Buffer::http_request_body);
  dirty_ = true;
  flush(host);
}

void HttpBody::restart() {
  if (tx_ == nullptr) return;
  Side& side = tx_->of(d_);
  side.restart(Buffer::http_response_body);
  dirty_ = false;
}

}  // namespace sekisho::app::http
