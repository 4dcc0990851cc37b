// A client that was answered from a template and owes its secret: what is kept of it lies behind its hello, in the same block.
// Private to path/. Thread: owning worker. Implements: H3, H4; I5.
#pragma once

#include <array>
#include <type_traits>

#include "base/seq_num.hpp"
#include "base/tick.hpp"
#include "hello/deferral.hpp"
#include "hello/key_reply.hpp"

namespace cutwater::path {

struct Deferral {
  const record::RsaFlight* flight = nullptr;  // the rest of what it was given; kept alive by its routes
  Tick deadline;                              // of its reply
  Tick resend_at = kNever;
  SeqNum begin, sent, highest, acked;         // of the flight, in the client's numbering
  std::uint16_t server_hello_bytes = 0;
  std::uint16_t reply_bytes = 0;              // they lie behind this
  std::uint8_t resends = 0, duplicates = 0;
  hello::KeyReply reply;
  std::array<std::uint8_t, hello::kMostServerHelloBytes> server_hello;
};
static_assert(std::is_trivially_copyable_v<Deferral> && sizeof(Deferral) <= 512, "a hello of 1,000 bytes and a reply fit one block with it");

}  // namespace cutwater::path
