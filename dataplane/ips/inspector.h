// Inspection of one worker: a packet of an inspected flow goes in, what signatures and reassembly say of it
// comes out, before the packet leaves.
//
//   reassemble → feed the application's parser → scan and judge the packet and the stream → judge the
//   transactions that grew → put the matches in order and decide
//
// Order of judgement as in Suricata: packet and stream signatures first, then transactions, each in the order
// of the set. Actions: pass ends all that comes after it; a drop covers the packet or the flow by the
// signature's type; thresholds silence alerts, never drops.
// Thread: the worker that owns it. Allocates at construction and in use() only; parsers, transactions and
// flows take from bounded pools. What a pool refuses is overload: the link's overload action decides.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/ips/always_lists.h"
#include "dataplane/ips/evaluator.h"
#include "dataplane/ips/expectations.h"
#include "dataplane/ips/inspection.h"
#include "dataplane/ips/scanner.h"
#include "dataplane/ips/signature_set.h"
#include "dataplane/ips/thresholds.h"
#include "dataplane/stream/stream.h"

namespace sekisho::ips {

// A signature set ready for workers: the set, and its lists. Made by the steward, immutable.
struct LoadedSet {
  std::shared_ptr<const SignatureSet> set;
  AlwaysLists lists;
  std::array<bool, abi::kBufferCount> wants{};  // buffers that some signature looks at
  explicit LoadedSet(std::shared_ptr<const SignatureSet> s)
      : set(std::move(s)), lists(*set, set->packet_always()) {
    for (const abi::GroupRecord& group : set->view().groups)
      if (static_cast<unsigned>(group.buffer) < abi::kBufferCount)
        wants[static_cast<unsigned>(group.buffer)] = true;
  }
};

struct InspectorOptions {
  std::size_t app_bytes = std::size_t{256} << 20;     // parsers, transactions, flows
  std::size_t stream_bytes = std::size_t{256} << 20;  // reassembly
  std::uint32_t max_alerts = 15;                      // a packet
  bool passive = false;  // a capture of what happened elsewhere: nothing is refused for being out of order
  bool app_log = false;  // tell() gets records of transactions
  bool file_hashes = false;
};

// How the packet's link wants it.
struct LinkPolicy {
  bool prevent = false;        // else signatures only alert
  bool overload_pass = false;  // overload action
  bool midstream = false;      // streams without a handshake are followed
  enum class Stranger : std::uint8_t { inspect, pass, drop };
  Stranger stranger = Stranger::inspect;  // a TCP flow whose first packet is no SYN
  bool async = false;                     // one side may never be seen
  const std::uint8_t* actions = nullptr;  // abi::IpsAction, one for each signature; nullptr: as written
  std::uint64_t depth = 0;
  stream::UrgentPolicy urgent = stream::UrgentPolicy::in_line;
};

// The packet's flow as the flow table knows it.
struct FlowView {
  std::uint64_t flow_id = 0;
  bool from_initiator = true;
  bool handshake_seen = false;  // TCP: the three-way handshake; else: both sides have spoken
  bool new_flow = false;
};

struct Match {
  std::uint32_t signature;
  std::uint32_t transaction;    // UINT32_MAX: none
  abi::SignatureAction action;  // after the link's policy
  std::uint8_t direction;       // abi::kToServer or kToClient
  bool alert;                   // an event is wanted (no threshold, noalert or suppression stands against it)
  bool blocked;                 // the action drops or rejects on this link
};

struct Finding {
  abi::Verdict verdict = abi::Verdict::pass;
  abi::DropReason reason = abi::DropReason::none;
  bool condemn = false;  // the drop covers the flow
  bool reject_source = false, reject_destination = false;
  bool overloaded = false;                // passed uninspected because the link says so
  std::uint32_t signature = 0xffffffffu;  // that drops
  std::span<const Match> matches;         // in order; valid until the next call
};

// What inspection tells besides matches. Called inside inspect() and end().
class Listener {
 public:
  using Field = app::Host::Field;
  virtual void app_record(const Inspection& flow, std::uint32_t transaction, abi::AppProtocol app,
                          std::span<const Field> fields) noexcept = 0;
  virtual void app_event(const Inspection& flow, std::uint32_t transaction, std::uint8_t direction,
                         abi::AppEvent event) noexcept = 0;
  virtual void stream_events(const Inspection& flow, abi::StreamEventMask events) noexcept = 0;
  // False: the site has excepted these addresses from this signature; the match counts for nothing.
  virtual bool wanted(const Match& match, const PacketContext& context) noexcept = 0;
  // Something of a transaction that goes with an alert: called for each match that alerts, after inspect()
  // has put the matches in order and before transactions are destroyed.
  virtual void matched(const Match& match, const app::Transaction* tx,
                       const PacketContext& context) noexcept = 0;

 protected:
  ~Listener() = default;
};

struct InspectorCounters {
  std::uint64_t inspected_bytes = 0;  // stream and datagram payload
  std::uint64_t opaque_bytes = 0;     // encrypted: framing is checked, nothing is scanned
  std::uint64_t candidates = 0, judged = 0, matches = 0;
  std::uint64_t candidates_lost = 0;  // more than fit: these signatures were not judged (an alarm)
  std::uint64_t pending_lost = 0;
  std::uint64_t scans_failed = 0;  // the scanner refused: bytes that nobody looked at (an alarm)
  std::uint64_t overload = 0, flows_refused = 0;
  std::uint64_t matches_lost = 0;  // more than one packet may have
};

class Inspector final : private app::Host {
 public:
  // hosts: shared by all workers. listener outlives the inspector.
  Inspector(const InspectorOptions& options, HostState& hosts, Listener& listener);
  ~Inspector();
  Inspector(const Inspector&) = delete;
  Inspector& operator=(const Inspector&) = delete;

  // From the next packet on. `scratch`: this worker's, allocated by the steward for this set. nullptr: only
  // reassembly and parsing. generation: of the snapshot; flow state of another one is forgotten.
  void use(const LoadedSet* set, ScanScratch* scratch, std::uint32_t generation);

  // One packet of a flow (state of an earlier packet, or nullptr for its first). May set `state`.
  // decode_events: what parsing found odd. REQUIRES: packet.kind is ip, key is its key.
  Finding inspect(Inspection*& state, const FlowView& flow, const Packet& packet, const FlowKey& key,
                  abi::DecodeEventMask decode_events, const LinkPolicy& link, std::uint64_t now_ns) noexcept;

  // A packet without a flow, or one that could not be decoded: packet signatures and decode events only.
  Finding inspect_stray(const Packet& packet, const FlowKey& key, bool decoded,
                        abi::DecodeEventMask decode_events, const LinkPolicy& link,
                        std::uint64_t now_ns) noexcept;

  // The flow is over: transactions that wait for its end are judged (the matches can only alert), memory goes
  // back, state is nullptr.
  Finding end(Inspection*& state, const FlowKey& key, std::uint64_t flow_id, bool source_is_low,
              const LinkPolicy& link, std::uint64_t now_ns) noexcept;
  // The same without judging.
  void drop_state(Inspection*& state) noexcept;
  // Gives back what an idle flow can spare.
  void trim(Inspection& state) noexcept;

  const InspectorCounters& counters() const { return counters_; }
  Scratch& scratch() { return scratch_; }
  std::size_t memory_in_use() const { return pool_.in_use() + streams_.in_use(); }
  std::size_t memory_of(const Inspection& state) const;
  bool has_set() const { return set_ != nullptr; }
  // Signatures on decode events are there: undecodable packets are worth a look.
  bool wants_strays() const { return set_ != nullptr && !set_->lists.events().empty(); }

 private:
  // app::Host
  void evaluate(app::Transaction& tx, app::Direction d, bool now) override;
  void finish(app::Transaction& tx, app::Direction d) override;
  void event(app::Transaction* tx, app::Direction d, abi::AppEvent event) override;
  void opaque(app::Direction d, bool on) override;
  void bypass(app::Direction d) override;
  void expect(abi::AppProtocol app, std::uint8_t facts, std::uint16_t server_port,
              app::Direction connects_to) override;
  void change_protocol(abi::AppProtocol app) override;
  bool wants(abi::Buffer buffer) const override;
  bool is_endpoint(app::Direction d, Bytes address) const override;
  void expect_file(Bytes name) override;
  Bytes expected_file() override;
  bool wants_log(abi::AppProtocol) const override { return options_.app_log; }
  void log(app::Transaction* tx, abi::AppProtocol app, std::span<const Field> fields) override;
  bool wants_file_hash() const override { return options_.file_hashes; }
  app::AppPool& pool() override { return pool_; }
  std::uint64_t now_ns() const override { return context_.now_ns; }

  // identify.cc
  void feed(app::Direction d, const stream::Delivery& delivery);
  void feed_datagram(app::Direction d, Bytes payload);
  void probe(app::Direction d, Bytes first, bool end);
  void give_parser(app::Direction d, Bytes bytes, bool first, bool end);
  void set_parser(const app::ProtocolEntry& entry);
  void give_up_app();
  void remove_parser();
  void apply_change();

  // inspector.cc
  void begin(const LinkPolicy& link, std::uint64_t now_ns);
  void fill_context(const FlowView& flow, const Packet& packet, const FlowKey& key,
                    abi::DecodeEventMask events);
  void transport(Finding& finding, const Packet& packet);
  // whole: the new bytes are the payload of the present packet.
  void deliver(bool from_initiator, const stream::Delivery& delivery, bool whole);
  app::Direction direction_of(bool from_initiator) const {
    return from_initiator != flow_->has(inspect_flag::kReversed) ? app::Direction::to_server
                                                                 : app::Direction::to_client;
  }
  const stream::Half& half_of(app::Direction d) const {
    return flow_->tcp.half[(d == app::Direction::to_server) != flow_->has(inspect_flag::kReversed) ? 0 : 1];
  }
  void reverse();
  void stray_payload(const Packet& packet);
  void collect_packet(const Packet& packet, bool new_direction);
  void collect_stream(app::Direction d, const stream::Delivery& delivery, bool whole);
  void judge_candidates(const app::Transaction* tx, app::Direction d);
  void judge_transaction(app::Transaction& tx, app::Direction d);
  void judge_touched();
  void next_epoch();
  void add_candidate(std::uint32_t signature, std::uint64_t literal_end);
  static constexpr std::size_t kMaxCandidates = 8192, kMaxTouched = 512, kMaxEvents = 64, kMaxFound = 256;
  using EventList = std::array<abi::AppEvent, kMaxEvents>;
  // What was raised for a transaction (nullptr: for none), in one direction or (nullptr) both.
  std::span<const abi::AppEvent> events_of(const app::Transaction* tx, const app::Direction* d,
                                           EventList& list) const;
  struct Found;
  bool covers_flow(const Found& found, abi::SignatureType type) const;
  void record(std::uint32_t signature, const app::Transaction* tx);
  void keep_pending(unsigned d, std::uint32_t signature, std::uint64_t literal_end, std::uint32_t awaited);
  // A content that the signature cannot do without and that is nowhere in a body that grows, or kNone32.
  std::uint32_t awaited_in(std::uint32_t signature, const app::Side& side, app::Direction d) const;
  // Whether a content that is waited for (Scratch::awaited; kNone32: always) is in the new bytes.
  bool has_come(std::uint32_t awaited, Bytes window, std::size_t new_from) const;
  Finding decide();
  void destroy_finished();
  abi::SignatureAction action_of(std::uint32_t signature) const;

  struct Candidate {
    std::uint32_t signature;
    std::uint64_t literal_end;
    friend bool operator<(const Candidate& a, const Candidate& b) { return a.signature < b.signature; }
  };
  struct Touched {
    app::Transaction* tx;
    app::Direction d;
  };
  struct RaisedEvent {
    const app::Transaction* tx;
    app::Direction d;
    abi::AppEvent event;
  };
  struct Found {
    Match match;
    const app::Transaction* tx;
    bool stateful;  // found in the stream or in a transaction, not in this packet alone
  };
  static constexpr std::uint32_t kIdleLookBack = 256;

  const InspectorOptions options_;
  HostState& hosts_;
  Listener& listener_;
  stream::StreamPool streams_;
  app::AppPool pool_;
  Expectations expectations_;
  Scratch scratch_;
  const LoadedSet* set_ = nullptr;
  ScanScratch* scan_scratch_ = nullptr;
  std::uint32_t generation_ = 0;
  InspectorCounters counters_;

  // Of the present packet.
  LinkPolicy link_;
  PacketContext context_;
  stream::Options stream_options_;
  Inspection* flow_ = nullptr;
  const FlowKey* key_ = nullptr;
  bool was_opaque_ = false;  // before this packet, in its direction
  bool followed_ = false;    // the flow's stream is reassembled
  bool streamed_ = false;    // context_.stream is the flow's stream, not a lone packet's payload
  bool scanned_ = false;     // the packet's payload was scanned as the stream's new bytes
  // from_initiator_: the packet came from the end that opened the flow as the flow table has it; to_server_:
  // from the client (the same, unless the flow was met in midstream by its server's packet).
  bool source_is_low_ = true, from_initiator_ = true, to_server_ = true;
  bool change_wanted_ = false;
  abi::AppProtocol change_to_ = abi::AppProtocol::unknown;
  FlowState no_flow_state_;
  Expectations::Announced expected_;

  std::uint32_t epoch_ = 0;
  std::vector<std::uint32_t> stamp_;  // one for each signature: epoch_ when it is a candidate already
  std::unique_ptr<Candidate[]> candidate_;
  std::size_t candidates_ = 0;
  std::array<Touched, kMaxTouched> touched_;
  std::size_t touched_count_ = 0;
  std::array<app::Transaction*, kMaxTouched> finished_;
  std::size_t finished_count_ = 0;
  std::array<RaisedEvent, kMaxEvents> events_;
  std::size_t event_count_ = 0;
  std::array<Found, kMaxFound> found_;
  std::size_t found_count_ = 0;
  std::array<Match, kMaxFound> decided_;
};

}  // namespace sekisho::ips
