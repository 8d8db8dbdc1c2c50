//! Somebody watches a bulk send: figures that move by themselves, and the file of whom it did not reach.

use serde_json::json;

use crate::browser::{place, value};
use crate::mailing::{Mailing, sandbox};
use crate::support::{PATIENCE, now};
use crate::traffic;

/// Sends the page's own form, as a script of the page may; what a test hands in is what somebody would paste or choose.
const DOWNLOAD: &str = "
    const [name, list, pending, done] = arguments;
    const form = document.querySelector('form[action$=\"/unreached\"]');
    const fields = new FormData(form);
    if (name === 'file') fields.set('file', new Blob([list]), 'list.csv'); else fields.set('list', list);
    if (pending) fields.set('pending', '1');
    fetch(form.action, { method: 'POST', body: fields }).then(async (answer) =>
        done([answer.status, answer.headers.get('content-type'), await answer.text()]));";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_moves_by_itself_and_gives_the_unreached() {
    let Some((place, browser)) = place().await else { return };
    let mailing = Mailing::send(&place.site, "winter-sale-1", 400);
    sandbox(&place.site, "tried-out");
    place.post(&mailing.events(0..100));
    browser.log_in(place.page, "mia", "/runs").await;

    browser.until("figures", "!document.querySelector('tbody [aria-busy]')").await;
    let rows = browser.texts("tbody tr").await;
    assert_eq!(rows.len(), 2);
    assert!(rows[0].starts_with("winter-sale-1") && rows[0].contains("400"), "{rows:?}");
    assert!(rows[1].starts_with("tried-out") && rows[1].contains("Sandbox"), "{rows:?}");

    // The list and the run's page both move without anybody doing anything.
    value(&browser, "window.untouched = true").await;
    place.post(&mailing.events(100..200));
    let settled = "Number(document.querySelector('.c-settled .number').textContent) > 150 && window.untouched";
    browser.until("a line that moves", settled).await;
    browser.click("tbody th a").await;
    browser.until("the run's figures", "document.querySelector('.statuses')").await;
    assert_eq!(browser.texts(".panel-head .soft").await.len(), 1);
    value(&browser, "window.untouched = true; document.getElementById('words').open = true").await;
    place.post(&mailing.events(200..400));
    let all = "Number(document.querySelector('[role=progressbar]').ariaValueNow) > 80 && window.untouched";
    browser.until("figures that move", all).await;
    assert_eq!(value(&browser, "return document.getElementById('words').open").await, true, "what is unfolded stays");
    browser.until("the news", "document.getElementById('run-news').textContent.includes(' of 400 settled')").await;
    let body = browser.body().await;
    for words in ["Why it did not arrive", "the address does not exist", "Still deferred", "slow-school.example"] {
        assert!(body.contains(words), "{words:?} is missing in {body}");
    }

    // Whom it did not reach, as the command says it, with the addresses of the list alone.
    browser.driver.set_script_timeout(PATIENCE).await.unwrap();
    let pasted = mailing.addresses.join("\n");
    let uploaded = format!("name,email\n\"=SUM(1)\",{}", mailing.addresses.join("\nx,"));
    std::fs::write(place.site.path().join("all.csv"), &uploaded).unwrap();
    let arguments = ["unreached", "winter-sale-1", "--list", "all.csv", "--format", "csv", "--bom"];
    let output = place.site.command(&arguments).output().unwrap();
    let expected = String::from_utf8(output.stdout).unwrap();
    assert!(expected.lines().count() > 20, "{}", String::from_utf8_lossy(&output.stderr));
    for (field, list) in [("list", &pasted), ("file", &uploaded)] {
        let arguments = vec![json!(field), json!(list), json!(false)];
        let answer = browser.driver.execute_async(DOWNLOAD, arguments).await.unwrap();
        let (status, kind, text): (u16, String, String) = answer.convert().unwrap();
        assert_eq!((status, kind.as_str()), (200, "text/csv; charset=utf-8"), "{text}");
        // A browser takes the mark off.
        assert_eq!(text, expected.trim_start_matches('\u{feff}'), "{field}");
    }
    let answer = browser.driver.execute_async(DOWNLOAD, vec![json!("list"), json!(""), json!(true)]).await.unwrap();
    let (_, _, text): (u16, String, String) = answer.convert().unwrap();
    assert!(text.lines().count() > expected.lines().count() && text.contains(",deferred,"), "{text}");
    assert!(!text.contains('@'), "without a list there are no addresses");
    let wrong = vec![json!("list"), json!("jane.doe@example.com,Jane\nx,y"), json!(false)];
    let answer = browser.driver.execute_async(DOWNLOAD, wrong).await.unwrap();
    let (status, _, text): (u16, String, String) = answer.convert().unwrap();
    assert_eq!(status, 400);
    assert!(text.contains("role=\"alert\"") && text.contains("first line holds an address"), "{text}");
    assert!(!text.contains("jane"), "what was pasted is not told");

    // What is told leads to the events behind it.
    browser.click(".statuses a[href*='status=bounce']").await;
    browser.until("its bounces", "location.pathname === '/activity' && document.querySelector('#rows .badge')").await;
    assert!(browser.url().await.ends_with("/activity?run=winter-sale-1&status=bounce"));
    browser.click("#rows .badge").await;
    browser.click("#timeline .about a[href='/runs/winter-sale-1']").await;
    browser.until("the run again", "document.querySelector('.statuses')").await;
    let log = place.running.log();
    assert!(!log.contains("person") && !log.contains("jane"), "{log}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_takes_no_list_away() {
    let Some((place, browser)) = place().await else { return };
    let mailing = Mailing::send(&place.site, "november", 30);
    place.post(&mailing.events(0..30));
    browser.log_in(place.page, "ken", "/runs/november").await;
    browser.css(".statuses").await;
    assert_eq!(browser.texts("form[action$='/unreached']").await, [""; 0]);
    let forced = "const done = arguments[0]; const fields = new FormData();
        fields.set('list', 'person3@gmail.com');
        fetch('/runs/november/unreached', { method: 'POST', body: fields }).then((answer) => done(answer.status))";
    browser.driver.set_script_timeout(PATIENCE).await.unwrap();
    let status: u16 = browser.driver.execute_async(forced, vec![]).await.unwrap().convert().unwrap();
    assert_eq!(status, 403);
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_runs_are_texts() {
    let Some((place, browser)) = place().await else { return };
    place.post(&[traffic::hostile(now())]);
    browser.log_in(place.page, "mia", "/runs").await;
    browser.until("figures", "document.querySelector('tbody .badge')").await;
    browser.click("tbody th a").await;
    browser.until("the run", "document.querySelector('.statuses')").await;
    browser.click("#words-summary").await;
    for path in ["", "/runs"] {
        if !path.is_empty() {
            browser.driver.goto(format!("http://{}{path}", place.page)).await.unwrap();
            browser.until("figures", "document.querySelector('tbody .badge')").await;
        }
        // The name is part of the title, as text.
        assert_ne!(browser.driver.title().await.unwrap(), "owned");
        assert_eq!(browser.texts("main script, main img, main svg[onload], a[href^=javascript]").await, [""; 0]);
        let wide = value(&browser, "return document.documentElement.scrollWidth > innerWidth").await;
        assert_eq!(wide, false, "{path}: a long word widens the page");
        let body = browser.body().await;
        assert!(body.contains("\"><svg onload=document.title='owned'>") && !body.contains('\u{202e}'), "{body}");
    }
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_sent_is_not_there() {
    let Some((place, browser)) = place().await else { return };
    browser.log_in(place.page, "mia", "/runs").await;
    assert!(browser.body().await.contains("No runs yet."));
    let asked =
        "const done = arguments[0]; Promise.all(['', '/figures', '/row'].map((part) => fetch('/runs/nobody' + part)))
        .then((answers) => done(answers.map((answer) => answer.status)))";
    browser.driver.set_script_timeout(PATIENCE).await.unwrap();
    let found: Vec<u16> = browser.driver.execute_async(asked, vec![]).await.unwrap().convert().unwrap();
    assert_eq!(found, [404, 404, 404]);
    browser.end().await;
}
