#include "http/exchange.hpp"

namespace cutwater::http {

void Exchange::ask(SeqNum from) noexcept {
  const RequestHead& head = gate_.head();
  asked_ = {.is_head = head.method == "HEAD", .is_connect = head.method == "CONNECT", .is_upgrade = head.is_upgrade};
  tracker_.expect(asked_);
  has_answered_ = has_kept_end_ = false;
  is_asked_ = true;
  asked_from_ = from;
  gate_.pass();
  allow();
}

void Exchange::go_on() noexcept {
  is_asked_ = false;
  has_answered_ = false;
  is_last_ = !may_go_on();
  if (!is_last_) gate_.next();
}

}  // namespace cutwater::http
