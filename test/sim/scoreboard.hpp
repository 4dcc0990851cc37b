// What a model TCP sender knows of the bytes it has in flight: cut into pieces, each sent, sacked, lost or resent (RFC 6675).
// Positions are 64-bit: 0 is the SYN, 1 the first byte, the FIN comes behind the last one.
// Not here: what to send and when. Thread: one run, one thread. Used by: tcp_endpoint.
#pragma once

#include <cstdint>
#include <deque>

namespace cutwater::sim {

struct Piece {
  std::uint64_t begin = 0, end = 0;
  std::uint64_t sent_at_us = 0;
  std::uint8_t sends = 1;
  bool is_sacked = false, is_lost = false, is_resent = false;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return end - begin; }
};

class Scoreboard {
 public:
  [[nodiscard]] bool empty() const noexcept { return pieces_.empty(); }
  [[nodiscard]] const std::deque<Piece>& pieces() const noexcept { return pieces_; }
  [[nodiscard]] const Piece& front() const noexcept { return pieces_.front(); }

  void push(std::uint64_t begin, std::uint64_t end, std::uint64_t now_us) { pieces_.push_back({begin, end, now_us, 1, false, false, false}); }
  /// Forgets all below `una`. Returns: the piece that was last covered whole, with the most sends of any that was; 0 when there was none.
  Piece acknowledge(std::uint64_t una);
  void sack(std::uint64_t begin, std::uint64_t end);
  /// Marks as lost what has `threshold` bytes sacked above it (RFC 6675 IsLost).
  void mark_lost_below_sacks(std::uint64_t threshold);
  void mark_front_lost();
  /// A time-out: everything that is not sacked is lost, whatever was resent.
  void mark_all_lost();
  /// A smaller path: pieces that no longer fit are lost at once.
  void mark_lost_longer_than(std::uint64_t bytes);
  void forget_sacks();
  /// Records that [begin, end) was sent again, as one piece.
  void resend(std::uint64_t begin, std::uint64_t end, std::uint64_t now_us);
  /// Returns: the oldest lost piece that was not resent, or nullptr.
  [[nodiscard]] const Piece* next_lost() const noexcept;
  /// How far from `begin` bytes go on without a sacked piece, at most to `limit`.
  [[nodiscard]] std::uint64_t unsacked_until(std::uint64_t begin, std::uint64_t limit) const noexcept;
  [[nodiscard]] std::uint64_t in_flight_bytes() const noexcept;
  [[nodiscard]] bool has_sacks() const noexcept;

 private:
  void cut(std::uint64_t at);
  std::deque<Piece> pieces_;
};

}  // namespace cutwater::sim
