#include "secure/key_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cutwater::secure {

KeyLog::KeyLog(const std::string& path) {
  file_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file_ < 0) {
    error_ = path + ": " + std::strerror(errno);
    return;
  }
  struct stat about {};
  const bool is_file = ::fstat(file_, &about) == 0 && S_ISREG(about.st_mode);
  if (is_file && ::fchmod(file_, 0600) != 0)
    error_ = path + ": cannot be made private";  // an old file may be open to all
}

KeyLog::~KeyLog() {
  if (file_ >= 0) ::close(file_);
}

void KeyLog::append(std::string_view line) noexcept {
  if (file_ < 0) return;
  iovec parts[] = {{const_cast<char*>(line.data()), line.size()}, {const_cast<char*>("\n"), 1}};
  // A full disk must not end handshakes: a line that cannot be written is lost.
  [[maybe_unused]] const ssize_t written = ::writev(file_, parts, 2);
}

}  // namespace cutwater::secure
