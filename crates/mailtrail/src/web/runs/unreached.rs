//! Whom a run did not reach, as a file. The addresses come from a list that is sent along, read in memory and gone with the
//! answer; it is in no URL, no log and no file.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Multipart, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::super::failure::Failure;
use super::super::page::App;
use super::super::visitor::Visitor;
use super::detail::RunPage;
use super::held::Held;
use super::name::RunInPath;
use crate::clock;
use crate::config::{Language, Role};
use crate::list::{List, ListError, ListOptions, Listed, LocalParts};
use crate::outcome::{self, Selector, UNREACHED_COLUMNS, Watched};
use crate::protect::KeyRing;
use crate::show::csv::{self, Manner};

/// Longest list, bytes: some hundred thousand rows.
pub(in crate::web) const LONGEST_LIST: usize = 32 * 1024 * 1024;

/// The form of a run's page: for operators, and only from our own page.
pub(in crate::web) async fn download(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RunInPath(name): RunInPath,
    form: Multipart,
) -> Result<Response, Failure> {
    if visitor.person.role < Role::Operator {
        return Err(Failure::NotAllowed);
    }
    let form = Form::read(form).await?;
    if !visitor.person.sent(&form.csrf) {
        return Err(Failure::OldForm);
    }
    let keys = Arc::clone(&app.keys);
    let asked = name.clone();
    let (language, zone) = (visitor.preferences.texts().spoken, visitor.zone.inner().clone());
    let written = app.runs.blocking(move |held| write(held, &keys, &asked, &form, language, &zone)).await;
    match written {
        Ok(file) => {
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"mailtrail-unreached.csv\""),
            ];
            Ok((headers, file).into_response())
        }
        Err(Failure::List(error)) => {
            let problem = format!("{} {error}", visitor.preferences.texts().runs.list_wrong);
            let page = RunPage::new(&visitor, &name, Some(problem)).render()?;
            Ok((StatusCode::BAD_REQUEST, Html(page)).into_response())
        }
        Err(failure) => Err(failure),
    }
}

#[derive(Default)]
struct Form {
    csrf: String,
    list: Zeroizing<Vec<u8>>,
    pending: bool,
}

impl Form {
    async fn read(mut parts: Multipart) -> Result<Self, Failure> {
        // What is wrong with a form is not told: it may quote what was sent.
        let wrong = |_| Failure::BadForm;
        let mut form = Self::default();
        while let Some(part) = parts.next_field().await.map_err(wrong)? {
            match part.name().unwrap_or_default() {
                "csrf" => form.csrf = part.text().await.map_err(wrong)?,
                "pending" => form.pending = part.text().await.map_err(wrong)? == "1",
                // A file, or what was pasted: whichever is there.
                "file" | "list" => {
                    let bytes = part.bytes().await.map_err(wrong)?;
                    if !bytes.trim_ascii().is_empty() {
                        form.list = Zeroizing::new(bytes.to_vec());
                    }
                }
                _ => {}
            }
        }
        Ok(form)
    }

    fn list(&self) -> Result<Option<List>, ListError> {
        if self.list.is_empty() {
            return Ok(None);
        }
        // Nobody is mailed by this list, so any address will do.
        let options = ListOptions { local_parts: LocalParts::Utf8, ..ListOptions::default() };
        List::read_whole(self.list.as_slice(), &options).map(Some)
    }
}

/// The file, once all that had come in is in the trail.
fn write(
    held: &Held,
    keys: &Arc<KeyRing>,
    name: &str,
    form: &Form,
    language: Language,
    zone: &TimeZone,
) -> Result<Vec<u8>, Failure> {
    let listed = form.list()?.map(|list| Listed::new(list, keys));
    held.sends().catch_up(Arc::<KeyRing>::clone(keys), true)?;
    let list = listed.as_ref().map(|listed| listed.list.hashes(keys).collect());
    let selector = Selector { expect: list.is_none().then_some(0), list, ..Selector::of_run(name) };
    let watched = Watched::begin(held.sends(), selector)?;
    // For spreadsheets: people asked for it.
    let manner = Manner { raw: false, terminal: false, zone, bom: true };
    let mut out = Vec::new();
    csv::heading(&mut out, &UNREACHED_COLUMNS, manner)?;
    for row in outcome::unreached(&watched, form.pending, clock::now_micros()) {
        let address = listed.as_ref().and_then(|listed| listed.row(&row.hash)).map(crate::list::Row::address);
        csv::line(&mut out, &row.cells(address.as_ref(), language), manner)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &[u8]) -> Result<Option<List>, String> {
        let form = Form { list: Zeroizing::new(list.to_vec()), ..Form::default() };
        form.list().map_err(|error| error.to_string())
    }

    #[test]
    fn the_page_reads_lists_as_commands_do() {
        assert!(read(b"").is_ok_and(|list| list.is_none()));
        let (japanese, _, _) =
            encoding_rs::SHIFT_JIS.encode("氏名;メールアドレス\r\n山田;a@example.jp\r\n鈴木;b@example.jp\r\n");
        for list in [
            &japanese[..],
            b"\xef\xbb\xbf\"a@example.jp\"\nb@example.jp\n",
            b"sep=;\nemail;n\na@example.jp;1\nb@example.jp;2",
        ] {
            assert_eq!(read(list).map(|list| list.map(|list| list.len())), Ok(Some(2)));
        }
        for (list, expected) in [
            (&b"email\na@example.jp\nNULL\n"[..], "row 3, column email: an address has exactly one @"),
            (b"email,name\na@example.jp,\"A\nb@example.jp,B\n", "row 2, column name: the quote at the start"),
            (b"email,name\na@example.jp,H\xe9l\xe8ne\n", "encoding is not certain"),
        ] {
            let told = read(list).map(|_| ()).unwrap_err();
            assert!(told.contains(expected) && !told.contains("a@example"), "{told}");
        }
    }
}
