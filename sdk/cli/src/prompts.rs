//! Which prompts of a set are continued.

use detoxlm::Result;
use detoxlm::evaluation::{PromptSet, Slice, ToxicityPreset};

/// Those of a slice, as a preset cuts it, and of them the first so many; all when neither is asked for.
///
/// # Errors
/// When there are none.
pub(crate) fn choose(
    prompts: PromptSet,
    slice: Option<Slice>,
    preset: ToxicityPreset,
    limit: Option<usize>,
) -> Result<PromptSet> {
    let prompts = slice.map_or(Ok(prompts.clone()), |slice| prompts.slice(slice, preset))?;
    limit.map_or(Ok(prompts.clone()), |limit| prompts.first(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_prompts_of_the_slice() {
        let rows = r#"{"prompt":{"text":"a","toxicity":0.25}}
{"prompt":{"text":"b","toxicity":0.75}}
{"prompt":{"text":"c","toxicity":0.75}}
"#;
        let all = PromptSet::parse("p", rows).unwrap();
        let chosen = |slice, limit| {
            let chosen = choose(all.clone(), slice, ToxicityPreset::Rtp, limit).unwrap();
            chosen.prompts().iter().map(|prompt| prompt.text.clone()).collect::<String>()
        };
        assert_eq!(chosen(None, None), "abc");
        assert_eq!(chosen(Some(Slice::Toxic), Some(1)), "b");
        let none = choose(all, Some(Slice::Challenging), ToxicityPreset::Rtp, None);
        assert!(none.unwrap_err().to_string().contains("challenging"));
    }
}
