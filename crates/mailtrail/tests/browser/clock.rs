//! The page by the clock and in the language of `[output]`. Needs no browser.

use crate::browser::Place;
use crate::mailing::Mailing;
use crate::support::{event, request};

#[test]
fn days_times_and_files_are_those_of_the_place() {
    let place = Place::open_with(&[
        ("MAILTRAIL_OUTPUT_LANGUAGE", "ja"),
        ("MAILTRAIL_OUTPUT_TIME_ZONE", "Asia/Tokyo"),
        ("MAILTRAIL_WEB_OPEN_ON_LOOPBACK", "true"),
    ]);
    // 2026-11-20 16:00 UTC, when it is the 21st there.
    let at = 1_795_190_400;
    place.post(&[event("late", "a@example.com", "delivered", at), event("early", "a@example.com", "open", at - 7_200)]);
    let mailing = Mailing::send(&place.site, "november", 20);
    place.post(&mailing.events(0..20));
    let get = |path: &str, language: &[(String, String)]| {
        let (status, body) = request(place.page, "GET", path, language, b"").unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        body
    };
    // Whoever's browser names no language that there is gets the configured one.
    let day = get("/activity?since=2026-11-21&until=2026-11-22", &[]);
    assert!(day.contains("<html lang=\"ja\"") && day.contains("日時 (Asia/Tokyo)"), "{day}");
    assert!(day.contains("(Asia/Tokyo)") && day.contains("01:00:00"), "{day}");
    assert_eq!(day.matches("<tr class=\"row\"").count(), 1, "the 21st begins at midnight there: {day}");
    let english = get("/activity", &[("Accept-Language".to_owned(), "en-GB".to_owned())]);
    assert!(english.contains("<html lang=\"en\"") && english.contains("Time (Asia/Tokyo)"), "{english}");
    let chart = get("/overview/figures?since=2026-11-20&until=2026-11-22", &[]);
    assert!(chart.contains("2026-11-20 23:00") || chart.contains("2026-11-20 18:00"), "{chart}");
    let run = get("/runs/november/figures", &[]);
    assert!(run.contains("開始 (Asia/Tokyo)") && run.contains("届かなかった理由"), "{run}");

    let (_, rest) = day.split_once("name=\"csrf\" value=\"").unwrap();
    let form = format!("csrf={}&format=csv", rest.split('"').next().unwrap());
    let headers = [
        ("Origin".to_owned(), format!("http://{}", place.page)),
        ("Content-Length".to_owned(), form.len().to_string()),
    ];
    let path = "/activity/export?since=2026-11-21&until=2026-11-22";
    let (status, file) = request(place.page, "POST", path, &headers, form.as_bytes()).unwrap();
    assert_eq!(status, 200, "{file}");
    assert!(file.contains('\u{feff}') && file.contains("2026-11-21T01:00:00+09:00"), "{file}");
}
