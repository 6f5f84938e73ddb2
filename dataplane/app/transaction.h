// What an application parser makes of a stream: transactions whose two sides hold buffers for inspection.
//
// A parser is given in-order bytes, makes transactions, adds buffers to their sides, and tells its Host. The
// host (ips/) scans each buffer once, when it was added, and evaluates signatures over all buffers of that
// side. What a parser must keep between calls it keeps in its own state, which comes from the AppPool and is
// bounded.
//
// Thread: the worker that owns the flow. Nothing here blocks, throws, logs or calls the kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/abi/app_event.h"
#include "dataplane/abi/app_number.h"
#include "dataplane/abi/inspect.h"
#include "dataplane/app/pool.h"

namespace sekisho::app {

using abi::AppEvent;
using abi::AppProtocol;
using abi::Buffer;
using Bytes = std::span<const std::uint8_t>;

enum class Direction : std::uint8_t { to_server, to_client };
constexpr Direction other(Direction d) {
  return d == Direction::to_server ? Direction::to_client : Direction::to_server;
}
constexpr unsigned index(Direction d) {
  return static_cast<unsigned>(d);
}

// Bounds of one side of a transaction. What goes beyond is cut off and raises the protocol's event.
inline constexpr std::size_t kMaxSideBytes = 256 * 1024;  // all whole buffers together
inline constexpr std::size_t kMaxSideBuffers = 512;
inline constexpr std::size_t kMaxSideNumbers = 256;
inline constexpr std::size_t kBodyWindow = 32 * 1024;  // bytes of a body that stay visible behind its end

// One side (direction) of a transaction. Memory comes from the pool in chunks and goes back at release();
// spans stay valid until then, except those of bodies: until the next append.
// Invariant: the bytes of a `whole` buffer never change once added.
class Side {
 public:
  struct Entry {
    Buffer id;
    bool scanned;        // owned by the host
    bool complete;       // a body: no more will come. Whole buffers: always true
    std::uint32_t size;  // of bytes
    const std::uint8_t* bytes;
    std::uint64_t offset;      // a body: of bytes[0] from its start
    std::uint64_t scanned_to;  // a body: owned by the host
    std::uint32_t capacity;
  };

  explicit Side(AppPool& pool) : pool_(&pool) {}
  ~Side() { release(); }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  // Adds a whole buffer and copies the bytes. False: a bound was met or the pool is empty (nothing added).
  // An empty buffer is a buffer: signatures may ask for bsize:0.
  bool add(Buffer id, Bytes bytes);
  // The same from two or more pieces (".": dotprefix and joined headers need no temporary).
  bool add(Buffer id, std::initializer_list<Bytes> pieces);
  // Memory that lives as long as this side, counted as its bytes. nullptr: a bound was met or the pool is
  // empty.
  void* keep(std::size_t bytes, std::size_t alignment);
  // A number that signatures ask for; qualifier: which setting, … False: a bound was met (kMaxSideNumbers).
  bool add_number(abi::AppNumber id, std::uint64_t value, std::uint16_t qualifier = 0);
  struct Number {
    abi::AppNumber id;
    std::uint16_t qualifier;
    std::uint64_t value;
  };
  std::span<const Number> numbers() const { return {numbers_, number_count_}; }
  // Grows a body; it keeps the last kBodyWindow bytes and all that the host has not scanned. False: the pool
  // is empty (the side is `truncated`). At most kBodyWindow bytes a call: Host::evaluate between pieces.
  bool append(Buffer id, Bytes bytes);
  // The body is over.
  void complete(Buffer id);
  // A new body of the same id begins (next file of the same transaction): the old one's bytes are let go.
  void restart(Buffer id);

  std::span<Entry> entries() { return {entries_, count_}; }
  std::span<const Entry> entries() const { return {entries_, count_}; }
  const Entry* find(Buffer id) const;  // the first
  bool truncated() const { return truncated_; }
  std::size_t bytes() const { return bytes_; }
  void release();

  // The host's own state for this side: nullptr, or a block of kHostState bytes of the pool; goes with
  // release().
  static constexpr std::size_t kHostState = 2048;
  void* host_state = nullptr;

 private:
  std::uint8_t* take(std::size_t bytes);
  bool grow();
  AppPool* pool_;
  Entry* entries_ = nullptr;
  std::uint32_t count_ = 0, room_ = 0;
  std::size_t bytes_ = 0;
  void* chunks_ = nullptr;  // list of arena chunks
  std::uint32_t chunk_left_ = 0;
  std::uint8_t* chunk_at_ = nullptr;
  Number* numbers_ = nullptr;
  std::uint16_t number_count_ = 0, number_room_ = 0;
  bool truncated_ = false;
};

// Facts of a transaction that signatures ask for and that are no bytes. Parsers fill what is theirs.
struct Facts {
  // DCE/RPC (smb.cc, dcerpc.cc)
  static constexpr unsigned kMaxInterfaces = 16;
  struct Interface {
    std::uint8_t uuid[16];  // in the order of the text form
    std::uint16_t version, minor;
    std::uint16_t context;
    bool accepted;
  };
  const Interface* interfaces = nullptr;  // bound so far in this connection
  std::uint8_t interface_count = 0;
  bool dce_request = false;         // opnum is set
  bool dce_first_fragment = false;  // dce_iface without any_frag wants it
  std::uint16_t dce_opnum = 0;
  std::uint16_t dce_context = 0;
  bool dce_big_endian[2] = {};  // data representation of each side's stub
  // DNS
  std::uint16_t dns_opcode = 0, dns_rcode = 0, dns_type = 0;
  // FTP: the data connection that this command and its reply arranged
  std::uint16_t ftp_port = 0;  // 0: none
  bool ftp_active = false;     // the server connects
  bool ftp_replied = false;
  // SMB
  std::uint32_t smb_version = 0;  // 1, or the dialect (0x0202 …)
};

class Transaction {
 public:
  Transaction(AppPool& pool, std::uint64_t number, AppProtocol protocol)
      : id(number), app(protocol), side{Side(pool), Side(pool)} {}
  const std::uint64_t id;  // from 0 in each flow
  const AppProtocol app;
  Side side[2];  // index(Direction)
  Facts facts;
  Side& of(Direction d) { return side[index(d)]; }
  const Side& of(Direction d) const { return side[index(d)]; }
  std::uint8_t finished = 0;  // bit index(d): Host::finish was called for that side
};

// For a parser that is destroyed: gives back a transaction that is open. One finished on both sides is the
// host's. nullptr: none.
inline void destroy_open(AppPool& pool, Transaction* tx) noexcept {
  if (tx != nullptr && tx->finished != 3) pool.destroy(tx);
}

// What a flow shows of itself (keywords ssl_state, ssl_version, ssh.protoversion, ftpdata_command, ja3 …)
// beside transactions; one for each inspected flow, written by its parser. Small: it is part of an idle
// flow's memory.
struct FlowFacts {
  std::uint8_t ssl_state = 0;         // bits of abi::SslState, since the flow began
  std::uint16_t tls_version = 0;      // negotiated, or offered until then; 0: none
  std::uint8_t ftp_data_command = 0;  // 1 RETR, 2 STOR
  std::uint32_t handover = 0;         // what the parser before this one left: handover.h
};

// The parser's listener and evaluator. Implemented by ips/ and by tests.
class Host {
 public:
  // Buffers of that side were added or have grown: scan them, note which signatures may match. The signatures
  // are judged at the end of the packet, or at once where `now` (a body larger than its window goes on).
  virtual void evaluate(Transaction& tx, Direction d, bool now) = 0;
  // That side is over; its bytes must stay until the parser is told collect(). Implies evaluate. When both
  // sides are finished the host destroys the transaction (AppPool) after it was judged.
  // Transactions that a parser still has open when it is destroyed it destroys itself (pool().destroy).
  virtual void finish(Transaction& tx, Direction d) = 0;
  // Raises an application event; tx may be nullptr.
  virtual void event(Transaction* tx, Direction d, AppEvent event) = 0;
  // The rest of the flow is encrypted or otherwise opaque in this direction: raw scanning stops, counted; the
  // parser still sees the bytes (TLS checks its framing). A parser takes it back (`false`) at a violation.
  virtual void opaque(Direction d, bool on) = 0;
  // The parser wants no more bytes of this direction.
  virtual void bypass(Direction d) = 0;
  // This connection announces another (FTP data): both addresses as in this flow unless `server` is given
  // (network order, 4 or 16 bytes), any source port.
  virtual void expect(AppProtocol app, std::uint8_t facts, std::uint16_t server_port,
                      Direction connects_to) = 0;
  // The name of the file that the connection announced by the last expect() carries, for its own host to give
  // back as expected_file(). A host may ignore it.
  virtual void expect_file(Bytes) {}
  virtual Bytes expected_file() { return {}; }
  // Whether an address (network order, 4 or 16 bytes) is that of this flow's server (to_server) or client.
  virtual bool is_endpoint(Direction, Bytes) const { return true; }
  // From here on (the next byte of either side) the stream is of another protocol: STARTTLS, HTTP CONNECT and
  // Upgrade. unknown: find out.
  virtual void change_protocol(AppProtocol app) = 0;
  // Whether any signature looks at that buffer: parsers may spare what nobody reads.
  virtual bool wants(Buffer) const { return true; }
  // A record for the transaction log (EVE http, tls, dns, ...): `fields` is a list of (key, value) pairs.
  virtual bool wants_log(AppProtocol app) const = 0;
  struct Field {
    const char* key;  // a literal
    Bytes value;
  };
  virtual void log(Transaction* tx, AppProtocol app, std::span<const Field> fields) = 0;
  // A file goes through this side (body): name may be empty. wants_file: whether somebody asks for its hash
  // (else parsers spare it). At the end the SHA-256 and size are told.
  virtual bool wants_file_hash() const = 0;
  // The memory of parsers and transactions.
  virtual AppPool& pool() = 0;
  // A monotonous clock, ns (timeouts inside parsers; no kernel call).
  virtual std::uint64_t now_ns() const = 0;

 protected:
  ~Host() = default;
};

}  // namespace sekisho::app
