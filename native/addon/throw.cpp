#include "addon/throw.hpp"

namespace cutwater::addon {

namespace {

const char* code_of(engine::ErrorCode code) {
  switch (code) {
    case engine::ErrorCode::config_invalid: return "CONFIG_INVALID";
    case engine::ErrorCode::port_unavailable: return "PORT_UNAVAILABLE";
    case engine::ErrorCode::certificate_invalid: return "CERTIFICATE_INVALID";
    case engine::ErrorCode::closed: return "CLOSED";
  }
  return "NATIVE_FAILED";
}

}  // namespace

Napi::Value throw_error(Napi::Env env, const engine::Error& error) {
  return throw_error(env, code_of(error.code), error.message);
}

Napi::Value throw_error(Napi::Env env, const char* code, const std::string& message) {
  if (env.IsExceptionPending()) return {};  // a getter of the caller's threw: that is the better message
  Napi::Error error = Napi::Error::New(env, message);
  error.Value().Set("code", Napi::String::New(env, code));
  error.ThrowAsJavaScriptException();
  return {};
}

}  // namespace cutwater::addon
