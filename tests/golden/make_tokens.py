#!/usr/bin/env python3
"""Record what Hugging Face's tokenizers make of texts that hurt, with GPT-NeoX's tokenizer.json.

    venv/bin/pip install tokenizers==0.22.1 regex==2026.11.19 unicodedata2==16.0.0
    venv/bin/python tests/golden/make_tokens.py ../shared/data/20B_tokenizer.json

Writes tests/golden/tokens/texts.bin: "krTOK1\\n\\0", then for every text: flags (1: special tokens of
the text were asked for), bytes and the text, ids and their differences to the id before, all numbers
as LEB128 (differences as 2d or -2d - 1).  And tests/golden/tokens/cut.json: that tokenizer.json without the
merges that no text here goes through, which gives the same ids for them.

Text that is no UTF-8 cannot be given to the package.  For it the steps before the model are done here,
with the package's model for the rest; for all other texts both ways must agree.
"""
import json
import pathlib
import random
import sys

import regex
import unicodedata2 as unicodedata
from tokenizers import Tokenizer, normalizers

FOLDER = pathlib.Path(__file__).resolve().parent / "tokens"
ROOT = FOLDER.parents[2]
SOURCE = pathlib.Path(sys.argv[1])
PATTERN = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" \
         "\u2028\u2029\u202f\u205f\u3000"
rng = random.Random(20)
pick, number = rng.choice, rng.randrange


def words(n, alphabet=("the of and in that was with for model state token Krait x y foo_bar camelCase "
                       "HTTP didn't it's 42 3.14 naïve café").split()):
    return [pick(alphabet) for _ in range(n)]


def spaces():
    for n in range(1, 61):
        yield " " * n
        yield "a" + " " * n + "b"
        yield " " * n + pick(["x", "if", "1", "'s", "(", "é", "漢"])
        yield pick(["x", "1", ".", "\n", "\t", "é"]) + " " * n
        yield "\n" + " " * n + "return" + " " * number(5) + "\n" + " " * number(30) + "}"
    for _ in range(60):
        yield "".join(pick([" ", "  ", "   ", "\t", "\n", "a", "1", " b"]) for _ in range(number(3, 14)))


def lines():
    for end in ("\r\n", "\n", "\r", "\n\r", "\r\r\n", "\n\n", "\v", "\f", "\x85", "\u2028", "\u2029"):
        for n in (1, 2, 3, 4):
            yield end * n
            yield "one" + end * n + "two"
            yield "one " + end * n + " two" + end
            yield end * n + "\tx" + end + "  y"


def white():
    for c in SPACES:
        yield c
        yield c * 2
        yield "a" + c + "b"
        yield "a " + c + " b" + c
        yield c + " 12" + c * 3 + "x" + c


def marks():
    together = [c for c in map(chr, range(0x300, 0x30000))
                if unicodedata.normalize("NFD", c) != c and not 0xAC00 <= ord(c) < 0xD7A4]
    above = [chr(c) for c in range(0x300, 0x360) if unicodedata.combining(chr(c))]
    for c in rng.sample(together, 130):
        yield unicodedata.normalize("NFD", c) + pick(["", "x", " ", " y"])
        yield "a" + c + pick(above) + "b"
    for _ in range(120):
        yield "".join(pick("aeiouAEnçñ ") + "".join(pick(above) for _ in range(number(1, 5)))
                      for _ in range(number(1, 6)))
    for _ in range(60):
        yield "".join(unicodedata.normalize(pick(["NFD", "NFC"]), chr(number(0xAC00, 0xD7A4)))
                      for _ in range(number(1, 6))) + pick(["", "\u11a8", "\u1161", " "])
    yield "e" + "".join(pick(above) for _ in range(300))
    yield "\u0301abc"
    yield "ọ̵̌ é̩ ק֥ ִּקׄ \u1e9b\u0323 \u212b \u2126 \ufb1d \u0344 \u0958 \U0001d15e \U0001109c\U000110ba"


def emoji():
    people, skin, zwj = "👨👩🧑👧👦", ["", "🏻", "🏼", "🏽", "🏾", "🏿"], "\u200d"
    for _ in range(90):
        yield zwj.join(pick(people) + pick(skin) for _ in range(number(1, 5))) + pick(["", "\ufe0f", " ok", "!"])
    for _ in range(50):
        yield "".join(chr(0x1F1E6 + number(26)) for _ in range(number(1, 7)))
    for c in "0123456789#*":
        yield c + "\ufe0f\u20e3 " + c + "\u20e3"
    for _ in range(40):
        yield "".join(pick(["❤️", "☺", "🤷🏽‍♀️", "🏴‍☠️", "🏳️‍🌈", "👁️‍🗨️", " ", "a", "🫠", "🧑🏿‍🦽‍➡️"])
                      for _ in range(number(1, 8)))


def scripts():
    ranges = [(0x4E00, 0x9FFF), (0x3041, 0x30FE), (0xAC00, 0xD7A3), (0x5D0, 0x5EA), (0x621, 0x64A), (0x905, 0x94D),
              (0xE01, 0xE3A), (0x410, 0x44F), (0x391, 0x3C9), (0x10A0, 0x10FF), (0x1200, 0x1248), (0xFF01, 0xFF5E),
              (0x20000, 0x20100), (0xF900, 0xFA6D)]
    for low, high in ranges:
        for _ in range(13):
            yield "".join(pick([chr(number(low, high + 1)), chr(number(low, high + 1)), pick([" ", "。", "、", "1", ""])])
                          for _ in range(number(1, 18)))
    yield "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
    yield "我们的　时间…不多了！(真的)"
    yield "שָׁלוֹם עוֹלָם  مرحبا بالعالم\u200f نقطة"
    yield "ประเทศไทย ภาษา  हिन्दी भाषा"


def special():
    tokens = ["<|endoftext|>", "<|padding|>", "<|endoftext", "|endoftext|>", "<|", "|>", "<|endoftext|>s", "<s>",
              "<|endoftext|>  ", "   <|padding|>"]
    for _ in range(160):
        yield "".join(pick(tokens + [" ", "  ", "a", "\n", "\r\n", "é", "e\u0301", "        "])
                      for _ in range(number(1, 7)))


def contractions():
    for tail in "s S t T re RE ve m M ll LL d D st rex llama dd ss".split():
        for head in ("it", "I", "1", ".", "", " ", "é"):
            yield head + "'" + tail
    for _ in range(60):
        yield "".join(pick(["'", "''", "’", "'s", "'ll", " 're", "'d'", "n't", "a", " ", "3", "'ſ", "'é"])
                      for _ in range(number(2, 9)))


def numbers():
    digits = "0123456789٣٤५६๑๒Ⅳⅷ½¾²³₁①⑳㊿〇一𝟘𝟙𝟡ↁᛮ"
    for _ in range(110):
        yield "".join(pick(digits + "  .,-+eE%$x") for _ in range(number(1, 16)))


def code():
    files = sorted((ROOT / "src").glob("*/*.c")) + sorted((ROOT / "tests").glob("*/*.sh"))
    for _ in range(130):
        text = pick(files).read_text()
        at = number(len(text))
        yield text[at:at + number(10, 160)]
    for _ in range(60):
        yield "".join(" " * (4 * number(0, 7)) + pick(["if x:", "return y", "for (;;) {", "}", "\tpass", "# ok", ""]) +
                      pick(["\n", "\r\n", "  \n"]) for _ in range(number(1, 6)))
    for _ in range(60):
        yield json.dumps({w: number(1000) for w in words(number(1, 6))}, indent=pick([None, 1, 2, 4, 8]))


def planes():
    for _ in range(230):
        low, high = pick([(0, 0x80), (0, 0x250), (0, 0x3000), (0, 0xD800), (0xE000, 0x10000), (0x10000, 0x11000),
                          (0x11000, 0x32000), (0xE0000, 0xE01F0), (0xF0000, 0x110000), (0x1D100, 0x1D800)])
        yield "".join(chr(number(low, high)) for _ in range(number(1, 14)))
    for _ in range(80):
        yield pick(" \n").join(words(number(1, 12))) + pick(["", " ", ".", "\n"])
    yield "\0"
    yield "a\0b\x01\x02\x1b[31m\x7f \x1c\x1d\x1e\x1f x"
    yield "\ufeffbom \ufffd \uffff \u200b\u200e\u2060x"
    yield "ab" * 300
    yield "a" * 700
    yield ".,;" * 120
    yield ""


def broken():
    parts = [b"\xff", b"\xc0\xaf", b"\x80", b"\xbf", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
             b"\xf8\x88\x80\x80\x80", b"a", b" ", b"  ", b"\n", b"\xc3\xa9", b"e\xcc\x81", "漢".encode(), b"1", b"'s",
             b"\xe2\x82\xac", b"\xc1", b"\xcc", b"\xe0\x80\x80", b"\xf5", b" \xfe"]
    for part in parts:
        yield part
        yield b"a" + part + b"b"
        yield b" " + part + b" "
    for _ in range(180):
        yield b"".join(pick(parts) for _ in range(number(1, 12)))
    for _ in range(60):
        yield bytes(number(256) for _ in range(number(1, 24)))


CATEGORIES = [spaces, lines, white, special, contractions, broken, emoji, numbers, marks, scripts, code, planes]

# ---- both ways ----

hf = Tokenizer.from_file(str(SOURCE))
nfc = normalizers.NFC()
described = json.loads(SOURCE.read_text())
vocab, merges = described["model"]["vocab"], described["model"]["merges"]
rank = {tuple(m.split(" ")): i for i, m in enumerate(merges)}
shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
letter = {b: chr(b) for b in shown}
letter.update({b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in shown)})
lacking = [b for b in range(256) if letter[b] not in vocab]
assert all(b in (0xC0, 0xC1) or b >= 0xF5 for b in lacking)
runs = regex.compile(" {2,24}")         # the added tokens that are not special
used = set()


def merge_word(word):
    """The merges that a word goes through, slowly."""
    parts, done = list(word), set()
    while True:
        best = min(((rank.get((a, b), 1 << 30), i) for i, (a, b) in enumerate(zip(parts, parts[1:]))), default=(1 << 30, 0))
        if best[0] == 1 << 30:
            return [vocab[p] for p in parts], done
        i = best[1]
        done.add(best[0])
        parts[i:i + 2] = [parts[i] + parts[i + 1]]


def by_hand(text):
    """Bytes without special tokens; also the merges that were done."""
    for b in lacking:
        text = text.replace(bytes([b]), "\ufffd".encode())
    text = text.decode("utf-8", "surrogateescape")
    text = "".join(part if "\udc80" <= part[:1] <= "\udcff" else nfc.normalize_str(part)
                   for part in regex.split("([\udc80-\udcff]+)", text))
    ids, done, at = [], set(), 0
    for match in [*runs.finditer(text), None]:
        piece = text[at:match.start() if match else len(text)]
        for word in PATTERN.findall(piece):
            word = "".join(letter[b] for b in word.encode("utf-8", "surrogateescape"))
            mine, merged = merge_word(word)
            assert mine == [t.id for t in hf.model.tokenize(word)], word
            ids += mine
            done |= merged
        if match:
            ids.append(hf.token_to_id(match.group()))
            at = match.end()
    return ids, done


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def record(text, special_too):
    raw = text if isinstance(text, bytes) else text.encode()
    if isinstance(text, bytes) and not valid(text):
        ids, done = by_hand(raw)
    else:
        hf.encode_special_tokens = not special_too
        ids, done = hf.encode(raw.decode()).ids, by_hand(raw)[1]
        if "<|endoftext|>" not in raw.decode() and "<|padding|>" not in raw.decode():
            assert by_hand(raw)[0] == ids, raw
    used.update(done)
    out, before = bytearray(varint(special_too) + varint(len(raw)) + raw + varint(len(ids))), 0
    for i in ids:
        d = i - before
        out += varint(2 * d if d >= 0 else -2 * d - 1)
        before = i
    return bytes(out)


def valid(raw):
    try:
        raw.decode()
        return True
    except UnicodeDecodeError:
        return False


out, count = bytearray(b"krTOK1\n\0"), 0
for category in CATEGORIES:
    # The package composes as an older Unicode does: a text of newer characters is left out.
    texts = [t for t in dict.fromkeys(category())
             if isinstance(t, bytes) or nfc.normalize_str(t) == unicodedata.normalize("NFC", t)]
    for text in texts:
        for special_too in (0, 1) if category is special else (0,):
            out += record(text, special_too)
            count += 1
    print(category.__name__, len(texts))

ranks = sorted(used)
kept = {m for i in ranks for m in (*merges[i].split(" "), merges[i].replace(" ", ""))}
kept |= {letter[b] for b in range(256)} & set(vocab)
cut = dict(described)
cut["model"] = dict(described["model"], vocab={t: vocab[t] for t in sorted(kept, key=vocab.get)},
                    merges=[merges[i] for i in ranks])
FOLDER.mkdir(exist_ok=True)
(FOLDER / "texts.bin").write_bytes(out)
(FOLDER / "cut.json").write_text(json.dumps(cut, ensure_ascii=False, separators=(",", ":")) + "\n")
print(count, "texts,", len(out), "bytes;", len(ranks), "merges in the cut,", (FOLDER / "cut.json").stat().st_size, "bytes")
