// Between JavaScript values and the engine's plain structs, both ways. The JavaScript side is src/native/contract.ts.
// Not here: what the values mean; the control plane has checked that. Thread: control (JavaScript's).
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/engine.hpp"

namespace cutwater::addon {

/// Errors: config_invalid with the path and what was expected.
Result<engine::EngineConfig, engine::Error> to_engine_config(Napi::Value value);
Result<std::vector<engine::ServiceConfig>, engine::Error> to_services(Napi::Value value);

/// Overwrites the private keys of a service that has been handed on.
void wipe_keys(secure::ServiceTls& tls) noexcept;

Napi::Value to_js(Napi::Env env, const engine::StartReport& report);
Napi::Value to_js(Napi::Env env, const std::vector<engine::Event>& events);
Napi::Value to_js(Napi::Env env, const std::vector<engine::TraceEntry>& entries);
Napi::Value to_js(Napi::Env env, const std::vector<engine::FlowEntry>& flows);
Napi::Value to_js(Napi::Env env, const std::vector<engine::FailureReport>& reports);
Napi::Value to_js(Napi::Env env, const std::vector<engine::ServerEntry>& servers);
Napi::Value to_js(Napi::Env env, const engine::BuildInfo& info);

}  // namespace cutwater::addon
