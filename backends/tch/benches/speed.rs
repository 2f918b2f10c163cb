//! Decoding, rating and training of a GPT-2 with random weights, in tokens per second.
//!
//! ```sh
//! cargo bench -p detoxlm-tch --features libtorch
//! # Any model, device and numbers; `benches/compare_transformers.py` does the same work in PyTorch.
//! cargo bench -p detoxlm-tch --features libtorch -- --device cuda --bf16 --model DIR
//! ```
//!
//! Without a model, a GPT-2 of 124 million parameters is made. One line of JSON for each figure, the
//! median of several runs: a benchmark on a GPU needs no statistics of nanoseconds, and this one runs
//! where there is no cargo.

#![allow(clippy::print_stdout, reason = "a program that tells its result")]

#[cfg(feature = "libtorch")]
mod speed {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Instant;

    use detoxlm_core::causal_lm::{CausalLm, Logits, RowId, RowTokens, TokenSequence};
    use detoxlm_core::training::{
        Bottleneck, Lora, Method, Prefix, TokenBatch, TrainBackend, TrainingConfig, TrainingJob,
    };
    use detoxlm_core::{
        Compute, Device, GenerationRequest, Generator, LocalGenerator, Precision, Sampling,
    };
    use detoxlm_tch::{TchLm, TchOptions, TchTrainBackend};
    use serde_json::{Value, json};

    /// Tokens of the prompt that all continuations share.
    const PROMPT: usize = 16;
    const REPEATS: usize = 5;

    struct Arguments {
        model: Option<PathBuf>,
        compute: Compute,
        /// Sequences and tokens of a training step.
        step: (usize, usize),
        repeats: usize,
    }

    impl Arguments {
        fn read() -> Self {
            let mut read = Self {
                model: None,
                compute: Compute::default(),
                step: (8, 1024),
                repeats: REPEATS,
            };
            let mut arguments = std::env::args().skip(1);
            while let Some(argument) = arguments.next() {
                let mut value = || arguments.next().expect("a value");
                match argument.as_str() {
                    "--model" => read.model = Some(value().into()),
                    "--device" => {
                        let device: Device = value().parse().expect("a device");
                        read.compute = read.compute.with_device(device);
                    }
                    "--bf16" => read.compute = read.compute.with_precision(Precision::Bf16),
                    "--sequences" => read.step.0 = value().parse().expect("a number"),
                    "--length" => read.step.1 = value().parse().expect("a number"),
                    "--repeats" => read.repeats = value().parse().expect("a number"),
                    // What cargo passes to every benchmark.
                    "--bench" => {}
                    other => panic!("{other} is no argument of this benchmark"),
                }
            }
            read
        }

        fn options(&self) -> TchOptions {
            TchOptions::default().with_compute(self.compute)
        }
    }

    fn report(name: &str, tokens: usize, repeats: usize, mut work: impl FnMut()) {
        work();
        let mut seconds: Vec<f64> = (0..repeats)
            .map(|_| {
                let start = Instant::now();
                work();
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let middle = seconds[seconds.len() / 2];
        println!("{}", json!({"what": name, "tokens_per_second": tokens as f64 / middle}));
    }

    /// A stand-in for sampling: ids spread over the vocabulary.
    fn draw(row: usize, step: usize, vocabulary: usize) -> u32 {
        ((row * 7919 + step * 104_729) % vocabulary) as u32
    }

    /// Continuations of one prompt, forked after it was read.
    fn continue_prompt(model: &TchLm, rows: usize, tokens: usize) -> f32 {
        let vocabulary = model.capabilities().vocabulary;
        let prompt: Vec<u32> = (0..PROMPT).map(|index| draw(0, index, vocabulary)).collect();
        let mut session = model.decode_session(rows, PROMPT + tokens).expect("a session");
        let first = session.admit().expect("a row");
        let mut logits = Logits::default();
        let entry = RowTokens { row: first, tokens: &prompt };
        session.step(&[entry], &mut logits).expect("a step");
        let mut all: Vec<RowId> = vec![first];
        all.extend((1..rows).map(|_| session.fork(first).expect("a row")));
        // The prompt's logits give the first token, so the last one is never fed.
        for step in 0..tokens - 1 {
            let drawn: Vec<[u32; 1]> = (0..rows).map(|row| [draw(row, step, vocabulary)]).collect();
            let entries: Vec<_> = all
                .iter()
                .zip(&drawn)
                .map(|(&row, drawn)| RowTokens { row, tokens: drawn })
                .collect();
            session.step(&entries, &mut logits).expect("a step");
        }
        logits.row(0)[0]
    }

    /// Eight prompts, 25 continuations of 20 tokens each, drawn by top-p: what an evaluation does.
    fn generate(model: Arc<dyn CausalLm>, repeats: usize) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let generator = LocalGenerator::new(model).expect("a generator").with_rows(200);
        let sampling = Sampling::default().with_max_new_tokens(20).with_top_p(0.9);
        let requests: Vec<_> = (0..8)
            .map(|id| GenerationRequest {
                id,
                prompt: "The river runs past the old mill and".to_owned(),
                samples: 25,
                sampling: sampling.clone(),
                seed: 1,
            })
            .collect();
        let write = || runtime.block_on(generator.generate(&requests)).expect("text");
        let tokens = write().iter().flatten().map(|generation| generation.tokens).sum();
        report("generate 8 prompts x 25 x 20, top-p 0.9", tokens, repeats, || drop(write()));
    }

    fn infer(model: &Path, arguments: &Arguments) {
        let model = Arc::new(TchLm::open(model, arguments.options()).expect("a model"));
        let vocabulary = model.capabilities().vocabulary;
        for (rows, tokens) in [(1, 128), (25, 20), (64, 128), (256, 20)] {
            report(&format!("decode {rows} x {tokens}"), rows * tokens, arguments.repeats, || {
                continue_prompt(&model, rows, tokens);
            });
        }
        generate(Arc::clone(&model) as Arc<dyn CausalLm>, arguments.repeats);
        let length = model.capabilities().context_length.min(1024);
        let windows: Vec<Vec<u32>> = (0..8)
            .map(|row| (0..length).map(|index| draw(row, index, vocabulary)).collect())
            .collect();
        let windows: Vec<_> = windows.iter().map(TokenSequence::from).collect();
        report(&format!("likelihood 8 x {length}"), 8 * (length - 1), arguments.repeats, || {
            model.token_likelihoods(&windows).expect("likelihoods");
        });
        endings(&model, arguments.repeats);
    }

    /// Sixteen contexts of 96 tokens with four endings of 16 each, as tasks ask for them; and the same with
    /// no neighbours that share a context.
    fn endings(model: &TchLm, repeats: usize) {
        let vocabulary = model.capabilities().vocabulary;
        let sequence = |context: usize, ending: usize| -> Vec<u32> {
            let begin = (0..96).map(|index| draw(context, index, vocabulary));
            begin.chain((0..16).map(|index| draw(100 + ending, index, vocabulary))).collect()
        };
        let beside: Vec<_> = (0..64).map(|index| sequence(index / 4, index % 4)).collect();
        let apart: Vec<_> = (0..64).map(|index| sequence(index % 16, index / 16)).collect();
        for (name, sequences) in [("beside", &beside), ("apart", &apart)] {
            let asked: Vec<_> =
                sequences.iter().map(|tokens| TokenSequence { tokens, from: 96 }).collect();
            report(&format!("likelihood 16 x 96 x 4 x 16, {name}"), 64 * 16, repeats, || {
                model.token_likelihoods(&asked).expect("likelihoods");
            });
        }
    }

    fn train(model: &Path, arguments: &Arguments) {
        let (sequences, length) = arguments.step;
        let corpus = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(corpus.path(), "{\"text\": \"The river runs past the old mill.\"}\n")
            .expect("a corpus");
        let methods = [
            Method::Full {},
            Method::Bottleneck(Bottleneck::default()),
            Method::Lora(Lora::default()),
            Method::Prefix(Prefix::default()),
        ];
        for method in methods {
            let name = method.name();
            let job = TrainingJob {
                base: model.to_path_buf(),
                corpus: vec![corpus.path().to_path_buf()],
                validation: Vec::new(),
                method,
                config: TrainingConfig::default(),
                seed: 0,
                work: PathBuf::new(),
                output: PathBuf::new(),
            };
            let backend = TchTrainBackend::new(arguments.options()).expect("a backend");
            let mut session = backend.open(&job).expect("a session");
            let length = length.min(session.context_length());
            let vocabulary = session.vocabulary();
            let ids = |shift| {
                (0..sequences * length).map(|index| draw(index, shift, vocabulary)).collect()
            };
            let batch = TokenBatch { inputs: ids(0), targets: ids(1), sequences, length };
            let what = format!("train {name}, step of {sequences} x {length}");
            report(&what, sequences * length, arguments.repeats, || {
                session.accumulate(&batch, 1.0).expect("gradients");
                session.step(1e-5).expect("a step");
            });
        }
    }

    const VOCABULARY: u64 = 50_257;

    /// GPT-2's smallest shape, with the tokenizer of a test fixture and words that no text has for the rest
    /// of the vocabulary: drawing a token has to look at all of them.
    fn write_model(directory: &Path) {
        let description = tempfile::tempdir().expect("a directory");
        let config = json!({
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "vocab_size": VOCABULARY,
            "n_positions": 1024,
            "n_embd": 768,
            "n_layer": 12,
            "n_head": 12,
            "bos_token_id": 0,
            "eos_token_id": 0,
        });
        std::fs::write(description.path().join("config.json"), config.to_string())
            .expect("a description");
        let built = || env!("CARGO_MANIFEST_DIR").into();
        let crate_directory = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built);
        let fixture = Path::new(&crate_directory).join("../../tests/fixtures/models/gpt2");
        let text = std::fs::read_to_string(fixture.join("tokenizer.json")).expect("a tokenizer");
        let mut tokenizer: Value = serde_json::from_str(&text).expect("a tokenizer");
        let words = tokenizer["model"]["vocab"].as_object_mut().expect("a vocabulary");
        let known = words.values().filter_map(Value::as_u64).max().unwrap_or(0);
        words.extend((known + 1..VOCABULARY).map(|id| (format!("<{id}>"), id.into())));
        std::fs::write(description.path().join("tokenizer.json"), tokenizer.to_string())
            .expect("a tokenizer");
        let config = "tokenizer_config.json";
        std::fs::copy(fixture.join(config), description.path().join(config)).expect("a tokenizer");
        detoxlm_candle::initialise(description.path(), 1, directory).expect("a model");
    }

    pub(super) fn run() {
        let arguments = Arguments::read();
        let made = tempfile::tempdir().expect("a directory");
        let model = arguments.model.clone().unwrap_or_else(|| made.path().join("model"));
        if !model.exists() {
            write_model(&model);
        }
        infer(&model, &arguments);
        train(&model, &arguments);
    }
}

fn main() {
    #[cfg(feature = "libtorch")]
    speed::run();
}
