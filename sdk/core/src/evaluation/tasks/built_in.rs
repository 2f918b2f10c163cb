/// The tasks that are built in, by name, in the order of the paper's table.
const TASKS: [(&str, &str); 12] = [
    ("lambada_openai", include_str!("../../../tasks/lambada_openai.toml")),
    ("hellaswag", include_str!("../../../tasks/hellaswag.toml")),
    ("hellaswag_text", include_str!("../../../tasks/hellaswag_text.toml")),
    ("piqa", include_str!("../../../tasks/piqa.toml")),
    ("winogrande", include_str!("../../../tasks/winogrande.toml")),
    ("boolq", include_str!("../../../tasks/boolq.toml")),
    ("race", include_str!("../../../tasks/race.toml")),
    ("anli_r1", include_str!("../../../tasks/anli_r1.toml")),
    ("anli_r2", include_str!("../../../tasks/anli_r2.toml")),
    ("anli_r3", include_str!("../../../tasks/anli_r3.toml")),
    ("hans", include_str!("../../../tasks/hans.toml")),
    ("wic", include_str!("../../../tasks/wic.toml")),
];

pub(super) fn text(name: &str) -> Option<&'static str> {
    TASKS.iter().find(|(there, _)| *there == name).map(|(_, text)| *text)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TASKS.iter().map(|(name, _)| *name)
}
