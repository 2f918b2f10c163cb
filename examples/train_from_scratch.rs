//! From raw text to a language model of one's own: tokenizer, random weights, training. With the texts
//! that its model card names, this makes the embedded model.
//!
//! `cargo run --release -p detoxlm-examples --example train_from_scratch -- 4M runs/scratch TEXTS.jsonl.gz`
//! writes `runs/scratch/model`, in single precision, and `runs/scratch/shipped`, in half. Interrupted,
//! it goes on from its last checkpoint. The embedded model is `4M`; `2M` and `700K` are its smaller
//! siblings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use detoxlm::corpus::read_texts;
use detoxlm::training::{
    Decay, LearningRate, Method, OptimizerConfig, TrainingConfig, TrainingJob,
};
use detoxlm::{Event, Observer, candle, files};
use serde_json::{Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, NormalizerWrapper, TokenizerBuilder};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Training allocates from many threads, which the system's allocator serves slowly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 1;
const VOCABULARY: usize = 8192;
const CONTEXT: usize = 256;

/// What a member of the family is called, its shape, and how long it reads: about six tokens for every
/// parameter, but for the smallest, which reads more.
struct Size {
    name: &'static str,
    width: usize,
    layers: usize,
    steps: u64,
}

const SIZES: [Size; 3] = [
    Size { name: "700K", width: 64, layers: 4, steps: 8_000 },
    Size { name: "2M", width: 128, layers: 5, steps: 12_000 },
    Size { name: "4M", width: 192, layers: 6, steps: 24_000 },
];
const HEADS: usize = 4;
/// Ends a document and begins the next.
const END: &str = "<|endoftext|>";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let usage = "usage: train_from_scratch 4M|2M|700K OUT TEXTS.jsonl.gz ...";
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or(usage)?;
    let size = SIZES.iter().find(|size| size.name == name).ok_or(usage)?;
    let out = PathBuf::from(arguments.next().ok_or(usage)?);
    let texts: Vec<PathBuf> = arguments.map(PathBuf::from).collect();

    let description = out.join("description");
    if !description.join("tokenizer.json").exists() {
        println!("learning a vocabulary");
        files::write_json(description.join("config.json"), &configuration(size))?;
        files::write_json(description.join("tokenizer_config.json"), &tokenizer_configuration())?;
        train_tokenizer(&texts, &description.join("tokenizer.json"))?;
    }
    let untrained = out.join("untrained");
    if !untrained.exists() {
        candle::initialise(&description, SEED, &untrained)?;
    }
    let job = TrainingJob {
        base: untrained,
        corpus: texts,
        validation: Vec::new(),
        method: Method::Full {},
        config: schedule(size.steps),
        seed: SEED,
        work: out.join("work"),
        output: out.join("model"),
    };
    let registry = detoxlm::registry();
    let trainer = &registry.framework("candle")?.trainer;
    let printer = Printer { steps: size.steps, began: Instant::now() };
    let outcome = trainer.train(&job, Arc::new(printer)).await?;
    println!("{} parameters, {} tokens", outcome.total_parameters, outcome.tokens);
    let shipped = out.join("shipped");
    if !shipped.exists() {
        candle::to_half_precision(&outcome.model, shipped)?;
    }
    Ok(())
}

/// A small GPT-2, in the keys of `transformers`.
fn configuration(size: &Size) -> Value {
    json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": VOCABULARY,
        "n_positions": CONTEXT,
        "n_embd": size.width,
        "n_layer": size.layers,
        "n_head": HEADS,
        "bos_token_id": 0,
        "eos_token_id": 0,
    })
}

fn tokenizer_configuration() -> Value {
    json!({ "tokenizer_class": "GPT2Tokenizer", "bos_token": END, "eos_token": END })
}

/// Byte-level byte-pair encoding, as GPT-2's (Radford et al. 2019).
fn train_tokenizer(texts: &[PathBuf], path: &Path) -> Result<()> {
    let mut trainer = BpeTrainer::builder()
        .vocab_size(VOCABULARY)
        .show_progress(false)
        .special_tokens(vec![AddedToken::from(END, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut tokenizer = TokenizerBuilder::default()
        .with_model(BPE::default())
        .with_normalizer(None::<NormalizerWrapper>)
        .with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)))
        .with_post_processor(Some(ByteLevel::default()))
        .with_decoder(Some(ByteLevel::default()))
        .build()?;
    let mut all = Vec::new();
    for path in texts {
        for text in read_texts(path)? {
            all.push(text?);
        }
    }
    tokenizer.train(&mut trainer, all.into_iter())?.save(path, false)?;
    Ok(())
}

fn schedule(steps: u64) -> TrainingConfig {
    TrainingConfig {
        max_steps: Some(steps),
        // 1,024 tokens a step: at this size of model and corpus, more steps teach more than larger
        // ones, if the optimiser's memory is longer in proportion (Marek et al. 2025).
        batch_size: 4,
        optimizer: OptimizerConfig { beta2: 0.999, ..OptimizerConfig::default() },
        checkpoint_every: 500,
        learning_rate: LearningRate {
            peak: 1e-3,
            warmup_steps: 300,
            decay: Decay::Linear,
            floor: 0.0,
        },
        ..TrainingConfig::default()
    }
}

/// Prints the loss now and then.
#[derive(Debug)]
struct Printer {
    steps: u64,
    began: Instant,
}

impl Observer for Printer {
    fn observe(&self, event: &Event<'_>) {
        if let Event::TrainingStep { step, loss, .. } = *event
            && step % 100 == 0
        {
            println!(
                "step {step} of {}: loss {loss:.3}, {:.0} s",
                self.steps,
                self.began.elapsed().as_secs_f64()
            );
        }
    }
}
