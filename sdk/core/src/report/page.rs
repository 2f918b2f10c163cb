use std::fmt::Write as _;
use std::path::Path;

use super::Table;
use crate::Result;
use crate::files::write_atomically;
use crate::plot::escaped;

/// Light and dark as the reader's system has it; nothing is fetched from anywhere.
const STYLE: &str = include_str!("style.css");

/// A piece of a page, whatever it is written as. In text, what stands between backticks is code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Block {
    /// What the page has to say, in a sentence or two, before everything else.
    Lead(String),
    /// The title of a part.
    Heading(String),
    /// The title of something in it.
    Subheading(String),
    Paragraph(String),
    /// Steps, one after the other.
    Steps(Vec<String>),
    /// Words and what they mean.
    Terms(Vec<(String, String)>),
    /// What a reader must know before he believes the rest; a part with a title of its own.
    Notes(Vec<Note>),
    Table(Table),
    /// Markdown has none.
    Picture(Picture),
    /// What is read only by those who ask for it. On paper it stays closed.
    Fold(Fold),
}

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// A few words, the same in every report: the documentation lists them.
    pub(crate) title: String,
    /// What was found, and what to do.
    pub(crate) text: String,
}

/// SVG with what stands below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) svg: String,
    pub(crate) caption: String,
}

/// Blocks behind a click.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fold {
    /// What is to be clicked: says what will be seen.
    pub(crate) summary: String,
    pub(crate) blocks: Vec<Block>,
    /// Markdown has no clicks: what a reader must be warned of is not in it.
    pub(crate) in_markdown: bool,
}

/// A report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

impl Page {
    /// As one HTML page with its pictures in it. It needs no other file and runs nothing.
    pub(crate) fn html(&self) -> String {
        let title = escaped(&self.title);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
             <h1>{title}</h1>\n"
        );
        let is_part = |block: &Block| matches!(block, Block::Heading(_) | Block::Notes(_));
        let first = self.blocks.iter().position(is_part).unwrap_or(self.blocks.len());
        let (intro, parts) = self.blocks.split_at(first);
        let mut writer = HtmlWriter { html: &mut html, parts: 0 };
        intro.iter().for_each(|block| writer.write(block));
        html.push_str("</header>\n");
        contents(parts, &mut html);
        html.push_str("<main>\n");
        let mut writer = HtmlWriter { html: &mut html, parts: 0 };
        parts.iter().for_each(|block| writer.write(block));
        html.push_str("</main>\n</body>\n</html>\n");
        html
    }

    /// As Markdown: without pictures, long tables cut.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        self.blocks.iter().for_each(|block| write_markdown(block, &mut text));
        text
    }

    /// Writes `report.md` and `report.html`.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        write_atomically(directory.join("report.md"), self.markdown())?;
        write_atomically(directory.join("report.html"), self.html())
    }
}

struct HtmlWriter<'a> {
    html: &'a mut String,
    /// How many headings there were.
    parts: usize,
}

impl HtmlWriter<'_> {
    fn write(&mut self, block: &Block) {
        let _ = match block {
            Block::Lead(text) => writeln!(self.html, "<p class=\"lead\">{}</p>", inline(text)),
            Block::Heading(text) => {
                self.parts += 1;
                writeln!(self.html, "<h2 id=\"part-{}\">{}</h2>", self.parts, inline(text))
            }
            Block::Subheading(text) => writeln!(self.html, "<h3>{}</h3>", inline(text)),
            Block::Paragraph(text) => writeln!(self.html, "<p>{}</p>", inline(text)),
            Block::Steps(steps) => {
                self.html.push_str("<ol>\n");
                for step in steps {
                    let _ = writeln!(self.html, "<li>{}</li>", inline(step));
                }
                writeln!(self.html, "</ol>")
            }
            Block::Terms(terms) => {
                self.html.push_str("<dl>\n");
                for (term, meaning) in terms {
                    let _ = writeln!(
                        self.html,
                        "<dt>{}</dt><dd>{}</dd>",
                        inline(term),
                        inline(meaning)
                    );
                }
                writeln!(self.html, "</dl>")
            }
            Block::Notes(notes) => {
                self.parts += 1;
                let _ = writeln!(
                    self.html,
                    "<section class=\"notes\" aria-labelledby=\"part-{0}\">\n\
                     <h2 id=\"part-{0}\">{1}</h2>\n<ul>",
                    self.parts,
                    notes_title(notes)
                );
                for Note { title, text } in notes {
                    let _ = writeln!(
                        self.html,
                        "<li><strong>{}.</strong> {}</li>",
                        inline(title),
                        inline(text)
                    );
                }
                writeln!(self.html, "</ul>\n</section>")
            }
            Block::Table(table) => write!(self.html, "{}", table.html()),
            Block::Picture(Picture { svg, caption }) => writeln!(
                self.html,
                "<figure>\n{}<figcaption>{}</figcaption>\n</figure>",
                scrolled(svg),
                inline(caption)
            ),
            Block::Fold(Fold { summary, blocks, .. }) => {
                let _ = writeln!(self.html, "<details>\n<summary>{}</summary>", inline(summary));
                blocks.iter().for_each(|block| self.write(block));
                writeln!(self.html, "</details>")
            }
        };
    }
}

/// Letters of a wide picture would be too small on a phone: it keeps a readable size and is scrolled.
fn scrolled(svg: &str) -> String {
    format!("<div class=\"picture\" tabindex=\"0\" role=\"group\">\n{svg}</div>\n")
}

/// Text in which what stands between two backticks is code.
fn inline(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, code, after)) = next_code(rest) {
        let _ = write!(html, "{}<code>{}</code>", escaped(before), escaped(code));
        rest = after;
    }
    html.push_str(&escaped(rest));
    html
}

fn next_code(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (code, after) = rest.split_once('`')?;
    Some((before, code, after))
}

fn notes_title(notes: &[Note]) -> &'static str {
    if notes.len() == 1 { "One warning" } else { "Warnings" }
}

fn contents(blocks: &[Block], html: &mut String) {
    let headings: Vec<&str> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::Heading(text) => Some(text.as_str()),
            Block::Notes(notes) => Some(notes_title(notes)),
            _ => None,
        })
        .collect();
    if headings.is_empty() {
        return;
    }
    html.push_str("<nav aria-label=\"Contents\"><ul>\n");
    for (number, heading) in headings.iter().enumerate() {
        let _ = writeln!(html, "<li><a href=\"#part-{}\">{}</a></li>", number + 1, inline(heading));
    }
    html.push_str("</ul></nav>\n");
}

fn write_markdown(block: &Block, text: &mut String) {
    let _ = match block {
        Block::Lead(lead) => write!(text, "\n**{lead}**\n"),
        Block::Heading(title) => write!(text, "\n## {title}\n"),
        Block::Subheading(title) => write!(text, "\n### {title}\n"),
        Block::Paragraph(paragraph) => write!(text, "\n{paragraph}\n"),
        Block::Steps(steps) => {
            text.push('\n');
            for (number, step) in steps.iter().enumerate() {
                let _ = writeln!(text, "{}. {step}", number + 1);
            }
            Ok(())
        }
        Block::Terms(terms) => {
            text.push('\n');
            for (term, meaning) in terms {
                let _ = writeln!(text, "- **{term}**: {meaning}");
            }
            Ok(())
        }
        Block::Notes(notes) => {
            let _ = write!(text, "\n## {}\n\n", notes_title(notes));
            for Note { title, text: what } in notes {
                let _ = writeln!(text, "- **{title}.** {what}");
            }
            Ok(())
        }
        Block::Table(table) => {
            write!(text, "\n**{}**\n\n{}", table.caption(), table.markdown())
        }
        Block::Picture(_) => Ok(()),
        Block::Fold(Fold { summary, in_markdown: false, .. }) => {
            write!(text, "\n{summary}: see `report.html`.\n")
        }
        Block::Fold(Fold { blocks, .. }) => {
            blocks.iter().for_each(|block| write_markdown(block, text));
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(blocks: Vec<Block>) -> Page {
        Page { title: "A & B".into(), blocks }
    }

    #[test]
    fn code_is_code_and_a_single_backtick_is_itself() {
        assert_eq!(inline("a `b<c>` d"), "a <code>b&lt;c&gt;</code> d");
        assert_eq!(inline("it`s"), "it`s");
        assert_eq!(inline("`a` `b` c`"), "<code>a</code> <code>b</code> c`");
    }

    #[test]
    fn parts_are_listed_and_can_be_reached_and_the_intro_stands_before_them() {
        let html = page(vec![
            Block::Lead("it fell".into()),
            Block::Notes(vec![Note { title: "Few".into(), text: "too few".into() }]),
            Block::Heading("First".into()),
        ])
        .html();
        assert!(html.contains("<html lang=\"en\">") && html.contains("<title>A &amp; B</title>"));
        let order = [
            "class=\"lead\"",
            "</header>",
            "href=\"#part-1\">One warning<",
            "href=\"#part-2\">First<",
            "<main>",
            "id=\"part-1\"",
            "id=\"part-2\"",
        ];
        let places: Vec<usize> = order.iter().map(|part| html.find(part).unwrap()).collect();
        assert!(places.is_sorted(), "{html}");
    }

    #[test]
    fn what_one_must_be_warned_of_is_behind_a_click_and_not_in_markdown() {
        let fold = |in_markdown| {
            page(vec![Block::Fold(Fold {
                summary: "Prompts".into(),
                blocks: vec![Block::Paragraph("rude".into())],
                in_markdown,
            })])
        };
        let html = fold(false).html();
        assert!(html.contains("<details>\n<summary>Prompts</summary>\n<p>rude</p>"), "{html}");
        let markdown = fold(false).markdown();
        assert!(!markdown.contains("rude") && markdown.contains("report.html"), "{markdown}");
        assert!(fold(true).markdown().contains("rude"));
    }
}
