use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Agreement, COMPONENT, FunctionalAudit, FunctionalSet, IdentityAudit, IdentitySet,
    LabelledAudit, LabelledSet, agreement, functional, identities, labelled,
};
use crate::evaluation::Bootstrap;
use crate::files::write_json;
use crate::{
    Attribute, Error, ErrorKind, Event, Info, Observer, Result, Sample, Silent, Stage,
    ToxicityScorer, Verdict, calls,
};

/// Texts between two reports of progress.
const STRIDE: usize = 1024;

/// How an audit counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// From here on a score counts as a yes, in [0, 1].
    pub threshold: f64,
    /// Parts of [0, 1] for calibration errors and reliability curves, at least 1.
    pub bins: usize,
    /// How many texts are named on which two scorers differ.
    pub differences: usize,
    /// Whether those texts are quoted: they may be offensive, and the data may not be yours to publish.
    pub quote: bool,
    /// Intervals of areas.
    pub bootstrap: Bootstrap,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            bins: 10,
            differences: 10,
            quote: false,
            bootstrap: Bootstrap::default(),
        }
    }
}

impl AuditSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the key whose value is impossible.
    pub fn validate(&self) -> Result<()> {
        let refuse = |key: &'static str, message: String| {
            Err(Error::new(ErrorKind::InvalidConfig, COMPONENT, "set up an audit", message)
                .with_key(key))
        };
        if !(0.0..=1.0).contains(&self.threshold) {
            return refuse("threshold", format!("{} is not in [0, 1]", self.threshold));
        }
        if self.bins == 0 {
            return refuse("bins", "there must be at least 1".to_owned());
        }
        self.bootstrap.validate()
    }
}

/// What a scorer is tested on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TestSet {
    /// Texts with labels.
    Labelled(LabelledSet),
    /// Sentences that name identities.
    Identities(IdentitySet),
    /// Cases of a functional test.
    Functional(FunctionalSet),
}

impl TestSet {
    /// Name, size and digest.
    #[must_use]
    pub const fn info(&self) -> &Info {
        match self {
            Self::Labelled(set) => &set.info,
            Self::Identities(set) => &set.info,
            Self::Functional(set) => &set.info,
        }
    }

    /// Line and text.
    fn texts(&self) -> Vec<(u64, &str)> {
        match self {
            Self::Labelled(set) => set.texts.iter().map(|t| (t.line, t.text.as_str())).collect(),
            Self::Identities(set) => {
                set.sentences.iter().map(|s| (s.line, s.text.as_str())).collect()
            }
            Self::Functional(set) => set.cases.iter().map(|c| (c.line, c.text.as_str())).collect(),
        }
    }
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// The scorer under audit.
    pub scorer: Info,
    /// The one it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Info>,
    /// How it was counted.
    pub settings: AuditSettings,
    /// Labelled texts.
    pub labelled: Vec<LabelledAudit>,
    /// Sentences that name identities.
    pub identities: Vec<IdentityAudit>,
    /// Functional tests.
    pub functional: Vec<FunctionalAudit>,
    /// Agreement of the two scorers, on every set; empty without a second one.
    pub agreement: Vec<Agreement>,
}

impl Audit {
    /// Writes `audit.json`, `report.md` and `report.html`, which needs no other file.
    ///
    /// # Errors
    /// When the directory or a file cannot be written.
    pub fn write(&self, directory: impl AsRef<Path>) -> Result<()> {
        let directory = directory.as_ref();
        write_json(directory.join("audit.json"), self)?;
        self.page().write(directory)
    }
}

/// Asks scorers for every text of test sets and measures the answers.
#[derive(Clone, Debug)]
pub struct Auditor {
    scorer: Arc<dyn ToxicityScorer>,
    against: Option<Arc<dyn ToxicityScorer>>,
    settings: AuditSettings,
    observer: Arc<dyn Observer>,
}

impl Auditor {
    /// Audits one scorer.
    ///
    /// # Errors
    /// When the settings are impossible.
    pub fn new(scorer: Arc<dyn ToxicityScorer>, settings: AuditSettings) -> Result<Self> {
        settings.validate()?;
        Ok(Self { scorer, against: None, settings, observer: Arc::new(Silent) })
    }

    /// Compares it with another.
    #[must_use]
    pub fn against(mut self, other: Arc<dyn ToxicityScorer>) -> Self {
        self.against = Some(other);
        self
    }

    /// Tells of progress.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Scores and measures everything, set by set.
    ///
    /// # Errors
    /// When a scorer fails, or there is no test set.
    pub async fn audit(&self, sets: &[TestSet]) -> Result<Audit> {
        if sets.is_empty() {
            return Err(Error::new(ErrorKind::Empty, COMPONENT, "audit", "there is no test set")
                .with_remedy("name at least one set of labelled, identities or functional tests"));
        }
        let mut audit = Audit {
            scorer: self.scorer.info().clone(),
            against: self.against.as_ref().map(|other| other.info().clone()),
            settings: self.settings.clone(),
            labelled: Vec::new(),
            identities: Vec::new(),
            functional: Vec::new(),
            agreement: Vec::new(),
        };
        for (number, set) in sets.iter().enumerate() {
            self.observer.observe(&Event::PartStarted {
                name: &set.info().name,
                number: number as u64 + 1,
                total: sets.len() as u64,
            });
            self.add(&mut audit, set).await?;
        }
        Ok(audit)
    }

    async fn add(&self, audit: &mut Audit, set: &TestSet) -> Result<()> {
        let texts = set.texts();
        let scorers = 1 + u64::from(self.against.is_some());
        let (stage, total) = (Stage::Score, Some(texts.len() as u64 * scorers));
        self.observer.observe(&Event::StageStarted { stage, total, done: 0, unit: "texts" });
        let verdicts = self.score(&*self.scorer, &texts).await?;
        let attributes = self.scorer.capabilities().attributes.as_slice();
        if let Some(other) = &self.against {
            let others = self.score(&**other, &texts).await?;
            let judged = texts.iter().zip(&verdicts).zip(&others);
            let judged = judged.map(|((&(line, text), one), other)| (line, text, one, other));
            audit.agreement.extend(agreement::audit(
                set.info(),
                attributes,
                judged,
                &self.settings,
            ));
        }
        match set {
            TestSet::Labelled(set) => {
                audit.labelled.push(labelled::audit(set, &verdicts, &self.settings));
            }
            TestSet::Identities(set) => audit.identities.push(identities::audit(set, &verdicts)),
            TestSet::Functional(set) => {
                let found = functional::audit(set, &verdicts, attributes, &self.settings);
                audit.functional.push(found);
            }
        }
        self.observer.observe(&Event::StageFinished { stage });
        Ok(())
    }

    async fn score(
        &self,
        scorer: &dyn ToxicityScorer,
        texts: &[(u64, &str)],
    ) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::with_capacity(texts.len());
        let capabilities = scorer.capabilities();
        let stride = (capabilities.batch * capabilities.concurrency).max(STRIDE);
        for chunk in texts.chunks(stride) {
            let samples: Vec<Sample> = chunk.iter().map(|(_, text)| Sample::new(*text)).collect();
            verdicts.extend(calls::score(scorer, &samples).await?);
            let count = chunk.len() as u64;
            self.observer.observe(&Event::StageAdvanced { stage: Stage::Score, count });
        }
        Ok(verdicts)
    }
}

/// Attributes in the order in which tables list them.
pub(super) fn listed_first(attribute: &Attribute) -> usize {
    let known = Attribute::STANDARD.iter().position(|known| known == attribute);
    known.unwrap_or(usize::MAX)
}
