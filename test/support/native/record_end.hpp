// TLS after its handshake, as one end's record layer: keys that both ends know from the start, so nobody shakes hands and a run
// costs microseconds. It can also send what no honest library would, under right keys.
// Records are written byte by byte (forged_record.hpp) and opened by OpenSSL's backend, whatever the path uses.
// Thread: one. Used by: keyed_rig.
#pragma once

#include <vector>

#include "record/traffic_secret.hpp"
#include "secure/job.hpp"

namespace cutwater::support {

using ByteVector = std::vector<std::uint8_t>;

class RecordEnd {
 public:
  /// Begins anew. Two ends of a connection have each other's `own` and `peer`, which choose the keys.
  void start(const record::Suite& suite, std::uint8_t own, std::uint8_t peer);
  /// What a secure processor would tell the device of this end.
  void tell(secure::Established& established) const;

  /// One record of this end, sealed. `padding`: zeros behind the type, TLS 1.3.
  ByteVector write(record::ContentType type, Bytes fragment, std::size_t padding = 0);
  /// A KeyUpdate; what is written after it is under the next key. TLS 1.3.
  ByteVector update_keys(bool is_answer_wanted);

  /// Opens the records of the other end as they come. Returns: false when one is not authentic, or not a record at all.
  bool take(Bytes bytes);
  /// All application data that was taken.
  [[nodiscard]] const ByteVector& heard() const { return heard_; }
  [[nodiscard]] const record::Suite& suite() const { return *suite_; }

 private:
  struct Way {
    record::TrafficSecret secret;
    record::TrafficKeys keys;
    record::ExpandedKey key;
    std::uint64_t number = 0;
  };
  void start(Way& way, std::uint8_t seed);
  void update(Way& way);

  const record::Suite* suite_ = nullptr;
  Way own_, peer_;
  ByteVector partial_, heard_;
};

}  // namespace cutwater::support
