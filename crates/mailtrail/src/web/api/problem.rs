//! Why there is no answer, as `application/problem+json` (RFC 9457): what, why, and what to do. Nothing that was asked is quoted.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::outcome::{OutcomeError, Unanswerable};
use crate::store::remote::wire;
use crate::store::sqlite::ReadError;
use crate::web::failure::Failure;
use crate::web::guard::QuotaExceeded;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Problem {
    status: StatusCode,
    /// What programs tell problems apart by: the last part of `type`.
    code: &'static str,
    title: &'static str,
    detail: String,
    advice: String,
    /// Seconds.
    retry_after: Option<u64>,
}

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { status, code, title, detail: detail.into(), advice: advice.into(), retry_after: None }
    }

    /// The request is not of the form that the document describes.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "The request is not of the form described",
            detail,
            format!("GET {}/openapi.yaml describes every request", wire::ROOT),
        )
    }

    /// The form is right, what is asked makes no sense.
    pub(super) fn unanswerable(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unanswerable",
            "There is no answer to what was asked",
            detail,
            advice,
        )
    }

    pub(super) fn no_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "token",
            "A token is needed",
            "there is no header `Authorization: Bearer …`, or the token in it is not known here",
            "make one with `mailtrail web token NAME` where the server runs, put the entry it prints into [web] tokens, and have \
             serve read it with SIGHUP",
        )
    }

    pub(super) fn too_many_tokens() -> Self {
        let problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "tries",
            "Wrong tokens are being tried",
            "too many wrong tokens came from this machine; a right one is taken at any time",
            "mend the token; after fifteen minutes wrong ones are answered with 401 again",
        );
        Self { retry_after: Some(900), ..problem }
    }

    pub(super) fn quota(exceeded: &QuotaExceeded) -> Self {
        let QuotaExceeded { counted, quota, left, retry_after } = exceeded;
        let noun = counted.noun();
        let problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "quota",
            "The token's quota does not allow this",
            format!("its role is viewer, which has {quota} {noun} a day (UTC); {left} are left today"),
            format!("ask for fewer or tomorrow, use an operator's token, or raise [web] viewer_{noun}_per_day"),
        );
        Self { retry_after: Some(*retry_after), ..problem }
    }

    pub(super) fn not_allowed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "role",
            "The token's role does not allow this",
            detail,
            "use a token whose entry says operator (`mailtrail web token NAME --operator`)",
        )
    }

    pub(super) fn no_such_run(detail: impl Into<String>) -> Self {
        let advice = format!("GET {}/runs lists those there are", wire::ROOT);
        Self::new(StatusCode::NOT_FOUND, "run", "There is no such run", detail, advice)
    }

    pub(super) fn no_such_path() -> Self {
        let detail = "the API has no such path";
        let advice = format!("GET {}/openapi.yaml names all paths", wire::ROOT);
        Self::new(StatusCode::NOT_FOUND, "path", "There is nothing here", detail, advice)
    }

    pub(super) fn wrong_method() -> Self {
        let detail = "the path is right, the method is not";
        let advice = "the header Allow says which methods there are";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "The method is not allowed", detail, advice)
    }

    pub(super) fn wrong_type() -> Self {
        let detail = "what is asked must come as Content-Type: application/json, without a Content-Encoding";
        let advice = "send that header (curl: --json)";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "The body is not JSON", detail, advice)
    }

    pub(super) fn too_long() -> Self {
        let detail = "the body is longer than this question may be";
        let advice = "ask about fewer at once";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", "The body is too long", detail, advice)
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        let advice = "try again later; `mailtrail doctor`, where the server runs, says what is wrong";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "There is no answer now", detail, advice)
    }

    fn broken() -> Self {
        let detail = "the store cannot be read, or this program has a fault; its log says more";
        let advice = "run `mailtrail doctor` where the server runs";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", "The question could not be answered", detail, advice)
    }

    /// What is refused before anybody looks who asks.
    pub(in crate::web) fn refused(status: StatusCode, why: &'static str) -> Self {
        let advice = match status {
            StatusCode::MISDIRECTED_REQUEST => "ask by the name in [web] public_url",
            _ => "ask for less at once: narrow the time",
        };
        Self::new(status, "refused", "The request is refused", why, advice)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match &failure {
            Failure::Read(ReadError::TooManyGroups { .. }) => {
                Self::unanswerable("the answer has more lines than anybody reads", "narrow the time, or count by less")
            }
            Failure::Read(ReadError::Missing { .. }) => Self::unavailable("nothing has been stored yet"),
            // Of a run, which is all that is looked up by name.
            Failure::Missing => Self::no_such_run("nothing was sent under this name, and no event names it"),
            Failure::Outcome(OutcomeError::Usage(Unanswerable::Sandbox(_))) => Self::unanswerable(
                "the run went to SendGrid's sandbox alone: nobody was mailed, so no events come",
                "ask about a run that was sent",
            ),
            Failure::Outcome(OutcomeError::Usage(Unanswerable::NoRecipients(_))) => Self::unanswerable(
                "who was to get it is not on record: it was not sent from there",
                format!("POST {}/unreached with the list as email or email_hash", wire::ROOT),
            ),
            // BigQuery would read more than is allowed.
            Failure::Wrong(why) => Self::unanswerable(why.clone(), "narrow the time"),
            Failure::Stopping | Failure::Behind(_) => Self::unavailable(failure.told()),
            _ => {
                crate::log::limited("api", || tracing::error!(error = %failure, "the API could not answer"));
                Self::broken()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let told = wire::Problem {
            r#type: format!("urn:mailtrail:problem:{}", self.code),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            advice: self.advice,
        };
        let body = serde_json::to_string(&told).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"mailtrail\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
