//! Language and colours: what somebody chose, else what the browser says.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::page::App;
use super::texts::{Lang, Texts};
use super::visitor::{cookie, own_path, set_cookie};
use crate::config::Language;

const LANGUAGE: &str = "mailtrail_language";
const THEME: &str = "mailtrail_theme";
const THEMES: [&str; 3] = ["auto", "light", "dark"];
const YEAR: u64 = 365 * 86_400;

/// How somebody wants the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Preferences {
    pub(super) lang: Lang,
    /// `auto`, `light` or `dark`.
    pub(super) theme: &'static str,
}

impl Preferences {
    /// `otherwise`: the language of who neither chose one nor has a browser that names one.
    pub(super) fn of(headers: &HeaderMap, otherwise: Language) -> Self {
        let chosen = cookie(headers, LANGUAGE).and_then(|code| Lang::parse(&code));
        let theme = cookie(headers, THEME).and_then(|name| THEMES.into_iter().find(|known| *known == name));
        Self {
            lang: chosen.or_else(|| of_browser(headers)).unwrap_or(Lang::of(otherwise)),
            theme: theme.unwrap_or("auto"),
        }
    }

    pub(super) fn texts(self) -> &'static Texts {
        self.lang.texts()
    }
}

/// The first that the browser names and the page has.
fn of_browser(headers: &HeaderMap) -> Option<Lang> {
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut codes = wanted.split(',').map(|part| part.trim().split(['-', ';']).next().unwrap_or_default());
    codes.find_map(Lang::parse)
}

/// Keeps a choice. It tells nothing about anybody, so that it is taken before the log-in, too.
pub(super) async fn choose(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let mut back = "/activity".to_owned();
    let mut cookies = Vec::new();
    for (name, value) in form_urlencoded::parse(&body) {
        match name.as_ref() {
            "back" => back = own_path(&value).to_owned(),
            "language" => {
                cookies.extend(Lang::parse(&value).and_then(|lang| set_cookie(&app, LANGUAGE, lang.code(), YEAR)));
            }
            "theme" => {
                let known = THEMES.into_iter().find(|known| *known == value);
                cookies.extend(known.and_then(|theme| set_cookie(&app, THEME, theme, YEAR)));
            }
            _ => {}
        }
    }
    let mut response = Redirect::to(&back).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_was_chosen_wins_over_what_the_browser_says() {
        for (browser, cookies, lang, theme) in [
            ("ja,en;q=0.8", "", Lang::Japanese, "auto"),
            ("en-GB,ja;q=0.8", "", Lang::English, "auto"),
            ("fr, ja-JP;q=0.5", "", Lang::Japanese, "auto"),
            ("fr", "", Lang::English, "auto"),
            ("en", "mailtrail_language=ja; mailtrail_theme=dark", Lang::Japanese, "dark"),
            ("ja", "mailtrail_language=xx; mailtrail_theme=\"><script>", Lang::Japanese, "auto"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(browser));
            headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
            let found = Preferences::of(&headers, Language::English);
            assert_eq!((found.lang, found.theme), (lang, theme), "{browser} {cookies}");
        }
        let silent = Preferences::of(&HeaderMap::new(), Language::Japanese);
        assert_eq!(silent.lang, Lang::Japanese, "as configured");
    }
}
