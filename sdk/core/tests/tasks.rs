//! Tasks over a fake: the official formats, resume, and what is said of bad definitions and bad rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use detoxlm_core::causal_lm::{ContinuationLikelihood, Likelihood, TextLikelihood};
use detoxlm_core::evaluation::{
    EvaluationContext, Task, TaskEvaluator, TaskItem, TaskSet, TaskSettings, lm_eval_results,
};
use detoxlm_core::testing::BigramLm;
use detoxlm_core::{
    Digest, Error, ErrorKind, Evaluator, Info, LocalGenerator, LocalLikelihood, Result, Silent,
    Subject,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tasks")).join(name)
}

fn items(task: &str, files: &[&str]) -> Vec<TaskItem> {
    let files = files.iter().map(|file| fixture(file));
    let set = TaskSet::read(Task::named(task).unwrap(), files, None).unwrap();
    set.items().unwrap().collect::<Result<Vec<_>>>().unwrap()
}

fn question(item: &TaskItem, choice: usize) -> (&str, &str) {
    let (context, continuation) = &item.questions[choice];
    (context, continuation)
}

#[test]
fn every_task_of_ours_has_a_name_a_version_and_a_source() {
    let names: Vec<_> = Task::built_in().collect();
    assert_eq!(names.len(), 12);
    for name in names {
        let task = Task::named(name).unwrap();
        assert_eq!(task.info().name, name);
        assert!(!task.info().version.is_empty() && !task.summary().is_empty(), "{name}");
        assert!(!task.source().is_empty() && !task.metrics().is_empty(), "{name}");
    }
    let error = Task::named("hellaswagg").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("winogrande") && error.to_string().contains(".toml"));
}

#[test]
fn items_are_asked_as_their_tasks_say() {
    let hellaswag = items("hellaswag", &["hellaswag.jsonl"]);
    let (context, continuation) = question(&hellaswag[2], 0);
    assert_eq!(
        context,
        "How to plant a tree: How to plant a tree. Choose a place. It should have sun."
    );
    assert_eq!(continuation, "  Dig a hole. It should be deep.");
    assert_eq!(question(&hellaswag[7], 0).0, "Reading: A girl opens a book. Her brother tom");

    let text = items("hellaswag_text", &["hellaswag.txt"]);
    assert_eq!((text.len(), text[1].line, text[1].right), (7, 7, 1));
    assert_eq!(
        question(&text[1], 3),
        ("Walking the dog: A man holds a leash in the park. the dog", " opens a shop.")
    );

    let piqa = items("piqa", &["piqa.jsonl", "piqa-labels.lst"]);
    assert_eq!(piqa.iter().map(|item| item.right).collect::<Vec<_>>(), [0, 1, 0, 1, 0, 0, 1, 0]);
    assert_eq!(question(&piqa[1], 1), ("Question: open a jar\nAnswer:", " Turn the lid."));

    let winogrande = items("winogrande", &["winogrande.jsonl"]);
    assert_eq!(
        question(&winogrande[0], 1),
        ("Anna gave Lily the cake because Lily", " was hungry.")
    );
    assert_eq!(question(&winogrande[7], 0).1, " broke, a_b.");
    assert_eq!(winogrande[2].right, 0);

    let lambada = items("lambada_openai", &["lambada.jsonl"]);
    assert_eq!((lambada[0].questions.len(), question(&lambada[0], 0).1), (1, " ball."));

    let race = items("race", &["race.jsonl"]);
    assert_eq!(race.len(), 7);
    let (context, _) = question(&race[0], 0);
    assert!(context.starts_with("Article: Lily has a garden."), "{context}");
    assert!(
        context.ends_with(
            "climb them.\n\nQuestion: How many trees are there?\nAnswer: Three\n\
             Sam likes the trees because he can climb them\nWho gives the flowers water?"
        ),
        "{context}"
    );
    assert_eq!((race[0].right, question(&race[0], 2).1), (2, " Lily"));
    // White space at a context's end goes over.
    assert_eq!(question(&race[5], 1).1, "  They skated");

    let anli = items("anli_r3", &["anli.jsonl"]);
    assert_eq!(anli[2].right, 1);
    assert_eq!(
        question(&anli[0], 2),
        (
            "Lily has a red ball and a blue ball.\nQuestion: Lily has two balls. True, False, or \
             Neither?\nAnswer:",
            " False"
        )
    );
    let hans = items("hans", &["hans.tsv"]);
    assert_eq!((hans.len(), hans[2].line, hans[2].right), (7, 5, 0));
    let wic = items("wic", &["wic.jsonl"]);
    assert!(question(&wic[7], 0).0.contains("Is the word 'café' used"), "by characters");
    assert_eq!((wic[0].right, wic[1].right), (0, 1));
    let boolq = items("boolq", &["boolq.jsonl"]);
    assert_eq!((boolq[0].right, boolq[1].right), (1, 0));
}

const OWN: &str = r#"
name = "own"
version = "1"
summary = "a test"
metrics = ["acc"]
context = "{{ question }}"
choices = ["{{ yes }}", "no"]
answer = "{{ label }}"
"#;

fn refused(definition: &str, words: &[&str], line: Option<u64>) {
    let error = Task::parse(definition).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
    assert_eq!(error.line_number(), line, "{error}");
}

#[test]
fn a_bad_definition_is_refused_with_line_key_and_remedy() {
    let with = |from: &str, to: &str| {
        assert!(OWN.contains(from));
        OWN.replace(from, to)
    };
    refused(&with("summary", "sumary"), &["sumary"], Some(4));
    refused(&with("version = \"1\"\n", ""), &["version"], Some(1));
    refused(&with("\"acc\"", "\"accuracy\""), &["accuracy", "acc_norm"], Some(5));
    refused(
        &with("\"acc\"", "\"perplexity\""),
        &["`metrics`", "what fits: acc, acc_norm"],
        Some(5),
    );
    refused(&with("\"acc\"", ""), &["`metrics`", "there is none"], Some(5));
    refused(&with("{{ question }}", "{{ question"), &["`context`", "Jinja"], Some(6));
    refused(&with("{{ yes }}", "{% if %}"), &["`choices[0]`"], Some(7));
    refused(&with(", \"no\"", ""), &["`choices`", "at least two"], Some(7));
    refused(&with("choices =", "contexts ="), &["`context`, `contexts`", "no question"], None);
    refused(&with("answer = \"{{ label }}\"\n", ""), &["`answer`", "is missing"], None);
    refused(&format!("{OWN}labels = [\"a\"]"), &["`labels`", "1 labels for 2 choices"], Some(9));
    refused(
        &format!("{OWN}labels = [[\"a\"], \"a\"]"),
        &["`labels`", "`a` is there twice"],
        Some(9),
    );
    refused(&format!("{OWN}[data]\nkeep = \"a ==\""), &["`data.keep`"], Some(10));
    refused(&with("\"own\"", "\"my own\""), &["`name`"], Some(2));
    refused("[", &[], Some(1));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.toml");
    fs::write(&path, with("\"acc\"", "")).unwrap();
    let error = Task::named(path.to_str().unwrap()).unwrap_err();
    assert_eq!(error.path(), Some(path.as_path()));
    let missing = Task::read(directory.path().join("no.toml")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn a_task_is_another_one_when_its_templates_are() {
    let digest = |text: &str| Task::parse(text).unwrap().info().digest.clone();
    assert_eq!(digest(OWN), digest(&format!("# comments say nothing\n{OWN}")));
    assert_ne!(digest(OWN), digest(&OWN.replace("\"no\"", "\"nope\"")));
}

fn read(task: &str, files: &[(&str, &str)]) -> Result<TaskSet> {
    let directory = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, content) in files {
        paths.push(directory.path().join(name));
        fs::write(paths.last().unwrap(), content).unwrap();
    }
    TaskSet::read(Task::parse(task).unwrap(), paths, None)
}

fn refused_row(task: &str, rows: &str, words: &[&str], line: u64) {
    let error = read(task, &[("rows.jsonl", rows)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
    assert_eq!(error.line_number(), Some(line), "{error}");
    assert!(error.path().unwrap().ends_with("rows.jsonl") && error.remedy().is_some(), "{error}");
}

#[test]
fn a_bad_row_is_an_error_with_its_line() {
    let good = r#"{"question":"a?","yes":"yes","label":0}"#;
    let row = |bad: &str| format!("{good}\n\n{bad}\n");
    refused_row(
        OWN,
        &row(r#"{"question":"a?","label":0}"#),
        &["`choices[0]`", "`yes` is undefined"],
        3,
    );
    refused_row(
        OWN,
        &row(r#"{"question":"a?","yes":"","label":0}"#),
        &["choice 0 has a length of zero"],
        3,
    );
    let out_of_range = r#"{"question":"a?","yes":"yes","label":2}"#;
    refused_row(
        OWN,
        &row(out_of_range),
        &["`answer`", "`2` is the label of none", "from 0 to 1"],
        3,
    );
    let labels = format!("{OWN}labels = [\"ja\", \"nein\"]");
    refused_row(&labels, good, &["`0` is the label of none", "ja, nein"], 1);
    let listed = OWN.replace(
        r#"choices = ["{{ yes }}", "no"]"#,
        "choices_of = \"list\"\nchoice = \"{{ choice }}\"",
    );
    refused_row(
        &listed,
        &good.replace("\"yes\":\"yes\"", "\"list\":\"yes\""),
        &["`choices_of`", "not a list"],
        1,
    );
    refused_row(
        &listed,
        &good.replace("\"yes\":\"yes\"", "\"list\":[]"),
        &["none of 0 choices"],
        1,
    );
    let grouped = format!("{OWN}[data]\ngroup_by = \"passage\"");
    let error = read(&grouped, &[("rows.jsonl", good)]).unwrap_err();
    assert!(error.to_string().contains("`passage`: is missing"), "{error}");

    let empty = read(OWN, &[("rows.jsonl", "")]).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::Empty);
    let none_kept = format!("{OWN}[data]\nkeep = \"label == 7\"");
    assert_eq!(read(&none_kept, &[("rows.jsonl", good)]).unwrap_err().kind(), ErrorKind::Empty);
    let stream = TaskSet::read(Task::parse(OWN).unwrap(), ["-"], None).unwrap_err();
    assert_eq!(stream.kind(), ErrorKind::InvalidConfig);
}

#[test]
fn files_that_belong_together_must_fit() {
    let task = format!("{OWN}[data]\ncompanions = [\"label\"]");
    let rows = "{\"question\":\"a?\",\"yes\":\"yes\"}\n{\"question\":\"b?\",\"yes\":\"yes\"}\n";
    let set = read(&task, &[("rows.jsonl", rows), ("labels.lst", "0\n1\n")]).unwrap();
    assert_eq!((set.len(), set.info().name.as_str()), (2, "rows.jsonl"));
    for labels in ["0\n", "0\n1\n0\n"] {
        let error = read(&task, &[("rows.jsonl", rows), ("labels.lst", labels)]).unwrap_err();
        assert!(error.path().unwrap().ends_with("labels.lst"), "{error}");
        assert!(error.to_string().contains("files of the same set"), "{error}");
    }
    let error = read(&task, &[("rows.jsonl", rows)]).unwrap_err();
    assert!(error.to_string().contains("2 files, not 1"), "{error}");
    let lines = format!("{OWN}[data]\nlines = [\"question\", \"yes\", \"label\"]");
    let text = "a?\nyes\n0\n\nb?\nno\n1\n";
    assert_eq!(read(&lines, &[("rows.txt", text)]).unwrap().len(), 2);
    let error = read(&lines, &[("rows.txt", "a?\nyes\n0\nb?\n")]).unwrap_err();
    assert!(error.to_string().contains("ends before its `yes`"), "{error}");
}

#[test]
fn a_compressed_file_and_a_limit_are_understood() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.jsonl.gz");
    let mut writer = detoxlm_core::corpus::JsonlWriter::create(&path).unwrap();
    for label in [0, 1, 1] {
        let row = serde_json::json!({"question": "a?", "yes": "yes", "label": label});
        writer.write(&row).unwrap();
    }
    writer.commit().unwrap();
    let read = |limit| TaskSet::read(Task::parse(OWN).unwrap(), [&path], limit).unwrap();
    assert_eq!((read(None).len(), read(Some(2)).len(), read(Some(9)).len()), (3, 2, 3));
    assert_ne!(read(None).info().digest, read(Some(2)).info().digest);
    let limited = read(Some(2));
    assert_eq!(limited.items().unwrap().count(), 2);
}

/// Finds every continuation as probable as it is short, and counts the calls.
#[derive(Debug)]
struct Short {
    info: Info,
    calls: AtomicUsize,
    tokens: usize,
    fails_at: usize,
    log_prob: fn(&str) -> f64,
}

impl Short {
    fn new(name: &str) -> Self {
        Self {
            info: Info::new(name, "1", Digest::of(name)),
            calls: AtomicUsize::new(0),
            tokens: 1,
            fails_at: usize::MAX,
            log_prob: |continuation| -(continuation.len() as f64),
        }
    }
}

#[async_trait]
impl Likelihood for Short {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn rolling(&self, _: &[String]) -> Result<Vec<TextLikelihood>> {
        Err(Error::new(ErrorKind::Unsupported, "test", "rate", "not needed"))
    }

    async fn continuation(
        &self,
        pairs: &[(String, String)],
    ) -> Result<Vec<ContinuationLikelihood>> {
        if self.calls.fetch_add(1, Ordering::SeqCst) == self.fails_at {
            return Err(Error::new(ErrorKind::Unavailable, "test", "rate", "the power went"));
        }
        let rate = |(_, continuation): &(String, String)| ContinuationLikelihood {
            log_prob: (self.log_prob)(continuation),
            tokens: self.tokens,
            is_greedy: false,
            cut: 0,
        };
        Ok(pairs.iter().map(rate).collect())
    }
}

fn subject(likelihood: Option<Arc<dyn Likelihood>>) -> Subject {
    let generator = Arc::new(LocalGenerator::new(Arc::new(BigramLm::new(1))).unwrap());
    Subject { name: "short".to_owned(), generator, likelihood }
}

fn context(directory: &Path) -> EvaluationContext {
    EvaluationContext {
        directory: directory.to_path_buf(),
        shared: None,
        observer: Arc::new(Silent),
    }
}

fn hellaswag() -> TaskEvaluator {
    let task = Task::named("hellaswag").unwrap();
    let set = TaskSet::read(task, [fixture("hellaswag.jsonl")], None).unwrap();
    TaskEvaluator::new(set, TaskSettings { items_per_unit: 3, ..TaskSettings::default() }).unwrap()
}

#[tokio::test]
async fn an_interrupted_task_goes_on_where_it_was() {
    let evaluator = hellaswag();
    let [whole, stopped] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let model = Arc::new(Short::new("short"));
    let first = evaluator
        .evaluate(&subject(Some(Arc::<Short>::clone(&model))), &context(whole.path()))
        .await
        .unwrap();
    assert_eq!(model.calls.load(Ordering::SeqCst), 3);
    // The shortest ending of the eight is right in one.
    assert_eq!(first.get("acc", "all").unwrap().value, Some(0.125));
    assert_eq!(first.get("acc", "all").unwrap().n, 8);
    assert!(first.get("acc", "all").unwrap().standard_error.is_some());
    assert!(first.get("acc_norm", "all").unwrap().interval.is_some());

    let fails = Arc::new(Short { fails_at: 1, ..Short::new("short") });
    let error =
        evaluator.evaluate(&subject(Some(fails)), &context(stopped.path())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let goes_on = Arc::new(Short::new("short"));
    let second = evaluator
        .evaluate(&subject(Some(Arc::<Short>::clone(&goes_on))), &context(stopped.path()))
        .await
        .unwrap();
    assert_eq!(goes_on.calls.load(Ordering::SeqCst), 2);
    assert_eq!(second, first);
    for part in 0..3 {
        let name = format!("answers/part-{part:05}.jsonl");
        let read = |root: &Path| fs::read_to_string(root.join(&name)).unwrap();
        assert_eq!(read(whole.path()), read(stopped.path()));
    }
}

#[tokio::test]
async fn models_are_compared_item_by_item_and_tasks_are_not() {
    let evaluator = hellaswag();
    let [base, other, race] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let long =
        Short { log_prob: |continuation| continuation.len() as f64 - 500.0, ..Short::new("long") };
    for (model, root) in [(Short::new("short"), &base), (long, &other)] {
        evaluator.evaluate(&subject(Some(Arc::new(model))), &context(root.path())).await.unwrap();
    }
    let same = evaluator.changes(base.path(), base.path()).await.unwrap();
    assert!(same.measurements.iter().all(|change| change.value == Some(0.0)));
    let changes = evaluator.changes(base.path(), other.path()).await.unwrap();
    // The longest ending is right in four, the shortest in one.
    assert_eq!(changes.get("acc", "all").unwrap().value, Some(0.375));

    let task = Task::named("race").unwrap();
    let set = TaskSet::read(task, [fixture("race.jsonl")], None).unwrap();
    let other_task = TaskEvaluator::new(set, TaskSettings::default()).unwrap();
    let model = subject(Some(Arc::new(Short::new("short"))));
    other_task.evaluate(&model, &context(race.path())).await.unwrap();
    let error = evaluator.changes(base.path(), race.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
}

#[tokio::test]
async fn what_a_model_cannot_answer_is_said() {
    let evaluator = hellaswag();
    let evaluate = async |likelihood: Option<Arc<dyn Likelihood>>| {
        let root = tempfile::tempdir().unwrap();
        evaluator.evaluate(&subject(likelihood), &context(root.path())).await.unwrap_err()
    };
    assert_eq!(evaluate(None).await.kind(), ErrorKind::Unsupported);
    let none = evaluate(Some(Arc::new(Short { tokens: 0, ..Short::new("none") }))).await;
    assert_eq!((none.kind(), none.line_number()), (ErrorKind::InvalidInput, Some(1)));
    assert!(none.to_string().contains("hellaswag.jsonl:1"), "{none}");
    let infinite = Short { log_prob: |_| f64::NEG_INFINITY, ..Short::new("infinite") };
    let infinite = evaluate(Some(Arc::new(infinite))).await;
    assert_eq!(infinite.kind(), ErrorKind::Incompatible);
    // A choice that no context has room for.
    let model = Arc::new(BigramLm::new(1).with_context_length(8));
    let tiny = evaluate(Some(Arc::new(LocalLikelihood::new(model).unwrap()))).await;
    assert!(tiny.to_string().contains("exceed the context of 8"), "{tiny}");
}

#[tokio::test]
async fn contexts_that_are_cut_are_counted() {
    let evaluator = hellaswag();
    let rate = async |context_length: usize| {
        let model = Arc::new(BigramLm::new(1).with_context_length(context_length));
        let likelihood = Arc::new(LocalLikelihood::new(model).unwrap());
        let root = tempfile::tempdir().unwrap();
        let evaluation =
            evaluator.evaluate(&subject(Some(likelihood)), &context(root.path())).await.unwrap();
        evaluation.get("cut_context_rate", "all").unwrap().value.unwrap()
    };
    assert_eq!(rate(512).await, 0.0);
    assert_eq!(rate(64).await, 1.0);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.jsonl");
    let text = fs::read_to_string(fixture("hellaswag.jsonl")).unwrap();
    fs::write(&path, &text).unwrap();
    let set = TaskSet::read(Task::named("hellaswag").unwrap(), [&path], None).unwrap();
    fs::write(&path, text.replace("flour", "wheat")).unwrap();
    let evaluator = TaskEvaluator::new(set, TaskSettings::default()).unwrap();
    let model = subject(Some(Arc::new(Short::new("short"))));
    let root = tempfile::tempdir().unwrap();
    let error = evaluator.evaluate(&model, &context(root.path())).await.unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Incompatible, Some(path.as_path())));
}

#[tokio::test]
async fn results_have_the_shape_of_the_harness() {
    let root = tempfile::tempdir().unwrap();
    let model = subject(Some(Arc::new(Short::new("short"))));
    let evaluation = hellaswag().evaluate(&model, &context(root.path())).await.unwrap();
    let results = lm_eval_results(&[evaluation]).unwrap();
    let of_task = &results["results"]["hellaswag"];
    assert_eq!(of_task["alias"], "hellaswag");
    assert_eq!(of_task["acc,none"], 0.125);
    assert!(of_task["acc_norm_stderr,none"].as_f64().unwrap() > 0.0);
    assert_eq!(results["versions"]["hellaswag"], "1.0");
    assert_eq!(results["n-samples"]["hellaswag"]["effective"], 8);
    assert_eq!(results["n-shot"]["hellaswag"], 0);
    assert_eq!(results["higher_is_better"]["hellaswag"]["acc"], true);
    assert_eq!(results["config"]["model"], "short");
}
