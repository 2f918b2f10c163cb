//! The figures of a classifier's model card, as Markdown: how far it agrees with Perspective and with
//! people, what it does not see, whom it wrongs, and how fast it is.
//!
//! `cargo run --release -p detoxlm-examples --example classifier_card -- DATA_DIRECTORY [--scorer SCHEME:REST]`
//!
//! The directory is laid out as `data.rs` reads it. The scorer is the embedded one unless another is
//! named, such as `onnx:models/toxic-bert`.

mod bias;
mod data;
mod figures;
mod speed;

use std::path::PathBuf;

use detoxlm::ToxicityScorer;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "usage: classifier_card DATA_DIRECTORY [--scorer SCHEME:REST]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let scorer = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => "embedded".to_owned(),
        (Some("--scorer"), Some(scorer)) => scorer,
        _ => return Err(USAGE.into()),
    };
    let scorer = detoxlm::registry()?.scorer(&scorer)?;
    let scorer: &dyn ToxicityScorer = scorer.as_ref();
    println!("Figures of {}.", scorer.info());

    for name in ["prompts", "challenging"] {
        for part in ["prompt", "continuation"] {
            let set = data::real_toxicity_prompts(&directory, name, part)?;
            figures::agreement(scorer, &set).await?;
        }
    }
    figures::agreement(scorer, &data::wikipedia(&directory)?).await?;
    figures::labels(scorer, &data::jigsaw(&directory)?).await?;
    figures::functionalities(scorer, &data::hatecheck(&directory)?).await?;
    bias::identities(scorer, &data::identity_templates(&directory)?).await?;
    let continuations = data::real_toxicity_prompts(&directory, "prompts", "continuation")?;
    speed::texts_per_second(scorer, &continuations).await
}
