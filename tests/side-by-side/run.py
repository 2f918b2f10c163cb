"""What `detoxlm bench` times, and the same work in PyTorch, on one machine and in one sitting.

    pip install torch==2.11.0 transformers==5.17.0 peft==0.21.0
    cargo build --release --features tch
    python tests/side-by-side/run.py --detoxlm target/release/detoxlm --backends candle tch

A GPT-2 of 124 million random weights is made, or the model in --model is taken. Every program runs alone, one
after the other, in processes of their own: first all in f32, then those that can in bf16. Printed is a table in
Markdown; --json keeps all figures, with versions. Bottleneck adapters are those of AdapterHub's `adapters`, which
wants an older transformers: --adapters-python names the interpreter of an environment that has it.
"""

import argparse
import json
import pathlib
import platform
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
VOCABULARY = 50257


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--detoxlm", required=True)
    parser.add_argument("--backends", nargs="+", default=["candle"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", help="a directory; made where it is not there")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--adapters-python")
    parser.add_argument("--json")
    return parser.parse_args()


def make_model(directory):
    """GPT-2's smallest shape. Its vocabulary is as large, of words that are tokens again when they are read."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    config = GPT2Config(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=0)
    GPT2LMHeadModel(config).save_pretrained(directory)
    words = {f"w{number}": number for number in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w1"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(directory / "tokenizer.json"))
    special = {"bos_token": "w0", "eos_token": "w0"}
    (directory / "tokenizer_config.json").write_text(json.dumps(special))


def ours(options, model, backend, precision):
    command = [options.detoxlm, "bench", "--json", "--model", model, "--backend", backend]
    command += ["--device", options.device, "--precision", precision]
    command += ["--repeats", str(options.repeats)]
    figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {work["name"]: work["rate"] for work in figures["works"] if work["unit"] == "tokens"}


def theirs(options, model, precision, python, methods):
    command = [python, HERE / "pytorch.py", model, "--device", options.device]
    command += ["--precision", precision, "--repeats", str(options.repeats), "--only", *methods]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    print(next(line for line in lines if line.startswith("torch ")), file=sys.stderr, flush=True)
    return {figure["name"]: figure["rate"] for figure in found}


def table(columns):
    names = list(dict.fromkeys(name for rates in columns.values() for name in rates))
    heads = list(columns)
    lines = ["| tokens/s | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for name in names:
        cells = []
        for head in heads:
            rate = columns[head].get(name)
            base = columns.get(f"PyTorch {head.split()[-1]}", {}).get(name)
            cell = "–" if rate is None else f"{rate:,.0f}"
            if rate is not None and base and not head.startswith("PyTorch"):
                cell += f" ({rate / base:.2f})"
            cells.append(cell)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as made:
        model = pathlib.Path(options.model or made) / ("" if options.model else "model")
        if not (model / "config.json").exists():
            model.mkdir(parents=True, exist_ok=True)
            make_model(model)
        columns = {}
        for precision in ["f32", "bf16"]:
            for backend in options.backends:
                # On the processor candle has but one kind of number.
                if precision == "f32" or backend != "candle" or options.device != "cpu":
                    columns[f"{backend} {precision}"] = ours(options, model, backend, precision)
            works = ["decode", "likelihood", "full", "lora", "prefix"]
            rates = theirs(options, model, precision, sys.executable, works)
            if options.adapters_python:
                rates |= theirs(options, model, precision, options.adapters_python, ["bottleneck"])
            columns[f"PyTorch {precision}"] = rates
            print(table(columns), flush=True)
        if options.json:
            result = {"machine": platform.platform(), "tokens_per_second": columns}
            pathlib.Path(options.json).write_text(json.dumps(result, indent=2))


main()
