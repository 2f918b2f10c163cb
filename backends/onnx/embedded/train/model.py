"""The network: a convolution over token vectors, and what each source makes of its judgement."""

import torch
from torch import nn

from data import ATTRIBUTES, SOURCES

# Width of each convolution, and its channels: wide ones see rarer things, and cost more.
CONVOLUTIONS = {1: 128, 2: 96, 3: 64, 5: 32}


class TextCnn(nn.Module):
    """Convolutions of several widths, the maximum and the mean of each channel, two layers.

    Padding is zeroed before the convolutions, which pad with zeros themselves, and left out of the
    maximum (all values are at least 0) and the mean: a text's logits do not depend on it.
    """

    def __init__(self, vectors: torch.Tensor, hidden: int):
        super().__init__()
        width = vectors.shape[1]
        self.embedding = nn.Embedding.from_pretrained(vectors.clone() * 0.3, freeze=False)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, c, w) for w, c in CONVOLUTIONS.items())
        self.hidden = nn.Linear(2 * sum(CONVOLUTIONS.values()), hidden)
        self.logits = nn.Linear(hidden, len(ATTRIBUTES))
        self.token_dropout, self.dropout = 0.1, 0.3

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(texts, tokens) ids and a mask of ones to (texts, attributes) logits and the layer before."""
        mask = mask.float()
        count = mask.sum(1, keepdim=True)
        kept = mask
        if self.training:
            # Whole tokens: no one word may decide alone.
            kept = mask * (torch.rand_like(mask) >= self.token_dropout)
        x = self.embedding(ids) * kept[:, :, None]
        x = nn.functional.dropout(x, self.dropout, self.training).transpose(1, 2)
        pooled = []
        for w, convolution in zip(CONVOLUTIONS, self.convolutions):
            padded = nn.functional.pad(x, padding(w))
            y = convolution(padded).relu() * mask[:, None, :]
            pooled += [y.amax(2), y.sum(2) / count]
        h = nn.functional.dropout(torch.cat(pooled, 1), 0.5, self.training)
        h = nn.functional.dropout(self.hidden(h).relu(), self.dropout, self.training)
        return self.logits(h), h


def padding(width: int) -> tuple[int, int]:
    """Zeros before and after a text that keep its length under a convolution."""
    return (width - 1) // 2, width // 2


class Sources(nn.Module):
    """From the classifier's logits, on the scale of Perspective 2020, to every source's.

    A source reads an attribute with a slope and an offset of its own, and adds what it alone sees
    in the text (its annotators' guidelines, its platform). The shipped scale is read as it is.
    """

    def __init__(self, hidden: int):
        super().__init__()
        shape = (len(SOURCES), len(ATTRIBUTES))
        self.log_slope = nn.Parameter(torch.zeros(shape))
        self.offset = nn.Parameter(torch.zeros(shape))
        self.own = nn.Parameter(torch.zeros(len(SOURCES), hidden, len(ATTRIBUTES)))
        shipped = torch.zeros(len(SOURCES), 1)
        shipped[0] = 1
        self.register_buffer("shipped", shipped)

    def forward(self, logits: torch.Tensor, h: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        own = torch.einsum("nh,nha->na", h, self.own[source])
        theirs = logits * self.log_slope[source].exp() + self.offset[source] + own
        shipped = self.shipped[source]
        return logits * shipped + theirs * (1 - shipped)
