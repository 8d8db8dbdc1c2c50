//! Runs whose names a URL's path would take for its own.

use super::refused::Stage;
use super::*;

#[test]
fn runs_named_like_a_folder_open_on_the_page_and_by_the_api() {
    let stage = Stage::new();
    let server = stage.site.serve();
    // Another tool sets the custom arg itself.
    let names = [".", "..", "~x", "a/.."];
    let of_run = |(n, name): (usize, &str)| {
        let event = event(&format!("d{n}"), "alice@example.com", "delivered", now());
        event.replacen("\"event\"", &format!("\"mailtrail_run\":\"{name}\",\"event\""), 1)
    };
    post(&server, &stage.site, &names.into_iter().enumerate().map(of_run).collect::<Vec<_>>());
    server.wait_drained();
    let list = stage.page(&server, "/runs");
    for (name, url) in names.into_iter().zip(["/runs/~.", "/runs/~..", "/runs/~~x", "/runs/a%2F.."]) {
        assert!(list.contains(&format!("href=\"{url}\"")), "{url}: {list}");
        assert!(stage.page(&server, url).contains(&format!("<h1 class=\"run-name\">{name}</h1>")), "{name}");
        assert!(stage.page(&server, &format!("{url}/figures")).contains("1 of 1 settled"), "{name}");
        let told = stage.api(&server, url.trim_start_matches('/'));
        assert_eq!(told[0]["run"], name);
    }
}
