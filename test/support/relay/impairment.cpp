#include "impairment.hpp"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

namespace relay {
namespace {

constexpr double kPerCent = 0.01, kMilliseconds = 1'000, kMegabits = 1e6;

}  // namespace

bool set(Impairment& i, std::string_view word) {
  const std::size_t split = word.find('=');
  if (split == std::string_view::npos || split + 1 == word.size()) return false;
  const std::string_view name = word.substr(0, split);
  const std::string text(word.substr(split + 1));
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !std::isfinite(value) || value < 0 || value > std::numeric_limits<std::int32_t>::max() / kMilliseconds) return false;
  const auto whole = [](double v) { return static_cast<std::uint32_t>(v); };
  if (name == "loss") i.loss = value * kPerCent;
  else if (name == "duplicate") i.duplicate = value * kPerCent;
  else if (name == "reorder") i.reorder = value * kPerCent;
  else if (name == "corrupt") i.corrupt = value * kPerCent;
  else if (name == "delay") i.delay_us = whole(value * kMilliseconds);
  else if (name == "jitter") i.jitter_us = whole(value * kMilliseconds);
  else if (name == "reorder-by") i.reorder_by_us = whole(value * kMilliseconds);
  else if (name == "rate") i.rate_bits_per_s = static_cast<std::uint64_t>(value * kMegabits);
  else if (name == "queue") i.queue_bytes = whole(value);
  else if (name == "mtu") i.mtu_bytes = whole(value);
  else return false;
  return true;
}

}  // namespace relay
