# The scripted rig round class Path, for native tests, fuzz_flow and path_bench.
if(NOT TARGET cutwater_rig)
  file(GLOB CUTWATER_RIG_SOURCES CONFIGURE_DEPENDS test/support/native/*.cpp)
  add_library(cutwater_rig STATIC ${CUTWATER_RIG_SOURCES} test/sim/frame.cpp test/sim/seeded_openssl.cpp)
  target_include_directories(cutwater_rig PUBLIC test)
  target_link_libraries(cutwater_rig PUBLIC cutwater)
endif()
