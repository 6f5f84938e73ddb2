#include "dataplane/app/inflate.h"

#include <brotli/decode.h>
#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "dataplane/app/http_text.h"

namespace sekisho::app {
namespace {

using http::find_name;
using http::same_name;

// The libraries give blocks back without their size: it stands before them.
void* take(AppPool* pool, std::size_t bytes) {
  auto* p = static_cast<std::uint8_t*>(pool->allocate(bytes + 16));
  if (p == nullptr) return nullptr;
  std::memcpy(p, &bytes, sizeof bytes);
  return p + 16;
}
void give(AppPool* pool, void* block) {
  if (block == nullptr) return;
  auto* p = static_cast<std::uint8_t*>(block) - 16;
  std::size_t bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  pool->free(p, bytes + 16);
}
void* z_take(void* pool, unsigned items, unsigned size) {
  return take(static_cast<AppPool*>(pool), std::size_t{items} * size);
}
void z_give(void* pool, void* p) {
  give(static_cast<AppPool*>(pool), p);
}
void* b_take(void* pool, std::size_t bytes) {
  return take(static_cast<AppPool*>(pool), bytes);
}
void* l_take(void* pool, std::size_t items, std::size_t size) {
  return size != 0 && items > SIZE_MAX / size ? nullptr : take(static_cast<AppPool*>(pool), items * size);
}

constexpr std::size_t kHold = 1024;  // input that is kept until output shows that the guess was right
constexpr std::size_t kTrial = 256;  // raw deflate has no mark: so many bytes of it must decode first
constexpr std::uint32_t kMaxDictionary = 1 << 20;
constexpr std::size_t kLzmaHeader = 13;

std::uint8_t* scratch(unsigned layer) {
  static thread_local std::uint8_t memory[kMaxInflateLayers][kInflatePiece];
  return memory[layer];
}

}  // namespace

struct Inflate::Layer {
  enum class Mode : std::uint8_t { probe, gzip, zlib, raw, tail, brotli, lzma, pass };
  enum class Gzip : std::uint8_t { fixed, extra_size, extra, name, comment, check, data };

  AppPool* pool;
  Coding coding;
  Mode mode = Mode::probe;
  Mode guess = Mode::probe;
  Gzip gzip = Gzip::fixed;
  bool trial = false, ignore_flags = false, z_on = false, produced = false, lzma_on = false;
  std::uint8_t flags = 0;
  std::uint8_t skip = 0;     // bytes of a header or tail that are passed over
  std::uint32_t need = 0;    // of the gzip field at hand
  std::uint64_t seen = 0;    // bytes since the last probe
  std::uint8_t hold[kHold];  // the first of them
  z_stream z{};
  BrotliDecoderState* brotli = nullptr;
  lzma_stream lz = LZMA_STREAM_INIT;
  lzma_allocator allocator{};

  Layer(AppPool& p, Coding c) : pool(&p), coding(c) {}
  ~Layer() { close(); }
  void close() {
    if (z_on) inflateEnd(&z);
    z_on = false;
    if (brotli != nullptr) BrotliDecoderDestroyInstance(brotli);
    brotli = nullptr;
    if (lzma_on) lzma_end(&lz);
    lzma_on = false;
  }
  bool open_raw() {
    if (z_on) return inflateReset(&z) == Z_OK;
    z = {};
    z.zalloc = z_take;
    z.zfree = z_give;
    z.opaque = pool;
    z_on = inflateInit2(&z, -15) == Z_OK;
    return z_on;
  }
  enum class Trial : std::uint8_t { wrong, undecided, right, no_memory };
  // Whether the first bytes decode as raw deflate; nothing comes of it yet.
  Trial try_raw(std::uint8_t* room, bool last) {
    if (!open_raw()) return Trial::no_memory;
    const std::size_t n = seen < kTrial ? static_cast<std::size_t>(seen) : kTrial;
    z.next_in = hold;
    z.avail_in = static_cast<uInt>(n);
    int rc;
    do {
      z.next_out = room;
      z.avail_out = kInflatePiece;
      rc = ::inflate(&z, Z_NO_FLUSH);
    } while (rc == Z_OK && z.avail_out == 0);
    const Trial result = rc == Z_STREAM_END                ? Trial::right
                         : rc != Z_OK && rc != Z_BUF_ERROR ? Trial::wrong
                         : n == kTrial || last             ? Trial::right
                                                           : Trial::undecided;
    return inflateReset(&z) == Z_OK ? result : Trial::wrong;
  }
  // The first guess from two bytes.
  void guess_first() {
    if (hold[0] == 0x1f && hold[1] == 0x8b)
      mode = Mode::gzip;
    else if ((hold[0] & 0x0f) == 8 && hold[0] >> 4 <= 7 && (hold[0] << 8 | hold[1]) % 31 == 0)
      mode = Mode::zlib;
    else
      mode = Mode::raw;
    guess = mode;
    begin();
  }
  void begin() {
    gzip = Gzip::fixed;
    need = 10;
    skip = mode == Mode::zlib ? 2 : 0;
    produced = false;
    trial = mode == Mode::raw;
  }
  // False: nothing is left to try.
  bool guess_next() {
    if (mode == Mode::gzip && !ignore_flags)
      ignore_flags = true;
    else if (mode == Mode::gzip || mode == Mode::zlib)
      mode = Mode::raw;
    else
      return false;
    guess = mode;
    begin();
    return true;
  }
  // Passes over a gzip header; returns how many bytes, `gzip` becomes data behind it.
  std::size_t gzip_header(Bytes in) {
    std::size_t i = 0;
    while (i < in.size() && gzip != Gzip::data) {
      const std::uint8_t c = in[i++];
      switch (gzip) {
        case Gzip::fixed:
          if (need == 7) flags = ignore_flags ? 0 : c;  // the fourth byte
          if (--need == 0) next_field(Gzip::fixed);
          break;
        case Gzip::extra_size:
          if (skip++ == 0) {  // low byte first
            need = c;
            break;
          }
          skip = 0;
          need |= static_cast<std::uint32_t>(c) << 8;
          gzip = Gzip::extra;
          if (need == 0) next_field(Gzip::extra);
          break;
        case Gzip::extra:
          if (--need == 0) next_field(Gzip::extra);
          break;
        case Gzip::name:
          if (c == 0) next_field(Gzip::name);
          break;
        case Gzip::comment:
          if (c == 0) next_field(Gzip::comment);
          break;
        case Gzip::check:
          if (--need == 0) gzip = Gzip::data;
          break;
        case Gzip::data:
          break;
      }
    }
    return i;
  }
  void next_field(Gzip done) {
    if (done < Gzip::extra_size && (flags & 4) != 0) {
      gzip = Gzip::extra_size;
      need = 0;
    } else if (done < Gzip::name && (flags & 8) != 0) {
      gzip = Gzip::name;
    } else if (done < Gzip::comment && (flags & 16) != 0) {
      gzip = Gzip::comment;
    } else if (done < Gzip::check && (flags & 2) != 0) {
      gzip = Gzip::check;
      need = 2;
    } else {
      gzip = Gzip::data;
    }
  }
};

Inflate::Codings Inflate::read(Bytes value, unsigned limit, bool lzma) {
  Codings c;
  limit = std::min(limit, kMaxInflateLayers);
  std::size_t i = 0;
  unsigned tokens = 0;
  while (i < value.size()) {
    while (i < value.size() && (value[i] == ',' || http::is_space(value[i]))) ++i;
    std::size_t n = i;
    while (n < value.size() && value[n] != ',' && value[n] != ' ' && value[n] != '\t') ++n;
    if (n == i) break;
    const Bytes token = value.subspan(i, n - i);
    i = n;
    Coding coding = Coding::zlib;
    if (find_name(token, "gzip") != std::string_view::npos) {
      if (!same_name(token, "gzip") && !same_name(token, "x-gzip")) c.abnormal = true;
    } else if (find_name(token, "deflate") != std::string_view::npos) {
      if (!same_name(token, "deflate") && !same_name(token, "x-deflate")) c.abnormal = true;
    } else if (same_name(token, "br")) {
      coding = Coding::brotli;
    } else if (same_name(token, "lzma")) {
      if (!lzma) continue;
      coding = Coding::lzma;
    } else {
      if (!same_name(token, "identity") && !same_name(token, "inflate")) c.abnormal = true;
      continue;
    }
    if (++tokens > limit) {
      c.too_many = true;
      break;
    }
    c.list[c.count++] = coding;
  }
  return c;
}

Inflate* Inflate::make(AppPool& pool, const Codings& codings, const HttpOptions& options) {
  void* p = pool.allocate(sizeof(Inflate));
  if (p == nullptr) return nullptr;
  auto* inflate = new (p) Inflate(options);
  // The coding that was applied last is undone first.
  for (unsigned i = codings.count; i-- > 0;) {
    Layer* layer = pool.make<Layer>(pool, codings.list[i]);
    if (layer == nullptr) {
      destroy(pool, inflate);
      return nullptr;
    }
    if (layer->coding == Coding::brotli) layer->mode = Layer::Mode::brotli;
    if (layer->coding == Coding::lzma) layer->mode = Layer::Mode::lzma;
    inflate->layers_[inflate->count_++] = layer;
  }
  return inflate;
}

void Inflate::destroy(AppPool& pool, Inflate* inflate) {
  if (inflate == nullptr) return;
  for (Layer* layer : inflate->layers_) pool.destroy(layer);
  pool.destroy(inflate);
}

bool Inflate::out(unsigned layer, Bytes bytes, InflateSink& sink) {
  if (bytes.empty() || bomb_) return true;
  if (layer + 1 < count_) return feed(layer + 1, bytes, sink);
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), kInflatePiece));
    out_ += piece.size();
    if (out_ > options_->max_output ||
        (out_ > options_->bomb_floor && out_ / std::max<std::uint64_t>(in_, 1) > options_->bomb_ratio)) {
      bomb_ = true;
      sink.trouble(AppEvent::http_compression_bomb);
      return true;
    }
    if (!sink.decoded(piece, layer)) return false;
    bytes = bytes.subspan(piece.size());
  }
  return true;
}

bool Inflate::data(Bytes bytes, InflateSink& sink) {
  in_ += bytes.size();
  return bomb_ || bytes.empty() || feed(0, bytes, sink);
}

namespace {
enum class Run : std::uint8_t { ok, wrong, no_memory, stop, limit };
}

bool Inflate::feed(unsigned index, Bytes bytes, InflateSink& sink) {
  Layer& l = *layers_[index];
  using Mode = Layer::Mode;
  if (l.mode == Mode::pass) return out(index, bytes, sink);
  std::uint8_t* const room = scratch(index);

  // Decodes `in`; on Run::wrong `in` begins where it went wrong.
  const auto run = [&](Bytes& in) -> Run {
    while (!in.empty() && !bomb_) {
      switch (l.mode) {
        case Mode::gzip:
          if (l.gzip != Layer::Gzip::data) {
            in = in.subspan(l.gzip_header(in));
            continue;
          }
          break;
        case Mode::zlib:
        case Mode::tail:
          if (l.skip != 0) {
            const std::size_t n = std::min<std::size_t>(l.skip, in.size());
            l.skip = static_cast<std::uint8_t>(l.skip - n);
            in = in.subspan(n);
            continue;
          }
          if (l.mode == Mode::zlib) break;
          // Behind a stream: another member, or bytes that pass.
          if (l.guess == Mode::gzip && in[0] == 0x1f) {
            l.mode = Mode::probe;
            l.seen = 0;
            l.ignore_flags = false;
            return feed(index, in, sink) ? Run::stop : Run::no_memory;
          }
          l.mode = Mode::pass;
          return out(index, in, sink) ? Run::stop : Run::no_memory;
        case Mode::lzma: {
          if (l.skip < kLzmaHeader) {
            const std::size_t n = std::min<std::size_t>(kLzmaHeader - l.skip, in.size());
            // kept in hold by the caller too; this copy is the header that the library is given
            l.skip = static_cast<std::uint8_t>(l.skip + n);
            in = in.subspan(n);
            if (l.skip < kLzmaHeader) continue;
            std::uint8_t header[kLzmaHeader];
            std::memcpy(header, l.hold, sizeof header);
            std::uint32_t dictionary;
            std::memcpy(&dictionary, header + 1, 4);
            dictionary = std::min(dictionary, kMaxDictionary);
            std::memcpy(header + 1, &dictionary, 4);
            l.allocator = {l_take, z_give, l.pool};
            l.lz.allocator = &l.allocator;
            const lzma_ret opened = lzma_alone_decoder(&l.lz, 8u << 20);
            l.lzma_on = opened == LZMA_OK;
            if (!l.lzma_on) return Run::no_memory;
            l.lz.next_in = header;
            l.lz.avail_in = sizeof header;
            l.lz.next_out = room;
            l.lz.avail_out = kInflatePiece;
            const lzma_ret rc = lzma_code(&l.lz, LZMA_RUN);
            if (rc == LZMA_MEMLIMIT_ERROR || rc == LZMA_MEM_ERROR) return Run::limit;
            if (rc != LZMA_OK && rc != LZMA_BUF_ERROR) return Run::wrong;
            continue;
          }
          l.lz.next_in = in.data();
          l.lz.avail_in = in.size();
          for (;;) {
            l.lz.next_out = room;
            l.lz.avail_out = kInflatePiece;
            const lzma_ret rc = lzma_code(&l.lz, LZMA_RUN);
            const std::size_t made = kInflatePiece - l.lz.avail_out;
            const Bytes left{l.lz.next_in, l.lz.avail_in};
            if (made != 0) l.produced = true;
            if (!out(index, {room, made}, sink)) return Run::no_memory;
            if (bomb_) return Run::stop;
            if (rc == LZMA_STREAM_END) {
              in = left;
              l.close();
              l.mode = Mode::tail;
              l.skip = 0;
              break;
            }
            if (rc == LZMA_MEMLIMIT_ERROR || rc == LZMA_MEM_ERROR) {
              in = left;
              return Run::limit;
            }
            if (rc != LZMA_OK && rc != LZMA_BUF_ERROR) {
              in = left;
              return Run::wrong;
            }
            if (l.lz.avail_in == 0 && made < kInflatePiece) {
              in = {};
              break;
            }
          }
          continue;
        }
        case Mode::brotli: {
          if (l.brotli == nullptr) {
            l.brotli = BrotliDecoderCreateInstance(b_take, z_give, l.pool);
            if (l.brotli == nullptr) return Run::no_memory;
          }
          std::size_t avail = in.size();
          const std::uint8_t* next = in.data();
          for (;;) {
            std::size_t left = kInflatePiece;
            std::uint8_t* to = room;
            const BrotliDecoderResult rc =
                BrotliDecoderDecompressStream(l.brotli, &avail, &next, &left, &to, nullptr);
            if (left != kInflatePiece) l.produced = true;
            if (!out(index, {room, kInflatePiece - left}, sink)) return Run::no_memory;
            if (bomb_) return Run::stop;
            in = {next, avail};
            if (rc == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) continue;
            if (rc == BROTLI_DECODER_RESULT_ERROR) {
              const BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(l.brotli);
              return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                             code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES
                         ? Run::limit
                         : Run::wrong;
            }
            if (rc == BROTLI_DECODER_RESULT_SUCCESS) {
              l.close();
              l.mode = Mode::tail;
              l.skip = 0;
            } else {
              in = {};
            }
            break;
          }
          continue;
        }
        case Mode::raw:
        case Mode::probe:
        case Mode::pass:
          break;
      }
      if (!l.z_on && !l.open_raw()) return Run::no_memory;
      l.z.next_in = const_cast<Bytef*>(in.data());
      l.z.avail_in = static_cast<uInt>(in.size());
      for (;;) {
        l.z.next_out = room;
        l.z.avail_out = kInflatePiece;
        const int rc = ::inflate(&l.z, Z_NO_FLUSH);
        const std::size_t made = kInflatePiece - l.z.avail_out;
        if (made != 0) l.produced = true;
        if (!out(index, {room, made}, sink)) return Run::no_memory;
        if (bomb_) return Run::stop;
        in = {l.z.next_in, l.z.avail_in};
        if (rc == Z_STREAM_END) {
          inflateReset(&l.z);
          l.skip = l.mode == Mode::gzip ? 8 : l.mode == Mode::zlib ? 4 : 0;
          l.mode = Mode::tail;
          l.produced = true;
          break;
        }
        if (rc == Z_MEM_ERROR) return Run::no_memory;
        if (rc != Z_OK && rc != Z_BUF_ERROR) return Run::wrong;
        if (l.z.avail_out != 0) {
          in = {};
          break;
        }
      }
    }
    return Run::ok;
  };

  // The first bytes are kept until output shows that the guess was right.
  if (l.mode != Mode::tail && l.seen < kHold)
    std::memcpy(l.hold + l.seen, bytes.data(), std::min<std::size_t>(bytes.size(), kHold - l.seen));
  const std::uint64_t before = l.mode == Mode::tail ? kHold + 1 : l.seen;
  if (l.mode != Mode::tail) l.seen += bytes.size();
  Bytes earlier;  // to be decoded before `bytes`
  if (l.mode == Mode::probe) {
    if (l.seen < 2) return true;
    l.guess_first();
    earlier = {l.hold, static_cast<std::size_t>(before)};
  }
  for (;;) {
    if (l.trial) {
      const Layer::Trial t = l.try_raw(room, false);
      if (t == Layer::Trial::no_memory) return false;
      if (t == Layer::Trial::undecided) return true;
      l.trial = false;
      earlier = {l.hold, static_cast<std::size_t>(std::min<std::uint64_t>(before, kHold))};
      if (t == Layer::Trial::wrong) {
        sink.trouble(AppEvent::http_gzip_decompression_failed);
        l.mode = Mode::pass;
        l.close();
        return out(index, earlier, sink) && out(index, bytes, sink);
      }
    }
    Bytes in = earlier;
    std::uint64_t place = 0;  // of `in`'s end in all that this layer was given
    Run r = run(in);
    place = earlier.size();
    if (r == Run::ok) {
      in = bytes;
      r = run(in);
      place = before + bytes.size();
    }
    if (r == Run::ok || r == Run::stop) return true;
    if (r == Run::no_memory) return false;
    if (r == Run::limit)
      sink.trouble(l.coding == Coding::lzma ? AppEvent::http_lzma_memlimit_reached
                                            : AppEvent::http_gzip_decompression_failed);
    const bool kept = before <= kHold && place - in.size() <= kHold;
    if (kept) earlier = {l.hold, static_cast<std::size_t>(before)};
    // The guess was wrong: the next one, from the start.
    if (kept && !l.produced && l.coding == Coding::zlib && l.guess_next()) {
      if (l.z_on) inflateReset(&l.z);
      continue;
    }
    if (r != Run::limit) sink.trouble(AppEvent::http_gzip_decompression_failed);
    l.mode = Mode::pass;
    l.close();
    return kept ? out(index, earlier, sink) && out(index, bytes, sink) : out(index, in, sink);
  }
}

bool Inflate::end(InflateSink& sink) {
  for (unsigned i = 0; i < count_; ++i) {
    Layer& l = *layers_[i];
    // What was not decided is decided now. One byte tells nothing: it passes.
    const Bytes kept{l.hold, static_cast<std::size_t>(std::min<std::uint64_t>(l.seen, kHold))};
    if (l.mode == Layer::Mode::probe && l.seen != 0) {
      l.mode = Layer::Mode::pass;
      if (!out(i, kept, sink)) return false;
    } else if (l.trial && l.mode == Layer::Mode::raw) {
      const bool right = l.try_raw(scratch(i), true) == Layer::Trial::right;
      l.trial = false;
      if (right) {
        l.seen = 0;
        if (!feed(i, kept, sink)) return false;
      } else {
        l.mode = Layer::Mode::pass;
        if (!out(i, kept, sink)) return false;
      }
    }
  }
  return true;
}

}  // namespace sekisho::app
