#include "dataplane/ips/state.h"

#include <nettle/sha2.h>

#include <algorithm>
#include <cstring>

namespace sekisho::ips {
namespace {

using abi::CheckRecord;
using abi::EffectRecord;
using abi::FlowIntOp;

constexpr std::uint32_t kHostBitSeconds = 300;  // of hostbits without an expiry
constexpr std::uint8_t kSource = 1, kDestination = 2, kPair = 3, kTransaction = 4;

std::uint64_t ms(const PacketContext& c) {
  return c.now_ns / 1'000'000;
}

// A bit's key: who it belongs to and its id. 0: cannot be told (no packet, no transaction).
std::uint64_t bit_key(const HostTable& table, std::uint32_t id, std::uint8_t owner, const PacketContext& c,
                      const app::Transaction* tx) {
  std::uint8_t b[40] = {};
  std::memcpy(b, &id, 4);
  b[4] = owner == kDestination ? kSource : owner;  // a bit of a host is the same from both sides
  b[5] = c.ip_version;
  if (owner == kTransaction) {
    if (tx == nullptr) return 0;
    std::memcpy(b + 8, &c.flow_id, 8);
    std::memcpy(b + 16, &tx->id, 8);
    return table.key(b);
  }
  if (c.source == nullptr || c.destination == nullptr) return 0;
  const std::size_t n = c.ip_version == 4 ? 4 : 16;
  const std::uint8_t *first = c.source, *second = c.destination;
  if (owner == kPair) {
    if (std::memcmp(first, second, n) > 0) std::swap(first, second);
    std::memcpy(b + 8, first, n);
    std::memcpy(b + 24, second, n);
  } else {
    std::memcpy(b + 8, owner == kSource ? first : second, n);
  }
  return table.key(b);
}

bool bit_is_set(std::uint32_t id, std::uint8_t owner, const PacketContext& c, const app::Transaction* tx,
                const HostState& hosts) {
  const std::uint64_t key = bit_key(hosts.bits, id, owner, c, tx);
  HostTable::State s;
  return key != 0 && hosts.bits.find(key, ms(c), s) && s.count != 0;
}

bool change_bit(const EffectRecord& e, std::uint8_t owner, std::uint32_t seconds, const PacketContext& c,
                const app::Transaction* tx, HostState& hosts) {
  const std::uint64_t key = bit_key(hosts.bits, e.id, owner, c, tx);
  if (key == 0) return false;
  const std::uint64_t now = ms(c);
  if (e.op == 1) {
    hosts.bits.erase(key, now);
    return true;
  }
  const std::uint64_t expires = now + std::uint64_t{seconds} * 1000;
  return hosts.bits.update(key, now, [&](bool found, HostTable::State old) {
    const bool on = e.op == 0 || !found || old.count == 0;
    return HostTable::State{on ? expires : now, on ? 1u : 0u};
  });
}

std::uint8_t xbit_owner(std::uint8_t argument) {
  static constexpr std::uint8_t kOwners[] = {kSource, kDestination, kPair, kTransaction};
  return kOwners[argument & 3];
}

bool flowbits_hold(const SetView& set, const CheckRecord& check, const FlowState& flow) {
  for (const abi::Interval64& r : set.ranges.subspan(check.first, check.count)) {
    if (check.op == 0) {
      if (flow.any_bit_in(r.low, r.high)) return true;
      continue;
    }
    // Not set: any of them. A range larger than what a flow can hold has one that is not.
    if (r.high - r.low >= FlowState::kMaxBits + FlowState::kInlineBits) return true;
    for (std::uint64_t id = r.low; id <= r.high; ++id) {
      if (!flow.any_bit_in(id, id)) return true;
    }
  }
  return false;
}

bool flowint_holds(const CheckRecord& check, const FlowState& flow) {
  const std::uint32_t* v = flow.find_int(static_cast<std::uint16_t>(check.low));
  const auto op = static_cast<FlowIntOp>(check.op);
  if (op == FlowIntOp::is_set) return v != nullptr;
  if (op == FlowIntOp::is_not_set) return v == nullptr;
  if (v == nullptr) return false;
  std::uint64_t right = check.high;
  if (check.argument == 1) {
    const std::uint32_t* other = flow.find_int(static_cast<std::uint16_t>(check.high));
    if (other == nullptr) return false;
    right = *other;
  }
  switch (op) {
    case FlowIntOp::less:
      return *v < right;
    case FlowIntOp::less_equal:
      return *v <= right;
    case FlowIntOp::equal:
      return *v == right;
    case FlowIntOp::not_equal:
      return *v != right;
    case FlowIntOp::greater:
      return *v > right;
    case FlowIntOp::greater_equal:
      return *v >= right;
    default:
      return false;
  }
}

bool change_flowint(const EffectRecord& e, FlowState& flow, app::AppPool* pool) {
  std::uint32_t right = e.value;
  if (e.other != abi::kNone32) {
    const std::uint32_t* other = flow.find_int(static_cast<std::uint16_t>(e.other));
    if (other == nullptr) return true;  // nothing to take: nothing happens
    right = *other;
  }
  const auto id = static_cast<std::uint16_t>(e.id);
  const std::uint32_t* v = flow.find_int(id);
  const std::uint32_t old = v == nullptr ? 0 : *v;
  switch (static_cast<FlowIntOp>(e.op)) {
    case FlowIntOp::add:
      return flow.set_int(id, old > UINT32_MAX - right ? UINT32_MAX : old + right, pool);
    case FlowIntOp::subtract:
      return flow.set_int(id, old < right ? 0 : old - right, pool);
    case FlowIntOp::assign:
      return flow.set_int(id, right, pool);
    default:
      return true;
  }
}

}  // namespace

bool state_holds(const SetView& set, const CheckRecord& check, const PacketContext& context,
                 const app::Transaction* tx, const FlowState& flow, Scratch& scratch) {
  using K = abi::CheckKind;
  bool holds = false;
  switch (check.kind) {
    case K::flowbits:
      holds = flowbits_hold(set, check, flow);
      break;
    case K::flowint:
      holds = flowint_holds(check, flow);
      break;
    case K::xbits:
    case K::hostbits: {
      if (scratch.hosts == nullptr) return false;
      const auto id = static_cast<std::uint32_t>(check.low);
      const auto is_set = [&](std::uint8_t owner) {
        return bit_is_set(id, owner, context, tx, *scratch.hosts);
      };
      bool set_now;
      if (check.kind == K::hostbits && check.argument == 2)
        set_now = is_set(kSource) && is_set(kDestination);
      else
        set_now = is_set(xbit_owner(check.argument));
      holds = set_now == (check.op == 0);
      break;
    }
    default:
      return false;
  }
  return holds != (check.negated != 0);
}

bool change_state(const EffectRecord& e, const PacketContext& context, const app::Transaction* tx,
                  FlowState& flow, Scratch& scratch) {
  using K = abi::EffectKind;
  switch (e.kind) {
    case K::flowbits: {
      const auto id = static_cast<std::uint16_t>(e.id);
      if (e.op == 0) return flow.set_bit(id, scratch.pool);
      if (e.op == 2 && !flow.has_bit(id)) return flow.set_bit(id, scratch.pool);
      flow.clear_bit(id);
      return true;
    }
    case K::flowint:
      return change_flowint(e, flow, scratch.pool);
    case K::xbits:
      return scratch.hosts != nullptr &&
             change_bit(e, xbit_owner(e.argument), e.value, context, tx, *scratch.hosts);
    case K::hostbits: {
      if (scratch.hosts == nullptr) return false;
      const std::uint32_t seconds = e.value == 0 ? kHostBitSeconds : e.value;
      bool ok = true;
      if (e.argument != 1) ok = change_bit(e, kSource, seconds, context, tx, *scratch.hosts);
      if (e.argument != 0) ok = change_bit(e, kDestination, seconds, context, tx, *scratch.hosts) && ok;
      return ok;
    }
    default:
      return true;
  }
}

void dataset_key(const abi::DatasetRecord& dataset, Bytes value, std::uint8_t (&key)[32]) {
  std::memset(key, 0, sizeof key);
  switch (dataset.type) {
    case 0: {
      sha256_ctx c;
      sha256_init(&c);
      sha256_update(&c, value.size(), value.data());
      sha256_digest(&c, sizeof key, key);
      return;
    }
    case 3:
    case 4:
      if (value.size() == 4) {
        key[10] = key[11] = 0xff;
        std::memcpy(key + 12, value.data(), 4);
        return;
      }
      [[fallthrough]];
    default:
      if (!value.empty()) std::memcpy(key, value.data(), std::min(value.size(), sizeof key));
  }
}

namespace {

// Digests and addresses have one length; what has another is no item.
bool fits_type(const abi::DatasetRecord& d, Bytes value) {
  switch (d.type) {
    case 1:
      return value.size() == 16;
    case 2:
      return value.size() == 32;
    case 3:
      return value.size() == 4;
    case 4:
      return value.size() == 4 || value.size() == 16;
    case 5:
      return value.size() == 20;
    default:
      return true;
  }
}

std::uint64_t item_key(const HostTable& table, std::uint32_t dataset, const std::uint8_t (&key)[32]) {
  std::uint8_t b[40] = {};
  std::memcpy(b, &dataset, 4);
  std::memcpy(b + 8, key, 32);
  return table.key(b);
}

}  // namespace

bool in_dataset(const SetView& set, std::uint32_t dataset, Bytes value, const HostState* hosts,
                std::uint64_t now_ms) {
  if (dataset >= set.datasets.size()) return false;
  const abi::DatasetRecord& d = set.datasets[dataset];
  if (!fits_type(d, value)) return false;
  std::uint8_t key[32];
  dataset_key(d, value, key);
  // An item added or removed at run time overrides the list.
  HostTable::State s;
  if (hosts != nullptr && hosts->items.find(item_key(hosts->items, dataset, key), now_ms, s))
    return s.count == 1;
  const auto items = set.dataset_items.subspan(d.first, d.count);
  const auto at = std::lower_bound(
      items.begin(), items.end(), key,
      [](const abi::DatasetItem& i, const std::uint8_t* k) { return std::memcmp(i.key, k, 32) < 0; });
  return at != items.end() && std::memcmp(at->key, key, 32) == 0;
}

bool change_dataset(const SetView& set, std::uint32_t dataset, Bytes value, bool add, HostState& hosts,
                    std::uint64_t now_ms) {
  if (dataset >= set.datasets.size()) return false;
  const abi::DatasetRecord& d = set.datasets[dataset];
  if (!fits_type(d, value)) return true;
  std::uint8_t key[32];
  dataset_key(d, value, key);
  return hosts.items.update(item_key(hosts.items, dataset, key), now_ms, [&](bool, HostTable::State) {
    return HostTable::State{HostTable::kForever, add ? 1u : 2u};
  });
}

}  // namespace sekisho::ips
