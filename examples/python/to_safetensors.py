#!/usr/bin/env python3
"""Make model.safetensors of pytorch_model.bin, which is a pickle and which krait therefore does not read.

    to_safetensors.py FOLDER              FOLDER holds config.json and pytorch_model.bin, or its shards
    to_safetensors.py FOLDER --to OTHER   write to OTHER, with a copy of config.json

Needs torch and safetensors.  Nothing in the pickle is run: torch loads weights only.  A tensor that is
there under two names, as a tied head is, is written under the first alone.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file


def read(folder):
    """Name -> tensor, out of one file or out of the shards that the index names."""
    index = folder / "pytorch_model.bin.index.json"
    if not index.exists():
        return torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    tensors = {}
    for name in sorted(set(json.loads(index.read_text())["weight_map"].values())):
        if Path(name).name != name:
            sys.exit(f"{index}: a shard's name is no plain file name: {name!r}")
        tensors.update(torch.load(folder / name, map_location="cpu", weights_only=True))
    return tensors


def untied(tensors):
    """Without second names of the same memory, and each in memory of its own."""
    seen, result = set(), {}
    for name, tensor in tensors.items():
        place = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
        if place in seen:
            print(f"{name}: left out, the same memory as another", file=sys.stderr)
            continue
        seen.add(place)
        result[name] = tensor.detach().clone().contiguous()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, help="where to write (default: the folder itself)")
    options = parser.parse_args()
    to = options.to or options.folder
    to.mkdir(parents=True, exist_ok=True)
    tensors = untied(read(options.folder))
    save_file(tensors, to / "model.safetensors", metadata={"format": "pt"})
    if to.resolve() != options.folder.resolve():
        shutil.copyfile(options.folder / "config.json", to / "config.json")
    print(f"{to / 'model.safetensors'}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
