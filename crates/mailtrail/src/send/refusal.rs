//! What a refusal by SendGrid is about: rows of the input instead of indices of the request.

use std::collections::BTreeMap;

use crate::compose::Mail;
use crate::sendgrid::ApiError;

/// A row that SendGrid refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRefusal {
    /// Row of the list (its line in the file) or line of the messages.
    pub row: u64,
    /// SendGrid's reasons, without addresses; never empty.
    pub errors: Vec<ApiError>,
}

/// Whom a refusal is about.
pub(super) enum Refused<M> {
    /// All of the request's mails.
    Whole { mails: Vec<M>, errors: Vec<ApiError> },
    /// Some recipients, each with the reasons; the other mails were refused because of them.
    Some { refused: Vec<(M, Vec<ApiError>)>, others: Vec<M> },
}

/// The personalization that an error is about, by its index in the request, and what follows in the field's name: SendGrid says
/// `personalizations.517.to.0.email`.
fn personalization(field: &str) -> Option<(usize, &str)> {
    let rest = field.strip_prefix("personalizations.")?;
    let (index, rest) = rest.split_once('.').unwrap_or((rest, ""));
    Some((index.parse().ok()?, rest))
}

/// Errors with the index in the request where they are about one personalization; their fields name the row of the input instead.
fn by_row<M: AsRef<Mail>>(errors: Vec<ApiError>, mails: &[M]) -> Vec<(Option<usize>, ApiError)> {
    errors
        .into_iter()
        .map(|error| {
            let Some((index, rest)) = error.field.as_deref().and_then(personalization) else { return (None, error) };
            // Beyond the request: SendGrid's name for it is all there is.
            let Some(mail) = mails.get(index) else { return (None, error) };
            let row = mail.as_ref().row;
            let field = if rest.is_empty() { format!("row {row}") } else { format!("row {row}, {rest}") };
            (Some(index), ApiError { field: Some(field), ..error })
        })
        .collect()
}

/// Recipients are refused by themselves where every error is about one of them; else the whole request is.
pub(super) fn split<M: AsRef<Mail>>(status: u16, errors: Vec<ApiError>, mails: Vec<M>) -> Refused<M> {
    let errors = by_row(errors, &mails);
    if status != 400 || errors.iter().any(|(index, _)| index.is_none()) {
        return Refused::Whole { mails, errors: errors.into_iter().map(|(_, error)| error).collect() };
    }
    let mut reasons: BTreeMap<usize, Vec<ApiError>> = BTreeMap::new();
    for (index, error) in errors {
        if let Some(index) = index {
            reasons.entry(index).or_default().push(error);
        }
    }
    let (mut refused, mut others) = (Vec::new(), Vec::new());
    for (index, mail) in mails.into_iter().enumerate() {
        match reasons.remove(&index) {
            Some(errors) => refused.push((mail, errors)),
            None => others.push(mail),
        }
    }
    Refused::Some { refused, others }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::{Common, Composer, Content};
    use crate::config::Sender;
    use crate::list::{List, ListOptions};

    fn error(field: Option<&str>) -> ApiError {
        ApiError { message: "no".to_owned(), field: field.map(str::to_owned), help: None }
    }

    /// Rows 2, 3 and 5 of a list, as one request; what it says of them.
    fn judged(status: u16, fields: &[Option<&str>]) -> Result<Vec<(u64, String)>, String> {
        let list = b"email\na@example.com\nb@example.com\n\nc@example.com\n";
        let list = List::read(&list[..], &ListOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        let content = Content { subject: Some("S".to_owned()), text: Some("T".to_owned()), ..Content::default() };
        let common = Common::from(Sender::parse("news@example.com").unwrap());
        let mails = Composer::compose_list(&content, common, &list, 0).unwrap_or_else(|e| panic!("{e}")).mails;
        match split(status, fields.iter().map(|field| error(*field)).collect(), mails) {
            Refused::Whole { mails, errors } => {
                assert_eq!(mails.len(), 3);
                Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
            Refused::Some { refused, others } => {
                assert_eq!(refused.len() + others.len(), 3);
                let said = |errors: &[ApiError]| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                Ok(refused.iter().map(|(mail, errors)| (mail.row, said(errors))).collect())
            }
        }
    }

    /// SendGrid counts personalizations of a request from 0; people count rows of their file (sendgrid-nodejs#974).
    #[test]
    fn an_error_names_the_row_of_the_input_and_only_such_errors_blame_single_recipients() {
        let third = Some("personalizations.2.to.0.email");
        assert_eq!(judged(400, &[third]), Ok(vec![(5, "row 5, to.0.email: no".to_owned())]));
        let twice = judged(400, &[third, Some("personalizations.0"), third]);
        let expected =
            vec![(2, "row 2: no".to_owned()), (5, "row 5, to.0.email: no; row 5, to.0.email: no".to_owned())];
        assert_eq!(twice, Ok(expected));
        assert_eq!(judged(400, &[third, Some("from.email")]), Err("row 5, to.0.email: no; from.email: no".to_owned()));
        assert_eq!(judged(400, &[None]), Err("no".to_owned()));
        assert_eq!(judged(401, &[third]), Err("row 5, to.0.email: no".to_owned()));
        let beyond = Some("personalizations.7.to");
        assert_eq!(judged(400, &[beyond]), Err("personalizations.7.to: no".to_owned()));
    }
}
