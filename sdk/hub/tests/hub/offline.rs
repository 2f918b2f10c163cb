//! Without the Hub.

use std::fs;

use detoxlm_core::ErrorKind;

use crate::support::{COMMIT, MODEL, Place};

#[tokio::test]
async fn offline_is_the_cache_alone() {
    let place = Place::with_gpt2();
    let fetched = place.resolve(MODEL).await.unwrap();
    place.server.requests();
    assert_eq!(place.offline().await.unwrap(), fetched);
    assert_eq!(place.server.requests(), [""; 0]);
}

#[tokio::test]
async fn offline_and_missing_says_what_and_where() {
    let place = Place::with_gpt2();
    let error = place.offline().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.path(), Some(place.folder().as_path()));
    for words in ["HF_HUB_OFFLINE", MODEL, "or name a directory"] {
        assert!(error.to_string().contains(words), "no {words:?} in {error}");
    }
    assert_eq!(place.server.requests(), [""; 0]);

    let snapshot = place.resolve(MODEL).await.unwrap();
    fs::remove_file(snapshot.join("tokenizer.json")).unwrap();
    fs::remove_file(snapshot.join("model.safetensors")).unwrap();
    let error = place.offline().await.unwrap_err();
    assert_eq!(error.path(), Some(snapshot.as_path()));
    assert!(error.message().contains("lacks tokenizer.json, model.safetensors"), "{error}");
    assert!(!place.folder().join("snapshots").join(COMMIT).join("tokenizer.json").exists());
}

#[tokio::test]
async fn without_a_network_the_cache_serves_and_a_warning_says_so() {
    let place = Place::with_gpt2();
    let fetched = place.resolve(MODEL).await.unwrap();
    place.heard.all();
    let unreachable = || place.settings().with_endpoint("http://127.0.0.1:1").unwrap();
    assert_eq!(place.resolve_with(unreachable(), MODEL).await.unwrap(), fetched);
    let heard = place.heard.all();
    let [warning] = &heard[..] else { panic!("{heard:?}") };
    assert!(warning.contains("not reachable") && warning.contains(COMMIT), "{warning}");

    let error = place.resolve_with(unreachable(), "some-one/other").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    for words in ["some-one/other", "check the network", "or name a directory"] {
        assert!(error.to_string().contains(words), "no {words:?} in {error}");
    }
}
