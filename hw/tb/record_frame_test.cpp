#include "core/record_frame.hpp"

#include <doctest/doctest.h>

#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

TEST_CASE("nonce, additional data and front are those of RFC 9846 5.2 and 5.3, and of RFC 5288 3 and RFC 5246 6.2.3.3") {
  RecordJob job{};
  for (unsigned i = 0; i < 12; ++i) job.iv[i] = static_cast<std::uint8_t>(0xa0 + i);
  job.number = 0x0102030405060708;
  const Header header{23, 0x0303, 0x1234};
  CHECK(bytes_of(record_nonce(job, {})) == cutwater::vectors::hex("a0a1a2a3a5a7a5a3adafada3"));
  CHECK(bytes_of(additional_data(RecordVersion::tls_1_3, job.number, header, 0x1111)) == bytes_of(block("1703031234")));
  CHECK(bytes_of(record_front(RecordVersion::tls_1_3, job.number, header)) == cutwater::vectors::hex("17030312340000000000000000"));
  CHECK(aad_bytes_of(RecordVersion::tls_1_3) == 5);

  job.version = RecordVersion::tls_1_2;
  CHECK(bytes_of(record_nonce(job, number_bytes_of(0xf1f2f3f4f5f6f7f8))) == cutwater::vectors::hex("a0a1a2a3f1f2f3f4f5f6f7f8"));
  CHECK(bytes_of(additional_data(RecordVersion::tls_1_2, job.number, header, 0x1111)) == bytes_of(block("01020304050607081703031111")));
  CHECK(bytes_of(record_front(RecordVersion::tls_1_2, job.number, header)) == cutwater::vectors::hex("17030312340102030405060708"));
  CHECK(aad_bytes_of(RecordVersion::tls_1_2) == 13);
}
