// Cost of the HTTP parser alone: a body's segment, a whole small exchange, a compressed body. The host does
// nothing.
#include <benchmark/benchmark.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "dataplane/app/http.h"

namespace {

using namespace sekisho::app;

class NullHost final : public Host {
 public:
  explicit NullHost(bool scans) : scans_(scans) {}
  void evaluate(Transaction& tx, Direction d, bool) override {
    for (Side::Entry& e : tx.of(d).entries()) e.scanned_to = e.offset + e.size;
  }
  void finish(Transaction& tx, Direction d) override {
    evaluate(tx, d, false);
    tx.finished = static_cast<std::uint8_t>(tx.finished | 1u << index(d));
    if (tx.finished == 3) done_ = &tx;
  }
  void event(Transaction*, Direction, AppEvent) override {}
  void opaque(Direction, bool) override {}
  void bypass(Direction) override {}
  void expect(AppProtocol, std::uint8_t, std::uint16_t, Direction) override {}
  void change_protocol(AppProtocol) override {}
  bool wants(Buffer b) const override { return scans_ || b == Buffer::file_data; }
  bool wants_log(AppProtocol) const override { return false; }
  void log(Transaction*, AppProtocol, std::span<const Field>) override {}
  bool wants_file_hash() const override { return false; }
  AppPool& pool() override { return pool_; }
  std::uint64_t now_ns() const override { return 0; }
  void end_of_packet(Parser& p) {
    if (done_ == nullptr) return;
    p.forget(*done_);
    pool_.destroy(done_);
    done_ = nullptr;
  }

 private:
  AppPool pool_{64u << 20};
  Transaction* done_ = nullptr;
  bool scans_;
};

Bytes bytes(const std::string& s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}
const std::string kRequest =
    "GET /images/logo.png?v=12 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
    "x86_64)\r\n"
    "Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, "
    "deflate\r\n"
    "Connection: keep-alive\r\nCookie: session=0123456789abcdef\r\n\r\n";

// One full segment of a body that never ends. Argument: 1 = every buffer is wanted, 0 = file.data only.
void BodySegment(benchmark::State& state) {
  NullHost host(state.range(0) != 0);
  Parser* parser = kHttpEntry.make(host);
  FlowFacts facts;
  parser->feed(Direction::to_server, bytes(kRequest), {}, facts, host);
  parser->feed(Direction::to_client, bytes("HTTP/1.1 200 OK\r\nContent-Length: 900000000000000\r\n\r\n"), {},
               facts, host);
  const std::string segment(1460, 'x');
  for (auto _ : state) parser->feed(Direction::to_client, bytes(segment), {}, facts, host);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * 1460);
  parser->destroy(host.pool());
}
BENCHMARK(BodySegment)->Arg(0)->Arg(1);

void Exchange(benchmark::State& state) {
  NullHost host(true);
  Parser* parser = kHttpEntry.make(host);
  FlowFacts facts;
  const std::string response =
      "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/html\r\n"
      "Content-Length: 512\r\nConnection: keep-alive\r\n\r\n" +
      std::string(512, 'b');
  for (auto _ : state) {
    parser->feed(Direction::to_server, bytes(kRequest), {}, facts, host);
    host.end_of_packet(*parser);
    parser->feed(Direction::to_client, bytes(response), {}, facts, host);
    host.end_of_packet(*parser);
  }
  parser->destroy(host.pool());
}
BENCHMARK(Exchange);

void GzipBody(benchmark::State& state) {
  std::string text;
  for (unsigned i = 0; text.size() < (1u << 20); ++i)
    text.append("line ").append(std::to_string(i * 2654435761u)).append("\n");
  std::string z(compressBound(text.size()), '\0');
  uLongf size = z.size();
  compress2(reinterpret_cast<Bytef*>(z.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
            text.size(), 6);
  z.resize(size);
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
  NullHost host(false);
  Parser* parser = kHttpEntry.make(host);
  FlowFacts facts;
  for (auto _ : state) {
    parser->feed(Direction::to_server, bytes(kRequest), {}, facts, host);
    parser->feed(Direction::to_client, bytes(head), {}, facts, host);
    for (std::size_t at = 0; at < z.size(); at += 1460)
      parser->feed(Direction::to_client, bytes(z).subspan(at, std::min<std::size_t>(1460, z.size() - at)), {},
                   facts, host);
    host.end_of_packet(*parser);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * z.size()));
  parser->destroy(host.pool());
}
BENCHMARK(GzipBody);

}  // namespace

BENCHMARK_MAIN();
