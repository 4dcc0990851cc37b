// What an application sees of its connection: a byte stream with an end. Plain on the server's side, TLS on the client's.
// Thread: one run, one thread. Used by: application.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "sim/introduction.hpp"
#include "sim/tcp_endpoint.hpp"

namespace cutwater::sim {

/// How the other application's bytes ended.
enum class Ending : std::uint8_t {
  open,
  clean,      // FIN, and on a TLS stream close_notify before it
  truncated,  // a TLS stream's FIN without close_notify
  failed,     // reset, time-out, TLS alert or error
};
std::string_view to_string(Ending ending) noexcept;

enum class KeyUpdate : std::uint8_t { own, both };  // whether the peer is asked to update as well

class Stream {
 public:
  virtual ~Stream() = default;
  virtual TcpEndpoint& tcp() noexcept = 0;
  /// Moves bytes between TCP and whatever lies above it; at most `budget` bytes in.
  virtual void pump(std::size_t budget, std::uint64_t now) = 0;
  [[nodiscard]] virtual bool is_open_for_data() const noexcept = 0;
  /// Returns: how many bytes were taken; on a TLS stream all of them, as one record, or none.
  virtual std::size_t write(Bytes bytes, std::uint64_t now) = 0;
  virtual std::size_t read(MutableBytes out, std::uint64_t now) = 0;
  virtual void close_write(std::uint64_t now) = 0;
  virtual void truncate(std::uint64_t now) = 0;  // FIN and nothing before it
  virtual void close(std::uint64_t now) = 0;     // as close() of a socket: nobody reads any more
  virtual void update_key(KeyUpdate which, std::uint64_t now) = 0;
  [[nodiscard]] virtual Ending ending() const noexcept = 0;
  [[nodiscard]] virtual std::string trouble() const { return {}; }
};

/// What stands before an application's own bytes: what its stream says first, and what it has to hear first.
struct Preamble {
  std::vector<std::uint8_t> says, hears;       // hears: behind the header, if there is one
  std::optional<Introduced> introduced;
};

class PlainStream final : public Stream {
 public:
  explicit PlainStream(TcpEndpoint tcp, Preamble preamble = {}) : tcp_(std::move(tcp)), preamble_(std::move(preamble)) {}
  TcpEndpoint& tcp() noexcept override { return tcp_; }
  void pump(std::size_t budget, std::uint64_t now) override;
  bool is_open_for_data() const noexcept override { return tcp_.is_established() && preamble_.says.empty(); }
  std::size_t write(Bytes bytes, std::uint64_t now) override { return preamble_.says.empty() ? tcp_.write(bytes, now) : 0; }
  std::size_t read(MutableBytes out, std::uint64_t now) override;
  void close_write(std::uint64_t now) override { tcp_.close_write(now); }
  void truncate(std::uint64_t now) override { tcp_.close_write(now); }
  void close(std::uint64_t now) override { tcp_.close(now); }
  void update_key(KeyUpdate, std::uint64_t) override {}
  Ending ending() const noexcept override;
  std::string trouble() const override { return trouble_; }

 private:
  void hear_preamble(std::uint64_t now);

  TcpEndpoint tcp_;
  Preamble preamble_;
  std::string trouble_;
  std::size_t budget_ = ~std::size_t{0};
};

}  // namespace cutwater::sim
