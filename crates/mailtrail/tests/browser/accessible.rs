//! axe-core finds nothing on any page, in both languages, light and dark.

use crate::browser::{Browser, place};
use crate::mailing::{Mailing, sandbox};
use crate::support::{PATIENCE, now};
use crate::traffic;

const AXE: &str = include_str!("vendored/axe.min.js");

async fn violations(browser: &Browser) -> Vec<String> {
    browser.driver.set_script_timeout(PATIENCE).await.unwrap();
    browser.driver.execute(AXE, vec![]).await.unwrap();
    let run = "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'] }).then((result) =>
        done(result.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 160) + ' ' + (n.any[0]?.message || '')).join(' | '))))";
    browser.driver.execute_async(run, vec![]).await.unwrap().convert().unwrap()
}

async fn choose(browser: &Browser, language: &str, theme: &str) {
    browser.css(".tools .menu summary").await.click().await.unwrap();
    for (field, value) in [("language", language), ("theme", theme)] {
        browser.css(&format!("select[name={field}] option[value={value}]")).await.click().await.unwrap();
    }
    browser.css(".tools .menu button").await.click().await.unwrap();
    let done = format!(
        "document.documentElement.lang === '{language}' && document.documentElement.dataset.theme === '{theme}'"
    );
    browser.until("the choice", &done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_violations() {
    let Some((place, browser)) = place().await else { return };
    let mut events = traffic::week(now() - 100);
    events.push(traffic::hostile(now()));
    let mailing = Mailing::send(&place.site, "winter-sale-1", 400);
    sandbox(&place.site, "tried-out");
    events.extend(mailing.events(0..360));
    place.post(&events);
    browser.driver.goto(format!("http://{}/login", place.page)).await.unwrap();
    browser.css("input[name=name]").await;
    assert_eq!(violations(&browser).await, [""; 0], "the log-in");
    browser.log_in(place.page, "mia", "/activity").await;
    for (language, theme) in [("en", "light"), ("ja", "dark")] {
        choose(&browser, language, theme).await;
        for (path, ready) in [
            ("/activity", ".count strong"),
            ("/activity?event=bounce&category=newsletter&any=1&until=x", "[role=alert]"),
            ("/activity?event=nothing", ".count strong"),
            ("/runs", "tr:nth-child(2) .badge"),
            ("/runs/winter-sale-1", ".statuses"),
            ("/runs/tried-out", ".run-head"),
            ("/overview", ".chart"),
            ("/overview?range=24h", ".panel"),
        ] {
            browser.driver.goto(format!("http://{}{path}", place.page)).await.unwrap();
            browser.css(ready).await;
            assert_eq!(violations(&browser).await, [""; 0], "{path} {language} {theme}");
        }
        browser.driver.goto(format!("http://{}/activity?status=bounce", place.page)).await.unwrap();
        browser.css("#rows .badge").await.click().await.unwrap();
        browser.until("the timeline", "document.activeElement.id === 'timeline-title'").await;
        browser.css("#timeline .steps summary").await.click().await.unwrap();
        assert_eq!(violations(&browser).await, [""; 0], "a timeline, {language} {theme}");
        browser.driver.goto(format!("http://{}/runs/winter-sale-1", place.page)).await.unwrap();
        for unfolded in ["#words-summary", "#deferred-summary"] {
            browser.css(unfolded).await.click().await.unwrap();
        }
        assert_eq!(violations(&browser).await, [""; 0], "a run unfolded, {language} {theme}");
    }
    browser.end().await;
}

/// The check that all pages pass does see what is wrong with one.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_without_a_name_is_a_violation() {
    let Some((place, browser)) = place().await else { return };
    browser.driver.goto(format!("http://{}/login", place.page)).await.unwrap();
    browser.css("input[name=name]").await;
    assert_eq!(violations(&browser).await, [""; 0]);
    let nameless = "document.querySelector('main form').append(document.createElement('input'))";
    browser.driver.execute(nameless, vec![]).await.unwrap();
    let found = violations(&browser).await;
    assert!(matches!(&found[..], [one] if one.starts_with("label: <input")), "{found:?}");
    browser.end().await;
}
