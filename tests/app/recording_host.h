// A Host that remembers what a parser told it, as text: one line a fact.
//
// A buffer is noted when evaluate() first sees it: "0> http.uri /index.html" (transaction, > to the server,
// < to the client). A body is noted piece by piece as it grows: "0< file.data+ abc", its end as
// "0< file.data.". Then "0> finish", "event http.…", "0> opaque on", "change tls", "expect ftp_data 21000",
// "log http a=b c=d".
#pragma once

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/app/parser.h"

namespace sekisho::app {

class RecordingHost final : public Host {
 public:
  explicit RecordingHost(std::size_t pool_bytes = 64u << 20) : pool_(pool_bytes) {}

  std::vector<std::string> lines;
  bool logs = false, hashes = true;
  std::uint64_t clock_ns = 0;
  Parser* parser = nullptr;  // is told when a transaction goes
  std::size_t bodies_seen = 0;

  bool has(const std::string& line) const {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
  std::size_t count(const std::string& line) const {
    return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), line));
  }
  std::string all() const {
    std::string out;
    for (const std::string& line : lines) out.append(line).append("\n");
    return out;
  }

  void evaluate(Transaction& tx, Direction d, bool) override {
    for (Side::Entry& entry : tx.of(d).entries()) {
      const abi::BufferInfo& info = abi::info(entry.id);
      if (entry.capacity == 0) {
        if (!entry.scanned) note(tx, d, std::string(" ").append(info.keyword), {entry.bytes, entry.size});
      } else {
        const std::uint64_t end = entry.offset + entry.size;
        if (end > entry.scanned_to) {
          const auto fresh = static_cast<std::size_t>(end - std::max(entry.scanned_to, entry.offset));
          bodies_seen += fresh;
          note(tx, d, std::string(" ").append(info.keyword).append("+"),
               {entry.bytes + (entry.size - fresh), fresh});
        }
        if (entry.complete && !entry.scanned)
          note(tx, d, std::string(" ").append(info.keyword).append("."), {});
        entry.scanned_to = end;
      }
      entry.scanned = true;
    }
  }
  void finish(Transaction& tx, Direction d) override {
    evaluate(tx, d, false);
    for (const Side::Number& n : tx.of(d).numbers()) {
      std::string line = std::string(" ").append(abi::kAppNumbers[static_cast<unsigned>(n.id)].keyword);
      if (n.qualifier != 0) line.append("[").append(std::to_string(n.qualifier)).append("]");
      note(tx, d, line.append("=").append(std::to_string(n.value)), {});
    }
    note(tx, d, " finish", {});
    tx.finished = static_cast<std::uint8_t>(tx.finished | 1u << index(d));
    if (tx.finished == 3) done_.push_back(&tx);
  }
  void event(Transaction*, Direction, AppEvent event) override {
    lines.push_back(std::string("event ").append(abi::kAppEventNames[static_cast<unsigned>(event)]));
  }
  void opaque(Direction d, bool on) override { simple(d, on ? " opaque on" : " opaque off"); }
  void bypass(Direction d) override { simple(d, " bypass"); }
  void expect(AppProtocol app, std::uint8_t, std::uint16_t port, Direction) override {
    lines.push_back(std::string("expect ")
                        .append(abi::kAppProtocolNames[static_cast<unsigned>(app)])
                        .append(" ")
                        .append(std::to_string(port)));
  }
  void change_protocol(AppProtocol app) override {
    lines.push_back(std::string("change ").append(abi::kAppProtocolNames[static_cast<unsigned>(app)]));
  }
  bool wants_log(AppProtocol) const override { return logs; }
  void log(Transaction*, AppProtocol app, std::span<const Field> fields) override {
    std::string line = std::string("log ").append(abi::kAppProtocolNames[static_cast<unsigned>(app)]);
    for (const Field& f : fields) line.append(" ").append(f.key).append("=").append(printable(f.value));
    lines.push_back(line);
  }
  bool wants_file_hash() const override { return hashes; }
  AppPool& pool() override { return pool_; }
  std::uint64_t now_ns() const override { return clock_ns; }

  // As the real host does at the end of each packet: transactions whose two sides are finished go.
  void end_of_packet() {
    for (Transaction* tx : done_) {
      if (parser != nullptr) parser->forget(*tx);
      pool_.destroy(tx);
    }
    done_.clear();
  }

  static std::string printable(Bytes bytes) {
    std::string out;
    for (const std::uint8_t c : bytes) {
      if (c >= 0x20 && c < 0x7f && c != '\\') {
        out.push_back(static_cast<char>(c));
      } else {
        char hex[8];
        std::snprintf(hex, sizeof hex, "\\x%02x", c);
        out += hex;
      }
    }
    return out;
  }

 private:
  void note(const Transaction& tx, Direction d, const std::string& what, Bytes bytes) {
    std::string line = std::to_string(tx.id);
    line.append(d == Direction::to_server ? ">" : "<").append(what);
    if (!bytes.empty()) line.append(" ").append(printable(bytes));
    lines.push_back(line);
  }
  void simple(Direction d, const char* what) {
    lines.push_back(std::string(d == Direction::to_server ? ">" : "<").append(what));
  }
  AppPool pool_;
  std::vector<Transaction*> done_;
};

}  // namespace sekisho::app
