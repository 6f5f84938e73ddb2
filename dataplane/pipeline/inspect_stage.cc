#include "dataplane/pipeline/inspect_stage.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "dataplane/admit/admit.h"
#include "dataplane/app/http.h"
#include "dataplane/base/bytes.h"
#include "dataplane/flow/track.h"
#include "dataplane/packet/parse.h"
#include "dataplane/packet/tunnel.h"
#include "dataplane/pipeline/event_text.h"
#include "dataplane/pipeline/flow_stage.h"

namespace sekisho::pipeline {
namespace {

constexpr std::uint32_t kNoTransaction = 0xffffffffu;
constexpr std::uint32_t kIdleMs = 10'000;  // a flow that is silent for so long gives memory back
constexpr std::size_t kExcerpt = 256;      // bytes of payload that go with an alert

// Excerpts of payload leave the gateway with an alert, but never what may hold patients' data.
bool may_show(abi::AppProtocol app) {
  return app != abi::AppProtocol::dicom && app != abi::AppProtocol::hl7 && app != abi::AppProtocol::smtp &&
         app != abi::AppProtocol::ftp_data;
}

bool in_set(const policy::SnapshotView& view, const abi::AddressSet& set, std::uint8_t version,
            const std::uint8_t* address) {
  if (set.any != 0) return true;
  if (version == 4) {
    const std::uint32_t a = load_be32(address);
    for (std::uint32_t i = 0; i < set.count4; ++i) {
      const abi::Interval4& interval = view.intervals4[set.first4 + i];
      if (interval.low <= a && a <= interval.high) return true;
    }
    return false;
  }
  const abi::Address6 a{load_be64(address), load_be64(address + 8)};
  for (std::uint32_t i = 0; i < set.count6; ++i) {
    const abi::Interval6& interval = view.intervals6[set.first6 + i];
    if (interval.low <= a && a <= interval.high) return true;
  }
  return false;
}

// Signatures on addresses look at each packet of a protocol that has no flows in the rule language.
bool has_flows(std::uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 1 || protocol == 58 || protocol == 132 ||
         protocol == 50;
}

ips::InspectorOptions options_of(const GatewayOptions& o) {
  ips::InspectorOptions i;
  i.app_bytes = o.app_memory;
  i.stream_bytes = o.stream_memory;
  i.max_alerts = o.max_alerts;
  i.passive = o.passive;
  i.app_log = o.app_log;
  i.file_hashes = o.file_hashes;
  return i;
}

}  // namespace

InspectStage::InspectStage(Context& context, flow::FlowTable& table, FlowStage& flows)
    : c_(context),
      table_(table),
      flows_(flows),
      inspector_(options_of(context.options), *context.options.hosts, *this),
      policies_(SEKISHO_MAX_LINKS),
      inspected_(SEKISHO_MAX_LINKS, 0) {
  flow_bytes_ = table.capacity() * sizeof(ips::Inspection*);
  void* p = mmap(nullptr, flow_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "inspected flows");
  flow_ = static_cast<ips::Inspection**>(p);
}

InspectStage::~InspectStage() {
  munmap(flow_, flow_bytes_);
}

void InspectStage::use(const Snapshot* snapshot) noexcept {
  // Of this thread, as use() is the worker's.
  app::http_options().lzma = true;
  app::http_options().request_layers = app::http_options().response_layers = 3;
  std::fill(inspected_.begin(), inspected_.end(), 0);
  any_ = false;
  const bool loaded = snapshot != nullptr && snapshot->signatures != nullptr;
  ips::ScanScratch* scratch = loaded && c_.options.worker < snapshot->scratch.size()
                                  ? snapshot->scratch[c_.options.worker].get()
                                  : nullptr;
  inspector_.use(scratch != nullptr ? snapshot->signatures.get() : nullptr, scratch,
                 snapshot != nullptr ? static_cast<std::uint32_t>(snapshot->view.generation()) : 0);
  if (snapshot == nullptr) return;
  for (const abi::LinkRecord& link : snapshot->view.links) {
    ips::LinkPolicy& policy = policies_[link.index];
    policy = {};
    inspected_[link.index] = link.ips != static_cast<std::uint8_t>(abi::IpsMode::off);
    any_ = any_ || inspected_[link.index] != 0;
    policy.prevent = link.ips == static_cast<std::uint8_t>(abi::IpsMode::prevent);
    policy.overload_pass = link.overload == static_cast<std::uint8_t>(abi::OverloadAction::pass);
    policy.midstream = link.midstream != 0;
    policy.async = c_.options.async;
    policy.stranger = c_.options.stranger == 1   ? ips::LinkPolicy::Stranger::pass
                      : c_.options.stranger == 2 ? ips::LinkPolicy::Stranger::drop
                                                 : ips::LinkPolicy::Stranger::inspect;
    policy.depth = std::uint64_t{link.inspect_depth_kb} << 10;
    if (loaded && link.ips != 0 && link.ips_actions != 0xffffffffu)
      policy.actions = snapshot->view.ips_actions.data() + link.ips_actions;
  }
}

void InspectStage::process(Burst& burst) noexcept {
  if (!any_) return;
  dropped_by_.fill(0xffffffffu);
  for_live(burst.live, [&](std::uint32_t i) {
    const Packet& p = burst.packet[i];
    if (inspected_[p.link] == 0) return;
    if (p.kind == PacketKind::ip)
      one(burst, i);
    else if (p.kind == PacketKind::arp && p.ethertype == 0x86dd)
      line_protocol(burst, i);
  });
}

void InspectStage::one(Burst& burst, std::uint32_t slot) noexcept {
  const Packet& p = burst.packet[slot];
  // A cut that came while the packets before were scanned. Nothing of this burst has been sent, and all of it
  // is asked for again before it is: what is sent from here on obeys.
  if (const std::uint64_t generation = c_.words.generation(); generation != c_.obeyed) c_.obey(generation);
  if (!admit::link_passes(p, burst.key[slot], c_.words)) return burst.drop(slot, DropReason::link_cut);
  look(burst, slot, p, burst.key[slot], 0);
}

// Neighbour discovery and MLD pass without a flow, as ARP does; signatures look at each packet (a router that
// announces its own end, another that nobody knows).
void InspectStage::line_protocol(Burst& burst, std::uint32_t slot) noexcept {
  Packet p = burst.packet[slot];
  p.kind = PacketKind::ip;
  packet_ = &p;
  key_ = &burst.key[slot];
  index_ = kNoFlow;
  ips::Finding finding =
      inspector_.inspect_stray(p, burst.key[slot], true, packet::odd_events(p), policies_[p.link], c_.now_ns);
  // No error answers neighbour discovery (RFC 4443 2.4 (e)).
  finding.reject_source = finding.reject_destination = false;
  act(burst, slot, p, finding);
  packet_ = nullptr;
}

bool InspectStage::look(Burst& burst, std::uint32_t slot, const Packet& p, const FlowKey& key,
                        unsigned depth) noexcept {
  packet_ = &p;
  key_ = &key;
  index_ = p.flow;
  if (p.flow == kNoFlow || (p.flags & packet_flag::kIcmpError) != 0 || !has_flows(p.protocol)) {
    act(burst, slot, p, inspector_.inspect_stray(p, key, true, 0, policies_[p.link], c_.now_ns));
    if ((burst.live >> slot & 1) == 0) return false;
    return look_inside(burst, slot, p, key, depth);
  }
  const flow::Flow& f = table_.flow(p.flow);
  // Condemned by a packet before this one in the same burst.
  if (f.state == flow::State::condemned) {
    burst.drop(slot, DropReason::flow_condemned);
    return false;
  }
  ips::FlowView view;
  view.flow_id = table_.origin(p.flow).flow_id;
  view.from_initiator = (p.flags & packet_flag::kFromInitiator) != 0;
  view.new_flow = (p.flags & packet_flag::kNewFlow) != 0;
  view.handshake_seen = p.protocol == 6
                            ? flow::established(f.state) && (f.flags & flow::flow_flag::kLearnt) == 0
                            : f.packets(false) != 0 && f.packets(true) != 0;
  act(burst, slot, p,
      inspector_.inspect(flow_[p.flow], view, p, key, packet::odd_events(p), policies_[p.link], c_.now_ns));
  if ((burst.live >> slot & 1) == 0) return false;
  return look_inside(burst, slot, p, key, depth);
}

bool InspectStage::look_inside(Burst& burst, std::uint32_t slot, const Packet& p, const FlowKey& key,
                               unsigned depth) noexcept {
  if (depth == packet::kMaxTunnels || !packet::may_carry(p)) return true;
  Packet inner;
  FlowKey inner_key;
  if (!packet::parse_inner(p, key, c_.snapshot->topology, inner, inner_key)) return true;
  if (flows_.inside(inner, inner_key, p.flow) == kNoFlow) return true;
  return look(burst, slot, inner, inner_key, depth + 1);
}

void InspectStage::act(Burst& burst, std::uint32_t slot, const Packet& p,
                       const ips::Finding& finding) noexcept {
  if (finding.overloaded) {
    add(c_.counters.inspect_overload);
    if (finding.verdict == Verdict::pass) add(c_.counters.inspect_passed);
  }
  if (finding.verdict == Verdict::pass) return;
  if (finding.reason == DropReason::signature) {
    add(c_.counters.signature_drops);
    dropped_by_[slot] = finding.signature;
    dropped_flow_[slot] = p.flow != kNoFlow ? table_.origin(p.flow).flow_id : 0;
  }
  if (p.flow != kNoFlow) {
    if (finding.reject_source || finding.reject_destination)
      flows_.reject(p, p.flow, finding.reject_source, finding.reject_destination);
    if (finding.condemn) {
      flow::condemn(table_.flow(p.flow));
      table_.settle(p.flow, c_.timeouts);
      inspector_.drop_state(flow_[p.flow]);
    }
  } else if (finding.reject_source) {
    flows_.reply(p);
  }
  burst.drop(slot, finding.reason, finding.verdict);
}

void InspectStage::strays(Burst& burst) noexcept {
  if (!any_ || !inspector_.wants_strays()) return;
  for_live(Burst::mask(burst.size) & ~burst.live, [&](std::uint32_t i) {
    const Packet& p = burst.packet[i];
    if (p.verdict == Verdict::held) return;
    const abi::DecodeEventMask events = abi::decode_events(p.reason, p.ip_version) | packet::odd_events(p);
    if (events == 0 || p.link >= inspected_.size() || inspected_[p.link] == 0) return;
    packet_ = &p;
    key_ = &burst.key[i];
    index_ = kNoFlow;
    inspector_.inspect_stray(p, burst.key[i], false, events, policies_[p.link], c_.now_ns);
  });
}

void InspectStage::ended(std::uint32_t index) noexcept {
  if (flow_[index] == nullptr) return;
  const flow::Flow& f = table_.flow(index);
  packet_ = nullptr;
  key_ = &f.key;
  index_ = index;
  inspector_.end(flow_[index], f.key, table_.origin(index).flow_id,
                 (f.flags & flow::flow_flag::kInitiatorLow) != 0, policies_[f.link], c_.now_ns);
  publish();
}

void InspectStage::publish() noexcept {
  const ips::InspectorCounters& n = inspector_.counters();
  set(c_.counters.inspected_bytes, n.inspected_bytes);
  set(c_.counters.opaque_bytes, n.opaque_bytes);
  set(c_.counters.inspect_lost, n.candidates_lost + n.pending_lost + n.matches_lost + n.scans_failed +
                                    inspector_.scratch().counters.budget_exceeded);
  set(c_.counters.inspect_memory, inspector_.memory_in_use());
}

void InspectStage::housekeep(std::uint32_t budget) noexcept {
  publish();  // also for flows that live on
  const std::uint32_t end = table_.high_water();
  for (std::uint32_t n = 0; n < budget && n < end; ++n) {
    if (idle_at_ >= end) idle_at_ = 0;
    const std::uint32_t i = idle_at_++;
    if (flow_[i] != nullptr && c_.now_ms - table_.flow(i).last_seen_ms > kIdleMs) inspector_.trim(*flow_[i]);
  }
}

std::size_t InspectStage::memory_of_flow(std::uint32_t index) const {
  return flow_[index] == nullptr ? 0 : inspector_.memory_of(*flow_[index]);
}

abi::Event InspectStage::event_of_present(abi::EventKind kind) const {
  if (packet_ != nullptr) {
    abi::Event e = packet_event(c_, *packet_, *key_, kind);
    if (index_ != kNoFlow) {
      const flow::Flow& f = table_.flow(index_);
      const flow::Origin& origin = table_.origin(index_);
      e.flow_id = origin.flow_id;
      e.start_ns = origin.start_ns;
      e.packets_to_destination = f.packets(false);
      e.packets_to_source = f.packets(true);
      e.bytes_to_destination = f.bytes[0];
      e.bytes_to_source = f.bytes[1];
    }
    return e;
  }
  return flow_event(c_, table_.flow(index_), table_.origin(index_), kind);
}

void InspectStage::app_record(const ips::Inspection&, std::uint32_t transaction, abi::AppProtocol app,
                              std::span<const Field> fields) noexcept {
  abi::Event e = flow_event(c_, table_.flow(index_), table_.origin(index_), abi::EventKind::app_log);
  e.time_ns = c_.now_ns;
  e.packet_number = packet_ != nullptr ? packet_->number : 0;
  e.app_protocol = static_cast<std::uint8_t>(app);
  e.transaction = transaction;
  EventGroup group(e);
  for (const Field& f : fields) group.field(f.key, f.value);
  const auto records = group.finish();
  if (!c_.events.push_group(records.data(), records.size())) add(c_.counters.events_lost);
}

void InspectStage::app_event(const ips::Inspection& flow, std::uint32_t transaction, std::uint8_t direction,
                             abi::AppEvent event) noexcept {
  if (!c_.drop_events.take(c_.now_ns)) return;
  abi::Event e = event_of_present(abi::EventKind::app_event);
  e.rule = static_cast<std::uint32_t>(event);
  e.app_protocol = static_cast<std::uint8_t>(flow.app);
  e.transaction = transaction;
  e.detail = direction;
  e.verdict = Verdict::pass;
  c_.push(e);
}

void InspectStage::stream_events(const ips::Inspection& flow, abi::StreamEventMask events) noexcept {
  if (!c_.drop_events.take(c_.now_ns)) return;
  abi::Event e = event_of_present(abi::EventKind::app_event);
  e.rule = static_cast<std::uint32_t>(__builtin_ctzll(events));
  e.app_protocol = static_cast<std::uint8_t>(flow.app);
  e.transaction = kNoTransaction;
  e.detail = abi::event_detail::kStream;
  e.verdict = Verdict::pass;
  c_.push(e);
}

bool InspectStage::excepted(const ips::Match& match, const ips::PacketContext& context) const {
  const policy::SnapshotView& view = c_.snapshot->view;
  if (view.ips_exceptions.empty()) return false;
  const abi::SignatureRecord& s = c_.snapshot->signatures->set->view().signatures[match.signature];
  for (const abi::IpsException& x : view.ips_exceptions) {
    if ((x.sid != 0 && x.sid != s.sid) || (x.gid != 0 && x.gid != s.gid) || x.until_wall_s <= c_.wall_s)
      continue;
    if (in_set(view, x.addresses, context.ip_version, context.source) ||
        in_set(view, x.addresses, context.ip_version, context.destination))
      return true;
  }
  return false;
}

bool InspectStage::wanted(const ips::Match& match, const ips::PacketContext& context) noexcept {
  return !excepted(match, context);
}

void InspectStage::matched(const ips::Match& match, const app::Transaction* tx,
                           const ips::PacketContext& context) noexcept {
  abi::Event e = event_of_present(abi::EventKind::alert);
  e.rule = match.signature;
  e.priority = c_.snapshot->signatures->set->view().signatures[match.signature].priority;
  e.app_protocol = static_cast<std::uint8_t>(tx != nullptr ? tx->app : context.app);
  e.transaction = match.transaction;
  e.detail = match.direction;
  e.verdict = Verdict::pass;
  const bool drops =
      match.action != abi::SignatureAction::alert && match.action != abi::SignatureAction::pass;
  if (match.blocked) {
    e.detail |= abi::event_detail::kBlocked;
    e.verdict = match.action == abi::SignatureAction::drop ? Verdict::drop : Verdict::reject;
  } else if (drops) {
    e.detail |= abi::event_detail::kClosedLink;
  }
  EventGroup group(e);
  if (tx != nullptr) {
    for (const app::Side& side : tx->side)
      for (const app::Side::Entry& entry : side.entries()) {
        const char* key = alert_field(entry.id);
        if (key != nullptr) group.field(key, {entry.bytes, entry.size}, 512);
      }
  }
  if (may_show(static_cast<abi::AppProtocol>(e.app_protocol))) {
    const ips::View& shown =
        context.stream.present && context.payload.bytes.empty() ? context.stream : context.payload;
    if (!shown.bytes.empty()) group.field("payload", shown.bytes, kExcerpt);
  }
  const auto records = group.finish();
  add(c_.counters.alerts);
  if (!c_.events.push_group(records.data(), records.size())) add(c_.counters.events_lost);
}

const char* InspectStage::alert_field(abi::Buffer id) {
  switch (id) {
    case abi::Buffer::http_host:
      return "http.hostname";
    case abi::Buffer::http_uri_raw:
      return "http.url";
    case abi::Buffer::http_method:
      return "http.http_method";
    case abi::Buffer::http_user_agent:
      return "http.http_user_agent";
    case abi::Buffer::http_stat_code:
      return "http.status";
    case abi::Buffer::tls_sni:
      return "tls.sni";
    case abi::Buffer::tls_cert_subject:
      return "tls.subject";
    case abi::Buffer::tls_cert_issuer:
      return "tls.issuerdn";
    case abi::Buffer::dns_query:
      return "dns.rrname";
    case abi::Buffer::ssh_software:
      return "ssh.software_version";
    case abi::Buffer::smb_share:
      return "smb.share";
    case abi::Buffer::smb_named_pipe:
      return "smb.named_pipe";
    case abi::Buffer::rdp_cookie:
      return "rdp.cookie";
    default:
      return nullptr;
  }
}

}  // namespace sekisho::pipeline
