//! Results for programs that read those of lm-evaluation-harness.

use serde_json::{Map, Value, json};

use super::{COMPONENT, Evaluation, Measurement};
use crate::{Error, ErrorKind, Result};

/// What the harness calls the filter of a metric when there is none.
const FILTER: &str = "none";

/// Measurements under names that the harness has, and whether higher is better.
const METRICS: [(&str, bool); 7] = [
    ("acc", true),
    ("acc_norm", true),
    ("acc_bytes", true),
    ("perplexity", false),
    ("word_perplexity", false),
    ("byte_perplexity", false),
    ("bits_per_byte", false),
];

/// The tasks and perplexities of one model in the shape of lm-evaluation-harness's `results_*.json`
/// (0.4.13): `results` as `{task: {"acc,none": ..., "acc_stderr,none": ...}}`, `configs`, `versions`,
/// `n-shot`, `n-samples`, `higher_is_better` and `config`. Perplexity goes by the name of its text.
///
/// Evaluations without a number that the harness knows are left out. A missing number is `null`, and a
/// missing standard error `"N/A"`, as the harness writes it.
///
/// # Errors
/// When evaluations are of different models, or two have the same name: the format has no place for
/// both.
pub fn lm_eval_results(evaluations: &[Evaluation]) -> Result<Value> {
    let mut sections: [Map<String, Value>; 6] = Default::default();
    let mut first: Option<&Evaluation> = None;
    for evaluation in evaluations {
        let measured: Vec<_> = METRICS
            .iter()
            .filter_map(|&(name, higher)| Some((evaluation.get(name, "all")?, higher)))
            .collect();
        if measured.is_empty() {
            continue;
        }
        let made_of = &evaluation.provenance;
        let first = first.get_or_insert(evaluation);
        if first.provenance.model != made_of.model {
            let message = format!("they are of `{}` and `{}`", first.subject, evaluation.subject);
            return Err(refusal(message).with_remedy("write a file for each model"));
        }
        let task = made_of.settings.get("task");
        let of_task = |key| task.and_then(|task| task.get(key)).and_then(Value::as_str);
        let name = of_task("name").unwrap_or(&made_of.data.name);
        let version = of_task("version").unwrap_or(&made_of.evaluator.version);
        let [results, configs, versions, shots, samples, higher_is_better] = &mut sections;
        let config = json!({
            "task": name,
            "dataset_path": made_of.data.name,
            "num_fewshot": 0,
            "metadata": {
                "version": version,
                "evaluator": made_of.evaluator,
                "data": made_of.data,
                "settings": made_of.settings,
            },
        });
        if configs.insert(name.to_owned(), config).is_some() {
            let message = format!("two are called `{name}`");
            return Err(refusal(message).with_remedy("write a file for each"));
        }
        let items = items(evaluation, &measured);
        results.insert(name.to_owned(), metrics(name, &measured, items));
        versions.insert(name.to_owned(), version.into());
        shots.insert(name.to_owned(), 0.into());
        samples.insert(name.to_owned(), json!({"original": items, "effective": items}));
        let directions = measured.iter().map(|(m, higher)| (m.name.clone(), (*higher).into()));
        higher_is_better.insert(name.to_owned(), Value::Object(directions.collect()));
    }
    let [results, configs, versions, shots, samples, higher_is_better] = sections;
    let model = first.map(|first| &first.provenance.model);
    Ok(json!({
        "results": results,
        "configs": configs,
        "versions": versions,
        "n-shot": shots,
        "n-samples": samples,
        "higher_is_better": higher_is_better,
        "config": {
            "model": model.map(|model| &model.name),
            "model_args": model,
            "batch_size": null,
            "limit": null,
        },
        "model_source": "detoxlm",
        "model_name": model.map(|model| &model.name),
    }))
}

fn metrics(name: &str, measured: &[(&Measurement, bool)], items: Option<u64>) -> Value {
    let mut row = Map::from_iter([
        ("name".to_owned(), name.into()),
        ("alias".to_owned(), name.into()),
        ("sample_len".to_owned(), items.into()),
    ]);
    for (measurement, _) in measured {
        let metric = &measurement.name;
        let error = measurement.standard_error.map_or_else(|| "N/A".into(), Value::from);
        row.insert(format!("{metric},{FILTER}"), measurement.value.into());
        row.insert(format!("{metric}_stderr,{FILTER}"), error);
    }
    Value::Object(row)
}

/// How many items or documents there were. A perplexity counts words and bytes; its data says how many
/// documents they are of.
fn items(evaluation: &Evaluation, measured: &[(&Measurement, bool)]) -> Option<u64> {
    let of_items = measured.iter().find(|(measurement, _)| measurement.unit == "items");
    match of_items {
        Some((measurement, _)) => Some(measurement.n),
        None => evaluation.provenance.data.version.split(' ').next()?.parse().ok(),
    }
}

fn refusal(message: String) -> Error {
    Error::new(ErrorKind::Incompatible, COMPONENT, "put results together", message)
}

#[cfg(test)]
mod tests {
    use super::super::test_values::{cell, evaluation};
    use super::*;

    #[test]
    fn a_perplexity_goes_by_its_text_and_toxicity_is_left_out() {
        let mut perplexity =
            evaluation("base", "a", &[cell("word_perplexity", Some(20.0), None, 900)]);
        perplexity.measurements[0].slice = "all".to_owned();
        perplexity.provenance.data.name = "held-out.txt".to_owned();
        perplexity.provenance.data.version = "3 documents".to_owned();
        let toxicity = evaluation("base", "a", &[cell("mean_toxicity", Some(0.1), None, 9)]);
        let results = lm_eval_results(&[toxicity, perplexity.clone()]).unwrap();
        assert_eq!(results["results"].as_object().unwrap().len(), 1);
        let row = &results["results"]["held-out.txt"];
        assert_eq!(row["word_perplexity,none"], 20.0);
        assert_eq!(row["word_perplexity_stderr,none"], "N/A");
        assert_eq!(row["sample_len"], 3);
        assert_eq!(results["higher_is_better"]["held-out.txt"]["word_perplexity"], false);

        let twice = lm_eval_results(&[perplexity.clone(), perplexity.clone()]).unwrap_err();
        assert!(twice.to_string().contains("two are called `held-out.txt`"), "{twice}");
        let mut other = perplexity.clone();
        other.provenance.model.name = "another".to_owned();
        let mixed = lm_eval_results(&[perplexity, other]).unwrap_err();
        assert_eq!(mixed.kind(), ErrorKind::Incompatible);
        assert_eq!(lm_eval_results(&[]).unwrap()["results"], json!({}));
    }
}
