// The keeper of the process that the secure processors live in: starts it, gives it options, starts it again when it ends or
// hangs. Only handshakes that were in it are lost by that. Private keys are named to it, never sent.
// Not here: requests and replies (carrier.hpp), the other end (processor_server.hpp).
// Thread: check() and configure() by the control thread; it has one of its own that watches. Implements: H4, H11.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "secure/service_tls.hpp"

namespace cutwater::secure {

struct ProcessorProcessConfig {
  std::string program;               // the path of cutwater-secure
  std::vector<std::string> arguments = {};  // besides the number of threads
  std::uint32_t threads = 1;
  std::uint32_t lanes = 1;
  std::uint32_t max_handshakes = 0;
  std::string key_log_path;
  std::function<void(std::size_t thread, int file)> connect;  // a new connection for one of the threads; takes the file over
  std::function<bool()> is_stuck;                             // asked now and then: should it be ended?
};

class ProcessorProcess {
 public:
  explicit ProcessorProcess(ProcessorProcessConfig config);
  ~ProcessorProcess();  // ends the process
  ProcessorProcess(const ProcessorProcess&) = delete;
  ProcessorProcess& operator=(const ProcessorProcess&) = delete;

  /// Starts it for the first time. Returns: an empty string, or why it does not run.
  std::string start();
  /// Asks it to judge options, or to use them for service `index`; then it is given them again whenever it is started again.
  /// Returns: an empty string, or what is wrong; then nothing has changed.
  std::string check(const ServiceTls& service);
  std::string configure(std::uint32_t index, const ServiceTls& service);
  /// How often it was started again.
  [[nodiscard]] std::uint64_t restarts() const noexcept;
  /// Its number, 0 when it does not run now.
  [[nodiscard]] int pid() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cutwater::secure
