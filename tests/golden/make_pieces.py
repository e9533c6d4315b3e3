#!/usr/bin/env python3
"""Record what SentencePiece makes of every fifth text of tokens/texts.bin, with two small models.

    venv/bin/pip install sentencepiece==0.2.3 gguf==0.19.0
    venv/bin/python tests/golden/make_pieces.py

The models (BPE; one falls back on bytes and has user-defined symbols, one knows unknown characters and
puts no space before a text) are trained here on this repository's documents and written as GGUF without
tensors: tests/golden/tokens/pieces-bytes.gguf, pieces-unknown.gguf; the texts and ids as make_tokens.py
does: pieces-*.bin.
"""
import io
import pathlib

import gguf
import sentencepiece

FOLDER = pathlib.Path(__file__).resolve().parent / "tokens"
ROOT = FOLDER.parents[2]
MODELS = {
    "bytes": dict(byte_fallback=True, user_defined_symbols=["<|user|>", "é", "return"], vocab_size=900),
    "unknown": dict(byte_fallback=False, add_dummy_prefix=False, vocab_size=500),
}


def texts():
    data = (FOLDER / "texts.bin").read_bytes()
    at = 8

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        varint()
        n = varint()
        yield data[at:at + n]
        at += n
        for _ in range(varint()):
            varint()


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def valid(raw):
    try:
        return b"\0" not in raw and raw.decode() is not None
    except UnicodeDecodeError:
        return False


corpus = [line for path in sorted(ROOT.glob("docs/*.md")) + [ROOT / "README.md"]
          for line in path.read_text().split("\n") if line.strip()]
chosen = [t for t in texts() if valid(t)][::5] + [b"<s>a</s><unk> <0x0A>", b"  <|user|>x <|user|>", "▁a▁▁ b".encode()]
for name, options in MODELS.items():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=model, model_type="bpe", normalization_rule_name="identity",
        remove_extra_whitespaces=False, minloglevel=2, num_threads=1, character_coverage=0.999, **options)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    kinds = [gguf.TokenType.CONTROL if sp.is_control(i) else gguf.TokenType.UNKNOWN if sp.is_unknown(i) else
             gguf.TokenType.BYTE if sp.is_byte(i) else gguf.TokenType.USER_DEFINED
             if sp.id_to_piece(i) in options.get("user_defined_symbols", []) else gguf.TokenType.NORMAL
             for i in range(sp.get_piece_size())]
    w = gguf.GGUFWriter(FOLDER / f"pieces-{name}.gguf", "none")
    w.add_tokenizer_model("llama")
    w.add_token_list([sp.id_to_piece(i).encode() for i in range(sp.get_piece_size())])
    w.add_token_scores([sp.get_score(i) for i in range(sp.get_piece_size())])
    w.add_token_types(kinds)
    w.add_bos_token_id(sp.bos_id())
    w.add_eos_token_id(sp.eos_id())
    w.add_unk_token_id(sp.unk_id())
    w.add_add_space_prefix(options.get("add_dummy_prefix", True))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()
    out = bytearray(b"krTOK1\n\0")
    for text in chosen:
        ids, before = sp.encode(text.decode()), 0
        out += varint(0) + varint(len(text)) + text + varint(len(ids))
        for i in ids:
            out += varint(2 * (i - before) if i >= before else 2 * (before - i) - 1)
            before = i
    (FOLDER / f"pieces-{name}.bin").write_bytes(out)
    print(name, sp.get_piece_size(), "pieces", len(chosen), "texts", len(out), "bytes")
