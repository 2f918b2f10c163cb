//! What measurements mean, for readers of tables.

/// A measurement's name for people, and one sentence about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As [`Measurement::name`](super::Measurement::name).
    pub name: &'static str,
    /// For tables.
    pub label: &'static str,
    /// What it is and which way is better.
    pub meaning: &'static str,
}

/// Of every measurement that our evaluators take, in the order in which tables list them.
const GLOSSARY: &[Entry] = &[
    Entry {
        name: "expected_maximum_toxicity",
        label: "expected maximum toxicity",
        meaning: "the highest toxicity among a prompt's continuations, averaged over prompts; lower \
                  is better",
    },
    Entry {
        name: "maximum_toxicity_standard_deviation",
        label: "its standard deviation",
        meaning: "how far that highest toxicity varies from prompt to prompt",
    },
    Entry {
        name: "toxicity_probability",
        label: "toxicity probability",
        meaning: "the share of prompts with at least one toxic continuation; lower is better",
    },
    Entry {
        name: "mean_toxicity",
        label: "mean toxicity",
        meaning: "the toxicity of a continuation, averaged over all; lower is better",
    },
    Entry {
        name: "unscored_rate",
        label: "unscored",
        meaning: "the share of continuations that the judge gave no score; they count as missing, \
                  not as 0",
    },
    Entry {
        name: "blank_rate",
        label: "blank",
        meaning: "the share of continuations of nothing but white space",
    },
    Entry {
        name: "dist_1",
        label: "distinct words",
        meaning: "different words per word of a prompt's continuations; lower is more repetitive",
    },
    Entry { name: "dist_2", label: "distinct word pairs", meaning: "the same for pairs of words" },
    Entry { name: "dist_3", label: "distinct word triples", meaning: "the same for triples" },
    Entry {
        name: "self_bleu",
        label: "self-BLEU",
        meaning: "how much a prompt's continuations are like each other; higher is more alike",
    },
    Entry {
        name: "repetition_rate",
        label: "repetition",
        meaning: "the share of continuations that end in a phrase said over and over",
    },
    Entry {
        name: "attribute_expected_maximum",
        label: "expected maximum of another attribute",
        meaning: "the highest value of that attribute among a prompt's continuations, averaged over \
                  prompts; lower is better",
    },
    Entry {
        name: "attribute_probability",
        label: "probability of another attribute",
        meaning: "the share of prompts with at least one continuation over the threshold by that \
                  attribute; lower is better",
    },
    Entry {
        name: "attribute_mean",
        label: "mean of another attribute",
        meaning: "that attribute of a continuation, averaged over all; lower is better",
    },
    Entry {
        name: "fluency_perplexity",
        label: "perplexity of continuations",
        meaning: "how surprised a second model is by what the model wrote, averaged over \
                  continuations; lower is more fluent",
    },
    Entry {
        name: "fluency_discarded_rate",
        label: "too surprising",
        meaning: "the share of continuations that are left out of that mean for a perplexity beyond \
                  its limit",
    },
    Entry {
        name: "fluency_unrated_rate",
        label: "not rated",
        meaning: "the share of continuations in which there was nothing to rate",
    },
    Entry {
        name: "token_perplexity",
        label: "perplexity",
        meaning: "how surprised the model is by each token of text that people wrote; lower is \
                  better, and only models of one tokenizer can be compared",
    },
    Entry {
        name: "word_perplexity",
        label: "perplexity per word",
        meaning: "the same for each word, comparable between tokenizers",
    },
    Entry {
        name: "byte_perplexity",
        label: "perplexity per byte",
        meaning: "the same for each byte, comparable between tokenizers",
    },
    Entry {
        name: "bits_per_byte",
        label: "bits per byte",
        meaning: "how many bits the model needs for each byte of that text; lower is better",
    },
    Entry {
        name: "acc",
        label: "accuracy",
        meaning: "the share of a task's items that the model answers right; higher is better, and \
                  guessing has a share of its own",
    },
    Entry {
        name: "acc_norm",
        label: "accuracy by character",
        meaning: "the same when an answer's log-probability is divided by its length in characters",
    },
    Entry {
        name: "acc_bytes",
        label: "accuracy by byte",
        meaning: "the same when it is divided by its length in bytes",
    },
    Entry {
        name: "perplexity",
        label: "perplexity of the answer",
        meaning: "how surprised the model is by the right answer as a whole; lower is better",
    },
    Entry {
        name: "cut_context_rate",
        label: "cut contexts",
        meaning: "the share of a task's items that were too long for the model and lost their \
                  beginning",
    },
    Entry {
        name: "toxic_share",
        label: "toxic continuations",
        meaning: "the share of continuations over the threshold; lower is better",
    },
    Entry {
        name: "mean_sentiment",
        label: "mean sentiment",
        meaning: "how kind a continuation sounds, from 0 to 1, 0.5 being neutral, averaged over all",
    },
    Entry {
        name: "sentiment_unscored_rate",
        label: "without sentiment",
        meaning: "the share of continuations that the judge of sentiment gave no score",
    },
    Entry {
        name: "mean_toxicity_gap",
        label: "largest gap of mean toxicity",
        meaning: "between two groups of people of a domain; lower is fairer",
    },
    Entry {
        name: "toxic_share_gap",
        label: "largest gap of toxic continuations",
        meaning: "between two groups of people of a domain; lower is fairer",
    },
    Entry {
        name: "mean_sentiment_gap",
        label: "largest gap of mean sentiment",
        meaning: "between two groups of people of a domain; lower is fairer",
    },
    Entry {
        name: "token_perplexity_gap",
        label: "largest gap of perplexity",
        meaning: "between text about two groups of people of a domain; texts differ, so compare it \
                  between models",
    },
    Entry {
        name: "word_perplexity_gap",
        label: "largest gap of perplexity per word",
        meaning: "the same for each word",
    },
    Entry {
        name: "bits_per_byte_gap",
        label: "largest gap of bits per byte",
        meaning: "the same for each byte",
    },
    Entry {
        name: "false_positive_rate",
        label: "false positives",
        meaning: "the share of harmless sentences that name an identity and that a scorer calls \
                  toxic; lower is better",
    },
    Entry {
        name: "false_positive_rate_gap",
        label: "largest gap of false positives",
        meaning: "between two identities; a model that is trained on what the scorer keeps reads \
                  less of the one",
    },
    Entry {
        name: "mean_rating",
        label: "mean rating",
        meaning: "the points that people gave, averaged over raters and then over prompts",
    },
    Entry {
        name: "krippendorff_alpha",
        label: "agreement among raters",
        meaning: "Krippendorff's alpha: 1 when they always agree, 0 when no more than by chance",
    },
    Entry {
        name: "pearson",
        label: "Pearson's correlation",
        meaning: "how far a scorer's values lie on a line with people's mean ratings, from -1 to 1",
    },
    Entry {
        name: "spearman",
        label: "Spearman's correlation",
        meaning: "how far a scorer puts texts in the order of people's mean ratings, from -1 to 1",
    },
];

/// The entry of a measurement; `None` for one that no evaluator of ours takes.
#[must_use]
pub fn glossary(name: &str) -> Option<&'static Entry> {
    GLOSSARY.iter().find(|entry| entry.name == name)
}

/// The measurement's name for people: its own where the glossary has none.
pub(crate) fn label(name: &str) -> &str {
    glossary(name).map_or(name, |entry| entry.label)
}
