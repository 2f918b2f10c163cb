//! What the crate promises of any plugin, on one that breaks its contract when told to.

use detoxlm_guest::{Failure, Plugin, Sample, SettingsError, Verdict, native};
use serde::Deserialize;

/// Answers what the text says.
struct Echo {
    scale: f32,
}

#[derive(Deserialize)]
struct Settings {
    scale: f32,
}

impl Plugin<2> for Echo {
    const NAME: &'static str = "echo";
    const VERSION: &'static str = "1.2.0";
    const SUMMARY: &'static str = "Answers what the text says.";
    const ATTRIBUTES: [&'static str; 2] = ["TOXICITY", "INSULT"];
    type Settings = Settings;

    fn new(Settings { scale }: Settings) -> Result<Self, SettingsError> {
        match scale {
            0.0..=1.0 => Ok(Self { scale }),
            _ => Err(SettingsError::new("scale", "must be in [0, 1]")),
        }
    }

    fn judge(&self, sample: Sample<'_>) -> Verdict<2> {
        match sample.text.parse() {
            Ok(value) => Verdict::Scores([self.scale, value]),
            Err(_) if sample.prompt == "reject" => Verdict::Reject("it was told to".into()),
            Err(_) => Verdict::Abstain("this is no number".into()),
        }
    }
}

detoxlm_guest::export!(Echo);

#[test]
fn a_descriptor_is_the_plugins_constants() {
    let descriptor = native::<Echo, _>(r#"{"scale": 0}"#).unwrap().describe();
    assert_eq!((descriptor.name, descriptor.version), ("echo", "1.2.0"));
    assert_eq!(descriptor.attributes, ["TOXICITY", "INSULT"]);
    assert!(!descriptor.rejects);
}

#[test]
fn there_are_as_many_verdicts_as_samples_in_their_order() {
    let echo = native::<Echo, _>(r#"{"scale": 0.5}"#).unwrap();
    let samples = ["0.25", "one", "1"].map(Sample::new);
    let abstained = Verdict::Abstain("this is no number".into());
    let expected = [Verdict::Scores([0.5, 0.25]), abstained, Verdict::Scores([0.5, 1.0])];
    assert_eq!(echo.score(&samples).unwrap(), expected);
    assert_eq!(echo.score(&[]).unwrap(), []);
}

#[test]
fn wrong_settings_are_refused_by_key() {
    let cases = [
        (r#"{"scale": 2}"#, "`scale`: must be in [0, 1]"),
        (r#"{"scale": 1, "sclae": 1}"#, "`sclae`: there is no such setting"),
        ("{}", "missing field `scale`"),
    ];
    for (json, why) in cases {
        let failure = native::<Echo, _>(json).unwrap_err();
        assert_eq!(failure, Failure::BadSettings(why.into()), "{json}");
    }
}

#[test]
fn broken_promises_are_failures() {
    let echo = native::<Echo, _>(r#"{"scale": 0.5}"#).unwrap();
    let cases = [
        (Sample::new("1.5"), "INSULT came out as 1.5, which is not in [0, 1]"),
        (Sample::new("NaN"), "INSULT came out as NaN, which is not in [0, 1]"),
        (
            Sample::new("-").with_prompt("reject"),
            "a text was rejected, but REJECTS says that none is",
        ),
    ];
    for (sample, why) in cases {
        assert_eq!(echo.score(&[sample]).unwrap_err(), Failure::Internal(why.into()));
    }
}
