// To JavaScript: contract.ts, what the engine reports.
#include <cstdio>

#include "addon/convert.hpp"

namespace cutwater::addon {

namespace {

/// Fills one object; numbers beyond 2^53 - 1 would lose digits, and none of these gets there (bytes of one flow, milliseconds).
class ObjectOf {
 public:
  explicit ObjectOf(Napi::Env env) : env_(env), object_(Napi::Object::New(env)) {}
  ObjectOf& set(const char* key, const std::string& text) {
    object_.Set(key, Napi::String::New(env_, text));
    return *this;
  }
  template <class T>
    requires std::is_integral_v<T>
  ObjectOf& set(const char* key, T number) {
    object_.Set(key, Napi::Number::New(env_, static_cast<double>(number)));
    return *this;
  }
  [[nodiscard]] Napi::Object object() const { return object_; }

 private:
  Napi::Env env_;
  Napi::Object object_;
};

template <class T, class Convert>
Napi::Value list(Napi::Env env, const std::vector<T>& items, Convert&& convert) {
  auto array = Napi::Array::New(env, items.size());
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    const Napi::HandleScope scope(env);
    array.Set(i, convert(items[i]));
  }
  return array;
}

std::string to_text(const MacAddress& mac) {
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text.data();
}

}  // namespace

Napi::Value to_js(Napi::Env env, const engine::StartReport& report) {
  auto object = ObjectOf(env).set("aead", report.aead).object();
  object.Set("ports", list(env, report.ports, [env](const port::PortReport& port) {
    return ObjectOf(env)
        .set("device", port.device)
        .set("kind", port.kind)
        .set("attachMode", port.attach_mode)
        .set("copyMode", port.copy_mode)
        .set("queues", port.queues)
        .set("mtu", port.mtu)
        .set("ifindex", port.ifindex)
        .set("mac", to_text(port.mac))
        .object();
  }));
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<engine::Event>& events) {
  return list(env, events, [env](const engine::Event& event) {
    return ObjectOf(env)
        .set("atUs", event.at_us)
        .set("kind", event.kind)
        .set("service", event.service)
        .set("client", event.client)
        .set("detail", event.detail)
        .object();
  });
}

Napi::Value to_js(Napi::Env env, const std::vector<engine::TraceEntry>& entries) {
  return list(env, entries, [env](const engine::TraceEntry& entry) {
    return ObjectOf(env)
        .set("atUs", entry.at_us)
        .set("flow", entry.flow)
        .set("side", entry.side)
        .set("direction", entry.direction)
        .set("seq", entry.seq)
        .set("ack", entry.ack)
        .set("window", entry.window)
        .set("payloadBytes", entry.payload_bytes)
        .set("flags", entry.flags)
        .set("firstRecord", entry.first_record)
        .set("lastRecord", entry.last_record)
        .set("note", entry.note)
        .object();
  });
}

Napi::Value to_js(Napi::Env env, const std::vector<engine::FailureReport>& reports) {
  return list(env, reports, [env](const engine::FailureReport& report) {
    auto object = ObjectOf(env).set("service", report.service).object();
    object.Set("reasons", list(env, report.reasons, [env](const engine::FailureReport::Reason& reason) {
      return ObjectOf(env).set("name", reason.name).set("count", reason.count).object();
    }));
    object.Set("recent", list(env, report.recent, [env](const engine::FailureSample& sample) {
      return ObjectOf(env)
          .set("agoMs", sample.ago_ms)
          .set("client", sample.client)
          .set("serverName", sample.server_name)
          .set("reason", sample.reason)
          .set("alert", sample.alert)
          .set("detail", sample.detail)
          .object();
    }));
    return object;
  });
}

Napi::Value to_js(Napi::Env env, const std::vector<engine::FlowEntry>& flows) {
  return list(env, flows, [env](const engine::FlowEntry& flow) {
    return ObjectOf(env)
        .set("service", flow.service)
        .set("client", flow.client)
        .set("server", flow.server)
        .set("state", flow.state)
        .set("up", flow.up)
        .set("down", flow.down)
        .set("version", flow.version)
        .set("suite", flow.suite)
        .set("serverVersion", flow.server_version)
        .set("serverSuite", flow.server_suite)
        .set("upBytes", flow.up_bytes)
        .set("downBytes", flow.down_bytes)
        .set("ageMs", flow.age_ms)
        .set("idleMs", flow.idle_ms)
        .set("upSinceMs", flow.up_since_ms)
        .set("custodies", flow.custodies)
        .set("requests", flow.requests)
        .set("parked", flow.parked)
        .object();
  });
}

Napi::Value to_js(Napi::Env env, const std::vector<engine::ServerEntry>& servers) {
  return list(env, servers, [env](const engine::ServerEntry& server) {
    return ObjectOf(env)
        .set("service", server.service)
        .set("name", server.name)
        .set("address", server.address)
        .set("state", server.state)
        .set("weight", server.weight)
        .set("maxSessions", server.max_sessions)
        .set("sessions", server.sessions)
        .set("opened", server.opened)
        .set("failures", server.failures)
        .object();
  });
}

Napi::Value to_js(Napi::Env env, const engine::BuildInfo& info) {
  return ObjectOf(env)
      .set("version", info.version)
      .set("openssl", info.openssl)
      .set("ipsecMb", info.ipsec_mb)
      .set("libxdp", info.libxdp)
      .set("compiler", info.compiler)
      .object();
}

}  // namespace cutwater::addon
