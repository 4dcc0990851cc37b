# What the ports need beyond their sources: the XDP program, compiled here and embedded as bytes, and the kernel-side libraries.
# Debian: clang libbpf-dev libxdp-dev libelf-dev zlib1g-dev libnftables-dev libmnl-dev libpcap-dev linux-libc-dev
find_program(CUTWATER_CLANG NAMES clang clang-14 clang-15 clang-16 clang-19 REQUIRED)
set(CUTWATER_XDP_SOURCE ${CMAKE_CURRENT_SOURCE_DIR}/native/xdp/redirect.bpf.c)
set(CUTWATER_XDP_OBJECT ${CMAKE_CURRENT_BINARY_DIR}/redirect.bpf.o)
set(CUTWATER_XDP_BYTES ${CMAKE_CURRENT_BINARY_DIR}/xdp_object.cpp)
add_custom_command(
  OUTPUT ${CUTWATER_XDP_OBJECT}
  COMMAND ${CUTWATER_CLANG} -target bpf -O2 -g -Wall -Wextra -Werror
          -I/usr/include/${CMAKE_CXX_LIBRARY_ARCHITECTURE} -c ${CUTWATER_XDP_SOURCE} -o ${CUTWATER_XDP_OBJECT}
  DEPENDS ${CUTWATER_XDP_SOURCE} ${CMAKE_CURRENT_SOURCE_DIR}/native/xdp/steer_key.h
  COMMENT "XDP program" VERBATIM)
add_custom_command(
  OUTPUT ${CUTWATER_XDP_BYTES}
  COMMAND ${CMAKE_COMMAND} -DOBJECT=${CUTWATER_XDP_OBJECT} -DOUTPUT=${CUTWATER_XDP_BYTES}
          -P ${CMAKE_CURRENT_SOURCE_DIR}/native/port/embed.cmake
  DEPENDS ${CUTWATER_XDP_OBJECT} ${CMAKE_CURRENT_SOURCE_DIR}/native/port/embed.cmake
  COMMENT "XDP program as bytes" VERBATIM)
target_sources(cutwater PRIVATE ${CUTWATER_XDP_BYTES})

# Shared: Debian's libbpf.a and libelf.a are not position-independent, so they cannot go into an add-on, and libpcap's static form would
# pull in dbus and systemd.
find_library(CUTWATER_XDP NAMES xdp REQUIRED)
find_library(CUTWATER_BPF NAMES bpf REQUIRED)
find_library(CUTWATER_ELF NAMES elf REQUIRED)
find_library(CUTWATER_Z NAMES z REQUIRED)
find_library(CUTWATER_NFTABLES NAMES nftables REQUIRED)
find_library(CUTWATER_MNL NAMES mnl REQUIRED)
find_library(CUTWATER_PCAP NAMES pcap REQUIRED)
target_link_libraries(cutwater PUBLIC ${CUTWATER_XDP} ${CUTWATER_BPF} ${CUTWATER_ELF} ${CUTWATER_Z}
                      ${CUTWATER_NFTABLES} ${CUTWATER_MNL} ${CUTWATER_PCAP})
