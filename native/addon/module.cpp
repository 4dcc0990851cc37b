// The add-on's entry: what JavaScript sees of the native part. The contract is src/native/contract.ts.
// Thread: each environment (main thread, worker_threads) loads it for itself.
#include <napi.h>

#include <memory>

#include "addon/convert.hpp"
#include "addon/engine_object.hpp"
#include "addon/micro.hpp"
#include "addon/throw.hpp"

namespace cutwater::addon {

namespace {

Napi::Value BuildInfo(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return to_js(info.Env(), engine::build_info()); });
}

/// Lives as long as the environment; the class's constructor takes its `Alive` from here.
struct State {
  std::shared_ptr<Alive> alive = std::make_shared<Alive>();
};

Napi::Object start_module(Napi::Env env, Napi::Object exports) {
  auto* state = new State;  // owned by the environment
  env.SetInstanceData<State>(state);
  env.AddCleanupHook([alive = state->alive]() {
    for (auto* object : alive->objects) object->stop();
  });
  exports.Set("Engine", EngineObject::define(env, state->alive));
  exports.Set("buildInfo", Napi::Function::New<BuildInfo>(env, "buildInfo"));
  exports.Set("micro", micro_object(env));
  return exports;
}

}  // namespace

}  // namespace cutwater::addon

// The macro makes a C name from its argument, so it takes no qualified one.
static Napi::Object start_cutwater(Napi::Env env, Napi::Object exports) {
  return cutwater::addon::start_module(env, exports);
}
NODE_API_MODULE(cutwater, start_cutwater)
