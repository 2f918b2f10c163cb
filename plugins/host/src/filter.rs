//! A plugin where a filter is expected.

use async_trait::async_trait;
use detoxlm_core::{Decision, DigestBuilder, Filter, Info, Result, Sample};

use crate::judge::Judgement;
use crate::plugin::Plugin;

/// A plugin as a [`Filter`]: drops what it rejects, what has a value at which the manifest says to drop,
/// and what it fails on or is too long for it: a text that a filter could not look at is not trained on.
/// What it abstains from, and blank texts, are kept for others to judge.
#[derive(Clone, Debug)]
pub struct PluginFilter {
    plugin: Plugin,
    info: Info,
}

impl PluginFilter {
    pub(crate) fn new(plugin: Plugin) -> Self {
        let who = plugin.info();
        let mut digest = DigestBuilder::new();
        digest.update("filter").update(who.digest.as_str());
        for (attribute, at_least) in &plugin.manifest().drop {
            digest.update(attribute.as_str()).update(at_least.to_le_bytes());
        }
        let info = Info::new(who.name.clone(), who.version.clone(), digest.finish());
        Self { plugin, info }
    }

    /// The plugin.
    #[must_use]
    pub const fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    fn decision(&self, judgement: Judgement) -> Decision {
        match judgement {
            Judgement::Scored(scores) => {
                let over = |attribute, at_least: &f32| {
                    scores.get(attribute).filter(|value| value >= at_least)
                };
                let mut thresholds = self.plugin.manifest().drop.iter();
                let found = thresholds.find_map(|(attribute, at_least)| {
                    let value = over(attribute, at_least)?;
                    Some(format!("{attribute} of {value:.3}, at least {at_least}"))
                });
                found.map_or(Decision::Keep, Decision::Drop)
            }
            Judgement::Rejected(why) => Decision::Drop(why),
            Judgement::Failed(why) => Decision::Drop(format!("not judged: {why}")),
            Judgement::TooLong => Decision::Drop("not judged: it is too long".into()),
            Judgement::Passed | Judgement::Abstained(_) | Judgement::Blank => Decision::Keep,
        }
    }
}

#[async_trait]
impl Filter for PluginFilter {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn decide(&self, samples: &[Sample]) -> Result<Vec<Decision>> {
        let judgements = self.plugin.judge(samples).await?;
        Ok(judgements.into_iter().map(|judgement| self.decision(judgement)).collect())
    }
}
