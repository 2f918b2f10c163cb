use std::fmt::Write as _;

/// Okabe and Ito (2008), which people with any colour vision can tell apart. The last is that of text.
pub(crate) const COLOURS: [&str; 7] =
    ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "currentColor"];

/// What a picture stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// White: a file of its own.
    White,
    /// The page, light or dark, that it is part of: everything is drawn in the page's colour of text.
    Page,
}

/// A picture under way.
#[derive(Debug)]
pub(crate) struct Svg {
    text: String,
}

impl Svg {
    /// An empty picture of so many units, named for those who do not see it.
    pub(crate) fn new(width: f64, height: f64, name: &str, ground: Ground) -> Self {
        let (name, color) =
            (escaped(name), if ground == Ground::White { " color=\"black\"" } else { "" });
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\"{color}>\n\
             <title>{name}</title>\n",
        );
        if ground == Ground::White {
            let _ = writeln!(text, "<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>");
        }
        Self { text }
    }

    /// Says what can be seen, in a sentence, to those who do not.
    pub(crate) fn describe(&mut self, text: &str) {
        let _ = writeln!(self.text, "<desc>{}</desc>", escaped(text));
    }

    /// Adds finished elements.
    pub(crate) fn push(&mut self, elements: &str) {
        self.text.push_str(elements);
        self.text.push('\n');
    }

    /// A straight line.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, opacity: f64) {
        let _ = writeln!(
            self.text,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{stroke}\" \
             stroke-opacity=\"{opacity}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// Text that begins at (`start`), ends at (`end`) or is centred on (`middle`) a point.
    pub(crate) fn label(&mut self, at: (f64, f64), anchor: &str, text: &str) {
        let _ = writeln!(
            self.text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"currentColor\">{}</text>",
            at.0,
            at.1,
            escaped(text)
        );
    }

    /// The same in larger letters.
    pub(crate) fn title(&mut self, at: (f64, f64), text: &str) {
        let _ = writeln!(
            self.text,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"15\" fill=\"currentColor\">{}</text>",
            at.0,
            at.1,
            escaped(text)
        );
    }

    /// The finished picture.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// Text that stays within its element or attribute, in SVG and in HTML. Control characters, which no
/// XML may hold, become U+FFFD.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' | '\r' => safe.push(character),
            _ if character.is_control() => safe.push('\u{FFFD}'),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_element_or_attribute() {
        let text = "</text><script>a(\"b\" & 'c')\u{0}\u{1b}";
        let safe = escaped(text);
        assert!(
            !safe.contains(['<', '>', '"', '\'']) && !safe.contains(char::is_control),
            "{safe}"
        );
        assert_eq!(escaped("a &amp; b\n"), "a &amp;amp; b\n");
    }
}
