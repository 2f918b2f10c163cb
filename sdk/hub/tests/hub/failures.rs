//! What the Hub refuses, and what arrives broken.

use std::fs;

use detoxlm_core::ErrorKind;

use crate::server::{Fault, Repository, sha256};
use crate::support::{COMMIT, MODEL, Place, fixture, names};

const WEIGHTS: &str = "model.safetensors";

fn assert_whole(place: &Place) {
    let weights = place.folder().join("snapshots").join(COMMIT).join(WEIGHTS);
    assert!(fs::read(weights).unwrap() == fs::read(fixture("gpt2").join(WEIGHTS)).unwrap());
}

/// Ranges of the weights that were asked for, without the requests for the length alone.
fn ranges(place: &Place) -> Vec<String> {
    let requests = place.server.requests();
    let weights = requests.iter().filter(|request| request.starts_with("/cdn/"));
    let range = |request: &String| request.split(' ').nth(1).unwrap_or_default().to_owned();
    weights.map(range).filter(|range| range != "0-0").collect()
}

#[tokio::test]
async fn what_is_not_there_is_named_with_both_meanings() {
    let place = Place::with_gpt2();
    let error = place.resolve("some-one/else").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for words in ["`some-one/else`", "no such model on the Hub", "or name a directory"] {
        assert!(error.to_string().contains(words), "no {words:?} in {error}");
    }
    let error = place.resolve("some-one/tiny@v2").await.unwrap_err();
    assert!(error.to_string().contains("no such model or revision"), "{error}");
    assert_eq!(error.key(), Some("some-one/tiny@v2"));
}

#[tokio::test]
async fn a_private_model_wants_a_token_and_nobody_shows_it() {
    let private =
        Repository { token: Some("hf_right"), ..Repository::of(&fixture("gpt2"), COMMIT) };
    let place = Place::with(&private);
    let error = place.resolve(MODEL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.remedy().unwrap().contains("set HF_TOKEN and accept the licence"), "{error}");
    let error = place.with_token("hf_wrong").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(!format!("{error} {error:?}").contains("hf_wrong"));
    place.with_token("hf_right").await.unwrap();
    assert_whole(&place);
}

#[tokio::test]
async fn a_gated_model_wants_its_licence_accepted() {
    let gated = Repository { gated: true, ..Repository::of(&fixture("gpt2"), COMMIT) };
    let error = Place::with(&gated).with_token("hf_any").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.remedy().unwrap().contains("accept the licence"), "{error}");
}

#[tokio::test]
async fn weights_that_we_cannot_read_are_not_fetched() {
    let mut pickled = Repository::of(&fixture("gpt2"), COMMIT);
    pickled.files.remove(WEIGHTS);
    let place = Place::with(&pickled);
    let error = place.resolve(MODEL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("no safetensors"), "{error}");
    assert_eq!(error.key(), Some(MODEL));
    assert_eq!(place.server.requests().len(), 1);
}

#[tokio::test]
async fn another_site_is_no_hub() {
    let error = Place::with_gpt2().resolve("not-a/hub").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
}

#[tokio::test]
async fn a_broken_connection_is_gone_on_with() {
    let place = Place::with_gpt2();
    place.server.spoil(WEIGHTS, Some(Fault::Truncated(2)));
    place.resolve(MODEL).await.unwrap();
    assert_whole(&place);
    let length = fs::metadata(fixture("gpt2").join(WEIGHTS)).unwrap().len();
    let (half, rest) = (length / 2, length - length / 2);
    assert_eq!(ranges(&place), ["0-".into(), format!("{half}-"), format!("{}-", half + rest / 2)]);
    // And told once.
    let heard = place.heard.all();
    let told = heard.iter().filter_map(|count| count.parse::<u64>().ok()).sum::<u64>();
    assert_eq!(heard[0], format!("fetch Some({told}) bytes"));
}

#[tokio::test]
async fn half_a_file_is_no_file_and_the_next_call_goes_on_with_it() {
    let place = Place::with_gpt2();
    place.server.spoil(WEIGHTS, Some(Fault::Truncated(usize::MAX)));
    let error = place.resolve(MODEL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    let snapshot = place.folder().join("snapshots").join(COMMIT);
    assert!(!names(&snapshot).contains(&WEIGHTS.to_owned()));
    assert!(!place.folder().join("refs").exists());
    assert_eq!(place.offline().await.unwrap_err().kind(), ErrorKind::NotFound);

    place.server.spoil(WEIGHTS, None);
    ranges(&place);
    place.resolve(MODEL).await.unwrap();
    assert_whole(&place);
    assert_ne!(ranges(&place), ["0-"]);
}

#[tokio::test]
async fn what_is_not_as_announced_is_fetched_again() {
    let place = Place::with_gpt2();
    place.server.spoil(WEIGHTS, Some(Fault::Corrupted(1)));
    place.resolve(MODEL).await.unwrap();
    assert_whole(&place);

    let place = Place::with_gpt2();
    place.server.spoil(WEIGHTS, Some(Fault::Corrupted(usize::MAX)));
    let error = place.resolve(MODEL).await.unwrap_err();
    assert!(error.to_string().contains("not what the Hub announced"), "{error}");
    assert!(!place.folder().join("snapshots").join(COMMIT).join(WEIGHTS).exists());
}

#[tokio::test]
async fn a_download_that_was_killed_at_its_end_is_begun_again() {
    let place = Place::with_gpt2();
    let content = fs::read(fixture("gpt2").join(WEIGHTS)).unwrap();
    let blobs = place.folder().join(".partial/models--some-one--tiny/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(format!("{}.part", sha256(&content))), &content).unwrap();
    place.resolve(MODEL).await.unwrap();
    assert_whole(&place);
}

#[tokio::test]
async fn a_second_process_is_told_of_the_first() {
    let place = Place::with_gpt2();
    let _held = detoxlm_core::DirectoryLock::acquire(&place.folder().join(".partial")).unwrap();
    assert_eq!(place.resolve(MODEL).await.unwrap_err().kind(), ErrorKind::Locked);
}
