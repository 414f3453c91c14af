"""Prints the tables of docs/benchmarks/README.md from docs/benchmarks/peers.json.

python benchmarks/peers_table.py
"""

import json

from measure import RESULTS
from peers_cases import BASE, CASES, OTHER, PEERS, Part

COLUMNS = {
    "total": "whole run", "first_step": "until the first step ends", "step": "a step", "text": "text",
    "decode": "decoding", "cpu": "processors",
}  # fmt: skip
MEMORY = ("peak, of it mapped", "on disk")


def main() -> None:
    """One table for each case of whole runs, one for all single calls, one for the quality."""
    cases = json.loads((RESULTS / "peers.json").read_text(encoding="utf-8"))["cases"]
    for name, found in cases.items():
        if not isinstance(CASES[name], Part):
            print(f"\n{name}: {found['what']}\n")
            _whole(found["peers"])
    parts = {name: found for name, found in cases.items() if isinstance(CASES[name], Part)}
    if parts:
        _calls(parts)
    for found in cases.values():
        _quality(found["peers"])


def _whole(peers: dict[str, dict]) -> None:
    _line("", *COLUMNS.values(), *MEMORY)
    _line(*["---"] * (len(COLUMNS) + len(MEMORY) + 1))
    for title, row in peers.items():
        memory = f"{_size(row['resident_mb'])}, {_size(row['mapped_mb'])}"
        _line(title, *(_seconds(row[key]) for key in COLUMNS), memory, _size(row["disk_mb"]))
    for other in (BASE, OTHER):
        if other in peers:
            print(f"\nratios of the whole run and of the peak to {other}:")
            for title, row in peers.items():
                ratio = row[f"ratio_to_{other}"]
                print(f"  {title:26} {ratio['total']:.2f}  {ratio['resident_mb']:.2f}")


def _calls(parts: dict[str, dict]) -> None:
    titles = [title for title in PEERS if any(title in found["peers"] for found in parts.values())]
    print()
    _line("one call", *titles)
    _line(*["---"] * (len(titles) + 1))
    for found in parts.values():
        rows = found["peers"]
        _line(found["what"], *(_seconds(rows[title]["call"]) if title in rows else "" for title in titles))


def _quality(peers: dict[str, dict]) -> None:
    known = {title: row["psnr_db"] for title, row in peers.items() if row.get("psnr_db")}
    if known:
        print()
        _line(*known)
        _line(*["---"] * len(known))
        _line(*(f"{each['least']}, {each['mean']} dB" for each in known.values()))


def _line(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |")


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 100 else f"{value:.3g} s"


def _size(megabytes: float) -> str:
    return f"{megabytes / 1e3:.1f} GB" if megabytes >= 100 else f"{megabytes:.0f} MB"


if __name__ == "__main__":
    main()
