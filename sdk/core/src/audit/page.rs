use super::Audit;
use super::report::blocks;
use crate::report::Page;

impl Audit {
    /// The report as one HTML page with its pictures in it. It needs no other file and runs nothing.
    #[must_use]
    pub fn html(&self) -> String {
        self.page().html()
    }

    /// The report as Markdown: its tables without its pictures, long ones cut.
    #[must_use]
    pub fn markdown(&self) -> String {
        self.page().markdown()
    }

    pub(super) fn page(&self) -> Page {
        Page { title: format!("Audit of {}", self.scorer.name), blocks: blocks(self) }
    }
}
