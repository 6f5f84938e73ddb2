// Two honest TCP ends over a line that loses segments on either side of the gateway: whatever an end sends
// that keeps to RFC 9293 must pass. A false drop here would be a broken clinical session.
#include <algorithm>
#include <random>

#include "tests/flow/tcp_peer.h"

namespace sekisho::flow::test {
namespace {

constexpr std::uint32_t distance(std::uint32_t from, std::uint32_t to) {
  return to - from;
}

// One end: sends `total` bytes and a FIN, go-back-N, with a receive buffer that its reader empties at will.
struct End {
  std::uint32_t isn, total;
  std::uint8_t shift;
  std::uint32_t una, nxt, max_sent;  // sending
  std::uint32_t edge;                // the other's window ends here
  std::uint32_t rcv = 0;             // next byte expected
  std::uint32_t buffer, held = 0, advertised = 0;
  bool got_fin = false, established = false;

  std::uint32_t fin_at() const { return isn + 1 + total; }
  std::uint16_t window() {
    // Never takes back what it has granted.
    const std::uint32_t granted = advertised - rcv;
    const std::uint32_t room = std::max((buffer - held) >> shift << shift, got_fin ? 0u : granted);
    const auto field = static_cast<std::uint16_t>(std::min(room >> shift, 65535u));
    advertised = rcv + (static_cast<std::uint32_t>(field) << shift);
    return field;
  }
};

class Line {
 public:
  Line(unsigned seed, bool scaled, bool learnt) : random_(seed) {
    const std::uint32_t buffer = scaled ? 300000 : 20000;
    for (End& e : end_) {
      e.isn = static_cast<std::uint32_t>(random_());
      if (random_() % 2) e.isn = 0u - random_() % 100000;  // numbers wrap on the way
      e.total = 200000 + random_() % 400000;
      e.shift = scaled ? 3 + random_() % 5 : 0;
      e.una = e.nxt = e.max_sent = e.isn + 1;
      e.buffer = buffer;
    }
    for (int i = 0; i < 2; ++i) {
      end_[i].rcv = end_[i].advertised = end_[1 - i].isn + 1;
      end_[i].edge = end_[i].isn + 1 + 1000;
      end_[1 - i].advertised = end_[i].edge;
    }
    handshake(scaled);
    if (learnt) {  // the gateway starts anew at any later moment
      learn_at_ = random_() % 150;
    }
  }

  // False: a segment that an honest end sent was dropped.
  bool run() {
    for (unsigned step = 0; step < 200000; ++step) {
      if (step == learn_at_) {
        const FlowKey key = c_.flow.key;
        c_.flow = {};
        c_.flow.key = key;
        c_.flow.flags = flow_flag::kInitiatorLow;
        restore(c_.flow);
      }
      const bool client = random_() % 2;
      End& me = end_[client ? 0 : 1];
      if (random_() % 4 == 0) me.held -= std::min(me.held, static_cast<std::uint32_t>(random_() % 40000));
      if (!turn(client)) return false;
      if (done(0) && done(1) && end_[0].got_fin && end_[1].got_fin) {
        finished_ = true;
        // both hear the last acknowledgement
        return send(true, end_[0].nxt, 0, 0, true) && send(false, end_[1].nxt, 0, 0, true);
      }
    }
    return true;
  }
  bool finished() const { return finished_; }
  State state() const { return c_.flow.state; }

 private:
  bool done(int i) const { return end_[i].una == end_[i].fin_at() + 1; }

  void handshake(bool scaled) {
    const auto options = [&](int i) {
      return scaled ? window_scale(end_[i].shift) : std::vector<std::uint8_t>();
    };
    c_.client({.flags = kSyn, .seq = end_[0].isn, .window = 1000, .options = options(0)});
    c_.server({.flags = kSyn | kAck,
               .seq = end_[1].isn,
               .ack = end_[0].isn + 1,
               .window = 1000,
               .options = options(1)});
    send(true, end_[0].nxt, 0, 0, true);
    send(false, end_[1].nxt, 0, 0, true);
  }

  bool turn(bool client) {
    End& me = end_[client ? 0 : 1];
    switch (random_() % 8) {
      case 0:  // a timeout: back to what is not acknowledged
        me.nxt = me.una;
        return send(client, me.nxt, 0, 0, false);
      case 1:  // a keep-alive, or a probe as Linux sends it
        return send(client, me.una - 1, 0, 0, false);
      case 2:  // a zero-window probe of one byte
        if (me.nxt == me.edge && me.una == me.nxt && distance(me.nxt, me.fin_at()) - 1 < me.total)
          return send(client, me.nxt, 1, 0, false);
        return true;
      default:
        break;
    }
    const std::uint32_t window = distance(me.nxt, me.edge);
    if (static_cast<std::int32_t>(window) < 0) return true;
    const std::uint32_t left = distance(me.nxt, me.fin_at());
    if (static_cast<std::int32_t>(left) < 0) return send(client, me.nxt, 0, 0, false);
    const std::uint32_t data = std::min({left, window, static_cast<std::uint32_t>(random_() % 9000)});
    const bool fin = data == left && data + 1 <= window;
    return send(client, me.nxt, data, fin, false);
  }

  bool send(bool client, std::uint32_t seq, std::uint32_t data, bool fin, bool surely) {
    End &me = end_[client ? 0 : 1], &you = end_[client ? 1 : 0];
    const std::uint32_t end = seq + data + (fin ? 1 : 0);
    if (static_cast<std::int32_t>(end - me.nxt) > 0) me.nxt = end;
    if (!surely && random_() % 10 == 0) return true;  // lost before the gateway
    const Seg s{.flags = static_cast<std::uint8_t>(kAck | (fin ? kFin : 0)),
                .seq = seq,
                .ack = me.rcv,
                .data = data,
                .window = me.window()};
    const TrackResult r = client ? c_.client(s) : c_.server(s);
    if (r.outcome != Outcome::pass) {
      ADD_FAILURE() << abi::drop_name(r.reason) << " in " << c_.flow.state << ", from "
                    << (client ? "client" : "server") << ", seq - isn " << seq - me.isn << ", data " << data
                    << ", ack - isn " << s.ack - you.isn;
      return false;
    }
    if (!surely && random_() % 10 == 0) return true;  // lost behind it
    receive(you, me, s, end, fin);
    return true;
  }

  void receive(End& you, End& from, const Seg& s, std::uint32_t end, bool fin) {
    if (distance(you.una, s.ack) <= distance(you.una, you.fin_at() + 1)) you.una = s.ack;
    if (static_cast<std::int32_t>(you.una - you.nxt) > 0) you.nxt = you.una;
    const std::uint32_t edge = s.ack + (static_cast<std::uint32_t>(s.window) << from.shift);
    if (static_cast<std::int32_t>(edge - you.edge) > 0) you.edge = edge;
    if (static_cast<std::int32_t>(s.seq - you.rcv) > 0 || static_cast<std::int32_t>(end - you.rcv) <= 0)
      return;
    const std::uint32_t fresh = end - you.rcv - (fin ? 1 : 0);
    if (you.held + fresh > you.buffer) return;  // a probe into a closed window
    you.held += fresh;
    you.rcv = end;
    you.got_fin |= fin;
  }

  std::mt19937 random_;
  End end_[2]{};
  Connection c_;
  unsigned learn_at_ = ~0u;
  bool finished_ = false;
};

void many(bool scaled, bool learnt, unsigned runs) {
  unsigned finished = 0, time_wait = 0;
  for (unsigned seed = 1; seed <= runs; ++seed) {
    Line line(seed, scaled, learnt);
    ASSERT_TRUE(line.run()) << "seed " << seed;
    finished += line.finished();
    time_wait += line.state() == State::time_wait;
  }
  EXPECT_EQ(finished, runs);
  // A FIN that passed before a restart is not seen again.
  EXPECT_GE(time_wait, learnt ? runs / 2 : runs);
}

TEST(TcpHonest, NothingHonestIsDropped) {
  many(false, false, 500);
}
TEST(TcpHonest, NothingHonestIsDroppedWithScaledWindows) {
  many(true, false, 500);
}
TEST(TcpHonest, NothingHonestIsDroppedAfterARestart) {
  many(true, true, 500);
}

}  // namespace
}  // namespace sekisho::flow::test
