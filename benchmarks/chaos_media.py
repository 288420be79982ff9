"""2,000 damaged videos, labels and clocks: an outcome for each, no hang, no crash of the run, memory within bounds.

python benchmarks/chaos_media.py [--count 2000] [--seed 0]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.damage import write_tree

from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import Limits, plan_build, run_build, verify
from stmap_pipeline.shards import read_table

# every video is built where its pictures can be read, with a face or not
ANY = Config.from_mapping({"windows": {"length": "10 frames"}, "limits": {"max_lost_fraction": 1.0, "min_duration_s": 0.0}})


def main() -> None:
    """Write, build, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_tree(folder / "own", arguments.count, arguments.seed)
        start = time.monotonic()
        outcomes = list(run_build(plan_build("folder", source, folder / "maps", ANY), 2, limits=Limits(time_s=60)))
        took_s = time.monotonic() - start
        rows = read_table(folder / "maps" / "timings.csv")
        print(
            f"{arguments.count} recordings, {len(outcomes)} outcomes in {took_s:.0f} s, {len(verify(folder / 'maps'))} problems found by verify"
        )
        for reason, count in Counter(one.reason or "ok" for one in outcomes).most_common():
            print(f"  {count:>6}  {reason}")
        print(f"longest recording {max(row['total_s'] for row in rows if row['total_s'] > 0):.2f} s")
        print(f"peak memory of a worker {max(row['peak_memory_bytes'] or 0 for row in rows) / 1e6:.0f} MB")
        for one in outcomes:
            if one.reason in ("internal_error", "worker_died", "timed_out", "out_of_memory"):
                print(f"  {one.reason}: {one.message}")


if __name__ == "__main__":
    main()
