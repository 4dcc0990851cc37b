#include "sim/stream.hpp"

#include <cstring>

namespace cutwater::sim {

std::size_t PlainStream::read(MutableBytes out, std::uint64_t now) {
  const auto ready = tcp_.readable();
  const auto bytes = std::min({ready.size(), out.size(), budget_});
  if (bytes == 0) return 0;
  std::memcpy(out.data(), ready.data(), bytes);
  budget_ -= bytes;
  tcp_.consume(bytes, now);
  return bytes;
}

Ending PlainStream::ending() const noexcept {
  if (tcp_.is_at_end()) return Ending::clean;
  return tcp_.failure() == TcpFailure::none ? Ending::open : Ending::failed;
}

std::string_view to_string(Ending ending) noexcept {
  static constexpr std::array<std::string_view, 4> kNames{"open", "clean", "truncated", "failed"};
  return kNames[static_cast<std::size_t>(ending)];
}

}  // namespace cutwater::sim
