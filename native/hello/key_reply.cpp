#include "hello/key_reply.hpp"

#include <algorithm>

namespace cutwater::hello {
namespace {

using record::Alert;
using record::ContentType;
using Stage = KeyReply::Stage;

enum MessageType : std::uint8_t { kCertificate = 11, kCertificateVerify = 15, kClientKeyExchange = 16 };
// A secret under a key of 16,384 bits, a signature by one; certificates as the TLS library takes them.
constexpr std::uint32_t kMostKeyBytes = 2 + 2048, kMostSignatureBytes = 4 + 2048, kMostCertificateBytes = 64 * 1024;

KeyReplyStep refuse(Refusal::Kind kind, Alert alert) noexcept {
  return {.is_refused = true, .refusal = {kind, static_cast<std::uint8_t>(alert)}};
}
KeyReplyStep refuse_message() noexcept { return refuse(Refusal::Kind::bad_record, Alert::unexpected_message); }

ContentType type_of(const KeyReply& r) noexcept { return static_cast<ContentType>(r.header[0]); }
bool is_between_messages(const KeyReply& r) noexcept { return r.message_start_bytes == 0 && r.message_left == 0; }

// Whether a record of that type may come now.
KeyReplyStep judge_header(KeyReply& r) noexcept {
  const auto parsed = record::parse_header({r.header, record::kHeaderBytes});
  if (!parsed) return refuse(Refusal::Kind::bad_record, record::alert_for(parsed.error()));
  r.record_left = parsed->body_bytes;
  if (r.stage == Stage::finished) return {};  // it is encrypted: whatever it is, the processor tells
  switch (parsed->type) {
    case ContentType::handshake: return {};
    case ContentType::alert: return {};  // its number is in its body
    case ContentType::change_cipher_spec: return r.stage == Stage::change && is_between_messages(r) ? KeyReplyStep{} : refuse_message();
    case ContentType::application_data: return refuse_message();
  }
  return refuse_message();
}

KeyReplyStep take_header(KeyReply& r, Bytes& rest) noexcept {
  const std::size_t taken = std::min(rest.size(), record::kHeaderBytes - r.header_bytes);
  std::copy_n(rest.begin(), taken, r.header + r.header_bytes);
  r.header_bytes = static_cast<std::uint8_t>(r.header_bytes + taken);
  rest = rest.subspan(taken);
  const record::NextRecord early = record::next_record({r.header, r.header_bytes});
  if (early.status == record::NextRecord::Status::bad) return refuse(Refusal::Kind::bad_record, record::alert_for(early.error));
  return r.header_bytes == record::kHeaderBytes ? judge_header(r) : KeyReplyStep{};
}

KeyReplyStep judge_message(KeyReply& r) noexcept {
  const std::uint32_t bytes = load_be24(r.message + 1);
  const std::uint8_t type = r.message[0];
  std::uint32_t most = 0;
  if (r.stage == Stage::key && type == kClientKeyExchange) most = kMostKeyBytes;
  else if (r.stage == Stage::key && type == kCertificate && r.may_have_certificate) most = kMostCertificateBytes;
  else if (r.stage == Stage::change && type == kCertificateVerify && r.may_have_certificate) most = kMostSignatureBytes;
  else return refuse_message();
  if (bytes > most) return refuse(Refusal::Kind::too_large, Alert::decode_error);
  r.message_left = bytes;
  return {};
}

void end_message(KeyReply& r) noexcept {
  if (r.message[0] == kClientKeyExchange) r.stage = Stage::change;
  r.message_start_bytes = 0;
}

KeyReplyStep take_messages(KeyReply& r, Bytes body) noexcept {
  while (!body.empty()) {
    if (r.message_start_bytes < kMessageStartBytes) {
      r.message[r.message_start_bytes++] = body[0];
      body = body.subspan(1);
      if (r.message_start_bytes < kMessageStartBytes) continue;
      if (const KeyReplyStep step = judge_message(r); step.is_refused) return step;
    }
    const std::size_t taken = std::min<std::size_t>(body.size(), r.message_left);
    r.message_left -= static_cast<std::uint32_t>(taken);
    body = body.subspan(taken);
    if (r.message_left == 0) end_message(r);
  }
  return {};
}

KeyReplyStep take_body(KeyReply& r, Bytes& rest) noexcept {
  const Bytes body = rest.first(std::min(rest.size(), std::size_t{r.record_left}));
  rest = rest.subspan(body.size());
  r.record_left = static_cast<std::uint16_t>(r.record_left - body.size());
  const bool is_over = r.record_left == 0;
  if (is_over) r.header_bytes = 0;
  if (r.stage == Stage::finished) {
    if (is_over) r.stage = Stage::whole;
    return {};
  }
  switch (type_of(r)) {
    case ContentType::handshake: return take_messages(r, body);
    case ContentType::alert: return is_over ? KeyReplyStep{.is_refused = true, .refusal = {Refusal::Kind::client_alert, body.back()}} : KeyReplyStep{};
    case ContentType::change_cipher_spec:
      if (is_over) r.stage = Stage::finished;
      return {};
    case ContentType::application_data: break;
  }
  return refuse_message();
}

}  // namespace

KeyReplyStep follow(KeyReply& r, Bytes bytes) noexcept {
  Bytes rest = bytes;
  KeyReplyStep step;
  while (!rest.empty() && !step.is_refused && !r.is_whole()) {
    step = r.header_bytes < record::kHeaderBytes ? take_header(r, rest) : take_body(r, rest);
  }
  step.used_bytes = bytes.size() - rest.size();
  return step;
}

}  // namespace cutwater::hello
