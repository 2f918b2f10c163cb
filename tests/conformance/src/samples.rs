//! Texts that implementations get wrong.

/// Ordinary ones, and those that break naive slicing, splitting, quoting and padding.
pub(crate) fn texts() -> Vec<String> {
    let long = "All happy families are alike; each unhappy family is unhappy in its own way. ";
    let mut texts: Vec<String> = [
        "The weather is lovely today.",
        "You are a COMPLETE idiot and everybody knows it!",
        "I will find you and hurt you.",
        "a",
        "!?",
        "  surrounded by space\n",
        "two\nlines\r\nor three",
        "naïve café, Straße, Ωμέγα, Привет, 你好世界, שלום",
        "family 👨‍👩‍👧‍👦 and combining e\u{301}",
        "quotes \" ' \\ and {braces} <b>tags</b> &amp;",
        "a null \0 and a bell \u{7}",
        "0123456789",
    ]
    .map(str::to_owned)
    .into();
    texts.push(long.repeat(60));
    texts
}

/// Nothing but white space.
pub(crate) const BLANK: [&str; 5] = ["", " ", "\n\t\r\n", "\u{a0}\u{2003}", "\u{3000}"];
