"""Writes splits.json beside it: the words into which Hugging Face's own library cuts texts, by every kind of pre-tokenizer
and by normalizers that JavaScript would do otherwise; and the ids of a Unigram model that spells what it does not know.

    pip install tokenizers==0.23.2 && python make_splits.py
"""
import json
import pathlib

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

TEXTS = [
    "Hello  world\tend \n",
    "caf\u00e9 x\u00b2 a_b, na\u00efve?! \u00bfno? don't",
    "12\u00bd\u00bd \u0661\u0662 365.25",
    "\ufeffbom\ufeff \x85next\u3000wide",
    "\U00020bb7\u91ce \u5409\u91ce\u5bb6",
    "\u039f\u0394\u039f\u03a3 \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
    "the-final--countdown-",
]
SPLITS = [
    pre_tokenizers.Split(pattern, behavior, invert)
    for behavior in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    for pattern in ["-", Regex(r"(-)+|(\s)")]
    for invert in ([False, True] if behavior in ("removed", "isolated", "contiguous") else [False])
]
CASES = [
    *((normalizers.NFC(), each) for each in SPLITS),
    (normalizers.NFC(), pre_tokenizers.Whitespace()),
    (normalizers.NFC(), pre_tokenizers.WhitespaceSplit()),
    *((normalizers.NFC(), pre_tokenizers.Punctuation(each)) for each in ["isolated", "contiguous", "removed", "merged_with_next"]),
    *((normalizers.NFC(), pre_tokenizers.Digits(individual_digits=each)) for each in [True, False]),
    (normalizers.NFC(), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])),
    *((normalizers.NFC(), pre_tokenizers.Metaspace(prepend_scheme=each)) for each in ["always", "never"]),
    (normalizers.NFC(), pre_tokenizers.Metaspace(split=False)),
    (normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()),
    (normalizers.Sequence([normalizers.Lowercase(), normalizers.Strip()]), pre_tokenizers.Split("-", "isolated")),
    (normalizers.Strip(left=False), pre_tokenizers.Split("-", "isolated")),
]


def case(normalizer, splitter):
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0}, "<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    content = json.loads(tokenizer.to_str())
    words = [[word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))] for text in TEXTS]
    return {"normalizer": content["normalizer"], "pre_tokenizer": content["pre_tokenizer"], "words": words}


def unigram():
    pieces = [["<unk>", 0.0], *([f"<0x{byte:02X}>", -9.0] for byte in range(256)), *([c, -2.0 - i] for i, c in enumerate(" ehlow"))]
    tokenizer = Tokenizer(models.Unigram([tuple(piece) for piece in pieces], 0, True))
    return {"tokenizer": json.loads(tokenizer.to_str()), "ids": [tokenizer.encode(text).ids for text in TEXTS]}


golden = {"texts": TEXTS, "cases": [case(*each) for each in CASES], "unigram": unigram()}
(pathlib.Path(__file__).parent / "splits.json").write_text(json.dumps(golden, ensure_ascii=True) + "\n")
