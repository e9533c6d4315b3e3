"""Tokenizers, sampling, and text that is the command's for the same seed."""

import copy
import json
import pickle

import numpy as np
import pytest

import krait
from conftest import MODELS

TEXT = "It was a dark and stormy night"


@pytest.fixture
def generate(command):
    def run(*options):
        text = command("generate", MODELS / "mamba-novels.gguf", "--quiet", *options)
        assert text.endswith(b"\n")
        return text[:-1].decode("utf-8", "replace")
    return run


@pytest.mark.parametrize("words, options", [
    (["--seed", "3"], dict(seed=3)),
    (["--temperature", "0"], dict(temperature=0)),
    (["--top-k", "5", "--top-p", "0.9", "--min-p", "0.05", "--repetition", "1.2", "--temperature", "1.1"],
     dict(top_k=5, top_p=0.9, min_p=0.05, repetition=1.2, temperature=1.1)),
    (["--stop", "the", "--stop", "and"], dict(stop=["the", "and"])),
    (["--stop-at-end"], dict(stop_at_end=True)),
    (["--chunk", "3"], dict(chunk=3)),
])
def test_generate_as_the_command(novels, generate, words, options):
    for prompt in (TEXT, ""):
        wanted = generate("--prompt", prompt, "--tokens", "120", *words)
        generation = novels.generate(prompt, tokens=120, **options)
        pieces = list(generation)
        assert "".join(pieces) == wanted == generation.text


def test_generate_of_ids(novels, generate):
    ids = novels.tokenizer.encode(TEXT)
    assert "".join(novels.generate(ids, tokens=50)) == generate("--prompt", TEXT, "--tokens", "50")
    assert "".join(novels.generate(TEXT.encode(), tokens=50)) == generate("--prompt", TEXT, "--tokens", "50")


def test_reasons(novels):
    generation = novels.generate(TEXT, tokens=20)
    assert generation.reason is None
    for _ in generation:
        pass
    assert generation.reason == "tokens" and len(generation.ids) == 20
    assert next(generation, None) is None
    generation = novels.generate(TEXT, tokens=500, stop="e")
    text = "".join(generation)
    assert generation.reason == "stop" and "e" not in text and generation.ids[-1] == ord("e")
    generation = novels.generate(TEXT, tokens=2000, stop_at_end=True)
    "".join(generation)
    assert generation.reason == "end" and generation.ids[-1] == novels.end_token
    assert list(novels.generate(TEXT, tokens=0)) == []


def test_a_text_goes_on(novels):
    state = novels.state()
    first = novels.generate(TEXT, tokens=30, state=state)
    text = "".join(first)
    fresh = novels.state()
    fresh.run(novels.tokenizer.encode(TEXT + text), rows="none")
    assert state.hash() == fresh.hash()
    rest = novels.generate(", he said", tokens=10, state=state, rng=first.rng)
    assert "".join(rest) and rest.rng is first.rng
    generation = novels.generate(TEXT, tokens=30, state=(other := novels.state()))
    next(generation)
    generation.close()
    assert generation.reason == "closed" and list(generation) == []
    fresh = novels.state()
    fresh.run(novels.tokenizer.encode(TEXT) + generation.ids, rows="none")
    assert other.hash() == fresh.hash()
    with pytest.raises(krait.ArgumentError, match="prompt"):
        novels.generate("", state=state)
    with pytest.raises(krait.ArgumentError, match="lane"):
        novels.generate(TEXT, state=novels.state(lanes=2))


def test_generate_refuses(motion, novels):
    with pytest.raises(krait.UnsupportedError, match="tokens"):
        motion.generate("x")
    with pytest.raises(krait.ArgumentError, match="top_k"):
        novels.generate("x", top_k=-1)
    with pytest.raises(krait.ArgumentError):
        list(novels.generate("x", temperature=-1))


class Fixed(krait.Generation):
    """Tokens of the test's own instead of the model's."""
    script = []

    def next_token(self):
        self.ids.append(self.script[len(self.ids)])
        return self.ids[-1]


def test_characters_stay_whole(novels):
    Fixed.script = list("aé€😀z".encode())
    pieces = list(Fixed(novels, TEXT, tokens=len(Fixed.script)))
    assert pieces == ["a", "é", "€", "😀", "z"]
    Fixed.script = list("é".encode()[:1]) + list(b"b")
    assert "".join(Fixed(novels, TEXT, tokens=2)) == "\ufffdb"
    Fixed.script = list("€".encode()[:2])
    assert "".join(Fixed(novels, TEXT, tokens=2)) in ("\ufffd", "\ufffd\ufffd")


def test_stops_hold_back(novels):
    Fixed.script = list(b"one STO two STOP three")
    generation = Fixed(novels, TEXT, tokens=22, stop=["STOP", "STAND"])
    pieces = list(generation)
    assert "".join(pieces) == "one STO two " and generation.reason == "stop"
    assert all(piece not in ("S", "ST", "STO") for piece in pieces) and "STO " in pieces
    Fixed.script = list(b"one STO")
    assert "".join(Fixed(novels, TEXT, tokens=7, stop=["STOP"])) == "one STO"
    Fixed.script = list("x€y".encode())
    assert "".join(Fixed(novels, TEXT, tokens=5, stop="€")) == "x"
    Fixed.script = list(b"aab")
    assert "".join(Fixed(novels, TEXT, tokens=3, stop="ab")) == "a"
    Fixed.script = list(b"abcd")
    assert "".join(Fixed(novels, TEXT, tokens=4, stop=["cd", "bcd", ""])) == "a"


def test_rng():
    logits = np.zeros(50, np.float32)
    draw = lambda rng, n=20: [krait.sample(logits, rng=rng, temperature=1.0) for _ in range(n)]
    rng = krait.Rng(7)
    draw(rng)
    fork, packed = copy.copy(rng), pickle.dumps(rng)
    wanted = draw(rng)
    assert draw(fork) == wanted == draw(pickle.loads(packed))
    assert draw(krait.Rng(7)) != draw(krait.Rng(8))
    assert krait.Rng(7).words == krait.Rng(7).words and "Rng" in repr(rng)


def test_sample():
    logits = np.array([0, 3, 2, 3], np.float32)
    before = logits.copy()
    assert krait.sample(logits) == 1 and krait.sample(list(map(float, logits))) == 1
    assert krait.sample(logits, repetition=2.0, recent=[1]) == 3
    assert (logits == before).all()
    with pytest.raises(krait.ArgumentError):
        krait.sample(logits, temperature=1.0)
    with pytest.raises(TypeError, match="float32"):
        krait.sample(logits.astype(np.float64))
    with pytest.raises(krait.ArgumentError, match="row"):
        krait.sample(logits.reshape(2, 2))
    with pytest.raises(krait.ArgumentError):
        krait.sample(np.zeros(0, np.float32))


def test_tokenizer(novels):
    tokenizer = novels.tokenizer
    assert tokenizer is novels.tokenizer and len(tokenizer) == 256 and tokenizer.encodes
    assert tokenizer.encode("aé") == [97, 0xC3, 0xA9] == tokenizer.encode("aé".encode())
    assert tokenizer.decode([97, 0xC3, 0xA9]) == "aé" and tokenizer.decode_bytes([0xC3]) == b"\xc3"
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""
    assert tokenizer.end is None and tokenizer.begin is None and tokenizer.unknown is None
    assert tokenizer.token(65).bytes == b"A"
    for bad in (256, -1):
        with pytest.raises(krait.ArgumentError):
            tokenizer.token(bad)
        with pytest.raises(krait.ArgumentError):
            tokenizer.decode([bad])
    with pytest.raises(ValueError):
        tokenizer.decode([2**40])
    decoder = tokenizer.decoder()
    assert [decoder.push(byte) for byte in "é".encode()] == [b"", "é".encode()]
    decoder.push(0xE2)
    fork = copy.copy(decoder)
    assert decoder.finish() == b"\xe2" == fork.finish()
    with pytest.raises(ValueError):
        decoder.push(-1)
    novels.close()
    assert tokenizer.encode("a") == [97]            # it holds the model


def test_tokenizer_json(tmp_path):
    # GPT-2's letters for bytes: printable ones are themselves, the others follow from U+0100.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    vocabulary = {"<e>": 0, **{letter: i + 1 for i, letter in enumerate(letters)}, "ab": 300}
    b = vocabulary["b"]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": 0, "content": "<e>", "special": True, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False}],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                          "use_regex": True},
        "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True,
                                            "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": vocabulary, "merges": ["a b"]}}))
    with krait.Tokenizer(path) as tokenizer, krait.Tokenizer(path.read_bytes()) as same:
        assert tokenizer.encode("ab<e>b", special=True) == [300, 0, b] == same.encode("ab<e>b", special=True)
        assert tokenizer.token(0).special and tokenizer.decode([300, 0]) == "ab"
        assert tokenizer.decode([300, 0], special=True) == "ab<e>"
    with pytest.raises(krait.ClosedError):
        tokenizer.encode("a")
    with pytest.raises(krait.FileError):
        krait.Tokenizer(tmp_path / "none.json")
    with pytest.raises(krait.Error):
        krait.Tokenizer(b"{}")


def test_models_without_a_vocabulary(motion):
    assert motion.tokenizer is None
