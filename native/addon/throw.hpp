// Failures of the engine as JavaScript errors with a `code`, which src/native/binding.ts turns into a CutwaterError.
// Thread: control (JavaScript's).
#pragma once

#include <napi.h>

#include <exception>
#include <string>

#include "engine/engine.hpp"

namespace cutwater::addon {

/// Throws into JavaScript. Returns: an empty value, for `return throw_error(…)`.
Napi::Value throw_error(Napi::Env env, const engine::Error& error);
Napi::Value throw_error(Napi::Env env, const char* code, const std::string& message);

/// Calls `work` and keeps C++ exceptions (out of memory, out of threads) from crossing into Node, which would end the process.
template <class Work>
Napi::Value guarded(Napi::Env env, Work&& work) {
  try {
    return work();
  } catch (const std::exception& e) {
    return throw_error(env, "NATIVE_FAILED", e.what());
  }
}

}  // namespace cutwater::addon
