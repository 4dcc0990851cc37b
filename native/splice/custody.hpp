// Custody of the up direction: ciphertext that we acknowledged to the client, and so must deliver to the server ourselves.
// Records are opened piece by piece as their segments come; their plaintext waits in a queue that nothing may leave before
// the record's tag was right (I4), then goes out in segments and stays until the server acknowledges it.
// Custody also answers for the FIN that a close_notify becomes.
// Thread: owning worker. Implements: A11, A12, A16; invariants I1, I4, I5.
#pragma once

#include "record/deframer.hpp"
#include "splice/byte_queue.hpp"
#include "splice/resources.hpp"
#include "splice/send_control.hpp"

namespace cutwater::splice {

/// What a client may send ahead into custody: its queue, less a record and a half that may be under way twice.
inline constexpr std::uint32_t kMaxCustodyWindowBytes = ByteQueue::kMaxBytes - 2 * record::kMaxCiphertextBytes;

class Custody {
 public:
  /// The record that is coming in: its front, then its body, then its tag.
  struct Partial {
    std::array<std::uint8_t, record::kHeaderBytes + 8> front{};
    std::array<std::uint8_t, record::kTagBytes> tag{};
    std::uint8_t front_bytes = 0, tag_bytes = 0;
    std::uint32_t body_left = 0;   // ciphertext bytes still to come, tag not counted
    record::RecordHeader header{};
    SeqNum plain_begin;            // where its plaintext begins in the queue
    [[nodiscard]] bool is_none() const noexcept { return front_bytes == 0; }
  };

  ByteQueue queue;        // plaintext from what the server has acknowledged to the newest byte opened
  SeqNum ready;           // end of what is authenticated: nothing behind it may be sent
  SendControl control;
  Partial partial;
  record::OpenStream stream;

  /// Ciphertext bytes the client may still be allowed to send.
  [[nodiscard]] std::uint32_t window(const Resources& r) const noexcept;
};

/// Puts the direction into custody. Returns: false at the cap; then nothing has changed.
bool enter_custody(Resources& r, Flow& f) noexcept;
/// Takes in-order ciphertext, all of it. Returns: false when the flow ended over it (it has then been failed).
/// Requires: has_custody_room().
bool take_into_custody(Resources& r, Flow& f, Bytes ciphertext) noexcept;
[[nodiscard]] bool has_custody_room(const Resources& r, const Flow& f, std::uint32_t bytes) noexcept;
/// Sends what window and congestion allow; leaves custody when nothing is left in it.
void send_from_custody(Resources& r, Flow& f) noexcept;
/// What the server acknowledged. `is_duplicate`: a pure repetition.
void custody_on_server_ack(Resources& r, Flow& f, SeqNum ack, const wire::TcpOptions& options, bool is_duplicate) noexcept;
/// Puts bytes of our own in front of everything the client sends, as the beginning of the server's stream; custody sends and
/// resends them. Requires: nothing was sent to the server yet. Returns: false when there is no room for them.
bool put_ahead(Resources& r, Flow& f, Bytes bytes) noexcept;
/// The end of what may be sent: what is authentic, and what layer 7 lets go; a FIN behind all of it.
[[nodiscard]] SeqNum send_end(const Flow& f) noexcept;
/// Gives the stream towards the server other numbers, from the oldest byte in custody on: it goes to another connection.
/// Requires: in custody, requests are read; nothing is on its way to the server.
void renumber_up(Flow& f, SeqNum begin) noexcept;
/// Puts other bytes in the place of the oldest `old_bytes` in custody; what follows moves along. Requires: none of them was
/// sent. Returns: false when there is no room.
bool replace_front(Resources& r, Flow& f, std::uint32_t old_bytes, Bytes bytes) noexcept;
/// Takes bytes of the client that go to the server as they are. Returns: false when there is no room for them.
bool keep_untouched(Resources& r, Flow& f, Bytes bytes) noexcept;
/// Owes the server a FIN behind everything that is on its way.
void owe_fin_to_server(Resources& r, Flow& f) noexcept;
void release_custody(Resources& r, Flow& f) noexcept;
/// The next sequence number a packet of ours to the server carries.
[[nodiscard]] SeqNum next_to_server(const Flow& f) noexcept;

}  // namespace cutwater::splice
