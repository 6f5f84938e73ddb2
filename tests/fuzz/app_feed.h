// Feeds an application parser with arbitrary bytes. Input: a control byte (direction, end, gap), two for the
// length, then the bytes; again and again.
//
// Checked: a side is finished once; a transaction is told before it is forgotten; buffers lie in their side;
// when the parser is gone, which destroys its open transactions, the pool has everything back.
#pragma once

#include <cstdlib>
#include <vector>

#include "dataplane/app/parser.h"

namespace sekisho::app {

inline void require(bool holds) {
  if (!holds) std::abort();
}

class FuzzHost final : public Host {
 public:
  FuzzHost() : pool_(16u << 20) {}
  void evaluate(Transaction& tx, Direction d, bool) override {
    std::uint8_t sum = 0;
    for (Side::Entry& entry : tx.of(d).entries()) {
      require(static_cast<unsigned>(entry.id) < abi::kBufferCount);
      if (entry.capacity != 0) {
        require(entry.size <= entry.capacity);
        require(entry.scanned_to >= entry.offset || entry.scanned_to == 0);
        entry.scanned_to = entry.offset + entry.size;
      }
      if (!entry.scanned)
        for (std::uint32_t i = 0; i < entry.size; ++i) sum = static_cast<std::uint8_t>(sum + entry.bytes[i]);
      entry.scanned = true;
    }
    for (unsigned i = 0; i < tx.facts.interface_count; ++i)
      sum = static_cast<std::uint8_t>(sum + tx.facts.interfaces[i].uuid[15]);
    sum_ = sum;
  }
  void finish(Transaction& tx, Direction d) override {
    evaluate(tx, d, false);
    require((tx.finished >> index(d) & 1) == 0);
    tx.finished = static_cast<std::uint8_t>(tx.finished | 1u << index(d));
    if (tx.finished == 3) done_.push_back(&tx);
  }
  void event(Transaction*, Direction, AppEvent event) override {
    require(event != AppEvent::none && event < AppEvent::count);
  }
  void opaque(Direction, bool) override {}
  void bypass(Direction) override {}
  void expect(AppProtocol, std::uint8_t, std::uint16_t port, Direction) override { require(port != 0); }
  void change_protocol(AppProtocol) override {}
  bool wants_log(AppProtocol) const override { return true; }
  void log(Transaction*, AppProtocol, std::span<const Field> fields) override {
    for (const Field& f : fields) require(f.key != nullptr && f.value.size() < 10000);
  }
  bool wants_file_hash() const override { return true; }
  AppPool& pool() override { return pool_; }
  std::uint64_t now_ns() const override { return 0; }

  void end_of_packet(Parser* parser) {
    for (Transaction* tx : done_) {
      parser->forget(*tx);
      pool_.destroy(tx);
    }
    done_.clear();
  }
  void end_of_flow(Parser* parser) {
    parser->destroy(pool_);
    require(pool_.in_use() == 0);
  }

 private:
  AppPool pool_;
  std::vector<Transaction*> done_;
  std::uint8_t sum_ = 0;
};

inline void feed_parser(const ProtocolEntry& entry, const std::uint8_t* data, std::size_t size) {
  static FuzzHost host;
  Parser* parser = entry.make(host);
  require(parser != nullptr);
  FlowFacts facts;
  bool first[2] = {true, true}, ended[2] = {};
  for (std::size_t at = 0; at + 3 <= size;) {
    const std::uint8_t control = data[at];
    const std::size_t n =
        std::min<std::size_t>(static_cast<std::size_t>(data[at + 1] << 8 | data[at + 2]), size - at - 3);
    const std::vector<std::uint8_t> bytes(data + at + 3, data + at + 3 + n);
    at += 3 + n;
    const Direction d = (control & 1) != 0 ? Direction::to_client : Direction::to_server;
    if (ended[index(d)]) continue;
    (void)entry.probe(d, Bytes(bytes).first(std::min(bytes.size(), kMaxProbe)), control);
    if ((control & 0xe0) == 0xe0 && !parser->gap(d, n + 1, host)) {
      host.end_of_packet(parser);
      break;
    }
    ended[index(d)] = (control & 0x1e) == 0x1e;
    const bool ok =
        parser->feed(d, bytes, {.first = first[index(d)], .end = ended[index(d)], .established = true}, facts,
                     host) == Fed::ok;
    first[index(d)] = false;
    host.end_of_packet(parser);
    if (!ok) break;
  }
  host.end_of_flow(parser);
}

}  // namespace sekisho::app
