// Calls of a DCE/RPC session: open, complete on either side, forgotten; and their transactions.
#include <charconv>

#include "dataplane/app/dcerpc_session.h"

namespace sekisho::app {

DcerpcSession::Call* DcerpcSession::find(std::uint64_t key) {
  for (Call* call = calls_; call != nullptr; call = call->next)
    if (call->key == key) return call;
  return nullptr;
}

// nullptr: no memory. The oldest call goes when there are too many.
DcerpcSession::Call* DcerpcSession::open(std::uint64_t key, const DcerpcOwner& owner, Host& host) {
  if (call_count_ >= kMaxCalls) {
    Call* oldest = calls_;
    while (oldest->next != nullptr) oldest = oldest->next;
    const std::uint64_t old = oldest->key;
    host.event(oldest->tx, Direction::to_server, AppEvent::dcerpc_too_many_calls);
    close_side(Direction::to_server, oldest, owner, host);
    if (Call* still = find(old); still != nullptr) close_side(Direction::to_client, still, owner, host);
  }
  Call* call = host.pool().make<Call>();
  if (call == nullptr) return nullptr;
  *call = {};
  call->key = key;
  call->next = calls_;
  calls_ = call;
  ++call_count_;
  return call;
}

void DcerpcSession::unlink(Call* call, AppPool& pool) {
  for (Call** at = &calls_; *at != nullptr; at = &(*at)->next) {
    if (*at != call) continue;
    *at = call->next;
    --call_count_;
    break;
  }
  for (Way& way : way_)
    if (way.call == call) way.call = nullptr;
  call->stub[0].release(pool);
  call->stub[1].release(pool);
  pool.destroy(call);
}

void DcerpcSession::set_interface(Transaction& tx, const Facts::Interface& of) {
  // In the transaction's own memory: the session may end before it is judged.
  void* memory = tx.of(Direction::to_server).keep(sizeof of, alignof(Facts::Interface));
  if (memory == nullptr) return;
  tx.facts.interfaces = new (memory) Facts::Interface(of);
  tx.facts.interface_count = 1;
}

void DcerpcSession::set_facts(Transaction& tx, const Call& call) const {
  Facts& facts = tx.facts;
  facts.dce_request = call.fragments[0] != 0;
  facts.dce_first_fragment = call.first;
  facts.dce_opnum = call.opnum;
  facts.dce_context = call.context;
  if (call.has_interface) {
    set_interface(tx, call.interface);
    return;
  }
  const Bytes all = interfaces_.view();
  const auto* known = reinterpret_cast<const Bound*>(all.data());
  for (std::size_t i = all.size() / sizeof(Bound); i-- > 0;) {
    if (known[i].of.context != call.context) continue;
    set_interface(tx, known[i].of);
    facts.dce_first_fragment = call.first && known[i].first_fragment;
    return;
  }
}

// The side is over. The call goes with its second side.
void DcerpcSession::close_side(Direction d, Call* call, const DcerpcOwner& owner, Host& host) {
  const unsigned side = index(d);
  AppPool& pool = host.pool();
  if (call->tx == nullptr) {
    call->tx = pool.make<Transaction>(pool, *owner.next_id, owner.app);
    if (call->tx == nullptr) {
      unlink(call, pool);
      return;
    }
    ++*owner.next_id;
    call->tx->facts.smb_version = owner.smb_version;
  }
  Transaction& tx = *call->tx;
  if ((tx.finished >> side & 1) != 0) return;
  call->done[side] = true;
  // A response whose request was not seen: nothing more will come.
  if (call->fragments[0] == 0) call->done[0] = true;
  if (d == Direction::to_server) set_facts(tx, *call);
  tx.facts.dce_big_endian[side] = call->big_endian[side];
  if (const Bytes stub = call->stub[side].view(); !stub.empty()) tx.of(d).add(Buffer::dce_stub_data, stub);
  call->stub[side].release(pool);
  const bool over = call->done[0] && call->done[1];
  if (over) {
    log(*call, owner, host);
    if ((tx.finished | 1u << side) != 3) host.finish(tx, other(d));
  }
  host.finish(tx, d);
  if (over) unlink(call, pool);
}

void DcerpcSession::log(const Call& call, const DcerpcOwner& owner, Host& host) const {
  if (owner.app != AppProtocol::dcerpc || !host.wants_log(owner.app)) return;
  char id[16], opnum[8], uuid[36];
  const auto number = [](std::span<char> out, std::uint32_t value) {
    const char* end = std::to_chars(out.data(), out.data() + out.size(), value).ptr;
    return Bytes(reinterpret_cast<const std::uint8_t*>(out.data()),
                 static_cast<std::size_t>(end - out.data()));
  };
  Host::Field fields[3] = {{"call_id", number(id, static_cast<std::uint32_t>(call.key))},
                           {"opnum", number(opnum, call.opnum)}};
  std::size_t count = 2;
  const Facts& facts = call.tx->facts;
  if (facts.interface_count != 0) {
    char* to = uuid;
    for (unsigned i = 0; i < 16; ++i) {
      if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
      *to++ = "0123456789abcdef"[facts.interfaces[0].uuid[i] >> 4];
      *to++ = "0123456789abcdef"[facts.interfaces[0].uuid[i] & 15];
    }
    fields[count++] = {"interface", {reinterpret_cast<const std::uint8_t*>(uuid), sizeof uuid}};
  }
  host.log(call.tx, owner.app, {fields, count});
}

void DcerpcSession::end(Direction d, const DcerpcOwner& owner, Host& host) {
  way_[index(d)].dead = true;
  for (Call* call = calls_; call != nullptr;) {
    Call* next = call->next;
    // A call of which nothing was complete makes no transaction.
    if (call->tx != nullptr && !call->done[index(d)]) {
      call->broken[index(d)] = true;
      close_side(d, call, owner, host);
    }
    call = next;
  }
}

void DcerpcSession::forget(const Transaction& tx, AppPool& pool) {
  for (Call* call = calls_; call != nullptr; call = call->next)
    if (call->tx == &tx) {
      unlink(call, pool);
      return;
    }
}

void DcerpcSession::release(AppPool& pool) {
  while (calls_ != nullptr) {
    destroy_open(pool, calls_->tx);
    unlink(calls_, pool);
  }
  way_[0].pdu.release(pool);
  way_[1].pdu.release(pool);
  interfaces_.release(pool);
}

}  // namespace sekisho::app
