#include "invariants/flow_audit.hpp"

#include <algorithm>

namespace cutwater::invariants {
namespace {
std::string number(std::uint64_t n) { return std::to_string(n); }
Keep keep_for(const AuditFacts& facts) { return facts.is_passed ? Keep::bytes : Keep::positions; }
}  // namespace

FlowAudit::FlowAudit(const AuditFacts& facts, const sim::TlsClientStream* client, Findings& findings)
    : facts_(facts), client_(client), findings_(findings), up_in_(keep_for(facts)), down_in_(keep_for(facts)), reader_([this](std::uint64_t offset, Bytes fragment) {
        const auto right = facts_.down.matches(offset, fragment);
        if (right != fragment.size() && !is_down_false_) add("I6", reading_at_us_, "sealed a byte the server did not write, at " + number(offset + right));
        if (facts_.is_sealed_again) {
          check_of_server(offset, offset + fragment.size());
        } else if (!down_in_.has_passed(offset, offset + fragment.size())) {
          add("I3", reading_at_us_, "sealed plaintext that has not come from the server, at " + number(offset));
        }
      }) {}

void FlowAudit::see(Tap tap, const sim::Segment& s, std::size_t ip_bytes, std::uint64_t now) {
  reading_at_us_ = now;
  if ((tap == Tap::client_out || tap == Tap::server_out) && s.has(sim::kRst)) has_reset_ = true;
  if ((tap == Tap::server_in || tap == Tap::server_out) && !takes_up(tap, s, now)) return;
  if (!s.has(sim::kSyn)) note_marks(tap, s, now);
  switch (tap) {
    case Tap::client_in: return see_client_in(s);
    case Tap::server_in: return see_server_in(s);
    case Tap::client_out:
      check_size(s, ip_bytes, client_receiver_, facts_.client_mtu, now);
      return see_client_out(s, now);
    case Tap::server_out:
      check_size(s, ip_bytes, server_receiver_, facts_.server_mtu, now);
      return see_server_out(s, now);
  }
}

/// A device that chooses among servers may call another one while nothing was said to the first: then that side begins anew. Where servers speak TLS
/// that is, nothing of the client, and no Finished of TLS 1.3 either: who gets that is believed.
/// Returns: whether the segment is of the server that was called last.
bool FlowAudit::takes_up(Tap tap, const sim::Segment& s, std::uint64_t now) {
  const auto& server = tap == Tap::server_in ? s.source : s.target;
  if (server_ == server) return true;
  const bool calls = tap == Tap::server_out && s.has(sim::kSyn);
  if (!calls) {
    if (server_ && tap == Tap::server_out && !s.has(sim::kRst)) add("I6", now, "spoke to a server that it has left");
    return false;
  }
  // Behind a reset a late third ACK makes a connection anew: nobody remembers that its cookie was used.
  const bool has_spoken = facts_.is_sealed_again ? has_entrusted() : up_out_.highest() != 0;
  if (has_spoken && !has_reset_) add("I6", now, "called another server when it had sent " + number(up_out_.highest()) + " bytes to the first");
  server_ = server;
  far_server_ = nullptr, far_reader_ = nullptr;
  for (const auto& [address, stream] : met_) {
    if (address == server) meet(address, *stream);
  }
  up_out_ = HalfStream{Keep::bytes}, down_in_ = HalfStream{keep_for(facts_)};
  server_receiver_ = {}, server_timestamps_ = false;
  return true;
}

void FlowAudit::note_receiver(const sim::Segment& s, const HalfStream& stream, Receiver& receiver) {
  if (s.has(sim::kSyn) && receiver.syn_seq != s.seq) {  // a copy that comes late takes back nothing
    receiver.syn_seq = s.seq;
    receiver.mss = s.options.mss.value_or(536);
    receiver.shift = s.options.window_scale.value_or(0);
    receiver.has_timestamps = s.options.timestamps.has_value();
    receiver.edge = s.window;
  }
  if (!s.has(sim::kAck) || !stream.has_syn() || s.has(sim::kRst)) return;
  const auto acked = stream.position(s.ack);
  if (acked < 0) return;
  receiver.has_acked = true;
  receiver.acked = std::max(receiver.acked, static_cast<std::uint64_t>(acked));
  const auto window = s.has(sim::kSyn) ? std::uint64_t{s.window} : std::uint64_t{s.window} << receiver.shift;
  receiver.edge = std::max(receiver.edge, static_cast<std::uint64_t>(acked) + window);
}

void FlowAudit::see_client_in(const sim::Segment& s) {
  up_in_.see(s);
  const bool is_greeted = std::find(greetings_.begin(), greetings_.end(), s.ack) != greetings_.end();
  if (is_greeted && s.has(sim::kAck) && !s.has(sim::kSyn) && !s.has(sim::kRst) && down_out_.highest() == 0) down_out_.begin_at(s.ack);
  if (s.has(sim::kSyn)) client_offered_shift_ = s.options.window_scale.value_or(0);
  note_receiver(s, down_out_, client_receiver_);
}

void FlowAudit::see_server_in(const sim::Segment& s) {
  down_in_.see(s);
  if (s.has(sim::kSyn)) server_offered_shift_ = s.options.window_scale.value_or(0);
  note_receiver(s, up_out_, server_receiver_);
}

void FlowAudit::see_client_out(const sim::Segment& s, std::uint64_t now) {
  if (s.has(sim::kSyn)) {
    greetings_.push_back(s.seq + 1);
    client_timestamps_ = client_receiver_.has_timestamps && s.options.timestamps.has_value();
    if (!s.options.window_scale) client_receiver_.shift = 0;  // both ends or none (RFC 7323 2.2)
  }
  const bool is_probe = is_keepalive(s, down_out_, client_receiver_);
  if (const auto conflict = is_probe ? std::nullopt : down_out_.see(s); conflict && (client_ != nullptr || facts_.is_passed)) {
    add("I3", now, "two different bytes sent at position " + number(*conflict) + " of the ciphertext");
  }
  if (s.has(sim::kRst) || !down_out_.has_syn()) return;
  if (facts_.is_passed && !is_probe && down_out_.position(s.seq) >= 0) check_untouched(down_in_, static_cast<std::uint64_t>(down_out_.position(s.seq)), s, now);
  if (client_timestamps_ && !s.options.timestamps) add("tcp", now, "a segment to the client lacks the negotiated timestamp");
  check_window(s, down_out_, client_receiver_, now);
  check_acknowledgement(s, up_in_, now);
  if (s.has(sim::kAck) && up_in_.has_syn() && up_in_.position(s.ack) > 0) {
    acked_to_client_ = std::max(acked_to_client_, static_cast<std::uint64_t>(up_in_.position(s.ack)));
  }
  if (client_ == nullptr || s.payload.empty()) return;
  reader_.read(down_out_.bytes(), client_->secrets());
  if (const auto begin = down_out_.position(s.seq); begin >= 0) reader_.audit(static_cast<std::uint64_t>(begin), s.payload);
  if (!reader_.trouble().empty() && !reader_failed_) {
    reader_failed_ = true;
    // A device that was given another hello than the client's own has other keys than the client: that is what Finished is for.
    const bool has_other_keys = is_up_false_ && !client_->is_open_for_data();
    if (!has_other_keys || reader_.trouble().starts_with("I3")) add(reader_.trouble().starts_with("I3") ? "I3" : "I4", now, reader_.trouble());
  }
}

void FlowAudit::see_server_out(const sim::Segment& s, std::uint64_t now) {
  if (s.has(sim::kSyn)) {
    server_timestamps_ = s.options.timestamps.has_value();
    if (!s.options.window_scale) server_receiver_.shift = 0;
    if (client_ != nullptr && !s.options.other_kinds.empty()) add("tcp", now, "option " + number(s.options.other_kinds[0]) + " reached the server");
  }
  const bool is_probe = is_keepalive(s, up_out_, server_receiver_);
  if (const auto conflict = is_probe ? std::nullopt : up_out_.see(s); conflict && (client_ != nullptr || facts_.is_passed)) add("I6", now, "two different bytes sent to the server at " + number(*conflict));
  if (s.has(sim::kRst) || !up_out_.has_syn()) return;
  const bool ts_agreed = server_timestamps_ && server_receiver_.has_timestamps;
  if (!s.has(sim::kSyn) && ts_agreed && !s.options.timestamps) add("tcp", now, "a segment to the server lacks the negotiated timestamp");
  // Where nothing is held, who was promised more than its server has sends it again.
  if (!facts_.is_passed || !facts_.grants_itself) check_window(s, up_out_, server_receiver_, now);
  check_acknowledgement(s, down_in_, now);
  learn_front(now);
  const auto at = up_out_.position(s.seq);
  if (facts_.is_passed) {
    if (at >= 0 && front_bytes_ && !is_probe) check_untouched(up_in_, static_cast<std::uint64_t>(at), s, now);
    check_passed_acknowledgement(s, now);
  }
  if (client_ == nullptr) return;
  if (facts_.is_sealed_again) return check_second_leg(s, now);
  if (at >= 0 && front_bytes_) {
    const auto in_front = std::min<std::uint64_t>(s.payload.size(), *front_bytes_ > static_cast<std::uint64_t>(at) ? *front_bytes_ - static_cast<std::uint64_t>(at) : 0);
    const auto begin = static_cast<std::uint64_t>(at) + in_front - *front_bytes_;
    const auto payload = s.payload.subspan(in_front);
    if (!payload.empty()) check_authentic(begin, payload, now);
    if (s.has(sim::kFin)) check_clean_end(begin + payload.size(), now);
  }
  const bool acknowledges = s.has(sim::kAck) && down_in_.has_syn() && down_in_.position(s.ack) > 0;
  if (acknowledges && facts_.acknowledges == Acknowledges::delivered) {
    check_client_acknowledged(static_cast<std::uint64_t>(down_in_.position(s.ack)), now);
  }
}

/// A byte that its receiver has long acknowledged: some stacks make one up to hear whether anybody is there (RFC 9293 3.8.4).
bool FlowAudit::is_keepalive(const sim::Segment& s, const HalfStream& stream, const Receiver& receiver) const noexcept {
  if (!facts_.is_passed || s.payload.size() != 1 || !stream.has_syn()) return false;
  return stream.position(s.seq) < static_cast<std::int64_t>(receiver.acked);
}

/// Where the client's own bytes begin in what the server gets.
void FlowAudit::learn_front(std::uint64_t now) {
  if (front_bytes_) return;
  if (!facts_.introduced) {
    front_bytes_ = 0;
    return;
  }
  const auto header = sim::read_introduction(up_out_.bytes(), *facts_.introduced);
  if (header.bytes != 0) front_bytes_ = header.bytes;
  if (!header.trouble.empty()) {
    add("I6", now, "the server gets " + header.trouble);
    front_bytes_ = 0;
  }
}

/// What nobody opens leaves as it came: each byte at its place, and the end behind the last one.
void FlowAudit::check_untouched(const HalfStream& in, std::uint64_t begin, const sim::Segment& s, std::uint64_t now) {
  const bool goes_up = &in == &up_in_;
  const auto front = goes_up ? *front_bytes_ : 0;
  const auto skipped = std::min<std::uint64_t>(s.payload.size(), front > begin ? front - begin : 0);
  const auto payload = s.payload.subspan(skipped);
  if (begin + skipped < front) return;
  const auto at = begin + skipped - front;
  const std::string to = goes_up ? "the server" : "the client";
  if (!payload.empty() && !in.has_carried(at, payload)) add("I6", now, "sent " + to + " bytes at " + number(at) + " that are not what came");
  const auto end = at + payload.size();
  if (s.has(sim::kFin) && in.fin_at() != end) add("I6", now, "FIN to " + to + " at " + number(end) + ", which is not where it came");
}

/// And nobody but the client acknowledges what it gets (I1).
void FlowAudit::check_passed_acknowledgement(const sim::Segment& s, std::uint64_t now) {
  if (!s.has(sim::kAck) || !down_in_.has_syn()) return;
  const auto acked = down_in_.position(s.ack);
  if (acked > 0 && static_cast<std::uint64_t>(acked) > client_receiver_.acked) {
    add("I1", now, "acknowledged " + number(static_cast<std::uint64_t>(acked)) + " to the server; the client has " + number(client_receiver_.acked));
  }
}

/// Nothing longer than the interface or the receiver takes.
void FlowAudit::check_size(const sim::Segment& s, std::size_t ip_bytes, const Receiver& receiver, std::uint32_t mtu, std::uint64_t now) {
  if (ip_bytes > mtu) add("tcp", now, "a packet of " + number(ip_bytes) + " bytes on an interface of " + number(mtu));
  if (s.payload.size() > receiver.mss) add("tcp", now, "a segment of " + number(s.payload.size()) + " bytes, above the MSS " + number(receiver.mss));
}

/// Only a probe's one byte may lie beyond what the receiver has granted.
void FlowAudit::check_window(const sim::Segment& s, const HalfStream& stream, const Receiver& receiver, std::uint64_t now) {
  const auto begin = stream.position(s.seq);
  if (begin < 0 || s.payload.size() <= 1 || !receiver.has_acked) return;
  const auto end = static_cast<std::uint64_t>(begin) + s.payload.size();
  if (end > receiver.edge) add("tcp", now, "sent up to " + number(end) + ", granted up to " + number(receiver.edge));
}

/// Nothing is acknowledged, selectively or not, that did not come (half of I1 and I2).
void FlowAudit::check_acknowledgement(const sim::Segment& s, const HalfStream& stream, std::uint64_t now) {
  if (!s.has(sim::kAck) || !stream.has_syn()) return;
  const auto acked = stream.position(s.ack);
  if (acked > 0 && static_cast<std::uint64_t>(acked) > stream.prefix()) {
    add("I1", now, "acknowledged " + number(static_cast<std::uint64_t>(acked)) + ", of which only " + number(stream.prefix()) + " have come");
  }
  for (std::size_t i = 0; i < s.options.sack_count; ++i) {
    const auto begin = stream.position(s.options.sacks[i].begin), end = stream.position(s.options.sacks[i].end);
    if (begin < 0 || end <= begin) continue;
    if (!stream.has_passed(static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end))) {
      add("I1", now, "SACK of " + number(static_cast<std::uint64_t>(begin)) + ".." + number(static_cast<std::uint64_t>(end)) + ", which has not come");
    }
  }
}

/// I1: the last plaintext byte of a record is acknowledged to the server only behind the client's acknowledgement of the whole record.
void FlowAudit::check_client_acknowledged(std::uint64_t plain_acked, std::uint64_t now) {
  if (down_in_.fin_at()) plain_acked = std::min(plain_acked, *down_in_.fin_at());
  if (plain_acked == 0) return;
  reader_.read(down_out_.bytes(), client_->secrets());
  const auto needs = reader_.cipher_end_for(plain_acked);
  if (plain_acked > reader_.plain_bytes()) {
    add("I1", now, "acknowledged " + number(plain_acked) + " to the server, sealed only " + number(reader_.plain_bytes()));
  } else if (needs > client_receiver_.acked) {
    add("I1", now, "acknowledged " + number(plain_acked) + " to the server; the record ends at " + number(needs) + ", the client has " +
                       number(client_receiver_.acked));
  }
}

/// I4 upwards: what leaves is what the client's TLS wrote, and its whole record has come.
void FlowAudit::check_authentic(std::uint64_t begin, Bytes payload, std::uint64_t now) {
  if (facts_.release_streaming && is_up_false_) return;  // what the option risks; the end of it is judged by run
  const auto& records = client_->records();
  const auto end = begin + payload.size();
  if (records.empty() || end > records.back().plain_end) {
    add("I4", now, "sent the server bytes up to " + number(end) + ", which the client never wrote");
    return;
  }
  const auto right = facts_.up.matches(begin, payload);
  if (right != payload.size()) add("I4", now, "sent the server a byte the client did not write, at " + number(begin + right));
  const auto record = std::lower_bound(records.begin(), records.end(), end, [](const auto& r, std::uint64_t e) { return r.plain_end < e; });
  if (facts_.release_streaming) return;  // authenticity comes later, and by A13 the bytes do not wait for it
  if (record->cipher_end > up_in_.prefix()) {
    add("I4", now, "sent the server bytes up to " + number(end) + " of a record that ends at " + number(record->cipher_end) + "; only " +
                       number(up_in_.prefix()) + " have come");
  }
}

/// I6: a FIN towards the server stands behind all that the client wrote, and behind its close_notify.
void FlowAudit::check_clean_end(std::uint64_t end, std::uint64_t now) {
  const auto& records = client_->records();
  const auto written = records.empty() ? 0 : records.back().plain_end;
  if (end != written) add("I6", now, "FIN to the server at " + number(end) + " of " + number(written));
  if (!client_->has_sent_close_notify() && !facts_.truncation_forward) add("I6", now, "FIN to the server without the client's close_notify");
}

/// What one end echoes the other hears; and no mark on data ends in the device without an echo of the device's own.
void FlowAudit::note_marks(Tap tap, const sim::Segment& s, std::uint64_t now) {
  constexpr std::uint32_t kPatience = 20;  // segments that the device lost, or sent before it took the echo in
  const bool is_client = tap == Tap::client_in || tap == Tap::client_out;
  Congestion& here = is_client ? client_congestion_ : server_congestion_;
  Congestion& there = is_client ? server_congestion_ : client_congestion_;
  if (s.has(sim::kRst)) {
    if (tap == Tap::client_out || tap == Tap::server_out) ++here.answers;  // who is reset has nothing to slow down
    return;
  }
  const bool is_marked = s.ecn == 3 && !s.payload.empty();
  if (tap == Tap::client_in || tap == Tap::server_in) {
    here.is_echoing = s.has(sim::kEce);
    here.marks += is_marked ? 1 : 0;
    return;
  }
  if (is_marked) ++there.answers;
  if (s.has(sim::kEce)) ++here.answers;
  there.unheard = there.is_echoing && !s.has(sim::kEce) ? there.unheard + 1 : 0;
  if (there.unheard == kPatience) add("tcp", now, std::string{"the echo of a congestion mark does not reach the "} + (is_client ? "client" : "server"));
}

void FlowAudit::finish(std::uint64_t now) {
  constexpr std::uint64_t kEnoughMarks = 10;
  for (const auto* side : {&client_congestion_, &server_congestion_}) {
    if (side->marks >= kEnoughMarks && side->answers == 0) {
      add("tcp", now, number(side->marks) + " congestion marks of the " + (side == &client_congestion_ ? "client" : "server") + "'s data came to nothing");
    }
  }
  if (client_ == nullptr) return;
  if (facts_.is_sealed_again) finish_second_leg(now);
  const auto fin = down_out_.fin_at();
  if (!fin || down_out_.prefix() <= *fin) return;
  reader_.read(down_out_.bytes(), client_->secrets());
  if (reader_.read_bytes() != *fin && client_->is_open_for_data()) add("I6", now, "FIN to the client in the middle of a record");
  if (!reader_.has_close_notify()) return;
  if (facts_.is_sealed_again) return check_close_of_server(now);
  if (!down_in_.fin_at()) add("I6", now, "close_notify to the client without the server's FIN");
  else if (reader_.plain_bytes() != *down_in_.fin_at()) add("I6", now, "close_notify before all of the server's bytes");
}

// ---- The second leg: servers that speak TLS

void FlowAudit::meet(const IpAddress& address, const sim::TlsServerStream& server) {
  if (std::none_of(met_.begin(), met_.end(), [&](const auto& m) { return m.second == &server; })) met_.emplace_back(address, &server);
  if (server_ != address) return;
  far_server_ = &server;
  far_reader_failed_ = false;
  far_reader_ = std::make_unique<RecordReader>([this](std::uint64_t offset, Bytes fragment) { check_authentic(offset, fragment, reading_at_us_); },
                                               RecordReader::Part::client);
}

void FlowAudit::read_second_leg() {
  if (far_reader_ == nullptr) return;
  far_reader_->learn(far_server_->agreement());
  far_reader_->read(up_out_.bytes(), far_server_->secrets());
}

/// Whether the server that was called last got something of the client, or was at least believed.
bool FlowAudit::has_entrusted() {
  read_second_leg();
  return far_reader_ != nullptr && (far_reader_->plain_bytes() != 0 || far_reader_->has_finished());
}

/// What leaves is sealed once under each number (I3), and is what the client's TLS wrote (I4). What is acknowledged says less than in clear: custody may
/// answer for any of it, so I1 is judged by what the client has in the end.
void FlowAudit::check_second_leg(const sim::Segment& s, std::uint64_t now) {
  if (far_reader_ == nullptr || s.payload.empty()) return;
  read_second_leg();
  if (const auto begin = up_out_.position(s.seq); begin >= 0) far_reader_->audit(static_cast<std::uint64_t>(begin), s.payload);
  if (far_reader_->trouble().empty() || far_reader_failed_) return;
  far_reader_failed_ = true;
  add(far_reader_->trouble().starts_with("I3") ? "I3" : "I4", now, "towards the server: " + far_reader_->trouble());
}

/// I4 downwards: what the client gets its server wrote, and the whole record has come.
void FlowAudit::check_of_server(std::uint64_t begin, std::uint64_t end) {
  if (begin == end) return;
  if (far_server_ == nullptr || far_server_->records().empty() || end > far_server_->records().back().plain_end) {
    add("I4", reading_at_us_, "sealed bytes up to " + number(end) + ", which the server never wrote");
    return;
  }
  const auto& records = far_server_->records();
  const auto record = std::lower_bound(records.begin(), records.end(), end, [](const auto& r, std::uint64_t e) { return r.plain_end < e; });
  if (record->cipher_end > down_in_.prefix()) {
    add("I4", reading_at_us_, "sealed bytes up to " + number(end) + " of a server's record that ends at " + number(record->cipher_end) + "; only " +
                                  number(down_in_.prefix()) + " have come");
  }
}

/// I6: the client's clean end stands behind all that the server wrote, and behind its close_notify, be its FIN lost or not.
void FlowAudit::check_close_of_server(std::uint64_t now) {
  if (far_server_ == nullptr) return add("I6", now, "close_notify to the client, and no server was met");
  const auto written = far_server_->records().empty() ? 0 : far_server_->records().back().plain_end;
  const auto close_notify = far_server_->close_notify_end();
  if (reader_.plain_bytes() != written) add("I6", now, "close_notify to the client at " + number(reader_.plain_bytes()) + " of " + number(written));
  const bool has_come = close_notify != 0 && close_notify <= down_in_.prefix();
  if (!has_come && !(facts_.truncation_forward && down_in_.fin_at())) add("I6", now, "close_notify to the client without the server's");
}

/// I6: the server's clean end stands behind the client's.
void FlowAudit::finish_second_leg(std::uint64_t now) {
  const auto fin = up_out_.fin_at();
  if (!fin || up_out_.prefix() <= *fin || far_server_ == nullptr || !far_server_->is_open_for_data()) return;
  read_second_leg();
  if (far_reader_->has_fatal_alert()) return;  // no clean end for anybody
  if (far_reader_->read_bytes() != *fin) return add("I6", now, "FIN to the server in the middle of a record");
  if (!far_reader_->has_close_notify()) return add("I6", now, "FIN to the server without close_notify");
  check_clean_end(far_reader_->plain_bytes(), now);
}

FlowAudit::Owed FlowAudit::owed_to_server() const noexcept {
  Owed owed;
  if (client_ == nullptr) return owed;
  for (const auto& r : client_->records()) {
    if (r.cipher_end > acked_to_client_) {
      owed.is_inside_record = acked_to_client_ > r.cipher_begin;  // between two records there may be some without plaintext
      break;
    }
    owed.whole_records = r.plain_end;
  }
  return owed;
}

}  // namespace cutwater::invariants
