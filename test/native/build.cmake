# One binary for all native tests (doctest). Tests mirror native/: test/native/a/b_test.cpp tests native/a/b.cpp.
file(GLOB_RECURSE CUTWATER_TEST_SOURCES CONFIGURE_DEPENDS test/native/*_test.cpp test/invariants/*_test.cpp
  test/differential/*_test.cpp test/conformance/*_test.cpp hw/tb/*_test.cpp)
add_executable(cutwater_tests test/native/main.cpp ${CUTWATER_TEST_SOURCES})
target_include_directories(cutwater_tests PRIVATE test)
include(test/support/native/build.cmake)
target_link_libraries(cutwater_tests PRIVATE cutwater_rig cutwater_card cutwater)
# Compiled once and run once: what matters of the tests' own code is how soon it is there. What they test is built as it ships.
target_compile_options(cutwater_tests PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1> $<$<CONFIG:RelWithDebInfo>:-g1> $<$<CONFIG:Sanitize>:-O0>)
set_source_files_properties(${CMAKE_SOURCE_DIR}/test/native/secure/process_test.cpp PROPERTIES
  COMPILE_DEFINITIONS CUTWATER_SECURE_PROGRAM="${CUTWATER_SECURE_PROGRAM}")
add_dependencies(cutwater_tests cutwater-secure)
include(test/sim/build.cmake OPTIONAL)
include(test/support/relay/build.cmake)
# The fuzz targets once more, as functions that play their stored corpora (test/fuzz/replay_test.cpp).
file(GLOB CUTWATER_REPLAYED CONFIGURE_DEPENDS test/fuzz/fuzz_*.cpp)
foreach(source ${CUTWATER_REPLAYED})
  get_filename_component(name ${source} NAME_WE)
  string(REPLACE "fuzz_" "replay_" entry ${name})
  set_source_files_properties(${source} PROPERTIES COMPILE_DEFINITIONS "LLVMFuzzerTestOneInput=${entry}")
endforeach()
target_sources(cutwater_tests PRIVATE test/fuzz/replay_test.cpp ${CUTWATER_REPLAYED})
set_source_files_properties(test/fuzz/replay_test.cpp PROPERTIES COMPILE_DEFINITIONS CUTWATER_CORPUS="${CMAKE_SOURCE_DIR}/test/fuzz/corpus")
