#include "invariants/half_stream.hpp"

namespace cutwater::invariants {

std::optional<std::uint64_t> HalfStream::see(const sim::Segment& segment) {
  if (segment.has(sim::kRst)) return std::nullopt;
  if (segment.has(sim::kSyn)) {
    if (!first_) first_ = segment.seq + 1;
    return std::nullopt;
  }
  if (!first_) return std::nullopt;
  auto begin = position(segment.seq);
  Bytes payload = segment.payload;
  if (begin < 0) {  // a keep-alive's byte before the first one
    const auto cut = std::min<std::size_t>(payload.size(), static_cast<std::size_t>(-begin));
    payload = payload.subspan(cut);
    begin += static_cast<std::int64_t>(cut);
    if (begin < 0) return std::nullopt;
  }
  const auto at = static_cast<std::uint64_t>(begin);
  const auto conflict = keep_ == Keep::bytes ? store(at, payload) : std::nullopt;
  const auto end = at + payload.size() + (segment.has(sim::kFin) ? 1 : 0);
  if (segment.has(sim::kFin)) {
    if (fin_at_ && *fin_at_ != at + payload.size()) return at + payload.size();
    fin_at_ = at + payload.size();
  }
  seen_.insert(at, end);
  highest_ = std::max(highest_, end);
  return conflict;
}

std::int64_t HalfStream::position(std::uint32_t number) const noexcept {
  const auto reference = *first_ + static_cast<std::uint32_t>(highest_);
  return static_cast<std::int64_t>(highest_) + static_cast<std::int32_t>(number - reference);
}

std::optional<std::uint64_t> HalfStream::store(std::uint64_t begin, Bytes bytes) {
  if (bytes.empty()) return std::nullopt;
  if (bytes_.size() < begin + bytes.size()) bytes_.resize(begin + bytes.size());
  std::optional<std::uint64_t> conflict;
  for (const auto& [from, to] : seen_.ranges()) {
    const auto stop = std::min(to, begin + bytes.size());
    for (auto at = std::max(from, begin); at < stop; ++at) {
      const bool is_fin = fin_at_ && at == *fin_at_;
      if ((is_fin || bytes_[at] != bytes[at - begin]) && !conflict) conflict = at;
    }
  }
  if (!conflict) std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin));
  return conflict;
}

}  // namespace cutwater::invariants
