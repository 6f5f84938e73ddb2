// The guard's object, loaded over maps in a bpffs of its own, in a network namespace of its own.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "control/guard/guard_maps.h"
#include "dataplane/base/clock.h"

namespace sekisho::test {

// Frames as they are on the wire.
struct Frame {
  std::vector<std::uint8_t> bytes;
  Frame& add(std::initializer_list<int> more) {
    for (const int b : more) bytes.push_back(static_cast<std::uint8_t>(b));
    return *this;
  }
  Frame& zeros(std::size_t n) {
    bytes.insert(bytes.end(), n, 0);
    return *this;
  }
};

inline const std::vector<std::uint8_t> kSourceMac = {2, 0, 0, 0, 0, 1}, kDestinationMac = {2, 0, 0, 0, 0, 2};

inline Frame ethernet(std::vector<std::uint16_t> tags, std::uint16_t type, std::uint16_t tpid = 0x8100) {
  Frame f;
  f.bytes = kDestinationMac;
  f.bytes.insert(f.bytes.end(), kSourceMac.begin(), kSourceMac.end());
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const std::uint16_t t = tags.size() > 1 && i == 0 ? 0x88a8 : tpid;
    f.add({t >> 8, t & 255, tags[i] >> 8, tags[i] & 255});
  }
  return f.add({type >> 8, type & 255});
}
inline Frame ipv4(std::vector<std::uint16_t> tags = {}) {
  return ethernet(std::move(tags), 0x0800)
      .add({0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2})
      .zeros(20);
}
inline Frame ipv6() {
  Frame f = ethernet({}, 0x86dd).add({0x60, 0, 0, 0, 0, 20, 6, 64});
  f.add({0x20, 1, 0xd, 0xb8}).zeros(11).add({1});
  f.add({0x20, 1, 0xd, 0xb8}).zeros(11).add({2});
  return f.zeros(20);
}
inline Frame arp() {
  return ethernet({}, 0x0806)
      .add({0, 1, 8, 0, 6, 4, 0, 1})
      .add({2, 0, 0, 0, 0, 7, 10, 0, 0, 7})
      .add({2, 0, 0, 0, 0, 8, 10, 0, 0, 8})
      .zeros(18);
}

class GuardTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kPort = 1;  // lo: what a test run comes in by
  static constexpr std::uint32_t kLink = 5;

  void SetUp() override {
    const char* object = std::getenv("SEKISHO_GUARD_OBJECT");
    ASSERT_NE(object, nullptr) << "SEKISHO_GUARD_OBJECT names guard.bpf.o";
    if (geteuid() != 0) GTEST_SKIP() << "loading eBPF needs root";
    static const bool apart = unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 &&
                              mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!apart) GTEST_SKIP() << "no namespaces: " << std::strerror(errno);
    char pattern[] = "/tmp/sekisho-guard-XXXXXX";
    bpffs = mkdtemp(pattern);
    if (mount("bpf", bpffs.c_str(), "bpf", 0, nullptr) != 0) {
      GTEST_SKIP() << "no bpffs: " << std::strerror(errno);
    }
    mounted = true;
    const control::GuardState state = guard.open(bpffs);
    if (state == control::GuardState::no_permission) GTEST_SKIP() << guard.detail();
    ASSERT_EQ(state, control::GuardState::ready) << guard.detail();
    ASSERT_NO_FATAL_FAILURE(load(object));
    words = static_cast<sekisho_words*>(map_value(guard.words_fd(), sizeof(sekisho_words)));
    beat = static_cast<sekisho_beat*>(map_value(guard.beat_fd(), sizeof(sekisho_beat)));
    ASSERT_NE(words, nullptr);
    ASSERT_NE(beat, nullptr);
  }

  void TearDown() override {
    if (socket_ >= 0) close(socket_);
    if (object_ != nullptr) bpf_object__close(object_);
    if (mounted) umount2(bpffs.c_str(), MNT_DETACH);
    if (!bpffs.empty()) rmdir(bpffs.c_str());
  }

  // As the af_xdp driver does it: by libbpf, maps by their pins.
  void load(const char* path) {
    LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = bpffs.c_str());
    libbpf_set_print([](libbpf_print_level level, const char* format, va_list args) {
      return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
    });
    object_ = bpf_object__open_file(path, &options);
    ASSERT_NE(object_, nullptr);
    ASSERT_EQ(bpf_object__load(object_), 0);
    bpf_program* p = bpf_object__next_program(object_, nullptr);
    ASSERT_NE(p, nullptr);
    program = bpf_program__fd(p);
    sockets = bpf_object__find_map_fd_by_name(object_, "xsks_map");
    ASSERT_GE(sockets, 0);
  }

  static void* map_value(int fd, std::size_t size) {
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? nullptr : at;
  }
  int pinned(const char* name) const { return bpf_obj_get((bpffs + "/" + name).c_str()); }

  // What a site with one open link does.
  void open_site(std::uint32_t fail_mode = SEKISHO_FAIL_CLOSED) {
    words->magic = SEKISHO_WORDS_MAGIC;
    words->version = SEKISHO_ABI_VERSION;
    words->size = sizeof(sekisho_words);
    words->link[kLink] = SEKISHO_WORD_OPEN;
    claim(0, 0, kLink, fail_mode);
  }
  void claim(std::uint16_t outer, std::uint16_t inner, std::uint32_t link,
             std::uint32_t fail_mode = SEKISHO_FAIL_CLOSED, std::uint32_t peer = 1) {
    const int map = pinned("sekisho_guard");
    const sekisho_guard_key key{kPort, outer, inner};
    const sekisho_guard_port port{link, fail_mode, peer, 0};
    ASSERT_EQ(bpf_map_update_elem(map, &key, &port, BPF_ANY), 0);
    close(map);
  }
  void quarantine(std::uint32_t kind, std::vector<std::uint8_t> key, std::uint64_t until = UINT64_MAX,
                  std::uint32_t displaced = 0) {
    key.resize(16);
    std::uint32_t w[4];
    std::memcpy(w, key.data(), 16);
    const std::uint32_t home = sekisho_quarantine_home(kind, w[0], w[1], w[2], w[3]);
    sekisho_quarantine_slot& slot = words->quarantine[(home + displaced) & (SEKISHO_QUARANTINE_SLOTS - 1)];
    std::memcpy(slot.key, key.data(), 16);
    slot.kind = kind;
    slot.until_ns = until;
    ++words->quarantine_count;
  }
  void dataplane_lives(unsigned worker = 0) {
    beat->beat_ns[worker] = monotonic_ns();
    if (socket_ >= 0) return;
    socket_ = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    ASSERT_GE(socket_, 0) << "no AF_XDP: " << std::strerror(errno);
    const std::uint32_t queue = 0;
    ASSERT_EQ(bpf_map_update_elem(sockets, &queue, &socket_, BPF_ANY), 0) << std::strerror(errno);
  }

  // The program's verdict on the frame: XDP_DROP, XDP_REDIRECT, …
  int run(const Frame& frame) {
    std::vector<std::uint8_t> out(frame.bytes.size() + 64);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.bytes.data(), .data_out = out.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.bytes.size()),
                .data_size_out = static_cast<std::uint32_t>(out.size()), .repeat = 1);
    const int error = bpf_prog_test_run_opts(program, &options);
    EXPECT_EQ(error, 0) << std::strerror(-error) << " for " << frame.bytes.size() << " bytes";
    return error == 0 ? static_cast<int>(options.retval) : -1;
  }

  control::GuardMaps guard;
  std::string bpffs;
  bool mounted = false;
  int program = -1, sockets = -1;
  sekisho_words* words = nullptr;
  sekisho_beat* beat = nullptr;

 private:
  bpf_object* object_ = nullptr;
  int socket_ = -1;
};

}  // namespace sekisho::test
