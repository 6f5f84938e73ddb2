#include "control/records/record_sink.h"

#include <cstring>

#include "control/events/eve.h"
#include "control/events/names.h"
#include "dataplane/abi/drop_reason.h"

namespace sekisho::control {

namespace {

constexpr std::size_t kMostTicketFlows = 65536, kLongestTicket = 64;
constexpr std::size_t kBatchBytes = 1u << 20;  // handed on before a pass is over

StoredAddress stored(std::uint8_t version, const std::uint8_t* bytes) {
  StoredAddress a;
  a.size = version == 4 ? 4 : version == 6 ? 16 : 0;
  std::memcpy(a.bytes.data(), bytes, a.size);
  return a;
}

// What the drain wrote into the line, where somebody told it. A quote inside of a value would be escaped.
std::string_view ticket_in(std::string_view line) {
  constexpr std::string_view kKey = ",\"ticket\":\"";
  const std::size_t at = line.find(kKey);
  if (at == line.npos) return {};
  line.remove_prefix(at + kKey.size());
  const std::size_t end = line.find('"');
  return end == line.npos || end > kLongestTicket ? std::string_view() : line.substr(0, end);
}

bool by_signature(const abi::Event& e) {
  return e.kind == abi::EventKind::alert ||
         (e.kind == abi::EventKind::drop &&
          e.drop_reason == static_cast<std::uint8_t>(abi::DropReason::signature));
}

}  // namespace

EventRow row_of(const abi::Event& e, const Names& names, std::uint64_t wall_ns) {
  EventRow row;
  row.wall_us = static_cast<std::int64_t>(wall_ns / 1000);
  row.kind = event_type_name(e.kind);
  row.link = names.link(e.link);
  row.source = stored(e.ip_version, e.source);
  row.destination = stored(e.ip_version, e.destination);
  return row;
}

const std::string* RecordSink::ticket_of(const abi::Event& e, const Names& names, std::uint64_t wall_ns) {
  if (e.flow_id == 0 || tickets_ == nullptr) return nullptr;
  if (const auto known = flow_tickets_.find(e.flow_id); known != flow_tickets_.end()) {
    ticket_ = known->second;
    if (e.kind == abi::EventKind::flow_end) flow_tickets_.erase(known);
    return &ticket_;
  }
  const bool flow = e.kind == abi::EventKind::flow_start || e.kind == abi::EventKind::flow_end;
  if (!flow || e.snapshot_generation != names.generation()) return nullptr;
  const std::string_view access = names.rule_access(e.rule);
  if (access.empty()) return nullptr;
  // The ticket under which the flow began, though this may be its end.
  const std::uint64_t age = e.start_ns != 0 && e.time_ns > e.start_ns ? e.time_ns - e.start_ns : 0;
  ticket_ = tickets_->at(access, wall_ns - age);
  if (ticket_.empty()) return nullptr;
  if (e.kind == abi::EventKind::flow_start && flow_tickets_.size() < kMostTicketFlows)
    flow_tickets_.emplace(e.flow_id, ticket_);
  return &ticket_;
}

void RecordSink::event(const abi::Event& e, const EventFields& fields, const Names& names,
                       std::uint64_t wall_ns, std::string_view line) {
  const std::string* ticket = ticket_of(e, names, wall_ns);
  const signatures::SignatureInfo* signature =
      by_signature(e) && e.snapshot_generation == names.generation() ? names.signature(e.rule) : nullptr;
  if (incidents_ != nullptr && e.kind == abi::EventKind::alert && signature != nullptr)
    incidents_->add(e, *signature, names.link(e.link), wall_ns);
  if (store_ == nullptr || line.empty()) return;
  if (line.back() == '\n') line.remove_suffix(1);
  EventRow row = row_of(e, names, wall_ns);
  if (e.kind == abi::EventKind::app_log) row.kind = app_event_type(e, fields);
  if (signature != nullptr) row.sid = signature->sid;
  row.ticket = ticket != nullptr ? std::string_view(*ticket) : ticket_in(line);
  row.offset = static_cast<std::uint32_t>(batch_.text.size());
  row.size = static_cast<std::uint32_t>(line.size());
  batch_.text += line;
  batch_.rows.push_back(std::move(row));
  if (batch_.text.size() >= kBatchBytes) pass_done();
}

void RecordSink::pass_done() {
  if (store_ == nullptr || batch_.rows.empty()) return;
  store_->add(std::move(batch_));
  batch_ = {};
}

}  // namespace sekisho::control
