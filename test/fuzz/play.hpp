// A script of four-byte steps, played on a path: what happens, and three numbers for it (where in the stream, how much, which flags
// or how long). Data comes from real streams, so that records do open; single bytes may be changed on the way, sides may lie, and a
// client may send under right keys what no library would.
// Holds always: what the client gets is authentic records under its keys and nothing else (I4), the same bytes each time, lost or
// not (A15, I3); a server gets what its client wrote, in order, and nothing that was not authentic (I6, I4); in the end every packet,
// span, custody, timer and handshake is given back (I5); and nothing faults.
// Not here: which service it is (fuzz_flow.cpp, fuzz_modes.cpp).
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "fuzz/script.hpp"
#include "support/native/keyed_rig.hpp"

namespace cutwater::fuzz {

using namespace cutwater::support;
using path::Side;
using record::ContentType;

class Play {
 public:
  static constexpr int kMostSteps = 120;
  static constexpr std::uint64_t kParting = 1'000'000'000;  // a server that speaks TLS is told why, as long as it takes to be sure
  enum class Begin : std::uint8_t { established, at_syn };

  Play(const KeyedPlan& plan, Begin begin) : plan_(plan), rig_(plan) {
    if (begin == Begin::established) {
      rig_.establish();
      up_cursor_ = up_base_ = rig_.client.out.size();
    } else {
      rig_.send(Side::client, rig_.client.syn(sim::kSyn));
      if (plan.shape != Shape::pass) rig_.hello();
      up_base_ = rig_.client.out.size();
    }
  }

  void run(Script& script) {
    for (int steps = 0; !script.bytes.empty() && steps < kMostSteps; ++steps) step(script);
    finish();
  }

 private:
  [[nodiscard]] bool is_passed() const { return plan_.shape == Shape::pass || plan_.shape == Shape::pass_hello; }
  [[nodiscard]] ScriptedEnd& end(Side side) { return side == Side::client ? rig_.client : rig_.server(); }
  static Side side_of(std::uint8_t a) { return a % 2 == 0 ? Side::client : Side::server; }

  void step(Script& script) {
    const std::uint8_t what = script.next(), a = script.next(), b = script.next(), c = script.next();
    if (is_traced()) {
      std::fprintf(stderr, "step %u: %u %u %u; client has %zu of %zu, server %zu of %zu\n", what % 22U, a, b, c, rig_.client.in.size(),
                   rig_.client.out.size(), rig_.server().in.size(), rig_.server().out.size());
    }
    switch (what % 22) {
      case 0: client_writes(1U + a * 8U % 3000U, 0); break;
      case 1: case 2: send(Side::client, a, b, c); break;
      case 3: server_writes(1U + a * 8U % 3000U); break;
      case 4: case 5: send(Side::server, a, b, c); break;
      case 6: rig_.send(side_of(a), end(side_of(a)).segment(end(side_of(a)).out.size(), 0)); break;
      case 7: partial_ack(side_of(a), b, c); break;
      case 8: rig_.wait(std::uint64_t{a} * b * 500); break;
      case 9: rig_.lose(side_of(a), b % 8U); break;
      case 10: end(side_of(a)).window_bytes = std::uint32_t{b} << (c % 13U); break;
      case 11: key_update(side_of(a), b); break;
      case 12: lie(side_of(a), b, c); break;
      case 13: raw(side_of(a), b, c); break;
      case 14: forge(a, b, c); break;
      case 15: too_big(side_of(a), static_cast<std::uint32_t>(b << 8 | c)); break;
      case 16: syn(side_of(a), b, c); break;
      case 17: manners(a, b, c); break;
      case 18: rig_.serve(); break;
      case 19: damage(side_of(a), b, c); break;
      case 20: a % 4 == 0 ? rig_.reload() : http(a, b); break;
      default: other_server(a, b); break;
    }
    check();
  }

  // ---- What the ends write

  void client_writes(std::size_t n, std::size_t padding) {
    const std::string text = pattern(n, written_.size());
    client_writes(text, padding);
  }
  void client_writes(const std::string& text, std::size_t padding) {
    if (rig_.client.out.size() > 60'000 || is_closed_) return;
    const ByteVector plain(text.begin(), text.end());
    append(rig_.client.out, is_passed() ? plain : rig_.client_tls.write(ContentType::application_data, plain, padding));
    written_ += text;
  }
  void server_writes(std::size_t n) {
    const std::string text = pattern(n, rig_.server().out.size());
    server_writes(text);
  }
  void server_writes(const std::string& text) {
    ScriptedEnd& server = rig_.server();
    if (server.out.size() > 60'000) return;
    const ByteVector plain(text.begin(), text.end());
    if (plan_.shape == Shape::far) {
      if (rig_.connections != said_to_) said_.clear(), said_to_ = rig_.connections;
      if (server.out.empty()) append(server.out, ByteVector{22, 3, 3, 0, 4, 2, 0, 0, 0});  // read by nobody: the processor's business
      append(server.out, rig_.server_tls.write(ContentType::application_data, plain));
      said_ += text;
    } else {
      append(server.out, plain);
    }
  }
  // Under the client's own keys: any content, any type, any padding.
  void forge(std::uint8_t type, std::uint8_t length, std::uint8_t padding) {
    if (rig_.client.out.size() > 60'000 || is_passed() || is_closed_) return;
    const std::uint8_t kind = static_cast<std::uint8_t>(19 + type % 7);
    if (kind == 23 && length != 0) return client_writes(length, padding * 8U);
    ByteVector inner(length, type);
    if (length >= 2 && kind == 21) inner.resize(2), inner[0] = 1 + type % 3, inner[1] = padding;
    append(rig_.client.out, rig_.client_tls.write(static_cast<ContentType>(kind), inner, padding * 8U));
    is_closed_ = has_forged_ = true;  // whatever it is, nothing behind it need be read
  }
  void key_update(Side side, std::uint8_t kind) {
    const bool is_far = side == Side::server && plan_.shape == Shape::far;
    if (rig_.client.out.size() > 60'000 || is_passed() || is_closed_ || (side == Side::server && !is_far)) return;
    RecordEnd& tls = is_far ? rig_.server_tls : rig_.client_tls;
    ByteVector& out = is_far ? rig_.server().out : rig_.client.out;
    if (kind >= 250) {
      append(out, tls.write(ContentType::alert, ByteVector{1, 0}));
      is_closed_ = true;
    } else if (tls.suite().version == record::Version::tls13) {
      append(out, tls.update_keys(kind % 2 == 0));
    }
  }
  void http(std::uint8_t which, std::uint8_t value) {
    static const std::string kRequests[] = {"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /b HTTP/1.1\r\nHost: x\r\n\r\n", "POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
                                            "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "HEAD /b HTTP/1.1\r\nHost: x\r\n\r\n",
                                            "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                                            "GET /a HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"};
    static const std::string kAnswers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n",
                                           "HTTP/1.1 200 OK\r\n\r\nuntil the end", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
                                           "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", "HTTP/1.1 abc\r\n\r\n"};
    if (which % 2 == 0) client_writes(kRequests[value % 8], 0);
    else server_writes(kAnswers[value % 8]);
  }
  // From here on a side's stream holds another byte than before.
  void lie(Side who, std::uint8_t where, std::uint8_t bit) {
    ScriptedEnd& liar = end(who);
    const std::size_t floor = who == Side::client ? up_base_ : 0;
    if (liar.out.size() <= floor) return;
    liar.out[floor + (std::size_t{where} * 37) % (liar.out.size() - floor)] ^= static_cast<std::uint8_t>(1U << bit % 8U);
    (who == Side::client ? is_client_honest_ : is_server_honest_) = false;
  }

  // ---- What they send

  // In order when `where` is small: most of a script should get somewhere.
  void send(Side side, std::uint8_t where, std::uint8_t much, std::uint8_t flags) {
    ScriptedEnd& from = end(side);
    std::size_t& cursor = side == Side::client ? up_cursor_ : down_cursor_;
    cursor = std::min(cursor, from.out.size());
    const std::size_t back = where < 128 ? 0 : (where - 128U) * 16U;
    std::size_t at = cursor > back ? cursor - back : 0;
    if (where >= 240) at = std::min(cursor + 1000, from.out.size());
    const std::size_t n = std::min({from.out.size() - at, std::size_t{1} + much * 6U, std::size_t{1460}});
    std::uint8_t bits = sim::kAck;
    if ((flags & 1) != 0) bits |= sim::kPsh;
    if (flags >= 240) bits |= sim::kFin;
    if (n == 0 && (bits & sim::kFin) == 0) return;
    sim::Segment s = from.segment(at, n, bits);
    s.ecn = flags >> 2 & 3;
    rig_.send(side, s);
    cursor = std::max(cursor, at + n);
  }
  void partial_ack(Side side, std::uint8_t less, std::uint8_t sack) {
    sim::Segment s = end(side).segment(end(side).out.size(), 0);
    s.ack -= less;
    if (sack != 0) {
      s.options.sack_count = 1 + sack % 3U;
      for (std::uint32_t i = 0; i < s.options.sack_count; ++i) s.options.sacks[i] = {s.ack + (i + 1U) * sack, s.ack + (i + 1U) * sack + less * 8U};
    }
    rig_.send(side, s);
  }
  void raw(Side side, std::uint8_t flags, std::uint8_t off) {
    sim::Segment s = end(side).segment(end(side).out.size(), 0, flags);
    s.seq += static_cast<std::uint32_t>(static_cast<std::int8_t>(off)) * ((flags & 0x40) != 0 ? 4096U : 1U);
    if ((flags & 0x80) != 0) s.ack += off * 3U;
    if ((flags & sim::kSyn) != 0) (side == Side::client ? is_client_honest_ : is_server_honest_) = false;  // another first number
    rig_.send(side, s);
  }
  void syn(Side side, std::uint8_t b, std::uint8_t c) {
    sim::Segment s = end(side).syn(static_cast<std::uint8_t>(sim::kSyn | (b % 2 != 0 ? sim::kAck : 0)));
    if ((b & 2) != 0) s.options.mss = static_cast<std::uint16_t>(c * 7);
    if ((b & 4) != 0) s.options.window_scale = c;
    if ((b & 8) != 0) s.options.mss.reset();
    if ((b & 16) != 0) s.seq += c, (side == Side::client ? is_client_honest_ : is_server_honest_) = false;
    if ((b & 32) != 0) s.ack += c;
    if ((b & 64) != 0) s.source_port = static_cast<std::uint16_t>(s.source_port + c), is_server_honest_ = false;  // strangers, in number
    if ((b & 128) != 0) s.flags |= sim::kFin;
    rig_.send(side, s);
  }
  void too_big(Side from, std::uint32_t mtu) {
    const sim::Frame& told_of = rig_.latest(from);
    if (told_of.size() < 54) return;
    const sim::Host router{MacAddress{2, 0, 0, 0, 0, 9}, end(from).host.address};
    rig_.send_frame(from, sim::encode_too_big(told_of, router, end(from).gateway.mac, mtu));
  }
  // A packet with some of its bytes changed, under right checksums: half of the time what the side sends, else what it was sent.
  void damage(Side side, std::uint8_t where, std::uint8_t with) {
    ScriptedEnd& from = end(side);
    const std::size_t n = std::min<std::size_t>(from.out.size(), 100);
    sim::Frame frame = sim::encode(from.segment(from.out.size() - n, n), sim::Padding::to_60);
    frame[12 + where % (frame.size() - 12)] ^= with;
    if (where % 3 != 0) sim::mend_checksums(frame);
    (side == Side::client ? is_client_honest_ : is_server_honest_) = false;
    rig_.send_frame(side, std::move(frame));
  }
  void manners(std::uint8_t a, std::uint8_t b, std::uint8_t c) {
    rig_.welcome = static_cast<Welcome>(a % 3);
    rig_.processor = static_cast<Processor>(a / 3 % 3);
    if (rig_.processor == Processor::odd) is_processor_honest_ = false;
    rig_.oddness = {b, c, static_cast<std::uint8_t>(a ^ c), static_cast<std::uint8_t>(b + c)};
  }
  void other_server(std::uint8_t which, std::uint8_t what) {
    if (plan_.shape == Shape::direct || plan_.shape == Shape::far) return;  // whose server is the one that was called
    rig_.talking = which % KeyedRig::kServers;
    down_cursor_ = 0;
    if (what % 4 == 0) rig_.server().out.clear();
    if (what % 4 == 0) is_server_honest_ = false;
  }

  // ---- What holds

  void check() {
    require(!rig_.is_contradicted() || is_passed());
    require(rig_.held_chunks() <= 512);
    if (is_passed()) return check_passed();
    if (!is_processor_honest_) return;
    check_client();
    check_servers();
  }
  void check_client() {
    if (!rig_.is_keyed() || rig_.has_reconnected()) return;
    const std::size_t from = std::max(rig_.client_keyed_at, client_taken_);
    if (rig_.client.in.size() <= from) return;
    require(rig_.client_tls.take(Bytes(rig_.client.in).subspan(from)));
    client_taken_ = rig_.client.in.size();
    if (plan_.shape == Shape::layer7) return;  // of several servers, and the device's own answers
    const ByteVector& heard = rig_.client_tls.heard();
    if (plan_.shape == Shape::far) return require(heard.size() <= said_.size() && same(heard, 0, said_));
    if (!is_server_honest_) return;
    require(std::any_of(rig_.servers.begin(), rig_.servers.end(), [&](const ScriptedEnd& server) {  // the script may let another one talk since
      return heard.size() <= server.out.size() && std::equal(heard.begin(), heard.end(), server.out.begin());
    }));
  }
  // With `release: streaming` a server has what came of a record before its end shows that it is forged, or no data at all (A13).
  [[nodiscard]] bool may_hold_forged() const { return plan_.release_streaming && (has_forged_ || !is_client_honest_); }
  void check_servers() {
    if (plan_.shape == Shape::layer7) return;
    for (ScriptedEnd& server : rig_.servers) {
      require(!server.is_contradicted || may_hold_forged());
      if (plan_.shape == Shape::far || may_hold_forged()) continue;
      const std::size_t header = plan_.shape == Shape::introduced ? header_bytes(server.in) : 0;
      if (server.in.size() < header) continue;
      require(server.in.size() - header <= written_.size() && same(server.in, header, written_));
    }
    if (plan_.shape == Shape::far) check_far_server();
  }
  void check_far_server() {
    ScriptedEnd& server = rig_.server();
    if (rig_.connections != heard_by_) heard_by_ = rig_.connections, server_taken_ = 0;
    if (rig_.server_keyed_at == 0) return;  // not keyed: its hello is all there is
    const std::size_t from = std::max(rig_.server_keyed_at, server_taken_);
    if (server.in.size() <= from) return;
    require(rig_.server_tls.take(Bytes(server.in).subspan(from)));
    server_taken_ = server.in.size();
    const ByteVector& heard = rig_.server_tls.heard();
    require(may_hold_forged() || (heard.size() <= written_.size() && same(heard, 0, written_)));
  }
  // What passes untouched is as good as what was sent.
  void check_passed() {
    if (!is_client_honest_ || plan_.shape != Shape::pass) return;
    for (const ScriptedEnd& server : rig_.servers) require(!server.is_contradicted && server.in.size() <= written_.size() && same(server.in, 0, written_));
  }
  // Of a PROXY header, version 2: twelve bytes of signature, then its length in the last two of four.
  static std::size_t header_bytes(const ByteVector& in) { return in.size() < 16 ? in.size() + 1 : 16U + load_be16(in.data() + 14); }
  static bool same(const ByteVector& in, std::size_t from, const std::string& text) {
    return in.size() == from || std::memcmp(in.data() + from, text.data(), in.size() - from) == 0;
  }

  void finish() {
    rig_.lose(Side::client, 0), rig_.lose(Side::server, 0);
    rig_.path().reset_flows(~0U, Reset::shutdown, rig_.now());
    rig_.wait(1000);
    rig_.serve();  // answers for those who are gone
    rig_.wait(plan_.shape == Shape::far ? kParting : 1000);
    check();
    require(rig_.path().live_flows() == 0);
    require(rig_.held_chunks() == 0);
    require(rig_.path().next_deadline() == kNever);
    const path::Path::HelloLoad load = rig_.path().hello_load();
    require(load.half_open == 0 && load.waiting == 0 && load.blocks == 0);
    const path::Holdings held = rig_.path().holdings();
    require(held.span_blocks == 0 && held.held_segments == 0 && held.custodies == 0 && held.local_senders == 0 && held.previous_keys == 0);
    require(held.layer7 == 0 && held.handshakes == 0 && held.expanded_keys == 0 && held.far_flows == 0);
  }

  static void append(ByteVector& to, const ByteVector& more) { to.insert(to.end(), more.begin(), more.end()); }
  // Made once: a loop over bytes costs more here than what it is compared with, as everything is watched.
  static std::string pattern(std::size_t bytes, std::size_t from) {
    static const std::string all = [] {
      std::string text(1U << 17, ' ');
      for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('!' + (i * 7 + i / 97) % 90);
      return text;
    }();
    return all.substr(from % (all.size() - bytes), bytes);
  }

  KeyedPlan plan_;
  KeyedRig rig_;
  std::size_t up_base_ = 0, up_cursor_ = 0, down_cursor_ = 0, client_taken_ = 0, server_taken_ = 0;
  std::size_t said_to_ = 0, heard_by_ = 0;
  std::string written_, said_;
  bool is_client_honest_ = true, is_server_honest_ = true, is_processor_honest_ = true, is_closed_ = false, has_forged_ = false;
};

/// The options that every shape has, of two bytes.
inline KeyedPlan plan_of(Shape shape, std::uint8_t first, std::uint8_t second) {
  static constexpr std::uint16_t kSuites[] = {0x1301, 0xc02b, 0x1303, 0xcca9};
  return {.shape = shape,
          .suite = kSuites[first % 4],
          .is_v6 = (first & 128) != 0,
          .has_sack = (first & 4) == 0,
          .has_timestamps = (first & 8) != 0,
          .window_scale = static_cast<std::uint8_t>((first & 16) != 0 ? 0 : 7),
          .has_few_chunks = (first & 32) != 0,
          .truncation_forward = (first & 64) != 0,
          .release_streaming = (second & 16) != 0,
          .is_asked_back = (second & 96) == 96,
          .has_bbr = (second & 128) != 0,
          .rekey_after_records = static_cast<std::uint8_t>(second % 16)};
}

}  // namespace cutwater::fuzz
