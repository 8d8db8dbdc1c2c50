//! `bigquery init`: what is missing, said first, made afterwards. What is there is looked at and left as it is.

use http::Method;
use serde_json::{Value, json};

use super::Dataset;
use super::deliver::Backoff;
use super::error::BigQueryError;
use super::meta::{self, Entry};
use super::query::{Query, Rows, escaped};
use super::resource::{field, fields};
use super::rest::Call;
use super::schema::{Column, EVENTS, Mode, Purpose, TABLES, Table, VIEW_LABEL};

/// How often a statement is tried that others are in the way of.
const CHANGE_TRIES: usize = 7;

/// Something to make.
#[derive(Debug)]
enum Step {
    Dataset,
    Table(&'static Table),
    /// With the fields that are there already.
    Columns(&'static Table, Vec<&'static Column>, Vec<Value>),
    View,
    ViewText,
    Entry(Entry),
}

/// What `init` has to do.
#[derive(Debug, Default)]
pub struct Plan {
    steps: Vec<Step>,
}

impl Plan {
    /// Whether everything is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

impl Dataset {
    /// Compares what is there with what must be there. Changes nothing.
    ///
    /// # Errors
    /// When BigQuery cannot be asked, or something is there that is not mailtrail's or does not fit.
    pub async fn plan(&self, entries: &[Entry]) -> Result<Plan, BigQueryError> {
        let mut steps = Vec::new();
        match found(self.rest.call(&self.dataset_call(Method::GET, None)).await)? {
            None => steps.push(Step::Dataset),
            Some(dataset) => self.judge_location(&dataset)?,
        }
        let fresh = !steps.is_empty();
        let mut entries_readable = false;
        for table in TABLES {
            let there = if fresh { None } else { self.table(&self.names.table(table)).await? };
            match there {
                None => steps.push(Step::Table(table)),
                Some(there) => {
                    self.judge_label(&there, &self.names.table(table), table.purpose.label())?;
                    let missing = self.judge_table(table, &there)?;
                    if !missing.is_empty() {
                        steps.push(Step::Columns(table, missing, fields(&there)));
                    }
                    entries_readable |= table.purpose == Purpose::Meta;
                }
            }
        }
        match if fresh { None } else { self.table(&self.names.unique()).await? } {
            None => steps.push(Step::View),
            Some(there) => {
                self.judge_label(&there, &self.names.unique(), VIEW_LABEL)?;
                let text = there.pointer("/view/query").and_then(Value::as_str);
                // A view knows of new columns of its table only when it is written anew.
                let grown = steps
                    .iter()
                    .any(|step| matches!(step, Step::Columns(table, ..) if table.purpose == Purpose::Event));
                if grown || text.is_some_and(|text| text != self.view_text()) {
                    steps.push(Step::ViewText);
                }
            }
        }
        let known = if entries_readable { meta::read(&self.jobs, &self.names).await? } else { Vec::new() };
        meta::judge(&known, entries, &self.shown())?;
        let missing = entries.iter().filter(|entry| known.iter().all(|known| known.name != entry.name));
        steps.extend(missing.cloned().map(Step::Entry));
        Ok(Plan { steps })
    }

    /// What a plan would do, a line each.
    #[must_use]
    pub fn describe(&self, plan: &Plan) -> Vec<String> {
        plan.steps.iter().map(|step| self.words(step)).collect()
    }

    /// Does it, telling each thing when it is done.
    ///
    /// # Errors
    /// When BigQuery refuses; what was done stays, and another run goes on from there.
    pub async fn carry_out(&self, plan: Plan, mut done: impl FnMut(&str)) -> Result<(), BigQueryError> {
        for step in plan.steps {
            let words = self.words(&step);
            self.make(step, &words).await?;
            done(&words);
        }
        Ok(())
    }

    /// Whether events can be appended: the table is there, is ours, has every column, and was begun with these keys.
    ///
    /// # Errors
    /// When it is not so, or BigQuery cannot be asked.
    pub async fn verify(&self, entries: &[Entry]) -> Result<(), BigQueryError> {
        self.verify_table(&EVENTS, entries).await
    }

    /// The same of another table.
    pub(super) async fn verify_table(&self, table: &'static Table, entries: &[Entry]) -> Result<(), BigQueryError> {
        let name = self.names.table(table);
        let Some(there) = self.table(&name).await? else {
            return Err(BigQueryError::Unfit(format!(
                "there is no table {}: run `mailtrail bigquery init`",
                self.names.shown(&name)
            )));
        };
        self.judge_label(&there, &name, table.purpose.label())?;
        if let Some(column) = self.judge_table(table, &there)?.first() {
            return Err(BigQueryError::Unfit(format!(
                "{} has no column {}: run `mailtrail bigquery init`, which adds it",
                self.names.shown(&name),
                column.name
            )));
        }
        meta::judge(&meta::read(&self.jobs, &self.names).await?, entries, &self.shown())
    }

    /// Notes that a public key is configured from `now` on (µs), unless that is known.
    ///
    /// # Errors
    /// When BigQuery cannot be asked.
    pub async fn note_public_key(&self, now: i64) -> Result<(), BigQueryError> {
        if meta::keyed(&self.jobs, &self.names).await?.is_some() {
            return Ok(());
        }
        meta::add(&self.jobs, &self.names, &meta::first_public_key(now)).await
    }

    /// Notes that a new hash key was accepted.
    pub(super) async fn note_hash_key(&self, key_id: &str) -> Result<(), BigQueryError> {
        meta::add(&self.jobs, &self.names, &meta::hash_key(key_id)).await
    }

    /// How many events imports have left out because nobody knows whom they are about.
    ///
    /// # Errors
    /// When BigQuery cannot be asked.
    pub async fn left_out(&self) -> Result<u64, BigQueryError> {
        Ok(meta::left_out(&meta::read(&self.jobs, &self.names).await?))
    }

    /// Carries out a statement, again where only another one was in its way.
    pub(super) async fn change(&self, query: &Query) -> Result<Rows, BigQueryError> {
        let mut backoff = Backoff::default();
        for _ in 1..CHANGE_TRIES {
            match self.jobs.ask(query).await {
                Err(error) if error.is_contention() => backoff.wait().await,
                settled => return settled,
            }
        }
        self.jobs.ask(query).await
    }

    fn words(&self, step: &Step) -> String {
        let table = |table: &Table| self.names.shown(&self.names.table(table));
        match step {
            Step::Dataset => format!("create the dataset {}", self.shown()),
            Step::Table(of) => format!("create the table {}", table(of)),
            Step::Columns(of, columns, _) => {
                let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
                format!("add to the table {} the columns {}", table(of), names.join(", "))
            }
            Step::View => format!("create the view {}", self.names.shown(&self.names.unique())),
            Step::ViewText => format!("renew the view {}", self.names.shown(&self.names.unique())),
            Step::Entry(entry) => format!("note {} in {}", entry.name, table(&super::schema::META)),
        }
    }

    async fn make(&self, step: Step, words: &str) -> Result<(), BigQueryError> {
        let tables = format!("{}/tables", self.path());
        let one = |name: &str| format!("{tables}/{}", escaped(name));
        let (method, path, body, permission) = match step {
            Step::Dataset => (Method::POST, self.datasets(), self.dataset_body(), "bigquery.datasets.create"),
            Step::Table(table) => (Method::POST, tables, self.table_body(table), "bigquery.tables.create"),
            Step::Columns(table, columns, mut fields) => {
                // BigQuery adds no required columns to a table.
                fields.extend(columns.into_iter().map(|column| field(column, Mode::Nullable)));
                let body = json!({ "schema": { "fields": fields } });
                (Method::PATCH, one(&self.names.table(table)), body, "bigquery.tables.update")
            }
            Step::View => (Method::POST, tables, self.view_body(), "bigquery.tables.create"),
            Step::ViewText => {
                let body = json!({ "view": self.view_body()["view"].clone() });
                (Method::PATCH, one(&self.names.unique()), body, "bigquery.tables.update")
            }
            Step::Entry(entry) => return meta::add(&self.jobs, &self.names, &entry).await,
        };
        let made = self.rest.call(&Call { method, path, body: Some(body), doing: words, permission }).await;
        match made {
            // Somebody else made it at the same time, or the first of two tries did: the next run looks at it.
            Err(BigQueryError::Refused { reason, .. }) if reason == "duplicate" => Ok(()),
            made => made.map(drop),
        }
    }

    fn dataset_call(&self, method: Method, body: Option<Value>) -> Call<'static> {
        Call { method, path: self.path(), body, doing: "look at the dataset", permission: "bigquery.datasets.get" }
    }

    async fn table(&self, name: &str) -> Result<Option<Value>, BigQueryError> {
        let doing = format!("look at {}", self.names.shown(name));
        let call = Call {
            method: Method::GET,
            path: format!("{}/tables/{}", self.path(), escaped(name)),
            body: None,
            doing: &doing,
            permission: "bigquery.tables.get",
        };
        found(self.rest.call(&call).await)
    }
}

fn found(answer: Result<Value, BigQueryError>) -> Result<Option<Value>, BigQueryError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
