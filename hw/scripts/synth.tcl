# Synthesizes both tops with Vitis HLS: vitis_hls -f hw/scripts/synth.tcl [part]. The reports are then read by report.py:
#   python3 hw/scripts/report.py build/hls/*/card/syn/report/record_*_top_csynth.xml
# Has not been run: no vendor tool was at hand when it was written. Its options are those of UG1399 (2023.2).

set root [file normalize [file join [file dirname [info script]] .. ..]]
set part [expr {[llength $argv] > 2 ? [lindex $argv 2] : "xcu55c-fsvh2892-2L-e"}]
set period_ns 4.0 ;# 250 MHz: a block of 16 bytes a clock is 32 Gb/s

foreach top {record_seal_top record_open_top} {
  file mkdir [file join $root build hls]
  cd [file join $root build hls]
  open_project -reset $top
  set_top cutwater::hw::$top
  add_files [file join $root hw top $top.cpp] -cflags "-std=c++17 -I[file join $root hw] -DCUTWATER_VENDOR_TYPES"
  open_solution -reset card -flow_target vivado
  set_part $part
  create_clock -period $period_ns -name clock
  # Stages, lanes and queues (64 entries at most) are registers; the plaintext buffer stays a memory.
  config_array_partition -complete_threshold 64
  # Without a reset of its own a register keeps what it had: keys must not outlive a reset.
  config_rtl -reset all
  csynth_design
  export_design -format ip_catalog -rtl verilog -vendor cutwater -library card -version 0.1 -ipname $top
  close_project
}
exit
