// A hint to a synthesis tool, or the name its reports have for the loop that follows. Nothing elsewhere: a compiler warns of both.
// Not here: interface pragmas, which stand in top/ alone.
#pragma once

#ifdef __SYNTHESIS__
#define CUTWATER_LOOP(name) \
  name:
#define CUTWATER_HLS(text) _Pragma(#text)
#else
#define CUTWATER_LOOP(name)
#define CUTWATER_HLS(text)
#endif
