// The low-level digests are used because they live on the stack: the EVP ones allocate.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hello/fingerprint.hpp"

#include <openssl/md5.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>

namespace cutwater::hello {

namespace {

constexpr std::size_t kHashChars = 12;
constexpr std::uint16_t kServerName = 0, kAlpn = 16;
constexpr char kHexDigits[] = "0123456789abcdef";

template <class Out>
Out write_hex(Bytes bytes, Out out) noexcept {
  for (const std::uint8_t byte : bytes) {
    *out++ = kHexDigits[byte >> 4];
    *out++ = kHexDigits[byte & 15];
  }
  return out;
}

/// Feeds decimal numbers with dashes between them.
class Ja3Field {
 public:
  explicit Ja3Field(MD5_CTX& md5) noexcept : md5_(md5) {}
  void add(unsigned value) noexcept {
    std::array<char, 12> text{'-'};
    const auto end = std::to_chars(text.data() + 1, text.data() + text.size(), value).ptr;
    const char* begin = text.data() + (is_first_ ? 1 : 0);
    MD5_Update(&md5_, begin, static_cast<std::size_t>(end - begin));
    is_first_ = false;
  }
  void add_list(const U16List& list) noexcept {
    for (const std::uint16_t value : list) {
      if (!is_grease(value)) add(value);
    }
  }

 private:
  MD5_CTX& md5_;
  bool is_first_ = true;
};

/// Feeds four hex digits a number with commas between them, and keeps the first twelve digits of the SHA-256.
class Ja4Hash {
 public:
  Ja4Hash() noexcept { SHA256_Init(&sha_); }
  void add(std::uint16_t value) noexcept {
    const std::uint8_t bytes[] = {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
    std::array<char, 5> text{','};
    write_hex(bytes, text.begin() + 1);
    SHA256_Update(&sha_, text.data() + (needs_comma_ ? 0 : 1), needs_comma_ ? 5 : 4);
    needs_comma_ = true;
    is_empty_ = false;
  }
  void add_separator() noexcept {
    SHA256_Update(&sha_, "_", 1);
    needs_comma_ = false;
  }
  /// Twelve zeros when nothing was added.
  char* finish(char* out) noexcept {
    if (is_empty_) return std::fill_n(out, kHashChars, '0');
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest;
    SHA256_Final(digest.data(), &sha_);
    return write_hex(Bytes{digest}.first(kHashChars / 2), out);
  }

 private:
  SHA256_CTX sha_;
  bool needs_comma_ = false, is_empty_ = true;
};

std::string_view version_code(const ClientHello& hello) noexcept {
  std::uint16_t version = hello.versions.empty() ? hello.legacy_version : std::uint16_t{0};
  for (const std::uint16_t offered : hello.versions) {
    if (!is_grease(offered)) version = std::max(version, offered);
  }
  switch (version) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    case 0x0002:
      return "s2";
    default:
      return "00";
  }
}

char* write_count(std::size_t count, char* out) noexcept {
  const std::size_t shown = std::min<std::size_t>(count, 99);
  *out++ = static_cast<char>('0' + shown / 10);
  *out++ = static_cast<char>('0' + shown % 10);
  return out;
}

bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// First and last character of the first protocol, or of its hex form when either could not be shown.
char* write_protocol(const ClientHello& hello, char* out) noexcept {
  char first = '0', last = '0';
  if (!hello.protocols.empty()) {
    const std::string_view name = *hello.protocols.begin();
    first = name.front();
    last = name.back();
    if (!is_alphanumeric(first) || !is_alphanumeric(last)) {
      first = kHexDigits[static_cast<std::uint8_t>(first) >> 4];
      last = kHexDigits[static_cast<std::uint8_t>(last) & 15];
    }
  }
  *out++ = first;
  *out++ = last;
  return out;
}

/// Returns: how many suites are no GREASE; the hash covers them sorted.
std::size_t hash_suites(const ClientHello& hello, Ja4Hash& hash) noexcept {
  std::array<std::uint16_t, kMaxSortedSuites> sorted;
  std::size_t count = 0;
  for (const std::uint16_t suite : hello.suites) {
    if (is_grease(suite)) continue;
    if (count < sorted.size()) sorted[count] = suite;
    ++count;
  }
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(count, sorted.size()));
  std::sort(sorted.begin(), end);
  std::for_each(sorted.begin(), end, [&hash](std::uint16_t suite) { hash.add(suite); });
  return count;
}

/// Returns: how many extensions are no GREASE. Name and protocol are told elsewhere, so the hash leaves them out.
std::size_t hash_extensions(const ClientHello& hello, Ja4Hash& hash) noexcept {
  std::array<std::uint16_t, kMaxExtensions> sorted;
  std::size_t count = 0, hashed = 0;
  for (const Extension extension : hello.extensions) {
    if (is_grease(extension.type)) continue;
    ++count;
    if (extension.type != kServerName && extension.type != kAlpn) sorted[hashed++] = extension.type;
  }
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(hashed);
  std::sort(sorted.begin(), end);
  std::for_each(sorted.begin(), end, [&hash](std::uint16_t type) { hash.add(type); });
  if (hello.signature_schemes.empty()) return count;
  hash.add_separator();
  for (const std::uint16_t scheme : hello.signature_schemes) {
    if (!is_grease(scheme)) hash.add(scheme);
  }
  return count;
}

}  // namespace

Ja3 ja3(const ClientHello& hello) noexcept {
  MD5_CTX md5;
  MD5_Init(&md5);
  Ja3Field{md5}.add(hello.legacy_version);
  MD5_Update(&md5, ",", 1);
  Ja3Field{md5}.add_list(hello.suites);
  MD5_Update(&md5, ",", 1);
  Ja3Field extensions{md5};
  for (const Extension extension : hello.extensions) {
    if (!is_grease(extension.type)) extensions.add(extension.type);
  }
  MD5_Update(&md5, ",", 1);
  Ja3Field{md5}.add_list(hello.groups);
  MD5_Update(&md5, ",", 1);
  Ja3Field formats{md5};
  for (const std::uint8_t format : hello.point_formats) formats.add(format);
  std::array<std::uint8_t, MD5_DIGEST_LENGTH> digest;
  MD5_Final(digest.data(), &md5);
  Ja3 out;
  write_hex(digest, out.begin());
  return out;
}

Ja4 ja4(const ClientHello& hello) noexcept {
  Ja4Hash suites, extensions;
  const std::size_t suite_count = hash_suites(hello, suites);
  const std::size_t extension_count = hash_extensions(hello, extensions);
  Ja4 text;
  char* out = text.data();
  *out++ = 't';  // over TCP
  out = std::copy_n(version_code(hello).data(), 2, out);
  *out++ = hello.server_name.empty() ? 'i' : 'd';
  out = write_count(suite_count, out);
  out = write_count(extension_count, out);
  out = write_protocol(hello, out);
  *out++ = '_';
  out = suites.finish(out);
  *out++ = '_';
  extensions.finish(out);
  return text;
}

}  // namespace cutwater::hello
