//! Somebody looks for mail: filters in the URL, the back button, a timeline beside the list, new events as they come.

use crate::browser::{place, value};
use crate::support::{event, now};
use crate::traffic;

#[tokio::test(flavor = "multi_thread")]
async fn filters_timeline_back_and_live() {
    let Some((place, browser)) = place().await else { return };
    let mut events = traffic::week(now() - 100);
    events.push(event("jane", "Jane.Doe@example.com", "delivered", now() - 50));
    place.post(&events);
    browser.log_in(place.page, "mia", "/activity").await;

    // Newest first, a page of them, all counted.
    browser.until("a count", "document.querySelector('.count strong')").await;
    let total = events.len();
    let count = browser.texts(".count strong").await.remove(0).replace(',', "");
    assert_eq!(count, format!("{total} events"));
    assert_eq!(browser.texts("#rows tr").await.len(), 50);

    // An address becomes a hash, which alone is in the URL.
    let typed = "  jane.doe@EXAMPLE.com";
    browser.css("#who").await.send_keys(typed).await.unwrap();
    browser.css(".search .primary").await.click().await.unwrap();
    browser.until("the filter", "location.search.includes('recipient=')").await;
    let url = browser.url().await;
    assert!(url.contains("?recipient=") && !url.to_lowercase().contains("jane"), "{url}");
    assert_eq!(browser.texts("#rows tr").await.len(), 1);
    browser.css(".active a").await.click().await.unwrap();
    browser.until("everything again", "document.querySelectorAll('#rows tr').length === 50").await;

    // A chip searches at once, a second one adds to it.
    let chip = browser.css(".chip input[value=bounce]").await;
    browser.driver.action_chain().move_to_element_center(&chip).click().perform().await.unwrap();
    browser.until("bounces", "location.search === '?event=bounce'").await;
    let bounces = events.iter().filter(|event| event.contains("\"event\":\"bounce\"")).count();
    browser.until("a count", "document.querySelector('.count strong')").await;
    assert_eq!(browser.texts(".count strong").await, [format!("{bounces} events")]);
    let names = browser.texts("#rows .badge").await;
    assert!(names.iter().all(|name| name == "bounce" || name == "blocked"), "{names:?}");

    // A row opens its timeline beside the list; back closes it, forward opens it.
    browser.css("#rows tr:nth-child(3) .c-detail").await.click().await.unwrap();
    browser.until("a timeline", "document.querySelectorAll('#timeline .steps > li').length === 2").await;
    assert!(browser.url().await.contains("&open="));
    browser.until("focus in the timeline", "document.activeElement.id === 'timeline-title'").await;
    assert_eq!(browser.texts("#timeline li[aria-current] strong").await.len(), 1);
    let raw = browser.texts("#timeline .raw dt").await;
    assert!(raw.iter().any(|column| column == "sg_event_id") && raw.iter().any(|column| column == "event_key"));
    assert_eq!(browser.texts("#rows tr").await.len(), bounces.min(50), "the list stays");
    browser.driver.back().await.unwrap();
    browser
        .until("a closed timeline", "document.querySelector('#timeline.closed') && location.search === '?event=bounce'")
        .await;
    browser.driver.back().await.unwrap();
    browser
        .until("the first list", "location.search === '' && document.querySelectorAll('#rows tr').length === 50")
        .await;

    // Paging goes on where the page ended.
    let first: Vec<String> = browser.texts("#rows tr").await;
    browser.css("a[rel=next]").await.click().await.unwrap();
    browser.until("the next page", "location.search.includes('before=')").await;
    let second = browser.texts("#rows tr").await;
    assert_eq!(second.len(), 50);
    assert_ne!(first, second);

    // New events come in by themselves.
    browser.driver.goto(format!("http://{}/activity?category=live", place.page)).await.unwrap();
    browser.css("#follow").await.click().await.unwrap();
    browser.css("#live").await;
    place.post(&[
        event("other", "b@example.com", "open", now()),
        event("new", "a@example.com", "open", now()).replace("[\"news\"]", "[\"live\"]"),
    ]);
    browser.until("the new event", "document.querySelectorAll('#rows tr').length === 1").await;
    assert_eq!(browser.texts("#news").await, ["1 new event"]);

    let log = place.running.log().to_lowercase();
    assert!(!log.contains("jane") && !log.contains("recipient="), "{log}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_texts() {
    let Some((place, browser)) = place().await else { return };
    place.post(&[traffic::hostile(now())]);
    browser.log_in(place.page, "mia", "/activity").await;
    browser.css("#rows .badge").await.click().await.unwrap();
    let shown = "!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling') && \
                 document.querySelector('#timeline .steps details summary')?.getClientRects().length > 0";
    browser.until("the timeline", shown).await;
    browser.css("#timeline .steps details summary").await.click().await.unwrap();
    for path in ["/activity", "/overview"] {
        browser.driver.goto(format!("http://{}{path}", place.page)).await.unwrap();
        browser.until("the page", "document.querySelector('.count strong, .panel')").await;
        assert!(!browser.driver.title().await.unwrap().contains("owned"));
        assert_eq!(browser.texts("main script, main img, main svg[onload], a[href^=javascript]").await, [""; 0]);
        let wide = value(&browser, "return document.documentElement.scrollWidth > innerWidth").await;
        assert_eq!(wide, false, "{path}: a long word widens the page");
        let body = browser.body().await;
        assert!(body.contains("\\u{202e}gpj.exe\\u{200b}") && !body.contains('\u{202e}'), "{body}");
    }
    browser.end().await;
}

/// The watch that all tests rely on sees what it should.
#[tokio::test(flavor = "multi_thread")]
async fn a_violation_of_the_policy_is_noticed() {
    let Some((place, browser)) = place().await else { return };
    browser.driver.goto(format!("http://{}/login", place.page)).await.unwrap();
    assert_eq!(browser.noted().await, "");
    let inline = "const s = document.createElement('script'); s.textContent = '1'; document.body.append(s)";
    browser.driver.execute(inline, vec![]).await.unwrap();
    browser.until("a note", "(sessionStorage.getItem('noted') || '').includes('CSP script-src')").await;
}
