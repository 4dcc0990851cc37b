// class Path over packet memory, between a scripted client (with a real OpenSSL client on top) and a scripted plain server.
// A test drives single packets: what is sent, in which cut, what is lost, what comes again, and when. Every packet the path
// sends is decoded by the simulator's own code, so native/wire is never its own judge.
// Thread: one. Used by: test/native/path, test/native/splice, fuzz_flow, path_bench.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "native/secure/tls_client.hpp"
#include "path/path.hpp"
#include "support/native/scripted_end.hpp"

namespace cutwater::support {

struct RigPlan {
  path::Mode mode = path::Mode::direct;     // direct or proxy
  std::uint8_t servers = 1;                 // proxy: so many, at .2, .3 … of the server side; the scripted one moves by be_server()
  std::uint16_t suite = 0x1301;             // IANA; decides the version too
  bool is_v6 = false;
  bool has_sack = true, has_timestamps = false;
  std::uint16_t client_mss = 1460, server_mss = 1460;
  std::uint32_t client_window_bytes = 1U << 20, server_window_bytes = 1U << 20;
  std::uint8_t window_scale = 7;            // of both; small windows want 0
  std::uint32_t chunks = 2048;
  std::uint32_t max_flows = 16, max_half_open = 0;  // half-open: 0: as many as flows
  hello::HelloBlocksConfig blocks = {.answers = 16, .hellos = 8, .long_hellos = 2};
  std::uint32_t tickets = 0;                // none: the down stream is then application data alone
  path::Retry retry = path::Retry::never;
  bool truncation_forward = false;
  bool release_streaming = false;
  splice::CongestionControl custody_congestion = splice::CongestionControl::cubic;
  std::uint32_t idle_timeout_ms = 300'000;
  std::uint64_t rekey_after_records = 0;
  const record::Aead* aead = nullptr;
  std::function<void(path::Services&)> adjust{};  // what else the services shall be: virtual addresses, more servers
  std::uint16_t second_port = 0;            // proxy: another service there, with the same servers
  secure::Pool* secure = nullptr;           // somebody else's, service 0 configured; nullptr: one of its own
};

/// A packet the path sent. `segment` points into `frame`.
struct SentPacket {
  sim::Frame frame;
  sim::Segment segment;
  bool is_lost = false;

  SentPacket(sim::Frame&& f, bool lost);
  SentPacket(SentPacket&&) = default;
  SentPacket& operator=(SentPacket&&) = default;
  [[nodiscard]] std::size_t payload_bytes() const { return segment.payload.size(); }
  [[nodiscard]] bool has(sim::Flag flag) const { return segment.has(flag); }
};

using path::Side;

class PathRig {
 public:
  explicit PathRig(const RigPlan& plan = {});
  ~PathRig();

  // The ends.
  ScriptedEnd client, server;
  [[nodiscard]] secure::test::TlsClient& tls() { return *tls_; }

  // Set-up.
  void connect();    // SYN, SYN-ACK, ACK; in proxy mode without the server
  void handshake();  // hello to Finished, everything delivered and acknowledged
  void establish() { connect(), handshake(), clear(); }
  // Proxy mode.
  /// From here on the scripted server is the one of that index.
  void be_server(std::uint8_t index);
  /// From here on there is an end for each server, and each gets its own packets; `server` is the one that talks.
  void keep_servers() { has_many_ = true; }
  void talk_to(std::uint8_t index);
  /// The server begins anew, as one that was called again.
  void forget_server();
  /// Its answer to our SYN.
  void server_answers() { send(Side::server, server.syn(sim::kSyn | sim::kAck)); }

  // Streams.
  /// Has the client's TLS write `text` as one record; it is appended to client.out, not sent. Returns: where it begins there.
  std::size_t client_writes(std::string_view text);
  std::size_t client_writes(std::size_t bytes) { return client_writes(pattern(bytes)); }
  /// Appends to what the server may send. Returns: where it begins.
  std::size_t server_writes(std::string_view text);
  std::size_t server_writes(std::size_t bytes) { return server_writes(pattern(bytes)); }
  /// All the client's TLS can read of what came so far.
  std::string client_reads();
  /// Everything OpenSSL wants to send (KeyUpdate, close_notify, alerts), appended to client.out. Returns: where it begins.
  std::size_t take_client_tls();
  /// Plaintext the server got, as text.
  [[nodiscard]] std::string server_got() const { return {server.in.begin(), server.in.end()}; }

  // Packets.
  void send(Side side, const sim::Segment& segment);
  void send_burst(Side side, std::span<const sim::Segment> segments);
  void client_sends(std::size_t offset, std::size_t bytes, std::uint8_t flags = sim::kAck) { send(Side::client, client.segment(offset, bytes, flags)); }
  void server_sends(std::size_t offset, std::size_t bytes, std::uint8_t flags = sim::kAck) { send(Side::server, server.segment(offset, bytes, flags)); }
  /// For who runs the path by hand: a packet of its pool, and all that it sent back into the pool.
  port::Packet load(const sim::Segment& segment, sim::Padding padding);
  void discard_sent();
  /// Pure acknowledgements of all that an end has got.
  void client_acks() { client_sends(client.out.size(), 0); }
  void server_acks() { server_sends(server.out.size(), 0); }
  /// The next `packets` that the path sends towards a side are lost on the way (still listed, as lost).
  void lose(Side towards, std::size_t packets) { (towards == Side::client ? lost_to_client_ : lost_to_server_) = packets; }
  /// Passes time, timers included.
  void wait(std::uint64_t us);

  // What the path did, since the last clear().
  std::vector<SentPacket> to_client, to_server;
  void clear() { to_client.clear(), to_server.clear(); }

  [[nodiscard]] path::Path& path() { return *path_; }
  [[nodiscard]] const secure::Pool& secure() const { return secure_; }
  [[nodiscard]] std::uint64_t count(Count c) const { return path_->counters().value(c); }
  [[nodiscard]] std::uint64_t count(Drop d) const { return path_->counters().value(d); }
  [[nodiscard]] std::uint64_t count(Reset r) const { return path_->counters().value(r); }
  /// Chunks that somebody still holds.
  [[nodiscard]] std::uint32_t held_chunks() const { return chunks_.capacity() - chunks_.free_chunks(); }
  [[nodiscard]] port::ChunkPool& chunks() { return chunks_; }
  [[nodiscard]] path::FlowView flow();  // of the only flow; state `free` when there is none
  [[nodiscard]] Tick now() const { return now_; }

  /// The same client, from the same port, at the second service: a TLS handshake of its own, driven to its end.
  void connect_to_second();

  static std::string pattern(std::size_t bytes, std::size_t from = 0);

 private:
  void collect();
  void collect(Side side, std::vector<SentPacket>& into, ScriptedEnd& end, std::size_t& lost);

  RigPlan plan_;
  Tick now_{1'000'000};
  port::ChunkPool chunks_;
  std::unique_ptr<secure::Pool> own_secure_;
  secure::Pool& secure_;
  std::unique_ptr<path::Path> path_;
  std::unique_ptr<secure::test::TlsClient> tls_;
  std::size_t fed_ = 0;  // of client.in, to OpenSSL
  ScriptedEnd& server_at(const IpAddress& address);
  bool has_many_ = false;
  std::map<std::array<std::uint8_t, 16>, ScriptedEnd> silent_;  // servers that do not talk now
  std::size_t lost_to_client_ = 0, lost_to_server_ = 0;
};

/// A pool without threads with one service, for many rigs in turn.
std::unique_ptr<secure::Pool> make_secure_pool(std::uint32_t tickets, std::function<Tick()> clock);

}  // namespace cutwater::support
