// The nonce auditor's eye (nonce_audit): reads a ciphertext stream of the device from its first byte, with keys from its peer's key log and its own
// key schedule over OpenSSL's primitives, and opens every record. It knows what was sealed even when the client never got it.
// Thread: one run, one thread. Used by: flow_audit. Proves: I3, I4.
#pragma once

#include <openssl/evp.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "invariants/nonce_audit.hpp"
#include "sim/tls_client.hpp"
#include "sim/tls_server.hpp"

namespace cutwater::invariants {

struct ReadRecord {
  std::uint64_t cipher_begin = 0, cipher_end = 0;  // in the stream
  std::uint64_t plain_begin = 0, plain_end = 0;    // application data before and after it
  std::uint32_t epoch = 0;                         // 0: in clear
  std::uint64_t number = 0;                        // under that epoch's key
  std::uint8_t type = 0;                           // the inner one
  NonceAudit::Key key = 0;                         // what it was sealed under
};

class RecordReader {
 public:
  /// Told about each fragment of application data, at its offset.
  using OnData = std::function<void(std::uint64_t offset, Bytes fragment)>;
  /// The device's part in the TLS of the stream.
  enum class Part : std::uint8_t { server, client };
  explicit RecordReader(OnData on_data, Part part = Part::server) : on_data_(std::move(on_data)), part_(part) {}
  ~RecordReader() { EVP_CIPHER_CTX_free(context_); }
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  /// What a server has decided, of which the stream of a client says nothing.
  void learn(const sim::Agreement& agreement);
  /// Reads on in `stream`, of which all bytes from the first on are given; stops where a secret is not known yet.
  void read(Bytes stream, const std::vector<sim::LoggedSecret>& secrets);

  /// Bytes of the stream that left, for the first time or again: whole records among them are audited. Read first.
  void audit(std::uint64_t begin, Bytes bytes);

  [[nodiscard]] const std::vector<ReadRecord>& records() const noexcept { return records_; }
  /// The end, in ciphertext, of the last record whose plaintext ends at or before `plain`; 0 when there is none.
  [[nodiscard]] std::uint64_t cipher_end_for(std::uint64_t plain) const noexcept;
  [[nodiscard]] std::uint64_t plain_bytes() const noexcept { return plain_; }
  [[nodiscard]] std::uint64_t read_bytes() const noexcept { return at_; }
  [[nodiscard]] bool has_close_notify() const noexcept { return close_notify_; }
  [[nodiscard]] bool has_fatal_alert() const noexcept { return fatal_alert_; }
  /// TLS 1.3: its Finished was read.
  [[nodiscard]] bool has_finished() const noexcept { return is_application_epoch_; }
  /// Empty, or what is wrong with the stream. Reading ends there.
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }

 private:
  enum class Progress : std::uint8_t { done, waits };
  Progress take_record(Bytes record, const std::vector<sim::LoggedSecret>& secrets);
  Progress open(Bytes record, const std::vector<sim::LoggedSecret>& secrets);
  void take_content(std::uint8_t type, Bytes content);
  void take_handshake(Bytes content);
  void take_server_hello(Bytes message);
  void install(std::vector<std::uint8_t> secret);
  bool install_tls12(const std::vector<sim::LoggedSecret>& secrets);
  void use_key(Bytes key);
  [[nodiscard]] bool decrypt(NonceAudit::Key key, std::uint64_t number, Bytes record);
  void blame(Bytes record);

  OnData on_data_;
  Part part_;
  std::uint64_t at_ = 0, plain_ = 0;
  std::vector<ReadRecord> records_;
  std::string trouble_;
  bool close_notify_ = false, fatal_alert_ = false;

  bool is_tls13_ = false, is_protected_ = false, needs_secret_ = false, is_application_epoch_ = false;
  std::uint16_t suite_ = 0;
  std::vector<std::uint8_t> server_random_, secret_, iv_, handshake_;
  std::uint32_t epoch_ = 0;
  std::uint64_t number_ = 0;
  std::set<std::uint64_t> explicit_nonces_;  // TLS 1.2 AES-GCM: the sender chooses them, so they are watched
  std::vector<std::uint8_t> opened_;
  struct UsedKey {
    std::vector<std::uint8_t> key, iv;
  };
  std::map<NonceAudit::Key, UsedKey> keys_;  // all that this stream has been sealed under
  NonceAudit::Key key_ = 0;
  NonceAudit audit_;
  EVP_CIPHER_CTX* context_ = nullptr;
};

}  // namespace cutwater::invariants
