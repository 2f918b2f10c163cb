"""Byte-level BPE over lower-cased text, and vectors for its tokens from unlabelled text."""

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

PAD = "<pad>"
SIZE = 16_000
# How far apart two tokens may be and still be neighbours; nearer ones count more.
REACH = 5


def train(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace("’", "'"),
            normalizers.Replace("‘", "'"),
            normalizers.Replace("“", '"'),
            normalizers.Replace("”", '"'),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        min_frequency=2,
        special_tokens=[PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: list[str], limit: int) -> list[np.ndarray]:
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [np.array(encoding.ids[:limit], dtype=np.int64) for encoding in encodings]


def vectors(token_lists: list[np.ndarray], size: int, width: int, seed: int) -> torch.Tensor:
    """Factors the tokens' positive pointwise mutual information (Levy & Goldberg 2014), contexts
    smoothed by the power 0.75 (Levy, Goldberg & Dagan 2015)."""
    # A gap between texts, so that their ends are no neighbours.
    gap = np.full(REACH, size, dtype=np.int64)
    stream = np.concatenate([part for tokens in token_lists for part in (tokens, gap)])
    counts = np.zeros((size + 1) ** 2, dtype=np.float32)
    for distance in range(1, REACH + 1):
        pairs = stream[:-distance] * (size + 1) + stream[distance:]
        counts += np.bincount(pairs, minlength=counts.size).astype(np.float32) / distance
    counts = torch.from_numpy(counts).view(size + 1, size + 1)[:size, :size]
    counts = counts + counts.T
    tokens = counts.sum(1).clamp(min=1.0)
    contexts = counts.sum(0) ** 0.75
    expected = tokens[:, None] * (contexts / contexts.sum())[None, :]
    information = (counts / expected.clamp(min=1e-9)).clamp(min=1.0).log_()
    torch.manual_seed(seed)
    u, s, _ = torch.svd_lowrank(information, q=width + 16, niter=3)
    found = u[:, :width] * s[:width].sqrt()
    return found / found.std()
