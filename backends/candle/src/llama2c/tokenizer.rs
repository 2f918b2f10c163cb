//! llama2.c's tokenizer file as a `tokenizer.json`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use detoxlm_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::OPERATION;
use crate::error::{COMPONENT, error};

/// The first three ids, under SentencePiece's names; llama2.c writes them with line breaks around.
pub(super) const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];
pub(super) const BOS: u32 = 1;
pub(super) const EOS: u32 = 2;

/// What SentencePiece writes for a space.
const SPACE: &str = "\u{2581}";

/// A token and how early pairs are merged into it.
struct Piece {
    text: String,
    score: f32,
}

/// Reads `size` tokens: the length of the longest, then of each its score, length and bytes.
pub(super) fn convert(path: &Path, size: usize) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(COMPONENT, OPERATION, path, e))?;
    let refuse =
        |message: String| error(ErrorKind::InvalidInput, OPERATION, message).with_path(path);
    let mut rest = bytes.get(size_of::<i32>()..).unwrap_or_default();
    let mut pieces = Vec::new();
    for id in 0..size {
        let piece = read_piece(&mut rest, id).ok_or_else(|| {
            refuse(format!("ends or is malformed at token {id} of the model's {size}"))
                .with_remedy("use the checkpoint and the tokenizer of the same model")
        })?;
        pieces.push(piece);
    }
    if !rest.is_empty() {
        return Err(refuse(format!("holds more than the model's {size} tokens"))
            .with_remedy("use the checkpoint and the tokenizer of the same model"));
    }
    if size < SPECIAL.len() {
        return Err(refuse(format!("{size} tokens do not hold the special ones")));
    }
    let vocabulary: BTreeMap<&str, usize> =
        pieces.iter().enumerate().map(|(id, piece)| (piece.text.as_str(), id)).collect();
    if vocabulary.len() < size {
        return Err(refuse("two tokens have the same text".into()));
    }
    Ok(tokenizer_json(&vocabulary, &merges(&pieces, &vocabulary)))
}

fn read_piece(rest: &mut &[u8], id: usize) -> Option<Piece> {
    let (score, after) = rest.split_first_chunk()?;
    let (length, after) = after.split_first_chunk()?;
    let length = usize::try_from(i32::from_le_bytes(*length)).ok()?;
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    let text = match SPECIAL.get(id) {
        Some(special) => (*special).to_owned(),
        None => std::str::from_utf8(text).ok()?.replace(' ', SPACE),
    };
    Some(Piece { text, score: f32::from_le_bytes(*score) })
}

/// Every pair of tokens that joins to a token, best score first, as Hugging Face's converter of
/// SentencePiece models derives them.
fn merges<'a>(pieces: &'a [Piece], vocabulary: &BTreeMap<&str, usize>) -> Vec<(&'a str, &'a str)> {
    let mut merges: Vec<_> = pieces
        .iter()
        .skip(SPECIAL.len())
        .filter(|piece| !is_byte(&piece.text))
        .flat_map(|piece| {
            piece.text.char_indices().skip(1).filter_map(|(at, _)| {
                let (left, right) = piece.text.split_at(at);
                let ids = (*vocabulary.get(left)?, *vocabulary.get(right)?);
                Some((piece.score, ids, (left, right)))
            })
        })
        .collect();
    merges.sort_by(|(score, ids, _), (other_score, other_ids, _)| {
        other_score.partial_cmp(score).unwrap_or(Ordering::Equal).then(ids.cmp(other_ids))
    });
    merges.into_iter().map(|(_, _, pair)| pair).collect()
}

/// Whether this is a token for a single byte, such as `<0x0A>`.
fn is_byte(text: &str) -> bool {
    text.len() == 6 && text.starts_with("<0x") && text.ends_with('>')
}

fn tokenizer_json(vocabulary: &BTreeMap<&str, usize>, merges: &[(&str, &str)]) -> Value {
    let [unknown, bos, _] = SPECIAL;
    let added: Vec<_> = SPECIAL
        .iter()
        .enumerate()
        .map(|(id, content)| {
            json!({
                "id": id, "content": content, "special": true, "normalized": false,
                "single_word": false, "lstrip": false, "rstrip": false,
            })
        })
        .collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": SPACE },
            { "type": "Replace", "pattern": { "String": " " }, "content": SPACE },
        ] },
        "pre_tokenizer": null,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                { "SpecialToken": { "id": bos, "type_id": 0 } },
                { "Sequence": { "id": "A", "type_id": 0 } },
            ],
            "pair": [
                { "SpecialToken": { "id": bos, "type_id": 0 } },
                { "Sequence": { "id": "A", "type_id": 0 } },
                { "SpecialToken": { "id": bos, "type_id": 1 } },
                { "Sequence": { "id": "B", "type_id": 1 } },
            ],
            "special_tokens": { bos: { "id": bos, "ids": [BOS], "tokens": [bos] } },
        },
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": SPACE }, "content": " " },
            { "type": "ByteFallback" },
            { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 },
        ] },
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": unknown,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": true,
            "byte_fallback": true,
            "ignore_merges": false,
            "vocab": vocabulary,
            "merges": merges,
        },
    })
}
