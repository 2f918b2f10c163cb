use detoxlm_guest::{Sample, Verdict, native};
use my_plugin::MyPlugin;

#[test]
fn capitals_are_shouting() {
    let plugin = native::<MyPlugin, _>(r#"{"too_few_letters": 2}"#).unwrap();
    let verdicts = plugin.score(&["quiet", "LOUD", "HAlf", "?!", "OK"].map(Sample::new)).unwrap();
    let too_few = Verdict::Abstain("too few letters".into());
    let scores = |value| Verdict::Scores([value]);
    assert_eq!(verdicts, [scores(0.0), scores(1.0), scores(0.5), too_few.clone(), too_few]);
}

#[test]
fn misspelt_settings_are_refused() {
    assert!(native::<MyPlugin, _>(r#"{"too_few_leters": 2}"#).is_err());
}
