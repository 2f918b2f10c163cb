/// A text to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample<'a> {
    /// What the model was given; empty where there was nothing.
    pub prompt: &'a str,
    /// What the model wrote.
    pub text: &'a str,
}

impl<'a> Sample<'a> {
    /// A text without a prompt.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { prompt: "", text }
    }

    /// Says what the model was given.
    #[must_use]
    pub const fn with_prompt(self, prompt: &'a str) -> Self {
        Self { prompt, ..self }
    }
}
