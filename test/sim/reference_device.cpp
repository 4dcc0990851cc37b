// A TLS terminator out of model parts: a model TCP endpoint on each side and OpenSSL between them. It is what the real device
// replaces, so whatever a run finds wrong with both is wrong with the run. It breaks I1 by nature (it acknowledges what it only
// holds), which is the first proof that the check of I1 bites.
#include <openssl/err.h>
#include <openssl/pem.h>

#include <map>
#include <stdexcept>
#include <utility>

#include "sim/rig.hpp"

namespace cutwater::sim {
namespace {

TcpConfig device_tcp(Random& random) {
  TcpConfig c;
  c.initial_seq = static_cast<std::uint32_t>(random.next());
  c.timestamp_offset = static_cast<std::uint32_t>(random.next());
  c.regroup = Regroup::any;
  return c;
}

/// One terminated connection.
class Terminated {
 public:
  Terminated(SSL_CTX* context, const Scenario& s, std::uint16_t port, Random random)
      : front_(device_tcp(random), Host{s.device_client.mac, s.service.address}, 443, random.fork()),
        back_(device_tcp(random), Host{s.device_server.mac, s.client.address}, port, random.fork()),
        ssl_(SSL_new(context)) {
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl_);
    front_.listen();
  }
  ~Terminated() { SSL_free(ssl_); }
  Terminated(const Terminated&) = delete;
  Terminated& operator=(const Terminated&) = delete;

  TcpEndpoint& front() { return front_; }
  TcpEndpoint& back() { return back_; }

  void relay(const Scenario& s, std::uint64_t now) {
    if (const auto ready = front_.readable(); !ready.empty()) {
      BIO_write(SSL_get_rbio(ssl_), ready.data(), static_cast<int>(ready.size()));
      front_.consume(ready.size(), now);
    }
    ERR_clear_error();
    if (!is_shaken_ && front_.is_established()) is_shaken_ = SSL_do_handshake(ssl_) == 1;
    if (is_shaken_ && back_.state() == TcpState::closed && back_.failure() == TcpFailure::none && !has_connected_) {
      has_connected_ = true;
      back_.connect(s.server, 80, now);
    }
    if (has_connected_) {
      relay_up(now);
      relay_down(now);
    }
    flush(now);
    spread_failures(now);
  }
  [[nodiscard]] bool is_over() const {
    const auto ended = [](const TcpEndpoint& t) { return t.state() == TcpState::closed; };
    return ended(front_) && ended(back_);
  }

 private:
  void relay_up(std::uint64_t now) {
    std::array<std::uint8_t, 16'384> buffer;
    while (up_.size() < 100'000 && !saw_end_) {
      ERR_clear_error();
      const int n = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
      if (n > 0) {
        up_.push(Bytes{buffer}.first(static_cast<std::size_t>(n)));
        continue;
      }
      const int error = SSL_get_error(ssl_, n);
      if (error == SSL_ERROR_ZERO_RETURN) saw_end_ = true;
      else if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) is_broken_ = true;
      break;
    }
    up_.pop(back_.write(up_.view(), now));
    if (saw_end_ && up_.empty()) back_.close_write(now);
    if (!saw_end_ && front_.is_at_end()) back_.abort(now);  // truncated
  }
  void relay_down(std::uint64_t now) {
    flush(now);
    while (out_.empty() && !back_.readable().empty()) {
      const auto piece = back_.readable().first(std::min<std::size_t>(back_.readable().size(), 1'400));
      if (SSL_write(ssl_, piece.data(), static_cast<int>(piece.size())) <= 0) break;
      back_.consume(piece.size(), now);
      flush(now);
    }
    if (back_.is_at_end() && out_.empty() && !has_said_end_) {
      has_said_end_ = true;
      SSL_shutdown(ssl_);
      flush(now);
    }
    if (has_said_end_ && out_.empty()) front_.close_write(now);
  }
  void flush(std::uint64_t now) {
    char* data = nullptr;
    const long pending = BIO_get_mem_data(SSL_get_wbio(ssl_), &data);
    if (pending > 0) {
      out_.push({reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(pending)});
      BIO_reset(SSL_get_wbio(ssl_));
    }
    out_.pop(front_.write(out_.view(), now));
  }
  void spread_failures(std::uint64_t now) {
    const auto has_failed = [](const TcpEndpoint& t) { return t.failure() != TcpFailure::none; };
    if (is_broken_ || has_failed(back_)) front_.abort(now);
    if (is_broken_ || has_failed(front_)) back_.abort(now);
    if (front_.is_at_end() && !has_connected_) front_.close(now);
  }

  TcpEndpoint front_, back_;
  SSL* ssl_;
  ByteQueue up_, out_;
  bool is_shaken_ = false, has_connected_ = false, saw_end_ = false, has_said_end_ = false, is_broken_ = false;
};

class ReferenceDevice final : public Device {
 public:
  ReferenceDevice(SSL_CTX* context, const Scenario& scenario, Random random) : context_(context), scenario_(scenario), random_(random) {}

  void receive(Side side, Frame&& frame, std::uint64_t now) override {
    const auto d = decode(frame);
    if (d.kind != Decoding::tcp && d.kind != Decoding::too_big) return;
    const bool from_client = side == Side::client;
    const auto port = d.kind == Decoding::too_big ? (from_client ? d.too_big.quoted_target_port : d.too_big.quoted_source_port)
                                                  : (from_client ? d.segment.source_port : d.segment.target_port);
    auto& slot = flows_[port];
    if (slot == nullptr) {
      if (!from_client || !d.segment.has(kSyn)) return;
      slot = std::make_unique<Terminated>(context_, scenario_, port, random_.fork());
    }
    auto& tcp = from_client ? slot->front() : slot->back();
    if (d.kind == Decoding::too_big) tcp.shrink_path(d.too_big, now);
    else tcp.receive(d.segment, now);
    settle(*slot, now);
  }
  bool terminates_tcp() const override { return true; }
  std::uint64_t deadline() const override {
    std::uint64_t next = kNoTime;
    for (const auto& [port, flow] : flows_) {
      if (flow) next = std::min({next, flow->front().deadline(), flow->back().deadline()});
    }
    return next;
  }
  void run_timers(std::uint64_t now) override {
    for (auto& [port, flow] : flows_) {
      if (!flow) continue;
      if (flow->front().deadline() <= now) flow->front().run_timers(now);
      if (flow->back().deadline() <= now) flow->back().run_timers(now);
      settle(*flow, now);
    }
  }

 private:
  void settle(Terminated& flow, std::uint64_t now) {
    flow.relay(scenario_, now);
    auto front = std::exchange(flow.front().output(), {});
    auto back = std::exchange(flow.back().output(), {});
    for (auto& f : front) send(Side::client, std::move(f));
    for (auto& f : back) send(Side::server, std::move(f));
  }

  SSL_CTX* context_;
  const Scenario& scenario_;
  Random random_;
  std::map<std::uint16_t, std::unique_ptr<Terminated>> flows_;
};

class ReferenceFactory final : public DeviceFactory {
 public:
  explicit ReferenceFactory(const Credentials& c) : context_(SSL_CTX_new(TLS_server_method())) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> certificate_text{BIO_new_mem_buf(c.certificate_pem.data(), static_cast<int>(c.certificate_pem.size())), BIO_free};
    const std::unique_ptr<BIO, decltype(&BIO_free)> key_text{BIO_new_mem_buf(c.key_pem.data(), static_cast<int>(c.key_pem.size())), BIO_free};
    const std::unique_ptr<X509, decltype(&X509_free)> certificate{PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr), X509_free};
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
    if (SSL_CTX_use_certificate(context_, certificate.get()) != 1 || SSL_CTX_use_PrivateKey(context_, key.get()) != 1) {
      throw std::runtime_error("reference certificate");
    }
  }
  ~ReferenceFactory() override { SSL_CTX_free(context_); }
  std::unique_ptr<Device> make(const Scenario& scenario, const Profile&, Timeline&, Random random) override {
    return std::make_unique<ReferenceDevice>(context_, scenario, random);
  }

 private:
  SSL_CTX* context_;
};

}  // namespace

std::unique_ptr<DeviceFactory> make_reference_factory(const Credentials& credentials) { return std::make_unique<ReferenceFactory>(credentials); }

}  // namespace cutwater::sim
