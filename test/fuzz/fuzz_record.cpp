// Fuzzes everything in record/ that reads a client's bytes: the deframer, open and the stream, alerts, KeyUpdates.
// The first byte picks suite and backend, the second what the plaintext is; both backends must say the same of every record.
// Run: fuzz_record test/fuzz/corpus/record -max_len=20000
#include <vector>

#include "fuzz/script.hpp"
#include "record/deframer.hpp"
#include "record/key_update.hpp"
#include "support/forged_record.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::fuzz;
using namespace cutwater::record;

struct Backend {
  const Aead* aead;
  TrafficKeys keys{};
  ExpandedKey key{};

  Backend(const Aead* a, const Suite& suite) : aead(a) { aead->expand(suite, keys, key); }
};

void judge_bytes(Version version, Bytes bytes) {
  const RecordRun run = whole_records(bytes);
  require(run.record_bytes <= bytes.size());
  require(run.rest.status != NextRecord::Status::complete);
  require(run.rest.status == NextRecord::Status::bad || run.rest.missing_bytes > 0);
  (void)parse_alert(version, bytes);
  for (const Writer writer : {Writer::client, Writer::server}) {
    PostHandshakeReader reader;
    for (std::size_t at = 0; at < bytes.size();) {  // in pieces whose lengths the bytes give
      const std::size_t piece = std::min<std::size_t>(bytes.size() - at, 1 + bytes[at] % 7);
      const auto result = reader.take(version, writer, bytes.subspan(at, piece));
      if (!result) break;
      require(reader.has_partial() == (*result == PostHandshake::partial));
      at += piece;
    }
  }
}

/// Opens a copy whole and another in pieces. Both must come to the same verdict, and a refused one must be wiped.
Opened::Status open_both_ways(const Backend& b, std::vector<std::uint8_t> record) {
  const Suite& suite = *b.key.suite;
  std::vector<std::uint8_t> copy = record;
  const Opened whole = b.aead->open(b.key, b.keys, 1, record);
  if (whole.status != Opened::Status::ok) require(whole.fragment.empty());
  if (copy.size() < suite.front_bytes() + kTagBytes) return whole.status;

  OpenStream stream;
  const std::size_t front = suite.front_bytes(), inner = copy.size() - front - kTagBytes;
  b.aead->open_begin(stream, b.key, b.keys, 1, Bytes{copy}.first(front));
  for (std::size_t at = 0; at < inner;) {
    const std::size_t piece = std::min<std::size_t>(inner - at, 1 + copy[at] * 3U);
    b.aead->open_update(stream, b.key, copy.data() + front + at, copy.data() + front + at, piece);
    at += piece;
  }
  const bool is_right = b.aead->open_finish(stream, b.key, copy.data() + front + inner);
  require(is_right == (whole.status != Opened::Status::bad_tag));
  if (is_right) {
    const Opened pieces = read_inner(suite, static_cast<ContentType>(copy[0]), {copy.data() + front, inner});
    require(pieces.status == whole.status && pieces.type == whole.type && pieces.fragment.size() == whole.fragment.size());
  }
  return whole.status;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Suite& suite = all_suites()[data[0] % all_suites().size()];
  const bool is_authentic = data[1] % 2 == 1;
  const Bytes bytes{data + 2, size - 2};
  judge_bytes(suite.version, bytes);

  const Backend portable{find_aead("openssl"), suite}, fast{&default_aead(), suite};
  std::vector<std::uint8_t> record{bytes.begin(), bytes.end()};
  if (is_authentic && bytes.size() <= kMaxFragmentBytes + 100) {
    record = support::forged_record(*portable.aead, portable.key, portable.keys, {.number = 1, .explicit_nonce = data[1]}, bytes);
    require(!record.empty());
  } else if (next_record(bytes).status != NextRecord::Status::complete) {
    return 0;
  } else {
    record.resize(next_record(bytes).header.record_bytes());
  }
  require(open_both_ways(fast, record) == open_both_ways(portable, record));
  return 0;
}
