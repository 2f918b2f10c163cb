use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::evaluation::COMPONENT;
use crate::files::read_json;
use crate::info::DigestBuilder;
use crate::{Error, ErrorKind, Info, Result};

const OPERATION: &str = "read BOLD";

/// BOLD (Dhamala et al. 2021, "BOLD: Dataset and Metrics for Measuring Biases in Open-Ended Language
/// Generation"): beginnings of Wikipedia sentences about people of groups, and the whole sentences.
/// One domain or several, in memory. Cheap to clone.
///
/// Every prompt of every entity counts. (HELM reads the first of each entity alone.)
#[derive(Clone, Debug)]
pub struct BoldSet {
    info: Info,
    domains: Arc<[Domain]>,
}

#[derive(Clone, Debug)]
struct Domain {
    name: String,
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    name: String,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    entity: String,
    prompt: String,
    sentence: String,
}

/// A group of a set, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoldGroup {
    /// The domain, such as `gender`.
    pub domain: String,
    /// The group, such as `American_actors`.
    pub name: String,
    /// Its prompts that are not blank.
    pub prompts: usize,
    /// Its sentences that are not blank.
    pub sentences: usize,
}

/// Texts of all groups in a row, and which of them are whose.
#[derive(Clone, Debug)]
pub(super) struct Grouped {
    pub(super) texts: Vec<String>,
    pub(super) layout: Layout,
}

/// Which items of a row are whose.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    pub(super) domains: Vec<LayoutDomain>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct LayoutDomain {
    pub(super) name: String,
    /// A group's name, and the numbers of its items.
    pub(super) groups: Vec<(String, Range<usize>)>,
}

impl LayoutDomain {
    /// The numbers of the items of all its groups, which stand in a row.
    pub(super) fn items(&self) -> Range<usize> {
        let start = self.groups.first().map_or(0, |(_, range)| range.start);
        let end = self.groups.last().map_or(0, |(_, range)| range.end);
        start..end
    }
}

impl BoldSet {
    /// The domains of the released data.
    pub const DOMAINS: [&str; 5] =
        ["gender", "race", "profession", "religious_ideology", "political_ideology"];

    /// Reads a domain from its two files, `{group: {entity: [text, ...]}}`: prompts, and the sentences
    /// that they are the beginnings of, one to one. The domain is called as the file is:
    /// `gender_prompt.json` has `gender`.
    ///
    /// # Errors
    /// When a file cannot be read, is of another shape or names something twice, or when the two do
    /// not have the same groups, entities and numbers of texts: file, group and entity are named.
    pub fn read(prompts: impl AsRef<Path>, sentences: impl AsRef<Path>) -> Result<Self> {
        let domain = read_domain(prompts.as_ref(), sentences.as_ref())?;
        Self::of(vec![domain])
    }

    /// Reads domains from a directory, `prompts/gender_prompt.json` and `wikipedia/gender_wiki.json` as
    /// released, or the same in one directory, `prompts_gender_prompt.json` and
    /// `wikipedia_gender_wiki.json`. Without names, those of [`Self::DOMAINS`] that are there.
    ///
    /// # Errors
    /// As [`Self::read`], and when a domain is not there.
    pub fn open(directory: impl AsRef<Path>, domains: &[&str]) -> Result<Self> {
        let directory = directory.as_ref();
        let file = |folder: &str, domain: &str, kind: &str| -> Option<PathBuf> {
            let name = format!("{domain}_{kind}.json");
            let places =
                [directory.join(folder).join(&name), directory.join(format!("{folder}_{name}"))];
            places.into_iter().find(|path| path.is_file())
        };
        let asked = if domains.is_empty() { &Self::DOMAINS[..] } else { domains };
        let mut found = Vec::new();
        for &domain in asked {
            match (file("prompts", domain, "prompt"), file("wikipedia", domain, "wiki")) {
                (Some(prompts), Some(sentences)) => found.push(read_domain(&prompts, &sentences)?),
                (None, None) if domains.is_empty() => {}
                (prompts, _) => {
                    let message = if prompts.is_none() { "no prompts" } else { "no sentences" };
                    return Err(Error::new(ErrorKind::NotFound, COMPONENT, OPERATION, message)
                        .with_path(directory)
                        .with_key(domain.to_owned())
                        .with_remedy(remedy_layout(domain)));
                }
            }
        }
        if found.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, COMPONENT, OPERATION, "no domain of BOLD")
                .with_path(directory)
                .with_remedy(remedy_layout("gender")));
        }
        Self::of(found)
    }

    fn of(domains: Vec<Domain>) -> Result<Self> {
        let mut digest = DigestBuilder::new();
        let mut texts = 0;
        for domain in &domains {
            digest.update(&domain.name);
            for group in &domain.groups {
                digest.update(&group.name).update(group.rows.len().to_le_bytes());
                texts += group.rows.len();
                for row in &group.rows {
                    digest.update(&row.entity).update(&row.prompt).update(&row.sentence);
                }
            }
        }
        if texts == 0 {
            return Err(Error::new(ErrorKind::Empty, COMPONENT, OPERATION, "no texts")
                .with_remedy("give at least one group a text"));
        }
        let names: Vec<&str> = domains.iter().map(|domain| domain.name.as_str()).collect();
        let name = format!("BOLD {}", names.join(", "));
        let info = Info::new(name, format!("{texts} prompts"), digest.finish());
        Ok(Self { info, domains: domains.into() })
    }

    /// At most so many prompts of each group, with their sentences, spread evenly over the group: its
    /// entities are in alphabetical order, of which the first would be no sample.
    ///
    /// # Errors
    /// When that leaves none.
    pub fn per_group(&self, limit: usize) -> Result<Self> {
        let spread = |rows: &[Row]| -> Vec<Row> {
            let kept = limit.min(rows.len());
            (0..kept).map(|number| rows[number * rows.len() / kept].clone()).collect()
        };
        let group = |group: &Group| Group { name: group.name.clone(), rows: spread(&group.rows) };
        let domain = |domain: &Domain| Domain {
            name: domain.name.clone(),
            groups: domain.groups.iter().map(group).collect(),
        };
        Self::of(self.domains.iter().map(domain).collect())
    }

    /// Name, size and digest.
    #[must_use]
    pub const fn info(&self) -> &Info {
        &self.info
    }

    /// Its groups, domain by domain.
    pub fn groups(&self) -> impl Iterator<Item = BoldGroup> {
        self.domains.iter().flat_map(|domain| {
            domain.groups.iter().map(|group| BoldGroup {
                domain: domain.name.clone(),
                name: group.name.clone(),
                prompts: group.rows.iter().filter(|row| !is_blank(&row.prompt)).count(),
                sentences: group.rows.iter().filter(|row| !is_blank(&row.sentence)).count(),
            })
        })
    }

    /// The prompts without blank ones, which would ask for any text at all, and without white space at
    /// the end, which most have: a tokenizer makes it a token of its own that no sentence has there.
    pub(super) fn prompts(&self) -> Grouped {
        self.grouped(|row| row.prompt.trim_end())
    }

    /// The sentences without blank ones.
    pub(super) fn sentences(&self) -> Grouped {
        self.grouped(|row| row.sentence.as_str())
    }

    fn grouped(&self, text: impl Fn(&Row) -> &str) -> Grouped {
        let mut texts = Vec::new();
        let mut domains = Vec::new();
        for domain in self.domains.iter() {
            let mut groups = Vec::new();
            for group in &domain.groups {
                let start = texts.len();
                let all = group.rows.iter().map(&text);
                texts.extend(all.filter(|text| !is_blank(text)).map(str::to_owned));
                groups.push((group.name.clone(), start..texts.len()));
            }
            domains.push(LayoutDomain { name: domain.name.clone(), groups });
        }
        Grouped { texts, layout: Layout { domains } }
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn remedy_layout(domain: &str) -> String {
    format!(
        "put prompts/{domain}_prompt.json and wikipedia/{domain}_wiki.json of BOLD into the directory"
    )
}

fn read_domain(prompts: &Path, sentences: &Path) -> Result<Domain> {
    type Texts = InOrder<InOrder<Vec<String>>>;
    let prompt_groups: Texts = read_json(prompts)?;
    let sentence_groups: Texts = read_json(sentences)?;
    let refuse = |path: &Path, key: String, message: String| {
        Error::new(ErrorKind::InvalidInput, COMPONENT, OPERATION, message)
            .with_path(path)
            .with_key(key)
            .with_remedy("prompts and sentences must have the same groups, entities and numbers")
    };
    let lacks = |path: &Path, key: String| refuse(path, key, "it is in the other file only".into());
    let mut sentence_groups: HashMap<String, InOrder<Vec<String>>> =
        sentence_groups.0.into_iter().collect();
    let mut groups = Vec::new();
    for (name, entities) in prompt_groups.0 {
        let Some(sentence_entities) = sentence_groups.remove(&name) else {
            return Err(lacks(sentences, name));
        };
        let mut sentence_entities: HashMap<String, Vec<String>> =
            sentence_entities.0.into_iter().collect();
        let mut rows = Vec::new();
        for (entity, beginnings) in entities.0 {
            let key = format!("{name}/{entity}");
            let Some(wholes) = sentence_entities.remove(&entity) else {
                return Err(lacks(sentences, key));
            };
            if wholes.len() != beginnings.len() {
                let message =
                    format!("{} sentences for {} prompts", wholes.len(), beginnings.len());
                return Err(refuse(sentences, key, message));
            }
            rows.extend(beginnings.into_iter().zip(wholes).map(|(prompt, sentence)| Row {
                entity: entity.clone(),
                prompt,
                sentence,
            }));
        }
        if let Some(entity) = sentence_entities.into_keys().min() {
            return Err(lacks(prompts, format!("{name}/{entity}")));
        }
        groups.push(Group { name, rows });
    }
    match sentence_groups.into_keys().min() {
        Some(name) => Err(lacks(prompts, name)),
        None => Ok(Domain { name: domain_name(prompts), groups }),
    }
}

/// `gender` of `gender_prompt.json` and of `prompts_gender_prompt.json`.
fn domain_name(prompts: &Path) -> String {
    let stem = prompts.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem.strip_prefix("prompts_").unwrap_or(&stem);
    name.strip_suffix("_prompt").unwrap_or(name).to_owned()
}

/// A JSON object in the order of its file; one key twice is an error.
struct InOrder<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for InOrder<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(InOrderVisitor(PhantomData))
    }
}

struct InOrderVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrderVisitor<V> {
    type Value = InOrder<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object {group: {entity: [text, ...]}}")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, V>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("`{key}` is there twice")));
            }
            entries.push((key, value));
        }
        Ok(InOrder(entries))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PROMPTS: &str = r#"{"B": {"one": ["One is ", "One has "], "two": [" "]}, "A": {"x": ["X was "]}, "none": {}}"#;
    const SENTENCES: &str = r#"{"none": {}, "A": {"x": ["X was here."]}, "B": {"two": ["Two."], "one": ["One is one.", "One has it."]}}"#;

    fn read(prompts: &str, sentences: &str) -> Result<BoldSet> {
        let directory = tempfile::tempdir().unwrap();
        let [p, s] = ["prompts_craft_prompt.json", "wikipedia_craft_wiki.json"]
            .map(|name| directory.path().join(name));
        fs::write(&p, prompts).unwrap();
        fs::write(&s, sentences).unwrap();
        BoldSet::read(p, s)
    }

    #[test]
    fn every_prompt_of_every_entity_is_aligned_by_name_and_blank_ones_are_left_out() {
        let set = read(PROMPTS, SENTENCES).unwrap();
        let prompts = set.prompts();
        assert_eq!(prompts.texts, ["One is", "One has", "X was"]);
        let groups = [("B".to_owned(), 0..2), ("A".to_owned(), 2..3), ("none".to_owned(), 3..3)];
        let expected = LayoutDomain { name: "craft".into(), groups: groups.into() };
        assert_eq!(prompts.layout.domains, [expected]);
        assert_eq!(set.sentences().texts, ["One is one.", "One has it.", "Two.", "X was here."]);
        let counts: Vec<_> = set.groups().map(|group| (group.prompts, group.sentences)).collect();
        assert_eq!(counts, [(2, 3), (1, 1), (0, 0)]);
        assert_eq!(set.info().name, "BOLD craft");
        assert_ne!(
            set.info().digest,
            read(&PROMPTS.replace("One is", "One was"), SENTENCES).unwrap().info().digest
        );
    }

    #[test]
    fn what_is_not_aligned_is_refused_by_file_group_and_entity() {
        for (prompts, sentences, file, key) in [
            (PROMPTS.replace("\"A\"", "\"C\""), SENTENCES.to_owned(), "wiki", "C"),
            (PROMPTS.replace("\"x\"", "\"y\""), SENTENCES.to_owned(), "wiki", "A/y"),
            (
                PROMPTS.to_owned(),
                SENTENCES.replace("\"One has it.\"", "\"a\", \"b\""),
                "wiki",
                "B/one",
            ),
            (PROMPTS.to_owned(), SENTENCES.replace("\"x\":", "\"w\": [], \"x\":"), "prompt", "A/w"),
            (
                PROMPTS.to_owned(),
                SENTENCES.replace("\"none\"", "\"no\": {}, \"none\""),
                "prompt",
                "no",
            ),
        ] {
            let error = read(&prompts, &sentences).unwrap_err();
            assert_eq!(
                (error.kind(), error.key()),
                (ErrorKind::InvalidInput, Some(key)),
                "{error}"
            );
            let path = error.path().unwrap().to_string_lossy().into_owned();
            assert!(path.ends_with(&format!("{file}.json")), "{error}");
        }
        let twice = PROMPTS.replace("\"A\"", "\"B\"");
        let error = read(&twice, SENTENCES).unwrap_err();
        assert!(error.to_string().contains("`B` is there twice"), "{error}");
        assert_eq!(error.line_number(), Some(1));
        let error = read("{\"A\": [1]}", SENTENCES).unwrap_err();
        assert!(error.to_string().contains("{group: {entity: [text, ...]}}"), "{error}");
        assert_eq!(read("{\"A\": {}}", "{\"A\": {}}").unwrap_err().kind(), ErrorKind::Empty);
    }

    #[test]
    fn a_limit_is_spread_over_a_group() {
        let texts: Vec<String> = (0..10).map(|number| format!("\"text {number}\"")).collect();
        let file = format!("{{\"A\": {{\"x\": [{}]}}}}", texts.join(","));
        let set = read(&file, &file).unwrap();
        assert_eq!(set.per_group(3).unwrap().prompts().texts, ["text 0", "text 3", "text 6"]);
        assert_eq!(set.per_group(30).unwrap().info().digest, set.info().digest);
        assert_eq!(set.per_group(0).unwrap_err().kind(), ErrorKind::Empty);
    }

    #[test]
    fn both_layouts_of_a_directory_are_known_and_a_missing_domain_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        assert_eq!(BoldSet::open(at(""), &[]).unwrap_err().kind(), ErrorKind::NotFound);
        for folder in ["prompts", "wikipedia"] {
            fs::create_dir(at(folder)).unwrap();
        }
        fs::write(at("prompts/gender_prompt.json"), PROMPTS).unwrap();
        fs::write(at("wikipedia/gender_wiki.json"), SENTENCES).unwrap();
        fs::write(at("prompts_race_prompt.json"), PROMPTS).unwrap();
        let error = BoldSet::open(at(""), &[]).unwrap_err();
        assert!(error.to_string().contains("no sentences"), "{error}");
        fs::write(at("wikipedia_race_wiki.json"), SENTENCES).unwrap();
        let both = BoldSet::open(at(""), &[]).unwrap();
        assert_eq!(both.info().name, "BOLD gender, race");
        assert_eq!(both.prompts().layout.domains[1].groups[0].1, 3..5);
        assert_eq!(BoldSet::open(at(""), &["race"]).unwrap().info().name, "BOLD race");
        assert_eq!(BoldSet::open(at(""), &["profession"]).unwrap_err().key(), Some("profession"));
    }
}
