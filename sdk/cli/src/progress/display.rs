use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use detoxlm::Stage;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::meter::Meter;

/// Where progress is shown.
#[derive(Debug)]
pub(super) enum Display {
    /// Nowhere.
    None,
    /// A line now and then: standard error is a file or a log.
    Lines,
    /// A bar for each stage under way, redrawn in place.
    Bars { all: MultiProgress, stages: BTreeMap<Stage, ProgressBar> },
}

impl Display {
    pub(super) fn on_standard_error() -> Self {
        if io::stderr().is_terminal() {
            Self::Bars { all: MultiProgress::new(), stages: BTreeMap::new() }
        } else {
            Self::Lines
        }
    }

    /// How long what was shown may stay.
    pub(super) const fn interval(&self) -> Duration {
        match self {
            Self::None => Duration::MAX,
            Self::Lines => Duration::from_secs(10),
            Self::Bars { .. } => Duration::from_millis(100),
        }
    }

    pub(super) fn start(&mut self, stage: Stage, meter: &Meter) {
        if let Self::Bars { all, stages } = self {
            let bar = all.add(ProgressBar::new(meter.total().unwrap_or(0)));
            bar.set_style(style(meter.total().is_some()));
            bar.set_prefix(stage.as_str());
            if let Some(earlier) = stages.insert(stage, bar) {
                earlier.finish();
            }
            self.update(stage, meter, Duration::ZERO);
        }
    }

    pub(super) fn update(&self, stage: Stage, meter: &Meter, elapsed: Duration) {
        match self {
            Self::None => {}
            Self::Lines => say(&format!("{stage}: {}", meter.line(elapsed))),
            Self::Bars { stages, .. } => {
                if let Some(bar) = stages.get(&stage) {
                    bar.set_position(meter.done());
                    bar.set_message(meter.line(elapsed));
                }
            }
        }
    }

    pub(super) fn finish(&mut self, stage: Stage, meter: &Meter, elapsed: Duration) {
        match self {
            Self::None => {}
            Self::Lines => say(&format!("{stage}: {}", meter.summary(elapsed))),
            Self::Bars { stages, .. } => {
                if let Some(bar) = stages.remove(&stage) {
                    bar.set_position(meter.done());
                    bar.finish_with_message(meter.summary(elapsed));
                }
            }
        }
    }

    pub(super) fn warn(&self, message: &str) {
        self.note(&format!("warning: {message}"));
    }

    /// Shows a line above the bars.
    pub(super) fn note(&self, line: &str) {
        match self {
            Self::None => {}
            Self::Lines => say(line),
            Self::Bars { all, .. } => all.suspend(|| say(line)),
        }
    }
}

fn style(has_total: bool) -> ProgressStyle {
    let template =
        if has_total { "{prefix:>9} [{bar:24}] {msg}" } else { "{prefix:>9} {spinner} {msg}" };
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

/// A line on standard error. When that is closed there is nobody left to tell.
fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
