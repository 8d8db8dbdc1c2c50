//! Pictures for the documentation. With `UPDATE_DOCS=1` they are written anew.

use std::path::Path;

use crate::browser::{Browser, place, value};
use crate::mailing::{Mailing, sandbox};
use crate::support::now;
use crate::traffic;

/// A picture is small when a page is empty or in pieces.
const LEAST_BYTES: usize = 60_000;

async fn picture(browser: &Browser, name: &str) {
    let png = browser.driver.screenshot_as_png().await.unwrap();
    assert!(png.len() > LEAST_BYTES, "{name} is nearly empty: {} bytes", png.len());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name), png).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_and_overview() {
    let Some((place, browser)) = place().await else { return };
    place.post(&traffic::week(now() - 60));
    browser.log_in(place.page, "mia", "/activity").await;
    browser.css("select[name=theme] option[value=light]").await;
    let set = "document.cookie; return getComputedStyle(document.body).backgroundColor";
    let light = value(&browser, set).await;
    browser.until("a count", "document.querySelector('.count strong')").await;
    browser.css("#rows tr:has(.bad, .warn) .badge").await.click().await.unwrap();
    browser.css("#timeline .steps").await;
    // No row is pointed at.
    browser.driver.action_chain().move_to(5, 300).perform().await.unwrap();
    value(&browser, "document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)").await;
    picture(&browser, "page-activity.png").await;

    browser.css(".tools .menu summary").await.click().await.unwrap();
    browser.css("select[name=theme] option[value=dark]").await.click().await.unwrap();
    browser.css(".tools .menu button").await.click().await.unwrap();
    browser.until("dark", "document.documentElement.dataset.theme === 'dark'").await;
    assert_ne!(value(&browser, set).await, light, "dark is another colour");
    browser.driver.goto(format!("http://{}/overview", place.page)).await.unwrap();
    browser.css(".chart").await;
    picture(&browser, "page-overview.png").await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs() {
    let Some((place, browser)) = place().await else { return };
    place.post(&traffic::week(now() - 60));
    let earlier = Mailing::send(&place.site, "2026-11-receipts", 640);
    sandbox(&place.site, "tried-out");
    let mailing = Mailing::send(&place.site, "winter-sale-2", 2_400);
    place.post(&earlier.events(0..640));
    place.post(&mailing.events(0..2_050));
    browser.log_in(place.page, "mia", "/runs").await;
    browser.until("figures", "!document.querySelector('tbody [aria-busy]')").await;
    picture(&browser, "page-runs.png").await;
    browser.driver.goto(format!("http://{}/runs/winter-sale-2", place.page)).await.unwrap();
    browser.css(".statuses").await;
    picture(&browser, "page-run.png").await;
    browser.end().await;
}
