// What a call to the dataplane came to: a value, or one named failure with its detail.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sekisho::control {

enum class SessionError : std::uint8_t {
  none,
  not_connected,   // no dataplane is connected: connect() first
  connect_failed,  // the socket is not there, or nobody listens
  timed_out,       // no whole answer before the deadline; the connection is kept
  peer_gone,       // the dataplane closed the connection or died
  malformed,       // the answer breaks the contract; the connection was closed
  refused,         // the dataplane refused: `what` is its reason
  busy,            // the dataplane is busy with another request or another client
  failed,          // the dataplane tried and failed: `what` is its reason
  too_large,       // more than the contract carries
  system           // a system call of our own failed
};

constexpr std::string_view session_error_name(SessionError error) {
  constexpr std::string_view names[] = {"none",      "not_connected", "connect_failed", "timed_out",
                                        "peer_gone", "malformed",     "refused",        "busy",
                                        "failed",    "too_large",     "system"};
  return names[static_cast<std::size_t>(error)];
}

struct SessionFailure {
  SessionError error = SessionError::none;
  std::string what;
};

template <typename T>
class SessionResult {
 public:
  SessionResult(T value) : value_(std::move(value)) {}
  SessionResult(SessionFailure failure) : failure_(std::move(failure)) {}
  explicit operator bool() const { return value_.has_value(); }
  // REQUIRES: *this is true.
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  SessionError error() const { return failure_.error; }
  const SessionFailure& failure() const { return failure_; }

 private:
  std::optional<T> value_;
  SessionFailure failure_;
};

}  // namespace sekisho::control
