# The TLS library's sprintf calls go to hex_format.cpp, which says why. `-u` pulls it out of the archive wherever they are linked.
target_link_options(cutwater PUBLIC LINKER:--wrap=__sprintf_chk LINKER:-u,__wrap___sprintf_chk)
