#include "splice/key_change.hpp"

#include "record/traffic_secret.hpp"
#include "splice/seal.hpp"

namespace cutwater::splice {
namespace {

// Records of the epoch before the current one are still unacknowledged: its keys are in use. Local bytes need no key again.
bool has_old_spans(Resources& r, const SpanMap& spans, std::uint8_t epoch) noexcept {
  bool is_old = false;
  spans.each(r.spans, [&](const Span& span) {
    if (span.plain_bytes == 0) return true;
    is_old = span.epoch != epoch;  // oldest first: the first record decides
    return false;
  });
  return is_old;
}

bool take_previous(Resources& r, Flow& f) noexcept {
  if (f.previous == nullptr) f.previous = r.previous_keys.take();
  return f.previous != nullptr;
}

// Both names of a direction get another key now. Epochs wrap after 256: the new one's name may be an old one's, too.
void forget_expanded(Resources& r, const Flow& f, record::KeyId::Direction direction, std::uint8_t epoch) noexcept {
  for (const unsigned back : {0U, 1U, 2U}) r.keys.erase({f.index, f.generation, static_cast<std::uint8_t>(epoch - back), direction});
}

std::uint16_t name_of(std::uint8_t epoch, std::uint8_t current) noexcept {
  return epoch == current ? current : static_cast<std::uint8_t>(current - 1);
}

// Spans of the newest epoch and of one before it are both unacknowledged: no further key can be kept.
bool spans_two_up_epochs(Resources& r, const Flow& f) noexcept {
  bool has_old = false, has_new = false;
  f.up.spans.each(r.spans, [&](const Span& span) {
    if (span.plain_bytes != 0) (span.epoch == f.up.epoch ? has_new : has_old) = true;
    return !(has_old && has_new);
  });
  return has_old && has_new;
}

void change_up_keys(Resources& r, Flow& f) noexcept {
  // While older spans wait, the newest epoch has none of its own (spans_two_up_epochs): the kept key stays the one they need.
  if (!has_old_spans(r, f.up.spans, f.up.epoch) && take_previous(r, f)) f.previous->up = f.up_keys;
  f.up_secret = record::next_secret(*f.suite, f.up_secret);
  f.up_keys = record::derive_keys(*f.suite, f.up_secret);
  f.up.number = 0;
  ++f.up.epoch;
  forget_expanded(r, f, record::KeyId::Direction::up, f.up.epoch);
}

}  // namespace

bool take_up_key(Resources& r, Flow& f) noexcept {
  if (spans_two_up_epochs(r, f)) return false;
  f.up.update = UpdateState::none;
  change_up_keys(r, f);
  return true;
}

void change_down_keys(Resources& r, Flow& f) noexcept {
  if (f.suite->version != record::Version::tls13) return;
  if (has_old_spans(r, f.down.spans, f.down.epoch) || !take_previous(r, f)) return;  // soon: the limit leaves a factor of two
  if (!append_key_update(r, f)) return;
  f.previous->down = f.down_keys;
  f.down_secret = record::next_secret(*f.suite, f.down_secret);
  f.down_keys = record::derive_keys(*f.suite, f.down_secret);
  f.down.number = 0;
  ++f.down.epoch;
  forget_expanded(r, f, record::KeyId::Direction::down, f.down.epoch);
  f.down.update = UpdateState::none;
  r.counters.add(Count::key_updates_sent);
}

record::KeyId up_key_id(const Flow& f, std::uint8_t epoch) noexcept {
  return {f.index, f.generation, name_of(epoch, f.up.epoch), record::KeyId::Direction::up};
}
record::KeyId down_key_id(const Flow& f, std::uint8_t epoch) noexcept {
  return {f.index, f.generation, name_of(epoch, f.down.epoch), record::KeyId::Direction::down};
}

const record::TrafficKeys& up_keys_of(const Flow& f, std::uint8_t epoch) noexcept {
  return epoch == f.up.epoch || f.previous == nullptr ? f.up_keys : f.previous->up;
}
const record::TrafficKeys& down_keys_of(const Flow& f, std::uint8_t epoch) noexcept {
  return epoch == f.down.epoch || f.previous == nullptr ? f.down_keys : f.previous->down;
}

}  // namespace cutwater::splice
