//! The whole way with the keyboard alone.

use thirtyfour::TypingData;
use thirtyfour::prelude::*;

use crate::browser::{PASSWORD, place, value};
use crate::mailing::Mailing;
use crate::support::{event, now};

#[tokio::test(flavor = "multi_thread")]
async fn log_in_search_open_and_close_without_a_mouse() {
    let Some((place, browser)) = place().await else { return };
    let events: Vec<String> =
        (0..5).map(|n| event(&format!("k{n}"), "a@example.com", "delivered", now() - n)).collect();
    place.post(&events);
    let press = async |keys: TypingData| browser.driver.action_chain().send_keys(keys).perform().await.unwrap();
    let focus = async || {
        value(&browser, "const e = document.activeElement; return e.id || e.name || e.className || e.tagName").await
    };

    browser.driver.goto(format!("http://{}/activity", place.page)).await.unwrap();
    browser.until("focus in the form", "document.activeElement.name === 'name'").await;
    press("mia".into()).await;
    press(Key::Tab.into()).await;
    press(PASSWORD.into()).await;
    press(Key::Enter.into()).await;
    browser.until("the list", "document.querySelectorAll('#rows tr').length === 5").await;

    // The first stop leads past the title bar.
    press(Key::Tab.into()).await;
    assert_eq!(focus().await, "skip");
    press(Key::Enter.into()).await;
    assert_eq!(focus().await, "main");

    press("/".into()).await;
    assert_eq!(focus().await, "who");
    press("a@example.com".into()).await;
    press(Key::Enter.into()).await;
    browser
        .until("the search", "location.search.includes('recipient=') && document.querySelector('#rows .badge')")
        .await;

    // As many stops as it takes, each visible.
    let mut stops = 0;
    while value(&browser, "return document.activeElement.matches('#rows tr:nth-child(2) .badge')").await == false {
        press(Key::Tab.into()).await;
        let seen = value(&browser, "const e = document.activeElement.matches('.chip input') ? document.activeElement.nextElementSibling : document.activeElement;
            const style = getComputedStyle(e); return e === document.body || style.outlineStyle !== 'none'").await;
        assert_eq!(seen, true, "focus is invisible at {:?}", focus().await);
        stops += 1;
        assert!(stops < 60, "the list is not reached by keyboard; at {:?}", focus().await);
    }
    press(Key::Enter.into()).await;
    browser.until("the timeline", "document.activeElement.id === 'timeline-title'").await;
    press(Key::Tab.into()).await;
    assert_eq!(focus().await, "timeline-close");
    press(Key::Escape.into()).await;
    browser.until("a closed timeline", "document.querySelector('#timeline.closed')").await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn look_at_a_run_without_a_mouse() {
    let Some((place, browser)) = place().await else { return };
    let mailing = Mailing::send(&place.site, "winter-sale-1", 200);
    place.post(&mailing.events(0..180));
    browser.log_in(place.page, "mia", "/runs").await;
    browser.until("figures", "!document.querySelector('tbody [aria-busy]')").await;
    let press = async |keys: TypingData| browser.driver.action_chain().send_keys(keys).perform().await.unwrap();
    let focus_on = async |what: &str| {
        for _ in 0..40 {
            press(Key::Tab.into()).await;
            let found = format!("return document.activeElement.matches({what:?})");
            if value(&browser, &found).await == true {
                let seen = "return getComputedStyle(document.activeElement).outlineStyle !== 'none'";
                assert_eq!(value(&browser, seen).await, true, "focus is invisible at {what}");
                return;
            }
        }
        panic!("{what} is not reached by keyboard");
    };
    focus_on("tbody th a").await;
    press(Key::Enter.into()).await;
    browser.until("the run", "document.querySelector('.statuses')").await;
    focus_on("#status-1").await;
    // Figures that move take the focus along.
    place.post(&mailing.events(180..200));
    browser.until("figures that move", "document.querySelector('.run-head').textContent.includes('left')").await;
    assert_eq!(value(&browser, "return document.activeElement.id").await, "status-1");
    focus_on("#deferred-summary").await;
    press(Key::Enter.into()).await;
    browser.until("who waits", "document.getElementById('deferred').open").await;
    focus_on("#deferred tbody a").await;
    focus_on("textarea[name=list]").await;
    press("person3@gmail.com".into()).await;
    focus_on("input[name=pending]").await;
    press(" ".into()).await;
    focus_on(".file button").await;
    assert_eq!(value(&browser, "return document.querySelector('input[name=pending]').checked").await, true);
    browser.end().await;
}
