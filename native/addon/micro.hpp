// Single operations of the dataplane for bench/micro: the object `micro` of the add-on. Each function works on the caller's
// Uint8Array and repeats itself `batch` times, so that the cost of the call from JavaScript can be told from the operation's.
// Keys are fixed and made here; nothing of a running engine can be reached. The contract is src/native/micro-contract.ts.
// Thread: control (JavaScript's), one per environment.
#pragma once

#include <napi.h>

#include <string>

#include "addon/field.hpp"
#include "addon/throw.hpp"
#include "base/bytes.hpp"

namespace cutwater::addon {

Napi::Object micro_object(Napi::Env env);
Napi::Function define_micro_cipher(Napi::Env env);
Napi::Function define_micro_flows(Napi::Env env);

inline constexpr std::uint32_t kMaxBatch = 1'000'000;  // bounds how long JavaScript's thread is away

/// The arguments of one call, read in order; the first that is wrong is the one named.
class MicroArguments {
 public:
  explicit MicroArguments(const Napi::CallbackInfo& info) : info_(info) {}

  /// A Uint8Array of `least` to `most` bytes. It is the caller's memory: nobody else touches it while JavaScript waits for us.
  MutableBytes bytes(const char* name, std::size_t least, std::size_t most = SIZE_MAX);
  std::uint32_t number(const char* name, std::uint32_t min, std::uint32_t max);
  std::string text(const char* name) { return Field{info_[next_++], name, failure_}.text(); }
  std::uint32_t batch() { return number("batch", 1, kMaxBatch); }

  /// Empty when all went well.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  Napi::Value refuse() { return throw_error(info_.Env(), "CONFIG_INVALID", failure_); }

 private:
  const Napi::CallbackInfo& info_;
  std::size_t next_ = 0;
  std::string failure_;
};

/// Makes the compiler believe that the bytes are looked at, so that no repetition is left out.
inline void keep(const void* p) noexcept { __asm__ __volatile__("" : : "r"(p) : "memory"); }

}  // namespace cutwater::addon
