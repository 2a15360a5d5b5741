//! Reads sections from the parsed file and collects every mistake. Knows no section by name.

use std::{collections::BTreeSet, path::Path};

use toml::{Table, Value};

use super::{
    Environment, Mistake, Mistakes, SECTIONS,
    example::PLACEHOLDER,
    section::{Presence, Section},
    setting::Setting,
};

/// How alike two names must be for one to be suggested for the other, from 0 to 1.
const SUGGESTION_SIMILARITY_MIN: f64 = 0.75;

/// Parses a file. A syntax error hides everything after it, so it is alone.
pub(super) fn parse(text: &str) -> Result<Table, Mistakes> {
    text.parse::<Table>().map_err(|error| {
        // The error's own text would quote the line, and that line may hold a secret.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&char| char != '\n').count() + 1;
        Mistakes::one("", format!("line {line}, column {column} is not TOML: {}", error.message()))
    })
}

/// A parsed file and where its secrets may lie.
pub(super) struct Source<'a> {
    root: &'a Table,
    folder: &'a Path,
    environment: &'a dyn Environment,
    mistakes: Vec<Mistake>,
}

impl<'a> Source<'a> {
    pub(super) fn new(root: &'a Table, folder: &'a Path, environment: &'a dyn Environment) -> Self {
        Self { root, folder, environment, mistakes: Vec::new() }
    }

    pub(super) fn section<S: Section>(&mut self) -> Option<S> {
        let path = S::DESCRIPTION.path;
        let mut table = Some(self.root);
        for name in path.split('.').filter(|name| !name.is_empty()) {
            table = match table.and_then(|table| table.get(name)) {
                None => None,
                Some(Value::Table(table)) => Some(table),
                Some(_) => {
                    let sentence = format!("must be a section: write `[{path}]` on a line");
                    self.mistakes.push(Mistake::new(path, sentence));
                    return None;
                }
            };
        }
        let mut reader = Reader { path, table, known: child_sections(path), source: self };
        let section = S::read(&mut reader);
        reader.refuse_unknown();
        section
    }

    pub(super) fn finish(self) -> Vec<Mistake> {
        self.mistakes
    }
}

/// Reads the fields of one section.
pub(super) struct Reader<'a> {
    path: &'static str,
    table: Option<&'a Table>,
    known: BTreeSet<String>,
    source: &'a mut dyn Surroundings,
}

/// What a [`Reader`] needs of its [`Source`].
trait Surroundings {
    fn add(&mut self, mistake: Mistake);
    fn variable(&self, name: &str) -> Option<String>;
    fn file(&self, path: &str) -> std::io::Result<String>;
}

impl Surroundings for Source<'_> {
    fn add(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.variable(name)
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        self.environment.file(&self.folder.join(path))
    }
}

impl Reader<'_> {
    /// Reads a field. `None` means that a mistake was noted.
    pub(super) fn field<T: Setting>(&mut self, name: &str, presence: Presence) -> Option<T> {
        let (found_as, value) = match presence {
            Presence::SecretOr(default) => self.secret(name, Some(default))?,
            Presence::OptionalSecret(_) if !self.has_secret(name) => return T::absent(),
            Presence::Secret | Presence::OptionalSecret(_) => self.secret(name, None)?,
            Presence::Required(_) | Presence::Default(_) | Presence::Optional(_) => {
                self.known.insert(name.to_owned());
                let value = match (self.table.and_then(|table| table.get(name)), presence) {
                    (Some(value), _) => value.clone(),
                    (None, Presence::Optional(_)) => return T::absent(),
                    (None, Presence::Default(default)) => literal(default),
                    (None, _) => {
                        self.mistake(name, "is missing: it has no default, set it");
                        return None;
                    }
                };
                (name.to_owned(), value)
            }
        };
        T::parse(&value).map_err(|sentence| self.mistake(&found_as, sentence)).ok()
    }

    /// All keys and values, for a section whose keys the operator chooses.
    pub(super) fn entries(&mut self) -> Vec<(String, Value)> {
        let table = self.table.into_iter().flatten();
        let entries: Vec<_> = table.map(|(key, value)| (key.clone(), value.clone())).collect();
        self.known.extend(entries.iter().map(|(key, _)| key.clone()));
        entries
    }

    pub(super) fn mistake(&mut self, name: &str, sentence: impl Into<String>) {
        self.source.add(Mistake::new(dotted(self.path, name), sentence));
    }

    /// Whether a secret is set in any of its three ways.
    fn has_secret(&mut self, name: &str) -> bool {
        let names = secret_names(name);
        self.known.extend(names.iter().cloned());
        names.iter().any(|name| self.table.is_some_and(|table| table.contains_key(name)))
    }

    /// A secret and the name under which it was found.
    fn secret(&mut self, name: &str, default: Option<&str>) -> Option<(String, Value)> {
        let names = secret_names(name);
        self.known.extend(names.iter().cloned());
        let table = self.table;
        let mut given = names.iter().filter_map(|name| Some((name, table?.get(name)?)));
        let (Some((found_as, value)), rest) = (given.next(), given.next()) else {
            if let Some(default) = default {
                return Some((name.to_owned(), literal(default)));
            }
            let [_, file, env] = &names;
            self.mistake(name, format!(
                "is missing: set `{name}`, or `{file}` to the path of a file that holds it, or `{env}` to the name of an environment variable that holds it"
            ));
            return None;
        };
        if rest.is_some() {
            let [value, file, env] = &names;
            self.mistake(
                name,
                format!("is set more than once: keep one of `{value}`, `{file}` and `{env}`"),
            );
            return None;
        }
        let Some(text) = value.as_str() else {
            self.mistake(found_as, "must be text in quotation marks");
            return None;
        };
        let secret = if found_as.as_str() == name {
            Ok(text.to_owned())
        } else if found_as.ends_with("_file") {
            self.source.file(text).map_err(|error| format!("the file cannot be read: {error}"))
        } else {
            let missing = "no such environment variable is set for this process".to_owned();
            self.source.variable(text).ok_or(missing)
        };
        let secret = secret.and_then(|secret| match secret.trim() {
            "" => Err("is empty".to_owned()),
            PLACEHOLDER => Err(
                "still holds the placeholder: `causeway config example` writes a file with fresh secrets".to_owned(),
            ),
            secret => Ok(secret.to_owned()),
        });
        match secret {
            Ok(secret) => Some((found_as.clone(), Value::String(secret))),
            Err(sentence) => {
                self.mistake(found_as, sentence);
                None
            }
        }
    }

    fn refuse_unknown(mut self) {
        for key in self.table.into_iter().flat_map(Table::keys) {
            if self.known.contains(key) {
                continue;
            }
            let similarity = |known: &&String| strsim::jaro_winkler(key, known);
            let nearest = self.known.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
            let sentence = match nearest.filter(|it| similarity(it) >= SUGGESTION_SIMILARITY_MIN) {
                Some(nearest) => format!("is not a key here: did you mean `{nearest}`?"),
                None => "is not a key here: remove it".to_owned(),
            };
            self.source.add(Mistake::new(dotted(self.path, key), sentence));
        }
        self.known.clear();
    }
}

/// A secret can be a value, in a file, or in an environment variable.
fn secret_names(name: &str) -> [String; 3] {
    [name.to_owned(), format!("{name}_file"), format!("{name}_env")]
}

/// The names of the sections directly below one.
fn child_sections(path: &str) -> BTreeSet<String> {
    SECTIONS
        .iter()
        .filter_map(|section| {
            let below = if path.is_empty() {
                section.path
            } else {
                section.path.strip_prefix(path)?.strip_prefix('.')?
            };
            below.split('.').next().filter(|name| !name.is_empty()).map(str::to_owned)
        })
        .collect()
}

/// A value of ours, written as TOML next to its field.
fn literal(toml: &str) -> Value {
    let table: Table = format!("value = {toml}").parse().expect("a test parses every default");
    table["value"].clone()
}

fn dotted(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
