// SMB 1 commands (MS-CIFS 2.2.4; MS-SMB 2.2.4). Offsets in a message count from its header.
#include "dataplane/app/smb.h"

#include "dataplane/app/ftp_text.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kHeader = 32, kFirst = 64;
constexpr unsigned kMaxChain = 8;
constexpr std::uint32_t kBufferOverflow = 0x80000005, kMoreProcessing = 0xc0000016;
enum Command : std::uint8_t {
  kClose = 0x04,
  kTransaction = 0x25,
  kOpenAndX = 0x2d,
  kReadAndX = 0x2e,
  kWriteAndX = 0x2f,
  kTreeDisconnect = 0x71,
  kNegotiate = 0x72,
  kSessionSetupAndX = 0x73,
  kLogoffAndX = 0x74,
  kTreeConnectAndX = 0x75,
  kNtCreateAndX = 0xa2,
  kNoAndX = 0xff
};
constexpr std::uint16_t kTransactNamedPipe = 0x26;

bool chains(std::uint8_t command) {
  return command == kOpenAndX || command == kReadAndX || command == kWriteAndX || command == 0x24 ||
         command == kSessionSetupAndX || command == kLogoffAndX || command == kTreeConnectAndX ||
         command == kNtCreateAndX;
}

// The parameter words and bytes of the command at `at` (its word count).
struct Block {
  Bytes words, bytes;
  std::size_t bytes_at = 0;
  bool sound = false;
  std::uint16_t word(std::size_t offset) const { return smb16(words.data() + offset); }
};
Block block(Bytes message, std::size_t at) {
  Block b;
  if (at >= message.size()) return b;
  const std::size_t n = 2 * std::size_t{message[at]};
  if (at + 1 + n > message.size()) return b;
  b.words = message.subspan(at + 1, n);
  b.bytes_at = at + 1 + n + 2;
  if (b.bytes_at <= message.size())
    b.bytes = message.subspan(
        b.bytes_at, std::min<std::size_t>(smb16(message.data() + at + 1 + n), message.size() - b.bytes_at));
  b.sound = true;
  return b;
}
Bytes part(Bytes message, std::size_t offset, std::size_t length) {
  if (offset > message.size()) return {};
  return message.subspan(offset, std::min(length, message.size() - offset));
}

}  // namespace

bool SmbParser::smb1(Direction d, Bytes message, Host& host) {
  Way& way = way_[index(d)];
  const std::uint8_t command = message[4];
  const bool response = (message[9] & 0x80) != 0;
  if (message.size() == std::min<std::size_t>(kFirst, message.size() + way.command) && way.command != 0) {
    // All parameters of what streams are within the first bytes.
    const bool streams = (command == kWriteAndX && !response) || (command == kReadAndX && response);
    if (!streams) {
      const std::size_t all = message.size() + way.command;
      if (all > kMaxGather) host.event(nullptr, d, AppEvent::smb_record_overflow);
      way.want = static_cast<std::uint32_t>(std::min(all, kMaxGather));
      return false;
    }
  }
  if (version_ == 0) version_ = 1;
  if (response != (d == kDown)) {
    host.event(nullptr, d, response ? AppEvent::smb_response_to_server : AppEvent::smb_request_to_client);
    return true;
  }
  smb1_chain(d, message, host);
  return true;
}

void SmbParser::smb1_chain(Direction d, Bytes message, Host& host) {
  std::uint8_t command = message[4];
  std::size_t at = kHeader;
  for (unsigned n = 0; n < kMaxChain; ++n) {
    const Block b = block(message, at);
    if (!b.sound) {
      malformed(d, host);
      return;
    }
    if (d == kUp)
      smb1_request(command, message, at, host);
    else
      smb1_response(command, message, at, host);
    if (!chains(command) || b.words.size() < 4 || b.words[0] == kNoAndX || b.words[0] == 0) return;
    const std::size_t next = b.word(2);
    // A write or read carries its data where a chained command could stand; only gathered ones are followed.
    if (next <= at || next >= message.size()) return;
    command = b.words[0];
    at = next;
  }
  host.event(nullptr, d, AppEvent::smb_too_many_compounds);
}

void SmbParser::smb1_request(std::uint8_t command, Bytes message, std::size_t at, Host& host) {
  const Block b = block(message, at);
  const std::uint8_t* h = message.data();
  const bool unicode = (smb16(h + 10) & 0x8000) != 0;
  const std::uint16_t tid = smb16(h + 24);
  const std::uint64_t key =
      static_cast<std::uint64_t>(smb16(h + 26)) << 16 | smb16(h + 30) | std::uint64_t{1} << 63;
  std::uint8_t text[kMaxName];
  // Strings in UTF-16 are aligned to two bytes of the message.
  const auto name_in_bytes = [&](std::size_t skip) {
    Bytes name = b.bytes.subspan(std::min(skip, b.bytes.size()));
    if (unicode && ((b.bytes_at + skip) & 1) != 0 && !name.empty()) name = name.subspan(1);
    return name;
  };
  const auto file_of = [&](std::uint16_t fid) {
    Id id{};
    id.bytes[0] = static_cast<std::uint8_t>(fid);
    id.bytes[1] = static_cast<std::uint8_t>(fid >> 8);
    return file(id, true, host);
  };
  const auto remember = [&](File* f) {
    if (f == nullptr) return;
    if (Request* r = add_request(key, command, host); r != nullptr) r->file = f;
  };
  switch (command) {
    case kSessionSetupAndX:
      if (b.words.size() == 24)
        security(b.bytes.first(std::min<std::size_t>(b.word(14), b.bytes.size())), host);
      break;
    case kTreeConnectAndX: {
      if (b.words.size() < 8) break;
      const Bytes path = name_in_bytes(b.word(6));
      const Bytes share = smb_text(path, unicode, text);
      // The service follows the path, in plain letters.
      std::size_t end = 0;
      const std::size_t step = unicode ? 2 : 1;
      while (end + step <= path.size() && (path[end] != 0 || (unicode && path[end + 1] != 0))) end += step;
      const Bytes service = path.subspan(std::min(path.size(), end + step));
      tree_request(key, command, share, ftp_begins(service, "IPC"), host);
      break;
    }
    case kTreeDisconnect:
      remove_tree(tid);
      break;
    case kNtCreateAndX:
      if (b.words.size() >= 48)
        create_request(
            key, command, tid,
            smb_text(name_in_bytes(0).first(std::min<std::size_t>(b.word(5), name_in_bytes(0).size())),
                     unicode, text),
            host);
      break;
    case kOpenAndX:
      if (b.words.size() >= 30)
        create_request(key, command, tid, smb_text(name_in_bytes(0), unicode, text), host);
      break;
    case kClose:
      if (b.words.size() >= 2) remember(file_of(b.word(0)));
      break;
    case kReadAndX:
      if (b.words.size() >= 6) remember(file_of(b.word(4)));
      break;
    case kWriteAndX:
      if (b.words.size() >= 24) {
        File* f = file_of(b.word(4));
        if (f != nullptr && f->kind == Kind::unknown)
          if (const Tree* t = tree(tid); t != nullptr) f->kind = t->kind;
        // MS-CIFS: on a pipe in message mode the first write of a message begins with the message's length.
        const std::size_t offset = b.word(22);
        const std::uint64_t length = static_cast<std::uint64_t>(b.word(18)) << 16 | b.word(20);
        const bool raw_start =
            f != nullptr && f->kind == Kind::pipe && (b.word(14) & 0x000c) == 0x000c && length >= 2;
        data_follows(kUp, f, offset + (raw_start ? 2 : 0), length - (raw_start ? 2 : 0), host);
      }
      break;
    case kTransaction: {
      if (b.words.size() < 32 || b.word(28) != kTransactNamedPipe) break;
      File* f = file_of(b.word(30));
      if (f == nullptr) break;
      f->kind = Kind::pipe;
      remember(f);
      if (const Bytes data = part(message, b.word(24), b.word(22)); !data.empty())
        file_bytes(kUp, *f, data, host);
      break;
    }
    default:
      break;
  }
}

void SmbParser::smb1_response(std::uint8_t command, Bytes message, std::size_t at, Host& host) {
  const Block b = block(message, at);
  const std::uint8_t* h = message.data();
  const std::uint32_t status = smb32(h + 5);
  const std::uint64_t key =
      static_cast<std::uint64_t>(smb16(h + 26)) << 16 | smb16(h + 30) | std::uint64_t{1} << 63;
  const bool sound = status == 0 || status == kBufferOverflow;
  Request* asked = request(key, command);
  switch (command) {
    case kSessionSetupAndX:
      if (status != kMoreProcessing)
        log(nullptr, "SMB1_COMMAND_SESSION_SETUP_ANDX", status, nullptr, {}, host);
      break;
    case kTreeConnectAndX:
      tree_response(key, command, smb16(h + 24), sound, status, host);
      if (Tree* t = sound ? tree(smb16(h + 24)) : nullptr; t != nullptr && b.bytes.size() >= 3)
        t->kind = ftp_begins(b.bytes, "IPC") ? Kind::pipe : Kind::disk;
      break;
    case kNtCreateAndX:
    case kOpenAndX: {
      const std::size_t fid = command == kOpenAndX ? 4 : 5;
      const bool named = sound && b.words.size() >= fid + 2;
      Id id{};
      if (named) std::memcpy(id.bytes, b.words.data() + fid, 2);
      create_response(key, command, named ? &id : nullptr, status, host);
      break;
    }
    case kClose:
    case kReadAndX:
    case kTransaction: {
      if (asked == nullptr) break;
      File* f = asked->file;
      remove(asked);
      if (f == nullptr || !sound) break;
      if (command == kClose) {
        close_file(f, host);
      } else if (command == kReadAndX && b.words.size() >= 24) {
        data_follows(kDown, f, b.word(12), static_cast<std::uint64_t>(b.word(14)) << 16 | b.word(10), host);
      } else if (command == kTransaction && b.words.size() >= 16) {
        if (const Bytes data = part(message, b.word(14), b.word(12)); !data.empty())
          file_bytes(kDown, *f, data, host);
      }
      break;
    }
    default:
      break;
  }
}

}  // namespace sekisho::app
