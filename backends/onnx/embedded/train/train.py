"""Trains the embedded classifier.

    python train.py DATA OUTPUT              what is shipped: all of the training texts
    python train.py DATA OUTPUT --validate   the same with a seventh of the 2020 texts held out, and its figures
"""

import argparse
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import data
import export
import vocabulary
from data import ATTRIBUTES, SOURCES
from model import Sources, TextCnn

SEED = 20
# Tokens of a text that are read; longer ones are cut.
TOKENS = 96
# Size of a token's vector and of the layer before the logits.
WIDTH = 128
HIDDEN = 128
EPOCHS = 6
# Tokens in a batch, padding included.
BATCH_TOKENS = 6144
RATE = 2.5e-3
# How many texts of a large source an epoch draws; of the others, all.
DRAWN = {
    "jigsaw": 14_000,
    "spans": 4_000,
    "edos": 4_000,
    "davidson": 4_000,
    "paradetox": 4_000,
}
# What is written is a running mean of the weights, this much of which stays at each step.
AVERAGED = 0.995


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("output", type=Path)
    arguments.add_argument("--validate", action="store_true")
    arguments.add_argument("--members", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)

    examples = data.labelled(options.data)
    tokenizer = vocabulary.train([example.text for example in examples])
    vectors = token_vectors(tokenizer, examples, data.unlabelled(options.data))
    held_out = []
    if options.validate:
        examples, held_out = split(examples)
    members = [fit(examples, held_out, tokenizer, vectors, SEED + at) for at in range(options.members)]
    export.write(options.output, tokenizer, members)


def split(examples):
    """Neighbouring rows are a prompt and its continuation: held out together, by position."""
    shipped = [example for example in examples if example.source == "perspective_2020"]
    held_out = [example for at, example in enumerate(shipped) if at // 20 % 7 == 3]
    texts = {data.key(example.text) for example in held_out}
    return [example for example in examples if data.key(example.text) not in texts], held_out


def token_vectors(tokenizer, examples, posts):
    texts = [example.text for example in examples] + posts
    tokens = vocabulary.encode(tokenizer, texts, 1 << 20)
    return vocabulary.vectors(tokens, tokenizer.get_vocab_size(), WIDTH, SEED)


def fit(examples, held_out, tokenizer, vectors, seed) -> TextCnn:
    torch.manual_seed(seed)
    draw = random.Random(seed)
    tokens = vocabulary.encode(tokenizer, [example.text for example in examples], TOKENS)
    model, sources = TextCnn(vectors, HIDDEN), Sources(HIDDEN)
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGED)
    )
    dense = [p for name, p in model.named_parameters() if name != "embedding.weight"]
    groups = [
        {"params": dense, "weight_decay": 0.01},
        {"params": model.embedding.parameters(), "weight_decay": 0.0},
        {"params": sources.parameters(), "weight_decay": 0.1},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99))
    steps, step, started = EPOCHS * len(epoch(examples, tokens, random.Random(seed))), 0, time.time()
    for at in range(EPOCHS):
        model.train()
        total = 0.0
        for batch in epoch(examples, tokens, draw):
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, (step + 1) / 200, max(0.02, 1.05 - step / steps))
            loss = batch_loss(model, sources, [examples[i] for i in batch], [tokens[i] for i in batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            averaged.update_parameters(model)
            total, step = total + loss.item(), step + 1
        print(f"epoch {at + 1}: loss {total * EPOCHS / steps:.4f}, {time.time() - started:.0f} s", flush=True)
        if held_out:
            report(averaged.module, held_out, tokenizer)
    return averaged.module.eval()


def epoch(examples, tokens, draw) -> list[list[int]]:
    """Batches of texts of like length, in random order."""
    order = []
    for source in SOURCES:
        there = [i for i, e in enumerate(examples) if e.source == source and len(tokens[i])]
        order += draw.sample(there, min(len(there), DRAWN.get(source, len(there))))
    order.sort(key=lambda i: len(tokens[i]) + draw.random() * 4)
    batches, batch = [], []
    for i in order:
        if batch and (len(batch) + 1) * len(tokens[i]) > BATCH_TOKENS or len(batch) == 256:
            batches.append(batch)
            batch = []
        batch.append(i)
    if batch:
        batches.append(batch)
    draw.shuffle(batches)
    return batches


def pad(tokens):
    width = max(len(row) for row in tokens)
    ids = np.zeros((len(tokens), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for at, row in enumerate(tokens):
        ids[at, : len(row)], mask[at, : len(row)] = row, 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def batch_loss(model, sources, examples, tokens):
    """Cross-entropy with the sources' values as they are, shares and scores included; what a source
    does not judge counts for nothing."""
    source = torch.tensor([list(SOURCES).index(example.source) for example in examples])
    targets = torch.tensor([[example.targets.get(a, math.nan) for a in ATTRIBUTES] for example in examples])
    weights = torch.tensor(list(SOURCES.values()))[source][:, None] * ~targets.isnan()
    # Toxicity is what texts are ranked by.
    weights = weights * torch.tensor([3.0] + [1.0] * (len(ATTRIBUTES) - 1))
    theirs = sources(*model(*pad(tokens)), source)
    losses = nn.functional.binary_cross_entropy_with_logits(theirs, targets.nan_to_num(), reduction="none")
    return (losses * weights).sum() / weights.sum()


def report(model, held_out, tokenizer):
    model.eval()
    tokens = vocabulary.encode(tokenizer, [example.text for example in held_out], TOKENS)
    with torch.no_grad():
        scores = torch.cat([model(*pad(tokens[i : i + 64]))[0][:, 0] for i in range(0, len(tokens), 64)])
    scores = scores.sigmoid().numpy()
    truth = np.array([example.targets["toxicity"] for example in held_out])
    toxic = truth >= 0.5
    ranks = scores.argsort().argsort()
    area = (ranks[toxic].sum() - toxic.sum() * (toxic.sum() - 1) / 2) / (toxic.sum() * (~toxic).sum())
    correlation = np.corrcoef(scores, truth)[0, 1]
    print(f"held out ({len(truth)}): AUC {area:.4f}, Pearson {correlation:.4f}", flush=True)


if __name__ == "__main__":
    main()
