// Any bytes as a client's answer to a first flight: no fault, and whole and in pieces they get the same verdict at the same place.
// The first byte says whether certificates may come, and how long the pieces are.
#include <algorithm>
#include <cstdlib>

#include "hello/key_reply.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::hello;

struct Told {
  KeyReply reply;
  KeyReplyStep step;
  std::size_t used = 0;
};

Told tell(Bytes bytes, std::size_t piece, bool may_have_certificate) {
  Told told;
  told.reply.may_have_certificate = may_have_certificate;
  while (told.used < bytes.size() && !told.step.is_refused && !told.reply.is_whole()) {
    const Bytes next = bytes.subspan(told.used, std::min(piece, bytes.size() - told.used));
    told.step = follow(told.reply, next);
    if (told.step.used_bytes > next.size()) std::abort();
    if (told.step.used_bytes < next.size() && !told.step.is_refused && !told.reply.is_whole()) std::abort();
    told.used += told.step.used_bytes;
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool may_have_certificate = (data[0] & 1) != 0;
  const Bytes bytes(data + 1, size - 1);
  const Told whole = tell(bytes, bytes.size(), may_have_certificate), cut = tell(bytes, 1 + (data[0] >> 1), may_have_certificate);
  if (whole.step.is_refused != cut.step.is_refused || whole.reply.stage != cut.reply.stage) std::abort();
  if (whole.step.is_refused && (whole.step.refusal.kind != cut.step.refusal.kind || whole.step.refusal.alert != cut.step.refusal.alert)) std::abort();
  if (whole.reply.is_whole() && whole.used != cut.used) std::abort();
  return 0;
}
