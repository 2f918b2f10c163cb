//! What less toxicity cost: toxicity against perplexity, model by model.

use super::Picture;
use crate::evaluation::{Evaluation, Measurement, distinct, source};
use crate::plot::{Estimate, Ground, Point, scatter};

/// A model's name, and the number of the one that it was made of.
pub(super) type Subject = (String, Option<usize>);

/// One picture for each judge, over perplexity on the first text that models were measured on.
pub(super) fn pictures(evaluations: &[Evaluation], subjects: &[Subject]) -> Vec<Picture> {
    let Some(text) = with(evaluations, "token_perplexity", "all") else { return Vec::new() };
    let judged =
        evaluations.iter().filter(|e| e.get("expected_maximum_toxicity", "full").is_some());
    let mut evaluators = distinct(judged.map(|e| &e.provenance.evaluator.digest));
    evaluators.retain(|digest| **digest != text.provenance.evaluator.digest);
    evaluators
        .into_iter()
        .filter_map(|evaluator| {
            let first = evaluations.iter().find(|e| e.provenance.evaluator.digest == *evaluator)?;
            let points = points(evaluations, subjects, first, text);
            if points.len() < 2 {
                return None;
            }
            let (judge, data) = (source(first), &text.provenance.data.name);
            let title = format!("Toxicity by {judge} against perplexity on {data}");
            let names = (
                format!("perplexity on {data} (lower is better)"),
                "expected maximum toxicity (lower is better)".to_owned(),
            );
            let svg = scatter(&title, (&names.0, &names.1), &points, Ground::Page);
            let caption = format!(
                "{title}. Further down is less toxic, further left a better model of the language; lines \
                 are intervals, arrows lead from a model to what was made of it. In brackets: \
                 perplexity, toxicity."
            );
            Some(Picture { svg, caption })
        })
        .collect()
}

fn with<'a>(evaluations: &'a [Evaluation], name: &str, slice: &str) -> Option<&'a Evaluation> {
    evaluations.iter().find(|evaluation| evaluation.get(name, slice).is_some())
}

fn points(
    evaluations: &[Evaluation],
    subjects: &[Subject],
    judged: &Evaluation,
    text: &Evaluation,
) -> Vec<Point> {
    let mut places = vec![None; subjects.len()];
    let mut points: Vec<Point> = Vec::new();
    for (number, (name, from)) in subjects.iter().enumerate() {
        let figure = |of: &Evaluation, figure: &str, slice: &str| {
            evaluations
                .iter()
                .find(|e| {
                    e.subject == *name
                        && e.provenance.evaluator.digest == of.provenance.evaluator.digest
                })
                .and_then(|e| e.get(figure, slice))
                .and_then(estimate)
        };
        let Some(y) = figure(judged, "expected_maximum_toxicity", "full") else { continue };
        let Some(x) = figure(text, "token_perplexity", "all") else { continue };
        places[number] = Some(points.len());
        let from = from.and_then(|from| places.get(from).copied().flatten());
        points.push(Point { name: name.clone(), x, y, from });
    }
    points
}

/// A figure as it is drawn; `None` when it is missing.
pub(super) fn estimate(measurement: &Measurement) -> Option<Estimate> {
    let value = measurement.value.filter(|value| value.is_finite())?;
    let error = measurement.standard_error;
    let interval = measurement
        .interval
        .map(|interval| (interval.low, interval.high))
        .or_else(|| error.map(|error| (value - error, value + error)))
        .filter(|(low, high)| low.is_finite() && high.is_finite());
    Some(Estimate { value, interval })
}

#[cfg(test)]
mod tests {
    use super::super::test_values::{evaluation, figure};
    use super::*;

    #[test]
    fn a_model_without_both_figures_has_no_point() {
        let toxicity = |subject: &str, value| {
            evaluation(subject, "a", vec![figure(("expected_maximum_toxicity", "full"), value)])
        };
        let perplexity = |subject: &str, value| {
            evaluation(subject, "text", vec![figure(("token_perplexity", "all"), value)])
        };
        let evaluations = [
            toxicity("base", 0.4),
            perplexity("base", 20.0),
            toxicity("half", 0.3),
            toxicity("new", 0.3),
            perplexity("new", 21.0),
        ];
        let subjects = [("base", None), ("half", Some(0)), ("new", Some(0))]
            .map(|(name, from)| (name.to_owned(), from));
        let pictures = pictures(&evaluations, &subjects);
        assert_eq!(pictures.len(), 1);
        let svg = &pictures[0].svg;
        assert!(svg.contains("base (20.00, 0.400)") && svg.contains("new (21.00, 0.300)"));
        assert!(!svg.contains("half"), "{svg}");
        assert!(super::pictures(&evaluations[..2], &subjects).is_empty());
    }
}
