use std::sync::Arc;

use async_trait::async_trait;
use detoxlm_conformance::likelihood;
use detoxlm_core::causal_lm::{ContinuationLikelihood, Likelihood, TextLikelihood};
use detoxlm_core::testing::BigramLm;
use detoxlm_core::{Info, LocalLikelihood, Result};

use crate::assert_breaks;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    AnswersBackwards,
    AveragesTheBatch,
    CountsTheContext,
    CutsContextsAtTheirEnd,
    HasNoBeginning,
    IsPositive,
    LeavesAnAnswerOut,
    ReadsTheFirstWindowOnly,
    SaysAllIsCutByOne,
}

#[derive(Debug)]
struct Broken {
    inner: LocalLikelihood,
    fault: Fault,
}

#[async_trait]
impl Likelihood for Broken {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    async fn rolling(&self, texts: &[String]) -> Result<Vec<TextLikelihood>> {
        let mut asked = texts.to_vec();
        if self.fault == Fault::ReadsTheFirstWindowOnly {
            asked.iter_mut().for_each(|text| text.truncate(128));
        }
        let mut answers = self.inner.rolling(&asked).await?;
        match self.fault {
            Fault::AnswersBackwards => answers.reverse(),
            Fault::AveragesTheBatch => {
                let mean =
                    answers.iter().map(|a| a.log_prob).sum::<f64>() / answers.len().max(1) as f64;
                answers.iter_mut().for_each(|answer| answer.log_prob = mean);
            }
            Fault::HasNoBeginning => answers.iter_mut().for_each(|answer| {
                answer.log_prob *= 0.9;
            }),
            Fault::IsPositive => answers.iter_mut().for_each(|answer| answer.log_prob *= -1.0),
            Fault::LeavesAnAnswerOut => drop(answers.pop()),
            _ => {}
        }
        Ok(answers)
    }

    async fn continuation(
        &self,
        pairs: &[(String, String)],
    ) -> Result<Vec<ContinuationLikelihood>> {
        let asked: Vec<_> = pairs
            .iter()
            .map(|(before, after)| match self.fault {
                Fault::CountsTheContext => (String::new(), format!("{before}{after}")),
                Fault::CutsContextsAtTheirEnd => {
                    (before.chars().take(100).collect(), after.clone())
                }
                _ => (before.clone(), after.clone()),
            })
            .collect();
        let mut answers = self.inner.continuation(&asked).await?;
        if self.fault == Fault::SaysAllIsCutByOne {
            answers.iter_mut().for_each(|answer| answer.cut = 1);
        }
        Ok(answers)
    }
}

#[tokio::test]
async fn every_fault_breaks_its_sentence() {
    for (fault, sentence) in [
        (Fault::AnswersBackwards, "in the order of the questions"),
        (Fault::AveragesTheBatch, "Texts do not see each other"),
        (Fault::CountsTheContext, "the tokens of the continuation only"),
        (Fault::CutsContextsAtTheirEnd, "is cut at its beginning"),
        (Fault::HasNoBeginning, "conditioned on the beginning-of-sequence token"),
        (Fault::IsPositive, "Sum of the tokens' natural log-probabilities"),
        (Fault::LeavesAnAnswerOut, "one each"),
        (Fault::ReadsTheFirstWindowOnly, "predicts every token of a text exactly once"),
        (Fault::SaysAllIsCutByOne, "says by how much"),
    ] {
        let inner = LocalLikelihood::new(Arc::new(BigramLm::new(1))).unwrap();
        assert_breaks(likelihood(&Broken { inner, fault }).await, sentence);
    }
}
