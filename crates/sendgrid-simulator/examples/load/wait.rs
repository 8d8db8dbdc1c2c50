//! Polls a receiver's metrics page until a metric has a value: acknowledged is not yet askable.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use sendgrid_simulator::Target;

const PAUSE: Duration = Duration::from_millis(50);

/// Returns when `metric` has `value`; fails when it does not within `limit` or the page can't be read.
pub(crate) async fn until(url: &str, metric: &str, value: f64, limit: Duration) -> anyhow::Result<()> {
    let page = Target::parse(url)?;
    ensure!(page.is_loopback(), "{page} is not on this machine");
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(5)).build()?;
    let started = Instant::now();
    loop {
        let response = client.get(page.expose().clone()).send().await.map_err(reqwest::Error::without_url);
        let text = response.context("reading the metrics page")?.text().await.context("reading the metrics page")?;
        match read(&text, metric) {
            Some(now) if (now - value).abs() < 0.5 => return Ok(()),
            None if started.elapsed() > Duration::from_secs(30) => bail!("{metric} is not on the metrics page {page}"),
            now if started.elapsed() > limit => bail!("{metric} is {now:?}, not {value}, after {limit:?}"),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// The sum over all series of a metric in Prometheus text.
fn read(text: &str, metric: &str) -> Option<f64> {
    let values: Vec<f64> = text
        .lines()
        .filter_map(|line| line.strip_prefix(metric))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit('}').next()?.split_whitespace().next()?.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}
