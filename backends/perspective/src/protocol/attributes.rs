/// How far the service stands behind an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeKind {
    /// Tested over many domains, in 18 languages.
    Production,
    /// The six again by newer models, and two more: may change without notice.
    Experimental,
    /// What brings readers together, experimental.
    Bridging,
    /// How a text wants to persuade, experimental; not documented in public.
    Persuasion,
    /// Trained on what moderators of the New York Times decided, experimental.
    NewYorkTimes,
}

/// An attribute that the service has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAttribute {
    /// Its name in requests.
    pub name: &'static str,
    /// How far the service stands behind it.
    pub kind: AttributeKind,
    /// The languages that it is documented for; empty where that is not documented.
    pub languages: &'static [&'static str],
}

/// The languages of the production attributes.
const ALL: &[&str] = &[
    "ar", "zh", "cs", "nl", "en", "fr", "de", "hi", "hi-Latn", "id", "it", "ja", "ko", "pl", "pt",
    "ru", "es", "sv",
];
const ENGLISH: &[&str] = &["en"];
const UNSTATED: &[&str] = &[];

/// All attributes, production first.
///
/// Beside the production ones, what the literature calls "Perspective's attributes" includes the
/// experimental SEXUALLY_EXPLICIT and FLIRTATION.
pub const ATTRIBUTES: &[KnownAttribute] = &{
    use AttributeKind::{Bridging, Experimental, NewYorkTimes, Persuasion, Production};
    const fn row(
        name: &'static str,
        kind: AttributeKind,
        languages: &'static [&'static str],
    ) -> KnownAttribute {
        KnownAttribute { name, kind, languages }
    }
    [
        row("TOXICITY", Production, ALL),
        row("SEVERE_TOXICITY", Production, ALL),
        row("IDENTITY_ATTACK", Production, ALL),
        row("INSULT", Production, ALL),
        row("PROFANITY", Production, ALL),
        row("THREAT", Production, ALL),
        row("TOXICITY_EXPERIMENTAL", Experimental, UNSTATED),
        row("SEVERE_TOXICITY_EXPERIMENTAL", Experimental, UNSTATED),
        row("IDENTITY_ATTACK_EXPERIMENTAL", Experimental, UNSTATED),
        row("INSULT_EXPERIMENTAL", Experimental, UNSTATED),
        row("PROFANITY_EXPERIMENTAL", Experimental, UNSTATED),
        row("THREAT_EXPERIMENTAL", Experimental, UNSTATED),
        row("SEXUALLY_EXPLICIT", Experimental, ENGLISH),
        row("FLIRTATION", Experimental, ENGLISH),
        row("AFFINITY_EXPERIMENTAL", Bridging, ENGLISH),
        row("COMPASSION_EXPERIMENTAL", Bridging, ENGLISH),
        row("CONSTRUCTIVE_EXPERIMENTAL", Bridging, ENGLISH),
        row("CURIOSITY_EXPERIMENTAL", Bridging, ENGLISH),
        row("NUANCE_EXPERIMENTAL", Bridging, ENGLISH),
        row("PERSONAL_STORY_EXPERIMENTAL", Bridging, ENGLISH),
        row("REASONING_EXPERIMENTAL", Bridging, ENGLISH),
        row("RESPECT_EXPERIMENTAL", Bridging, ENGLISH),
        row("ALIENATION_EXPERIMENTAL", Persuasion, UNSTATED),
        row("FEARMONGERING_EXPERIMENTAL", Persuasion, UNSTATED),
        row("GENERALIZATION_EXPERIMENTAL", Persuasion, UNSTATED),
        row("MORAL_OUTRAGE_EXPERIMENTAL", Persuasion, UNSTATED),
        row("POWER_APPEAL_EXPERIMENTAL", Persuasion, UNSTATED),
        row("SCAPEGOATING_EXPERIMENTAL", Persuasion, UNSTATED),
        row("ATTACK_ON_AUTHOR", NewYorkTimes, ENGLISH),
        row("ATTACK_ON_COMMENTER", NewYorkTimes, ENGLISH),
        row("INCOHERENT", NewYorkTimes, ENGLISH),
        row("INFLAMMATORY", NewYorkTimes, ENGLISH),
        row("LIKELY_TO_REJECT", NewYorkTimes, ENGLISH),
        row("OBSCENE", NewYorkTimes, ENGLISH),
        row("SPAM", NewYorkTimes, ENGLISH),
        row("UNSUBSTANTIAL", NewYorkTimes, ENGLISH),
    ]
};

/// What is known of an attribute by its name.
#[must_use]
pub fn known_attribute(name: &str) -> Option<&'static KnownAttribute> {
    ATTRIBUTES.iter().find(|attribute| attribute.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use detoxlm_core::Attribute;

    use super::*;

    #[test]
    fn each_is_listed_once_and_is_an_attribute_of_the_core() {
        let names: BTreeSet<_> = ATTRIBUTES.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), ATTRIBUTES.len());
        for name in names {
            assert_eq!(name.parse::<Attribute>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn the_standard_ones_are_known_and_one_of_them_is_experimental() {
        for attribute in Attribute::STANDARD {
            let known = known_attribute(attribute.as_str()).unwrap();
            let experimental = attribute == Attribute::SEXUALLY_EXPLICIT;
            assert_eq!(known.kind == AttributeKind::Experimental, experimental);
        }
        assert_eq!(known_attribute("TOXICITY").unwrap().languages.len(), 18);
        assert_eq!(known_attribute("NICENESS"), None);
    }
}
