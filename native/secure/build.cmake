# Calls of the TLS library that go to code of ours, which says why: its sprintf (hex_format.cpp), the key schedule of TLS 1.3
# (key_schedule.cpp), what it reads of a hello before a session (retried_session.cpp) and the draw of a server's random
# (server_random.cpp). `-u` pulls that code out of the archive wherever the library is linked.
target_link_options(cutwater PUBLIC LINKER:--wrap=__sprintf_chk LINKER:-u,__wrap___sprintf_chk)
foreach(name EVP_KDF_fetch EVP_KDF_derive EVP_Q_mac tls_parse_extension RAND_bytes_ex)
  target_link_options(cutwater PUBLIC LINKER:--wrap=${name} LINKER:-u,__wrap_${name})
endforeach()

# The secure processors as a process of their own, beside the add-on.
add_executable(cutwater-secure native/processor/main.cpp native/processor/bridge.cpp native/processor/remote.cpp)
target_link_libraries(cutwater-secure PRIVATE cutwater)
set(CUTWATER_SECURE_FOLDER ${CMAKE_BINARY_DIR})
if(CMAKE_JS_INC)
  set(CUTWATER_SECURE_FOLDER ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
endif()
set_target_properties(cutwater-secure PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CUTWATER_SECURE_FOLDER})
set(CUTWATER_SECURE_PROGRAM ${CUTWATER_SECURE_FOLDER}/cutwater-secure)
