"""Writes the golden files beside it: small tokenizers of each family, and what Hugging Face's own library makes of texts.

    pip install tokenizers==0.23.2 && python make.py

Offsets are counted in UTF-16 units, as JavaScript counts; the library counts code points.
"""
import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
CORPUS = [
    "Once upon a time there was a little girl who lived in a village near the forest.",
    "She didn't know that the wolf would come; it's what wolves do, isn't it?",
    "In the year 1812 there were 365 days, and on 24 of them it rained the whole day.",
    "The café in the rue Déjà served crème brûlée to naïve travellers from Zürich.",
    "function add(a, b) {\n\treturn a + b;\n}\n\n",
    "the theory of the other mother and father, whether together or another, gathered there",
] * 3

TEXTS = [
    "",
    " ",
    "Hello",
    "hello world",
    "Once upon a time there was a girl.",
    "  two  spaces\tand a tab\nand a line \n\n end ",
    "The caf\u00e9 isn't na\u00efve; D\u00c9J\u00c0 vu!",
    "decomposed cafe\u0301 and i\u0307",
    "\u4f60\u597d\uff0c\u4e16\u754c \ud55c\uad6d\uc5b4 \u65e5\u672c\u8a9e",
    "emoji \U0001f600 and \U0001f468\u200d\U0001f469\u200d\U0001f467!",
    "stra\u00dfe \ufb01ne \uff21\uff22\uff23 \u00bd x\u00b2",
    "1812 and 365.25, $9.99 (ok) [x] {y} #1 @me a_b",
    "null\u0000char\u200bzero width \ufeffbom",
    "a <mask> b</s>c [MASK]d [SEP]",
    "WHETHER TOGETHER OR ANOTHER",
    "supercalifragilistic",
]
PAIRS = [["Who was there?", "Once upon a time there was a little girl."], ["a b c d e f", "g"], ["x", ""]]


def added(content, **options):
    return AddedToken(content, special=True, normalized=False, **options)


def byte_level(vocab_size, specials):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=specials, initial_alphabet=alphabet, show_progress=False)
    return tokenizer, trainer


def gpt2():
    tokenizer, trainer = byte_level(400, ["<|endoftext|>"])
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}


def roberta():
    tokenizer, trainer = byte_level(380, ["<s>", "<pad>", "</s>", "<unk>", added("<mask>", lstrip=True)])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    names = {"bos": "<s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    return tokenizer, {f"{role}_token": token for role, token in names.items()}


def llama3():
    tokenizer, trainer = byte_level(420, ["<|begin_of_text|>", "<|eot_id|>"])
    words = Regex(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    template = processors.TemplateProcessing(
        single="<|begin_of_text|> $A",
        pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
        special_tokens=[("<|begin_of_text|>", 0)],
    )
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), template])
    return tokenizer, {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}


def bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=260, special_tokens=specials, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    roles = ["pad", "unk", "cls", "sep", "mask"]
    return tokenizer, {f"{role}_token": f"[{role.upper()}]" for role in roles}


def llama2():
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=460, special_tokens=specials, show_progress=False))
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = content["added_tokens"][:3]
    content["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return tokenizer, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def t5():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    specials = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=220, special_tokens=specials, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return tokenizer, {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def utf16(text, offsets):
    units = [0]
    for character in text:
        units.append(units[-1] + len(character.encode("utf-16-le")) // 2)
    return [[units[start], units[end]] for start, end in offsets]


def row(encoding, first, second=""):
    spans = [utf16(second if which == 1 else first, [span])[0] for which, span in zip(encoding.sequence_ids, encoding.offsets)]
    return {
        "inputIds": encoding.ids,
        "attentionMask": encoding.attention_mask,
        "tokenTypeIds": encoding.type_ids,
        "specialTokensMask": encoding.special_tokens_mask,
        "sequenceIds": encoding.sequence_ids,
        "offsets": [None if which is None else span for which, span in zip(encoding.sequence_ids, spans)],
    }


def truncated(tokenizer, pair, length, strategy, direction, stride):
    tokenizer.enable_truncation(length, stride=stride, strategy=strategy, direction=direction)
    encoding = tokenizer.encode(*pair)
    tokenizer.no_truncation()
    rows = [encoding] + (encoding.overflowing if strategy != "longest_first" or len(pair) == 1 else [])
    options = {"maxLength": length, "truncation": strategy, "truncationSide": direction, "stride": stride}
    return {"texts": pair, "options": options, "rows": [row(each, *pair) for each in rows]}


def write(name, tokenizer, config):
    cuts = [
        truncated(tokenizer, pair, length, strategy, direction, stride)
        for pair, strategy in [
            (PAIRS[0], "longest_first"),
            (PAIRS[0], "only_second"),
            (PAIRS[0][::-1], "only_first"),
            ([TEXTS[4]], "longest_first"),
        ]
        for length, direction, stride in [(24, "right", 0), (25, "right", 2), (24, "left", 3)]
    ]
    golden = {
        "corpus": CORPUS if name in ("gpt2", "bert") else [],
        "tokenizer": json.loads(tokenizer.to_str()),
        "config": config,
        "texts": [{"text": text, "decoded": tokenizer.decode(tokenizer.encode(text).ids), **row(tokenizer.encode(text), text)} for text in TEXTS],
        "pairs": [{"texts": pair, **row(tokenizer.encode(*pair), *pair)} for pair in PAIRS],
        "truncated": cuts,
    }
    (HERE / f"{name}.json").write_text(json.dumps(golden, ensure_ascii=True) + "\n")


for family in (gpt2, roberta, llama3, bert, llama2, t5):
    write(family.__name__, *family())
