// HPACK (RFC 7541): header blocks of HTTP/2.
//
// The dynamic table takes at most kMaxTable bytes as RFC 7541 §4.1 counts them, whatever the peers agree on.
// What one block may decode to is bounded: beyond kMaxDecoded bytes or kMaxFields fields the rest is decoded
// for the table's sake and not told (`too_long`).
#pragma once

#include "dataplane/app/transaction.h"

namespace sekisho::app {

class Hpack {
 public:
  static constexpr std::uint32_t kMaxTable = 64 * 1024;
  static constexpr std::uint32_t kDefaultTable = 4096;
  static constexpr std::size_t kMaxDecoded = 128 * 1024;
  static constexpr std::size_t kMaxFields = 1024;

  struct Field {
    Bytes name, value;
  };
  // Fields of the last block, valid until the next decode on this thread.
  struct Block {
    std::span<const Field> fields;
    std::uint64_t size_update = 0;
    bool updated = false;
    bool too_long = false;
    bool integer_overflow = false;
  };
  // False: the block is broken; the table is no longer that of the peer. Fields before the fault are told.
  bool decode(Bytes block, Block& out, AppPool& pool);
  // SETTINGS_HEADER_TABLE_SIZE of the side that receives the blocks.
  void allow(std::uint32_t bytes) { allowed_ = bytes < kMaxTable ? bytes : kMaxTable; }
  void release(AppPool& pool);
  std::uint32_t table_bytes() const { return bytes_; }

 private:
  struct Entry {
    std::uint8_t* data;  // name, value
    std::uint32_t name, value;
  };
  bool find(std::uint64_t index, Field& out) const;
  bool insert(Bytes name, Bytes value, AppPool& pool);
  void shrink(std::uint32_t bytes, AppPool& pool);

  Entry* entries_ = nullptr;  // a ring; the newest at newest_
  std::uint32_t room_ = 0, count_ = 0, newest_ = 0;
  std::uint32_t bytes_ = 0, limit_ = kDefaultTable, allowed_ = kDefaultTable;
};

// A Huffman string (RFC 7541 §5.2) into `to`; returns its length, or -1: broken, or longer than `room`.
std::ptrdiff_t huffman_decode(Bytes from, std::uint8_t* to, std::size_t room);

}  // namespace sekisho::app
