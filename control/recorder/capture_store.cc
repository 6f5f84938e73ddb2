#include "control/recorder/capture_store.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "control/store/atomic_file.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::string_view kMagic("SKCAP1\n\0", 8);
constexpr std::string_view kSuffix = ".skcap";
constexpr std::size_t kChunk = 65536;
constexpr std::size_t kOverhead = crypto_secretstream_xchacha20poly1305_ABYTES;
constexpr std::size_t kHeader = crypto_secretstream_xchacha20poly1305_HEADERBYTES;

// 20261123T120102Z-0007, the same shape as a receipt's
bool is_id(std::string_view id) {
  if (id.size() != 21) return false;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const char want = i == 8 ? 'T' : i == 15 ? 'Z' : i == 16 ? '-' : '0';
    if (want == '0' ? id[i] < '0' || id[i] > '9' : id[i] != want) return false;
  }
  return true;
}

std::string text_of(const CaptureInfo& i) {
  return json{{"id", i.id},
              {"kind", i.kind},
              {"why", i.why},
              {"who", i.who},
              {"subject", i.subject},
              {"receipt", i.receipt},
              {"wall_ns", i.wall_ns},
              {"first_ns", i.first_ns},
              {"last_ns", i.last_ns},
              {"packets", i.packets},
              {"bytes", i.bytes},
              {"flow_id", i.flow_id},
              {"sid", i.sid},
              {"left_out", i.left_out},
              {"overwritten", i.overwritten},
              {"ticket", i.ticket},
              {"part", i.part},
              {"run", i.run},
              {"positions", i.positions}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

CaptureInfo info_of(const std::string& text) {
  const json j = json::parse(text, nullptr, false);
  CaptureInfo i;
  if (!j.is_object()) return i;
  i.id = j.value("id", "");
  i.kind = j.value("kind", "");
  i.why = j.value("why", "");
  i.who = j.value("who", "");
  i.subject = j.value("subject", "");
  i.receipt = j.value("receipt", "");
  i.wall_ns = j.value("wall_ns", 0ull);
  i.first_ns = j.value("first_ns", 0ull);
  i.last_ns = j.value("last_ns", 0ull);
  i.packets = j.value("packets", 0ull);
  i.bytes = j.value("bytes", 0ull);
  i.flow_id = j.value("flow_id", 0ull);
  i.sid = j.value("sid", 0u);
  i.left_out = j.value("left_out", 0ull);
  i.overwritten = j.value("overwritten", 0ull);
  i.ticket = j.value("ticket", "");
  i.part = j.value("part", 0ull);
  i.run = j.value("run", 0ull);
  i.positions = j.value("positions", std::vector<std::uint64_t>());
  return i;
}

void append_chunk(std::string& out, crypto_secretstream_xchacha20poly1305_state& state,
                  std::string_view plain, unsigned char tag) {
  const auto bytes = static_cast<std::uint32_t>(plain.size() + kOverhead);
  out.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  const std::size_t at = out.size();
  out.resize(at + bytes);
  crypto_secretstream_xchacha20poly1305_push(
      &state, reinterpret_cast<unsigned char*>(out.data() + at), nullptr,
      reinterpret_cast<const unsigned char*>(plain.data()), plain.size(),
      reinterpret_cast<const unsigned char*>(kMagic.data()), kMagic.size(), tag);
}

// Chunks of an open file, or of one in memory, in order.
class ChunkReader {
 public:
  ChunkReader(std::istream& file, const unsigned char* key) : file_(file) {
    char head[kMagic.size() + kHeader];
    if (!file_.read(head, sizeof head) || std::string_view(head, kMagic.size()) != kMagic) {
      error_ = "not a capture";
    } else if (crypto_secretstream_xchacha20poly1305_init_pull(
                   &state_, reinterpret_cast<unsigned char*>(head + kMagic.size()), key) != 0) {
      error_ = "its header is damaged";
    }
  }
  // False: the end, or error().
  bool next(std::string& plain) {
    if (!error_.empty() || final_) return false;
    std::uint32_t bytes = 0;
    if (!file_.read(reinterpret_cast<char*>(&bytes), sizeof bytes)) return fail("truncated");
    if (bytes < kOverhead || bytes > kChunk + kOverhead) return fail("damaged: a chunk of impossible size");
    sealed_.resize(bytes);
    if (!file_.read(sealed_.data(), bytes)) return fail("truncated");
    plain.resize(bytes - kOverhead);
    unsigned char tag = 0;
    if (crypto_secretstream_xchacha20poly1305_pull(
            &state_, reinterpret_cast<unsigned char*>(plain.data()), nullptr, &tag,
            reinterpret_cast<const unsigned char*>(sealed_.data()), sealed_.size(),
            reinterpret_cast<const unsigned char*>(kMagic.data()), kMagic.size()) != 0)
      return fail("damaged, or made with another key");
    final_ = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    if (final_ && file_.peek() != std::ifstream::traits_type::eof())
      return fail("damaged: bytes follow its end");
    return true;
  }
  bool complete() const { return final_ && error_.empty(); }
  const std::string& error() const { return error_; }

 private:
  bool fail(const char* what) {
    error_ = what;
    return false;
  }
  std::istream& file_;
  crypto_secretstream_xchacha20poly1305_state state_{};
  std::string sealed_, error_;
  bool final_ = false;
};

// The pcapng of a whole capture; nothing: `error`.
std::optional<std::string> pcapng_of(std::istream& file, const std::string& id, const unsigned char* key,
                                     std::string& error) {
  ChunkReader chunks(file, key);
  std::string part, out;
  if (chunks.next(part) && info_of(part).id != id) {
    error = "it is another capture, renamed";
    return std::nullopt;
  }
  while (chunks.next(part)) out += part;
  if (chunks.complete()) return out;
  error = chunks.error().empty() ? "damaged" : chunks.error();
  return std::nullopt;
}

std::string with_errno(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

}  // namespace

struct CaptureStore::Key {
  unsigned char bytes[crypto_secretstream_xchacha20poly1305_KEYBYTES];
  ~Key() { sodium_memzero(bytes, sizeof bytes); }
};

CaptureStore::CaptureStore(CaptureStoreOptions options) : options_(std::move(options)) {}
CaptureStore::~CaptureStore() = default;

std::string CaptureStore::open() {
  const std::lock_guard lock(mutex_);
  if (sodium_init() < 0) return "libsodium cannot start";
  std::error_code ec;
  fs::create_directories(options_.directory, ec);
  if (ec) return options_.directory + ": " + ec.message();
  ::chmod(options_.directory.c_str(), 0700);
  auto key = std::make_unique<Key>();
  std::ifstream file(options_.key, std::ios::binary);
  if (file) {
    if (!file.read(reinterpret_cast<char*>(key->bytes), sizeof key->bytes) ||
        file.peek() != std::ifstream::traits_type::eof())
      return options_.key + ": not a key; captures cannot be kept until it is put back or moved away";
  } else if (errno != ENOENT) {
    return with_errno(options_.key);
  } else {
    crypto_secretstream_xchacha20poly1305_keygen(key->bytes);
    const std::string text(reinterpret_cast<const char*>(key->bytes), sizeof key->bytes);
    if (std::string why = write_atomically(options_.key, text); !why.empty())
      return options_.key + ": " + why;
  }
  key_ = std::move(key);
  for (const auto& it : fs::directory_iterator(options_.directory, ec)) {
    const std::string name = it.path().filename().string();
    if (name.size() > 21 && is_id(std::string_view(name).substr(0, 21)))
      counter_ = std::max(counter_, static_cast<unsigned>(std::stoul(name.substr(17, 4))));
  }
  return {};
}

void CaptureStore::set_bounds(std::size_t captures, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  most_captures_ = std::max<std::size_t>(captures, 1);
  most_bytes_ = bytes;
  make_room(0);
}

std::string CaptureStore::path(const std::string& id) const {
  return options_.directory + "/" + id + std::string(kSuffix);
}

std::string CaptureStore::next_id(std::uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / kSecond);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char day[32], number[16];
  strftime(day, sizeof day, "%Y%m%dT%H%M%SZ", &parts);
  counter_ = counter_ % 9999 + 1;
  std::snprintf(number, sizeof number, "-%04u", counter_);
  return std::string(day) + number;
}

// Deletes the oldest until `bytes` more, and one file more, fit. bytes 0: until what is there fits.
void CaptureStore::make_room(std::uint64_t bytes) {
  std::vector<std::pair<std::string, std::uint64_t>> files;
  std::uint64_t total = 0;
  std::error_code ec;
  for (const auto& it : fs::directory_iterator(options_.directory, ec)) {
    const std::string name = it.path().filename().string();
    if (!name.ends_with(kSuffix)) {
      if (name.ends_with(".new")) fs::remove(it.path(), ec);  // of a write that was broken off
      continue;
    }
    const std::uint64_t size = it.file_size(ec);
    files.emplace_back(it.path().string(), size);
    total += size;
  }
  std::sort(files.begin(), files.end());
  const std::size_t one = bytes != 0 ? 1 : 0;
  std::size_t left = files.size();
  for (const auto& [name, size] : files) {
    if (left + one <= most_captures_ && total + bytes <= most_bytes_) return;
    if (fs::remove(name, ec)) ++removed_;
    total -= size;
    --left;
  }
}

std::string CaptureStore::add(CaptureInfo& info, std::string_view pcapng) {
  const std::lock_guard lock(mutex_);
  if (!key_) return "there is no key";
  info.id = next_id(info.wall_ns != 0 ? info.wall_ns : wall_ns());
  info.bytes = pcapng.size();
  std::string text = text_of(info);
  if (text.size() > kChunk) return "too much is said about it";

  std::string out(kMagic);
  crypto_secretstream_xchacha20poly1305_state state;
  unsigned char header[kHeader];
  crypto_secretstream_xchacha20poly1305_init_push(&state, header, key_->bytes);
  out.append(reinterpret_cast<const char*>(header), sizeof header);
  out.reserve(out.size() + text.size() + pcapng.size() + (pcapng.size() / kChunk + 3) * (kOverhead + 4));
  append_chunk(out, state, text, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
  for (;;) {
    const std::string_view part = pcapng.substr(0, kChunk);
    pcapng.remove_prefix(part.size());
    append_chunk(out, state, part,
                 pcapng.empty() ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
                                : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
    if (pcapng.empty()) break;
  }
  sodium_memzero(&state, sizeof state);
  if (out.size() > most_bytes_) return "it is larger than all captures may be together";
  make_room(out.size());
  return write_atomically(path(info.id), out);
}

CaptureStore::Entry CaptureStore::entry(const std::string& id) const {
  Entry e;
  std::error_code ec;
  e.file_bytes = fs::file_size(path(id), ec);
  std::ifstream file(path(id), std::ios::binary);
  ChunkReader chunks(file, key_->bytes);
  std::string text;
  if (!file || !chunks.next(text))
    e.damage = chunks.error();
  else
    e.info = info_of(text);
  if (e.damage.empty() && e.info.id != id) e.damage = "it is another capture, renamed";
  if (!e.damage.empty()) e.info = {};
  e.info.id = id;
  return e;
}

std::vector<CaptureStore::Entry> CaptureStore::list() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  std::error_code ec;
  for (const auto& it : fs::directory_iterator(options_.directory, ec)) {
    const std::string name = it.path().filename().string();
    if (name.size() == 21 + kSuffix.size() && name.ends_with(kSuffix) && is_id(name.substr(0, 21)))
      ids.push_back(name.substr(0, 21));
  }
  std::sort(ids.rbegin(), ids.rend());
  std::vector<Entry> out;
  if (!key_) return out;
  for (const std::string& id : ids) out.push_back(entry(id));
  return out;
}

std::optional<CaptureStore::Entry> CaptureStore::find(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (!key_ || !is_id(id) || ::access(path(id).c_str(), F_OK) != 0) return std::nullopt;
  return entry(id);
}

std::optional<std::string> CaptureStore::read(const std::string& id, std::string& error) {
  const std::lock_guard lock(mutex_);
  if (!key_) {
    error = "there is no key";
    return std::nullopt;
  }
  std::ifstream file;
  if (is_id(id)) file.open(path(id), std::ios::binary);
  if (!is_id(id) || !file) {
    error = "there is no capture " + id;
    return std::nullopt;
  }
  return pcapng_of(file, id, key_->bytes, error);
}

std::optional<CaptureStore::Sealed> CaptureStore::sealed(const std::string& id, std::uint64_t most,
                                                         std::string& error) {
  std::ifstream file;
  {
    const std::lock_guard lock(mutex_);  // open, it stays whole whoever removes it
    if (is_id(id)) file.open(path(id), std::ios::binary);
  }
  if (!is_id(id) || !file) {
    error = "there is no capture " + id;
    return std::nullopt;
  }
  Sealed out;
  crypto_hash_sha256_state hash;
  crypto_hash_sha256_init(&hash);
  std::string part(kChunk, '\0');
  bool keep = true;
  while (file.read(part.data(), static_cast<std::streamsize>(part.size())) || file.gcount() > 0) {
    const auto size = static_cast<std::size_t>(file.gcount());
    crypto_hash_sha256_update(&hash, reinterpret_cast<const unsigned char*>(part.data()), size);
    out.bytes += size;
    keep = keep && out.bytes <= most;
    if (keep)
      out.content.append(part, 0, size);
    else
      out.content = {};
  }
  if (file.bad()) {
    error = with_errno(path(id));
    return std::nullopt;
  }
  unsigned char digest[crypto_hash_sha256_BYTES];
  char hex[2 * sizeof digest + 1];
  crypto_hash_sha256_final(&hash, digest);
  out.sha256 = sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
  return out;
}

std::optional<std::string> CaptureStore::unseal(const std::string& id, const std::string& sealed,
                                                std::string& error) {
  const std::lock_guard lock(mutex_);
  if (!key_) {
    error = "there is no key";
    return std::nullopt;
  }
  std::istringstream file(sealed);
  return pcapng_of(file, id, key_->bytes, error);
}

std::uint64_t CaptureStore::removed() const {
  const std::lock_guard lock(mutex_);
  return removed_;
}

}  // namespace sekisho::control
