"""`make bench [BENCH=name] [PEERS=0]`: our figures beside the peers', on one machine in one run.

It prints a table and writes `.headrace/bench/<name>.json` with the raw samples, versions and the machine. Figures are
for reading: nothing fails because of them.
"""

import importlib
import sys
from pathlib import Path

BENCHES = ("serving", "bus", "delivery", "drift", "ingest", "append", "audit", "registry", "end_to_end")


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all; returns the exit code."""
    sys.path.insert(0, str(Path(__file__).parent))
    if unknown := [name for name in names if name not in BENCHES]:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    for name in names or BENCHES:
        bench = importlib.import_module(name).run()
        print(bench.table(), flush=True)
        print(f"raw samples: {bench.write()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
