#include "splice/control_record.hpp"

#include "splice/close.hpp"
#include "splice/custody.hpp"
#include "splice/emit.hpp"
#include "splice/key_change.hpp"

namespace cutwater::splice {
namespace {

using record::Alert;
using record::ContentType;

bool take_alert(Resources& r, Flow& f, Bytes fragment) noexcept {
  const auto alert = record::parse_alert(f.suite->version, fragment);
  if (!alert) return fail(r, f, Reset::bad_record, alert.error()), false;
  switch (alert->meaning) {
    case record::AlertMeaning::ignore: return true;
    case record::AlertMeaning::failure: return end_by_client_alert(r, f), false;
    case record::AlertMeaning::close: break;
  }
  f.up.end = UpEnd::notified;
  owe_fin_to_server(r, f);
  return true;
}

bool take_handshake(Resources& r, Flow& f, Bytes fragment) noexcept {
  const auto message = f.post_handshake.take(f.suite->version, f.route->policy.peer, fragment);
  if (!message) return fail(r, f, Reset::unexpected_message, record::alert_for(message.error())), false;
  if (*message == record::PostHandshake::partial) return true;
  if (*message == record::PostHandshake::passed_over) {
    if (f.update_limit.admit(r.now)) return true;
    return fail(r, f, Reset::key_update_flood, Alert::unexpected_message), false;
  }
  r.counters.add(Count::key_updates_received);
  if (!f.update_limit.admit(r.now)) return fail(r, f, Reset::key_update_flood, Alert::unexpected_message), false;
  f.up.update = UpdateState::owed;
  (void)take_up_key(r, f);
  if (*message == record::PostHandshake::key_update_and_answer) f.down.update = UpdateState::owed;
  return true;
}

}  // namespace

void fail_header(Resources& r, Flow& f, HeaderFault fault) noexcept {
  if (fault == HeaderFault::type) fail(r, f, Reset::unexpected_message, Alert::unexpected_message);
  else fail(r, f, Reset::bad_tag, Alert::bad_record_mac);
}

void fail_framing(Resources& r, Flow& f, record::DeframeError error) noexcept {
  const Reset reason = error == record::DeframeError::too_long ? Reset::record_overflow : Reset::bad_record;
  fail(r, f, reason, record::alert_for(error));
}

bool take_control(Resources& r, Flow& f, ContentType type, Bytes fragment) noexcept {
  if (f.post_handshake.has_partial() && type != ContentType::handshake) {
    return fail(r, f, Reset::unexpected_message, Alert::unexpected_message), false;
  }
  if (type == ContentType::alert) return take_alert(r, f, fragment);
  if (type == ContentType::handshake && !fragment.empty()) return take_handshake(r, f, fragment);
  return fail(r, f, Reset::unexpected_message, Alert::unexpected_message), false;
}

}  // namespace cutwater::splice
