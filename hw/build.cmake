# The cipher core as software: the tops (each one card), and an engine that drives them as a driver would. For tests and fuzz targets alone;
# the product links nothing of it.
if(NOT TARGET cutwater_card)
  add_library(cutwater_card STATIC hw/top/record_seal_top.cpp hw/top/record_open_top.cpp hw/tb/card_engine.cpp)
  target_include_directories(cutwater_card PUBLIC hw)
  target_link_libraries(cutwater_card PUBLIC cutwater)
endif()
