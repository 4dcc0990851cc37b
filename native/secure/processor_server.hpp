// A secure processor as a place of its own: serves requests that come as frames, one connection for each of its threads, and
// options that come over a control connection. It alone reads the private keys, from the files that the options name.
// Ends when the other side is gone. Not here: how it was started (processor_process.hpp). Thread: see each.
// Implements: H4, H5, H11.
#pragma once

#include <string>
#include <vector>

namespace cutwater::secure {

/// The files of the connections as the process inherits them.
inline constexpr int kControlFile = 3;
inline constexpr int kFirstDataFile = 4;

/// Serves until the control connection ends. `keys`: the folder in which key files are found, by the last part of the names that
/// options give; empty: they are where the names say. Returns: the process's exit code.
int serve_processor(int control_file, const std::vector<int>& data_files, const std::string& keys = {});

}  // namespace cutwater::secure
