//! The layers, laid over each other: flag > environment > file. What is missing has its default where it is read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::keys::{self, Section};

/// Variables that are read elsewhere or name a key in another way.
const CONFIG_VARIABLE: &str = "MAILTRAIL_CONFIG";
const LOG_VARIABLE: &str = "MAILTRAIL_LOG";
pub(super) const TOKEN_FILE_VARIABLE: &str = "MAILTRAIL_TOKEN_FILE";

/// The process's environment, or a made-up one in tests.
#[derive(Clone, Default)]
pub(super) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub(super) fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    pub(super) fn none() -> Self {
        Self(Default::default())
    }

    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(&OsString::from(name))
    }

    /// Where `MAILTRAIL_CONFIG` points.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.get(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    File { path: PathBuf, line: usize },
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(variable) => write!(f, "{variable}"),
            Origin::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

impl Origin {
    /// Of two ways to give the same value the one from the higher layer counts.
    pub(super) fn layer(&self) -> u8 {
        match self {
            Origin::File { .. } => 0,
            Origin::Environment(_) => 1,
            Origin::Flag(_) => 2,
        }
    }
}

/// A value as written. No `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) enum Raw {
    Text(Zeroizing<String>),
    Number(i64),
    Boolean(bool),
    Texts(Vec<Zeroizing<String>>),
    /// From environment or flag, where all is text: what it means is known to who reads it.
    Word(Zeroizing<String>),
    /// Of a type that no key has.
    Other(&'static str),
}

/// A value and where it came from.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// All values that were given, by key.
#[derive(Default)]
pub(super) struct Settings {
    by_key: BTreeMap<&'static str, Setting>,
    /// Folder of the file, to which the paths in it are relative; empty without a file.
    folder: PathBuf,
    /// Sections that stand several times: each with its own values, in the order written.
    repeated: BTreeMap<&'static str, Vec<Repeated>>,
}

/// One of several sections of the same name.
pub(super) struct Repeated {
    /// File and line where it begins.
    pub(super) place: String,
    pub(super) settings: Settings,
}

impl Settings {
    pub(super) fn get(&self, key: &str) -> Option<&Setting> {
        debug_assert!(keys::all().any(|known| known == key), "{key} is not in the table of keys");
        self.by_key.get(key)
    }

    /// All sections of this name.
    pub(super) fn repeated(&self, section: &str) -> &[Repeated] {
        self.repeated.get(section).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lays a file's text beneath what is there already. Returns what is wrong with it.
    pub(super) fn add_file(&mut self, path: &Path, text: &str) -> Vec<String> {
        self.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let line_of = |offset: usize| text[..offset.min(text.len())].bytes().filter(|b| *b == b'\n').count() + 1;
        let at = |offset: usize| format!("{}:{}", path.display(), line_of(offset));
        let document = match DeTable::parse(text) {
            Ok(document) => document,
            // Not the error's own text: that shows the line, and the line may hold a password.
            Err(error) => {
                let place = error.span().map_or_else(|| path.display().to_string(), |span| at(span.start));
                return vec![format!("{place}: not TOML: {}", error.message())];
            }
        };
        let mut file = FileReader { path, line_of: &line_of, problems: Vec::new() };
        for (section, value) in document.get_ref() {
            let place = at(section.span().start);
            let section = section.get_ref();
            let value = value.get_ref();
            let is_table = value.is_table() || is_array_of_tables(value);
            match (keys::section(section), value) {
                (Section::Single, DeValue::Table(table)) => file.section(section, table, self),
                (Section::Repeated(name), DeValue::Array(items)) if items.iter().all(|item| item.get_ref().is_table()) => {
                    for item in items {
                        let mut settings = Self { folder: self.folder.clone(), ..Self::default() };
                        if let DeValue::Table(table) = item.get_ref() {
                            file.section(section, table, &mut settings);
                        }
                        let place = at(item.span().start);
                        self.repeated.entry(name).or_default().push(Repeated { place, settings });
                    }
                }
                (Section::Single, _) => {
                    file.problems.push(format!("{place}: {section} is a section: write [{section}] on a line of its own"));
                }
                (Section::Repeated(_), _) => file.problems.push(format!(
                    "{place}: {section} may stand several times: write [[{section}]] on a line of its own, with two brackets"
                )),
                (Section::Unknown, _) if is_table => {
                    file.problems.push(format!("{place}: {}", keys::unknown_section(section)));
                }
                (Section::Unknown, _) => file.problems.push(format!("{place}: {}", keys::outside_sections(section))),
            }
        }
        file.problems
    }

    /// Lays the environment beneath what is there already. Returns problems, and warnings about unknown variables.
    ///
    /// Unknown variables only warn: Kubernetes sets `MAILTRAIL_PORT` and others by itself where a service has our name.
    pub(super) fn add_environment(&mut self, environment: &Environment) -> (Vec<String>, Vec<String>) {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let known: BTreeMap<String, &'static str> = keys::KEYS
            .iter()
            .map(|key| (keys::variable(key), *key))
            .chain([(LOG_VARIABLE.into(), "log.level")])
            .collect();
        for (name, value) in &environment.0 {
            let elsewhere = [CONFIG_VARIABLE, TOKEN_FILE_VARIABLE];
            let Some(name) = name.to_str().filter(|name| name.starts_with("MAILTRAIL_") && !elsewhere.contains(name))
            else {
                continue;
            };
            let Some(key) = known.get(name) else {
                if let Some(near) = keys::nearest_variable(name) {
                    warnings.push(format!("environment variable {name} is unknown and ignored: did you mean {near}?"));
                }
                continue;
            };
            match value.to_str() {
                None => problems.push(format!("{name}: is not UTF-8")),
                Some(value) => {
                    let origin = Origin::Environment(name.to_owned());
                    let raw = Raw::Word(Zeroizing::new(value.to_owned()));
                    // MAILTRAIL_LOG sorts before MAILTRAIL_LOG_LEVEL: the short one wins where both are set.
                    self.by_key.entry(key).or_insert(Setting { raw, origin });
                }
            }
        }
        (problems, warnings)
    }

    /// A flag's value, for `key` as `section.key`.
    pub(super) fn add_flag(&mut self, key: &'static str, flag: &str, value: &str) {
        let setting =
            Setting { raw: Raw::Word(Zeroizing::new(value.to_owned())), origin: Origin::Flag(flag.to_owned()) };
        self.by_key.insert(key, setting);
    }
}

/// Takes the values of one file.
struct FileReader<'f> {
    path: &'f Path,
    line_of: &'f dyn Fn(usize) -> usize,
    problems: Vec<String>,
}

impl FileReader<'_> {
    /// The keys of one section.
    fn section(&mut self, section: &str, table: &DeTable<'_>, settings: &mut Settings) {
        for (name, value) in table {
            let line = (self.line_of)(name.span().start);
            match keys::find(section, name.get_ref()) {
                None => {
                    let told = keys::unknown_key(section, name.get_ref());
                    self.problems.push(format!("{}:{line}: {told}", self.path.display()));
                }
                Some(key) => {
                    let origin = Origin::File { path: self.path.to_owned(), line };
                    settings.by_key.entry(key).or_insert(Setting { raw: raw(value.get_ref()), origin });
                }
            }
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(Zeroizing::new(text.to_string())),
        DeValue::Boolean(boolean) => Raw::Boolean(*boolean),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Raw::Number(number),
            Err(_) => Raw::Other("a number that is too large"),
        },
        DeValue::Array(items) => {
            let texts: Option<Vec<_>> =
                items.iter().map(|item| item.get_ref().as_str().map(|text| Zeroizing::new(text.to_owned()))).collect();
            texts.map_or(Raw::Other("a list that holds something else than texts"), Raw::Texts)
        }
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

fn is_array_of_tables(value: &DeValue<'_>) -> bool {
    value.as_array().is_some_and(|items| items.iter().any(|item| item.get_ref().is_table()))
}
