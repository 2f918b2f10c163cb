use std::fmt::Write as _;

use super::Audit;
use super::report::{Block, blocks};
use crate::plot::escaped;

/// Light and dark as the reader's system has it; nothing is fetched from anywhere.
const STYLE: &str = "
:root{color-scheme:light dark;--text:#1c1e21;--page:#fff;--faint:#767c85;--line:#d9dce1;--bar:#bcd9ec}
@media(prefers-color-scheme:dark){:root{--text:#e4e6ea;--page:#16181b;--faint:#9aa1ab;--line:#363b42;--bar:#20465f}
svg [fill=\"#0072B2\"]{fill:#4aa8e0}svg [stroke=\"#0072B2\"]{stroke:#4aa8e0}}
body{margin:2rem auto;padding:0 1.2rem;max-width:76rem;background:var(--page);color:var(--text);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;line-height:1.25}h2{margin-top:2.6rem;padding-top:.8rem;border-top:1px solid var(--line);font-size:1.25rem}
h3{margin-top:1.8rem;font-size:1.05rem}p{max-width:46rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem;margin:.8rem 0}
th,td{padding:.28rem .55rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th,th.n{color:var(--faint);font-weight:600;vertical-align:bottom;white-space:normal}tbody tr:hover{background:color-mix(in srgb,var(--text) 6%,transparent)}
td{overflow-wrap:anywhere}.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.bar{min-width:9rem;background:linear-gradient(to right,var(--bar) var(--share),transparent 0)}
svg{max-width:100%;height:auto;margin:.8rem 0}
nav ul{columns:2;padding-left:1.1rem}a{color:inherit}
";

impl Audit {
    /// The report as one HTML page with its pictures in it. It needs no other file and runs nothing.
    #[must_use]
    pub fn html(&self) -> String {
        let title = format!("Audit of {}", self.scorer.name);
        let blocks = blocks(self);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{0}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
            escaped(&title)
        );
        contents(&blocks, &mut html);
        let mut part = 0;
        for block in &blocks {
            let _ = match block {
                Block::Heading(text) => {
                    part += 1;
                    writeln!(html, "<h2 id=\"part-{part}\">{}</h2>", escaped(text))
                }
                Block::Subheading(text) => writeln!(html, "<h3>{}</h3>", escaped(text)),
                Block::Paragraph(text) => writeln!(html, "<p>{}</p>", escaped(text)),
                Block::Table(table) => write!(html, "{}", table.html()),
                Block::Picture(svg) => write!(html, "{svg}"),
            };
        }
        html.push_str("</body>\n</html>\n");
        html
    }

    /// The report as Markdown: its tables without its pictures, long ones cut.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("# Audit of {}\n", self.scorer.name);
        for block in blocks(self) {
            let _ = match block {
                Block::Heading(title) => write!(text, "\n## {title}\n"),
                Block::Subheading(title) => write!(text, "\n### {title}\n"),
                Block::Paragraph(paragraph) => write!(text, "\n{paragraph}\n"),
                Block::Table(table) => write!(text, "\n{}", table.markdown()),
                Block::Picture(_) => Ok(()),
            };
        }
        text
    }
}

fn contents(blocks: &[Block], html: &mut String) {
    let headings = blocks.iter().filter_map(|block| match block {
        Block::Heading(text) => Some(text),
        _ => None,
    });
    html.push_str("<nav><ul>\n");
    for (number, heading) in headings.enumerate() {
        let part = number + 1;
        let _ = writeln!(html, "<li><a href=\"#part-{part}\">{}</a></li>", escaped(heading));
    }
    html.push_str("</ul></nav>\n");
}
