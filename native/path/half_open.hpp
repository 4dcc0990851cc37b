// Clients that have proved nothing yet: what is kept of one from its SYN until a secure processor is asked to work for it.
// A full Flow would cost 512 bytes a head, so it exists only while a packet of the client is being looked at: it is woken from
// the record here and put back to sleep when the burst ends. Lists keep them by age, so that under pressure the oldest of those
// that proved nothing go first (H8).
// Not here: what a hello is worth (hello/triage.hpp). Private to path/. Thread: owning worker. Implements: H1, H2, H8; I5.
#pragma once

#include <array>

#include "flow/timer_wheel.hpp"
#include "hello/assembler.hpp"
#include "splice/flow.hpp"

namespace cutwater::path {

inline constexpr std::uint32_t kNobody = ~0U;

/// Where a half-open client stands; each is in exactly one list. Those that wait for a processor come first, best first.
enum class Standing : std::uint8_t {
  resuming,    // waits for a processor: offers a session, and has shown that it is there
  known,       // waits for a processor: has shown that it is there
  fresh,       // waits for a processor: nothing is known of it
  connecting,  // TCP is being set up, or nothing of the next hello has come
  speaking,    // has sent part of a hello: holds a block
  deferred,    // was answered from a template and owes its secret: its block holds its hello
  count_,
  none = count_,
};
inline constexpr std::size_t kWaitingClasses = 3;

struct HalfOpen {
  // Who it is, and its TCP: what of a Flow is not as it begins.
  const splice::Route* route = nullptr;
  Tick last_active;
  SeqNum up_begin, up_next, up_ack_shown, up_edge_shown, up_server_edge;
  SeqNum down_plain, down_next, down_una, down_client_edge, down_ack_shown, down_edge_shown;
  splice::SideState client_tcp, server_tcp;
  splice::Reassembly ahead;
  splice::End client;
  MacAddress client_mac{};
  splice::FlowState state = splice::FlowState::free;
  std::uint8_t up_shift_shown = 0, down_shift_shown = 0;
  bool has_session = false;
  std::uint16_t option_flags = 0;
  std::uint16_t source_port = 0, tried = 0;
  std::uint32_t opened_ms = 0, client_rtt_us = 0;
  // Its hello, and our answer to the first one until it is acknowledged.
  hello::Assembly assembly;
  std::uint32_t answer = hello::kNoBlock;
  std::uint16_t answer_bytes = 0;
  // Its place here.
  Standing standing = Standing::none;
  bool is_proven = false;           // it answered a HelloRetryRequest, or was served before
  std::uint32_t generation = 0;
  std::uint32_t awake = kNobody;    // index of its Flow while it has one
  std::uint32_t previous = kNobody, next = kNobody;

  /// The client's address as the server sees it.
  [[nodiscard]] const IpAddress& source() const noexcept { return route->has_pool ? route->pool : client.address; }
};
static_assert(sizeof(HalfOpen) <= 208, "with its timer and its two table entries: 256 bytes (architecture.md)");

class HalfOpenTable {
 public:
  explicit HalfOpenTable(std::uint32_t capacity);
  ~HalfOpenTable();
  HalfOpenTable(const HalfOpenTable&) = delete;
  HalfOpenTable& operator=(const HalfOpenTable&) = delete;

  /// Returns: nullptr at the cap.
  HalfOpen* take() noexcept;
  /// Requires: in no list, no block.
  void put(HalfOpen& h) noexcept;
  [[nodiscard]] HalfOpen& at(std::uint32_t index) noexcept { return records_[index]; }
  [[nodiscard]] std::uint32_t index_of(const HalfOpen& h) const noexcept { return static_cast<std::uint32_t>(&h - records_); }
  /// Puts it at the end of another list (or the same), or into none.
  void move(HalfOpen& h, Standing to) noexcept;
  /// The one longest in a list, or nullptr.
  [[nodiscard]] HalfOpen* oldest(Standing standing) noexcept;
  [[nodiscard]] std::uint32_t count(Standing standing) const noexcept { return lists_[static_cast<std::size_t>(standing)].count; }
  [[nodiscard]] std::uint32_t waiting() const noexcept;
  [[nodiscard]] std::uint32_t live() const noexcept { return used_ - static_cast<std::uint32_t>(free_.size()); }
  /// Records ever used: at(0) to at(used() - 1). The free ones among them are in state `free`.
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

  flow::TimerWheel timers;  // by record index

 private:
  struct List {
    std::uint32_t first = kNobody, last = kNobody, count = 0;
  };
  HalfOpen* records_ = nullptr;
  std::uint32_t capacity_ = 0, used_ = 0;
  std::vector<std::uint32_t> free_;
  std::array<List, static_cast<std::size_t>(Standing::count_)> lists_{};
};

/// Copies what a flow is into its record, and back. Requires: no custody, no local bytes, no spans, no keys.
void to_record(const splice::Flow& f, HalfOpen& h) noexcept;
void from_record(const HalfOpen& h, splice::Flow& f) noexcept;

}  // namespace cutwater::path
