//! What arrives, where, and what is told of it.

use std::fs;
use std::path::Path;

use detoxlm_candle::register;
use detoxlm_core::{GenerationRequest, LoadOptions, ModelDirectory, Registry, Sampling, Subject};

use crate::server::Repository;
use crate::support::{COMMIT, MODEL, Place, assert_same, fixture, names};

const GPT2: [&str; 5] = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
];

async fn load(directory: &Path) -> Subject {
    let mut registry = Registry::new();
    register(&mut registry);
    let framework = registry.framework("candle").unwrap();
    framework.loader.load(directory, &LoadOptions::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_fetched_loaded_and_writes() {
    let place = Place::with_gpt2();
    let snapshot = place.resolve(MODEL).await.unwrap();
    assert_eq!(snapshot, place.folder().join("snapshots").join(COMMIT));
    assert_same(&snapshot, &fixture("gpt2"), &GPT2);
    assert_eq!(
        ModelDirectory::open(&snapshot).unwrap().digest().unwrap(),
        ModelDirectory::open(fixture("gpt2")).unwrap().digest().unwrap()
    );
    let subject = load(&snapshot).await;
    assert_eq!(subject.name, "some-one/tiny@0123456789ab");
    let request = GenerationRequest {
        id: 0,
        prompt: "The river".into(),
        samples: 2,
        sampling: Sampling::self_generation().with_max_new_tokens(4),
        seed: 1,
    };
    let request = [request];
    let written = subject.generator.generate(&request).await.unwrap();
    let original = load(&fixture("gpt2")).await.generator.generate(&request).await.unwrap();
    assert_eq!(written, original);
}

#[cfg(unix)]
#[tokio::test]
async fn the_cache_has_the_layout_of_python() {
    let place = Place::with_gpt2();
    let snapshot = place.resolve(MODEL).await.unwrap();
    assert_eq!(names(&place.folder()), [".partial", "blobs", "refs", "snapshots"]);
    assert_eq!(fs::read_to_string(place.folder().join("refs/main")).unwrap(), COMMIT);
    assert_eq!(names(&place.folder().join("refs")), ["main"]);
    // Nothing of the download is left but the lock.
    assert_eq!(names(&place.folder().join(".partial")), [".lock"]);
    for file in GPT2 {
        let target = fs::read_link(snapshot.join(file)).unwrap();
        let blob = target.strip_prefix("../../blobs").unwrap();
        let etag = blob.to_str().unwrap();
        assert_eq!(etag.len(), if file == "model.safetensors" { 64 } else { 40 }, "{file}");
    }
    assert_eq!(names(&place.folder().join("blobs")).len(), GPT2.len());
}

#[tokio::test]
async fn bytes_are_told_as_they_come() {
    let place = Place::with_gpt2();
    place.resolve(MODEL).await.unwrap();
    let heard = place.heard.all();
    let total: u64 =
        GPT2.iter().map(|file| fs::metadata(fixture("gpt2").join(file)).unwrap().len()).sum();
    assert_eq!(heard.first().unwrap(), &format!("fetch Some({total}) bytes"));
    assert_eq!(heard.last().unwrap(), "finished");
    let counts = heard[1..heard.len() - 1].iter().map(|count| count.parse::<u64>().unwrap());
    assert_eq!(counts.sum::<u64>(), total);
    assert!(heard.len() > 2 + GPT2.len(), "{heard:?}");
}

#[tokio::test]
async fn nothing_is_fetched_twice() {
    let place = Place::with_gpt2();
    let first = place.resolve(MODEL).await.unwrap();
    place.server.requests();
    place.heard.all();
    assert_eq!(place.resolve(MODEL).await.unwrap(), first);
    // What `main` means may have changed: that alone is asked.
    assert_eq!(place.server.requests(), [format!("/api/models/{MODEL}/revision/main?blobs=true")]);
    // A commit means itself for ever.
    assert_eq!(place.resolve(&format!("{MODEL}@{COMMIT}")).await.unwrap(), first);
    assert_eq!(place.server.requests(), [""; 0]);
    assert_eq!(place.heard.all(), [""; 0]);
}

#[tokio::test]
async fn revisions_stand_beside_each_other_and_share_what_is_the_same() {
    let place = Place::with_gpt2();
    let main = place.resolve(MODEL).await.unwrap();
    place.server.requests();
    let commit = COMMIT.replace('0', "f");
    let mut other = Repository::of(&fixture("gpt2"), &commit);
    let config = other.files.get_mut("config.json").unwrap();
    config.push(b'\n');
    place.server.publish(MODEL, "refs/pr/1", &other);
    let pull_request = place.resolve(&format!("{MODEL}@refs/pr/1")).await.unwrap();
    assert_eq!(pull_request, place.folder().join("snapshots").join(&commit));
    assert_eq!(fs::read_to_string(place.folder().join("refs/refs/pr/1")).unwrap(), commit);
    assert_eq!(names(&pull_request), GPT2);
    assert!(place.server.requests().iter().all(|request| !request.contains("safetensors")));
    assert_ne!(
        fs::read(main.join("config.json")).unwrap(),
        fs::read(pull_request.join("config.json")).unwrap()
    );

    // `main` moves on: the run that asks for it gets the new one, and the old one stays.
    place.server.publish(MODEL, "main", &other);
    assert_eq!(place.resolve(MODEL).await.unwrap(), pull_request);
    assert!(main.join("config.json").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_those_of_the_index() {
    let sharded = fixture("qwen2-bf16-sharded");
    let mut repository = Repository::of(&sharded, COMMIT);
    repository.files.insert("model-00003-of-00002.safetensors".into(), b"stray".into());
    let place = Place::with(&repository);
    let snapshot = place.resolve(MODEL).await.unwrap();
    let files = [
        "config.json",
        "generation_config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_same(&snapshot, &sharded, &files);
    load(&snapshot).await;
    // A shard that is lost is noticed and fetched again.
    fs::remove_file(snapshot.join(files[3])).unwrap();
    fs::remove_dir_all(place.folder().join("blobs")).unwrap();
    place.resolve(MODEL).await.unwrap();
    assert_same(&snapshot, &sharded, &files);
}
