// A recorder's ring that a test writes, in memory of its own or as a dataplane's attachment.
#pragma once

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "dataplane/abi/recorder.h"

namespace sekisho::test {

// Writes as dataplane/pipeline/recorder.cc does.
class RingWriter {
 public:
  RingWriter(abi::RecorderRing* ring, std::uint64_t bytes) : ring_(ring), bytes_(bytes) {}

  void packet(std::uint64_t time_ns, const std::string& frame, abi::RecordHeader h = {}) {
    const std::uint64_t size = (sizeof h + frame.size() + 15) / 16 * 16;
    const std::uint64_t used = at_ % abi::kRecorderBlock;
    if (used != 0 && used + size > abi::kRecorderBlock) {
      const std::uint64_t left = abi::kRecorderBlock - used;
      claim(at_ + left);
      if (left >= sizeof h) {
        abi::RecordHeader pad{};
        pad.kind = abi::RecordKind::padding;
        pad.bytes = static_cast<std::uint32_t>(left);
        std::memcpy(place(), &pad, sizeof pad);
      }
      at_ += left;
    }
    if (at_ % abi::kRecorderBlock == 0) {
      claim(at_ + sizeof(abi::RecorderBlock));
      const abi::RecorderBlock block{at_, generation, time_ns, 0};
      std::memcpy(place(), &block, sizeof block);
      at_ += sizeof block;
    }
    claim(at_ + size);
    h.bytes = static_cast<std::uint32_t>(size);
    h.kind = abi::RecordKind::packet;
    h.captured = static_cast<std::uint16_t>(frame.size());
    if (h.length == 0) h.length = h.captured;
    h.time_ns = time_ns;
    std::memcpy(place(), &h, sizeof h);
    std::memcpy(place() + sizeof h, frame.data(), frame.size());
    at_ += size;
    std::atomic_ref<std::uint64_t>(ring_->written).store(at_, std::memory_order_release);
    ++ring_->packets;
  }
  std::uint8_t* place() { return abi::recorder_data(ring_) + at_ % bytes_; }
  std::uint64_t position() const { return at_; }
  std::uint64_t generation = 1;

 private:
  void claim(std::uint64_t end) {
    std::atomic_ref<std::uint64_t>(ring_->claimed).store(end, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
  }
  abi::RecorderRing* ring_;
  std::uint64_t bytes_, at_ = 0;
};

struct OwnRing {
  explicit OwnRing(std::uint64_t data_bytes)
      : bytes(data_bytes),
        memory(static_cast<std::uint8_t*>(std::aligned_alloc(4096, sizeof(abi::RecorderRing) + bytes))) {
    std::memset(memory.get(), 0, sizeof(abi::RecorderRing) + bytes);
  }
  abi::RecorderRing& ring() { return *reinterpret_cast<abi::RecorderRing*>(memory.get()); }
  struct Free {
    void operator()(std::uint8_t* p) const { std::free(p); }
  };
  std::uint64_t bytes;
  std::unique_ptr<std::uint8_t[], Free> memory;
};

// An Ethernet frame with IPv4 and TCP ports, `text` behind.
inline std::string tcp_frame(const char* source, std::uint16_t source_port, const char* destination,
                             std::uint16_t destination_port, const std::string& text = {}) {
  std::string f(54, '\0');
  f[12] = 8;
  f[14] = 0x45;
  f[16] = static_cast<char>((40 + text.size()) >> 8);
  f[17] = static_cast<char>(40 + text.size());
  f[22] = 64;
  f[23] = 6;
  const auto put = [&](const char* address, std::size_t at) {
    unsigned a, b, c, d;
    if (std::sscanf(address, "%u.%u.%u.%u", &a, &b, &c, &d) != 4) std::abort();
    f[at] = static_cast<char>(a), f[at + 1] = static_cast<char>(b);
    f[at + 2] = static_cast<char>(c), f[at + 3] = static_cast<char>(d);
  };
  put(source, 26);
  put(destination, 30);
  f[34] = static_cast<char>(source_port >> 8), f[35] = static_cast<char>(source_port);
  f[36] = static_cast<char>(destination_port >> 8), f[37] = static_cast<char>(destination_port);
  f[46] = 0x50;
  f[47] = 0x10;
  return f + text;
}

}  // namespace sekisho::test
