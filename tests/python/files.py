#!/usr/bin/env python3
"""Files that the Python packages gguf and safetensors write, read by krait; krait's, read by gguf.

    files.py KRAIT           KRAIT is the command; needs numpy, gguf and safetensors

Weights come from the generator of tests/golden, outputs are compared with the float64 loop there.  One line
is printed per check.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "golden"))
import make_mamba  # noqa: E402
import make_mamba2  # noqa: E402

CONFIG = dict(model_type="mamba", vocab_size=40, hidden_size=32, intermediate_size=64, state_size=5, conv_kernel=4,
              time_step_rank=3, num_hidden_layers=2, use_bias=True, use_conv_bias=True, tie_word_embeddings=False,
              layer_norm_epsilon=1e-5)
FALCON = dict(CONFIG, model_type="falcon_mamba", mixer_rms_eps=1e-5, use_bias=False)
SECOND = dict(model_type="mamba2", vocab_size=40, hidden_size=32, expand=2, num_heads=4, head_dim=16, state_size=24,
              n_groups=2, conv_kernel=4, num_hidden_layers=2, use_bias=False, use_conv_bias=True, tie_word_embeddings=False,
              layer_norm_epsilon=1e-5, time_step_limit=[0.0, float("inf")])
WIDE = dict(CONFIG, hidden_size=256, intermediate_size=256, time_step_rank=48, num_hidden_layers=1, use_bias=False)
SEED, STEPS = 21, 30
TOLERANCE = 2e-6                    # of the largest output, as tests/layers/test_golden.c has it
GGUF_NAMES = {"embeddings.weight": "token_embd.weight", "norm_f.weight": "output_norm.weight"}
SLOTS = {"norm": "attn_norm", "mixer.in_proj": "ssm_in", "mixer.conv1d": "ssm_conv1d", "mixer.x_proj": "ssm_x",
         "mixer.dt_proj": "ssm_dt", "mixer.A_log": "ssm_a", "mixer.D": "ssm_d", "mixer.out_proj": "ssm_out"}
TOKENS = ["<s>", "\u0120the", "\u010a"] + [f"t{i}" for i in range(30)]
BYTES = {0: "<s>", 1: " the", 2: "\\n", 3: "t0"}

passed = failed = 0


def check(name, good):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok     " if good else "FAILED ") + name, flush=True)


def run(krait, model, folder, rows, name="output"):
    """Output of `krait run` for tokens [steps] or numbers [steps, width]."""
    np.save(folder / "input.npy", rows)
    path = folder / f"{name}.npy"
    done = subprocess.run([krait, "run", str(model), "--input", str(folder / "input.npy"), "--output", str(path)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stderr.strip())
        return np.full((len(rows), 1), np.nan)
    return np.load(path)


def info(krait, model):
    done = subprocess.run([krait, "info", str(model), "--json", "--hash"], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"stderr": done.stderr}


def close(ours, theirs, tolerance=TOLERANCE):
    return ours.shape == theirs.shape and np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def gguf_name(name):
    """Hugging Face's name of a tensor of Mamba-1 as GGUF has it."""
    if name == "lm_head.weight":
        return "output.weight"
    rest = name.removeprefix("backbone.")
    if rest in GGUF_NAMES:
        return GGUF_NAMES[rest]
    layer, slot = rest.removeprefix("layers.").split(".", 1)
    stem, _, kind = slot.rpartition(".") if slot.endswith(("weight", "bias")) else (slot, "", "")
    return f"blk.{layer}.{SLOTS[stem]}" + (f".{kind}" if kind else "")


def gguf_tensor(name, tensor):
    if name.endswith("A_log"):
        return -np.exp(tensor)
    return tensor.reshape(tensor.shape[0], -1) if name.endswith("conv1d.weight") else tensor


def write_gguf(path, config, weights, kind=gguf.GGMLQuantizationType.F32, vocabulary=False):
    """With the writer of the package, the keys that llama.cpp's converter writes."""
    writer = gguf.GGUFWriter(str(path), "mamba")
    writer.add_context_length(2 ** 20)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_ssm_conv_kernel(config["conv_kernel"])
    writer.add_ssm_inner_size(config["intermediate_size"])
    writer.add_ssm_state_size(config["state_size"])
    writer.add_ssm_time_step_rank(config["time_step_rank"])
    writer.add_layer_norm_rms_eps(config["layer_norm_epsilon"])
    writer.add_ssm_dt_b_c_rms(config["model_type"] == "falcon_mamba")
    if vocabulary:
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list(TOKENS)
        writer.add_token_types([3] + [1] * (len(TOKENS) - 1))
        writer.add_token_merges(["t h", "th e"])
        writer.add_eos_token_id(0)
    matrices = ("in_proj.weight", "x_proj.weight", "out_proj.weight", "embeddings.weight", "lm_head.weight")
    for name, tensor in weights.items():
        data = gguf_tensor(name, tensor)
        if name.endswith(matrices) and kind != gguf.GGMLQuantizationType.F32:
            writer.add_tensor(gguf_name(name), gguf.quants.quantize(data, kind), raw_dtype=kind)
        else:
            writer.add_tensor(gguf_name(name), data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_gguf_written_by_python(krait, folder):
    ids = make_mamba.generate_ids(SEED, CONFIG["vocab_size"], STEPS)
    for config in (CONFIG, FALCON):
        weights = make_mamba.generate_weights(config, SEED)
        expected = make_mamba.run_float64(config, weights, ids)
        path = folder / f"{config['model_type']}.gguf"
        write_gguf(path, config, weights)
        ours = run(krait, path, folder, ids)
        check(f"{path.name} of the package gguf, float32", close(ours, expected))
    weights = make_mamba.generate_weights(CONFIG, SEED)
    expected = make_mamba.run_float64(CONFIG, weights, ids)
    for kind, tolerance in (("F16", 5e-3), ("BF16", 3e-2), ("Q8_0", 5e-2), ("Q5_1", 0.2), ("Q5_0", 0.2), ("Q4_1", 0.4), ("Q4_0", 0.4)):
        path = folder / f"{kind}.gguf"
        write_gguf(path, CONFIG, weights, gguf.GGMLQuantizationType[kind])
        ours = run(krait, path, folder, ids)
        check(f"{kind} of the package gguf", close(ours, expected, tolerance) and not close(ours, expected))


# The most that a weight may be off, as a part of the largest of its tensor.
BOUNDS = {"f32": 0, "f16": 2e-3, "bf16": 1e-2, "q8_0": 1e-2, "q6_k": 4e-2, "q5_k": 8e-2, "q4_k": 0.15, "q5_1": 5e-2,
          "q5_0": 8e-2, "q4_1": 0.1, "q4_0": 0.15}


def same_tensors(path, weights, kind):
    """Are they those of the model, as exact as the type is?  A is computed, in a way of its own."""
    found = {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
             for tensor in gguf.GGUFReader(str(path)).tensors}
    same = found.keys() == {gguf_name(name) for name in weights}
    for name, tensor in weights.items():
        data = gguf_tensor(name, tensor)
        theirs = found.get(gguf_name(name), np.zeros(data.size)).reshape(data.shape)
        bound = BOUNDS[kind] * np.abs(data).max()
        same = same and np.abs(theirs - data).max() <= max(bound, 1e-6 * name.endswith("A_log") * np.abs(data).max())
    return same


def check_gguf_written_by_krait(krait, folder):
    """Every key and every bit, as the package's reader sees them."""
    weights = make_mamba.generate_weights(CONFIG, SEED)
    source = folder / "vocabulary.gguf"
    write_gguf(source, CONFIG, weights, vocabulary=True)
    about = info(krait, source)
    check("tokens of the package gguf", about.get("tokens") == len(TOKENS) and about.get("tokenizer") == "gpt2")
    text = subprocess.run([krait, "info", str(source)], capture_output=True, text=True).stdout
    check("their bytes", all(f'{i} "{shown}"' in text for i, shown in BYTES.items()))
    for kind in BOUNDS:
        path = folder / f"krait-{kind}.gguf"
        subprocess.run([krait, "convert", "--quiet", str(source), str(path), "--type", kind], check=True)
        check(f"tensors of krait convert --type {kind}", same_tensors(path, weights, kind))
        before, after = gguf.GGUFReader(str(source)).fields, gguf.GGUFReader(str(path)).fields
        keys = [key for key in before if key.startswith(("mamba.", "tokenizer."))]
        check(f"keys of krait convert --type {kind}",
              all(key in after and after[key].contents() == before[key].contents() for key in keys
                  if key != "mamba.ssm.dt_b_c_rms") and len(keys) > 12)
    falcon = folder / "krait-falcon.gguf"
    subprocess.run([krait, "convert", "--quiet", str(folder / "falcon_mamba.gguf"), str(falcon)], check=True)
    field = gguf.GGUFReader(str(falcon)).fields.get("mamba.ssm.dt_b_c_rms")
    check("krait convert says dt_b_c_rms", field is not None and field.contents() is True)


def blocks_of(path):
    """Type and numbers of every tensor of a file, as the package has them."""
    return {tensor.name: (tensor.tensor_type.name, tensor.data, gguf.quants.dequantize(tensor.data, tensor.tensor_type))
            for tensor in gguf.GGUFReader(str(path)).tensors}


def check_blocks(krait, folder):
    """Types of 256, with rows of 256, 48 and 40 numbers: what each matrix becomes, and that krait runs on the package's numbers."""
    weights = make_mamba.generate_weights(WIDE, SEED)
    ids = make_mamba.generate_ids(SEED, WIDE["vocab_size"], STEPS)
    source = folder / "wide.gguf"
    write_gguf(source, WIDE, weights)
    found = {}
    for kind in ("q4_0", "q4_k", "q5_k", "q6_k"):
        path = folder / f"wide-{kind}.gguf"
        subprocess.run([krait, "convert", "--quiet", str(source), str(path), "--type", kind], check=True, capture_output=True)
        found[kind] = blocks_of(path)
        types = {name: type for name, (type, _, _) in found[kind].items()}
        check(f"types of krait convert --type {kind}", types["blk.0.ssm_in.weight"] == types["output.weight"] == kind.upper() and
              types["blk.0.ssm_dt.weight"] == "F16" and types["blk.0.ssm_a"] == "F32")
        check(f"tensors of krait convert --type {kind} of wide rows", same_tensors(path, weights, kind))

    # A mixture as files of llama.cpp have it: the head Q6_K, dt F16, all else Q4_K.
    mixed = {name: found["q6_k" if name in ("output.weight", "token_embd.weight") else "q4_k"][name] for name in found["q4_k"]}
    path, floats = folder / "mixed.gguf", {}
    writer = gguf.GGUFWriter(str(path), "mamba")
    for key, field in gguf.GGUFReader(str(source)).fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            writer.add_key_value(key, field.contents(), field.types[0])
    for name, (type, data, _) in mixed.items():
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType[type])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for name, tensor in weights.items():
        floats[name] = mixed[gguf_name(name)][2].reshape(tensor.shape).astype(np.float32)
        if name.endswith("A_log"):
            floats[name] = np.log(-floats[name])
    expected = make_mamba.run_float64(WIDE, floats, ids)
    ours = run(krait, path, folder, ids)
    check("a mixture of Q4_K, Q6_K and F16 of the package gguf", close(ours, expected, 5e-2) and not close(ours, expected))
    check("it is further from the model before", np.abs(ours - make_mamba.run_float64(WIDE, weights, ids)).max() >
          2 * np.abs(ours - expected).max())


def second_tensor(name, tensor):
    """Name and numbers of a tensor of Mamba-2 as llama.cpp's converter writes them."""
    rest = name.removeprefix("backbone.")
    plain = {"lm_head.weight": "output.weight", "embeddings.weight": "token_embd.weight", "norm_f.weight": "output_norm.weight"}
    if rest in plain:
        return plain[rest], tensor
    layer, slot = rest.removeprefix("layers.").split(".", 1)
    names = {"norm.weight": "attn_norm.weight", "mixer.in_proj.weight": "ssm_in.weight",
             "mixer.conv1d.weight": "ssm_conv1d.weight", "mixer.conv1d.bias": "ssm_conv1d.bias",
             "mixer.dt_bias": "ssm_dt.bias", "mixer.A_log": "ssm_a", "mixer.D": "ssm_d", "mixer.norm.weight": "ssm_norm.weight",
             "mixer.out_proj.weight": "ssm_out.weight"}
    if slot.endswith("A_log"):
        tensor = -np.exp(tensor)
    if slot in ("mixer.A_log", "mixer.D"):
        tensor = tensor.reshape(-1, 1)
    if slot == "mixer.norm.weight":
        tensor = tensor.reshape(SECOND["n_groups"], -1)
    return f"blk.{layer}.{names[slot]}", tensor.reshape(tensor.shape[0], -1) if slot.endswith("conv1d.weight") else tensor


def check_mamba2(krait, folder):
    """GGUF's mamba2 from the package, and what krait writes as the package reads it: names, shapes, numbers, keys."""
    sizes = make_mamba2.sizes(SECOND)
    weights = {name: make_mamba.generate_tensor(name, SEED, shape)
               for name, shape in make_mamba2.tensor_shapes(sizes).items()}
    tensors = dict(second_tensor(name, tensor) for name, tensor in weights.items())
    ids = make_mamba.generate_ids(SEED, SECOND["vocab_size"], STEPS)
    expected = make_mamba2.run_float64(sizes, weights, ids)
    path = folder / "mamba2.gguf"
    writer = gguf.GGUFWriter(str(path), "mamba2")
    writer.add_context_length(2 ** 20)
    writer.add_embedding_length(SECOND["hidden_size"])
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(SECOND["num_hidden_layers"])
    writer.add_ssm_conv_kernel(SECOND["conv_kernel"])
    writer.add_ssm_inner_size(64)
    writer.add_ssm_state_size(SECOND["state_size"])
    writer.add_ssm_time_step_rank(SECOND["num_heads"])
    writer.add_ssm_group_count(SECOND["n_groups"])
    writer.add_layer_norm_rms_eps(SECOND["layer_norm_epsilon"])
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    check("mamba2.gguf of the package gguf", close(run(krait, path, folder, ids), expected))

    place, written = folder / "second", folder / "second.gguf"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(SECOND))
    save_file(weights, place / "model.safetensors", metadata={"format": "pt"})
    check("a folder of mamba2", close(run(krait, place, folder, ids), expected))
    subprocess.run([krait, "convert", "--quiet", str(place), str(written)], check=True)
    found = {tensor.name: (list(tensor.shape), gguf.quants.dequantize(tensor.data, tensor.tensor_type))
             for tensor in gguf.GGUFReader(str(written)).tensors}
    check("names and shapes of krait convert", found.keys() == tensors.keys() and
          all(found[name][0] == list(reversed(tensor.shape)) for name, tensor in tensors.items()))
    check("its numbers", all(np.abs(found[name][1].reshape(tensor.shape) - tensor).max() <=
                             1e-6 * name.endswith("ssm_a") * np.abs(tensor).max() for name, tensor in tensors.items()))
    before, after = gguf.GGUFReader(str(path)).fields, gguf.GGUFReader(str(written)).fields
    keys = [key for key in before if key.startswith("mamba2.")]
    check("its keys", len(keys) > 9 and all(key in after and after[key].contents() == before[key].contents() for key in keys))


def check_safetensors(krait, folder):
    """A folder, whole and in pieces; and a tree of krait's own in the metadata of a file."""
    weights = make_mamba.generate_weights(CONFIG, SEED)
    ids = make_mamba.generate_ids(SEED, CONFIG["vocab_size"], STEPS)
    expected = make_mamba.run_float64(CONFIG, weights, ids)
    whole, pieces = folder / "whole", folder / "pieces"
    for place in (whole, pieces):
        place.mkdir()
        (place / "config.json").write_text(json.dumps(CONFIG))
    save_file(weights, whole / "model.safetensors", metadata={"format": "pt"})
    where = {name: f"model-0000{i % 2 + 1}-of-00002.safetensors" for i, name in enumerate(weights)}
    for file in set(where.values()):
        save_file({name: weights[name] for name in weights if where[name] == file}, pieces / file)
    (pieces / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    check("a folder of the package safetensors", close(run(krait, whole, folder, ids), expected))
    check("the same in two files", close(run(krait, pieces, folder, ids), expected) and
          info(krait, pieces).get("hash") == info(krait, whole).get("hash"))
    path = folder / "pieces.gguf"
    subprocess.run([krait, "convert", "--quiet", str(pieces), str(path)], check=True)
    check("krait convert of them", same_tensors(path, weights, "f32"))

    rng = np.random.default_rng(1)
    a, b, bias = (rng.standard_normal(shape).astype(np.float32) for shape in ((24, 9), (5, 24), (5,)))
    tree = {"model_type": "krait", "version": 1, "input": {"features": 9}, "tree": {"sequence": [
        {"linear": {"width": 24, "weights": {"weight": "a"}}}, {"activation": {"kind": "relu"}},
        {"linear": {"width": 5, "weights": {"weight": "b", "bias": "c"}}}]}}
    path = folder / "own.safetensors"
    save_file({"a": a, "b": b, "c": bias}, path, metadata={"krait": json.dumps(tree)})
    rows = rng.standard_normal((17, 9)).astype(np.float32)
    theirs = np.maximum(rows.astype(np.float64) @ a.T, 0) @ b.T + bias
    check("a description in the metadata", close(run(krait, path, folder, rows), theirs))
    del tree["tree"]["sequence"][1]["activation"]["kind"]
    save_file({"a": a, "b": b, "c": bias}, path, metadata={"krait": json.dumps(tree)})
    check("a wrong one is refused by name", "kind" in info(krait, path).get("stderr", ""))


def check_pickle(krait, folder):
    """What examples/python/to_safetensors.py makes of a checkpoint of state-spaces/mamba."""
    try:
        import torch
    except ImportError:
        print("SKIP to_safetensors.py: torch is not installed")
        return
    script = Path(__file__).resolve().parent.parent.parent / "examples/python/to_safetensors.py"
    config = dict(CONFIG, hidden_size=24, intermediate_size=48, state_size=16, time_step_rank=2, use_bias=False,
                  tie_word_embeddings=True)
    weights = make_mamba.generate_weights(config, SEED)
    ids = make_mamba.generate_ids(SEED, config["vocab_size"], STEPS)
    place = folder / "original"
    place.mkdir()
    state = {name.replace("embeddings", "embedding"): torch.from_numpy(tensor) for name, tensor in weights.items()}
    state["lm_head.weight"] = state["backbone.embedding.weight"]
    torch.save(state, place / "pytorch_model.bin")
    (place / "config.json").write_text(json.dumps(dict(
        d_model=24, n_layer=2, vocab_size=37, ssm_cfg={}, rms_norm=True, residual_in_fp32=True, fused_add_norm=True,
        pad_vocab_size_multiple=8)))
    check("a pickle's message names the script", "to_safetensors.py" in info(krait, place).get("stderr", ""))
    subprocess.run([sys.executable, str(script), str(place)], check=True, capture_output=True)
    check("to_safetensors.py", close(run(krait, place, folder, ids), make_mamba.run_float64(config, weights, ids)))


def main():
    krait = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in (check_gguf_written_by_python, check_gguf_written_by_krait, check_blocks, check_mamba2,
                     check_safetensors, check_pickle):
            try:
                part(krait, folder)
            except (ValueError, IndexError, KeyError, subprocess.CalledProcessError) as error:
                check(f"{part.__name__}: {error}", False)       # a file that a package cannot read
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
