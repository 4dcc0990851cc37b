// Sends bytes that only the client sees and that we answer for: handshake flights, tickets, alerts, KeyUpdate, close_notify
// and FIN. A small TCP sender with its own window and timer; between its items lie records, which the server answers for.
// Sources: RFC 5681, RFC 6298, RFC 6928. Thread: owning worker. Implements: A5, A16.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/seq_num.hpp"
#include "splice/rto.hpp"

namespace cutwater::splice {

/// Whether an item ends with the end of the stream.
enum class Ending : std::uint8_t { none, fin };

class LocalSender {
 public:
  struct Piece {
    SeqNum begin;
    Bytes bytes;
    Ending ending = Ending::none;
    bool is_resent = false;
  };

  void start(std::uint16_t mss, std::uint32_t rtt_us) noexcept;
  /// Takes whole records that begin at `at` in the client's numbering. Items come in order.
  void append(SeqNum at, std::vector<std::uint8_t>&& bytes, Ending ending);
  void on_ack(SeqNum ack, Tick now) noexcept;
  /// One more duplicate acknowledgement. At the third, what is missing first is sent again.
  void on_duplicate(SeqNum ack, Tick now) noexcept;
  /// What the client's newest acknowledgement said of its window. One that is closed is probed, and not given up.
  void note_window(bool is_closed) noexcept { is_window_closed_ = is_closed; }
  /// What to send now, one segment at a time; nullopt when nothing may. The piece counts as sent; its bytes stay ours.
  std::optional<Piece> next(SeqNum client_edge, Tick now) noexcept;
  /// To be called when deadline() has come. Returns: false when the client is given up.
  bool on_timer(Tick now) noexcept;

  /// The path has become narrower: what is sent from now on is cut smaller.
  void set_mss(std::uint16_t mss) noexcept { mss_ = mss; }

  [[nodiscard]] Tick deadline() const noexcept { return deadline_; }
  [[nodiscard]] bool is_empty() const noexcept { return items_.empty(); }
  /// Whether what the client, who has acknowledged `ack`, lacks first is not ours.
  [[nodiscard]] bool is_beyond(SeqNum ack) const noexcept { return !items_.empty() && before(ack, items_.front().begin); }
  void clear() noexcept { items_.clear(); deadline_ = kNever; }

 private:
  struct Item {
    SeqNum begin;
    std::vector<std::uint8_t> bytes;
    Ending ending = Ending::none;
    [[nodiscard]] SeqNum end() const noexcept {
      return begin + static_cast<std::uint32_t>(bytes.size()) + (ending == Ending::fin ? 1U : 0U);
    }
  };
  [[nodiscard]] std::uint32_t outstanding() const noexcept;
  Piece cut(const Item& item, SeqNum at) const noexcept;

  std::deque<Item> items_;
  SeqNum una_, sent_, highest_;
  std::uint32_t cwnd_ = 0;
  std::uint16_t mss_ = 536;
  std::uint8_t duplicates_ = 0;
  bool is_resend_due_ = false, is_timing_ = false, is_probe_due_ = false, is_window_closed_ = false;
  SeqNum timed_;
  Tick timed_at_, deadline_ = kNever;
  Rto rto_;
};

}  // namespace cutwater::splice
