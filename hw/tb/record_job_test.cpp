#include "core/record_job.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace cutwater::hw;

namespace {
RecordJob job(std::uint32_t bytes, RecordVersion version) {
  RecordJob out{};
  out.bytes = bytes;
  out.version = version;
  return out;
}
}  // namespace

TEST_CASE("a job's length is let in at both bounds, and not one byte past them") {
  for (const RecordVersion version : {RecordVersion::tls_1_2, RecordVersion::tls_1_3}) {
    CHECK(judge_seal(job(0, version)).status == RecordStatus::ok);
    CHECK(judge_seal(job(16384, version)).status == RecordStatus::ok);
    CHECK(judge_seal(job(16385, version)).status == RecordStatus::bad_job);
    CHECK(judge_seal(job(0xffff'ffff, version)).status == RecordStatus::bad_job);
    const std::uint32_t around = version == RecordVersion::tls_1_2 ? 24 : 16;
    CHECK(judge_open(job(around - 1, version)).status == RecordStatus::bad_shape);
    CHECK(judge_open(job(around - 1, version)).alert == RecordAlert::bad_record_mac);
    CHECK(judge_open(job(around, version)).status == RecordStatus::ok);
    CHECK(judge_open(job(16640, version)).status == RecordStatus::ok);
    CHECK(judge_open(job(16641, version)).alert == RecordAlert::record_overflow);
    CHECK(judge_open(job(0xffff'ffff, version)).status == RecordStatus::bad_shape);
  }
}

TEST_CASE("a job of a cipher, version or release that does not exist is refused") {
  for (unsigned value = 2; value < 256; ++value) {
    RecordJob cipher{}, version{}, release{};
    cipher.key_size = static_cast<KeySize>(value);
    version.version = static_cast<RecordVersion>(value);
    release.release = static_cast<Release>(value);
    for (const RecordJob& bad : {cipher, version, release}) {
      CHECK(judge_seal(bad).status == RecordStatus::bad_job);
      CHECK(judge_open(bad).status == RecordStatus::bad_job);
    }
  }
}
