# cutwater-relay, the bad network between real kernels (test/e2e/impairment.test.ts). It knows nothing of the dataplane.
add_executable(cutwater-relay test/support/relay/main.cpp test/support/relay/line.cpp test/support/relay/impairment.cpp
  test/support/relay/too_big.cpp test/support/relay/wire_end.cpp)
target_link_libraries(cutwater-relay PRIVATE cutwater_options)
