"""Vidrt beside what one would take instead, in turn, on the same checkpoint and request, each run a process of its own.

    python benchmarks/peers.py WORK [CASE ...] [--genai PYTHON] [--rounds 2] [--warmups 1] [--only NAME ...] [--make]

WORK keeps what is made for it, gigabytes of random weights and engines. CASE is one of `peers_cases.py`'s, by default
those that say most; results of cases that are not run are kept. PYTHON is that of an environment with openvino-genai
and optimum-intel; without it openvino-genai is left out. --make only makes what is to be played. Both sides follow
diffusers' conventions.

The first case of a call is taken once before it counts, later ones only where PyTorch compiles: files are then known.
Seconds are the clock's from the start of the process on; `cpu` are the processors', all threads together. Compiled
kernels of PyTorch are kept between runs, so that only its first one compiles: that one is in `first_run`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import RESULTS, median, write
from peers_cases import BASE, CASES, ESSENTIAL, OTHER, PEERS, Part, Peer, Video
from peers_made import HERE, Made, disk_mb
from watching import RunError, watched

COMPARED = ("total", "first_step", "step", "text", "decode", "call", "cpu", "resident_mb")
VERSIONS = """
import json
from importlib.metadata import version
names = ("openvino-genai", "openvino", "openvino-tokenizers", "optimum-intel", "transformers", "torch")
print(json.dumps({name: version(name) for name in names}))
"""


def main() -> None:
    """Takes the cases one after the other and writes each as it ends."""
    options = _options()
    made = Made(options.work.resolve(), options.genai)
    with tempfile.TemporaryDirectory() as caches:
        for name in options.cases or ESSENTIAL:
            _take(name, CASES[name], made, options, _environment(caches))
            options.warm = True


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--genai", metavar="PYTHON", help="openvino-genai's interpreter")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--warmups", type=int, default=1)
    parser.add_argument("--only", action="append", metavar="NAME", help="a peer; the results of others are kept")
    parser.add_argument("--make", action="store_true", help="make what is played, and stop")
    options = parser.parse_intermixed_args()
    for known, given in ((CASES, options.cases), (PEERS, options.only or ())):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"{unknown[0]} is none of {', '.join(known)}")
    options.warm = False  # whether a case was taken already
    return options


def _environment(caches: str) -> dict[str, str]:
    """Caches of these cases alone, and modules compiled as an installed package's are."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        "TORCHINDUCTOR_CACHE_DIR": f"{caches}/inductor", "VIDRT_HOME": f"{caches}/vidrt", "XDG_CACHE_HOME": caches,
        "PYTHONPYCACHEPREFIX": f"{caches}/modules", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip


def _take(name: str, case: Video | Part, made: Made, options: argparse.Namespace, environment: dict[str, str]) -> None:
    peers = {title: peer for title, peer in PEERS.items() if _takes_part(title, peer, case, made, options.only)}
    folders = {title: made.folder(peer, case.checkpoint) for title, peer in peers.items()}
    if options.make:
        return
    print(f"{name}: {case.title}; about {case.minutes} minutes where nothing else runs", flush=True)
    commands = {title: _command(peer, case, folders[title], made) for title, peer in peers.items()}
    warmups = {
        title: 0 if options.warm and peer.kind != "compiled" else options.warmups for title, peer in peers.items()
    }
    runs: dict[str, list[dict[str, float]]] = {title: [] for title in peers}
    failed: dict[str, str] = {}
    for number in range(options.warmups + options.rounds):
        begin = time.monotonic()
        for title, command in commands.items():
            if title in failed or number < options.warmups - warmups[title]:
                continue
            try:
                runs[title].append(watched(command, environment).figures)
            except RunError as error:
                failed[title] = str(error)
            _tell(number, title, runs[title], failed.get(title))
        left = (options.warmups + options.rounds - 1 - number) * (time.monotonic() - begin) / 60
        print(f"  round {number} done; {left:.0f} minutes left at this pace", flush=True)
        if number >= options.warmups:
            rows = {
                title: _row(peers[title], case, folders[title], found, warmups[title])
                for title, found in runs.items()
                if title not in failed
            }
            _keep(name, case, rows, failed, options)
    if isinstance(case, Video) and case.prompts:
        _add_quality(rows, folders, case)
        _keep(name, case, rows, failed, options)


def _takes_part(title: str, peer: Peer, case: Video | Part, made: Made, only: list[str] | None) -> bool:
    """Whether there is something for a peer to do: genai where it plays the checkpoint, int8 where there is one."""
    if only and title not in only:
        return False
    if peer.kind == "genai":
        return case.checkpoint.genai_plays_it and made.genai is not None
    if isinstance(case, Video) or peer.plays != "int8":
        return True
    return case.component != "vae_decoder" and peer.how != "auto"


def _command(peer: Peer, case: Video | Part, folder: Path, made: Made) -> list[str]:
    numbers = [str(number) for number in case.size]
    if isinstance(case, Part):
        kind = "openvino" if peer.kind == "genai" else peer.kind
        return [sys.executable, str(HERE / "peers_part.py"), kind, case.component, str(folder), peer.how, *numbers]
    numbers += [str(case.steps), str(case.guidance)]
    if peer.kind == "genai":
        return [str(made.genai), str(HERE / "peers_genai.py"), str(folder), peer.how, *numbers]
    return [sys.executable, str(HERE / "peers_one.py"), peer.kind, str(folder), peer.how, *numbers]


def _tell(number: int, title: str, runs: list[dict[str, float]], failure: str | None) -> None:
    if failure is not None:
        print(f"  {number} {title:26} failed, {failure}", flush=True)
        return
    print(f"  {number} {title:26}", "  ".join(f"{key} {value:.4g}" for key, value in runs[-1].items()), flush=True)


def _row(peer: Peer, case: Video | Part, folder: Path, runs: list[dict[str, float]], warmups: int) -> dict[str, object]:
    counted = runs[warmups:]
    row: dict[str, object] = {key: round(median([run[key] for run in counted]), 4) for key in runs[0]}
    key = "total" if isinstance(case, Video) else "call"
    whole = {"disk_mb": round(disk_mb(folder), 1)} if isinstance(case, Video) else {}
    first = {"first_run": {name: round(value, 4) for name, value in runs[0].items()}} if warmups else {}
    return {
        "computes": peer.computes,
        **row,
        **whole,
        f"{key}_of_runs": [round(run[key], 4) for run in counted],
        **first,
    }


def _add_quality(rows: dict[str, dict[str, object]], folders: dict[str, Path], case: Video) -> None:
    """PSNR of frames against diffusers in fp32, by one process that plays all."""
    own = [sys.executable, str(HERE / "peers_quality.py"), str(case.prompts)]
    asked = [f"{PEERS[title].kind}={PEERS[title].how}={folders[title]}" for title in rows]
    sizes = [*map(str, case.size), str(case.steps), str(case.guidance)]
    done = subprocess.run([*own, *sizes, *asked], check=True, stdout=subprocess.PIPE, text=True)
    for title, decibels in zip(rows, json.loads(done.stdout.splitlines()[-1]), strict=True):
        rows[title]["psnr_db"] = decibels
        print(f"  {title:26} PSNR {decibels}")


def _keep(name: str, case: Video | Part, rows: dict, failed: dict[str, str], options: argparse.Namespace) -> None:
    path = RESULTS / "peers.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    cases = known.get("cases", {})
    before = cases.get(name, {}).get("peers", {}) if options.only else {}
    merged = {**before, **rows}
    merged = {title: {**merged[title], **_ratios(merged[title], merged)} for title in PEERS if title in merged}
    cases[name] = {"what": case.title, "date": time.strftime("%Y-%m-%d"), "rounds": options.rounds, "peers": merged}
    if failed:
        cases[name]["failed"] = {title: reason.splitlines()[-1] for title, reason in failed.items()}
    versions = {"openvino-genai": _genai_versions(options.genai)} if options.genai else {}
    kept = {**known.get("environments", {}), **versions}
    write("peers", {"environments": kept, "cases": {each: cases[each] for each in CASES if each in cases}})
    for title, row in merged.items():
        print(f"  {title:26}", "  ".join(f"{key} {row[key]}" for key in row if key.startswith("ratio")))


def _ratios(row: dict, rows: dict[str, dict]) -> dict[str, dict[str, float]]:
    """How often as long, and as large, as the two that others are measured by."""
    keys = [key for key in COMPARED if key in row]
    return {
        f"ratio_to_{other}": {key: round(row[key] / rows[other][key], 3) for key in keys if rows[other][key]}
        for other in (BASE, OTHER)
        if other in rows
    }


def _genai_versions(python: str) -> dict[str, str]:
    done = subprocess.run([python, "-c", VERSIONS], check=True, capture_output=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
