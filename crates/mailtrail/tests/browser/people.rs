//! Who may look: logging in and out, what a viewer cannot do, and the file that an operator takes away.

use crate::browser::{PASSWORD, place};
use crate::support::{event, now, request};

/// Downloads by the page's own form, as a script of the page may.
const DOWNLOAD: &str = "
    const [format, done] = arguments;
    const form = document.querySelector('form[action^=\"/activity/export\"]');
    const fields = new URLSearchParams({ csrf: form.querySelector('[name=csrf]').value, format });
    fetch(form.getAttribute('action'), { method: 'POST', body: fields })
        .then(async (answer) => done([answer.status, answer.headers.get('content-type'), await answer.text()]));";

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_files() {
    let Some((place, browser)) = place().await else { return };
    let events: Vec<String> = (0..60).map(|n| event(&format!("n{n}"), "a@example.com", "open", now() - n)).collect();
    place.post(&events);

    // Nobody looks without a password; the page that was asked for comes after it.
    browser.driver.goto(format!("http://{}/activity?event=open", place.page)).await.unwrap();
    browser.css("input[name=name]").await.send_keys("mia").await.unwrap();
    browser.css("input[name=password]").await.send_keys("wrong").await.unwrap();
    browser.css("main button.primary").await.click().await.unwrap();
    browser.until("a refusal", "document.querySelector('[role=alert]')").await;
    browser.css("input[name=name]").await.send_keys("mia").await.unwrap();
    browser.css("input[name=password]").await.send_keys(PASSWORD).await.unwrap();
    browser.css("main button.primary").await.click().await.unwrap();
    browser.until("the page asked for", "location.search === '?event=open'").await;
    // The list comes after the page, and the form with it.
    browser.css("form[action^='/activity/export']").await;

    browser.driver.set_script_timeout(crate::support::PATIENCE).await.unwrap();
    for (format, kind, lines) in [("csv", "text/csv", 61), ("ndjson", "application/x-ndjson", 60)] {
        let answer = browser.driver.execute_async(DOWNLOAD, vec![format.into()]).await.unwrap();
        let (status, found, text): (u16, String, String) = answer.convert().unwrap();
        assert_eq!(status, 200);
        assert!(found.starts_with(kind), "{found}");
        assert_eq!(text.lines().count(), lines, "{format}");
    }

    browser.css("form[action='/logout'] button").await.click().await.unwrap();
    browser.until("the log-in", "location.pathname === '/login'").await;
    browser.log_in(place.page, "ken", "/activity").await;
    assert_eq!(browser.texts("form[action^='/activity/export']").await, [""; 0], "a viewer takes no lists away");
    let forced = "const done = arguments[0]; const csrf = document.querySelector('[name=csrf]').value;
        fetch('/activity/export', { method: 'POST', body: new URLSearchParams({ csrf, format: 'csv' }) })
            .then((answer) => done(answer.status))";
    let status: u16 = browser.driver.execute_async(forced, vec![]).await.unwrap().convert().unwrap();
    assert_eq!(status, 403);
    browser.end().await;
}

/// What other pages and other names can do: nothing. Needs no browser.
#[test]
fn other_pages_and_names_are_refused() {
    let place = crate::browser::Place::open();
    let form = |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    let body = format!("name=mia&password={}", PASSWORD.replace(' ', "+"));
    let length = ("content-length", body.len().to_string());
    let post = |headers: &[(&str, &str)]| {
        let mut headers = form(headers);
        headers.push((length.0.to_owned(), length.1.clone()));
        request(place.page, "POST", "/login", &headers, body.as_bytes()).unwrap().0
    };
    assert_eq!(post(&[("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(post(&[("origin", "http://attacker.example")]), 403);
    assert_eq!(post(&[]), 403, "a form says where it comes from");
    assert_eq!(post(&[("origin", &format!("http://{}", place.page))]), 303);
    let mut client = crate::support::Client::connect(place.page);
    client.send(b"GET /login HTTP/1.1\r\nHost: attacker.example\r\n\r\n");
    let (status, headers, _) = client.answer().unwrap();
    assert_eq!(status, 421, "the page does not answer to a name that is not its own");
    assert!(headers["content-security-policy"].starts_with("default-src 'none'"));
    assert_eq!(headers["cache-control"], "no-store");
    for path in ["/activity", "/activity/live", "/activity/count", "/overview", "/overview/figures"] {
        assert_eq!(request(place.page, "GET", path, &[], b"").unwrap().0, 303, "{path} asks who it is");
    }
    let proxied = form(&[("x-forwarded-user", "mia")]);
    assert_eq!(request(place.page, "GET", "/activity", &proxied, b"").unwrap().0, 303, "nobody trusts this peer");
    for _ in 0..9 {
        post(&[("sec-fetch-site", "same-origin")]);
    }
    let wrong = b"name=mia&password=x";
    let headers = form(&[("sec-fetch-site", "same-origin"), ("content-length", "19")]);
    let tried: Vec<u16> = (0..11).map(|_| request(place.page, "POST", "/login", &headers, wrong).unwrap().0).collect();
    assert_eq!((tried[9], tried[10]), (401, 429), "{tried:?}");
}
