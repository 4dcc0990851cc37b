// Puts a ClientHello together from a client's bytes, in whatever cut they come: record headers are judged and left out, the
// message lies whole in one block. What cannot become a hello is refused at the first byte that shows it.
// Not here: TCP order (path), what the hello says (client_hello.hpp). Thread: owning worker. Implements: H1.
#pragma once

#include "hello/hello_blocks.hpp"
#include "hello/hello_error.hpp"
#include "record/deframer.hpp"

namespace cutwater::hello {

/// What a client is to send: its first hello, the one that answers a HelloRetryRequest, or, its hello being there and kept, the
/// reply to a first flight (key_reply.hpp).
enum class Turn : std::uint8_t { first, second, reply };

/// How far a hello is. Kept in the half-open record of its client; the message is the block's first `message_bytes`.
struct Assembly {
  std::uint32_t block = kNoBlock;
  std::uint16_t message_bytes = 0;
  std::uint16_t record_left = 0;   // body bytes of the current record that have not come yet
  std::uint16_t skipped_bytes = 0; // between two hellos: early data nobody asked for
  std::uint8_t header[record::kHeaderBytes]{};
  std::uint8_t header_bytes = 0;
  Turn turn = Turn::first;
};

struct Refusal {
  enum class Kind : std::uint8_t { bad_record, plain_http, client_alert, bad_hello, too_large };
  Kind kind = Kind::bad_record;
  std::uint8_t alert = 0;  // what answers it; 0: nothing does
};

struct Assembled {
  enum class Status : std::uint8_t {
    more,      // everything was used; the hello is not whole
    whole,     // the message is whole; the bytes behind it were not touched
    refused,   // `refusal` says why
    no_block,  // nothing was used of what needs a block: the same bytes may come again
  };
  Status status = Status::more;
  std::size_t used_bytes = 0;
  Refusal refusal{};
};

/// Takes the next bytes of the stream. Cost: one copy of the message; no allocation.
Assembled assemble(Assembly& assembly, HelloBlocks& blocks, Bytes bytes) noexcept;

/// The message so far; nothing as long as there is no block for it.
inline Bytes message_of(const Assembly& assembly, const HelloBlocks& blocks) noexcept {
  if (assembly.block == kNoBlock) return {};
  return {blocks.at(assembly.block), assembly.message_bytes};
}
/// Sees to it that the block holds `bytes`, of which the first `used` are kept. Returns: false when there is no such block.
bool make_room(Assembly& assembly, HelloBlocks& blocks, std::size_t bytes, std::size_t used) noexcept;
/// Gives the block back.
inline void drop_message(Assembly& assembly, HelloBlocks& blocks) noexcept {
  if (assembly.block != kNoBlock) blocks.put(assembly.block);
  assembly.block = kNoBlock;
  assembly.message_bytes = 0;
}

}  // namespace cutwater::hello
