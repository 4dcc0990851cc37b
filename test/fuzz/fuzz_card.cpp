// Fuzzes the edge of the cipher core: a row of jobs with any lengths, ciphers and blocks, good ones among them. Whatever a job is, it is answered
// in order, in bounded time; what is good is what software makes of it, and nothing of what is not comes out of the opening core.
// Run: fuzz_card test/fuzz/corpus/card
#include "fuzz/script.hpp"
#include "tb/golden.hpp"
#include "top/tops.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::fuzz;
using namespace cutwater::hw;
using namespace cutwater::hw::tb;

constexpr std::size_t kMostJobs = 8;  // each is some hundred clocks of the model
constexpr unsigned kQuietClocks = 400;   // more than its longest record has blocks

enum class Kind : std::uint8_t { seal, open, forge, cut, raw };

std::uint32_t word(Script& in) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value = value << 8 | in.next();
  return value;
}

/// The next `n` bytes, or as many as there are.
std::vector<std::uint8_t> take(Script& in, std::size_t n) {
  const Bytes taken = in.bytes.first(std::min(n, in.bytes.size()));
  in.bytes = in.bytes.subspan(taken.size());
  return {taken.begin(), taken.end()};
}

/// Mostly short, at most 255 * 15.
std::size_t length(Script& in) {
  const std::size_t unit = in.next();
  return unit * (in.next() % 16U);
}

/// A job as a broken driver or a hostile length could make it.
Request raw_request(const Golden& key, Script& in, JobId id) {
  const std::size_t bytes = in.next();
  Request request{key.job(1, id), in_blocks(take(in, bytes))};
  const std::uint32_t said = word(in);
  request.job.bytes = said >> (in.next() % 32);
  const std::uint8_t odd = in.next();
  if ((odd & 1) != 0) request.job.key_size = static_cast<KeySize>(in.next());
  if ((odd & 2) != 0) request.job.version = static_cast<RecordVersion>(in.next());
  if ((odd & 4) != 0) request.job.type = in.next();
  return request;
}

void judge_seal(const Golden& key, const std::vector<std::uint8_t>& fragment, const Answer& answer) {
  require(answer.completion.status == RecordStatus::ok);
  require(record_of(key, answer) == key.sealed(1, fragment));
}

void judge_open(const Golden& key, std::vector<std::uint8_t> record, const Answer& answer) {
  const record::Opened opened = key.aead.open(key.key, key.keys, 1, record);
  const bool is_good = opened.status == record::Opened::Status::ok;
  require((answer.completion.status == RecordStatus::ok) == is_good);
  require((answer.completion.status == RecordStatus::bad_tag) == (opened.status == record::Opened::Status::bad_tag));
  if (!is_good) require(answer.blocks == 0 && answer.completion.alert == static_cast<RecordAlert>(opened.alert));
  if (!is_good) return;
  require(answer.completion.type == static_cast<std::uint8_t>(opened.type) && answer.completion.bytes == opened.fragment.size());
  require(std::equal(opened.fragment.begin(), opened.fragment.end(), answer.bytes.begin()));
  require(std::all_of(answer.bytes.begin() + static_cast<std::ptrdiff_t>(opened.fragment.size()), answer.bytes.end(), [](auto byte) { return byte == 0; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script in{{data, size}};
  const std::uint8_t first = in.next();
  std::mt19937_64 random{first};
  const Golden key{first, random};
  const Pace pace = (first & 4) != 0 ? Pace::random : Pace::steady;
  Bench sealing{record_seal_top, pace}, opening{record_open_top, pace, 2};
  struct Asked {
    Kind kind;
    std::vector<std::uint8_t> bytes;
  };
  std::vector<Asked> seals, opens;
  while (!in.bytes.empty() && seals.size() + opens.size() < kMostJobs) {
    const auto kind = static_cast<Kind>(in.next() % 5);
    const JobId seal_id = static_cast<JobId>(seals.size()), open_id = static_cast<JobId>(opens.size());
    if (kind == Kind::seal) {
      seals.push_back({kind, take(in, length(in))});
      sealing.ask(key.seal(1, seal_id, seals.back().bytes));
    } else if (kind == Kind::raw) {
      const bool is_seal = in.next() % 2 == 0;
      (is_seal ? seals : opens).push_back({kind, {}});
      (is_seal ? sealing : opening).ask(raw_request(key, in, is_seal ? seal_id : open_id));
    } else {
      const auto text = take(in, length(in));
      std::vector<std::uint8_t> record = support::forged_record(key.aead, key.key, key.keys, {.number = 1, .explicit_nonce = first}, text);
      require(!record.empty());
      if (kind == Kind::forge) record[in.next() % record.size()] ^= in.next();
      if (kind == Kind::cut) record.resize(record::kHeaderBytes + in.next() % (record.size() - record::kHeaderBytes));
      // A record is as long as its header says: that is how it was found. Other lengths are what raw jobs are for.
      store_be16(record.data() + 3, static_cast<std::uint16_t>(record.size() - record::kHeaderBytes));
      opens.push_back({kind, record});
      opening.ask(key.open(1, open_id, record));
    }
  }
  require(sealing.run(seals.size(), kQuietClocks) && opening.run(opens.size(), kQuietClocks));
  require(sealing.unclaimed().empty() && opening.unclaimed().empty());
  for (std::size_t i = 0; i < seals.size(); ++i) {
    require(sealing.answers()[i].completion.id == i);
    if (seals[i].kind == Kind::seal) judge_seal(key, seals[i].bytes, sealing.answers()[i]);
  }
  for (std::size_t i = 0; i < opens.size(); ++i) {
    const Answer& answer = opening.answers()[i];
    require(answer.completion.id == i);
    if (opens[i].kind != Kind::raw) judge_open(key, opens[i].bytes, answer);
    if (opens[i].kind == Kind::raw) require(answer.completion.status != RecordStatus::ok && answer.blocks == 0);  // never sealed under this key
  }
  return 0;
}
