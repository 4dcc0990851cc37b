# The Node add-on. Only cmake-js sets CMAKE_JS_INC, so a plain CMake build of library and tests needs no Node.
if(CMAKE_JS_INC)
  file(GLOB CUTWATER_ADDON_SOURCES CONFIGURE_DEPENDS native/addon/*.cpp)
  add_library(cutwater_addon MODULE ${CUTWATER_ADDON_SOURCES})
  set_target_properties(cutwater_addon PROPERTIES PREFIX "" SUFFIX ".node" OUTPUT_NAME cutwater
    LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/addon/exports.map)
  target_include_directories(cutwater_addon SYSTEM PRIVATE ${CMAKE_JS_INC})
  target_compile_definitions(cutwater_addon PRIVATE NAPI_VERSION=8 NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS
    NODE_ADDON_API_DISABLE_DEPRECATED)
  target_link_libraries(cutwater_addon PRIVATE cutwater)
  # Node has its own OpenSSL in the same process. Ours must neither be found by Node nor find Node's: nothing but the entry
  # points is exported, and references inside the library are bound inside it (test/unit/native/symbols.test.ts).
  target_link_options(cutwater_addon PRIVATE
    -Wl,--exclude-libs,ALL -Wl,-Bsymbolic -Wl,-z,now -Wl,-z,relro
    -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/native/addon/exports.map)
endif()
