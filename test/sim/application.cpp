#include "sim/application.hpp"

namespace cutwater::sim {
namespace {
constexpr std::uint64_t kPatienceUs = 150'000'000;  // without a byte either way; then a server or a user gives up
}  // namespace

std::uint64_t Script::bytes_to_write() const noexcept {
  std::uint64_t bytes = 0;
  for (const auto& s : steps) bytes += s.kind == Step::Kind::write ? s.bytes : 0;
  return bytes;
}

bool Script::has(Step::Kind kind) const noexcept {
  return std::any_of(steps.begin(), steps.end(), [&](const Step& s) { return s.kind == kind; });
}

Application::Application(std::unique_ptr<Stream> stream, Script script, Content writes, Content expects)
    : stream_(std::move(stream)), script_(std::move(script)), writes_(writes), expects_(expects) {}

void Application::run(std::uint64_t now) {
  read(now);
  while (step(now)) {
  }
  stream_->pump(0, now);  // what the steps wrote
  watch_progress(now);
  const bool never_opened = !stream_->is_open_for_data() && stream_->ending() != Ending::open;
  if (never_opened && stream_->tcp().failure() == TcpFailure::none) stream_->tcp().close(now);
}

void Application::watch_progress(std::uint64_t now) {
  auto& tcp = stream_->tcp();
  const bool is_over = tcp.state() == TcpState::closed || tcp.state() == TcpState::time_wait || tcp.state() == TcpState::listen;
  const auto progress = received_ + tcp.acknowledged_bytes() + at_ + 1;
  if (is_over) {
    patience_ends_at_ = kNoTime;
  } else if (progress != progress_) {
    progress_ = progress;
    patience_ends_at_ = now + kPatienceUs;
  } else if (now >= patience_ends_at_) {
    tcp.abort(now);
    patience_ends_at_ = kNoTime;
  }
}

std::uint64_t Application::deadline() const noexcept {
  const bool reads_slowly = script_.read_every_us != 0 && stream_->is_open_for_data() && stream_->ending() == Ending::open && !stopped_reading_;
  return std::min({wake_at_, patience_ends_at_, reads_slowly ? read_at_ : kNoTime});
}

void Application::read(std::uint64_t now) {
  if (stopped_reading_) return;
  std::size_t budget = ~std::size_t{0};
  if (script_.read_every_us != 0 && stream_->is_open_for_data()) {
    budget = 0;
    if (now >= read_at_) {
      budget = script_.read_bytes;
      read_at_ = now + script_.read_every_us;
    }
  }
  stream_->pump(budget, now);
  std::array<std::uint8_t, 16'384> buffer;
  while (const auto bytes = stream_->read(buffer, now)) {
    const auto right = expects_.matches(received_, Bytes{buffer}.first(bytes));
    if (right != bytes && !wrong_) wrong_ = received_ + right;
    received_ += bytes;
  }
}

bool Application::step(std::uint64_t now) {
  if (at_ == script_.steps.size() || !stream_->is_open_for_data()) {
    wake_at_ = kNoTime;
    return false;
  }
  const Step& s = script_.steps[at_];
  if (wake_at_ != kNoTime && now < wake_at_) return false;
  const bool woke = wake_at_ != kNoTime;
  wake_at_ = kNoTime;
  switch (s.kind) {
    case Step::Kind::write:
      if (!step_write(s, now)) return false;
      break;
    case Step::Kind::await:
      if (received_ < s.bytes && stream_->ending() == Ending::open) return false;
      break;
    case Step::Kind::pause:
      if (!woke) {
        wake_at_ = now + s.us;
        return false;
      }
      break;
    case Step::Kind::update_own_key: stream_->update_key(KeyUpdate::own, now); break;
    case Step::Kind::update_both_keys: stream_->update_key(KeyUpdate::both, now); break;
    case Step::Kind::close_write:
      stream_->close_write(now);
      closed_write_ = true;
      break;
    case Step::Kind::truncate: stream_->truncate(now); break;
    case Step::Kind::abort:
      stream_->tcp().abort(now);
      stopped_reading_ = true;
      break;
    case Step::Kind::close:
      stream_->close(now);
      closed_write_ = stopped_reading_ = true;
      break;
    case Step::Kind::resize_buffer: stream_->tcp().resize_receive_buffer(static_cast<std::uint32_t>(s.bytes), now); break;
  }
  ++at_;
  step_written_ = 0;
  return true;
}

bool Application::step_write(const Step& s, std::uint64_t now) {
  std::array<std::uint8_t, 16'384> buffer;
  while (step_written_ < s.bytes) {
    const auto bytes = std::min<std::uint64_t>({s.bytes - step_written_, s.piece_bytes, buffer.size()});
    writes_.fill(written_, MutableBytes{buffer}.first(bytes));
    const auto taken = stream_->write(Bytes{buffer}.first(bytes), now);
    written_ += taken;
    step_written_ += taken;
    if (taken < bytes) return stream_->ending() == Ending::failed;  // nobody takes the rest
    if (s.us != 0 && step_written_ < s.bytes) {
      wake_at_ = now + s.us;
      return false;
    }
  }
  return true;
}

std::string Application::describe() const {
  return "step " + std::to_string(at_) + "/" + std::to_string(script_.steps.size()) + " wrote " + std::to_string(written_) + " received " +
         std::to_string(received_) + " ending " + std::string{to_string(stream_->ending())} + " " + stream_->trouble() + " tcp " +
         stream_->tcp().describe();
}

}  // namespace cutwater::sim
