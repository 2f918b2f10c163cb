//! A plugin where a scorer is expected.

use async_trait::async_trait;
use detoxlm_core::{Info, Result, Sample, ScorerCapabilities, ToxicityScorer, Unscored, Verdict};

use crate::judge::Judgement;
use crate::plugin::{BATCH, Plugin};

/// A plugin as a [`ToxicityScorer`]. A text that it rejects, abstains from or fails on is unscored,
/// with its reason.
#[derive(Clone, Debug)]
pub struct PluginScorer {
    plugin: Plugin,
    capabilities: ScorerCapabilities,
}

impl PluginScorer {
    pub(crate) fn new(plugin: Plugin) -> Self {
        let attributes = plugin.descriptor().attributes.iter().cloned();
        let capabilities = ScorerCapabilities::new(attributes)
            .with_batch(BATCH)
            .with_concurrency(plugin.loaded().host().threads());
        Self { plugin, capabilities }
    }

    /// The plugin.
    #[must_use]
    pub const fn plugin(&self) -> &Plugin {
        &self.plugin
    }
}

#[async_trait]
impl ToxicityScorer for PluginScorer {
    fn info(&self) -> &Info {
        self.plugin.info()
    }

    fn capabilities(&self) -> &ScorerCapabilities {
        &self.capabilities
    }

    async fn score(&self, samples: &[Sample]) -> Result<Vec<Verdict>> {
        let judgements = self.plugin.judge(samples).await?;
        Ok(judgements.into_iter().map(verdict).collect())
    }
}

fn verdict(judgement: Judgement) -> Verdict {
    Verdict::Unscored(match judgement {
        Judgement::Scored(scores) => return Verdict::Scored(scores),
        Judgement::Rejected(why) => Unscored::Abstained(format!("rejected: {why}")),
        Judgement::Abstained(why) => Unscored::Abstained(why),
        Judgement::Failed(why) => Unscored::Failed(why),
        Judgement::TooLong => Unscored::TooLong,
        Judgement::Blank => Unscored::Blank,
        // A plugin without attributes is no scorer.
        Judgement::Passed => Unscored::Abstained("it gives no values".into()),
    })
}
