"""The work of `benches/speed.rs` in transformers and peft on PyTorch, in tokens per second.

    pip install torch==2.11.0 transformers==5.17.0 peft
    cargo bench -p detoxlm-tch --features libtorch -- --device cuda --model DIR   # leaves the model in DIR
    python benches/compare_transformers.py DIR --device cuda [--bf16]

Same weights, same shapes, same numbers: with --bf16 inference is wholly in bf16, and training multiplies
in bf16 under autocast and keeps its weights in f32. `decode` samples, as transformers does it; the Rust
benchmark leaves the draw out of `decode`, and has it in `generate`.
"""

import argparse
import contextlib
import json
import time

import torch
from transformers import AutoModelForCausalLM

PROMPT = 16


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def report(name, tokens, repeats, device, work):
    def once():
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    once()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - start)
    middle = sorted(seconds)[repeats // 2]
    print(json.dumps({"what": name, "tokens_per_second": tokens / middle}), flush=True)


def inference(options):
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype)
    model = model.to(options.device).eval()
    vocabulary = model.config.vocab_size

    def generate(prompts, rows, tokens, top_p):
        prompt = torch.randint(1, vocabulary, (prompts, PROMPT), device=options.device)
        # Nothing may end early: both sides write the same number of tokens.
        with torch.inference_mode():
            model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=True,
                top_k=0,
                top_p=top_p,
                num_return_sequences=rows,
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                pad_token_id=0,
                use_cache=True,
            )

    measure = lambda name, tokens, work: report(name, tokens, options.repeats, options.device, work)
    for rows, tokens in [(1, 128), (25, 20), (64, 128), (256, 20)]:
        name = f"decode {rows} x {tokens}"
        measure(name, rows * tokens, lambda: generate(1, rows, tokens, 1.0))
    name = "generate 8 prompts x 25 x 20, top-p 0.9"
    measure(name, 8 * 25 * 20, lambda: generate(8, 25, 20, 0.9))
    windows = torch.randint(0, vocabulary, (8, 1024), device=options.device)

    def likelihood():
        with torch.inference_mode():
            logits = model(windows).logits[:, :-1].float().log_softmax(-1)
            return logits.gather(2, windows[:, 1:, None]).sum().item()

    measure("likelihood 8 x 1024", 8 * 1023, likelihood)


def training(options):
    import peft

    causal = peft.TaskType.CAUSAL_LM
    methods = {
        "full": None,
        "lora": peft.LoraConfig(
            r=8,
            lora_alpha=16,
            lora_dropout=0.0,
            target_modules=["c_attn", "c_proj", "c_fc"],
            fan_in_fan_out=True,
            task_type=causal,
        ),
        "prefix": peft.PrefixTuningConfig(num_virtual_tokens=16, task_type=causal),
    }
    for method, config in methods.items():
        model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        length = options.length
        if config is not None:
            model = peft.get_peft_model(model, config)
            if method == "prefix":
                length = min(length, 1024 - config.num_virtual_tokens)
        model = model.to(options.device).train()
        vocabulary = model.config.vocab_size
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-5, betas=(0.9, 0.95), weight_decay=0.1)
        shape = (options.sequences, length + 1)
        batch = torch.randint(0, vocabulary, shape, device=options.device)
        numbers = contextlib.nullcontext()
        if options.bf16:
            numbers = torch.autocast(options.device.split(":")[0], dtype=torch.bfloat16)

        def step():
            with numbers:
                logits = model(input_ids=batch[:, :-1]).logits
                loss = torch.nn.functional.cross_entropy(
                    logits.reshape(-1, vocabulary).float(), batch[:, 1:].reshape(-1)
                )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()

        name = f"train {method}, step of {options.sequences} x {length}"
        report(name, options.sequences * length, options.repeats, options.device, step)
        del model, optimizer, trained


def main():
    options = arguments()
    inference(options)
    training(options)


main()
