// An authentic record with any inner plaintext and any outer type: what a hostile client that holds the keys could send.
// Nonce and additional data are written here byte by byte from the RFCs, independently of record/framing.hpp.
#pragma once

#include <algorithm>
#include <vector>

#include "record/aead.hpp"

namespace cutwater::support {

struct Forgery {
  std::uint64_t number = 0;
  record::ContentType outer_type = record::ContentType::application_data;
  std::uint64_t explicit_nonce = 0;  // TLS 1.2 AES-GCM
};

inline record::Nonce plain_nonce(const record::Suite& suite, const record::TrafficKeys& keys, const Forgery& forgery) {
  record::Nonce nonce = keys.iv;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t shift = 8 * (7 - i);
    if (suite.explicit_nonce_bytes != 0) {
      nonce[4 + i] = static_cast<std::uint8_t>(forgery.explicit_nonce >> shift);
    } else {
      nonce[4 + i] = static_cast<std::uint8_t>(nonce[4 + i] ^ static_cast<std::uint8_t>(forgery.number >> shift));
    }
  }
  return nonce;
}

/// Empty when the backend failed.
inline std::vector<std::uint8_t> forged_record(const record::Aead& aead, const record::ExpandedKey& key,
                                               const record::TrafficKeys& keys, const Forgery& forgery, Bytes inner) {
  const record::Suite& suite = *key.suite;
  std::vector<std::uint8_t> record{static_cast<std::uint8_t>(forgery.outer_type), 3, 3};
  const std::size_t body_bytes = suite.explicit_nonce_bytes + inner.size() + record::kTagBytes;
  record.push_back(static_cast<std::uint8_t>(body_bytes >> 8));
  record.push_back(static_cast<std::uint8_t>(body_bytes));
  std::vector<std::uint8_t> aad;
  if (suite.version == record::Version::tls13) {
    aad = record;
  } else {
    for (int shift = 56; shift >= 0; shift -= 8) aad.push_back(static_cast<std::uint8_t>(forgery.number >> shift));
    aad.insert(aad.end(), record.begin(), record.begin() + 3);
    aad.push_back(static_cast<std::uint8_t>(inner.size() >> 8));
    aad.push_back(static_cast<std::uint8_t>(inner.size()));
  }
  if (suite.explicit_nonce_bytes != 0) {
    for (int shift = 56; shift >= 0; shift -= 8) record.push_back(static_cast<std::uint8_t>(forgery.explicit_nonce >> shift));
  }
  record.insert(record.end(), inner.begin(), inner.end());
  record.resize(record.size() + record::kTagBytes);
  const bool is_done = aead.encrypt(key, plain_nonce(suite, keys, forgery), aad, MutableBytes{record}.subspan(suite.front_bytes(), inner.size()),
                                    record.data() + record.size() - record::kTagBytes);
  return is_done ? record : std::vector<std::uint8_t>{};
}

}  // namespace cutwater::support
