#include "addon/engine_object.hpp"

#include <algorithm>

#include "addon/convert.hpp"
#include "addon/field.hpp"
#include "addon/throw.hpp"

namespace cutwater::addon {

Napi::Function EngineObject::define(Napi::Env env, std::shared_ptr<Alive>& alive) {
  return DefineClass(env, "Engine",
                     {
                         InstanceMethod<&EngineObject::Start>("start"),
                         InstanceMethod<&EngineObject::Apply>("apply"),
                         InstanceMethod<&EngineObject::CounterNames>("counterNames"),
                         InstanceMethod<&EngineObject::Counters>("counters"),
                         InstanceMethod<&EngineObject::TakeEvents>("takeEvents"),
                         InstanceMethod<&EngineObject::Trace>("trace"),
                         InstanceMethod<&EngineObject::TakeTrace>("takeTrace"),
                         InstanceMethod<&EngineObject::Flows>("flows"),
                         InstanceMethod<&EngineObject::Failures>("failures"),
                         InstanceMethod<&EngineObject::Servers>("servers"),
                         InstanceMethod<&EngineObject::Admit>("admit"),
                         InstanceMethod<&EngineObject::Judge>("judge"),
                         InstanceMethod<&EngineObject::Close>("close"),
                     },
                     &alive);
}

EngineObject::EngineObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info), alive_(*static_cast<std::shared_ptr<Alive>*>(info.Data())) {
  alive_->objects.insert(this);
}

EngineObject::~EngineObject() { alive_->objects.erase(this); }

Napi::Value EngineObject::Start(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto config = to_engine_config(info[0]);
    if (!config) return throw_error(info.Env(), config.error());
    const auto report = engine_.start(*config);
    for (auto& service : config->services) wipe_keys(service.tls);
    return report ? to_js(info.Env(), *report) : throw_error(info.Env(), report.error());
  });
}

Napi::Value EngineObject::Apply(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto services = to_services(info[0]);
    if (!services) return throw_error(info.Env(), services.error());
    const auto applied = engine_.apply(*services);
    for (auto& service : *services) wipe_keys(service.tls);
    return applied ? info.Env().Undefined() : throw_error(info.Env(), applied.error());
  });
}

Napi::Value EngineObject::CounterNames(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    named_ = engine_.counters();
    auto names = Napi::Array::New(info.Env(), named_.size());
    for (std::uint32_t i = 0; i < named_.size(); ++i) {
      auto entry = Napi::Object::New(info.Env());
      entry.Set("name", named_[i].name);
      entry.Set("service", named_[i].service);
      names.Set(i, entry);
    }
    return names;
  });
}

/// Values in the order of CounterNames(); null when the list of counters has changed since, which the caller answers by
/// asking for the names again.
Napi::Value EngineObject::Counters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto counters = engine_.counters();
    if (!has_same_names(counters)) return info.Env().Null();
    auto values = Napi::BigUint64Array::New(info.Env(), counters.size());
    for (std::size_t i = 0; i < counters.size(); ++i) values[i] = counters[i].value;
    return values;
  });
}

bool EngineObject::has_same_names(const std::vector<engine::Counter>& counters) const {
  return std::equal(counters.begin(), counters.end(), named_.begin(), named_.end(),
                    [](const auto& a, const auto& b) { return a.name == b.name && a.service == b.service; });
}

Napi::Value EngineObject::TakeEvents(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return to_js(info.Env(), engine_.take_events()); });
}

Napi::Value EngineObject::Trace(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::string failure;
    const auto capacity = Field{info[0], "capacity", failure}.integer<std::uint32_t>();
    if (!failure.empty()) return throw_error(info.Env(), "CONFIG_INVALID", failure);
    engine_.trace(capacity);
    return info.Env().Undefined();
  });
}

Napi::Value EngineObject::TakeTrace(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return to_js(info.Env(), engine_.take_trace()); });
}

Napi::Value EngineObject::Flows(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::string failure;
    const auto limit = Field{info[0], "limit", failure}.integer<std::uint32_t>();
    if (!failure.empty()) return throw_error(info.Env(), "CONFIG_INVALID", failure);
    return to_js(info.Env(), engine_.flows(limit));
  });
}

Napi::Value EngineObject::Failures(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return to_js(info.Env(), engine_.failures()); });
}

Napi::Value EngineObject::Servers(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return to_js(info.Env(), engine_.servers()); });
}

Napi::Value EngineObject::Admit(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::string failure;
    const std::string service = Field{info[0], "service", failure}.text(), server = Field{info[1], "server", failure}.text();
    const auto admission = Field{info[2], "admission", failure}.choice<balance::Admission>(
        {{"enabled", balance::Admission::enabled}, {"draining", balance::Admission::draining}});
    if (!failure.empty()) return throw_error(info.Env(), "CONFIG_INVALID", failure);
    const auto done = engine_.admit(service, server, admission);
    return done ? info.Env().Undefined() : throw_error(info.Env(), done.error());
  });
}

Napi::Value EngineObject::Judge(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::string failure;
    const std::string service = Field{info[0], "service", failure}.text(), server = Field{info[1], "server", failure}.text();
    const auto health =
        Field{info[2], "health", failure}.choice<balance::Health>({{"up", balance::Health::up}, {"down", balance::Health::down}});
    if (!failure.empty()) return throw_error(info.Env(), "CONFIG_INVALID", failure);
    const auto is_news = engine_.judge(service, server, health);
    return is_news ? Napi::Boolean::New(info.Env(), *is_news) : throw_error(info.Env(), is_news.error());
  });
}

Napi::Value EngineObject::Close(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    engine_.close();
    return info.Env().Undefined();
  });
}

}  // namespace cutwater::addon
