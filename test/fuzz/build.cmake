# One libFuzzer target for each fuzz_<parser>.cpp, with address and undefined-behaviour sanitizers. Needs clang:
#   cmake -S . -B build/fuzz -G Ninja -DCUTWATER_FUZZ=ON -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang && ninja -C build/fuzz
#   build/fuzz/fuzz_record test/fuzz/corpus/record -max_total_time=60
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "CUTWATER_FUZZ needs clang: configure with -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang")
endif()
option(CUTWATER_FUZZ_SANITIZE "OFF: fuzz targets without sanitizers, for many more executions; play what grew with them" ON)
if(CUTWATER_FUZZ_SANITIZE)
  set(CUTWATER_FUZZ_SANITIZERS -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_compile_options(cutwater_options INTERFACE ${CUTWATER_FUZZ_SANITIZERS})
  target_link_options(cutwater_options INTERFACE ${CUTWATER_FUZZ_SANITIZERS})
endif()
include(test/support/native/build.cmake)
# The tests' own code need not guide the fuzzer, and its loops over bytes would take most of the time.
file(GLOB CUTWATER_UNGUIDED test/support/native/*.cpp test/sim/frame.cpp test/sim/seeded_openssl.cpp)
set_source_files_properties(${CUTWATER_UNGUIDED} PROPERTIES COMPILE_OPTIONS -fno-sanitize=fuzzer-no-link)
file(GLOB CUTWATER_FUZZERS CONFIGURE_DEPENDS test/fuzz/fuzz_*.cpp)
foreach(source ${CUTWATER_FUZZERS})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE test)
  target_link_libraries(${name} PRIVATE cutwater_rig cutwater_card cutwater)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endforeach()
