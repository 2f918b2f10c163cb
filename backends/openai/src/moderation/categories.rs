use std::collections::BTreeMap;

use detoxlm_core::{Attribute, Scores, Unscored, Verdict};
use serde::{Deserialize, Serialize};

/// Which of a service's categories are which attribute: the attribute's value is the highest of
/// theirs.
///
/// A moderation endpoint says how likely a text breaks a rule, category by category. It has no
/// category for toxicity as a whole, so what stands for it is a choice: read figures of this scorer
/// with that in mind, and compare them with no other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Categories(pub BTreeMap<Attribute, Vec<String>>);

impl Default for Categories {
    /// For the categories of OpenAI's models: TOXICITY is harassment and hate, with threats or without;
    /// INSULT harassment; IDENTITY_ATTACK hate; THREAT the threats of both; SEXUALLY_EXPLICIT sexual
    /// content. SEVERE_TOXICITY and PROFANITY have no counterpart.
    fn default() -> Self {
        let of = |attribute, names: &[&str]| {
            (attribute, names.iter().map(|&name| name.to_owned()).collect())
        };
        let (harassment, hate) = ("harassment", "hate");
        let threats = ["harassment/threatening", "hate/threatening"];
        Self(BTreeMap::from([
            of(Attribute::TOXICITY, &[harassment, hate, threats[0], threats[1]]),
            of(Attribute::INSULT, &[harassment]),
            of(Attribute::IDENTITY_ATTACK, &[hate, threats[1]]),
            of(Attribute::THREAT, &threats),
            of(Attribute::SEXUALLY_EXPLICIT, &["sexual"]),
        ]))
    }
}

impl Categories {
    /// The attributes, in the order of their names.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = Attribute> {
        self.0.keys().cloned()
    }

    /// A text's verdict from its categories' values. An attribute all of whose categories the service
    /// left out is missing.
    pub(crate) fn verdict(&self, values: &BTreeMap<String, Option<f32>>) -> Verdict {
        let highest = |names: &Vec<String>| {
            let known = names.iter().filter_map(|name| values.get(name).copied().flatten());
            known.reduce(f32::max)
        };
        let scores = self
            .0
            .iter()
            .filter_map(|(attribute, names)| Some((attribute.clone(), highest(names)?)));
        let scores: Vec<_> = scores.collect();
        if scores.is_empty() {
            let found: Vec<_> = values.keys().map(String::as_str).collect();
            return Verdict::Unscored(Unscored::Abstained(format!(
                "none of the categories is there; found: {}",
                found.join(", ")
            )));
        }
        match Scores::new(scores) {
            Ok(scores) => scores.into(),
            Err(error) => Verdict::Unscored(Unscored::Failed(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[(&str, Option<f32>)]) -> BTreeMap<String, Option<f32>> {
        values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn an_attribute_is_the_highest_of_its_categories() {
        let found = values(&[
            ("harassment", Some(0.2)),
            ("hate", Some(0.7)),
            ("harassment/threatening", Some(0.1)),
            ("illicit", Some(0.99)),
        ]);
        let verdict = Categories::default().verdict(&found);
        assert_eq!(verdict.get(&Attribute::TOXICITY), Some(0.7));
        assert_eq!(verdict.get(&Attribute::INSULT), Some(0.2));
        assert_eq!(verdict.get(&Attribute::THREAT), Some(0.1));
        assert_eq!(verdict.get(&Attribute::SEXUALLY_EXPLICIT), None);
    }

    #[test]
    fn what_is_missing_or_no_probability_is_no_score() {
        let categories = Categories::default();
        for found in [values(&[]), values(&[("hate", None)]), values(&[("spam", Some(0.5))])] {
            let verdict = categories.verdict(&found);
            assert!(matches!(verdict, Verdict::Unscored(Unscored::Abstained(_))), "{verdict:?}");
        }
        let verdict = categories.verdict(&values(&[("hate", Some(1.5))]));
        assert!(matches!(verdict, Verdict::Unscored(Unscored::Failed(_))), "{verdict:?}");
    }
}
