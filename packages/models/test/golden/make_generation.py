"""Writes generation.jsonl beside it: what transformers generates with the models of make_golden.py and of two fixtures.

Ran with transformers 5.18.0 and PyTorch 2.13.0 on a CPU, in float32. python3 make_generation.py
"""
import itertools
import json
import os
import random

import torch
import transformers as hf

torch.set_num_threads(1)  # the sums, and so the texts, are the same on every machine

HERE = os.path.dirname(os.path.abspath(__file__))
DECODERS = ['qwen3', 'gpt_neox', 'phi3', 'gpt_neo', '../../../../fixtures/models/mistral_sliding_window']
ENCODERS = ['bart', 'bart_scaled', '../../../../fixtures/models/t5_relu_tied']
EOS = [2, 7, 11]  # several, so that beams end


def options(rng):
    """Beam search in many ways, then everything that changes logits, with beams and without."""
    for beams, penalty, early in itertools.product([2, 4], [-1.0, 0.0, 1.0, 2.5], [False, True, 'never']):
        yield dict(num_beams=beams, length_penalty=penalty, early_stopping=early, max_new_tokens=rng.choice([3, 6, 9]),
                   num_return_sequences=rng.choice([1, beams]))
    for beams in [1, 3]:
        common = dict(num_beams=beams, max_new_tokens=10)
        yield dict(common, repetition_penalty=1.7)
        yield dict(common, repetition_penalty=0.6)
        yield dict(common, no_repeat_ngram_size=1)
        yield dict(common, no_repeat_ngram_size=2, repetition_penalty=0.5)
        yield dict(common, min_new_tokens=6)
        yield dict(common, min_length=8)
        yield dict(common, forced_eos_token_id=9)
        yield dict(common, suppress_tokens=[*range(3, 25)])
        yield dict(common, begin_suppress_tokens=[*range(3, 30)])
        yield dict(common, bad_words_ids=[[5], [30], [31], [12, 6], [2]])
        yield dict(common, bad_words_ids=[[token] for token in range(12, 37)], no_repeat_ngram_size=2, suppress_tokens=[3])


def generate(model, rows, given, is_decoder):
    longest = max(map(len, rows))
    pads = [longest - len(row) for row in rows]
    ids = [[3] * pad + row if is_decoder else row + [3] * pad for row, pad in zip(rows, pads)]
    mask = [[0] * pad + [1] * len(row) if is_decoder else [1] * len(row) + [0] * pad for row, pad in zip(rows, pads)]
    output = model.generate(
        input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask), do_sample=False, pad_token_id=1,
        eos_token_id=EOS, **dict(dict(forced_eos_token_id=None), **given))
    copies = given.get('num_return_sequences', 1)
    results = []
    for index, row in enumerate(output.tolist()):
        start = pads[index // copies] if is_decoder else 0
        first = longest if is_decoder else 1
        end = next((at + 1 for at in range(first, len(row)) if row[at] in EOS), len(row))
        results.append(row[start:end])
    return results


def prompts(rng, count):
    return [[rng.randrange(12, 37) for _ in range(rng.choice([2, 3, 5]))] for _ in range(count)]


def patient(model, rng, is_decoder):
    """Prompts for which searching on past what is likely finds something better, which is rare."""
    given = dict(num_beams=2, length_penalty=2.0, max_new_tokens=12)
    for _ in range(15):
        rows = prompts(rng, 1)
        both = [generate(model, rows, dict(given, early_stopping=early), is_decoder) for early in (False, 'never')]
        if both[0] != both[1]:
            return [(rows, dict(given, early_stopping=early), found) for early, found in zip((False, 'never'), both)]
    return []


def main():
    rng = random.Random(1)
    cases = []
    for name in DECODERS + ENCODERS:
        is_decoder = name in DECODERS
        kind = hf.AutoModelForCausalLM if is_decoder else hf.AutoModelForSeq2SeqLM
        model = kind.from_pretrained(f'{HERE}/{name}').eval()
        for given in options(rng):
            alone = {'repetition_penalty', 'no_repeat_ngram_size', 'min_length', 'bad_words_ids'} & set(given)
            rows = prompts(rng, 1 if alone and is_decoder else 3)  # padding counts as tokens there
            cases.append((name, rows, given, generate(model, rows, given, is_decoder)))
        cases.extend((name, *case) for case in patient(model, rng, is_decoder))
    with open(f'{HERE}/generation.jsonl', 'w') as file:
        for name, rows, given, sequences in cases:
            case = dict(model=name, prompts=rows, options=dict(given, eos_token_ids=EOS), sequences=sequences)
            file.write(json.dumps(case, separators=(',', ':')) + '\n')
    print(len(cases), 'cases')


main()
