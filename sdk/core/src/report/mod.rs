//! Reports for people: one model of a page, written as HTML that stands alone and as Markdown.
//!
//! A page is made of blocks (headings, paragraphs, tables, pictures). The audit of a scorer, the report of
//! a run and the [comparison](compare) of runs put theirs together and leave the rest to the same renderer,
//! so that what holds for one holds for all: nothing is fetched, nothing is run, light and dark, screen
//! and paper, keyboard and screen reader.

mod compare;
mod continuations;
mod corpus;
mod groups;
mod headline;
mod losses;
mod page;
mod provenance;
mod recipe;
mod run;
mod source;
mod table;
mod tasks;
#[cfg(test)]
mod test_values;
mod tradeoff;
mod warnings;

pub use compare::{Comparison, compare, evaluation};
pub(crate) use page::{Block, Fold, Note, Page, Picture};
pub(crate) use provenance::{intervals, lines as provenance_lines};
pub(crate) use recipe::{Annotators, describe_sampling, steps};
pub(crate) use run::{RunStory, run_page};
pub(crate) use table::{Cell, Table};
pub(crate) use warnings::judge_is_filter;

const COMPONENT: &str = "report";
