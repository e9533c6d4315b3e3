#!/usr/bin/env python3
"""peers.py - krait beside llama.cpp and mamba.c: the same files, in turns, in the same minutes.

    python3 tests/bench/peers.py --krait .build/cc/krait --llama FOLDER MODEL.gguf ...
        --llama FOLDER      with llama-bench, llama-batched-bench and llama-completion
        --mamba-c 'PROGRAM FILE'    for float32 decoding; it is given a number of tokens and one of rounds
                            and prints {"rates": [tokens per second, ...]}
        --what decode,prefill,lanes,start   --threads 1,2   --rounds 5   --lanes 64   --rows 512
        --panels            krait runs from panels; else from the peer's own file, packed at opening
        --json FILE         all figures of all rounds

Each round measures the memory's bandwidth, krait, then the peer; every other round the peer first.  A
ratio is of two figures of one round; of all rounds the median stands in the table, with the least and
the most.  Above 1, krait is faster, or needs less.  On a busy machine figures are worth little and ratios more.

Written for Python 3.11 and llama.cpp 3f545becc; Linux.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

PROMPT = 64


class Measured:
    """One process: what it printed, its wall clock and CPU seconds, its peak memory in MB."""

    def __init__(self, command, threads):
        begun = time.monotonic()
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment,
                                       stdin=subprocess.DEVNULL)
            self.text = process.stdout.read().decode(errors="replace")
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            self.errors = errors.read().decode(errors="replace")
        self.seconds = time.monotonic() - begun
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak = usage.ru_maxrss * 1024 / 1e6
        if process.returncode:
            raise RuntimeError("%s: %s" % (" ".join(command), self.errors[-400:]))


def last_json(text, start="{"):
    """The text from the first line that begins like JSON."""
    return json.loads(text[text.index(start):])


class Krait:
    name = "krait"

    def __init__(self, args):
        self.args = args

    def _bench(self, model, threads, only, lanes, rows):
        found = Measured([self.args.krait, "bench", model, "--json", "--only", only, "--threads", str(threads),
                          "--lanes", str(lanes), "--rows", str(rows), "--chunk", str(self.args.chunk),
                          "--seconds", str(self.args.seconds)], threads)
        report = last_json(found.text)
        self.bandwidth = report["memory_bytes_per_second"]
        return report["figures"][0][only + "_rows_per_second"]

    def decode(self, model, threads):
        return self._bench(model, threads, "decode", 1, 16)

    def lanes(self, model, threads):
        return self._bench(model, threads, "decode", self.args.lanes, 16)

    def prefill(self, model, threads):
        return self._bench(model, threads, "prefill", 1, self.args.rows)

    def start(self, model, threads):
        return Measured([self.args.krait, "generate", model, "--prompt", "a" * PROMPT, "--tokens", "2", "--quiet",
                         "--threads", str(threads), "--temperature", "0"], threads)


class Llama:
    name = "llama.cpp"

    def __init__(self, args):
        self.args = args

    def _program(self, name):
        return os.path.join(self.args.llama, name)

    def _bench(self, model, threads, prompt, tokens):
        found = Measured([self._program("llama-bench"), "-m", model, "-t", str(threads), "-p", str(prompt), "-n",
                          str(tokens), "-r", "1", "-o", "json"], threads)
        return last_json(found.text, "[")[0]["avg_ts"]

    def decode(self, model, threads):
        return self._bench(model, threads, 0, self.args.tokens)

    def prefill(self, model, threads):
        return self._bench(model, threads, self.args.rows, 0)

    def lanes(self, model, threads):
        found = Measured([self._program("llama-batched-bench"), "-m", model, "-t", str(threads), "-tb", str(threads),
                          "-npp", "1", "-ntg", "8", "-npl", str(self.args.lanes), "-c", str(16 * self.args.lanes),
                          "--output-format", "jsonl"], threads)
        line = [line for line in found.text.splitlines() if line.startswith("{")][-1]
        return json.loads(line)["speed_tg"]

    def start(self, model, threads):
        return Measured([self._program("llama-completion"), "-m", model, "-t", str(threads), "-tb", str(threads),
                         "-p", "a" * PROMPT, "-n", "2", "-c", "4096", "-no-cnv", "--temp", "0", "--no-display-prompt"],
                        threads)


class MambaC:
    name = "mamba.c"

    def __init__(self, args):
        self.program = args.mamba_c.split()
        self.args = args

    def decode(self, model, threads):
        found = Measured(self.program + [str(self.args.tokens), "1"], threads)
        return last_json(found.text)["rates"][0]


def spread(numbers, form="%.2f"):
    return (form + " (" + form + "..." + form + ")") % (statistics.median(numbers), min(numbers), max(numbers))


def one_round(pair, what, model, threads, turned):
    """What both reach; where one cannot, the reason."""
    figures = {}
    for program in reversed(pair) if turned else pair:
        figures[program.name] = getattr(program, what)(model if program.name != "krait" else program.file, threads)
    return figures


def compare(krait, peer, what, model, threads, args, rows):
    name = os.path.basename(model)
    print("%-26s %-8s %d threads, %s ..." % (name, what, threads, peer.name), file=sys.stderr, flush=True)
    rounds, bandwidths = [], []
    try:
        for i in range(args.rounds):
            rounds.append(one_round((krait, peer), what, model, threads, i % 2))
            bandwidths.append(getattr(krait, "bandwidth", 0) / 1e9)
    except (RuntimeError, ValueError, OSError, KeyError) as why:
        print("%s, %s, %d threads: left out: %s" % (name, what, threads, str(why)[-300:]), file=sys.stderr)
        return
    if what != "start":
        ours, theirs = [r["krait"] for r in rounds], [r[peer.name] for r in rounds]
        rows.append((name, what, threads, peer.name, ours, theirs, [a / b for a, b in zip(ours, theirs)], bandwidths))
        return
    for part in ("seconds", "cpu", "peak"):
        ours, theirs = ([getattr(r[n], part) for r in rounds] for n in ("krait", peer.name))
        rows.append((name, "start, " + {"seconds": "s", "cpu": "CPU s", "peak": "peak MB"}[part], threads, peer.name,
                     ours, theirs, [b / a for a, b in zip(ours, theirs)], bandwidths))


def target(args, name, what, threads):
    for pattern, figure in args.targets.items():
        if re.search(pattern, "%s %s %d" % (name, what, threads)):
            return figure
    return ""


def print_head():
    print("| file | what | threads | peer | krait | peer's | ratio | target | GB/s then |")
    print("|---|---|---|---|---|---|---|---|---|")


def print_rows(args, rows):
    for name, what, threads, peer, ours, theirs, ratios, bandwidths in rows:
        form = "%.1f" if statistics.median(ours) >= 10 else "%.3f"
        print("| %s | %s | %d | %s | %s | %s | %s | %s | %s |" % (
            name, what, threads, peer, spread(ours, form), spread(theirs, form), spread(ratios),
            target(args, name, what, threads), spread(bandwidths, "%.1f") if any(bandwidths) else ""), flush=True)


def panels_of(args, model, folder):
    """The same numbers in panels, of the type that the large matrices have."""
    kind = re.search(r"-(f32|f16|bf16|q8_0|q4_0|q4_K)\.gguf$", model)
    path = os.path.join(folder, os.path.basename(model)[:-5] + "-panels.gguf")
    subprocess.run([args.krait, "convert", model, path, "--layout", "panels", "--quiet", "--type",
                    kind.group(1) if kind else "f32"], check=True)
    return path


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL.gguf")
    parser.add_argument("--krait", default=".build/cc/krait")
    parser.add_argument("--llama", help="folder of its programs")
    parser.add_argument("--mamba-c", help="its program, or one that times it, and its file")
    parser.add_argument("--what", default="decode,prefill,lanes,start")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--chunk", type=int, default=64, help="krait's rows at a time")
    parser.add_argument("--tokens", type=int, default=48, help="that a peer decodes for a figure")
    parser.add_argument("--seconds", type=float, default=1, help="that krait is measured for a figure")
    parser.add_argument("--panels", action="store_true")
    parser.add_argument("--targets", type=json.loads, default={},
                        help='{"mamba-130m-q4.* decode 1": 2.5, ...}: patterns over "FILE WHAT THREADS"')
    parser.add_argument("--json")
    return parser.parse_args()


def main():
    args = parse()
    krait, rows = Krait(args), []
    print_head()
    with tempfile.TemporaryDirectory() as folder:
        for model in args.models:
            peers = [Llama(args)] if args.llama else []
            if args.mamba_c and "-f32" in model:
                peers.append(MambaC(args))
            panels = panels_of(args, model, folder) if args.panels else None
            for what in args.what.split(","):
                for threads in [int(t) for t in args.threads.split(",")]:
                    for peer in peers:
                        if not hasattr(peer, what):
                            continue
                        krait.file, known = panels or model, len(rows)
                        compare(krait, peer, what, model, threads, args, rows)
                        print_rows(args, rows[known:])
            if panels:
                os.unlink(panels)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f, indent=1)


main()
