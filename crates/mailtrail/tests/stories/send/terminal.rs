//! What a terminal shows of a send, from dry run to the list of who was not reached, as it stands there. Times, hashes and
//! durations are other ones each time.

use super::*;

fn shown(post: &Post, args: &[&str]) -> String {
    let output = post.site.command(args).output().unwrap();
    let code = output.status.code().unwrap();
    format!("$ mailtrail {}\n{}--\n{}exit code {code}\n", args.join(" "), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_send_as_the_terminal_shows_it() {
    let post = Post::new(|_| Fault::None);
    let server = post.site.serve();
    let target = Target::parse(&format!("http://{}/event", server.address)).unwrap();
    let (user, password) = CREDENTIALS.split_once(':').unwrap();
    let webhook = Webhook::new(target.with_credentials(user, password).unwrap(), Arc::clone(&post.site.signer));
    let _in_runtime = post.runtime.enter();
    let fates = |mail: &Mail| match mail.address.as_bytes()[10] {
        b'3' => Fate::Bounce,
        b'5' => Fate::Blocked,
        b'7' => Fate::Dropped,
        _ => Fate::Delivered,
    };
    let events = post.api.deliver_events(webhook, fates);
    let mut list = "email,name\n".to_owned();
    (0..9).for_each(|n| writeln!(list, "{},Name {n}", address(n)).unwrap());
    writeln!(list, "{},Again", address(0)).unwrap();
    std::fs::write(post.site.path().join("list.csv"), list).unwrap();

    let send = ["send", "list.csv", "--run", "november", "--subject", "Hello", "--html", "mail.html"];
    let dry_run = [&send[..], &["--dry-run"]].concat();
    let mut all = vec![shown(&post, &dry_run), shown(&post, &send)];
    post.runtime.block_on(events.finish()).unwrap();
    server.wait_drained();
    all.push(shown(&post, &["wait", "november", "--exit-status"]));
    all.push(shown(&post, &["unreached", "november", "--list", "list.csv"]));
    all.push(shown(&post, &["sent", "november", "--list", "list.csv"]));
    all.push(shown(&post, &send));
    all.push(shown(&post, &["runs"]));
    all.push(shown(&post, &["runs", "november"]));
    all.push(shown(&post, &["stats", "--by", "status"]));
    server.stop();
    post.end();
    let other_each_time = [
        (r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"[0-9a-f]{64}", "[hash]"),
        (r"[0-9a-f]{12}…", "[hash]…"),
        (r"\b\d+(\.\d+)? m?s\b", "[duration]"),
        (r"\b\d+s\b", "[duration]"),
        // A shorter time makes a narrower column.
        (r" {2,}", "  "),
        (r" +\n", "\n"),
    ];
    insta::with_settings!({ filters => other_each_time }, { insta::assert_snapshot!(all.join("\n")) });
}
