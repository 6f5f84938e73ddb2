// SMB 2 and 3 commands (MS-SMB2 2.2). Offsets in a message count from its header.
#include "dataplane/app/smb.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kHeader = 64;
constexpr std::uint32_t kResponse = 1, kRelated = 4;
constexpr std::uint32_t kPending = 0x103, kBufferOverflow = 0x80000005, kMoreProcessing = 0xc0000016;
constexpr std::uint32_t kPipeTransceive = 0x0011c017;
enum Command : std::uint16_t {
  kNegotiate = 0,
  kSessionSetup = 1,
  kTreeConnect = 3,
  kTreeDisconnect = 4,
  kCreate = 5,
  kClose = 6,
  kRead = 8,
  kWrite = 9,
  kIoctl = 11
};

// Of the message, where it lies inside.
Bytes part(Bytes message, std::size_t offset, std::size_t length) {
  if (offset > message.size()) return {};
  return message.subspan(offset, std::min(length, message.size() - offset));
}

}  // namespace

bool SmbParser::smb2(Direction d, Bytes message, Host& host) {
  Way& way = way_[index(d)];
  const std::uint8_t* h = message.data();
  const std::uint16_t command = smb16(h + 12);
  const std::uint32_t flags = smb32(h + 16), next = smb32(h + 20);
  const bool response = (flags & kResponse) != 0;
  if (message.size() == kHeader) {
    // The header alone: where the command ends.
    if (++way.compounds > kMaxCompound) {
      host.event(nullptr, d, AppEvent::smb_too_many_compounds);
      skip_record(way);
      return true;
    }
    if (smb16(h + 4) != kHeader || (next != 0 && (next < kHeader || next > kHeader + way.command))) {
      malformed(d, host);
      skip_record(way);
      return true;
    }
    if (next != 0) way.command = static_cast<std::uint32_t>(next - kHeader);
    if (response != (d == kDown)) {
      host.event(nullptr, d, response ? AppEvent::smb_response_to_server : AppEvent::smb_request_to_client);
      return true;
    }
    if (version_ < 0x0202) version_ = 0x0202;
    const bool streams = (command == kWrite && !response) || (command == kRead && response);
    const std::uint32_t body = !streams ? way.command : response ? 16 : 48;
    way.want = static_cast<std::uint32_t>(kHeader) + std::min(body, way.command);
    if (way.want > kMaxGather) {
      host.event(nullptr, d, AppEvent::smb_record_overflow);
      way.want = kMaxGather;
    }
    if (way.want > kHeader) return false;
  }
  if (response)
    smb2_response(command, message, host);
  else
    smb2_request(command, message, host);
  return true;
}

void SmbParser::smb2_request(std::uint16_t command, Bytes message, Host& host) {
  const std::uint8_t* h = message.data();
  const Bytes body = message.subspan(kHeader);
  const std::uint8_t* b = body.data();
  const std::uint64_t key = smb32(h + 24) | static_cast<std::uint64_t>(smb32(h + 28)) << 32;
  const std::uint32_t tree_id = smb32(h + 36);
  Way& way = way_[index(kUp)];
  const auto file_at = [&](std::size_t at, bool make) -> File* {
    Id id;
    std::memcpy(id.bytes, b + at, 16);
    const bool previous = std::all_of(id.bytes, id.bytes + 16, [](std::uint8_t c) { return c == 0xff; });
    if (previous && (smb32(h + 16) & kRelated) != 0) return way.related;
    return way.related = file(id, make, host);
  };
  const auto remember = [&](File* f) {
    if (f == nullptr) return;
    if (Request* r = add_request(key, command, host); r != nullptr) r->file = f;
  };
  const auto needs = [&](std::size_t n) {
    if (body.size() >= n) return true;
    malformed(kUp, host);
    return false;
  };
  switch (command) {
    case kSessionSetup:
      if (needs(16)) security(part(message, smb16(b + 12), smb16(b + 14)), host);
      break;
    case kTreeConnect: {
      if (!needs(8)) break;
      std::uint8_t text[kMaxName];
      tree_request(key, command, smb_text(part(message, smb16(b + 4), smb16(b + 6)), true, text), false,
                   host);
      break;
    }
    case kTreeDisconnect:
      remove_tree(tree_id);
      break;
    case kCreate: {
      if (!needs(48)) break;
      std::uint8_t text[kMaxName];
      way.related = create_request(key, command, tree_id,
                                   smb_text(part(message, smb16(b + 44), smb16(b + 46)), true, text), host);
      break;
    }
    case kClose:
      if (needs(24)) remember(file_at(8, false));
      break;
    case kRead:
      if (needs(32)) remember(file_at(16, true));
      break;
    case kWrite:
      if (needs(32)) data_follows(kUp, file_at(16, true), smb16(b + 2), smb32(b + 4), host);
      break;
    case kIoctl: {
      if (!needs(32) || smb32(b + 4) != kPipeTransceive) break;
      File* f = file_at(8, true);
      if (f == nullptr) break;
      f->kind = Kind::pipe;
      remember(f);
      if (const Bytes input = part(message, smb32(b + 24), smb32(b + 28)); !input.empty())
        file_bytes(kUp, *f, input, host);
      break;
    }
    default:
      break;
  }
}

void SmbParser::smb2_response(std::uint16_t command, Bytes message, Host& host) {
  const std::uint8_t* h = message.data();
  const Bytes body = message.subspan(kHeader);
  const std::uint8_t* b = body.data();
  const std::uint32_t status = smb32(h + 8);
  if (status == kPending) return;  // the answer is yet to come
  const std::uint64_t key = smb32(h + 24) | static_cast<std::uint64_t>(smb32(h + 28)) << 32;
  const bool sound = status == 0 || status == kBufferOverflow;
  Request* asked = request(key, command);
  switch (command) {
    case kNegotiate:
      if (body.size() >= 6 && smb16(b + 4) != 0x02ff) version_ = smb16(b + 4);
      break;
    case kSessionSetup:
      if (status != kMoreProcessing) log(nullptr, "SMB2_COMMAND_SESSION_SETUP", status, nullptr, {}, host);
      break;
    case kTreeConnect:
      tree_response(key, command, smb32(h + 36), sound && body.size() >= 3, status, host);
      if (Tree* t = sound && body.size() >= 3 ? tree(smb32(h + 36)) : nullptr; t != nullptr)
        t->kind = b[2] == 2 ? Kind::pipe : Kind::disk;
      break;
    case kCreate: {
      Id id;
      const bool named = sound && body.size() >= 80;
      if (named) std::memcpy(id.bytes, b + 64, 16);
      create_response(key, command, named ? &id : nullptr, status, host);
      break;
    }
    case kClose:
      if (asked == nullptr) break;
      if (sound) {
        File* f = asked->file;
        remove(asked);
        if (f != nullptr) close_file(f, host);
      } else {
        remove(asked);
      }
      break;
    case kRead:
    case kIoctl: {
      if (asked == nullptr) break;
      File* f = asked->file;
      remove(asked);
      if (!sound || f == nullptr) break;
      if (command == kRead && body.size() >= 8) {
        data_follows(kDown, f, b[2], smb32(b + 4), host);
      } else if (command == kIoctl && body.size() >= 40) {
        if (const Bytes output = part(message, smb32(b + 32), smb32(b + 36)); !output.empty())
          file_bytes(kDown, *f, output, host);
      }
      break;
    }
    default:
      break;
  }
}

}  // namespace sekisho::app
