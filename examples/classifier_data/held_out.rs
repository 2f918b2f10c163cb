//! What the card's figures are measured on.

use std::collections::HashSet;
use std::path::Path;

use detoxlm::Attribute;
use detoxlm::Scores;
use detoxlm::distillation::LabelledRow;

use crate::Result;
use crate::read::{self, Line};

/// The keys of all texts of the test sets: neither they nor texts that differ from them by white
/// space or case alone are trained on.
pub fn keys(data: &Path) -> Result<HashSet<String>> {
    let mut texts = Vec::new();
    for name in ["prompts", "challenging"] {
        for row in read::lines(&data.join(format!("rtp/{name}.jsonl")))? {
            let part = |name: &str| -> Result<String> {
                let part: &Line =
                    row.get(name).and_then(|part| part.as_object()).ok_or("no part")?;
                read::text(part, "text")
            };
            let (prompt, continuation) = (part("prompt")?, part("continuation")?);
            texts.push(format!("{prompt}{continuation}"));
            texts.extend([prompt, continuation]);
        }
    }
    for name in ["dev", "test"] {
        for row in read::lines(&data.join(format!("jigsaw/{name}.jsonl.gz")))? {
            texts.push(read::text(&row, "text")?);
        }
    }
    for row in read::lines(&data.join("perspective/wikipedia.jsonl"))? {
        texts.push(read::text(&row, "comment_text")?);
    }
    for (file, name) in [
        ("toxicity/hatecheck_test_suite_cases.csv", "test_case"),
        ("toxicity/conversationai_en_sentence_templates.csv", "phrase"),
    ] {
        for record in read::table(&data.join(file))? {
            texts.push(read::column(&record, name)?.to_owned());
        }
    }
    // The same key as a row that is trained on has.
    let any = Scores::new([(Attribute::TOXICITY, 0.0)])?;
    Ok(texts.into_iter().map(|text| LabelledRow::new(text, any.clone(), "test").key()).collect())
}
