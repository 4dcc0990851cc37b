// The receiving half and the application's calls; the sending half is tcp_endpoint_send.cpp.
#include "sim/tcp_endpoint.hpp"

namespace cutwater::sim {
namespace {
constexpr std::uint64_t kOrphanUs = 60'000'000;  // FIN-WAIT-2 with nobody left to read, as Linux
bool older(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }
}  // namespace

TcpEndpoint::TcpEndpoint(const TcpConfig& config, const Host& self, std::uint16_t port, Random random)
    : config_(config), self_(self), port_(port), random_(random) {
  path_mss_ = config_.mtu - (self.address.is_v4() ? 40U : 60U);
  receive_shift_ = config_.window_shift.value_or(0);
}

void TcpEndpoint::connect(const Host& peer, std::uint16_t port, std::uint64_t now) {
  peer_ = peer;
  peer_port_ = port;
  state_ = TcpState::syn_sent;
  cwnd_ = 1;
  next_ = 1;
  board_.push(0, 1, now);
  send_range(0, 1, now);
  restart_rto(now);
}

// ---- the application's calls

std::size_t TcpEndpoint::write(Bytes bytes, std::uint64_t now) {
  if (wants_fin_ || state_ == TcpState::closed || failure_ != TcpFailure::none) return 0;
  const std::size_t room = config_.send_buffer_bytes > pending_.size() ? config_.send_buffer_bytes - pending_.size() : 0;
  const std::size_t taken = std::min(room, bytes.size());
  pending_.push(bytes.first(taken));
  flush(now);
  return taken;
}

void TcpEndpoint::consume(std::size_t bytes, std::uint64_t now) {
  received_.pop(bytes);
  if (bytes == 0 || !is_established() || state_ == TcpState::time_wait) return;
  const std::uint64_t space = config_.receive_buffer_bytes > received_.size() ? config_.receive_buffer_bytes - received_.size() : 0;
  const std::uint64_t worth_telling = std::min<std::uint64_t>(2 * path_mss_, std::max(1U, config_.receive_buffer_bytes / 2));
  if (expected_ + space >= advertised_edge_ + worth_telling) {
    must_ack_ = true;
    flush(now);
  }
}

void TcpEndpoint::close_write(std::uint64_t now) {
  if (wants_fin_ || failure_ != TcpFailure::none) return;
  wants_fin_ = true;
  flush(now);
}

void TcpEndpoint::close(std::uint64_t now) {
  reading_stopped_ = true;
  if (!received_.empty()) {
    abort(now);
    return;
  }
  close_write(now);
  if (state_ == TcpState::fin_wait_2) time_wait_at_ = now + kOrphanUs;
}

void TcpEndpoint::abort(std::uint64_t now) {
  if (state_ == TcpState::closed) return;
  if (state_ >= TcpState::syn_received && state_ != TcpState::time_wait) send_control(next_, kRst | kAck, {}, now);
  fail(TcpFailure::aborted);
}

void TcpEndpoint::resize_receive_buffer(std::uint32_t bytes, std::uint64_t now) {
  const bool shrinks = bytes < config_.receive_buffer_bytes;
  config_.receive_buffer_bytes = bytes;
  if (!is_established() || state_ == TcpState::time_wait) return;
  if (shrinks) {
    const std::uint64_t edge = expected_ + (bytes > received_.size() ? bytes - received_.size() : 0);
    advertised_edge_ = std::min(advertised_edge_, edge);
    accepted_edge_ = std::min(accepted_edge_, edge);
  }
  must_ack_ = true;
  flush(now);
}

void TcpEndpoint::fail(TcpFailure why) {
  if (failure_ == TcpFailure::none) failure_ = why;
  state_ = TcpState::closed;
  rto_at_ = ack_at_ = persist_at_ = time_wait_at_ = keepalive_at_ = kNoTime;
}

// ---- segments from the network

void TcpEndpoint::receive(const Segment& s, std::uint64_t now) {
  switch (state_) {
    case TcpState::closed:
      if (!s.has(kRst)) send_reset_for(s);
      return;
    case TcpState::listen: receive_listening(s, now); break;
    case TcpState::syn_sent: receive_syn_sent(s, now); break;
    default: receive_synchronized(s, now);
  }
  if (state_ != TcpState::closed) flush(now);
}

void TcpEndpoint::receive_listening(const Segment& s, std::uint64_t now) {
  if (!s.has(kSyn) || s.has(kAck) || s.has(kRst)) return;
  peer_ = Host{s.source_mac, s.source};
  peer_port_ = s.source_port;
  adopt_syn(s, now);
  ecn_ = config_.use_ecn && s.has(kEce) && s.has(kCwr);
  window_ = s.window;
  state_ = TcpState::syn_received;
  next_ = 1;
  board_.push(0, 1, now);
  send_range(0, 1, now);
  restart_rto(now);
}

void TcpEndpoint::receive_syn_sent(const Segment& s, std::uint64_t now) {
  if (s.has(kAck) && s.ack != seq_of(1)) return;
  if (s.has(kRst)) {
    if (s.has(kAck)) fail(TcpFailure::refused);
    return;
  }
  if (!s.has(kSyn) || !s.has(kAck)) return;
  adopt_syn(s, now);
  ecn_ = config_.use_ecn && s.has(kEce) && !s.has(kCwr);
  una_ = 1;
  const Piece syn = board_.acknowledge(1);
  if (syn.sends == 1) sample_rtt(now - syn.sent_at_us);
  window_ = window_max_ = s.window;  // never scaled in a SYN (RFC 7323 2.2)
  wl1_ = 0;
  wl2_ = 1;
  cwnd_ = config_.initial_window_segments * payload_limit();
  backoff_ = retries_ = 0;
  rto_at_ = kNoTime;
  state_ = TcpState::established;
  must_ack_ = true;
}

void TcpEndpoint::adopt_syn(const Segment& s, std::uint64_t) {
  peer_initial_seq_ = s.seq;
  expected_ = 1;
  peer_mss_ = std::max<std::uint16_t>(s.options.mss.value_or(536), 64);
  sack_ = config_.use_sack && s.options.sack_permitted;
  timestamps_ = config_.use_timestamps && s.options.timestamps.has_value();
  if (timestamps_) ts_recent_ = s.options.timestamps->value;
  if (config_.window_shift && s.options.window_scale) {
    send_shift_ = std::min<std::uint8_t>(*s.options.window_scale, 14);
  } else {
    receive_shift_ = send_shift_ = 0;
  }
  advertised_edge_ = accepted_edge_ = expected_ + std::min<std::uint64_t>(config_.receive_buffer_bytes, 65'535);
}

void TcpEndpoint::receive_synchronized(const Segment& s, std::uint64_t now) {
  const std::uint64_t position = peer_position(s.seq);
  if (state_ == TcpState::syn_received && s.has(kSyn) && !s.has(kAck) && s.seq == peer_initial_seq_) {
    board_.mark_all_lost();  // our SYN-ACK was lost, or is late
    forces_one_ = true;
    return;
  }
  if (!check_timestamps(s, position, now)) return;
  const std::uint64_t end = position + s.length();
  const bool in_window = static_cast<std::int64_t>(end - last_ack_sent_) >= 0 &&
                         static_cast<std::int64_t>(position - std::max(accepted_edge_, expected_)) <= 0;
  if (!in_window) {
    if (s.has(kRst)) return;
    if (!s.payload.empty() && static_cast<std::int64_t>(end - expected_) <= 0) duplicate_ = Range{position, end};
    if (state_ == TcpState::time_wait && s.has(kFin)) time_wait_at_ = now + config_.time_wait_us;
    must_ack_ = true;
    return;
  }
  if (s.has(kRst)) {
    if (state_ == TcpState::time_wait) return;
    if (position == expected_) {
      fail(TcpFailure::reset);
    } else {
      ++stats_.challenges;  // RFC 5961 3.2
      must_ack_ = true;
    }
    return;
  }
  if (s.has(kSyn)) {
    ++stats_.challenges;
    must_ack_ = true;
    return;
  }
  if (!s.has(kAck)) return;
  if (timestamps_ && s.options.timestamps && static_cast<std::int64_t>(position - last_ack_sent_) <= 0 &&
      !older(s.options.timestamps->value, ts_recent_)) {
    ts_recent_ = s.options.timestamps->value;
  }
  if (!take_acknowledgement(s, position, now)) return;
  if (config_.keepalive_us != 0) keepalive_at_ = now + config_.keepalive_us;
  if (ecn_) {
    if (s.has(kCwr)) echoes_ce_ = false;
    if (s.ecn == 3) echoes_ce_ = true;
  }
  take_payload(s, position, now);
}

bool TcpEndpoint::check_timestamps(const Segment& s, std::uint64_t position, std::uint64_t) {
  if (!timestamps_ || s.has(kRst)) return true;
  if (!s.options.timestamps) {
    ++stats_.missing_timestamps;  // RFC 7323 3.2: once negotiated, on every segment
    return false;
  }
  if (!older(s.options.timestamps->value, ts_recent_)) return true;
  ++stats_.paws_drops;
  if (!s.payload.empty() && static_cast<std::int64_t>(position + s.payload.size() - expected_) <= 0) {
    duplicate_ = Range{position, position + s.payload.size()};
  }
  must_ack_ = true;
  return false;
}

bool TcpEndpoint::take_acknowledgement(const Segment& s, std::uint64_t position, std::uint64_t now) {
  const std::uint64_t ack = own_position(s.ack);
  if (static_cast<std::int64_t>(ack - next_) > 0) {
    ++stats_.acks_of_unsent;
    must_ack_ = true;
    return false;
  }
  if (state_ == TcpState::syn_received) {
    if (ack != 1) return false;
    state_ = TcpState::established;
    cwnd_ = config_.initial_window_segments * payload_limit();
    window_max_ = 0;
    wl1_ = position;
    wl2_ = 0;
  }
  if (static_cast<std::int64_t>(ack - una_) < 0) return true;  // old, but its payload may be new
  const std::uint64_t window = static_cast<std::uint64_t>(s.window) << send_shift_;
  const bool is_update = window != window_;
  // A resent segment with a new acknowledgement counts as well: only RFC 9293's letter would keep the old window, and overrun it.
  if (ack > una_ || wl1_ < position || (wl1_ == position && wl2_ <= ack)) {
    window_ = window;
    window_max_ = std::max(window_max_, window);
    wl1_ = position;
    wl2_ = ack;
  }
  unanswered_probes_ = 0;
  if (window == 0) retries_ = 0;  // alive, only slow
  persist_backoff_ = window == 0 ? persist_backoff_ : 0;
  take_sacks(s);
  if (ack > una_) take_new_acknowledgement(ack, s, now);
  else if (s.payload.empty() && !is_update && !s.has(kFin) && !board_.empty()) take_duplicate(now);
  if (sack_ && board_.has_sacks()) {
    board_.mark_lost_below_sacks(2 * payload_limit() + 1);
    if (phase_ == Phase::open && board_.next_lost() != nullptr) enter_recovery(now);
  }
  if (ecn_ && s.has(kEce) && ack > ecn_point_ && phase_ == Phase::open) {
    ssthresh_ = cwnd_ = std::max<std::uint64_t>(cwnd_ / 2, 2 * payload_limit());
    ecn_point_ = next_;
    sends_cwr_ = true;
  }
  return state_ != TcpState::closed;
}

void TcpEndpoint::take_new_acknowledgement(std::uint64_t ack, const Segment& s, std::uint64_t now) {
  const std::uint64_t newly = ack - una_;
  const Piece last = board_.acknowledge(ack);
  una_ = ack;
  if (ack > una_data_) {
    const std::uint64_t bytes = std::min(ack, data_end()) - una_data_;
    pending_.pop(bytes);
    una_data_ += bytes;
  }
  duplicate_acks_ = 0;
  backoff_ = retries_ = 0;
  if (timestamps_ && s.options.timestamps && s.options.timestamps->echo != 0) {
    sample_rtt(static_cast<std::uint64_t>(timestamp(now) - s.options.timestamps->echo) * 1000);
  } else if (last.sends == 1) {
    sample_rtt(now - last.sent_at_us);  // Karn: never from what was sent twice, nor from what waited behind it
  }
  if (phase_ != Phase::open && ack >= recovery_point_) {
    if (phase_ == Phase::recovery) cwnd_ = ssthresh_;
    phase_ = Phase::open;
  }
  switch (phase_) {
    case Phase::recovery:
      if (!board_.empty() && !board_.front().is_resent) {
        board_.mark_front_lost();  // RFC 6582: a partial acknowledgement names the next hole
        forces_one_ = true;
      }
      break;
    case Phase::loss:
    case Phase::open:
      if (cwnd_ < ssthresh_) cwnd_ += std::min<std::uint64_t>(newly, payload_limit());
      else cwnd_ += std::max<std::uint64_t>(1, payload_limit() * payload_limit() / std::max<std::uint64_t>(cwnd_, 1));
  }
  if (board_.empty()) rto_at_ = kNoTime;
  else restart_rto(now);
  if (fin_at_ && ack > *fin_at_) after_our_fin_acknowledged(now);
}

void TcpEndpoint::after_our_fin_acknowledged(std::uint64_t now) {
  switch (state_) {
    case TcpState::fin_wait_1:
      state_ = TcpState::fin_wait_2;
      if (reading_stopped_) time_wait_at_ = now + kOrphanUs;
      break;
    case TcpState::closing:
      state_ = TcpState::time_wait;
      time_wait_at_ = now + config_.time_wait_us;
      break;
    case TcpState::last_ack:
      state_ = TcpState::closed;
      rto_at_ = ack_at_ = persist_at_ = keepalive_at_ = time_wait_at_ = kNoTime;
      break;
    default: break;
  }
}

void TcpEndpoint::take_sacks(const Segment& s) {
  if (!sack_) return;
  for (std::size_t i = 0; i < s.options.sack_count; ++i) {
    const std::uint64_t begin = own_position(s.options.sacks[i].begin), end = own_position(s.options.sacks[i].end);
    if (static_cast<std::int64_t>(begin - una_) < 0 || end <= begin) continue;  // D-SACK, or old
    if (end > next_) {
      ++stats_.acks_of_unsent;
      continue;
    }
    board_.sack(begin, end);
  }
}

void TcpEndpoint::take_duplicate(std::uint64_t now) {
  if (++duplicate_acks_ != 3 || phase_ != Phase::open) return;
  board_.mark_front_lost();
  enter_recovery(now);
}

void TcpEndpoint::enter_recovery(std::uint64_t) {
  phase_ = Phase::recovery;
  recovery_point_ = next_;
  ssthresh_ = std::max<std::uint64_t>(board_.in_flight_bytes() / 2, 2 * payload_limit());
  cwnd_ = ssthresh_;
  forces_one_ = true;
}

void TcpEndpoint::take_payload(const Segment& s, std::uint64_t position, std::uint64_t now) {
  const bool receives = state_ == TcpState::established || state_ == TcpState::fin_wait_1 || state_ == TcpState::fin_wait_2;
  if (s.has(kFin) && receives && !peer_fin_at_ && position + s.payload.size() <= std::max(accepted_edge_, expected_)) {
    peer_fin_at_ = position + s.payload.size();
  }
  if (!receives) {
    if (s.length() > 0) must_ack_ = true;
    if (state_ == TcpState::time_wait && s.has(kFin)) time_wait_at_ = now + config_.time_wait_us;
    return;
  }
  Bytes bytes = s.payload;
  if (!bytes.empty()) {
    if (position + bytes.size() <= expected_) {
      duplicate_ = Range{position, position + bytes.size()};
      must_ack_ = true;
      bytes = {};
    } else if (position < expected_) {
      duplicate_ = Range{position, expected_};
      bytes = bytes.subspan(expected_ - position);
      position = expected_;
      must_ack_ = true;
    }
  } else if (static_cast<std::int64_t>(position - expected_) < 0) {
    must_ack_ = true;  // a keep-alive or window probe
  }
  if (!bytes.empty() && position + bytes.size() > accepted_edge_) {
    ++stats_.beyond_window;
    must_ack_ = true;
    bytes = position < accepted_edge_ ? bytes.first(accepted_edge_ - position) : Bytes{};
  }
  if (!bytes.empty() && reading_stopped_) {
    send_control(next_, kRst | kAck, {}, now);
    fail(TcpFailure::aborted);
    return;
  }
  if (!bytes.empty() && position > expected_) {
    if (reassembly_.holds(position, position + bytes.size())) duplicate_ = Range{position, position + bytes.size()};
    reassembly_.insert(position, bytes);
    must_ack_ = true;
  } else if (!bytes.empty()) {
    if (!reassembly_.blocks().empty()) must_ack_ = true;
    received_.push(bytes);
    expected_ = reassembly_.drain(expected_ + bytes.size(), received_);
    largest_payload_ = std::max<std::uint64_t>(largest_payload_, bytes.size());
    unacked_bytes_ += bytes.size();
    if (config_.delayed_ack_us == 0 || unacked_bytes_ > largest_payload_) must_ack_ = true;
    else if (ack_at_ == kNoTime) ack_at_ = now + config_.delayed_ack_us;
  }
  if (peer_fin_at_ && expected_ == *peer_fin_at_) take_fin(now);
}

void TcpEndpoint::take_fin(std::uint64_t now) {
  ++expected_;
  accepted_edge_ = std::max(accepted_edge_, expected_);
  fin_consumed_ = true;
  must_ack_ = true;
  switch (state_) {
    case TcpState::established: state_ = TcpState::close_wait; break;
    case TcpState::fin_wait_1: state_ = TcpState::closing; break;
    case TcpState::fin_wait_2:
      state_ = TcpState::time_wait;
      time_wait_at_ = now + config_.time_wait_us;
      break;
    default: break;
  }
}

std::uint64_t TcpEndpoint::own_position(std::uint32_t seq) const noexcept {
  return next_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(seq - seq_of(next_))));
}

std::uint64_t TcpEndpoint::peer_position(std::uint32_t seq) const noexcept {
  const std::uint32_t expected = peer_initial_seq_ + static_cast<std::uint32_t>(expected_);
  return expected_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(seq - expected)));
}

std::uint64_t TcpEndpoint::acknowledged_bytes() const noexcept { return una_data_ - 1; }

std::string TcpEndpoint::describe() const {
  return std::string{to_string(state_)} + "/" + std::string{to_string(failure_)} + " una " + std::to_string(una_) + " next " +
         std::to_string(next_) + " buffered " + std::to_string(pending_.size()) + " window " + std::to_string(window_) + " cwnd " +
         std::to_string(cwnd_) + " expected " + std::to_string(expected_) + " readable " + std::to_string(received_.size()) +
         " gaps " + std::to_string(reassembly_.blocks().size()) + " resent " + std::to_string(stats_.resent) + " timeouts " +
         std::to_string(stats_.timeouts);
}

std::string_view to_string(TcpState state) noexcept {
  static constexpr std::array<std::string_view, 11> kNames{"closed",     "listen",     "syn_sent", "syn_received", "established", "fin_wait_1",
                                                           "fin_wait_2", "close_wait", "closing",  "last_ack",     "time_wait"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view to_string(TcpFailure failure) noexcept {
  static constexpr std::array<std::string_view, 5> kNames{"none", "reset", "refused", "gave_up", "aborted"};
  return kNames[static_cast<std::size_t>(failure)];
}

}  // namespace cutwater::sim
