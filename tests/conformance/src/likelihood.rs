//! The suite of [`Likelihood`].

use detoxlm_core::causal_lm::{ContinuationLikelihood, Likelihood, TextLikelihood};

use crate::Violation;

clauses! { "Likelihood":
    ORDER = "Answers are in the order of the questions, one each.";
    ONCE = "`rolling` predicts every token of a text exactly once, with as much context as the model takes";
    BEGINNING = "the first is conditioned on the beginning-of-sequence token";
    APART = "Texts do not see each other.";
    ONLY = "`continuation` predicts the tokens of the continuation only";
    CUT = "a context too long is cut at its beginning";
    BY_HOW_MUCH = "and the answer says by how much";
    SUM = "Sum of the tokens' natural log-probabilities.";
}

/// Rounding of sums that other batch shapes order differently, relative to a log-probability.
const ROUNDING: f64 = 1e-4;
/// Words that no context in use has room for, and that a small model still reads in a moment.
const MANY: usize = 3_000;

/// Checks a likelihood.
///
/// # Errors
/// The first sentence of the contract that does not hold.
pub async fn likelihood(likelihood: &dyn Likelihood) -> Result<(), Violation> {
    let texts = [
        "Once upon a time there was a little girl.",
        "The dog",
        "",
        "One day, the sun was bright and the bird sang a song in the old tree by the house.",
        "zqxj vwkz",
    ]
    .map(str::to_owned);
    rolling_texts(likelihood, &texts).await?;
    long_text(likelihood, &texts[0]).await?;
    continuations(likelihood, &texts).await?;
    long_context(likelihood).await
}

async fn rolling_texts(likelihood: &dyn Likelihood, texts: &[String]) -> Result<(), Violation> {
    let together = rolling(likelihood, texts).await?;
    for (text, rated) in texts.iter().zip(&together) {
        SUM.require(rated.log_prob.is_finite() && rated.log_prob <= 0.0, || {
            format!("{text:?} has {}", rated.log_prob)
        })?;
        ONCE.require((rated.tokens == 0) == text.is_empty(), || {
            format!("{text:?} has {} tokens", rated.tokens)
        })?;
    }
    let mut alone = Vec::new();
    for text in texts {
        alone.extend(rolling(likelihood, std::slice::from_ref(text)).await?);
    }
    compare(&parts(&together), &parts(&alone), "texts alone")?;
    let backwards: Vec<String> = texts.iter().rev().cloned().collect();
    let mut turned = rolling(likelihood, &backwards).await?;
    turned.reverse();
    compare(&parts(&turned), &parts(&alone), "texts backwards")
}

/// A text over many windows has as many tokens as its parts; joints may merge or add one each.
async fn long_text(likelihood: &dyn Likelihood, part: &str) -> Result<(), Violation> {
    let part = format!("{part}\n");
    let one = rolling(likelihood, std::slice::from_ref(&part)).await?[0];
    let times = MANY / one.tokens.max(1);
    let whole = rolling(likelihood, &[part.repeat(times)]).await?[0];
    let (expected, slack) = (one.tokens * times, 2 * times);
    ONCE.require(whole.tokens.abs_diff(expected) <= slack, || {
        format!("{} tokens in {times} times a text of {}", whole.tokens, one.tokens)
    })
}

async fn continuations(likelihood: &dyn Likelihood, texts: &[String]) -> Result<(), Violation> {
    // Without a context, a continuation is a text.
    let bare: Vec<_> = texts.iter().map(|text| (String::new(), text.clone())).collect();
    let whole = rolling(likelihood, texts).await?;
    let rated = continuation(likelihood, &bare).await?;
    for ((text, rated), whole) in texts.iter().zip(&rated).zip(&whole) {
        let near = rated.tokens == whole.tokens && near(rated.log_prob, whole.log_prob);
        BEGINNING.require(near, || {
            format!("{text:?} is {whole:?} as a text, {rated:?} as a continuation of nothing")
        })?;
    }
    let pairs = [
        ("Once upon a time", " there was a little girl."),
        ("Once upon a time there was a little dog. Once upon a time", " there was a little girl."),
        ("The bird sang", ""),
        ("The dog", " and the cat"),
    ]
    .map(|(before, after)| (before.to_owned(), after.to_owned()));
    let together = continuation(likelihood, &pairs).await?;
    ONLY.require(together[0].tokens > 0 && together[0].tokens == together[1].tokens, || {
        format!("{:?} has {} and {} tokens", pairs[0].1, together[0].tokens, together[1].tokens)
    })?;
    ONLY.require(together[2].tokens == 0, || format!("nothing has {:?}", together[2]))?;
    let uncut = together.iter().all(|answer| answer.cut == 0);
    BY_HOW_MUCH.require(uncut, || format!("short contexts are cut: {together:?}"))?;
    let mut alone = Vec::new();
    for pair in &pairs {
        alone.extend(continuation(likelihood, std::slice::from_ref(pair)).await?);
    }
    compare(&parts_of(&together), &parts_of(&alone), "continuations alone")?;
    let backwards: Vec<_> = pairs.iter().rev().cloned().collect();
    let mut turned = continuation(likelihood, &backwards).await?;
    turned.reverse();
    compare(&parts_of(&turned), &parts_of(&alone), "continuations backwards")
}

/// What comes last in a context counts, however long it is.
async fn long_context(likelihood: &dyn Likelihood) -> Result<(), Violation> {
    let before = "the cat and the dog ".repeat(MANY / 5);
    let after = "bird";
    let pairs =
        ["saw a big ", "saw a tiny zx"].map(|end| (format!("{before}{end}"), after.to_owned()));
    let answers = CUT.answered("a long context", likelihood.continuation(&pairs).await)?;
    CUT.require(answers.len() == 2 && answers[0].log_prob != answers[1].log_prob, || {
        format!("{after:?} is the same after two endings of a long context: {answers:?}")
    })?;
    if answers[0].cut == 0 {
        return Ok(());
    }
    let longer = [(format!("{before}{}", pairs[0].0), after.to_owned())];
    let longer = CUT.answered("a longer context", likelihood.continuation(&longer).await)?;
    BY_HOW_MUCH.require(longer.iter().all(|answer| answer.cut > answers[0].cut), || {
        format!("of a context and a longer one: {answers:?}, {longer:?}")
    })
}

async fn rolling(
    likelihood: &dyn Likelihood,
    texts: &[String],
) -> Result<Vec<TextLikelihood>, Violation> {
    let answers = ORDER.answered("texts", likelihood.rolling(texts).await)?;
    ORDER.require(answers.len() == texts.len(), || {
        format!("{} answers to {} texts", answers.len(), texts.len())
    })?;
    Ok(answers)
}

async fn continuation(
    likelihood: &dyn Likelihood,
    pairs: &[(String, String)],
) -> Result<Vec<ContinuationLikelihood>, Violation> {
    let answers = ORDER.answered("continuations", likelihood.continuation(pairs).await)?;
    ORDER.require(answers.len() == pairs.len(), || {
        format!("{} answers to {} pairs", answers.len(), pairs.len())
    })?;
    Ok(answers)
}

type Parts = (usize, f64);

fn parts(answers: &[TextLikelihood]) -> Vec<Parts> {
    answers.iter().map(|answer| (answer.tokens, answer.log_prob)).collect()
}

fn parts_of(answers: &[ContinuationLikelihood]) -> Vec<Parts> {
    answers.iter().map(|answer| (answer.tokens, answer.log_prob)).collect()
}

/// The same answers elsewhere are an order that was not kept.
fn compare(batch: &[Parts], alone: &[Parts], asked: &str) -> Result<(), Violation> {
    let agree = |one: &Parts, other: &Parts| one.0 == other.0 && near(one.1, other.1);
    if batch.iter().zip(alone).all(|(one, other)| agree(one, other)) {
        return Ok(());
    }
    let permuted = batch.iter().all(|one| alone.iter().any(|other| agree(one, other)));
    let clause = if permuted { ORDER } else { APART };
    Err(clause.broken(format!("{asked}: {alone:?}, together {batch:?}")))
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= ROUNDING * (1.0 + one.abs().max(other.abs()))
}
