// Follows a client's answer to a first flight of RSA key exchange: Certificate where one was asked for, ClientKeyExchange,
// CertificateVerify, change_cipher_spec, Finished. Only how it is framed is looked at, never what is in it: what an encrypted
// secret is worth is for the processor alone, and every one of them gets there (RFC 5246 7.4.7.1).
// Not here: where the bytes are kept (path/deferral.cpp). Thread: owning worker. Implements: H4. Source: RFC 5246 7.3.
#pragma once

#include "base/bytes.hpp"
#include "hello/assembler.hpp"

namespace cutwater::hello {

inline constexpr std::size_t kMessageStartBytes = 4;  // type and 24-bit length

/// How far an answer is.
struct KeyReply {
  enum class Stage : std::uint8_t { key, change, finished, whole };
  Stage stage = Stage::key;
  bool may_have_certificate = false;  // the client was asked for one
  std::uint8_t header[record::kHeaderBytes]{};
  std::uint8_t header_bytes = 0;
  std::uint8_t message[kMessageStartBytes]{};
  std::uint8_t message_start_bytes = 0;
  std::uint16_t record_left = 0;
  std::uint32_t message_left = 0;

  [[nodiscard]] bool is_whole() const noexcept { return stage == Stage::whole; }
};

struct KeyReplyStep {
  bool is_refused = false;
  std::size_t used_bytes = 0;  // the rest lies behind the Finished
  Refusal refusal{};
};

/// Takes the next bytes of the stream, up to the end of the Finished at most. An alert of the client's refuses with its number.
KeyReplyStep follow(KeyReply& reply, Bytes bytes) noexcept;

}  // namespace cutwater::hello
