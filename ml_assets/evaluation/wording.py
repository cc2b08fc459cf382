"""How numbers, sizes and durations are written for people; what is said with them belongs elsewhere."""

from __future__ import annotations

import math


def number(value: float, digits: int = 4) -> str:
    """`value` to so many significant digits, thousands separated; "not defined" for NaN and infinities.

    Whole digits are never rounded away: 47213.4 becomes 47,213.
    """
    if not math.isfinite(value):
        return "not defined"
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -4:
        return f"{value:.{digits - 1}g}"
    return f"{value:,.{max(0, digits - 1 - magnitude)}f}"


def with_error(value: float, error: float) -> str:
    """`value ± error`, both to the place of the error's second digit."""
    if not (math.isfinite(value) and math.isfinite(error)) or error <= 0:
        return number(value)
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:,.{places}f} ± {error:,.{places}f}"


def p_value(p: float) -> str:
    """`p = 0.031`, `p < 0.001`, or that there is none."""
    if not math.isfinite(p):
        return "no p-value"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def percent(share: float) -> str:
    """A share as per cent with one decimal."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "not defined"


def size(n_bytes: float) -> str:
    """Bytes as kB or MB (powers of ten)."""
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:,.0f} kB"


def duration(seconds: float) -> str:
    """Seconds with a decimal below a minute, else minutes and seconds."""
    if not math.isfinite(seconds):
        return "not defined"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def rows_of(count: int, total: int) -> str:
    """`965 rows (4.7 %)`."""
    noun = "row" if count == 1 else "rows"
    return f"{count:,} {noun} ({percent(count / total)})" if total else f"{count:,} {noun}"


def cell(value: object) -> str:
    """A value as a table shows it: numbers whole to twelve digits, thousands separated, a missing one in words."""
    if value is None or value == "":
        return "missing"
    return f"{value:,.12g}" if isinstance(value, int | float) else str(value)


def quantity(amount: str, unit: str) -> str:
    """`5 cm`; a unit that begins with a number is multiplied: `15 × 10 000 USD`."""
    if not unit:
        return amount
    return f"{amount} × {unit}" if unit[0].isdigit() else f"{amount} {unit}"
