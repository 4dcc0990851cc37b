#include "path/half_open.hpp"

#include <sys/mman.h>

#include <new>

namespace cutwater::path {

HalfOpenTable::HalfOpenTable(std::uint32_t capacity) : timers(capacity), capacity_(capacity) {
  void* memory = mmap(nullptr, sizeof(HalfOpen) * std::size_t{capacity}, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  records_ = static_cast<HalfOpen*>(memory);
  free_.reserve(capacity);
}

HalfOpenTable::~HalfOpenTable() { munmap(records_, sizeof(HalfOpen) * std::size_t{capacity_}); }

HalfOpen* HalfOpenTable::take() noexcept {
  if (free_.empty() && used_ == capacity_) return nullptr;
  if (free_.empty()) return new (records_ + used_++) HalfOpen{};
  HalfOpen* h = records_ + free_.back();
  free_.pop_back();
  const std::uint32_t generation = h->generation + 1;
  h = new (h) HalfOpen{};
  h->generation = generation;
  return h;
}

void HalfOpenTable::put(HalfOpen& h) noexcept {
  timers.disarm(index_of(h));
  h.state = splice::FlowState::free;
  free_.push_back(index_of(h));
}

void HalfOpenTable::move(HalfOpen& h, Standing to) noexcept {
  const std::uint32_t index = index_of(h);
  if (h.standing != Standing::none) {
    List& from = lists_[static_cast<std::size_t>(h.standing)];
    (h.previous != kNobody ? records_[h.previous].next : from.first) = h.next;
    (h.next != kNobody ? records_[h.next].previous : from.last) = h.previous;
    --from.count;
  }
  h.standing = to;
  h.previous = h.next = kNobody;
  if (to == Standing::none) return;
  List& list = lists_[static_cast<std::size_t>(to)];
  h.previous = list.last;
  (list.last != kNobody ? records_[list.last].next : list.first) = index;
  list.last = index;
  ++list.count;
}

HalfOpen* HalfOpenTable::oldest(Standing standing) noexcept {
  const std::uint32_t index = lists_[static_cast<std::size_t>(standing)].first;
  return index == kNobody ? nullptr : records_ + index;
}

std::uint32_t HalfOpenTable::waiting() const noexcept {
  return count(Standing::resuming) + count(Standing::known) + count(Standing::fresh);
}

void to_record(const splice::Flow& f, HalfOpen& h) noexcept {
  h.route = f.route;
  h.last_active = f.last_active;
  h.up_begin = f.up.first_plain;
  h.up_next = f.up.cipher_next;
  h.up_ack_shown = f.up.ack_shown;
  h.up_edge_shown = f.up.edge_shown;
  h.up_server_edge = f.up.server_edge;
  h.down_plain = f.down.plain_next;
  h.down_next = f.down.cipher_next;
  h.down_una = f.down.cipher_una;
  h.down_client_edge = f.down.client_edge;
  h.down_ack_shown = f.down.ack_shown;
  h.down_edge_shown = f.down.edge_shown;
  h.client_tcp = f.client_tcp;
  h.server_tcp = f.server_tcp;
  h.ahead = f.up.ahead;
  h.client = f.client;
  h.client_mac = f.client_mac;
  h.state = f.state;
  h.up_shift_shown = f.up.shift_shown;
  h.down_shift_shown = f.down.shift_shown;
  h.option_flags = f.option_flags;
  h.tried = f.tried;
  h.has_session = f.has_session;
  h.source_port = f.source_port;
  h.opened_ms = f.opened_ms;
  h.client_rtt_us = f.client_rtt_us;
}

void from_record(const HalfOpen& h, splice::Flow& f) noexcept {
  f.route = h.route;
  f.last_active = h.last_active;
  f.up.first_plain = f.up.plain_next = f.up.plain_una = h.up_begin;  // the server has been sent nothing
  f.up.cipher_next = h.up_next;
  f.up.ack_shown = h.up_ack_shown;
  f.up.edge_shown = h.up_edge_shown;
  f.up.server_edge = h.up_server_edge;
  f.down.first_plain = f.down.plain_next = h.down_plain;  // nor has it sent anything that was taken
  f.down.cipher_next = h.down_next;
  f.down.cipher_una = h.down_una;
  f.down.client_edge = h.down_client_edge;
  f.down.ack_shown = h.down_ack_shown;
  f.down.edge_shown = h.down_edge_shown;
  f.client_tcp = h.client_tcp;
  f.server_tcp = h.server_tcp;
  f.up.ts_recent = h.client_tcp.ts_value;
  f.down.ts_recent = h.server_tcp.ts_value;
  f.up.ahead = h.ahead;
  f.client = h.client;
  f.client_mac = h.client_mac;
  f.state = h.state;
  f.link = h.route->kind == splice::Route::Kind::door ? splice::ServerLink::none : splice::ServerLink::up;
  f.up.shift_shown = h.up_shift_shown;
  f.down.shift_shown = h.down_shift_shown;
  f.option_flags = h.option_flags;
  f.tried = h.tried;
  f.has_session = h.has_session;
  f.source_port = h.source_port;
  f.opened_ms = h.opened_ms;
  f.client_rtt_us = h.client_rtt_us;
}

}  // namespace cutwater::path
