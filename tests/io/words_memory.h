// Words in a memfd, as a management process would hold them. For tests and the hand tool.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>

#include "dataplane/abi/words.h"

namespace sekisho::io {

class TestWords {
 public:
  TestWords() : fd_(memfd_create("words", MFD_CLOEXEC)) {
    if (fd_ < 0 || ftruncate(fd_, sizeof(sekisho_words)) != 0) throw std::runtime_error("memfd");
    void* data = mmap(nullptr, sizeof(sekisho_words), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (data == MAP_FAILED) throw std::runtime_error("mmap");
    words_ = static_cast<sekisho_words*>(data);
    words_->version = SEKISHO_ABI_VERSION;
    words_->size = sizeof(sekisho_words);
    words_->generation = 1;
    words_->magic = SEKISHO_WORDS_MAGIC;
  }
  ~TestWords() {
    munmap(words_, sizeof(sekisho_words));
    close(fd_);
  }
  TestWords(const TestWords&) = delete;
  TestWords& operator=(const TestWords&) = delete;
  int fd() const { return fd_; }
  sekisho_words& get() { return *words_; }
  const sekisho_words& get() const { return *words_; }
  // Stores one word for all links; returns the new generation.
  std::uint64_t set_all(std::uint32_t word) {
    for (std::uint32_t& link : words_->link) {
      std::atomic_ref<std::uint32_t>(link).store(word, std::memory_order_relaxed);
    }
    const std::uint64_t next = words_->generation + 1;
    std::atomic_ref<std::uint64_t>(words_->generation).store(next, std::memory_order_release);
    return next;
  }

 private:
  int fd_;
  sekisho_words* words_;
};

}  // namespace sekisho::io
