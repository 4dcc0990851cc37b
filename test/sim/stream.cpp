#include "sim/stream.hpp"

#include <algorithm>
#include <cstring>

namespace cutwater::sim {

void PlainStream::pump(std::size_t budget, std::uint64_t now) {
  budget_ = budget;
  if (!preamble_.says.empty() && tcp_.is_established()) {
    const auto taken = tcp_.write(preamble_.says, now);
    preamble_.says.erase(preamble_.says.begin(), preamble_.says.begin() + static_cast<std::ptrdiff_t>(taken));
  }
  hear_preamble(now);
}

void PlainStream::hear_preamble(std::uint64_t now) {
  if (preamble_.introduced && trouble_.empty()) {
    auto introduction = read_introduction(tcp_.readable(), *preamble_.introduced);
    trouble_ = std::move(introduction.trouble);
    if (introduction.bytes == 0 || !trouble_.empty()) return;
    tcp_.consume(introduction.bytes, now);
    preamble_.introduced.reset();
  }
  const auto ready = tcp_.readable();
  const auto bytes = std::min(ready.size(), preamble_.hears.size());
  if (bytes == 0 || preamble_.introduced || !trouble_.empty()) return;
  if (!std::equal(ready.begin(), ready.begin() + static_cast<std::ptrdiff_t>(bytes), preamble_.hears.begin())) trouble_ = "another hello than the client's";
  preamble_.hears.erase(preamble_.hears.begin(), preamble_.hears.begin() + static_cast<std::ptrdiff_t>(bytes));
  tcp_.consume(bytes, now);
}

std::size_t PlainStream::read(MutableBytes out, std::uint64_t now) {
  hear_preamble(now);
  const auto ready = tcp_.readable();
  const auto bytes = std::min({ready.size(), out.size(), budget_});
  if (bytes == 0 || preamble_.introduced || !preamble_.hears.empty() || !trouble_.empty()) return 0;
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
