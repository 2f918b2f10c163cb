//! The conversion of llama2.c models.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::open;
use detoxlm_candle::{CandleLm, convert_llama2c};
use detoxlm_core::causal_lm::CausalLm;
use detoxlm_core::{ErrorKind, Result};
use detoxlm_test_models::{fixture, greedy};

/// What llama2.c's README shows for `./run stories260K.bin -z tok512.bin -t 0.0`.
const STORY: &str = "\
Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One \
day, she saw a big, red ball. She wanted to play with it, but it was too high.
Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She said, \
\"I want to play with your ball, but I can't find it.\"
Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"
Lily didn't want to help her mom, so she said, \"I'm sorry, mom. I didn't know what to do.\" Her mom \
said, \"Don't worry, Lily. We can help you.";

fn converted(root: &Path) -> CandleLm {
    let directory = root.join("stories260K");
    convert(&fixture("stories260K/stories260K.bin"), &directory).unwrap();
    open(&directory)
}

fn convert(checkpoint: &Path, directory: &Path) -> Result<()> {
    convert_llama2c(checkpoint, &fixture("stories260K/tok512.bin"), directory)
}

#[test]
fn it_tells_the_documented_story() {
    let root = tempfile::tempdir().unwrap();
    let model = converted(root.path());
    let tokenizer = model.tokenizer();
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (1, [1, 2].as_slice()));
    assert!(tokenizer.prepends_bos());
    let story = greedy(&model, &[tokenizer.bos()], 256, Some(tokenizer.bos()));
    assert_eq!(tokenizer.decode(&story).unwrap(), STORY);
}

/// llama2.c's own encoder: characters, or their bytes, merged by the best score, the first of equals.
struct ScoredVocabulary(Vec<(Vec<u8>, f32)>);

impl ScoredVocabulary {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let word = |at: usize| bytes[at..at + 4].try_into().unwrap();
        let (mut at, mut tokens) = (4, Vec::new());
        while at < bytes.len() {
            let length = i32::from_le_bytes(word(at + 4)) as usize;
            tokens.push((bytes[at + 8..][..length].to_vec(), f32::from_le_bytes(word(at))));
            at += 8 + length;
        }
        Self(tokens)
    }

    fn find(&self, text: &[u8]) -> Option<usize> {
        self.0.iter().position(|(token, _)| token == text)
    }

    fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        for character in format!(" {text}").chars() {
            let bytes = character.to_string().into_bytes();
            match self.find(&bytes) {
                Some(id) => ids.push(id),
                None => ids.extend(bytes.iter().map(|&byte| usize::from(byte) + 3)),
            }
        }
        while let Some((at, id)) = self.best_merge(&ids) {
            ids[at] = id;
            ids.remove(at + 1);
        }
        ids.into_iter().map(|id| id as u32).collect()
    }

    fn best_merge(&self, ids: &[usize]) -> Option<(usize, usize)> {
        let mut best = None;
        let mut best_score = f32::NEG_INFINITY;
        for (at, pair) in ids.windows(2).enumerate() {
            let joined = [self.0[pair[0]].0.as_slice(), &self.0[pair[1]].0].concat();
            if let Some(id) = self.find(&joined)
                && self.0[id].1 > best_score
            {
                (best, best_score) = (Some((at, id)), self.0[id].1);
            }
        }
        best
    }
}

#[test]
fn its_tokenizer_is_that_of_llama2c() {
    let root = tempfile::tempdir().unwrap();
    let model = converted(root.path());
    let reference = ScoredVocabulary::read(&fixture("stories260K/tok512.bin"));
    for text in [
        STORY,
        "Two  spaces,\ttabs and\n\nbreaks; 1234567890 (all) of [them] <here>!",
        "Grüße aus Köln — 東京, \u{1f980}.",
        " leading and trailing ",
        "mississippi aaaaaaa thethethe",
    ] {
        let ids = model.tokenizer().encode(text).unwrap();
        assert_eq!(ids, reference.encode(text), "{text}");
        assert_eq!(model.tokenizer().decode(&ids).unwrap(), text);
    }
}

/// The checkpoint, changed.
fn spoiled(root: &Path, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = fs::read(fixture("stories260K/stories260K.bin")).unwrap();
    change(&mut bytes);
    let path = root.join("spoiled.bin");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn what_is_not_a_checkpoint_is_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let refused = |path: PathBuf| convert(&path, &out).unwrap_err().to_string();

    let text = refused(spoiled(root.path(), |bytes| bytes.truncate(1000)));
    assert!(text.contains("spoiled.bin: 972 bytes of weights, but the header makes it"), "{text}");
    let text = refused(spoiled(root.path(), |bytes| bytes.truncate(10)));
    assert!(text.contains("10 bytes do not hold the header of 28"), "{text}");
    let text = refused(spoiled(root.path(), |bytes| bytes[..4].copy_from_slice(b"24ka")));
    assert!(text.contains("--version 0"), "{text}");
    let text = refused(spoiled(root.path(), |bytes| bytes[..4].fill(0)));
    assert!(text.contains("not a llama2.c checkpoint"), "{text}");
    let text = refused(root.path().join("missing.bin"));
    assert!(text.contains("missing.bin"), "{text}");
    assert!(!out.exists());

    fs::create_dir(&out).unwrap();
    let text = refused(fixture("stories260K/stories260K.bin"));
    assert!(text.contains("out: it exists already"), "{text}");
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let tokens = fs::read(fixture("stories260K/tok512.bin")).unwrap();
    let path = root.path().join("tokens.bin");
    let out = root.path().join("out");
    let refused = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        let checkpoint = fixture("stories260K/stories260K.bin");
        let error = convert_llama2c(&checkpoint, &path, &out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.to_string()
    };
    let text = refused(&tokens[..tokens.len() - 1]);
    assert!(text.contains("at token 511 of the model's 512"), "{text}");
    let text = refused(&[tokens.as_slice(), &[0]].concat());
    assert!(text.contains("more than the model's 512 tokens"), "{text}");
}
