use std::fs;
use std::path::Path;

use detoxlm_core::{Sample, ToxicityScorer};
use detoxlm_onnx::OnnxScorer;

use crate::block_on;

/// A byte that says which file is spoiled, and then edits of three bytes each: where (two) and what.
pub(crate) const SEED: &[u8] = &[0, 0, 9, 1, 1, 200, 7];

const FILES: [&str; 3] = ["model.onnx", "tokenizer.json", "config.json"];

/// Opens a classifier's directory of which one file was spoiled, and scores a text with it if that
/// succeeds.
///
/// Bytes that are edits reach further into a valid file than bytes that are the file.
pub fn onnx_directory(data: &[u8]) {
    let Some((&which, edits)) = data.split_first() else { return };
    let Ok(directory) = tempfile::tempdir() else { return };
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/classifier/bag");
    for (index, name) in FILES.iter().enumerate() {
        let Ok(mut bytes) = fs::read(fixture.join(name)) else { return };
        if index == usize::from(which) % FILES.len() {
            spoil(&mut bytes, edits, which >= 128);
        }
        if fs::write(directory.path().join(name), bytes).is_err() {
            return;
        }
    }
    let Ok(scorer) = OnnxScorer::open(directory.path()) else { return };
    // Either way is fine.
    let _ = block_on(scorer.score(&[Sample::new("Hello there, you.")]));
}

/// Overwrites bytes at the places that the edits name; then cuts the file at the last of them.
fn spoil(bytes: &mut Vec<u8>, edits: &[u8], cut: bool) {
    // Two bytes name a place anywhere in the file.
    let place = |edit: &[u8], length: usize| {
        usize::from(u16::from_be_bytes([edit[0], edit[1]])) * length / (1 << 16)
    };
    let length = bytes.len();
    for edit in edits.chunks_exact(3) {
        if let Some(byte) = bytes.get_mut(place(edit, length)) {
            *byte = edit[2];
        }
    }
    if let Some(edit) = edits.chunks_exact(3).next_back().filter(|_| cut) {
        bytes.truncate(place(edit, length));
    }
}
