// So many at once, the rest in a bounded queue, first come first served. One thread's (the io_context's).
#pragma once

#include <deque>
#include <memory>

#include "control/front/coroutines.h"

namespace sekisho::control {

class Slots {
 public:
  Slots(std::size_t slots, std::size_t queue) : free_(slots), queue_(queue) {}

  // False: the queue is full. True: give() it back.
  boost::asio::awaitable<bool> take() {
    if (free_ > 0) {
      --free_;
      co_return true;
    }
    if (waiting_.size() >= queue_) co_return false;
    const auto turn = std::make_shared<boost::asio::steady_timer>(co_await boost::asio::this_coro::executor);
    turn->expires_at(std::chrono::steady_clock::time_point::max());
    waiting_.push_back(turn);
    boost::system::error_code ignored;
    co_await turn->async_wait(into(ignored));
    co_return true;
  }
  void give() {
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    const auto turn = waiting_.front();  // the slot goes to it
    waiting_.pop_front();
    turn->cancel();
  }

 private:
  std::size_t free_, queue_;
  std::deque<std::shared_ptr<boost::asio::steady_timer>> waiting_;
};

// Gives a slot back at the end of a scope.
class HeldSlot {
 public:
  explicit HeldSlot(Slots& slots) : slots_(slots) {}
  ~HeldSlot() { slots_.give(); }
  HeldSlot(const HeldSlot&) = delete;
  HeldSlot& operator=(const HeldSlot&) = delete;

 private:
  Slots& slots_;
};

}  // namespace sekisho::control
