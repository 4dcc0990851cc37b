// The golden model: OpenSSL's AES-GCM, by the software backend of the product, and jobs for a machine out of the same keys.
#pragma once

#include <algorithm>

#include "support/forged_record.hpp"
#include "support/record_room.hpp"
#include "tb/bench.hpp"

namespace cutwater::hw::tb {

/// The suites the core has.
inline constexpr struct {
  std::uint16_t iana;
  record::Version version;
} kSuites[] = {{0x1301, record::Version::tls13}, {0x1302, record::Version::tls13}, {0xc02f, record::Version::tls12}, {0xc030, record::Version::tls12}};

/// A key, and the software that seals and opens with it.
struct Golden {
  const record::Suite& suite;
  const record::Aead& aead = *record::find_aead("openssl");
  record::TrafficKeys keys{};
  record::ExpandedKey key{};

  Golden(unsigned which, std::mt19937_64& random)
      : suite(*record::find_suite(kSuites[which % 4].iana, kSuites[which % 4].version)), keys(support::random_keys(random)) {
    aead.expand(suite, keys, key);
  }
  [[nodiscard]] bool is_1_3() const { return suite.version == record::Version::tls13; }

  [[nodiscard]] RecordJob job(std::uint64_t number, JobId id) const {
    RecordJob job{};
    std::copy(keys.key.begin(), keys.key.end(), job.key.items);
    std::copy(keys.iv.begin(), keys.iv.end(), job.iv.items);
    job.number = number;
    job.key_size = suite.cipher == record::Cipher::aes_128_gcm ? KeySize::aes_128 : KeySize::aes_256;
    job.version = is_1_3() ? RecordVersion::tls_1_3 : RecordVersion::tls_1_2;
    job.id = id;
    return job;
  }

  [[nodiscard]] Request seal(std::uint64_t number, JobId id, const std::vector<std::uint8_t>& fragment, std::uint8_t type = 23) const {
    Request request{job(number, id), in_blocks(fragment)};
    request.job.bytes = static_cast<std::uint32_t>(fragment.size());
    request.job.type = type;
    return request;
  }

  /// What software makes of it: a whole record.
  [[nodiscard]] std::vector<std::uint8_t> sealed(std::uint64_t number, const std::vector<std::uint8_t>& fragment, std::uint8_t type = 23) const {
    return support::sealed(aead, key, keys, number, static_cast<record::ContentType>(type), fragment);
  }

  /// A job that opens a whole record.
  [[nodiscard]] Request open(std::uint64_t number, JobId id, const std::vector<std::uint8_t>& record) const {
    const std::size_t front = suite.front_bytes();
    Request request{job(number, id), in_blocks({record.begin() + static_cast<std::ptrdiff_t>(std::min(front, record.size())), record.end()})};
    request.job.type = record[0];
    request.job.wire_version = load_be16(record.data() + 1);
    request.job.bytes = static_cast<std::uint32_t>(record.size() - record::kHeaderBytes);
    for (unsigned i = 0; i < suite.explicit_nonce_bytes && record::kHeaderBytes + i < record.size(); ++i) {
      request.job.explicit_nonce[i] = record[record::kHeaderBytes + i];
    }
    return request;
  }
};

/// The whole record of an answer to a sealing job: front and blocks, as far as the completion says.
inline std::vector<std::uint8_t> record_of(const Golden& golden, const Answer& answer) {
  const std::uint8_t* const front = answer.completion.front.items;
  std::vector<std::uint8_t> record(front, front + golden.suite.front_bytes());
  record.insert(record.end(), answer.bytes.begin(), answer.bytes.begin() + std::min<std::ptrdiff_t>(answer.completion.bytes, static_cast<std::ptrdiff_t>(answer.bytes.size())));
  return record;
}

}  // namespace cutwater::hw::tb
