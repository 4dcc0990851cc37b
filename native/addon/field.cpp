#include "addon/field.hpp"

namespace cutwater::addon {

Field Field::operator[](const char* key) const {
  std::string path = path_.empty() ? key : path_ + "." + key;
  if (!has_failed() && !value_.IsObject()) refuse("expected an object");
  if (has_failed()) return {value_, std::move(path), *failure_};
  Field field{value_.As<Napi::Object>().Get(key), std::move(path), *failure_};
  field.refuse_if_thrown();
  return field;
}

Field Field::at(std::uint32_t index) const {
  Field field{value_.As<Napi::Array>().Get(index), path_ + "[" + std::to_string(index) + "]", *failure_};
  field.refuse_if_thrown();
  return field;
}

std::string Field::text() const {
  if (has_failed()) return {};
  if (!value_.IsString()) {
    refuse("expected a string");
    return {};
  }
  return value_.As<Napi::String>().Utf8Value();
}

std::string Field::bytes() const {
  if (has_failed()) return {};
  if (!value_.IsTypedArray() || value_.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    refuse("expected a Uint8Array");
    return {};
  }
  const auto array = value_.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(array.Data()), array.ByteLength()};
}

bool Field::boolean() const {
  if (has_failed()) return false;
  if (!value_.IsBoolean()) {
    refuse("expected a boolean");
    return false;
  }
  return value_.As<Napi::Boolean>().Value();
}

double Field::number(double min, double max) const {
  if (has_failed()) return min;
  const double value = value_.IsNumber() ? value_.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(value >= min && value <= max) || std::trunc(value) != value) {
    refuse("expected a whole number, " + std::to_string(static_cast<std::int64_t>(min)) + " to " +
           std::to_string(static_cast<std::uint64_t>(max)));
    return min;
  }
  return value;
}

void Field::refuse(const std::string& why) const {
  if (!has_failed()) *failure_ = path_ + ": " + why;
}

void Field::refuse_if_thrown() const {
  if (value_.IsEmpty()) refuse("reading it threw");
}

}  // namespace cutwater::addon
