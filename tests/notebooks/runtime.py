"""A pytest plugin that adds up the time of each notebook's cells; a slow machine is reported, never failed."""

from collections import defaultdict

LIMIT = 90
_seconds: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report):
    if report.when == "call":
        _seconds[report.nodeid.split("::")[0]] += report.duration


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("notebook run time")
    for notebook, seconds in sorted(_seconds.items()):
        remark = f"  (over the {LIMIT} s that a lesson may take on two cores)" if seconds > LIMIT else ""
        terminalreporter.write_line(f"{seconds:7.1f} s  {notebook}{remark}")
