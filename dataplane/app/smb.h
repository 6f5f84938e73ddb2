// SMB 1 (MS-CIFS, MS-SMB), SMB 2 and 3 (MS-SMB2) over NetBIOS sessions (RFC 1002 4.3) or directly over TCP.
//
// Records stream through: of a write request and a read response only the head is gathered, the data goes on
// piece by piece; everything else is gathered up to kMaxGather bytes and then read. An opened file is one
// transaction: its name, what is written (to the server) and what is read (to the client). A tree connect and
// a session setup are one each. Data of a pipe goes to a DcerpcSession, whose calls are transactions of this
// flow.
//
// Bounds: kMaxTrees trees, kMaxFiles open files, kMaxRequests requests that wait for their answer (the one
// used longest ago goes first), kMaxCompound commands in a record, names of kMaxName bytes. Encrypted records
// are opaque; compressed ones too, and an event. Thread: the worker that owns the flow.
#pragma once

#include "dataplane/app/dcerpc_session.h"
#include "dataplane/app/mime_file.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {

class SmbParser final : public Parser {
 public:
  static constexpr unsigned kMaxTrees = 32, kMaxFiles = 64, kMaxRequests = 64, kMaxCompound = 64;
  static constexpr std::size_t kMaxGather = 128 * 1024;
  static constexpr std::size_t kMaxName = 1024;

  explicit SmbParser(AppPool& pool) : pool_(&pool) {}
  AppProtocol protocol() const override { return AppProtocol::smb; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction& tx) override;
  void destroy(AppPool& pool) noexcept override;

 private:
  static constexpr Direction kUp = Direction::to_server, kDown = Direction::to_client;
  enum class Kind : std::uint8_t { unknown, disk, pipe };
  struct Id {
    std::uint8_t bytes[16];
    bool operator==(const Id&) const = default;
  };
  struct Tree {
    Tree* next;
    std::uint32_t id;
    Kind kind;
  };
  struct File {
    File* next;
    Id id;
    Transaction* tx = nullptr;
    DcerpcSession* rpc = nullptr;
    Kept name;
    FileHash hash[2];
    Kind kind = Kind::unknown;
    bool named = false;  // its id is known
    bool begun[2] = {};  // bytes went that way
  };
  // A request whose answer tells more.
  struct Request {
    Request* next;
    std::uint64_t key;
    Transaction* tx = nullptr;
    File* file = nullptr;
    std::uint16_t command;
    Kind kind = Kind::unknown;
    Kept name;
  };
  enum class Phase : std::uint8_t { frame, gather, before_data, data, skip };
  struct Way {
    std::uint8_t frame[4];
    std::uint8_t have;
    Phase phase;
    bool opaque;
    std::uint8_t compounds;
    std::uint32_t record;   // bytes of the record that are still to come
    std::uint32_t command;  // of the command; <= record
    std::uint32_t want;     // to gather
    std::uint32_t skip, data;
    Kept head;
    File* sink;     // of the data
    File* related;  // opened before in this record
  };

  bool step(Direction d, Bytes& bytes, Host& host);
  bool frame_complete(Direction d, Host& host);
  void gathered(Direction d, Host& host);
  void begin_command(Way& way, std::uint32_t size);
  void command_over(Direction d);
  void skip_record(Way& way);
  void malformed(Direction d, Host& host);
  void set_opaque(Direction d, bool on, Host& host);
  // Data of a file follows: `offset` from the command's first byte.
  void data_follows(Direction d, File* file, std::uint64_t offset, std::uint64_t length, Host& host);
  void file_bytes(Direction d, File& file, Bytes bytes, Host& host);

  // smb1.cc, smb2.cc. False: more must be gathered (Way::want was raised).
  bool smb1(Direction d, Bytes message, Host& host);
  void smb1_chain(Direction d, Bytes message, Host& host);
  void smb1_request(std::uint8_t command, Bytes message, std::size_t words, Host& host);
  void smb1_response(std::uint8_t command, Bytes message, std::size_t words, Host& host);
  bool smb2(Direction d, Bytes message, Host& host);
  void smb2_request(std::uint16_t command, Bytes message, Host& host);
  void smb2_response(std::uint16_t command, Bytes message, Host& host);

  // smb_state.cc
  Transaction* open_transaction(Host& host);
  void tree_request(std::uint64_t key, std::uint16_t command, Bytes path, bool service_is_pipe, Host& host);
  void tree_response(std::uint64_t key, std::uint16_t command, std::uint32_t id, bool sound,
                     std::uint32_t status, Host& host);
  File* create_request(std::uint64_t key, std::uint16_t command, std::uint32_t tree, Bytes name, Host& host);
  void create_response(std::uint64_t key, std::uint16_t command, const Id* id, std::uint32_t status,
                       Host& host);
  void security(Bytes blob, Host& host);
  void close_file(File* file, Host& host);
  File* file(const Id& id, bool make, Host& host);
  File* add_file(Host& host);
  void remove(File* file);
  Tree* tree(std::uint32_t id);
  void remove_tree(std::uint32_t id);
  Request* request(std::uint64_t key, std::uint16_t command);
  Request* add_request(std::uint64_t key, std::uint16_t command, Host& host);
  void remove(Request* request);
  void log(Transaction* tx, const char* command, std::uint32_t status, const char* key, Bytes name,
           Host& host);
  DcerpcOwner owner() { return {AppProtocol::smb, &next_id_, version_}; }

  AppPool* pool_;
  std::uint64_t next_id_ = 0;
  Way way_[2] = {};
  Tree* trees_ = nullptr;
  File* files_ = nullptr;
  Request* requests_ = nullptr;
  std::uint32_t version_ = 0;  // 1, or the dialect
  std::uint8_t tree_count_ = 0, file_count_ = 0, request_count_ = 0;
};

// The text of a name: UTF-16 (little endian) or bytes up to a zero, as UTF-8. At most out.size() bytes.
Bytes smb_text(Bytes name, bool unicode, std::span<std::uint8_t> out);

// NTLMSSP AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3) somewhere in a security blob.
struct NtlmNames {
  enum class Found : std::uint8_t { none, malformed, yes } found = Found::none;
  Bytes domain, user, workstation;  // into the blob
  bool unicode = false;
};
NtlmNames smb_ntlm(Bytes blob);

inline std::uint16_t smb16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] | p[1] << 8);
}
inline std::uint32_t smb32(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(smb16(p + 2)) << 16 | smb16(p);
}

}  // namespace sekisho::app
