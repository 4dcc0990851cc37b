// Secrets of handshakes in the format that Wireshark reads, in a file that only its owner can read. Off unless
// configured. Thread: any (one write a line; O_APPEND keeps lines whole).
#pragma once

#include <string>
#include <string_view>

namespace cutwater::secure {

class KeyLog {
 public:
  /// Opens for appending; a new file gets mode 0600. On failure error() says why and nothing is written.
  explicit KeyLog(const std::string& path);
  ~KeyLog();
  KeyLog(const KeyLog&) = delete;
  KeyLog& operator=(const KeyLog&) = delete;

  void append(std::string_view line) noexcept;
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

 private:
  int file_ = -1;
  std::string error_;
};

}  // namespace cutwater::secure
