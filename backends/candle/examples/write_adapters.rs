//! Adapters of every method, trained for a few steps on the test models, with our own logits beside
//! them, for the Python libraries to read:
//!
//! ```sh
//! cargo run -p detoxlm-candle --example write_adapters -- /tmp/adapters
//! python tests/fixtures/check_adapters.py /tmp/adapters/{lora,prefix}-*   # where peft is
//! python tests/fixtures/check_adapters.py /tmp/adapters/bottleneck-*      # where adapters is
//! ```

#![allow(clippy::print_stdout, reason = "a program that tells its result")]

use std::path::{Path, PathBuf};

use detoxlm_candle::{CandleLm, CandleOptions, CandleTrainBackend};
use detoxlm_core::causal_lm::{CausalLm, Logits, RowTokens};
use detoxlm_core::files::{create_directory, write_atomically, write_json};
use detoxlm_core::training::{
    Bottleneck, BottleneckActivation, BottleneckSize, Lora, Method, Placement, Prefix, TokenBatch,
    TrainBackend, TrainingConfig, TrainingJob,
};
use detoxlm_core::{Error, ErrorKind, Result};
use serde_json::json;

const MODELS: [&str; 3] = ["gpt2", "llama3", "qwen2-bf16-sharded"];
const TEXT: &str = "The river runs past the old mill. In spring the children look for frogs there.";

fn methods() -> Vec<(&'static str, Method)> {
    let lora = Lora { rank: 4, alpha: 10.0, ..Lora::default() };
    let bottleneck = |placement, activation, size| {
        Method::Bottleneck(Bottleneck { placement, activation, size, up_spread: 0.0 })
    };
    let factor = BottleneckSize::ReductionFactor(4.0);
    vec![
        ("lora", Method::Lora(lora.clone())),
        ("lora-stabilized", Method::Lora(Lora { rank_stabilized: true, ..lora })),
        ("prefix", Method::Prefix(Prefix { length: 5, projection_width: None })),
        ("prefix-projected", Method::Prefix(Prefix { length: 5, projection_width: Some(9) })),
        ("bottleneck-houlsby", bottleneck(Placement::Houlsby, BottleneckActivation::Swish, factor)),
        // A width that does not divide the model's.
        (
            "bottleneck-pfeiffer",
            bottleneck(Placement::Pfeiffer, BottleneckActivation::Gelu, BottleneckSize::Width(5)),
        ),
    ]
}

fn main() -> Result<()> {
    let Some(out) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(Error::new(ErrorKind::InvalidConfig, "example", "start", "say where to write"));
    };
    let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/models"));
    let corpus = out.join("corpus.jsonl");
    create_directory(&out)?;
    write_atomically(&corpus, json!({"text": TEXT}).to_string())?;
    for model in MODELS {
        for (name, method) in methods() {
            let directory = out.join(format!("{name}-{model}"));
            create_directory(&directory)?;
            train(&models.join(model), method, &corpus, &directory)?;
            let base = CandleLm::open(models.join(model), CandleOptions::default())?;
            let adapted = base.with_adapter(&directory)?;
            let tokens: Vec<u32> = (0..20).map(|index| 3 + index * 71 % 290).collect();
            let expected =
                json!({"base": model, "tokens": tokens, "logits": logits(&adapted, &tokens)?});
            write_json(directory.join("expected.json"), &expected)?;
            println!("{}", directory.display());
        }
    }
    Ok(())
}

/// A few steps, large enough that every tensor matters.
fn train(base: &Path, method: Method, corpus: &Path, directory: &Path) -> Result<()> {
    let job = TrainingJob {
        base: base.to_path_buf(),
        corpus: vec![corpus.to_path_buf()],
        validation: Vec::new(),
        method,
        config: TrainingConfig::default(),
        seed: 7,
        work: PathBuf::new(),
        output: PathBuf::new(),
    };
    let mut session = CandleTrainBackend::new(CandleOptions::default())?.open(&job)?;
    let ids = |shift: u32| (0..64).map(|index| 3 + (index + shift) * 71 % 290).collect();
    let batch = TokenBatch { inputs: ids(0), targets: ids(1), sequences: 2, length: 32 };
    for _ in 0..20 {
        session.accumulate(&batch, 1.0)?;
        session.step(3e-2)?;
    }
    session.export(directory)
}

/// After each of the last four tokens.
fn logits(model: &CandleLm, tokens: &[u32]) -> Result<Vec<Vec<f32>>> {
    let mut session = model.decode_session(1, tokens.len())?;
    let row = session.admit()?;
    let (mut step, mut all) = (Logits::default(), Vec::new());
    for token in tokens {
        session.step(&[RowTokens { row, tokens: std::slice::from_ref(token) }], &mut step)?;
        all.push(step.row(0).to_vec());
    }
    Ok(all.split_off(tokens.len() - 4))
}
