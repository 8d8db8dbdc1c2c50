//! Whether notices can leave this machine: name resolution, proxy, root certificates.

use std::collections::BTreeSet;
use std::time::Duration;

use super::check::Check;
use crate::config::{Config, HookUrl};
use crate::notify::Client;

/// Of one try.
const TIMEOUT: Duration = Duration::from_secs(5);
const TODO: &str = "check the name, the network, the proxy (HTTPS_PROXY, NO_PROXY) and the root certificates (ca-certificates, or \
                    SSL_CERT_FILE), then run mailtrail notify test";

/// Asks each server for its front page: no notice is posted, and the URL's path, which is a secret, is not sent.
pub(super) fn checks(config: &Config) -> Vec<Check> {
    let slack = &config.slack;
    let webhook = config.webhook.as_ref().map(|webhook| &webhook.url);
    let mut seen = BTreeSet::new();
    let urls = [slack.business.as_ref(), slack.ops.as_ref(), webhook];
    let urls: Vec<&HookUrl> = urls.into_iter().flatten().filter(|url| seen.insert(url.server())).collect();
    if urls.is_empty() {
        return Vec::new();
    }
    let client = match Client::new(TIMEOUT) {
        Ok(client) => client,
        Err(error) => return vec![Check::fail("notices", error.to_string(), TODO)],
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Check::warn("notices", format!("cannot be tried: {error}"), "try again")],
    };
    let one = |url: &HookUrl| match runtime.block_on(client.reach(url)) {
        Ok(()) => Check::pass("notices", format!("{} can be reached", url.server())),
        Err(error) => Check::warn("notices", format!("{} cannot be reached: {error}", url.server()), TODO),
    };
    urls.into_iter().map(one).collect()
}
