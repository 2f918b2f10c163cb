//! Which prompts of a set are continued.

use std::path::Path;

use detoxlm::Result;
use detoxlm::evaluation::{PromptSet, Slice, ToxicityPreset};

/// A part of the prompts: those of a slice, as a preset cuts it, and of them the first so many; all when
/// neither is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) slice: Option<Slice>,
    pub(crate) preset: ToxicityPreset,
    pub(crate) limit: Option<usize>,
}

impl Choice {
    /// Of a file, of which no more is read than is needed.
    ///
    /// # Errors
    /// When it cannot be read, or there are none.
    pub(crate) fn read(self, file: &Path) -> Result<PromptSet> {
        match self.slice {
            None => PromptSet::read(file, self.limit),
            // Which prompts are in a slice depends on all of them.
            Some(_) => self.of(PromptSet::read(file, None)?),
        }
    }

    /// Of a set.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn of(self, mut prompts: PromptSet) -> Result<PromptSet> {
        if let Some(slice) = self.slice {
            prompts = prompts.slice(slice, self.preset)?;
        }
        match self.limit {
            Some(limit) => prompts.first(limit),
            None => Ok(prompts),
        }
    }
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
            let choice = Choice { slice, preset: ToxicityPreset::Rtp, limit };
            let chosen = choice.of(all.clone()).unwrap();
            chosen.prompts().iter().map(|prompt| prompt.text.clone()).collect::<String>()
        };
        assert_eq!(chosen(None, None), "abc");
        assert_eq!(chosen(Some(Slice::Toxic), Some(1)), "b");
        let slice = Some(Slice::Challenging);
        let none = Choice { slice, preset: ToxicityPreset::Rtp, limit: None }.of(all);
        assert!(none.unwrap_err().to_string().contains("challenging"));
    }
}
