//! What a training step costs by method: memory and tokens per second, each in a process of its own.
//!
//! ```sh
//! cargo bench -p detoxlm-candle --bench methods
//! ```

#![allow(clippy::print_stdout, reason = "a program that tells its result")]

mod random_model;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use detoxlm_candle::{CandleOptions, CandleTrainBackend};
use detoxlm_core::training::{
    Bottleneck, Lora, Method, Prefix, TokenBatch, TrainBackend, TrainingConfig, TrainingJob,
};
use random_model::Shape;

/// What trains uses it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// GPT-2 small (Radford et al. 2019): 124 million parameters.
const SHAPE: Shape = Shape { width: 768, layers: 12, heads: 12, vocabulary: 50_257 };
const SEQUENCES: usize = 4;
const LENGTH: usize = 256;
const LEAST: Duration = Duration::from_secs(15);

fn methods() -> [(&'static str, Method); 4] {
    [
        ("full", Method::Full {}),
        ("bottleneck, width 48", Method::Bottleneck(Bottleneck::default())),
        ("LoRA, rank 8", Method::Lora(Lora::default())),
        ("prefix of 16", Method::Prefix(Prefix::default())),
    ]
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [model, method, checkpointing] => {
            let index: usize = method.parse().expect("a method's number");
            measure(Path::new(model), &methods()[index].1, checkpointing == "true");
        }
        _ => compare(),
    }
}

/// Runs every method in a process of its own, whose largest memory is the method's.
fn compare() {
    let root = tempfile::tempdir().expect("a directory");
    let model = root.path().join("model");
    random_model::write(&model, SHAPE);
    println!(
        "| method | trained parameters | tokens/s | peak memory | checkpointed: tokens/s | peak memory |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    for (index, (name, _)) in methods().iter().enumerate() {
        let run = |checkpointing: &str| {
            let this = std::env::current_exe().expect("this program");
            let output = Command::new(this)
                .arg(&model)
                .args([&index.to_string(), checkpointing])
                .output()
                .expect("a process");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("text")
        };
        let (whole, checkpointed) = (run("false"), run("true"));
        let fields = |line: &str| line.trim().split('\t').map(str::to_owned).collect::<Vec<_>>();
        let (whole, checkpointed) = (fields(&whole), fields(&checkpointed));
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            whole[0], whole[1], whole[2], checkpointed[1], checkpointed[2]
        );
    }
}

/// Prints trained parameters, tokens per second and the largest memory of this process.
fn measure(model: &Path, method: &Method, gradient_checkpointing: bool) {
    let corpus = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(corpus.path(), "{\"text\": \"The river runs past the old mill.\"}")
        .expect("text");
    let job = TrainingJob {
        base: model.to_path_buf(),
        corpus: vec![corpus.path().to_path_buf()],
        validation: Vec::new(),
        method: method.clone(),
        config: TrainingConfig { gradient_checkpointing, ..TrainingConfig::default() },
        seed: 0,
        work: PathBuf::new(),
        output: PathBuf::new(),
    };
    let backend = CandleTrainBackend::new(CandleOptions::default()).unwrap();
    let mut session = backend.open(&job).expect("a session");
    let ids = |shift: usize| {
        (0..SEQUENCES * LENGTH)
            .map(|index| ((index + shift) * 7919 % SHAPE.vocabulary) as u32)
            .collect()
    };
    let batch =
        TokenBatch { inputs: ids(0), targets: ids(1), sequences: SEQUENCES, length: LENGTH };
    let mut step = || {
        session.accumulate(&batch, 1.0).expect("gradients");
        session.step(1e-5).expect("a step");
    };
    step();
    let begun = Instant::now();
    let mut steps = 0;
    while begun.elapsed() < LEAST {
        step();
        steps += 1;
    }
    let rate = (steps * SEQUENCES * LENGTH) as f64 / begun.elapsed().as_secs_f64();
    println!("{}\t{rate:.0}\t{}", session.parameters().trainable, peak_memory());
}

/// As Linux counts it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or_else(|| "–".to_owned(), |kib| format!("{} MiB", kib / 1024))
}
