"""What the benchmarks share: one command measured, both sides in turn, and a table against the budgets."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Sample:
    """One command, measured from outside: seconds of wall clock and of CPU (user and system), and peak memory in MB.

    The memory is that of its largest process (Linux counts in KiB), and never below this process's own, because the
    child's count starts before it has loaded its program.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one budget is about: every sample of both sides, in the order in which they were taken."""

    what: str
    budget: float  # ours may take at most this many times theirs
    ours: list[Sample] = field(default_factory=list)
    theirs: list[Sample] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of ours over the median of theirs."""
        return _median(self.ours) / _median(self.theirs)

    @property
    def holds(self) -> bool:
        """Whether we are within the budget."""
        return self.ratio <= self.budget


def measure(command: Sequence[str | Path], folder: Path) -> Sample:
    """Runs a command in a folder until it ends; exits with what it printed when it fails."""
    log = folder / "output.log"
    with log.open("wb") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)  # the usage of this child alone, which getrusage cannot tell
        wall_s = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        text = log.read_text(encoding="utf-8", errors="replace")
        sys.exit(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{text[-4000:]}")
    return Sample(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def environment() -> dict[str, str]:
    """The environment of what is measured: ours, but that byte code may be written, whatever the shell says.

    Nobody's installed command compiles itself at every start, and its workers at each of theirs.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def in_turn(comparison: Comparison, ours: Callable[[], Sample], theirs: Callable[[], Sample]) -> None:
    """Measures both sides once, so that what else the machine does falls on both."""
    comparison.theirs.append(theirs())
    comparison.ours.append(ours())


def required(program: str, how_to_get_it: str) -> str:
    """The path of a program that a benchmark compares with; exits with how to get it where it is missing."""
    path = shutil.which(program)
    if path is None:
        sys.exit(f"{program} is not installed, and this benchmark compares with it: {how_to_get_it}")
    return path


def aggregator() -> list[str]:
    """The command that runs this interpreter's aggregator."""
    script = Path(sys.executable).with_name("aggregator")
    return [str(script)] if script.exists() else [sys.executable, "-m", "aggregator"]


def machine() -> str:
    """One line that says what was measured and where."""
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    revision = "no git revision"
    if shutil.which("git"):
        described = subprocess.run(git, capture_output=True, text=True, check=False)
        revision = described.stdout.strip() or revision
    return f"revision {revision} · {len(os.sched_getaffinity(0))} CPUs · Python {platform.python_version()}"


def table(comparisons: Sequence[Comparison], other: str) -> str:
    """The comparisons as lines for people: medians, with the best and the worst behind them."""
    head = ("", "ours, s", f"{other}, s", "ratio", "budget", "", "our CPU, s", "our peak, MB")
    rows = [head, *(_row(comparison) for comparison in comparisons)]
    columns = [_column(cells, to_the_left=index in {0, 5}) for index, cells in enumerate(zip(*rows, strict=True))]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*columns, strict=True))


def _column(cells: Sequence[str], *, to_the_left: bool) -> list[str]:
    width = max(map(len, cells))
    return [cell.ljust(width) if to_the_left else cell.rjust(width) for cell in cells]


def _row(comparison: Comparison) -> tuple[str, ...]:
    return (
        comparison.what,
        _spread(comparison.ours),
        _spread(comparison.theirs),
        f"{comparison.ratio:.2f}",
        f"≤ {comparison.budget:.2f}",
        "within" if comparison.holds else "OVER",
        f"{statistics.median(sample.cpu_s for sample in comparison.ours):.2f}",
        f"{max(sample.peak_mb for sample in comparison.ours):.0f}",
    )


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.wall_s for sample in samples)


def _spread(samples: Sequence[Sample]) -> str:
    walls = [sample.wall_s for sample in samples]
    return f"{statistics.median(walls):.2f} ({min(walls):.2f}-{max(walls):.2f})"
