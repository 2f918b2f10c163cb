use std::time::Duration;

use crate::text::{bytes, duration, rate, thousands};

/// The unit whose numbers are too long to be written out.
const BYTES: &str = "bytes";

/// How far a stage has come, in words.
#[derive(Debug)]
pub(super) struct Meter {
    unit: &'static str,
    total: Option<u64>,
    done: u64,
    /// What an earlier sitting did: it says nothing of this one's speed.
    done_before: u64,
    tokens: u64,
    loss: Option<f64>,
}

impl Meter {
    pub(super) const fn new(unit: &'static str, total: Option<u64>, done: u64) -> Self {
        Self { unit, total, done, done_before: done, tokens: 0, loss: None }
    }

    pub(super) const fn total(&self) -> Option<u64> {
        self.total
    }

    pub(super) const fn done(&self) -> u64 {
        self.done
    }

    pub(super) const fn advance(&mut self, count: u64) {
        self.done += count;
    }

    pub(super) const fn add_tokens(&mut self, count: u64) {
        self.tokens += count;
    }

    pub(super) const fn set_loss(&mut self, loss: f64) {
        self.loss = Some(loss);
    }

    /// Counts, share, rates and time left, `elapsed` after this sitting began.
    pub(super) fn line(&self, elapsed: Duration) -> String {
        let mut parts = vec![match self.total {
            Some(total) if self.unit == BYTES => format!("{}/{}", bytes(self.done), bytes(total)),
            Some(total) => {
                format!("{}/{} {}", thousands(self.done), thousands(total), self.unit)
            }
            None => self.amount(self.done),
        }];
        let pace = self.pace(elapsed);
        if let Some(total) = self.total.filter(|&total| total > 0) {
            parts.push(format!("{}%", 100 * self.done.min(total) / total));
        }
        if let Some(pace) = pace {
            parts.push(match self.unit {
                BYTES => format!("{}/s", bytes(pace.round() as u64)),
                _ => format!("{}/s", rate(pace)),
            });
            let left = self.total.filter(|&total| total > self.done);
            let left = left.map(|total| (total - self.done) as f64 / pace);
            // A pace of next to nothing gives a time that no Duration holds.
            if let Some(left) = left.and_then(|left| Duration::try_from_secs_f64(left).ok()) {
                parts.push(format!("{} left", duration(left)));
            }
        }
        parts.extend(self.details(elapsed));
        parts.join(", ")
    }

    /// What the stage came to.
    pub(super) fn summary(&self, elapsed: Duration) -> String {
        let here = self.done.saturating_sub(self.done_before);
        let mut parts = vec![format!("{} in {}", self.amount(here), duration(elapsed))];
        if self.done_before > 0 {
            parts.push(format!("{} from before", thousands(self.done_before)));
        }
        parts.extend(self.details(elapsed));
        parts.join(", ")
    }

    fn amount(&self, count: u64) -> String {
        match self.unit {
            BYTES => bytes(count),
            unit => format!("{} {unit}", thousands(count)),
        }
    }

    fn details(&self, elapsed: Duration) -> Vec<String> {
        let tokens = (self.tokens > 0 && !elapsed.is_zero())
            .then(|| format!("{} tokens/s", rate(self.tokens as f64 / elapsed.as_secs_f64())));
        let loss = self.loss.map(|loss| format!("loss {loss:.4}"));
        tokens.into_iter().chain(loss).collect()
    }

    fn pace(&self, elapsed: Duration) -> Option<f64> {
        let done = self.done.saturating_sub(self.done_before);
        (done > 0 && !elapsed.is_zero()).then(|| done as f64 / elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_stage_is_timed_by_what_this_sitting_did() {
        let mut meter = Meter::new("documents", Some(1000), 500);
        assert_eq!(meter.line(Duration::from_secs(3)), "500/1,000 documents, 50%");
        meter.advance(100);
        meter.add_tokens(5000);
        assert_eq!(
            meter.line(Duration::from_secs(10)),
            "600/1,000 documents, 60%, 10.0/s, 40 s left, 500 tokens/s"
        );
        assert_eq!(
            meter.summary(Duration::from_secs(10)),
            "100 documents in 10 s, 500 from before, 500 tokens/s"
        );
    }

    #[test]
    fn bytes_are_shown_in_larger_units() {
        let mut meter = Meter::new(BYTES, Some(548_118_077), 0);
        meter.advance(50_000_000);
        assert_eq!(
            meter.line(Duration::from_secs(10)),
            "50.0 MB/548.1 MB, 9%, 5.0 MB/s, 1 min 40 s left"
        );
        assert_eq!(meter.summary(Duration::from_secs(10)), "50.0 MB in 10 s");
    }

    #[test]
    fn a_training_shows_its_loss_and_an_unknown_total_no_time_left() {
        let mut meter = Meter::new("steps", None, 0);
        meter.advance(4);
        meter.set_loss(2.5);
        assert_eq!(meter.line(Duration::from_secs(2)), "4 steps, 2.0/s, loss 2.5000");
    }
}
