// FTP's data connections: all bytes are a file. The control connection announced them (Host::expect).
#include "dataplane/app/ftp_text.h"
#include "dataplane/app/mime_file.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {
namespace {

class FtpDataParser final : public Parser {
 public:
  explicit FtpDataParser(AppPool& pool) : pool_(&pool) {}
  AppProtocol protocol() const override { return AppProtocol::ftp_data; }

  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) override {
    if (over_) return Fed::ok;
    if (tx_ == nullptr) {
      if (bytes.empty() && !flags.end) return Fed::ok;
      if ((tx_ = pool_->make<Transaction>(*pool_, 0, AppProtocol::ftp_data)) == nullptr) return Fed::failed;
    }
    if (!bytes.empty()) {
      if (!begun_[index(d)]) {
        begun_[index(d)] = true;
        if (const Bytes name = host.expected_file(); !name.empty()) tx_->of(d).add(Buffer::file_name, name);
        hash_[index(d)].begin(host);
      }
      hash_[index(d)].add(bytes);
      append_body(host, *tx_, d, Buffer::file_data, bytes);
    }
    if (flags.end && (tx_->finished >> index(d) & 1) == 0) {
      Transaction& tx = *tx_;
      if (begun_[index(d)]) {
        tx.of(d).complete(Buffer::file_data);
        hash_[index(d)].end(host, &tx, d, AppProtocol::ftp_data);
      }
      host.finish(tx, d);
    }
    return Fed::ok;
  }
  bool gap(Direction d, std::uint64_t, Host&) override {
    hash_[index(d)].spoil();
    return true;
  }
  void forget(const Transaction& tx) override {
    if (tx_ != &tx) return;
    tx_ = nullptr;
    over_ = true;
  }
  void destroy(AppPool& pool) noexcept override {
    hash_[0].release();
    hash_[1].release();
    destroy_open(pool, tx_);
    pool.destroy(this);
  }

 private:
  AppPool* pool_;
  Transaction* tx_ = nullptr;
  FileHash hash_[2];
  bool begun_[2] = {};
  bool over_ = false;
};

// Only an announcement leads here.
Probe probe(Direction, Bytes, std::uint16_t) {
  return Probe::no;
}

}  // namespace

extern const ProtocolEntry kFtpDataEntry;
const ProtocolEntry kFtpDataEntry{AppProtocol::ftp_data, 6, probe, [](Host& host) -> Parser* {
                                    return host.pool().make<FtpDataParser>(host.pool());
                                  }};

}  // namespace sekisho::app
