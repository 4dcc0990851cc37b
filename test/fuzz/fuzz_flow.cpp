// An established flow under any sequence of packets of either side and of time. The bytes are a script of four-byte steps:
// what happens, and three numbers for it (where in the stream, how much, which flags or how long). Data comes from real
// streams, so that records do open; single bytes of it may be changed, which makes the sender a liar.
// Holds always: what the client gets are framed records and nothing else (I4), the same bytes each time (A15); what an honest
// client's server gets is what the client wrote, in order (I6); every chunk comes back in the end (I5); and nothing faults.
// Run: fuzz_flow test/fuzz/corpus/flow -max_len=400
#include <cstdio>
#include <cstdlib>

#include "sim/seeded_openssl.hpp"
#include "support/native/path_rig.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

void require(bool is_true, int line = __builtin_LINE()) {
  if (is_true) return;
  std::fprintf(stderr, "fuzz_flow.cpp:%d does not hold\n", line);
  std::abort();
}

struct Script {
  Bytes bytes;
  std::uint8_t next() {
    if (bytes.empty()) return 0;
    const std::uint8_t byte = bytes.front();
    bytes = bytes.subspan(1);
    return byte;
  }
};

class Play {
 public:
  explicit Play(const RigPlan& plan) : rig_(plan) {
    rig_.establish();
    up_base_ = rig_.client.out.size(), down_base_ = rig_.client.in.size();
  }

  void step(Script& script) {
    const std::uint8_t what = script.next(), a = script.next(), b = script.next(), c = script.next();
    rig_.clear();
    switch (what % 12) {
      case 0: client_record(1U + a * 8U % 3000U); break;
      case 1: send(Side::client, a, b, c); break;
      case 2: rig_.server_writes(1U + a * 8U % 3000U); break;
      case 3: send(Side::server, a, b, c); break;
      case 4: (a % 2 == 0 ? rig_.client_acks() : rig_.server_acks()); break;
      case 5: partial_ack(a % 2 == 0 ? Side::client : Side::server, b, c); break;
      case 6: rig_.wait(std::uint64_t{a} * b * 500); break;
      case 7: rig_.lose(a % 2 == 0 ? Side::client : Side::server, b % 8U); break;
      case 8: (a % 2 == 0 ? rig_.client : rig_.server).window_bytes = std::uint32_t{b} << (c % 13U); break;
      case 9: key_update(a); break;
      case 10: lie(a, b); break;
      default: raw(a % 2 == 0 ? Side::client : Side::server, b, c); break;
    }
    check();
  }

  void finish() {
    rig_.lose(Side::client, 0), rig_.lose(Side::server, 0);
    rig_.path().reset_flows(~0U, Reset::shutdown, rig_.now());
    rig_.wait(1000);
    check();
    require(rig_.path().live_flows() == 0);
    require(rig_.held_chunks() == 0);
    require(rig_.path().next_deadline() == kNever);
  }

 private:
  void client_record(std::size_t n) {
    if (rig_.client.out.size() > 60'000 || is_closed_) return;
    const std::string text = PathRig::pattern(n, written_.size());
    rig_.client_writes(text);
    written_ += text;
  }
  // In order when `where` is small: most of a script should get somewhere.
  void send(Side side, std::uint8_t where, std::uint8_t much, std::uint8_t flags) {
    ScriptedEnd& end = side == Side::client ? rig_.client : rig_.server;
    std::size_t& cursor = side == Side::client ? up_cursor_ : down_cursor_;
    const std::size_t floor = side == Side::client ? up_base_ : 0;
    if (cursor < floor) cursor = floor;
    const std::size_t back = where < 128 ? 0 : (where - 128U) * 16U;
    std::size_t at = cursor > floor + back ? cursor - back : floor;
    if (where >= 240) at = std::min(cursor + 1000, end.out.size());
    const std::size_t n = std::min({end.out.size() - at, std::size_t{1} + much * 6U, std::size_t{1460}});
    std::uint8_t bits = sim::kAck;
    if ((flags & 1) != 0) bits |= sim::kPsh;
    if (flags >= 240) bits |= sim::kFin;
    if (n == 0 && (bits & sim::kFin) == 0) return;
    rig_.send(side, end.segment(at, n, bits));
    cursor = std::max(cursor, at + n);
  }
  void partial_ack(Side side, std::uint8_t less, std::uint8_t sack) {
    ScriptedEnd& end = side == Side::client ? rig_.client : rig_.server;
    sim::Segment s = end.segment(end.out.size(), 0);
    s.ack -= less;
    if (sack != 0) {
      s.options.sack_count = 1 + sack % 3U;
      for (std::uint32_t i = 0; i < s.options.sack_count; ++i) s.options.sacks[i] = {s.ack + (i + 1U) * sack, s.ack + (i + 1U) * sack + less * 8U};
    }
    rig_.send(side, s);
  }
  void key_update(std::uint8_t kind) {
    if (rig_.client.out.size() > 60'000 || is_closed_) return;
    if (kind >= 250) {
      SSL_shutdown(rig_.tls().ssl());
      is_closed_ = true;
    } else if (SSL_version(rig_.tls().ssl()) == TLS1_3_VERSION) {
      SSL_key_update(rig_.tls().ssl(), kind % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
      SSL_do_handshake(rig_.tls().ssl());
    }
    rig_.take_client_tls();
  }
  // From here on one side's stream holds another byte than before.
  void lie(std::uint8_t who, std::uint8_t where) {
    ScriptedEnd& end = who % 2 == 0 ? rig_.client : rig_.server;
    const std::size_t floor = who % 2 == 0 ? up_base_ : 0;
    if (end.out.size() <= floor) return;
    end.out[floor + (std::size_t{where} * 37) % (end.out.size() - floor)] ^= 1;
    (who % 2 == 0 ? is_client_honest_ : is_server_honest_) = false;
  }
  void raw(Side side, std::uint8_t flags, std::uint8_t off) {
    ScriptedEnd& end = side == Side::client ? rig_.client : rig_.server;
    sim::Segment s = end.segment(end.out.size(), 0, flags);
    s.seq += static_cast<std::uint32_t>(static_cast<std::int8_t>(off)) * ((flags & 0x40) != 0 ? 4096U : 1U);
    if ((flags & 0x80) != 0) s.ack += off * 3U;
    rig_.send(side, s);
  }

  void check() {
    require(!rig_.client.is_contradicted);
    if (is_client_honest_) {
      require(!rig_.server.is_contradicted);
      require(written_.size() >= rig_.server.in.size());
      require(std::equal(rig_.server.in.begin(), rig_.server.in.end(), written_.begin(), [](std::uint8_t x, char y) { return x == static_cast<std::uint8_t>(y); }));
    }
    // Framed records: a header that may be, then as many bytes as it says (the last may still be on its way).
    Bytes rest = Bytes(rig_.client.in).subspan(framed_);
    while (rest.size() >= 5) {
      const std::size_t bytes = 5U + load_be16(rest.data() + 3);
      require(rest[0] >= 20 && rest[0] <= 23 && rest[1] == 3 && rest[2] == 3 && bytes <= 16'384 + 256 + 5);
      if (rest.size() < bytes) break;
      rest = rest.subspan(bytes);
      framed_ += bytes;
    }
    for (std::string part = rig_.tls().read(); !part.empty(); part = rig_.tls().read()) read_ += part;
    if (is_server_honest_) {
      require(read_.size() <= rig_.server.out.size());
      require(std::equal(read_.begin(), read_.end(), rig_.server.out.begin(), [](char x, std::uint8_t y) { return static_cast<std::uint8_t>(x) == y; }));
    }
    require(rig_.held_chunks() <= rig_.chunks().capacity());
  }

  PathRig rig_;
  std::size_t up_base_ = 0, down_base_ = 0, up_cursor_ = 0, down_cursor_ = 0, framed_ = 0;
  std::string written_, read_;
  bool is_client_honest_ = true, is_server_honest_ = true, is_closed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static sim::SeededOpenssl randomness{1};  // the same script is the same run
  static const auto secure = make_secure_pool(0, [] { return Tick{1'000'000}; });
  if (size < 2) return 0;
  sim::SeededOpenssl::reseed(7);
  static constexpr std::uint16_t kSuites[] = {0x1301, 0xc02b, 0x1303, 0xcca9};
  Script script{{data + 2, size - 2}};
  Play play({.suite = kSuites[data[0] % 4],
             .has_sack = (data[0] & 4) == 0,
             .has_timestamps = (data[0] & 8) != 0,
             .window_scale = static_cast<std::uint8_t>((data[0] & 16) != 0 ? 0 : 7),
             .chunks = (data[0] & 32) != 0 ? 128U : 1024U,
             .max_flows = 4,
             .truncation_forward = (data[0] & 64) != 0,
             .rekey_after_records = data[1] % 16U,
             .secure = secure.get()});
  for (int steps = 0; !script.bytes.empty() && steps < 150; ++steps) play.step(script);
  play.finish();
  return 0;
}
