// One signature of the AST → its records in the tables. Every alternative has its record here; what the
// dataplane cannot do is refused. Internal to the compiler; one thread.
#pragma once

#include <string>
#include <vector>

#include "signatures/compile_data.h"
#include "signatures/compile_tables.h"

namespace sekisho::signatures {

abi::ThresholdRecord threshold_record(const Threshold& x);

class RecordWriter {
 public:
  RecordWriter(Tables& tables, Sets& sets, Data& data) : t_(tables), sets_(sets), data_(data) {}

  // Appends the signature's records, or throws Refusal and leaves no slice behind that a record names.
  // `partial` gets what the dataplane does not do of it.
  void write(const Signature& s, std::vector<std::string>& partial);

  Patterns patterns;
  Names flowbits, flowints, xbits;

 private:
  abi::GroupRecord group(const Signature& s, const BufferGroup& g, std::uint8_t index,
                         std::vector<std::string>& partial);
  void effect_of(const StateOp& op);
  bool check_of(const StateOp& op, abi::CheckRecord& c);  // false: it is an effect

  Tables& t_;
  Sets& sets_;
  Data& data_;
};

}  // namespace sekisho::signatures
