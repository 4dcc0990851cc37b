// The sending half of the model endpoint: what goes out, when it goes out again, and the timers.
#include "sim/tcp_endpoint.hpp"

namespace cutwater::sim {
namespace {
constexpr std::uint64_t kMaxPersistUs = 60'000'000;
constexpr std::uint32_t kMaxSynRetries = 8;
}  // namespace

void TcpEndpoint::flush(std::uint64_t now) {
  if (state_ == TcpState::closed || state_ == TcpState::listen) return;
  while (send_lost(now)) {
  }
  forces_one_ = false;
  while (send_new(now)) {
  }
  if (must_ack_ && state_ >= TcpState::established) send_control(next_, kAck, {}, now);
  must_ack_ = false;
  arm_timers(now);
}

void TcpEndpoint::arm_timers(std::uint64_t now) {
  if (board_.empty()) rto_at_ = kNoTime;
  else if (rto_at_ == kNoTime) restart_rto(now);
  const bool waits = may_send() && board_.empty() && (data_end() > next_ || (wants_fin_ && !fin_at_));
  if (!waits) persist_at_ = kNoTime;
  else if (persist_at_ == kNoTime) persist_at_ = now + std::min<std::uint64_t>(rto_us_ << std::min(persist_backoff_, 16U), kMaxPersistUs);
  if (config_.keepalive_us != 0 && keepalive_at_ == kNoTime && may_send()) keepalive_at_ = now + config_.keepalive_us;
}

bool TcpEndpoint::may_send() const noexcept {
  switch (state_) {
    case TcpState::established:
    case TcpState::close_wait:
    case TcpState::fin_wait_1:
    case TcpState::closing:
    case TcpState::last_ack: return true;
    default: return false;
  }
}

bool TcpEndpoint::send_lost(std::uint64_t now) {
  const Piece* lost = board_.next_lost();
  if (lost == nullptr) return false;
  const std::uint64_t in_flight = board_.in_flight_bytes();
  const std::uint64_t limit = payload_limit();
  if (!forces_one_ && in_flight > 0 && in_flight + std::min(lost->bytes(), limit) > cwnd_) return false;
  forces_one_ = false;
  const std::uint64_t begin = lost->begin, end = resend_end(*lost, limit);
  ++stats_.resent;
  if (end > next_) {  // some stacks fill the segment up with what was never sent
    board_.push(next_, end, now);
    next_ = end;
  }
  board_.resend(begin, end, now);
  send_range(begin, end, now);
  if (begin == una_) restart_rto(now);
  return true;
}

std::uint64_t TcpEndpoint::resend_end(const Piece& piece, std::uint64_t limit) {
  if (piece.begin == 0) return 1;
  const std::uint64_t fits = piece.begin + limit + (fin_at_ && *fin_at_ == piece.begin + limit ? 1 : 0);
  const std::uint64_t as_sent = std::min(piece.end, fits);
  auto how = config_.regroup;
  if (how == Regroup::any) how = static_cast<Regroup>(random_.below(3));
  if (how == Regroup::split && piece.sends > 2) how = Regroup::merge;  // or a stream ends up in single bytes, as no stack's does
  switch (how) {
    case Regroup::as_sent:
    case Regroup::any: return as_sent;
    case Regroup::split: return as_sent - piece.begin < 2 ? as_sent : piece.begin + random_.between(1, as_sent - piece.begin - 1);
    case Regroup::merge: break;
  }
  const std::uint64_t merged = board_.unsacked_until(piece.begin, fits);
  const bool reaches_the_end = merged == next_ && merged < fits && !fin_at_;
  if (!reaches_the_end || !random_.chance(0.5)) return merged;
  return std::max(merged, std::min({fits, data_end(), una_ + window_}));
}

bool TcpEndpoint::send_new(std::uint64_t now) {
  if (!may_send() || next_ == 0) return false;
  const std::uint64_t available = data_end() > next_ ? data_end() - next_ : 0;
  const bool fin_waits = wants_fin_ && !fin_at_;
  if (available == 0 && !fin_waits) return false;
  const std::uint64_t edge = una_ + window_, usable = edge > next_ ? edge - next_ : 0, limit = payload_limit();
  const std::uint64_t bytes = std::min({available, limit, usable});
  const bool carries_fin = fin_waits && bytes == available && usable > bytes;
  if (bytes == 0 && !carries_fin) return false;
  if (bytes < limit && bytes < available && bytes < std::max<std::uint64_t>(window_max_ / 2, 1)) return false;  // RFC 9293 3.8.6.2.1
  if (bytes < limit && !carries_fin && bytes == available && config_.use_nagle && !board_.empty()) return false;
  const std::uint64_t in_flight = board_.in_flight_bytes();
  if (in_flight > 0 && in_flight + bytes > cwnd_) return false;
  const std::uint64_t begin = next_, end = begin + bytes + (carries_fin ? 1 : 0);
  if (carries_fin) {
    fin_at_ = begin + bytes;
    if (state_ == TcpState::established) state_ = TcpState::fin_wait_1;
    else if (state_ == TcpState::close_wait) state_ = TcpState::last_ack;
  }
  next_ = end;
  board_.push(begin, end, now);
  send_range(begin, end, now);
  return true;
}

void TcpEndpoint::send_range(std::uint64_t begin, std::uint64_t end, std::uint64_t now) {
  Segment s;
  s.seq = seq_of(begin);
  if (begin == 0) {
    s.flags = static_cast<std::uint8_t>(kSyn | (state_ == TcpState::syn_sent ? 0 : kAck));
    if (config_.use_ecn && state_ == TcpState::syn_sent) s.flags |= kEce | kCwr;
    if (ecn_ && state_ == TcpState::syn_received) s.flags |= kEce;
  } else {
    s.flags = kAck;
    const std::uint64_t data_stop = std::min(end, data_end());
    if (data_stop > begin) s.payload = pending_.view().subspan(begin - una_data_, data_stop - begin);
    if (data_stop == data_end() && !s.payload.empty()) s.flags |= kPsh;
    if (fin_at_ && end == *fin_at_ + 1) s.flags |= kFin;
    if (ecn_ && !s.payload.empty()) {
      s.ecn = 2;
      if (sends_cwr_) s.flags |= kCwr;
      sends_cwr_ = false;
    }
  }
  fill_options(s, now);
  emit(s);
}

void TcpEndpoint::send_control(std::uint64_t position, std::uint8_t flags, Bytes payload, std::uint64_t now) {
  Segment s;
  s.seq = seq_of(position);
  s.flags = flags;
  s.payload = payload;
  fill_options(s, now);
  emit(s);
}

void TcpEndpoint::send_reset_for(const Segment& s) {
  Segment reset;
  reset.source_mac = self_.mac;
  reset.target_mac = s.source_mac;
  reset.source = s.target;
  reset.target = s.source;
  reset.source_port = s.target_port;
  reset.target_port = s.source_port;
  if (s.has(kAck)) {
    reset.flags = kRst;
    reset.seq = s.ack;
  } else {
    reset.flags = kRst | kAck;
    reset.ack = s.seq + s.length();
  }
  output_.push_back(encode(reset, config_.padding));
}

std::size_t TcpEndpoint::sack_blocks_to_send() const noexcept {
  if (!sack_) return 0;
  return std::min<std::size_t>(reassembly_.blocks().size() + (duplicate_ ? 1 : 0), timestamps_ ? 3 : 4);
}

void TcpEndpoint::fill_options(Segment& s, std::uint64_t now) {
  if (s.has(kSyn)) {
    s.options.mss = config_.mss_option != 0 ? config_.mss_option : static_cast<std::uint16_t>(config_.mtu - (self_.address.is_v4() ? 40 : 60));
    const bool answers = state_ == TcpState::syn_received;
    s.options.sack_permitted = answers ? sack_ : config_.use_sack;
    if (answers ? timestamps_ : config_.use_timestamps) s.options.timestamps = Timestamps{timestamp(now), answers ? ts_recent_ : 0};
    if (config_.window_shift && (!answers || receive_shift_ != 0 || send_shift_ != 0)) s.options.window_scale = config_.window_shift;
    if (!answers) s.options.other_kinds = config_.syn_other_kinds;
    return;
  }
  if (timestamps_) s.options.timestamps = Timestamps{timestamp(now), ts_recent_};
  if (s.has(kRst)) return;
  const std::size_t blocks = sack_blocks_to_send();
  std::size_t i = 0;
  const auto add = [&](const Range& r) {
    if (i < blocks) {
      s.options.sacks[i++] = {peer_initial_seq_ + static_cast<std::uint32_t>(r.begin), peer_initial_seq_ + static_cast<std::uint32_t>(r.end)};
    }
  };
  if (duplicate_) add(*duplicate_);  // D-SACK comes first (RFC 2883 4)
  for (const auto& r : reassembly_.blocks()) add(r);
  s.options.sack_count = blocks;
}

void TcpEndpoint::emit(Segment& s) {
  s.source_mac = self_.mac;
  s.target_mac = peer_.mac;
  s.source = self_.address;
  s.target = peer_.address;
  s.source_port = port_;
  s.target_port = peer_port_;
  s.window = window_field(s.has(kSyn));
  if (s.has(kAck)) {
    s.ack = peer_initial_seq_ + static_cast<std::uint32_t>(expected_);
    if (echoes_ce_ && !s.has(kSyn)) s.flags |= kEce;
    must_ack_ = false;
    ack_at_ = kNoTime;
    unacked_bytes_ = 0;
    last_ack_sent_ = expected_;
    duplicate_.reset();
  }
  ++stats_.segments;
  output_.push_back(encode(s, config_.padding));
}

std::uint16_t TcpEndpoint::window_field(bool is_syn) {
  const std::uint64_t space = config_.receive_buffer_bytes > received_.size() ? config_.receive_buffer_bytes - received_.size() : 0;
  if (is_syn) return static_cast<std::uint16_t>(std::min<std::uint64_t>(space, 65'535));
  std::uint64_t edge = std::max(expected_ + space, advertised_edge_);
  const std::uint64_t worth_telling = std::min<std::uint64_t>(path_mss_, std::max(1U, config_.receive_buffer_bytes / 2));
  if (edge > advertised_edge_ && edge - advertised_edge_ < worth_telling && advertised_edge_ >= expected_) edge = advertised_edge_;
  const std::uint64_t field = std::min<std::uint64_t>((edge - std::min(edge, expected_)) >> receive_shift_, 65'535);
  advertised_edge_ = expected_ + (field << receive_shift_);
  accepted_edge_ = std::max(accepted_edge_, advertised_edge_);
  return static_cast<std::uint16_t>(field);
}

std::uint64_t TcpEndpoint::payload_limit() const noexcept {
  std::uint64_t options = timestamps_ ? 12 : 0;
  const std::size_t blocks = sack_blocks_to_send();
  if (blocks > 0) options += 8 * blocks + (timestamps_ ? 0 : 4);
  return std::max<std::uint64_t>(std::min(peer_mss_, path_mss_) - options, 1);
}

std::uint32_t TcpEndpoint::timestamp(std::uint64_t now) const noexcept { return config_.timestamp_offset + static_cast<std::uint32_t>(now / 1000); }

void TcpEndpoint::sample_rtt(std::uint64_t us) noexcept {
  if (us > 120'000'000) return;  // an echo from before the clock's origin
  if (srtt_us_ == 0) {
    srtt_us_ = std::max<std::uint64_t>(us, 1);
    rttvar_us_ = us / 2;
  } else {
    const std::uint64_t delta = us > srtt_us_ ? us - srtt_us_ : srtt_us_ - us;
    rttvar_us_ = (3 * rttvar_us_ + delta) / 4;
    srtt_us_ = (7 * srtt_us_ + us) / 8;
  }
  rto_us_ = std::clamp<std::uint64_t>(srtt_us_ + std::max<std::uint64_t>(4 * rttvar_us_, 1000), config_.min_rto_us, 60'000'000);
}

// ---- timers

std::uint64_t TcpEndpoint::deadline() const noexcept { return std::min({rto_at_, ack_at_, persist_at_, time_wait_at_, keepalive_at_}); }

void TcpEndpoint::run_timers(std::uint64_t now) {
  if (time_wait_at_ <= now) {
    time_wait_at_ = kNoTime;
    state_ = TcpState::closed;
    rto_at_ = ack_at_ = persist_at_ = keepalive_at_ = kNoTime;
    return;
  }
  if (ack_at_ <= now) {
    ack_at_ = kNoTime;
    must_ack_ = true;
  }
  if (rto_at_ <= now) time_out(now);
  if (persist_at_ <= now) probe(now);
  if (keepalive_at_ <= now) {
    keepalive_at_ = now + config_.keepalive_us;
    const std::uint8_t garbage = 0;
    if (may_send() && board_.empty()) {
      ++stats_.probes;
      send_control(next_ - 1, kAck, config_.probe == Probe::new_byte && next_ > 1 ? Bytes{&garbage, 1} : Bytes{}, now);
    }
    if (state_ == TcpState::closed || state_ == TcpState::time_wait) keepalive_at_ = kNoTime;
  }
  flush(now);
}

void TcpEndpoint::probe(std::uint64_t now) {
  persist_at_ = kNoTime;
  ++persist_backoff_;
  ++stats_.probes;
  if (++unanswered_probes_ > config_.max_retries) {
    fail(TcpFailure::gave_up);
    return;
  }
  const std::uint64_t available = data_end() > next_ ? data_end() - next_ : 0;
  const std::uint64_t edge = una_ + window_, usable = edge > next_ ? edge - next_ : 0;
  std::uint64_t bytes = std::min({available, payload_limit(), usable});
  if (bytes == 0 && available > 0 && config_.probe == Probe::new_byte) bytes = 1;
  if (bytes == 0) {
    send_control(una_ - 1, kAck, {}, now);
    return;
  }
  board_.push(next_, next_ + bytes, now);
  next_ += bytes;
  send_range(next_ - bytes, next_, now);
}

void TcpEndpoint::time_out(std::uint64_t now) {
  rto_at_ = kNoTime;
  if (board_.empty()) return;
  ++stats_.timeouts;
  ++retries_;
  const bool opening = state_ == TcpState::syn_sent || state_ == TcpState::syn_received;
  if (retries_ > (opening ? kMaxSynRetries : config_.max_retries)) {
    fail(TcpFailure::gave_up);
    return;
  }
  ++backoff_;
  if (!opening) {
    if (phase_ != Phase::loss) ssthresh_ = std::max<std::uint64_t>(board_.in_flight_bytes() / 2, 2 * payload_limit());
    cwnd_ = payload_limit();
    phase_ = Phase::loss;
    recovery_point_ = next_;
    if (retries_ == 3) path_mss_ = std::min<std::uint64_t>(path_mss_, 536);  // RFC 4821 in its simplest form: a black hole?
    if (retries_ == 5) path_mss_ = std::min<std::uint64_t>(path_mss_, 256);
  }
  if (config_.forgets_sacks_on_timeout) board_.forget_sacks();
  board_.mark_all_lost();
  forces_one_ = true;
  restart_rto(now);
}

void TcpEndpoint::shrink_path(const TooBig& message, std::uint64_t now) {
  if (!may_send()) return;
  const std::uint64_t position = own_position(message.quoted_seq);
  if (static_cast<std::int64_t>(position - una_) < 0 || position >= next_) return;  // RFC 5927 4.1: not about what is in flight
  const std::uint64_t mss = std::max<std::uint64_t>(message.mtu, 296) - (self_.address.is_v4() ? 40 : 60);
  if (mss >= path_mss_) return;
  path_mss_ = mss;
  board_.mark_lost_longer_than(payload_limit());
  forces_one_ = true;
  flush(now);
}

}  // namespace cutwater::sim
