"""How a loss went, as inline SVG."""

from collections.abc import Sequence

from skyreid.pages.report.section import Axes, Chart, chart_svg, round_ticks

_MOST_TICKS = 6


def loss_chart(title: str, steps: Sequence[float], losses: Sequence[float]) -> Chart:
    """Draw a loss by step.

    Args:
        title: of the drawing.
        steps: growing, at least one.
        losses: one for each step.
    """
    first, last = (steps[0], steps[-1]) if steps[-1] > steps[0] else (steps[0] - 1, steps[0] + 1)
    low, high = min(losses), max(losses)
    room = 0.05 * (high - low) or 0.5
    axes = Axes(x_range=(first, last), y_range=(min(0.0, low) if low > -room else low - room, high + room))
    whole = [tick for tick in round_ticks(first, last) if tick == int(tick)]
    grid = axes.grid(
        [(tick, f"{tick:,.0f}") for tick in whole[:: -(-len(whole) // _MOST_TICKS)]],
        [(tick, f"{tick:g}") for tick in round_ticks(*axes.y_range)],
        "step",
    )
    points = list(zip(steps, losses, strict=True))
    spoken = f"{title}: loss from {losses[0]:.3g} to {losses[-1]:.3g} in {steps[-1]:,.0f} steps"
    drawn = f'{grid}\n<path class="line" d="{axes.path(points)}"/>'
    return Chart(title=title, svg=chart_svg(spoken, drawn), keys=(), note=f"At the end {losses[-1]:.4g}.")
