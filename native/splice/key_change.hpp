// Key updates of TLS 1.3, both ways (RFC 9846 4.7.3, 5.5). A KeyUpdate of ours is local bytes; keys of the epoch before are
// kept while records of it may be resent. TLS 1.2 has no key update: its flows go on under their key.
// Thread: owning worker.
#pragma once

#include "splice/resources.hpp"

namespace cutwater::splice {

/// The key that a KeyUpdate of the client announced, as soon as it can be taken. Returns: false while it cannot, because records
/// of two epochs are unacknowledged and only one old key is kept.
[[nodiscard]] bool take_up_key(Resources& r, Flow& f) noexcept;
/// The same, where a record of the client begins: false means that it is under a key which waits, and has to come again.
[[nodiscard]] inline bool settle_up_keys(Resources& r, Flow& f) noexcept { return f.up.update == UpdateState::none || take_up_key(r, f); }
/// Sends our KeyUpdate and changes the sealing key, if that can be done now.
void change_down_keys(Resources& r, Flow& f) noexcept;
/// The same when an update is owed or the key is near its limit. Call before a record is sealed.
inline void change_down_keys_if_due(Resources& r, Flow& f) noexcept {
  const std::uint64_t configured = f.route->policy.rekey_after_records;
  const bool is_worn = f.down.number >= f.suite->seal_limit || (configured != 0 && f.down.number >= configured);
  if (is_worn || f.down.update == UpdateState::owed) change_down_keys(r, f);
}

/// Keys of a span: the current ones, or those of the epoch before.
[[nodiscard]] const record::TrafficKeys& up_keys_of(const Flow& f, std::uint8_t epoch) noexcept;
[[nodiscard]] const record::TrafficKeys& down_keys_of(const Flow& f, std::uint8_t epoch) noexcept;

/// By what name the expanded key of a span is kept. Older epochs share one: only one earlier key is ever needed, however many
/// updates came since, so a flow has at most two in each direction.
[[nodiscard]] record::KeyId up_key_id(const Flow& f, std::uint8_t epoch) noexcept;
[[nodiscard]] record::KeyId down_key_id(const Flow& f, std::uint8_t epoch) noexcept;

}  // namespace cutwater::splice
