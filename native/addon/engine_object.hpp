// The engine as a JavaScript object: convert, call, convert. One per `new Engine()`; the engine's threads never touch it.
// Thread: control (JavaScript's), one per environment; other environments (worker_threads) have their own objects.
#pragma once

#include <napi.h>

#include <memory>
#include <set>
#include <vector>

#include "engine/engine.hpp"

namespace cutwater::addon {

class EngineObject;

/// The objects of one environment that are alive. Its clean-up hook closes them before the environment goes, so that no
/// worker outlives the JavaScript that could have stopped it.
struct Alive {
  std::set<EngineObject*> objects;
};

class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function define(Napi::Env env, std::shared_ptr<Alive>& alive);

  explicit EngineObject(const Napi::CallbackInfo& info);
  ~EngineObject() override;
  EngineObject(const EngineObject&) = delete;
  EngineObject& operator=(const EngineObject&) = delete;

  void stop() noexcept { engine_.close(); }

 private:
  Napi::Value Start(const Napi::CallbackInfo& info);
  Napi::Value Apply(const Napi::CallbackInfo& info);
  Napi::Value CounterNames(const Napi::CallbackInfo& info);
  Napi::Value Counters(const Napi::CallbackInfo& info);
  Napi::Value TakeEvents(const Napi::CallbackInfo& info);
  Napi::Value Trace(const Napi::CallbackInfo& info);
  Napi::Value TakeTrace(const Napi::CallbackInfo& info);
  Napi::Value Flows(const Napi::CallbackInfo& info);
  Napi::Value Failures(const Napi::CallbackInfo& info);
  Napi::Value Servers(const Napi::CallbackInfo& info);
  Napi::Value Admit(const Napi::CallbackInfo& info);
  Napi::Value Judge(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  [[nodiscard]] bool has_same_names(const std::vector<engine::Counter>& counters) const;

  engine::Engine engine_;
  std::shared_ptr<Alive> alive_;
  std::vector<engine::Counter> named_;  // the counters as CounterNames() last listed them
};

}  // namespace cutwater::addon
