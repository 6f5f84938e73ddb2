// Frames and records of SMB; what a command says is read in smb1.cc and smb2.cc.
#include "dataplane/app/smb.h"

#include "dataplane/app/ftp_text.h"
#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

// RFC 1002 4.3.1.
enum FrameType : std::uint8_t {
  kMessage = 0x00,
  kRequest = 0x81,
  kPositive = 0x82,
  kNegative = 0x83,
  kRetarget = 0x84,
  kKeepAlive = 0x85
};

constexpr bool is_frame(std::uint8_t type) {
  return type == kMessage || (type >= kRequest && type <= kKeepAlive);
}
bool is_smb(Bytes message, std::uint8_t first) {
  return message.size() >= 4 && message[0] == first && message[1] == 'S' && message[2] == 'M' &&
         message[3] == 'B';
}

}  // namespace

Fed SmbParser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) {
  while (!bytes.empty())
    if (!step(d, bytes, host)) return Fed::failed;
  if (Way& way = way_[index(d)]; way.head.size() == 0) way.head.release(*pool_);
  if (!flags.end) return Fed::ok;
  // The connection ends in this direction: so do its files.
  for (File* f = files_; f != nullptr; f = f->next) {
    if (f->rpc != nullptr) f->rpc->end(d, owner(), host);
    if (f->tx == nullptr || (f->tx->finished >> index(d) & 1) != 0) continue;
    if (f->begun[index(d)]) {
      f->tx->of(d).complete(Buffer::file_data);
      f->hash[index(d)].end(host, f->tx, d, AppProtocol::smb);
    }
    host.finish(*f->tx, d);
  }
  for (Request* r = requests_; r != nullptr; r = r->next)
    if (r->tx != nullptr && r->file == nullptr && (r->tx->finished >> index(d) & 1) == 0)
      host.finish(*r->tx, d);
  return Fed::ok;
}

// Takes at least one byte. False: not SMB.
bool SmbParser::step(Direction d, Bytes& bytes, Host& host) {
  Way& way = way_[index(d)];
  std::size_t take = 0;
  switch (way.phase) {
    case Phase::frame:
      take = std::min<std::size_t>(4u - way.have, bytes.size());
      std::memcpy(way.frame + way.have, bytes.data(), take);
      way.have = static_cast<std::uint8_t>(way.have + take);
      bytes = bytes.subspan(take);
      return way.have < 4 || frame_complete(d, host);
    case Phase::gather: {
      take = std::min<std::size_t>(way.want - way.head.size(), bytes.size());
      const bool kept = way.head.append(*pool_, bytes.first(take), kMaxGather);
      bytes = bytes.subspan(take);
      way.record -= static_cast<std::uint32_t>(take);
      way.command -= static_cast<std::uint32_t>(take);
      if (!kept) {
        host.event(nullptr, d, AppEvent::smb_record_overflow);
        skip_record(way);
      } else if (way.head.size() == way.want) {
        gathered(d, host);
      }
      break;
    }
    case Phase::before_data:
      take = std::min<std::size_t>(way.skip, bytes.size());
      way.skip -= static_cast<std::uint32_t>(take);
      way.record -= static_cast<std::uint32_t>(take);
      way.command -= static_cast<std::uint32_t>(take);
      bytes = bytes.subspan(take);
      if (way.skip == 0) way.phase = Phase::data;
      break;
    case Phase::data:
      take = std::min<std::size_t>(way.data, bytes.size());
      way.data -= static_cast<std::uint32_t>(take);
      way.record -= static_cast<std::uint32_t>(take);
      way.command -= static_cast<std::uint32_t>(take);
      if (way.sink != nullptr && take != 0) file_bytes(d, *way.sink, bytes.first(take), host);
      bytes = bytes.subspan(take);
      if (way.data == 0) way.phase = Phase::skip;
      break;
    case Phase::skip:
      take = std::min<std::size_t>(way.command, bytes.size());
      way.record -= static_cast<std::uint32_t>(take);
      way.command -= static_cast<std::uint32_t>(take);
      bytes = bytes.subspan(take);
      break;
  }
  if (way.phase == Phase::data && way.data == 0) way.phase = Phase::skip;
  if (way.phase == Phase::skip && way.command == 0) command_over(d);
  return true;
}

bool SmbParser::frame_complete(Direction d, Host& host) {
  Way& way = way_[index(d)];
  way.have = 0;
  if (!is_frame(way.frame[0])) {
    malformed(d, host);
    return false;
  }
  way.record = load_be32(way.frame) & 0xffffff;
  way.compounds = 0;
  way.related = nullptr;
  if (way.record == 0) return true;
  if (way.frame[0] != kMessage) {
    skip_record(way);
    return true;
  }
  begin_command(way, way.record);
  return true;
}

void SmbParser::begin_command(Way& way, std::uint32_t size) {
  way.command = size;
  way.head.clear();
  way.sink = nullptr;
  way.phase = Phase::gather;
  way.want = std::min<std::uint32_t>(64, size);
}

void SmbParser::command_over(Direction d) {
  Way& way = way_[index(d)];
  way.head.clear();
  way.sink = nullptr;
  way.phase = Phase::frame;
  if (way.record != 0) begin_command(way, way.record);
}

void SmbParser::skip_record(Way& way) {
  way.command = way.record;
  way.head.clear();
  way.phase = way.record == 0 ? Phase::frame : Phase::skip;
}

void SmbParser::malformed(Direction d, Host& host) {
  host.event(nullptr, d, AppEvent::smb_malformed_data);
}

void SmbParser::set_opaque(Direction d, bool on, Host& host) {
  Way& way = way_[index(d)];
  if (way.opaque == on) return;
  way.opaque = on;
  host.opaque(d, on);
}

// Way::want bytes of a command are there.
void SmbParser::gathered(Direction d, Host& host) {
  Way& way = way_[index(d)];
  const Bytes message = way.head.view();
  if (is_smb(message, 0xfd)) {
    set_opaque(d, true, host);
    skip_record(way);
    return;
  }
  if (is_smb(message, 0xfc)) {
    host.event(nullptr, d, AppEvent::smb_compressed);
    set_opaque(d, true, host);
    skip_record(way);
    return;
  }
  const bool first = is_smb(message, 0xff) && message.size() >= 32,
             second = is_smb(message, 0xfe) && message.size() >= 64;
  if (!first && !second) {
    malformed(d, host);
    skip_record(way);
    return;
  }
  set_opaque(d, false, host);
  if (second ? smb2(d, message, host) : smb1(d, message, host)) {
    if (way.phase == Phase::gather) way.phase = Phase::skip;
    if (way.phase != Phase::skip) return;
    way.head.clear();
  }
}

void SmbParser::data_follows(Direction d, File* file, std::uint64_t offset, std::uint64_t length,
                             Host& host) {
  Way& way = way_[index(d)];
  const std::uint64_t here = way.head.size(), end = here + way.command;
  if (offset < here && length != 0) {  // some of it was gathered
    const auto n = static_cast<std::size_t>(std::min(length, here - offset));
    if (file != nullptr)
      file_bytes(d, *file, way.head.view().subspan(static_cast<std::size_t>(offset), n), host);
    length -= n;
    offset += n;
  }
  const std::uint64_t from = std::min(std::max(offset, here), end);
  way.sink = file;
  way.skip = static_cast<std::uint32_t>(from - here);
  way.data = static_cast<std::uint32_t>(std::min(length, end - from));
  way.phase = way.skip != 0 ? Phase::before_data : way.data != 0 ? Phase::data : Phase::skip;
}

void SmbParser::file_bytes(Direction d, File& f, Bytes bytes, Host& host) {
  const unsigned side = index(d);
  // Of a file whose opening was not seen, the first byte tells a pipe (DCE/RPC's version).
  if (f.kind == Kind::unknown) f.kind = bytes[0] == 5 ? Kind::pipe : Kind::disk;
  if (f.kind == Kind::pipe) {
    if (f.rpc == nullptr) f.rpc = pool_->make<DcerpcSession>();
    if (f.rpc != nullptr) f.rpc->feed(d, bytes, owner(), host);
    return;
  }
  if (f.tx == nullptr && (f.tx = open_transaction(host)) == nullptr) return;
  if ((f.tx->finished >> side & 1) != 0) return;
  if (!f.begun[side]) {
    f.begun[side] = true;
    if (f.name.size() != 0 && f.tx->of(d).find(Buffer::file_name) == nullptr)
      f.tx->of(d).add(Buffer::file_name, f.name.view());
    f.hash[side].begin(host);
  }
  f.hash[side].add(bytes);
  append_body(host, *f.tx, d, Buffer::file_data, bytes);
}

bool SmbParser::gap(Direction d, std::uint64_t bytes, Host&) {
  Way& way = way_[index(d)];
  const bool inside =
      (way.phase == Phase::data && bytes <= way.data) || (way.phase == Phase::skip && bytes < way.command);
  if (!inside) return false;
  const auto lost = static_cast<std::uint32_t>(bytes);
  way.record -= lost;
  way.command -= lost;
  if (way.phase == Phase::data) {
    way.data -= lost;
    if (way.sink != nullptr) {
      way.sink->hash[index(d)].spoil();
      if (way.sink->rpc != nullptr) way.sink->rpc->gap(d, bytes);
    }
    if (way.data == 0) way.phase = Phase::skip;
  }
  if (way.phase == Phase::skip && way.command == 0) command_over(d);
  return true;
}

void SmbParser::forget(const Transaction& tx) {
  for (File* f = files_; f != nullptr; f = f->next) {
    if (f->tx == &tx) f->tx = nullptr;
    if (f->rpc != nullptr) f->rpc->forget(tx, *pool_);
  }
  for (Request* r = requests_; r != nullptr; r = r->next)
    if (r->tx == &tx) r->tx = nullptr;
}

void SmbParser::destroy(AppPool& pool) noexcept {
  while (requests_ != nullptr) {
    destroy_open(pool, requests_->tx);
    remove(requests_);
  }
  while (files_ != nullptr) {
    destroy_open(pool, files_->tx);
    remove(files_);
  }
  while (trees_ != nullptr) remove_tree(trees_->id);
  way_[0].head.release(pool);
  way_[1].head.release(pool);
  pool.destroy(this);
}

namespace {

Probe probe(Direction, Bytes first, std::uint16_t port) {
  if (first.empty()) return Probe::more;
  // A session request or its answer comes first on port 139.
  if (port == 139 && first[0] == kRequest) {
    if (first.size() < 4) return Probe::more;
    return first[1] == 0 && first[2] == 0 && first[3] >= 0x22 && first[3] <= 0x84 ? Probe::yes : Probe::no;
  }
  if (port == 139 && first[0] == kPositive) {
    if (first.size() < 4) return Probe::more;
    return first[1] == 0 && first[2] == 0 && first[3] == 0 ? Probe::yes : Probe::no;
  }
  if (first[0] != kMessage) return Probe::no;
  if (first.size() > 4 && first[4] < 0xfc) return Probe::no;
  for (std::size_t i = 5; i < 8 && i < first.size(); ++i)
    if (first[i] != "SMB"[i - 5]) return Probe::no;
  if (first.size() < 8) return Probe::more;
  return (load_be32(first.data()) & 0xffffff) >= 32 ? Probe::yes : Probe::no;
}

}  // namespace

extern const ProtocolEntry kSmbEntry;
const ProtocolEntry kSmbEntry{AppProtocol::smb, 6, probe,
                              [](Host& host) -> Parser* { return host.pool().make<SmbParser>(host.pool()); }};

}  // namespace sekisho::app
