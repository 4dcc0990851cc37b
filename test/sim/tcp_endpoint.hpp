// A whole TCP endpoint in virtual time: the golden model of what stands on both ends of the device. Written from the RFCs
// (9293, 7323, 2018, 2883, 6298, 6675, 5681, 5961), sharing nothing with native/splice.
// Not here: sockets, clocks, links. Thread: one run, one thread. Used by: client_end, server_end, reference_device.
#pragma once

#include <optional>

#include "sim/byte_queue.hpp"
#include "sim/frame.hpp"
#include "sim/random.hpp"
#include "sim/reassembly.hpp"
#include "sim/scoreboard.hpp"
#include "sim/timeline.hpp"

namespace cutwater::sim {



/// How bytes are cut when they are sent again. Stacks do all of these.
enum class Regroup : std::uint8_t { as_sent, merge, split, any };
/// What a zero-window or keep-alive probe carries: an old sequence number (Linux), or the next byte (BSD).
enum class Probe : std::uint8_t { old_byte, new_byte };

struct TcpConfig {
  std::uint16_t mtu = 1500;          // of the own interface
  std::uint16_t mss_option = 0;      // 0: from the MTU
  std::optional<std::uint8_t> window_shift = 7;
  bool use_sack = true, use_timestamps = true, use_ecn = false;
  bool use_nagle = true, forgets_sacks_on_timeout = false;
  std::uint32_t receive_buffer_bytes = 262'144, send_buffer_bytes = 262'144;
  std::uint32_t initial_window_segments = 10;
  std::uint64_t delayed_ack_us = 40'000;   // 0: every segment at once
  std::uint64_t min_rto_us = 200'000, keepalive_us = 0;
  std::uint32_t max_retries = 15;
  std::uint64_t time_wait_us = 60'000'000;  // Linux's
  std::uint32_t initial_seq = 0, timestamp_offset = 0;
  Regroup regroup = Regroup::as_sent;
  Probe probe = Probe::old_byte;
  Padding padding = Padding::none;
  std::vector<std::uint8_t> syn_other_kinds;  // options the device must take out
};

enum class TcpState : std::uint8_t {
  closed, listen, syn_sent, syn_received, established, fin_wait_1, fin_wait_2, close_wait, closing, last_ack, time_wait
};
/// Why a connection is no more. `none`: it is alive, or was closed properly by both ends.
enum class TcpFailure : std::uint8_t { none, reset, refused, gave_up, aborted };

struct TcpStats {
  std::uint64_t segments = 0, resent = 0, timeouts = 0, probes = 0;
  std::uint64_t missing_timestamps = 0, paws_drops = 0, acks_of_unsent = 0, challenges = 0, beyond_window = 0;
};

class TcpEndpoint {
 public:
  TcpEndpoint(const TcpConfig& config, const Host& self, std::uint16_t port, Random random);

  void connect(const Host& peer, std::uint16_t port, std::uint64_t now);
  void listen() { state_ = TcpState::listen; }

  // network
  void receive(const Segment& segment, std::uint64_t now);
  void shrink_path(const TooBig& message, std::uint64_t now);
  /// Frames to send, in order. The caller takes them.
  std::vector<Frame>& output() noexcept { return output_; }

  // application
  /// Returns: how many bytes the send buffer took.
  std::size_t write(Bytes bytes, std::uint64_t now);
  [[nodiscard]] Bytes readable() const noexcept { return received_.view(); }
  void consume(std::size_t bytes, std::uint64_t now);
  void close_write(std::uint64_t now);
  /// Like close() of a socket: FIN, and who still sends gets RST.
  void close(std::uint64_t now);
  void abort(std::uint64_t now);
  /// A receive buffer resized by its owner. Shrinking moves the window's right edge back (RFC 9293 3.8.6).
  void resize_receive_buffer(std::uint32_t bytes, std::uint64_t now);
  void set_nagle(bool on) noexcept { config_.use_nagle = on; }

  // time
  [[nodiscard]] std::uint64_t deadline() const noexcept;
  void run_timers(std::uint64_t now);

  [[nodiscard]] TcpState state() const noexcept { return state_; }
  [[nodiscard]] TcpFailure failure() const noexcept { return failure_; }
  [[nodiscard]] bool is_established() const noexcept { return state_ >= TcpState::established; }
  /// The peer's FIN came and everything before it was read.
  [[nodiscard]] bool is_at_end() const noexcept { return fin_consumed_ && received_.empty(); }
  /// Bytes written and not yet acknowledged.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept { return pending_.size(); }
  /// Bytes of ours that the peer has acknowledged.
  [[nodiscard]] std::uint64_t acknowledged_bytes() const noexcept;
  [[nodiscard]] const TcpStats& stats() const noexcept { return stats_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string describe() const;

 private:
  // receiving
  void receive_listening(const Segment& s, std::uint64_t now);
  void receive_syn_sent(const Segment& s, std::uint64_t now);
  void receive_synchronized(const Segment& s, std::uint64_t now);
  void adopt_syn(const Segment& s, std::uint64_t now);
  bool check_timestamps(const Segment& s, std::uint64_t position, std::uint64_t now);
  bool take_acknowledgement(const Segment& s, std::uint64_t position, std::uint64_t now);
  void take_new_acknowledgement(std::uint64_t ack, const Segment& s, std::uint64_t now);
  void take_sacks(const Segment& s);
  void take_duplicate(std::uint64_t now);
  void take_payload(const Segment& s, std::uint64_t position, std::uint64_t now);
  void take_fin(std::uint64_t now);
  void after_our_fin_acknowledged(std::uint64_t now);
  // sending
  void flush(std::uint64_t now);
  bool send_lost(std::uint64_t now);
  bool send_new(std::uint64_t now);
  void send_range(std::uint64_t begin, std::uint64_t end, std::uint64_t now);
  void send_control(std::uint64_t position, std::uint8_t flags, Bytes payload, std::uint64_t now);
  void send_reset_for(const Segment& s);
  std::uint64_t resend_end(const Piece& piece, std::uint64_t limit);
  void emit(Segment& s);
  void fill_options(Segment& s, std::uint64_t now);
  void probe(std::uint64_t now);
  void enter_recovery(std::uint64_t now);
  void arm_timers(std::uint64_t now);
  void time_out(std::uint64_t now);
  void fail(TcpFailure why);
  // arithmetic
  [[nodiscard]] std::uint32_t seq_of(std::uint64_t position) const noexcept { return config_.initial_seq + static_cast<std::uint32_t>(position); }
  [[nodiscard]] std::uint64_t own_position(std::uint32_t seq) const noexcept;
  [[nodiscard]] std::uint64_t peer_position(std::uint32_t seq) const noexcept;
  [[nodiscard]] std::uint64_t data_end() const noexcept { return una_data_ + pending_.size(); }
  [[nodiscard]] std::size_t sack_blocks_to_send() const noexcept;
  [[nodiscard]] std::uint64_t payload_limit() const noexcept;
  [[nodiscard]] std::uint32_t timestamp(std::uint64_t now) const noexcept;
  [[nodiscard]] bool may_send() const noexcept;
  [[nodiscard]] std::uint16_t window_field(bool is_syn);
  void restart_rto(std::uint64_t now) noexcept { rto_at_ = now + std::min<std::uint64_t>(rto_us_ << std::min(backoff_, 16U), 60'000'000); }
  void sample_rtt(std::uint64_t us) noexcept;

  TcpConfig config_;
  Host self_, peer_;
  std::uint16_t port_ = 0, peer_port_ = 0;
  Random random_;
  TcpState state_ = TcpState::closed;
  TcpFailure failure_ = TcpFailure::none;
  std::vector<Frame> output_;
  TcpStats stats_;

  // negotiated
  bool sack_ = false, timestamps_ = false, ecn_ = false;
  std::uint8_t send_shift_ = 0, receive_shift_ = 0;
  std::uint64_t peer_mss_ = 536, path_mss_ = 1460;

  // sending: position 0 is the SYN, 1 the first byte
  ByteQueue pending_;                 // from una_data_ on
  std::uint64_t una_ = 0, una_data_ = 1, next_ = 0;
  std::optional<std::uint64_t> fin_at_;
  bool wants_fin_ = false;
  Scoreboard board_;
  std::uint64_t window_ = 0, window_max_ = 0, wl1_ = 0, wl2_ = 0;
  std::uint64_t cwnd_ = 0, ssthresh_ = ~0ULL >> 1, recovery_point_ = 0;
  std::uint32_t duplicate_acks_ = 0;
  enum class Phase : std::uint8_t { open, recovery, loss } phase_ = Phase::open;
  bool forces_one_ = false;           // the first resend of a recovery does not ask the congestion window
  std::uint32_t retries_ = 0;
  std::uint64_t srtt_us_ = 0, rttvar_us_ = 0, rto_us_ = 1'000'000;
  std::uint32_t backoff_ = 0, persist_backoff_ = 0, unanswered_probes_ = 0;
  bool sends_cwr_ = false;
  std::uint64_t ecn_point_ = 0;

  // receiving: position 0 is the peer's SYN
  std::uint32_t peer_initial_seq_ = 0;
  std::uint64_t expected_ = 0, advertised_edge_ = 0, accepted_edge_ = 0, last_ack_sent_ = 0;
  ByteQueue received_;
  Reassembly reassembly_;
  std::optional<std::uint64_t> peer_fin_at_;
  bool fin_consumed_ = false, reading_stopped_ = false, must_ack_ = false, echoes_ce_ = false;
  std::optional<Range> duplicate_;
  std::uint32_t ts_recent_ = 0;
  std::uint64_t unacked_bytes_ = 0, largest_payload_ = 0;

  // timers
  std::uint64_t rto_at_ = kNoTime, ack_at_ = kNoTime, persist_at_ = kNoTime, time_wait_at_ = kNoTime, keepalive_at_ = kNoTime;
};

std::string_view to_string(TcpState state) noexcept;
std::string_view to_string(TcpFailure failure) noexcept;

}  // namespace cutwater::sim
