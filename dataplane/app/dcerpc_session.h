// One DCE/RPC conversation: a TCP connection, an SMB named pipe, or one pair of UDP ports.
//
// Source: C706 (DCE 1.1: RPC) chapter 12, MS-RPCE. Connection-oriented PDUs (version 5) arrive as a stream
// cut anywhere; connectionless ones (version 4) as datagrams. Fragments of a call are put together; a
// complete request or response makes one dce_stub_data buffer. One transaction is one call: the request and
// its response, found by call id. A transaction is made when its first side is complete and finished at once
// on that side, so the host always knows every transaction; release() gives back those that still wait.
//
// Bounds: kMaxStub bytes a direction and call, kMaxFragments fragments, kMaxCalls calls that wait,
// kMaxInterfaces contexts. What goes beyond raises an event; a stub is then given cut off.
// Thread: the worker that owns the flow. The owner calls release() before it destroys the object.
#pragma once

#include "dataplane/app/kept.h"

namespace sekisho::app {

// Whose transactions these are. `next_id` is the flow's counter.
struct DcerpcOwner {
  AppProtocol app;
  std::uint64_t* next_id;
  std::uint32_t smb_version = 0;
};

class DcerpcSession {
 public:
  static constexpr std::size_t kMaxStub = 192 * 1024;
  static constexpr unsigned kMaxFragments = 4096;
  static constexpr unsigned kMaxCalls = 32;
  static constexpr unsigned kMaxInterfaces = 256;

  // The next bytes of this direction. False: not DCE/RPC; an event told, the session takes no more.
  bool feed(Direction d, Bytes bytes, const DcerpcOwner& owner, Host& host);
  // One connectionless PDU.
  bool datagram(Direction d, Bytes bytes, const DcerpcOwner& owner, Host& host);
  // Bytes were lost. False: the place of the next PDU is lost with them.
  bool gap(Direction d, std::uint64_t bytes);
  // No more bytes of this direction: what is open on that side is finished.
  void end(Direction d, const DcerpcOwner& owner, Host& host);
  void forget(const Transaction& tx, AppPool& pool);
  void release(AppPool& pool);

 private:
  struct Bound {
    Facts::Interface of;
    std::uint8_t order;  // in its bind
    bool pending;        // not answered yet
    bool first_fragment;
  };
  struct Call {
    Call* next;
    std::uint64_t key;
    Transaction* tx;
    Kept stub[2];
    std::uint16_t fragments[2];
    bool done[2];
    bool broken[2];  // bytes are missing or beyond the bound
    bool big_endian[2];
    bool first;          // the request began with its first fragment
    bool has_interface;  // named by the call itself (connectionless)
    std::uint16_t opnum, context;
    Facts::Interface interface;
  };
  enum class Body : std::uint8_t { skip, gather, stub };
  struct Way {
    std::uint8_t header[40];
    std::uint8_t have, need;
    Body body;
    bool dead;
    std::uint32_t left, stub_left;
    Call* call;
    Kept pdu;  // of a bind or its answer
  };

  bool header_complete(Direction d, const DcerpcOwner& owner, Host& host);
  void pdu_complete(Direction d, const DcerpcOwner& owner, Host& host);
  void bind(Bytes body, bool little, bool first_fragment, Host& host);
  void bind_answer(Bytes body, bool little);
  void stub(Direction d, Call& call, Bytes bytes, Host& host);
  void close_side(Direction d, Call* call, const DcerpcOwner& owner, Host& host);
  void set_facts(Transaction& tx, const Call& call) const;
  static void set_interface(Transaction& tx, const Facts::Interface& of);
  void log(const Call& call, const DcerpcOwner& owner, Host& host) const;
  Call* find(std::uint64_t key);
  Call* open(std::uint64_t key, const DcerpcOwner& owner, Host& host);
  void unlink(Call* call, AppPool& pool);
  bool fail(Direction d, Host& host);

  Way way_[2] = {};
  Call* calls_ = nullptr;  // the youngest first
  Kept interfaces_;        // of Bound
  std::uint16_t call_count_ = 0;
  bool authenticated_ = false;  // the bind carried credentials: later PDUs end in a verifier
};

// UUID as in text, from the bytes of the wire.
void dcerpc_uuid(const std::uint8_t* wire, bool little, std::uint8_t out[16]);

}  // namespace sekisho::app
