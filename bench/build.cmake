# One executable for each bench/micro/*.cpp and bench/path/*.cpp, named by its file.
file(GLOB CUTWATER_BENCHES CONFIGURE_DEPENDS bench/micro/*.cpp bench/path/*.cpp)
include(test/support/native/build.cmake)
foreach(source ${CUTWATER_BENCHES})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE bench)
  target_link_libraries(${name} PRIVATE cutwater_rig cutwater)
endforeach()
