//! A classifier that the candle backend trains is the one that the ONNX backend scores with, on
//! whichever engine this process has, and an interrupted training ends in the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use detoxlm::candle::{CandleDistiller, CandleOptions};
use detoxlm::distillation::{Convolution, DistillationConfig, DistillationJob};
use detoxlm::onnx::OnnxScorer;
use detoxlm::{Attribute, Event, Observer, Sample, Silent, ToxicityScorer, Verdict};
use tokio::sync::Notify;

/// Rows of two sources and an attribute of one's own; some values are missing.
fn rows() -> String {
    let words = ["river", "garden", "stupid", "letter", "idiot", "table", "music", "bread"];
    let mut rows = String::new();
    for at in 0_usize..160 {
        let chosen: Vec<&str> = (0..3 + at % 5).map(|k| words[(at * 7 + k * k * 3) % 8]).collect();
        let rude = chosen.iter().filter(|&&word| word == "stupid" || word == "idiot").count();
        let value = (rude as f32 / 3.0).min(1.0);
        let text = format!("{} {at}", chosen.join(" "));
        let scores = match at % 3 {
            0 => format!("{{\"TOXICITY\":{value}}}"),
            _ => format!("{{\"TOXICITY\":{value},\"MUSICAL\":{}}}", at % 2),
        };
        let source = if at % 4 == 3 { "other" } else { "main" };
        rows.push_str(&format!(
            "{{\"text\":\"{text}\",\"scores\":{scores},\"source\":\"{source}\"}}\n"
        ));
    }
    rows
}

fn job(root: &Path, name: &str) -> DistillationJob {
    let [rows_file, posts] = ["rows.jsonl", "posts.jsonl"].map(|name| root.join(name));
    fs::write(&rows_file, rows()).unwrap();
    fs::write(&posts, "{\"text\":\"the music of the river is a garden\"}\n").unwrap();
    let config = DistillationConfig {
        scale: Some("main".to_owned()),
        vocabulary: 300,
        width: 12,
        hidden: 10,
        convolutions: [(1, 8), (2, 6), (5, 4)]
            .map(|(width, channels)| Convolution { width, channels })
            .into(),
        epochs: 4,
        batch_tokens: 120,
        window: 24,
        held_out: 0.1,
        checkpoint_every: 3,
        ..DistillationConfig::default()
    };
    DistillationJob {
        rows: vec![rows_file],
        unlabelled: vec![posts],
        config,
        seed: 5,
        work: root.join(format!("{name}.work")),
        output: root.join(name),
    }
}

fn distiller(threads: usize) -> CandleDistiller {
    CandleDistiller::new(CandleOptions::default().with_threads(threads)).unwrap()
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap())).collect()
}

/// The steps of a network's last checkpoint, and its files.
fn last_checkpoint(job: &DistillationJob, network: &str) -> (u64, BTreeMap<PathBuf, Vec<u8>>) {
    let entries = fs::read_dir(job.work.join(network)).unwrap().map(|entry| entry.unwrap().path());
    let last = entries.max().unwrap();
    let (_, steps) = last.to_str().unwrap().rsplit_once('-').unwrap();
    (steps.parse().unwrap(), files(&last))
}

#[tokio::test]
async fn scores_of_the_written_directory_are_those_of_the_network() {
    check_the_written_directory(1).await;
}

#[tokio::test]
async fn scores_of_the_written_directory_are_the_mean_of_its_networks() {
    check_the_written_directory(3).await;
}

async fn check_the_written_directory(networks: usize) {
    let root = tempfile::tempdir().unwrap();
    let mut job = job(root.path(), "judge");
    job.config.networks = networks;
    let outcome = distiller(1).distil(&job, Arc::new(Silent)).await.unwrap();
    assert!(outcome.held_out > 3 && outcome.figures.len() == 2, "{outcome:?}");
    let scorer = OnnxScorer::open(&job.output).unwrap();
    let attributes = [Attribute::TOXICITY, "MUSICAL".parse().unwrap()];
    for attribute in &attributes {
        assert!(scorer.capabilities().attributes.contains(attribute), "{attribute}");
    }
    let text = fs::read_to_string(job.output.join("expected.json")).unwrap();
    let expected: BTreeMap<String, Vec<f32>> = serde_json::from_str(&text).unwrap();
    let samples: Vec<Sample> = expected.keys().map(Sample::new).collect();
    // All together, so that the shorter ones are padded.
    let verdicts = scorer.score(&samples).await.unwrap();
    for ((text, values), verdict) in expected.iter().zip(verdicts) {
        let Verdict::Scored(scores) = verdict else { panic!("{text:?} is {verdict:?}") };
        for (attribute, value) in attributes.iter().zip(values) {
            let found = scores.get(attribute).unwrap();
            assert!((found - value).abs() < 1e-4, "{attribute} of {text:?}: {found}, {value}");
        }
    }
}

/// Tells when so many steps have been taken, and holds the training there until it is let go.
#[derive(Debug)]
struct Counter {
    steps: AtomicU64,
    stop: u64,
    reached: Notify,
    is_free: AtomicBool,
}

impl Observer for Counter {
    fn observe(&self, event: &Event<'_>) {
        if let Event::TrainingStep { .. } = event
            && self.steps.fetch_add(1, Ordering::Relaxed) + 1 == self.stop
        {
            self.reached.notify_one();
            while !self.is_free.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

#[tokio::test]
async fn an_interrupted_training_on_other_threads_ends_in_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let [whole, stopped] = ["whole", "stopped"].map(|name| {
        let mut job = job(root.path(), name);
        job.config.networks = 2;
        job
    });
    let outcome = distiller(1).distil(&whole, Arc::new(Silent)).await.unwrap();
    // In the first network, whose checkpoint is of step 3, and four steps into the second.
    let of_one = last_checkpoint(&whole, "network-0").0;
    let trainer = distiller(2);
    let mut sittings = 0;
    for stop in [5, of_one - 3 + 4] {
        let counter = Arc::new(Counter {
            steps: AtomicU64::new(0),
            stop,
            reached: Notify::new(),
            is_free: AtomicBool::new(false),
        });
        tokio::select! {
            _ = trainer.distil(&stopped, Arc::clone(&counter) as Arc<dyn Observer>) => {}
            () = counter.reached.notified() => sittings += 1,
        }
        counter.is_free.store(true, Ordering::Relaxed);
        assert!(!stopped.output.exists());
    }
    assert_eq!(sittings, 2);
    assert!(stopped.work.join("network-1/checkpoint-00000003").is_dir());
    let resumed = trainer.distil(&stopped, Arc::new(Silent)).await.unwrap();
    assert_eq!(resumed.steps, outcome.steps);
    assert_eq!(resumed.figures, outcome.figures);
    assert!(files(&whole.output) == files(&stopped.output), "other bytes");
    // Another seed is another classifier, and another job.
    let mut other = stopped.clone();
    (other.seed, other.output) = (6, root.path().join("other"));
    let error = trainer.distil(&other, Arc::new(Silent)).await.unwrap_err();
    assert!(error.to_string().contains("`seed`: 5 before, 6 now"), "{error}");
}

#[tokio::test]
async fn a_network_of_several_is_what_a_job_of_its_seed_alone_trains() {
    let root = tempfile::tempdir().unwrap();
    let (mut both, mut second) = (job(root.path(), "both"), job(root.path(), "second"));
    (both.config.networks, second.seed) = (2, both.seed + 1);
    let outcome = distiller(1).distil(&both, Arc::new(Silent)).await.unwrap();
    let alone = distiller(1).distil(&second, Arc::new(Silent)).await.unwrap();
    assert_eq!(outcome.parameters, 2 * alone.parameters);
    let [of_first, of_second] =
        ["network-0", "network-1"].map(|network| last_checkpoint(&both, network));
    // Its texts come in an order of its own, and fill other steps.
    assert_eq!(outcome.steps, of_first.0 + of_second.0);
    assert!(of_second == last_checkpoint(&second, "network-0"), "other bytes");
    assert!(of_first.1 != of_second.1, "the same bytes");
}
