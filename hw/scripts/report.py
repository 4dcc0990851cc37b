#!/usr/bin/env python3
"""What a synthesis report of a top says: initiation interval, latency, clock, resources. Fails when the card would not be what the tests say.

Usage: report.py record_seal_top_csynth.xml...   (of the top's own module, as synth.tcl leaves it)
Exit codes: 0 a block a clock at the clock asked for, 1 not, 2 wrong usage or no such report.
"""
import sys
import xml.etree.ElementTree as ElementTree

INTERVAL_WANTED = 1  # clocks: the model takes one call a clock
RESOURCES = ("LUT", "FF", "BRAM_18K", "URAM", "DSP")


class ReportError(Exception):
    """The report lacks a figure, or it is no number."""


def text(profile, path):
    found = profile.findtext(path)
    if found is None or found.strip() == "":
        raise ReportError(f"no {path} in it")
    return found.strip()


def number(profile, path, kind):
    value = text(profile, path)
    try:
        return kind(value)
    except ValueError:
        raise ReportError(f"{path} is {value}, not a number") from None


def read(path):
    profile = ElementTree.parse(path).getroot()
    overall = "PerformanceEstimates/SummaryOfOverallLatency/"
    timing = "PerformanceEstimates/SummaryOfTimingAnalysis/"
    return {
        "top": text(profile, "UserAssignments/TopModelName"),
        "part": text(profile, "UserAssignments/Part"),
        "interval": number(profile, overall + "Interval-max", int),
        "latency": number(profile, overall + "Worst-caseLatency", int),
        "target_ns": number(profile, "UserAssignments/TargetClockPeriod", float),
        "uncertainty_ns": float(profile.findtext("UserAssignments/ClockUncertainty") or 0),
        "estimated_ns": number(profile, timing + "EstimatedClockPeriod", float),
        "resources": {
            name: (
                number(profile, f"AreaEstimates/Resources/{name}", int),
                number(profile, f"AreaEstimates/AvailableResources/{name}", int),
            )
            for name in RESOURCES
        },
    }


def complaints(report):
    if report["interval"] != INTERVAL_WANTED:
        yield f"initiation interval {report['interval']}, wanted {INTERVAL_WANTED}"
    if report["estimated_ns"] + report["uncertainty_ns"] > report["target_ns"]:
        yield f"{report['estimated_ns']} ns and {report['uncertainty_ns']} ns uncertainty do not fit {report['target_ns']} ns"
    for name, (used, available) in report["resources"].items():
        if used > available:
            yield f"{used} {name}, the part has {available}"


def show(report):
    print(f"{report['top']} on {report['part']}")
    print(f"  initiation interval {report['interval']}, latency of the step {report['latency']} clocks")
    print(f"  clock {report['estimated_ns']} ns estimated, {report['target_ns']} ns asked for")
    for name, (used, available) in report["resources"].items():
        share = f"{100 * used / available:.1f} %" if available else "none on the part"
        print(f"  {name:9}{used:>8} of {available} ({share})")


def main(paths):
    if not paths or any(path.startswith("-") for path in paths):
        print(__doc__, file=sys.stderr)
        return 2
    is_good = True
    for path in paths:
        try:
            report = read(path)
        except (OSError, ElementTree.ParseError, ReportError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 2
        show(report)
        for complaint in complaints(report):
            print(f"{report['top']}: {complaint}", file=sys.stderr)
            is_good = False
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
