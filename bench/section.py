"""One measured table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """What was measured, how, and what came out."""

    title: str
    how: str
    header: tuple[str, ...]
    rows: list[tuple[object, ...]]

    headline: tuple[str, str] | None = None
    """What the README says of it, where it does: the question, and the figure."""

    def markdown(self) -> str:
        """Give the section as it stands in RESULTS.md."""
        lines = [self.header, ("---",) * len(self.header), *self.rows]
        table = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        return f"## {self.title}\n\n{self.how}\n\n{table}\n"
