//! The suite of [`Tokenizer`].

use detoxlm_core::causal_lm::Tokenizer;

use crate::{Violation, samples};

clauses! { "Tokenizer":
    BACK = "Text to token ids and back.";
    NO_SPECIAL = "`encode` adds no special tokens: a pipeline decides about those itself.";
    LEAVES_OUT = "`decode` leaves special tokens out.";
    BELOW = "Ids lie below `size()`.";
    REFUSES = "`decode` refuses an id that does not.";
    JOINS = "The tokens that end a document; the first one joins documents in training.";
}

/// Checks a tokenizer.
///
/// # Errors
/// The first sentence of the contract that does not hold.
pub fn tokenizer(tokenizer: &dyn Tokenizer) -> Result<(), Violation> {
    JOINS.require(!tokenizer.eos().is_empty(), || "there is none".to_owned())?;
    let special: Vec<u32> =
        std::iter::once(tokenizer.bos()).chain(tokenizer.eos().iter().copied()).collect();
    below(tokenizer, &special, "the special tokens")?;
    let nothing = NO_SPECIAL.answered("the empty text", tokenizer.encode(""))?;
    NO_SPECIAL.require(nothing.is_empty(), || format!("the empty text is {nothing:?}"))?;
    for text in samples::texts() {
        let shown: String = text.chars().take(60).collect();
        let ids = BACK.answered(&shown, tokenizer.encode(&text))?;
        below(tokenizer, &ids, &shown)?;
        NO_SPECIAL.require(!ids.iter().any(|id| special.contains(id)), || {
            format!("{shown:?} has one of {special:?}: {ids:?}")
        })?;
        let plain = BACK.answered(&shown, tokenizer.decode(&ids))?;
        let wrapped = [&special[..1], &ids, &special[1..]].concat();
        let decoded = LEAVES_OUT.answered(&shown, tokenizer.decode(&wrapped))?;
        LEAVES_OUT.same("between special tokens", &decoded, &plain)?;
    }
    let alone = LEAVES_OUT.answered("special tokens", tokenizer.decode(&special))?;
    LEAVES_OUT.require(alone.is_empty(), || format!("special tokens alone are {alone:?}"))?;
    let beyond = u32::try_from(tokenizer.size()).unwrap_or(u32::MAX);
    REFUSES.refused("the first id beyond", tokenizer.decode(&[beyond]))?;
    // Lower case, and no space at the ends: what every vocabulary can write.
    let text = "once upon a time there was a little girl";
    let ids = BACK.answered(text, tokenizer.encode(text))?;
    let decoded = BACK.answered(text, tokenizer.decode(&ids))?;
    BACK.same("there and back", &decoded.trim(), &text)
}

fn below(tokenizer: &dyn Tokenizer, ids: &[u32], of: &str) -> Result<(), Violation> {
    let size = tokenizer.size();
    match ids.iter().find(|&&id| id as usize >= size) {
        Some(id) => Err(BELOW.broken(format!("{of}: {id} of {size}"))),
        None => Ok(()),
    }
}
