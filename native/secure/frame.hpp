// The frames of the hand-off protocol: a length, a kind, and fields in network order. Writing and reading of fields; what they
// mean is hand_off.hpp's. Every length is checked once, here. Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/secret_buffer.hpp"

namespace cutwater::secure {

enum class FrameKind : std::uint8_t {
  hello = 1,    // both ways, first: version and limits
  check = 2,    // dataplane: are these options sound?
  configure,    // dataplane: use these options for a service
  verdict,      // processor: the answer to the two above
  request,      // dataplane: a handshake's beginning, input or end
  reply,        // processor: what goes to the client, keys, or a failure
  taken,        // processor: so many requests have been served without a reply
};

inline constexpr std::size_t kFrameHeaderBytes = 5;  // length of what follows the header, kind

/// Appends one frame to a buffer. The frame is whole when the writer goes.
class FrameWriter {
 public:
  FrameWriter(SecretBuffer& out, FrameKind kind) : out_(out), begin_(out.size()) {
    u32(0);
    u8(static_cast<std::uint8_t>(kind));
  }
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;
  ~FrameWriter() {
    std::uint8_t length[4];
    store_be32(length, static_cast<std::uint32_t>(out_.size() - begin_ - kFrameHeaderBytes));
    out_.replace(begin_, length);
  }
  void u8(std::uint8_t v) { out_.append({&v, 1}); }
  void u16(std::uint16_t v) { put<2>(v, store_be16); }
  void u32(std::uint32_t v) { put<4>(v, store_be32); }
  void u64(std::uint64_t v) { put<8>(v, store_be64); }
  void raw(Bytes bytes) { out_.append(bytes); }
  void bytes(Bytes bytes) {
    u32(static_cast<std::uint32_t>(bytes.size()));
    out_.append(bytes);
  }
  void text(std::string_view text) { bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}); }

 private:
  template <std::size_t N, class V>
  void put(V v, void (*store)(std::uint8_t*, V) noexcept) {
    std::uint8_t field[N];
    store(field, v);
    out_.append(field);
  }
  SecretBuffer& out_;
  std::size_t begin_;
};

/// Reads the fields of one frame's body. After the first field that is not there everything reads as zero or empty.
class FrameReader {
 public:
  explicit FrameReader(Bytes body) noexcept : rest_(body) {}
  std::uint8_t u8() noexcept { return take(1) ? at_[0] : std::uint8_t{0}; }
  std::uint16_t u16() noexcept { return take(2) ? load_be16(at_) : std::uint16_t{0}; }
  std::uint32_t u32() noexcept { return take(4) ? load_be32(at_) : 0; }
  std::uint64_t u64() noexcept { return take(8) ? load_be64(at_) : 0; }
  Bytes raw(std::size_t count) noexcept { return take(count) ? Bytes{at_, count} : Bytes{}; }
  /// A field with a length of its own, of at most `most` bytes.
  Bytes bytes(std::size_t most) noexcept {
    const std::uint32_t count = u32();
    if (count > most) is_whole_ = false;
    return is_whole_ ? raw(count) : Bytes{};
  }
  std::string text(std::size_t most) {
    const Bytes field = bytes(most);
    return {reinterpret_cast<const char*>(field.data()), field.size()};
  }
  void refuse() noexcept { is_whole_ = false; }
  /// Everything was there, and nothing is left.
  [[nodiscard]] bool is_done() const noexcept { return is_whole_ && rest_.empty(); }
  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }

 private:
  bool take(std::size_t count) noexcept {
    if (!is_whole_ || rest_.size() < count) return is_whole_ = false;
    at_ = rest_.data();
    rest_ = rest_.subspan(count);
    return true;
  }
  Bytes rest_;
  const std::uint8_t* at_ = nullptr;
  bool is_whole_ = true;
};

}  // namespace cutwater::secure
