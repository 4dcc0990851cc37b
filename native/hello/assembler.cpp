#include "hello/assembler.hpp"

#include <algorithm>

#include "hello/client_hello.hpp"

namespace cutwater::hello {
namespace {

using record::ContentType;

constexpr std::uint8_t kClientHello = 1;
constexpr std::uint16_t kMaxSkippedBytes = 16'384;  // early data on the heels of a first hello: more than one flight is no accident
constexpr std::string_view kMethods[] = {"GET ", "POST", "HEAD", "PUT ", "DELE", "OPTI", "CONN", "TRAC", "PATC", "PRI "};

constexpr std::uint8_t number(record::Alert alert) noexcept { return static_cast<std::uint8_t>(alert); }

/// The method of an HTTP request, or the beginning of one.
bool begins_like_http(Bytes bytes) noexcept {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 4));
  return std::any_of(std::begin(kMethods), std::end(kMethods), [&](std::string_view method) { return method.starts_with(text); });
}

/// A step that ends the assembly, one way or the other; more: go on.
using Step = Assembled;

Step refuse(Refusal::Kind kind, record::Alert alert) noexcept {
  return {.status = Assembled::Status::refused, .refusal = {kind, number(alert)}};
}

// What may come where a hello is awaited. Between two hellos a change_cipher_spec is compatibility mode (RFC 9846 D.4), and
// application data is early data that was sent before our answer arrived (4.2.10): both are passed over.
Step judge_header(Assembly& a) noexcept {
  const Bytes header(a.header, record::kHeaderBytes);
  const auto parsed = record::parse_header(header);
  if (!parsed) return refuse(Refusal::Kind::bad_record, record::alert_for(parsed.error()));
  a.record_left = parsed->body_bytes;
  switch (parsed->type) {
    case ContentType::handshake: return {};
    case ContentType::alert: return {.status = Assembled::Status::refused, .refusal = {Refusal::Kind::client_alert, 0}};
    case ContentType::change_cipher_spec:
    case ContentType::application_data: break;
  }
  const bool is_between = a.turn == Turn::second && a.message_bytes == 0 && a.skipped_bytes + a.record_left <= kMaxSkippedBytes;
  if (!is_between) return refuse(Refusal::Kind::bad_record, record::Alert::unexpected_message);
  a.skipped_bytes = static_cast<std::uint16_t>(a.skipped_bytes + a.record_left);
  return {};
}

Step take_header(Assembly& a, Bytes& rest) noexcept {
  const std::size_t taken = std::min(rest.size(), record::kHeaderBytes - a.header_bytes);
  std::copy_n(rest.begin(), taken, a.header + a.header_bytes);
  a.header_bytes = static_cast<std::uint8_t>(a.header_bytes + taken);
  rest = rest.subspan(taken);
  const bool is_first = a.turn == Turn::first && a.message_bytes == 0 && a.block == kNoBlock;
  if (is_first && begins_like_http({a.header, a.header_bytes})) {
    if (a.header_bytes < 4) return {};
    return refuse(Refusal::Kind::plain_http, record::Alert::unexpected_message);
  }
  const record::NextRecord early = record::next_record({a.header, a.header_bytes});
  if (early.status == record::NextRecord::Status::bad) return refuse(Refusal::Kind::bad_record, record::alert_for(early.error));
  return a.header_bytes == record::kHeaderBytes ? judge_header(a) : Step{};
}

/// How long the message will be, as far as that is known.
std::size_t wanted_bytes(const Assembly& a, const HelloBlocks& blocks) noexcept {
  return message_bytes(message_of(a, blocks)).value_or(kMessageHeaderBytes);
}

void append(Assembly& a, const HelloBlocks& blocks, Bytes& rest, std::size_t limit) noexcept {
  const std::size_t taken = std::min({rest.size(), limit, std::size_t{a.record_left}});
  std::copy_n(rest.begin(), taken, blocks.at(a.block) + a.message_bytes);
  a.message_bytes = static_cast<std::uint16_t>(a.message_bytes + taken);
  a.record_left = static_cast<std::uint16_t>(a.record_left - taken);
  rest = rest.subspan(taken);
}

Step take_body(Assembly& a, HelloBlocks& blocks, Bytes& rest) noexcept {
  if (!make_room(a, blocks, kMessageHeaderBytes, a.message_bytes)) return {.status = Assembled::Status::no_block};
  if (a.message_bytes < kMessageHeaderBytes) append(a, blocks, rest, kMessageHeaderBytes - a.message_bytes);
  if (a.message_bytes != 0 && *blocks.at(a.block) != kClientHello) {
    return refuse(Refusal::Kind::bad_hello, record::Alert::unexpected_message);
  }
  if (a.message_bytes < kMessageHeaderBytes) return {};
  const std::size_t wanted = wanted_bytes(a, blocks);
  if (wanted > kLongBlockBytes) return refuse(Refusal::Kind::too_large, record::Alert::illegal_parameter);
  if (!make_room(a, blocks, wanted, a.message_bytes)) return {.status = Assembled::Status::no_block};
  append(a, blocks, rest, wanted - a.message_bytes);
  if (a.message_bytes < wanted) return {};
  // Another message behind the hello in its record would belong to an epoch that does not exist yet (RFC 9846 5.1).
  if (a.record_left != 0) return refuse(Refusal::Kind::bad_hello, record::Alert::unexpected_message);
  return {.status = Assembled::Status::whole};
}

Step skip_body(Assembly& a, Bytes& rest) noexcept {
  const std::size_t taken = std::min(rest.size(), std::size_t{a.record_left});
  a.record_left = static_cast<std::uint16_t>(a.record_left - taken);
  rest = rest.subspan(taken);
  return {};
}

bool is_handshake(const Assembly& a) noexcept { return a.header[0] == static_cast<std::uint8_t>(ContentType::handshake); }

}  // namespace

bool make_room(Assembly& a, HelloBlocks& blocks, std::size_t bytes, std::size_t used) noexcept {
  if (a.block != kNoBlock && blocks.block_bytes(a.block) >= bytes) return true;
  const std::uint32_t larger = blocks.take(std::max<std::size_t>(bytes, kHelloBlockBytes));
  if (larger == kNoBlock) return false;
  if (a.block != kNoBlock) {
    std::copy_n(blocks.at(a.block), used, blocks.at(larger));
    blocks.put(a.block);
  }
  a.block = larger;
  return true;
}

Assembled assemble(Assembly& a, HelloBlocks& blocks, Bytes bytes) noexcept {
  Bytes rest = bytes;
  Step step;
  while (!rest.empty() && step.status == Assembled::Status::more) {
    if (a.header_bytes == record::kHeaderBytes && a.record_left == 0) a.header_bytes = 0;
    if (a.header_bytes < record::kHeaderBytes) step = take_header(a, rest);
    else step = is_handshake(a) ? take_body(a, blocks, rest) : skip_body(a, rest);
  }
  step.used_bytes = bytes.size() - rest.size();
  return step;
}

}  // namespace cutwater::hello
