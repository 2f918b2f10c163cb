use detoxlm_core::remote::Secret;
use detoxlm_core::{Attribute, Unscored, Verdict};
use detoxlm_openai::Moderation;

use crate::server::Server;
use crate::{moderated, options, score};

const KEY: &str = "sk-a-secret-key";

#[tokio::test]
async fn each_text_is_asked_once_and_answered_in_order() {
    let server = Server::start(|_, request| moderated(request));
    let key = Secret::new(KEY).unwrap();
    let scorer = Moderation::new(Some(key), &options(&server.base)).unwrap();
    let verdicts = score(&scorer, &["aa", "", "BB", "aB"]).await;
    let toxicity: Vec<_> = verdicts.iter().map(|v| v.get(&Attribute::TOXICITY)).collect();
    assert_eq!(toxicity, [Some(0.0), None, Some(1.0), Some(0.5)]);
    assert_eq!(verdicts[1], Verdict::Unscored(Unscored::Blank));
    assert_eq!(verdicts[2].get(&Attribute::INSULT), Some(1.0));
    // No category for it: missing.
    assert_eq!(verdicts[2].get(&Attribute::PROFANITY), None);
    let requests = server.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(request.path, "/v1/moderations");
        assert_eq!(request.authorization.as_deref(), Some("Bearer sk-a-secret-key"));
        assert_eq!(request.body["model"], "a-model");
    }
    assert!(!format!("{scorer:?}").contains(KEY));
}

#[tokio::test]
async fn it_keeps_the_contract_of_scorers() {
    let server = Server::start(|_, request| moderated(request));
    let scorer = Moderation::new(None, &options(&server.base)).unwrap();
    detoxlm_conformance::scorer(&scorer).await.unwrap();
}
