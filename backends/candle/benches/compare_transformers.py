"""The work of `benches/lm.rs` in transformers on PyTorch, on the CPU, in tokens per second.

    pip install torch==2.15.0 transformers==5.23.0
    DETOXLM_BENCH_MODEL=DIR cargo bench -p detoxlm-candle
    python benches/compare_transformers.py DIR

Same weights, same shapes. Generation samples, as transformers does it; the Rust benchmark leaves the
draw out, which is a small part of either.
"""

import sys
import time

import torch
from transformers import AutoModelForCausalLM

PROMPT = 16
REPEATS = 5


def median_rate(name, tokens, work):
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    middle = sorted(seconds)[REPEATS // 2]
    print(f"{name}: {tokens / middle:.0f} tokens/s ({1000 * middle:.1f} ms)", flush=True)


def main(directory):
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    vocabulary = model.config.vocab_size
    prompt = torch.randint(1, vocabulary, (1, PROMPT))

    for rows, tokens in [(1, 128), (25, 20), (64, 128)]:
        # Nothing may end early: both sides write the same number of tokens.
        generate = lambda: model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=True,
            top_k=0,
            top_p=1.0,
            num_return_sequences=rows,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            pad_token_id=0,
            use_cache=True,
        )
        with torch.inference_mode():
            median_rate(f"decode {rows} x {tokens}", rows * tokens, generate)

    windows = torch.randint(0, vocabulary, (4, 512))

    def likelihood():
        with torch.inference_mode():
            logits = model(windows).logits[:, :-1].log_softmax(-1)
            return logits.gather(2, windows[:, 1:, None]).sum()

    median_rate("likelihood 4 x 512", 4 * 511, likelihood)

    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, betas=(0.9, 0.95), weight_decay=0.1)
    batch = torch.randint(0, vocabulary, (8, 257))

    def step():
        logits = model(batch[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, vocabulary), batch[:, 1:].reshape(-1)
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    median_rate("train step of 8 x 256", 8 * 256, step)


main(sys.argv[1])
