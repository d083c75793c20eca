"""Draws charts as SVG. The same data gives the same bytes."""

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, NullLocator

NAMES = []
OURS, OTHERS = "#d9480f", "#5f7385"
# Text stays text: this is smaller, and uses the reader's font. A white background is readable on light and dark pages.
matplotlib.rcParams.update(
    {
        "svg.hashsalt": "apikee",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        # matplotlib contains the first font, and computes widths with it.
        "font.sans-serif": ["DejaVu Sans", "Verdana"],
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "figure.facecolor": "white",
    }
)


def save(figure, path):
    NAMES.append(path.name)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    # Removes the blanks that matplotlib leaves at the ends of lines.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def time(nanoseconds):
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * size or unit == "ms":
            return f"{nanoseconds / size:.3g} {unit}"


def bars(path, title, rows, log=False):
    """A bar for each (label, nanoseconds or None, is ours)."""
    figure, axes = plt.subplots(figsize=(8, 0.6 + 0.36 * len(rows)), layout="constrained")
    longest = max((value for _, value, _ in rows if value), default=1)
    for at, (label, value, ours) in enumerate(rows):
        if value:
            axes.barh(at, value, color=OURS if ours else OTHERS, height=0.7)
        axes.annotate(
            time(value) if value else "not run", (value or 0, at), xytext=(4, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title(title)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(min((value for _, value, _ in rows if value), default=1) / 3, longest * 3)
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(0, longest * 1.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time(value) if value else "0"))
    save(figure, path)


def panels(path, charts):
    """Four small charts, each of (title, [(name, points)], scale)."""
    figure, grid = plt.subplots(2, 2, figsize=(8, 5.6), layout="constrained")
    for axes, (title, lines, scale) in zip(grid.flat, charts, strict=True):
        axes.set_title(title)
        axes.grid(axis="y", color="#dddddd")
        axes.set_axisbelow(True)
        for (name, points), color in zip(lines, (OURS, OTHERS)):
            if points:
                axes.plot(*zip(*points), color=color, marker="o", markersize=4, label=name)
            else:
                axes.annotate("not run", (0.5, 0.5), xycoords="axes fraction", ha="center")
        if scale != "linear":
            axes.set_xscale("log")
        if scale == "log":
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, axes.get_ylim()[1] * 1.06)
        ticks = [at for at, _ in lines[0][1]]
        axes.set_xticks(ticks, [f"{at:,}" if at < 1024 or scale != "log" else f"{at // 1024} k" for at in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        if any(name and points for name, points in lines):
            axes.legend(frameon=False)
    save(figure, path)
