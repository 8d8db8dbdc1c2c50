//! What came of the samples, and what to look at where they were refused.

use std::io::Write;
use std::time::Duration;

use sendgrid_simulator::report::Refusal;
use sendgrid_simulator::{Delivery, Report};

use crate::cli::exit::Exit;

/// Writes the summary to `out` and, where a POST failed, the reason and the next step to `talk`.
pub(super) fn summary(
    report: &Report,
    delivery: &Delivery,
    out: &mut impl Write,
    talk: &mut impl Write,
) -> std::io::Result<Exit> {
    writeln!(
        out,
        "{} of {} POSTs acknowledged with {} events, of which {} accepted and {} quarantined, in {}",
        report.acknowledged_posts,
        report.posts,
        report.acknowledged_events,
        report.accepted,
        report.quarantined,
        seconds(report.elapsed)
    )?;
    let statuses: Vec<String> = report.statuses.iter().map(|(status, n)| format!("{status} × {n}")).collect();
    if !statuses.is_empty() {
        writeln!(out, "statuses: {}", statuses.join(", "))?;
    }
    if let (Some(median), Some(longest)) = (report.time_to_200(0.5), report.time_to_200(1.0)) {
        writeln!(out, "time to 200: median {}, longest {}", seconds(median), seconds(longest))?;
    }
    if report.complete() {
        return Ok(Exit::Done);
    }
    if let Some(refusal) = &report.first_refusal {
        let said = if refusal.text.is_empty() { String::new() } else { format!(" ({})", refusal.text) };
        writeln!(talk, "refused with {}{said}: {}", refusal.status, advice(refusal, delivery))?;
    }
    if let Some(failure) = &report.first_failure {
        writeln!(talk, "no answer from {}: {failure}; {}", delivery.target, no_answer(failure))?;
    }
    Ok(Exit::Failed)
}

/// What to do about a status.
fn advice(refusal: &Refusal, delivery: &Delivery) -> &'static str {
    match refusal.status {
        401 if refusal.asks_for_credentials && delivery.target.has_credentials() => {
            "user or password is wrong; compare with basic_auth under [receive]"
        }
        401 if refusal.asks_for_credentials => {
            "it wants Basic credentials; put user:password into the URL or give --user-password-file"
        }
        401 if delivery.signer.is_none() => "it wants a signature; leave out --unsigned and give --key-file",
        401 => {
            "the signature was not accepted; put the key's public key into test_public_keys under [receive], \
             reload, and compare the clocks"
        }
        403 => "it forbids; a proxy in front may decide who comes through",
        404 | 405 => "the webhook has another path; compare with path under [receive]",
        408 => "it was too slow for the receiver; try a smaller --batch",
        413 => "the body is larger than max_body under [receive]; try a smaller --batch",
        300..400 => "it redirects, and SendGrid does not follow; give the final URL",
        400..500 => "it found the request wrong; the receiver's log tells why",
        _ => "it cannot store right now; see its log, or `mailtrail doctor` on its machine",
    }
}

/// What to do where nothing answered. The names are those of rustls's errors.
fn no_answer(failure: &str) -> &'static str {
    if failure.contains("InvalidContentType") {
        "it speaks plain HTTP there; give http://"
    } else if failure.contains("UnknownIssuer") {
        "its certificate is signed by nobody known; give --ca-file"
    } else {
        "is the receiver running there?"
    }
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        short if short < 1.0 => format!("{:.1} ms", short * 1000.0),
        long => format!("{long:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sendgrid_simulator::{Signer, Target};

    use super::*;

    fn told(report: &Report) -> (Exit, String, String) {
        let delivery = Delivery::new(Target::parse("http://user:s3cret@localhost/event").expect("a URL"));
        let (mut out, mut talk) = (Vec::new(), Vec::new());
        let exit = summary(report, &delivery, &mut out, &mut talk).expect("written");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (exit, text(out), text(talk))
    }

    #[test]
    fn all_acknowledged_is_success_and_says_how_many() {
        let report = Report {
            posts: 2,
            acknowledged_posts: 2,
            acknowledged_events: 5,
            accepted: 4,
            quarantined: 1,
            statuses: [(200, 2)].into(),
            ..Report::default()
        };
        let (exit, out, talk) = told(&report);
        assert_eq!((exit, talk.as_str()), (Exit::Done, ""));
        let first = "2 of 2 POSTs acknowledged with 5 events, of which 4 accepted and 1 quarantined, in 0.0 ms\n";
        assert_eq!(out, format!("{first}statuses: 200 × 2\n"));
    }

    #[test]
    fn one_refused_post_is_failure_and_says_why() {
        let report = Report {
            posts: 2,
            acknowledged_posts: 1,
            first_refusal: Some(Refusal { status: 401, asks_for_credentials: true, text: "who?".to_owned() }),
            first_failure: Some("invalid peer certificate: UnknownIssuer".to_owned()),
            ..Report::default()
        };
        let (exit, _, talk) = told(&report);
        assert_eq!(exit, Exit::Failed);
        assert!(talk.contains("refused with 401 (who?): user or password is wrong"), "{talk}");
        assert!(talk.contains("http://localhost/event") && talk.contains("--ca-file"), "{talk}");
        assert!(!talk.contains("s3cret"), "{talk}");
    }

    #[test]
    fn a_401_names_what_to_look_at() {
        let delivery = |url: &str, signed: bool| {
            let mut delivery = Delivery::new(Target::parse(url).expect("a URL"));
            delivery.signer = signed.then(|| Arc::new(Signer::generate().expect("randomness")));
            delivery
        };
        let (bare, with) = ("http://localhost/event", "http://user:password@localhost/event");
        for (asks_for_credentials, url, signed, word) in [
            (true, with, true, "basic_auth"),
            (true, bare, true, "--user-password-file"),
            (false, with, false, "--unsigned"),
            (false, with, true, "test_public_keys"),
        ] {
            let refusal = Refusal { status: 401, asks_for_credentials, text: String::new() };
            let advice = advice(&refusal, &delivery(url, signed));
            assert!(advice.contains(word), "{advice}");
        }
    }

    #[test]
    fn every_refusal_has_an_advice_of_its_kind() {
        let delivery = Delivery::new(Target::parse("http://localhost/event").expect("a URL"));
        for (status, word) in
            [(302, "redirects"), (404, "path"), (413, "max_body"), (418, "log"), (503, "cannot store"), (500, "log")]
        {
            let refusal = Refusal { status, asks_for_credentials: false, text: String::new() };
            assert!(advice(&refusal, &delivery).contains(word), "{status}");
        }
    }
}
