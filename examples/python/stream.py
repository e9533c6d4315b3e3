#!/usr/bin/env python3
"""Streams named as they come: motion sample by sample, speech in blocks of 10 ms.

    python3 stream.py examples/motion/walking.csv examples/audio/digit-7.wav ...

    examples/motion/walking.csv (walking)
       0.64 s  walking 66 %, walking upstairs 33 %
       1.28 s  walking 100 %
       ...
       7.68 s  walking 100 %
    384 steps, 5.5 us each in the median, of 20000 us
    from 1.28 s again, every other sample lost: walking 100 %
    examples/audio/digit-7.wav
       0.10 s  5 50 %, 7 14 %, 4 10 %
       0.20 s  5 52 %, 7 31 %, 8 9 %
       0.31 s  7 98 %
       0.42 s  7 99 %
       0.43 s  7 100 %
    44 blocks of 10 ms, 0.23 ms each in the median

What it shows: a state is made once and stepped with every sample of a sensor (a bound stepper: two arrays that stay
the same, one call); a new episode is a reset; a snapshot is a copy, from which what came after is played again with
every other sample lost and the time between rows doubled (dt).  Speech goes through run() in blocks, of which only
the last row is asked for.  Needs NumPy.
"""

import argparse
import copy
import time
import wave
from pathlib import Path

import numpy as np

import krait

MODELS = Path(__file__).resolve().parent.parent / "models"
WINDOW = 128                            # rows of an episode, as in training


def probabilities(row):
    e = np.exp(row - row.max())
    return e / e.sum()


def likeliest(row, classes):
    p = probabilities(row)
    return ", ".join(f"{classes[i]} {100 * p[i]:.0f} %" for i in np.argsort(-p)[:3] if p[i] >= 0.05)


def load(name):
    model = krait.Model(MODELS / name)
    return model, model.text("classes").split(","), float(model.text("sample_rate"))


def motion(path, every=32):
    model, classes, rate = load("s5-har.safetensors")
    recording = np.loadtxt(path, delimiter=",", dtype=np.float32)
    print(f"{path} ({path.read_text().splitlines()[0].lstrip('# ')})")
    state = model.state()
    row, out = np.zeros(model.in_width, np.float32), np.zeros(model.out_width, np.float32)
    step = state.stepper(row, out)      # all that is needed for a step stands in these two arrays
    took, kept = [], None
    for t, row[:] in enumerate(recording):
        if t % WINDOW == 0:
            state.reset()
        if t == WINDOW // 2:
            kept = copy.copy(state)     # as it is now; the stream goes on
        began = time.perf_counter()
        step()
        took.append(time.perf_counter() - began)
        if (t + 1) % every == 0:
            print(f"  {(t + 1) / rate:5.2f} s  {likeliest(out, classes)}")
    print(f"{len(took)} steps, {1e6 * np.median(took):.1f} us each in the median, of {1e6 / rate:.0f} us")
    if len(recording) >= WINDOW:
        lost = np.ascontiguousarray(recording[WINDOW // 2 + 1:WINDOW:2])
        last = kept.run(lost, dt=2.0, rows="last")
        print(f"from {WINDOW / 2 / rate:.2f} s again, every other sample lost: {likeliest(last, classes)}")


def speech(path, block=0.01, every=0.1):
    model, classes, rate = load("s4d-digits.safetensors")
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (rate, 1, 2):
            raise SystemExit(f"{path}: {rate:.0f} Hz, 1 channel, 16 bits are wanted")
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    print(path)
    count = int(rate * block)
    state = model.state(chunk=count)
    took, shown = [], 0.0
    for at in range(0, len(sound), count):
        began = time.perf_counter()
        out = state.run(sound[at:at + count], rows="last")
        took.append(time.perf_counter() - began)
        heard = min(at + count, len(sound)) / rate
        if heard >= shown + every or at + count >= len(sound):
            print(f"  {heard:5.2f} s  {likeliest(out, classes)}")
            shown = heard
    print(f"{len(took)} blocks of {1e3 * block:.0f} ms, {1e3 * np.median(took):.2f} ms each in the median")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", nargs="+", type=Path, help=".csv of motion, .wav of a spoken digit")
    for path in parser.parse_args().recordings:
        (speech if path.suffix == ".wav" else motion)(path)


if __name__ == "__main__":
    main()
