"""The work of `detoxlm bench` in transformers, peft and adapters: a line of JSON for each, in tokens per second."""

import argparse
import contextlib
import json
import statistics
import time

import torch
import transformers
from transformers import AutoModelForCausalLM

PROMPT_TOKENS = 11
PROMPTS, SAMPLES, TOKENS = 4, 25, 20
DOCUMENTS, DOCUMENT_TOKENS = 64, 128
SEQUENCES, LENGTH, STEPS = 4, 256, 4
PREFIX = 16


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", required=True)
    return parser.parse_args()


def timed(options, work):
    begun = time.perf_counter()
    work()
    if options.device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def report(name, tokens, seconds):
    print(json.dumps({"name": name, "rate": tokens / seconds}), flush=True)


def load(options, dtype):
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype)
    for module in model.modules():
        # Fine-tuning here drops nothing of the base.
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model.to(options.device)


def inference(options):
    # All of it, as detoxlm decodes in bf16.
    model = load(options, torch.bfloat16 if options.precision == "bf16" else torch.float32).eval()
    vocabulary = model.config.vocab_size

    def write(prompts, samples, tokens):
        with torch.inference_mode():
            # Nothing may end early: both sides write the same number of tokens.
            model.generate(
                prompts.to(options.device),
                attention_mask=torch.ones_like(prompts).to(options.device),
                do_sample=True,
                top_k=0,
                top_p=0.9,
                num_return_sequences=samples,
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                pad_token_id=0,
                use_cache=True,
            )

    def rate(documents):
        with torch.inference_mode():
            for part in documents.split(8):
                logits = model(part[:, :-1]).logits.float()
                logits.log_softmax(-1).gather(2, part[:, 1:, None]).sum().item()

    if "decode" in options.only:
        prompts = torch.randint(1, vocabulary, (PROMPTS, PROMPT_TOKENS))
        empty = torch.zeros((DOCUMENTS, 1), dtype=torch.long)
        works = [
            (f"{PROMPTS} prompts continued {SAMPLES} x {TOKENS}", prompts, SAMPLES, TOKENS),
            (f"{DOCUMENTS} documents of up to {DOCUMENT_TOKENS}", empty, 1, DOCUMENT_TOKENS),
        ]
        write(prompts, 1, 2)
        for name, start, samples, tokens in works:
            seconds = [timed(options, lambda: write(start, samples, tokens)) for _ in range(options.repeats)]
            report(name, len(start) * samples * tokens, statistics.median(seconds))
    if "likelihood" in options.only:
        documents = torch.randint(1, vocabulary, (DOCUMENTS, DOCUMENT_TOKENS + 1)).to(options.device)
        seconds = [timed(options, lambda: rate(documents)) for _ in range(options.repeats)]
        report("likelihood of them", DOCUMENTS * DOCUMENT_TOKENS, statistics.median(seconds))


def with_method(model, method):
    """The model to train, and how many positions of a sequence are text."""
    if method == "full":
        return model, LENGTH
    if method == "bottleneck":
        import adapters

        adapters.init(model)
        model.add_adapter("detoxified", config="seq_bn")
        model.train_adapter("detoxified")
        return model, LENGTH
    import peft

    causal = peft.TaskType.CAUSAL_LM
    if method == "lora":
        targets = ["c_attn", "c_proj", "c_fc"]
        config = peft.LoraConfig(
            r=8, lora_alpha=16, target_modules=targets, fan_in_fan_out=True, task_type=causal
        )
        return peft.get_peft_model(model, config), LENGTH
    config = peft.PrefixTuningConfig(num_virtual_tokens=PREFIX, task_type=causal)
    return peft.get_peft_model(model, config), LENGTH - PREFIX


def training(options, method):
    model, length = with_method(load(options, torch.float32), method)
    model = model.to(options.device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, betas=(0.9, 0.95), weight_decay=0.1)
    vocabulary = model.config.vocab_size
    batch = torch.randint(1, vocabulary, (SEQUENCES, length + 1)).to(options.device)
    numbers = contextlib.nullcontext()
    if options.precision == "bf16":
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

    step()
    seconds = timed(options, lambda: [step() for _ in range(STEPS)]) / STEPS
    name = f"training step, {method}, {SEQUENCES} x {length}"
    report(name, SEQUENCES * length, seconds)


def main():
    options = arguments()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {torch.get_num_threads()} threads")
    inference(options)
    for method in ["full", "bottleneck", "lora", "prefix"]:
        if method in options.only:
            training(options, method)


main()
